"""The Distributions page."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.dashboard.shared.figures import (
    accuracy_source,
    analyse_command,
    kept,
    show_figure,
    show_source,
    show_view_source,
)
from fewshot_core.dashboard.shared.informativeness import (
    draw_small,
    small_notes,
    some_of_each,
)
from fewshot_core.dashboard.shared.loading import (
    LOWEST,
    Leaves,
    architectures,
    describe,
    distributions,
    load_accuracy,
    load_evaluator,
    other_data_sets,
    top_distributions,
)
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.sidebar import (
    View,
    show_missing_split,
    show_missing_table,
)
from fewshot_core.dashboard.shared.splits import (
    SplitInView,
    list_splits,
    open_split,
    shortened,
)
from fewshot_core.dashboard.shared.trees import show_sub_spaces
from fewshot_core.datasets import DATASETS
from fewshot_core.plots import STYLES, cell_figure, distributions_figure, top_figure
from fewshot_core.space import Architecture


def show_distributions(workspace: Workspace, view: View) -> None:
    """Draw the distributions, with the table that highlights one of them."""
    split = view.split
    if split is None:
        show_missing_split(view)
        return
    evaluator = load_evaluator(workspace, view)
    if evaluator is None:
        show_missing_table(view)
        return
    described = describe(split.leaves, evaluator)
    style, whole_axis = _choose_style()
    pictures, table = st.columns([5, 4], gap="large")
    with table:
        st.subheader("Sub-spaces")
        chosen = show_sub_spaces(
            described, view.top_label, f"sub_spaces_{split.key}", link="sub_space"
        )
        highlight = None if chosen is None else str(described["sub_space"].iloc[chosen])
        if chosen is None:
            st.caption("Choose a row to bring a sub-space forward and to list its architectures.")
        else:
            listed = architectures(split.leaves, chosen, evaluator)
            _show_architectures(workspace, view, chosen, listed)
    with pictures:
        lowest = 0.0 if whole_axis else LOWEST
        caption = _caption(view, split)
        title = f"All architectures, split by {split.name}"
        figure = _draw_all(
            split.leaves, evaluator, style, lowest, highlight, view.axis_title, caption, title
        )
        show_figure(figure, "distributions_all")
        top = _draw_top(
            split.leaves, evaluator, highlight, view.axis_title, caption, view.top_label
        )
        show_figure(top, "distributions_top")
        frame = distributions(split.leaves, evaluator, style, lowest)
        show_view_source(view, "distribution_source", frame, figure)


def _choose_style() -> tuple[str, bool]:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    style = left.segmented_control(
        "Drawn as",
        list(STYLES),
        default=next(iter(STYLES)),
        required=True,
        key="style",
        bind="query-params",
        format_func=STYLES.__getitem__,
    )
    whole_axis = right.toggle(
        "Whole axis",
        key="whole_axis",
        bind="query-params",
        help="By default the axis leaves out the lowest 5% of all architectures, most of which "
        "are far below the rest; how many is said in the figure.",
    )
    return style, whole_axis


@kept
def _draw_all(
    leaves: Leaves,
    evaluator: SplitEvaluator,
    style: str,
    lowest: float,
    highlight: str | None,
    axis_title: str,
    caption: tuple[str, ...],
    title: str,
) -> go.Figure:
    frame = distributions(leaves, evaluator, style, lowest)
    described = describe(leaves, evaluator)
    return distributions_figure(
        frame, described, axis_title, style, highlight, caption=caption, title=title
    )


@kept
def _draw_top(
    leaves: Leaves,
    evaluator: SplitEvaluator,
    highlight: str | None,
    axis_title: str,
    caption: tuple[str, ...],
    top_label: str,
) -> go.Figure:
    frame, top = top_distributions(leaves, evaluator)
    described = describe(leaves, evaluator)
    title = f"{top_label[0].upper()}{top_label[1:]}: {len(top):,} architectures"
    return top_figure(frame, top, described, axis_title, highlight, caption=caption, title=title)


def _caption(view: View, split: SplitInView) -> tuple[str, ...]:
    """Return what stays with a figure when it is saved: the table, and made-up images."""
    parts = [f"table {view.table.label}" if view.table else ""]
    if split.synthetic:
        parts.append("split with made-up images")
    return tuple(part for part in parts if part)


def _show_architectures(
    workspace: Workspace, view: View, number: int, listed: pd.DataFrame
) -> None:
    """List the architectures of a sub-space, and draw the cell of a chosen one."""
    st.subheader(f"S{number + 1}: {len(listed):,} architectures with an accuracy")
    if listed.empty:
        st.caption("The table knows the accuracy of none of them.")
        return
    others = other_data_sets(view)
    for dataset in others:
        known = load_accuracy(workspace, view, dataset).set_index("architecture")["accuracy_mean"]
        listed = listed.assign(**{dataset: listed["architecture"].map(known)})
    percent = {
        name: st.column_config.NumberColumn(
            f"{DATASETS.get(dataset).label} %",
            format="%.2f",
            width=40 + 6 * len(DATASETS.get(dataset).label),
            help=f"{view.kind.capitalize()} accuracy on {DATASETS.get(dataset).label}",
        )
        for name, dataset in [("accuracy_mean", view.dataset), *zip(others, others, strict=True)]
    }
    answer = st.dataframe(
        listed,
        key=f"architectures_{number}",
        hide_index=True,
        height=300,
        on_select="rerun",
        selection_mode="single-row-required",
        column_order=("rank", *percent, "top", "string", "architecture"),
        column_config={
            "rank": st.column_config.NumberColumn(format="localized", width=55),
            **percent,
            "top": st.column_config.CheckboxColumn(view.top_label, width="small"),
            "string": st.column_config.TextColumn("architecture", width="large"),
            "architecture": st.column_config.NumberColumn("index", format="%d"),
        },
        alt=f"The {len(listed):,} architectures of S{number + 1} with a known accuracy, best first",
    )
    rows = answer.selection.rows
    row = listed.iloc[rows[0] if rows else 0]
    architecture = Architecture.from_index(int(row["architecture"]))
    title = f"Rank {row['rank']:,}: {row['accuracy_mean']:.2f}%"
    show_figure(cell_figure(architecture, title), "cell")
    st.code(architecture.to_string(), language=None, wrap_lines=True)


_STYLE = "ridgeline"
_PER_ROW = 3

Cells = dict[str, dict[str, str]]


def show_sheet(workspace: Workspace, view: View) -> None:
    """Draw one split of each metric on each data set, a metric in each row.

    Where only one data set has splits, its metrics stand side by side.
    """
    if view.table is None:
        show_missing_table(view)
        return
    cells = _cells(workspace)
    if not cells:
        show_missing_split(view)
        return
    datasets = [name for name in DATASETS.names() if view.table.find(name, view.kind)]
    drawn = [name for name in datasets if any(name in keys for keys in cells.values())]
    if len(drawn) == 1:
        _show_side_by_side(workspace, view, cells, drawn[0])
    elif drawn:
        _show_rows(workspace, view, cells, drawn)
    for dataset in datasets:
        if dataset not in drawn:
            st.caption(f"No split of {DATASETS.get(dataset).label} yet.")
    there = sum(dataset in keys for keys in cells.values() for dataset in drawn)
    count = f"{there} of {len(cells) * len(datasets)} splits are there"
    show_source([*accuracy_source(view), count], analyse_command(view), "sheet_source")


def _show_side_by_side(workspace: Workspace, view: View, cells: Cells, dataset: str) -> None:
    st.markdown(f"**{DATASETS.get(dataset).label}**")
    metrics = [metric for metric, keys in cells.items() if dataset in keys]
    for start in range(0, len(metrics), _PER_ROW):
        columns = st.columns(_PER_ROW)
        for column, metric in zip(columns, metrics[start : start + _PER_ROW], strict=False):
            with column:
                _show_cell(workspace, view, dataset, cells[metric][dataset], metric)


def _show_rows(workspace: Workspace, view: View, cells: Cells, datasets: list[str]) -> None:
    for metric, keys in cells.items():
        st.markdown(f"**{metric}**")
        for column, dataset in zip(st.columns(len(datasets)), datasets, strict=True):
            label = DATASETS.get(dataset).label
            with column:
                if dataset in keys:
                    _show_cell(workspace, view, dataset, keys[dataset], label)
                else:
                    st.caption(f"No split of {label} yet.")


def _cells(workspace: Workspace) -> Cells:
    """Return the key of a split by metric and data set."""
    cells: Cells = {}
    for dataset in DATASETS.names():
        labels = list_splits(workspace, dataset)
        for key in some_of_each(labels):
            cells.setdefault(labels[key].partition(" · ")[0], {})[dataset] = key
    return cells


def _show_cell(workspace: Workspace, view: View, dataset: str, key: str, title: str) -> None:
    split = open_split(workspace, key)
    evaluator = load_evaluator(workspace, view, dataset)
    if evaluator is None:
        return
    axis_title = f"{view.kind} accuracy, %"
    figure = draw_small(split.leaves, evaluator, axis_title, _STYLE, title)
    show_figure(figure, f"sheet_{key}")
    notes = small_notes(split.leaves, evaluator, _STYLE)
    label = shortened(list_splits(workspace, dataset))[key]
    st.caption(" · ".join(filter(None, [label, notes])))
