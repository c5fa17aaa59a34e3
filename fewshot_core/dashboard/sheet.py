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
from fewshot_core.dashboard.splits import list_splits, open_split
from fewshot_core.dashboard.standing import one_of_each
from fewshot_core.dashboard.states import show_missing_split, show_missing_table
from fewshot_core.dashboard.views import View
from fewshot_core.datasets import DATASETS

_STYLE = "ridgeline"


def show_sheet(workspace: Workspace, view: View) -> None:
    """Draw one split of each metric on each data set, a metric in each row."""
    if view.table is None:
        show_missing_table(view)
        return
    cells = _cells(workspace)
    if not cells:
        show_missing_split(view)
        return
    datasets = [name for name in DATASETS.names() if view.table.find(name, view.kind)]
    missing = 0
    for metric, keys in cells.items():
        st.markdown(f"**{metric}**")
        for column, dataset in zip(st.columns(len(datasets)), datasets, strict=True):
            with column:
                if dataset in keys:
                    _show_cell(workspace, view, dataset, keys[dataset])
                else:
                    missing += 1
                    st.caption(f"No split of {DATASETS.get(dataset).label} yet.")
    count = len(cells) * len(datasets)
    parts = [*accuracy_source(view), f"{count - missing} of {count} splits are there"]
    show_source(parts, analyse_command(view), "sheet_source")


def _cells(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Return the key of a split by metric and data set."""
    cells: dict[str, dict[str, str]] = {}
    for dataset in DATASETS.names():
        labels = list_splits(workspace, dataset)
        for key in one_of_each(labels):
            cells.setdefault(labels[key].partition(" · ")[0], {})[dataset] = key
    return cells


def _show_cell(workspace: Workspace, view: View, dataset: str, key: str) -> None:
    split = open_split(workspace, key)
    judge = load_judge(workspace, view, dataset)
    if judge is None:
        return
    axis_title = f"{view.kind} accuracy, %"
    figure = draw_small(split.leaves, judge, axis_title, _STYLE, DATASETS.get(dataset).label)
    show_figure(figure, f"sheet_{key}")
    notes = small_notes(split.leaves, judge, _STYLE)
    st.caption(" · ".join(filter(None, [split.label, notes])))
