"""The Distributions page: accuracies in the sub-spaces of one split, or of all metrics."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.column_config import CheckboxColumn, TextColumn

from fewshot_core.analysis import (
    SplitEvaluator,
    architectures_of,
    distribution_frame,
    importance,
    operation_effects,
    top_architectures,
    top_mask,
)
from fewshot_core.dashboard.shared.controls import SEPARATOR, numbers, plain, show_table
from fewshot_core.dashboard.shared.evidence import choose_evidence, split_evidence
from fewshot_core.dashboard.shared.figures import (
    LOWEST,
    SMALL_LEGEND,
    Leaves,
    accuracy_source,
    analyse_command,
    cached_figure,
    choose_style,
    clicked,
    describe,
    distributions,
    draw_distributions,
    in_columns,
    load_evaluator,
    rests_on,
    show_architecture,
    show_figure,
    show_small_distributions,
    show_source,
    show_view_source,
)
from fewshot_core.dashboard.shared.page import IMPORTANCE
from fewshot_core.dashboard.shared.sidebar import (
    View,
    load_accuracy,
    open_page,
    show_missing_split,
    show_missing_table,
)
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    distinct_labels,
    first_of_each_metric,
    list_splits,
    open_split,
)
from fewshot_core.dashboard.shared.trees import show_sub_spaces
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.evidence import group_by_evidence
from fewshot_core.plots import decisions_figure, effects_figure, importance_figure, top_figure
from fewshot_core.space import Architecture, edge_label

_ALL = "All metrics and data sets"
_EXAMPLE = 13714

Cells = dict[str, dict[str, str]]
"""The key of a split by metric and data set."""


def show_distributions_page() -> None:
    """Draw the page."""
    view = open_page("Distributions")
    evaluator = load_evaluator(view)
    tabs = st.tabs(["Sub-spaces", *IMPORTANCE.values(), _ALL], key="show", bind="query-params")
    one, importances, every = tabs
    if one.open:
        with one:
            if view.split is None:
                show_missing_split(view)
            elif evaluator is None:
                show_missing_table(view)
            else:
                _show_split(view, view.split, evaluator)
    elif importances.open:
        with importances:
            if evaluator is None:
                show_missing_table(view)
            else:
                _show_importance(view, evaluator)
    elif every.open:
        with every:
            _show_small_multiples(view)


def _show_split(view: View, split: SplitInView, evaluator: SplitEvaluator) -> None:
    """Draw the distributions of the split in view, with the table that highlights one of them."""
    leaves = split.leaves
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    style = choose_style("style", left)
    whole_axis = right.toggle(
        "Whole axis",
        key="whole_axis",
        bind="query-params",
        help="By default the axis leaves out the lowest 5% of all architectures, most of which "
        "are far below the rest; the figure says how many.",
    )
    described = describe(leaves, evaluator)
    figures, table = st.columns([5, 4], gap="large")
    with table:
        found = _find(split, evaluator)
        key = f"sub_spaces_{split.key}"
        chosen = show_sub_spaces(described, view.top_label, key, link="sub_space", narrow=True)
        highlight = None if chosen is None else str(described["sub_space"].iloc[chosen])
        if chosen is None:
            st.caption("Choose a row to highlight a sub-space and to list its architectures.")
        else:
            listed = architectures_of(leaves[chosen], evaluator.accuracy, evaluator.threshold)
            _show_architectures(view, chosen, listed)
    with figures:
        lowest = 0.0 if whole_axis else LOWEST
        table_name = f"table {view.table.label}" if view.table else ""
        notes = ", ".join(split.evidence.notes(split.demo))
        # The caption stays with a figure that is saved.
        look: dict[str, Any] = {"highlight": highlight, "axis_title": view.axis_title}
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


def _find(split: SplitInView, evaluator: SplitEvaluator) -> tuple[str, float, bool] | None:
    """Find an architecture by its string: its sub-space, its accuracy, whether it is in the top."""
    text = st.text_input(
        "Find an architecture",
        key="architecture",
        bind="query-params",
        placeholder=Architecture.from_index(_EXAMPLE).to_string(),
        help="An architecture string, or its six digits: the operations of the edges, from 0 to 4.",
    )
    if not text:
        return None
    try:
        architecture = Architecture.from_string(text)
    except SpaceError as error:
        st.error(f"This is not an architecture: {plain(error)}", icon=":material/error:")
        return None
    for number, leaf in enumerate(split.leaves, start=1):
        if architecture not in leaf:
            continue
        listed = architectures_of(leaf, evaluator.accuracy, evaluator.threshold)
        [*rows] = listed[listed["architecture"] == architecture.index].to_dict("records")
        if rows:
            rank, accuracy = rows[0]["rank"], rows[0]["accuracy_mean"]
            known = evaluator.accuracy["accuracy_mean"].count()
            st.success(
                f"**S{number}**, rank {rank:,} of {known:,}, {accuracy:.2f}%: the star in the "
                "figure, unless its axis begins above it.",
                icon=":material/star:",
            )
            return f"S{number}", accuracy, bool(rows[0]["top"])
        st.info(f"It is in S{number}; the table has no accuracy of it.")
    return None


def _show_importance(view: View, evaluator: SplitEvaluator) -> None:
    """Show which edges and operations matter, and the decisions of the top architectures."""
    try:
        shares = _importance(evaluator)[0]
    except TableError as error:
        st.info(plain(error), icon=":material/table_chart:")
        return
    st.markdown(_finding(shares, view.axis_title.removesuffix(", %")))
    source = accuracy_source(view)[:2]
    for place, figure, key in zip(
        st.columns(2),
        (_draw_importance(evaluator), _draw_effects(evaluator)),
        ("importance", "effects"),
        strict=True,
    ):
        with place:
            show_figure(figure, key, source=source)
    leaves = view.split.leaves if view.split else ()
    top = _top(leaves, evaluator)
    highlight = st.query_params.get("sub_space")
    figure = _draw_decisions(leaves, evaluator, view.top_label, highlight)
    lines, cell = st.columns([5, 2])
    with lines:
        rests = rests_on([view.split]) if view.split else []
        show_figure(figure, "decisions", source=[*source, *rests], on_select=lambda: None)
        show_view_source(view, "importance_source", shares)
    with cell:
        chosen = [*clicked("decisions"), top["architecture"].iloc[0]][0]
        row = top[top["architecture"] == int(chosen)].iloc[0]
        title = f"Rank {row['rank']:,}: {row['accuracy_mean']:.2f}%"
        show_architecture(Architecture.from_index(int(chosen)), title, "decided")
        st.caption("Click a point of a line to see another cell.")


@lru_cache(64)
def _top(leaves: Leaves, evaluator: SplitEvaluator) -> pd.DataFrame:
    return top_architectures(leaves, evaluator.accuracy, evaluator.threshold)


@lru_cache(32)
def _importance(evaluator: SplitEvaluator) -> tuple[pd.DataFrame, pd.DataFrame]:
    accuracy = evaluator.accuracy
    return importance(accuracy), operation_effects(accuracy, evaluator.threshold)


@cached_figure
def _draw_importance(evaluator: SplitEvaluator) -> go.Figure:
    return importance_figure(_importance(evaluator)[0])


@cached_figure
def _draw_effects(evaluator: SplitEvaluator) -> go.Figure:
    return effects_figure(_importance(evaluator)[1])


@cached_figure
def _draw_decisions(
    leaves: Leaves, evaluator: SplitEvaluator, top_label: str, highlight: str | None
) -> go.Figure:
    top = _top(leaves, evaluator)
    highlight = highlight if highlight in set(top["sub_space"]) else None
    return decisions_figure(top, highlight, title=f"Decisions of the {top_label}")


def _finding(shares: pd.DataFrame, what: str) -> str:
    """Say which edge and which pair of edges explain most of the variance of accuracy."""
    alone = shares["first"] == shares["second"]
    main, pairs = shares[alone], shares[~alone]
    first, pair = main.iloc[0], pairs.iloc[0]
    edge, one, other = (
        plain(edge_label(int(number))) for number in (first["first"], pair["first"], pair["second"])
    )
    single, double = main["share"].sum(), pairs["share"].sum()
    return (
        f"**Edge {edge} matters most for {what}: alone it explains {first['share']:.1%} of the "
        f"variance.** Single edges explain {single:.1%}, pairs {double:.1%} more, most of it "
        f"{one} with {other} ({pair['share']:.1%}); the rest are interactions of three or more."
    )


@cached_figure
def _draw_top(leaves: Leaves, evaluator: SplitEvaluator, top_label: str, **look: Any) -> go.Figure:
    accuracy, threshold = evaluator.accuracy, evaluator.threshold
    rows = accuracy[top_mask(accuracy["accuracy_mean"].to_numpy(), threshold)]
    values = rows["accuracy_mean"]
    limits = None if rows.empty else (float(values.min()), float(values.max()))
    frame = distribution_frame(leaves, rows, limits)
    top = _top(leaves, evaluator)
    title = f"{top_label[0].upper()}{top_label[1:]}: {len(top):,} architectures"
    return top_figure(frame, top, describe(leaves, evaluator), title=title, **look)


def _show_architectures(view: View, number: int, listed: pd.DataFrame) -> None:
    """List the architectures of a sub-space, and draw the cell of a chosen one."""
    st.subheader(f"S{number + 1}: {len(listed):,} architectures with an accuracy")
    if listed.empty:
        st.caption("The table has no accuracy of any of them.")
        return
    columns = {"accuracy_mean": view.dataset}
    for dataset in DATASETS.names():
        found = view.table and view.table.find(dataset, view.kind)
        if dataset == view.dataset or found is None:
            continue
        known = load_accuracy(view, dataset).set_index("architecture")["accuracy_mean"]
        listed = listed.assign(**{dataset: listed["architecture"].map(known)})
        columns[dataset] = dataset
    percent = {}
    for name, of in columns.items():
        label = DATASETS.label(of)
        text = f"{view.kind.capitalize()} accuracy on {label}"
        percent[name] = numbers("%.2f", text, 40 + 6 * len(label), f"{label} %")
    event = show_table(
        listed,
        f"The {len(listed):,} architectures of S{number + 1} with a known accuracy, best first",
        {
            "rank": numbers("localized", width=55),
            **percent,
            "top": CheckboxColumn(view.top_label, width="small"),
            "string": TextColumn("architecture", width="large"),
            "architecture": numbers("%d", label="index"),
        },
        key=f"architectures_{number}",
        height=300,
        on_select="rerun",
        selection_mode="single-row-required",
        column_order=("rank", *percent, "top", "string", "architecture"),
    )
    rows = event.selection.rows
    row = listed.iloc[rows[0] if rows else 0]
    architecture = Architecture.from_index(int(row["architecture"]))
    title = f"Rank {row['rank']:,}: {row['accuracy_mean']:.2f}%"
    show_architecture(architecture, title, "cell")


def _show_small_multiples(view: View) -> None:
    """Draw one split of each metric on each data set, one metric per row.

    Where only one data set has splits, its metrics are side by side.
    """
    if view.table is None:
        show_missing_table(view)
        return
    groups = group_by_evidence(
        ((dataset, key), replace(evidence, dataset=""))
        for dataset in DATASETS.names()
        for key, evidence in split_evidence(view, dataset)
    )
    if not groups:
        show_missing_split(view)
        return
    shown = groups[choose_evidence(groups, "split")]
    cells: Cells = {}
    for dataset in DATASETS.names():
        labels = list_splits(view.workspace.store, dataset)
        labels = {key: label for key, label in labels.items() if (dataset, key) in shown}
        for key in first_of_each_metric(labels):
            cells.setdefault(labels[key].partition(SEPARATOR)[0], {})[dataset] = key
    datasets = [name for name in DATASETS.names() if view.table.find(name, view.kind)]
    drawn = [name for name in datasets if any(name in keys for keys in cells.values())]
    st.caption(SMALL_LEGEND)
    if len(drawn) == 1:
        [dataset] = drawn
        st.markdown(f"**{DATASETS.label(dataset)}**")
        metrics = [metric for metric, keys in cells.items() if dataset in keys]
        for column, metric in in_columns(metrics):
            with column:
                _show_cell(view, dataset, cells[metric][dataset], metric)
    elif drawn:
        for metric, keys in cells.items():
            st.markdown(f"**{metric}**")
            for column, dataset in in_columns(drawn, len(drawn)):
                with column:
                    label = DATASETS.label(dataset)
                    _show_cell(view, dataset, keys.get(dataset), label)
    for dataset in datasets:
        if dataset not in drawn:
            _show_cell(view, dataset, None, "")
    count = sum(dataset in keys for keys in cells.values() for dataset in drawn)
    parts = [*accuracy_source(view), f"{count} of {len(cells) * len(datasets)} splits exist"]
    show_source(parts, analyse_command(view, view.split), "small_multiples_source")


def _show_cell(view: View, dataset: str, key: str | None, title: str) -> None:
    """Draw one of the small multiples, or say that there is no such split."""
    if key is None:
        st.caption(f"No split of {DATASETS.label(dataset)} yet.")
    elif (evaluator := load_evaluator(view, dataset)) is not None:
        split = open_split(view.workspace.store, key)
        note = distinct_labels(list_splits(view.workspace.store, dataset))[key]
        show_small_distributions(view, evaluator, split, "ridgeline", f"small_{key}", title, note)
