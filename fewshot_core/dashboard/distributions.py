"""The Distributions page: accuracies in the sub-spaces of one split, or of all metrics."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.column_config import CheckboxColumn, TextColumn

from fewshot_core.analysis import (
    CostReport,
    SplitEvaluator,
    architectures_of,
    distribution_frame,
    importance,
    join_cost,
    operation_effects,
    report_costs,
    top_architectures,
    top_mask,
)
from fewshot_core.analysis.estimates import cost_text
from fewshot_core.dashboard.shared.controls import (
    SEPARATOR,
    numbers,
    plain,
    show_columns,
    show_errors,
    show_table,
    show_tabs,
)
from fewshot_core.dashboard.shared.figures import (
    LOWEST,
    SMALL_LEGEND,
    Leaves,
    analyse_command,
    cached_figure,
    choose_evidence,
    choose_style,
    clicked,
    describe,
    distributions,
    draw_distributions,
    in_columns,
    pool,
    rests_on,
    show_architecture,
    show_figure,
    show_small_distributions,
    show_source,
    show_view_source,
    split_evidence,
    split_source,
)
from fewshot_core.dashboard.shared.glossary import GLOSSARY, explain
from fewshot_core.dashboard.shared.page import DATA, IMPORTANCE, Workspace, show_empty
from fewshot_core.dashboard.shared.sidebar import (
    Source,
    View,
    list_sources,
    open_page,
    read_cost,
    show_missing_split,
    show_missing_table,
)
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    distinct_labels,
    first_of_each_metric,
    open_split,
)
from fewshot_core.dashboard.shared.trees import show_sub_spaces
from fewshot_core.dashboard.shared.url import choose_option
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.evidence import group_by_evidence
from fewshot_core.plots import (
    costs_figure,
    decisions_figure,
    effects_figure,
    importance_figure,
    top_figure,
)
from fewshot_core.space import Architecture, Part, SearchSpace

_COST_TERMS = ("Pareto front", "hypervolume", "limit of the cost")
_EXAMPLE = 13714
_MOST_LISTED = 20_000
"""How many architectures of a sub-space are sent to the browser."""

Cells = dict[str, dict[str, str]]
"""The key of a split by metric and data set."""


def show_distributions_page() -> None:
    """Draw the page."""
    view = open_page("Distributions")
    evaluator = view.evaluator()

    def draw(show: Callable[[View, SplitEvaluator], None]) -> None:
        if evaluator is None:
            show_missing_table(view)
        else:
            show(view, evaluator)

    split = view.split
    one = partial(draw, partial(_show_split, split)) if split else partial(show_missing_split, view)
    shows = {
        "Sub-spaces": one,
        "Cost": partial(draw, _show_costs),
        IMPORTANCE["show"]: partial(draw, _show_importance),
        "All metrics and data sets": partial(_show_small_multiples, view),
    }
    show_tabs(shows, "show")


def _show_split(split: SplitInView, view: View, evaluator: SplitEvaluator) -> None:
    """Draw the distributions of the split in view, with the table that highlights one of them."""
    leaves = split.leaves
    left, right = st.columns(2, gap="large", vertical_alignment="bottom")
    style = choose_style("style", left)
    whole_axis = right.toggle(
        "Whole axis",
        key="whole_axis",
        bind="query-params",
        help="By default the axis leaves out the lowest 5% of all architectures, most of which "
        "are far below the rest; the figure says how many.",
    )
    described = describe(leaves, evaluator)
    figures, table = st.columns(2, gap="large")
    with table:
        found = _find(view, split, evaluator)
        key = f"sub_spaces_{split.key}"
        chosen = show_sub_spaces(view, described, key, link="sub_space", narrow=True)
        highlight = None if chosen is None else str(described["sub_space"].iloc[chosen])
        if chosen is None:
            st.caption("Choose a row to highlight a sub-space and to list its architectures.")
        else:
            _show_architectures(view, chosen, _listed(leaves[chosen], evaluator))
    with figures:
        lowest = 0.0 if whole_axis else LOWEST
        table_name = view.source[0] if view.table else ""
        notes = ", ".join(split.notes())
        # The caption stays with a figure that is saved.
        unit = view.task.stored_unit
        look: dict[str, Any] = {"highlight": highlight, "axis_title": view.axis_title, "unit": unit}
        caption = tuple(filter(None, [table_name, notes]))
        title = f"All architectures, split by {split.name}"
        marked = found[:2] if found else None
        figure = draw_distributions(
            leaves, evaluator, style, lowest, caption=caption, title=title, marked=marked, **look
        )
        show_figure(figure, "distributions_all", source=rests_on([split]))
        look["marked"] = marked if found and found[2] else None
        top = _draw_top(leaves, evaluator, view.top_label, caption=caption, **look)
        show_figure(top, "distributions_top", source=rests_on([split]))
        frame = distributions(leaves, evaluator, style, lowest)
        show_view_source(view, "distribution_source", frame)


def _find(
    view: View, split: SplitInView, evaluator: SplitEvaluator
) -> tuple[str, float, bool] | None:
    """Find an architecture by its string: its sub-space, its score, whether it is in the top."""
    space = view.space
    digits = f"{len(space.shape)} digits: the operations of the {space.noun}s, counted from 0."
    text = st.text_input(
        "Find an architecture",
        key="architecture",
        bind="query-params",
        placeholder=space.format(_EXAMPLE % space.size),
        help=f"An architecture string, or its {digits}" if space.edges else f"Its {digits}",
    )
    if not text:
        return None
    try:
        architecture = Architecture.from_string(text, space)
    except SpaceError as error:
        st.error(f"This is not an architecture: {plain(error)}", icon=":material/error:")
        return None
    for number, leaf in enumerate(split.leaves, start=1):
        if architecture not in leaf:
            continue
        listed = _listed(leaf, evaluator)
        [*rows] = listed[listed["architecture"] == architecture.index].to_dict("records")
        if rows:
            rank, accuracy = rows[0]["rank"], rows[0]["accuracy_mean"]
            known = evaluator.accuracy["accuracy_mean"].count()
            st.success(
                f"**S{number}**, rank {rank:,} of {known:,}, {plain(view.task.text(accuracy))}: "
                "the star in the figure, unless its axis begins above it.",
                icon=":material/star:",
            )
            return f"S{number}", accuracy, bool(rows[0]["top"])
        st.info(f"It is in S{number}; the table has no accuracy of it.")
    return None


def _show_importance(view: View, evaluator: SplitEvaluator) -> None:
    source, unit = view.source[:2], view.task.stored_unit
    shares = None
    try:
        shares = _importance(evaluator, view.space)[0]
    except TableError as error:
        reason = "The variance is decomposed over all architectures, not those within a limit."
        st.info(reason if view.limit else plain(error), icon=":material/table_chart:")
    if shares is not None:
        st.markdown(_finding(shares, view))
        importances, effects = st.columns(2)
        with importances:
            figure = _draw_importance(evaluator, view.space)
            show_figure(figure, "importance", source=source)
        with effects:
            figure = _draw_effects(evaluator, view.space, unit)
            show_figure(figure, "effects", source=source)
    leaves = view.split.leaves if view.split else ()
    top = _top(leaves, evaluator, view.space)
    highlight = st.query_params.get("sub_space")
    look: dict[str, Any] = {"space": view.space, "unit": unit}
    figure = _draw_decisions(leaves, evaluator, view.top_label, highlight, **look)
    lines, cell = st.columns([5, 2])
    with lines:
        rests = rests_on([view.split]) if view.split else []
        show_figure(figure, "decisions", source=[*source, *rests], on_select=lambda: None)
        show_view_source(view, "importance_source", shares)
    with cell:
        chosen = [*clicked("decisions"), top["architecture"].iloc[0]][0]
        row = top[top["architecture"] == int(chosen)].iloc[0]
        title = f"Rank {row['rank']:,}: {view.task.text(row['accuracy_mean'])}"
        show_architecture(Architecture.from_index(int(chosen), view.space), title, "decided")
        st.caption("Click a point of a line to see another architecture.")


@show_errors()
def _show_costs(view: View, evaluator: SplitEvaluator) -> None:
    sources, labels = list_sources(view.workspace, "cost", view.space, view.dataset)
    if not sources:
        text = "**No costs yet.** Import a CSV file with a column of parameters, FLOPs or latency."
        show_empty(text, DATA, "Import costs")
        return
    first = f"{view.limit.table}:{view.limit.column}" if view.limit else None
    chosen = choose_option(st.selectbox, "Cost", labels, "cost_shown", first, unwritten="")
    leaves = view.split.leaves if view.split else ()
    where = view.workspace, sources[chosen], view.dataset, leaves, evaluator
    table, column = _costs(*where)[1].table, sources[chosen][1]
    name = f"{column.name}, {column.unit}" if column.unit else column.name
    st.markdown(_cost_finding(view, table, column.name), help=explain(*_COST_TERMS))
    figures, numbers_of = st.columns([10, 9], gap="medium")
    with numbers_of:
        points = numbers(view.task.form, width=60)
        shares = numbers("%.1f%%", GLOSSARY["hypervolume"], 90)
        event = show_columns(
            {
                "sub-space": (table["sub_space"], TextColumn(width=75)),
                "hypervolume": (100 * table["hypervolume"], shares),
                "front": (table["front"], numbers("localized", "On its own front", 50)),
                "of all": (table["shared"], numbers("localized", "On the front of all", 50)),
                "best": (table["best"], points),
                "known": (table["known"], numbers("localized", "Architectures that count", 60)),
            },
            f"The Pareto fronts of {len(table) - 1} sub-spaces and of the whole space",
            key=f"costs_{chosen}",
            selection_mode="single-row",
        )
        rows = event.selection.rows
        highlight = str(table["sub_space"].iloc[rows[0]]) if rows and rows[0] else None
        cost, median = _costs(*where)[1].worst
        st.caption(
            "Hypervolume: the share of the rectangle from the reference point (the largest cost, "
            f"{plain(cost_text(cost, column.unit))}, and the median, "
            f"{plain(view.task.text(median))}) to the ideal one."
        )
    with figures:
        figure = _draw_costs(*where, name, view.axis_title, highlight)
        rests = rests_on([view.split]) if view.split else []
        source = [*view.source[:2], f"cost: table {sources[chosen][0].label}", *rests]
        show_figure(figure, "costs", source=source)
        parts = source + (split_source(view.split) if view.split else [])
        option = f"--cost {shlex.quote(chosen)}"
        command = f"{analyse_command(view, view.split)} {option}"
        show_source(parts, command, "costs_source", table)


def _cost_finding(view: View, table: pd.DataFrame, cost: str) -> str:
    whole, *parts = table.to_dict("records")
    text = f"{whole['front']:,} of {whole['known']:,} architectures are on the Pareto front of "
    text += f"{plain(cost)} and {plain(view.scores)}"
    if not parts or pd.isna(whole["hypervolume"]):
        return f"**{text}.**"
    most = max(parts, key=lambda row: row["shared"])
    area = max(parts, key=lambda row: row["hypervolume"])
    which = ", which also" if area is most else f"; {area['sub_space']}"
    return (
        f"**{text}, {most['shared']:,} of them in {most['sub_space']}**{which} has the largest "
        f"hypervolume, {area['hypervolume']:.1%} against {whole['hypervolume']:.1%} of all."
    )


@lru_cache(16)
def _costs(
    workspace: Workspace, source: Source, dataset: str, leaves: Leaves, evaluator: SplitEvaluator
) -> tuple[pd.DataFrame, CostReport]:
    """Join a cost with the accuracies in view, and find the fronts; they must not be changed."""
    info, column = source
    frame = join_cost(read_cost(workspace, info, column.name, dataset), evaluator.accuracy)
    return frame, report_costs(frame, leaves)


@cached_figure
def _draw_costs(
    workspace: Workspace,
    source: Source,
    dataset: str,
    leaves: Leaves,
    evaluator: SplitEvaluator,
    name: str,
    axis_title: str,
    highlight: str | None,
) -> go.Figure:
    frame, report = _costs(workspace, source, dataset, leaves, evaluator)
    return costs_figure(frame, report, name, axis_title, highlight)


@lru_cache(8)
def _listed(leaf: Part, evaluator: SplitEvaluator) -> pd.DataFrame:
    return architectures_of(leaf, evaluator.accuracy, evaluator.threshold)


@lru_cache(64)
def _top(leaves: Leaves, evaluator: SplitEvaluator, space: SearchSpace) -> pd.DataFrame:
    return top_architectures(leaves, evaluator.accuracy, evaluator.threshold, space)


@lru_cache(32)
def _importance(evaluator: SplitEvaluator, space: SearchSpace) -> tuple[pd.DataFrame, pd.DataFrame]:
    accuracy = evaluator.accuracy
    effects = operation_effects(accuracy, evaluator.threshold, space)
    return importance(accuracy, space), effects


@cached_figure
def _draw_importance(evaluator: SplitEvaluator, space: SearchSpace) -> go.Figure:
    return importance_figure(_importance(evaluator, space)[0], space=space)


@cached_figure
def _draw_effects(evaluator: SplitEvaluator, space: SearchSpace, unit: str) -> go.Figure:
    return effects_figure(_importance(evaluator, space)[1], space=space, unit=unit)


@cached_figure
def _draw_decisions(
    leaves: Leaves, evaluator: SplitEvaluator, top_label: str, highlight: str | None, **look: Any
) -> go.Figure:
    top = _top(leaves, evaluator, look["space"])
    highlight = highlight if highlight in set(top["sub_space"]) else None
    return decisions_figure(top, highlight, title=f"Decisions of the {top_label}", **look)


def _finding(shares: pd.DataFrame, view: View) -> str:
    """Say which decision and which pair of them explain most of the variance of the scores."""
    alone = shares["first"] == shares["second"]
    main, pairs = shares[alone], shares[~alone]
    first, space, nouns = main.iloc[0], view.space, f"{view.space.noun}s"
    label = plain(space.decision_label(int(first["first"])))
    text = (
        f"**{label[:1].upper()}{label[1:]} matters most for {plain(view.scores)}: alone it "
        f"explains {first['share']:.1%} of the variance.** Single {nouns} explain "
        f"{main['share'].sum():.1%}"
    )
    if pairs.empty:
        return f"{text}."
    pair = pairs.iloc[0]
    one, other = (plain(space.decisions[int(pair[name])].name) for name in ("first", "second"))
    return (
        f"{text}, pairs {pairs['share'].sum():.1%} more, most of it {one} with {other} "
        f"({pair['share']:.1%}); the rest are interactions of three or more."
    )


@cached_figure
def _draw_top(leaves: Leaves, evaluator: SplitEvaluator, top_label: str, **look: Any) -> go.Figure:
    accuracy, threshold = evaluator.accuracy, evaluator.threshold
    rows = accuracy[top_mask(accuracy["accuracy_mean"].to_numpy(), threshold)]
    values = rows["accuracy_mean"]
    limits = None if rows.empty else (float(values.min()), float(values.max()))
    parts, rename, look = pool(leaves, evaluator, look)
    frame = rename(distribution_frame(parts, rows, limits))
    top = rename(_top(parts, evaluator, leaves[0].space))
    title = f"{top_label[0].upper()}{top_label[1:]}: {len(top):,} architectures"
    return top_figure(frame, top, rename(describe(parts, evaluator)), title=title, **look)


def _show_architectures(view: View, number: int, listed: pd.DataFrame) -> None:
    st.subheader(f"S{number + 1}: {len(listed):,} architectures with an accuracy")
    if listed.empty:
        st.caption("The table has no accuracy of any of them.")
        return
    if len(listed) > _MOST_LISTED:
        st.caption(f"The best {_MOST_LISTED:,} are listed.")
        listed = listed.head(_MOST_LISTED)
    columns = {"accuracy_mean": view.task}
    for task in view.space.datasets:
        dataset = task.name
        found = view.table and view.table.find(dataset, view.kind)
        if dataset == view.dataset or found is None:
            continue
        there = replace(view, limit=None).accuracy(dataset)
        known = there.set_index("architecture")["accuracy_mean"]
        listed = listed.assign(**{dataset: listed["architecture"].map(known)})
        columns[dataset] = task
    scores = {}
    for name, task in columns.items():
        label = f"{task.label} %" if task.percent else task.label
        text = f"{view.kind.capitalize()} {task.score} on {task.label}, {task.stored_unit}"
        scores[name] = numbers(task.form, text, 40 + 6 * len(task.label), label)
    event = show_table(
        listed,
        f"The {len(listed):,} architectures of S{number + 1} with a known accuracy, best first",
        {
            "rank": numbers("localized", width=55),
            **scores,
            "top": CheckboxColumn(view.top_label.partition(" with")[0], width="small"),
            "string": TextColumn("architecture", width="large"),
            "architecture": numbers("%d", label="index"),
        },
        export=f"architectures_{number + 1}",
        source=view.source,
        key=f"architectures_{number}",
        height=300,
        selection_mode="single-row-required",
        column_order=("rank", *scores, "top", "string", "architecture"),
    )
    rows = event.selection.rows
    row = listed.iloc[rows[0] if rows else 0]
    architecture = Architecture.from_index(int(row["architecture"]), view.space)
    title = f"Rank {row['rank']:,}: {view.task.text(row['accuracy_mean'])}"
    show_architecture(architecture, title, "cell")


def _show_small_multiples(view: View) -> None:
    """Draw one split of each metric on each data set, one metric per row.

    Where only one data set has splits, its metrics are side by side.
    """
    if view.table is None:
        show_missing_table(view)
        return
    names = [task.name for task in view.space.datasets]
    groups = group_by_evidence(
        ((dataset, key), replace(evidence, dataset=""))
        for dataset in names
        for key, evidence in split_evidence(view, dataset)
    )
    if not groups:
        show_missing_split(view)
        return
    shown = groups[choose_evidence(groups, "split")]
    cells: Cells = {}
    for dataset in names:
        labels = view.split_labels(dataset)
        labels = {key: label for key, label in labels.items() if (dataset, key) in shown}
        for key in first_of_each_metric(labels):
            cells.setdefault(labels[key].partition(SEPARATOR)[0], {})[dataset] = key
    datasets = [name for name in names if view.table.find(name, view.kind)]
    drawn = [name for name in datasets if any(name in keys for keys in cells.values())]
    st.caption(SMALL_LEGEND)
    if len(drawn) == 1:
        [dataset] = drawn
        st.markdown(f"**{plain(view.space.dataset(dataset).label)}**")
        metrics = [metric for metric, keys in cells.items() if dataset in keys]
        for column, metric in in_columns(metrics):
            with column:
                _show_cell(view, dataset, cells[metric][dataset], metric)
    elif drawn:
        for metric, keys in cells.items():
            st.markdown(f"**{plain(metric)}**")
            for column, dataset in in_columns(drawn, min(len(drawn), 3)):
                with column:
                    label = view.space.dataset(dataset).label
                    _show_cell(view, dataset, keys.get(dataset), label)
    for dataset in datasets:
        if dataset not in drawn:
            _show_cell(view, dataset, None, "")
    count = sum(dataset in keys for keys in cells.values() for dataset in drawn)
    parts = [*view.source, f"{count} of {len(cells) * len(datasets)} splits exist"]
    show_source(parts, analyse_command(view, view.split), "small_multiples_source")


def _show_cell(view: View, dataset: str, key: str | None, title: str) -> None:
    """Draw one of the small multiples, or say that there is no such split."""
    if key is None:
        st.caption(f"No split of {plain(view.space.dataset(dataset).label)} yet.")
    elif (evaluator := view.evaluator(dataset)) is not None:
        split = open_split(view.workspace.store, key)
        labels = view.split_labels(dataset)
        note = distinct_labels(labels)[key]
        notes = show_small_distributions(view, evaluator, split, "ridgeline", f"small_{key}", title)
        st.caption(SEPARATOR.join([note, *notes]))
