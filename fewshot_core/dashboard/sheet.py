"""All splits at a glance: metrics by data sets, as in Appendix D of the paper."""

import streamlit as st

from fewshot_core.dashboard.figures import (
    accuracy_source,
    analyse_command,
    show_figure,
    show_source,
)
from fewshot_core.dashboard.loading import load_judge
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.small_distributions import draw_small, small_notes
from fewshot_core.dashboard.splits import list_splits, open_split, shortened
from fewshot_core.dashboard.standing import some_of_each
from fewshot_core.dashboard.states import show_missing_split, show_missing_table
from fewshot_core.dashboard.views import View
from fewshot_core.datasets import DATASETS

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
    judge = load_judge(workspace, view, dataset)
    if judge is None:
        return
    axis_title = f"{view.kind} accuracy, %"
    figure = draw_small(split.leaves, judge, axis_title, _STYLE, title)
    show_figure(figure, f"sheet_{key}")
    notes = small_notes(split.leaves, judge, _STYLE)
    label = shortened(list_splits(workspace, dataset))[key]
    st.caption(" · ".join(filter(None, [label, notes])))
