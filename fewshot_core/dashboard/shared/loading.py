"""Accuracies, evaluators and what they compute, cached for all sessions.

What is returned is shared: it must not be changed.
"""

from functools import lru_cache

import pandas as pd
import streamlit as st

from fewshot_core.analysis import (
    DISTRIBUTION_FRAMES,
    SplitEvaluator,
    default_limits,
    describe_sub_spaces,
    report_frame,
)
from fewshot_core.bench import TableInfo
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.datasets import DATASETS
from fewshot_core.space import SubSpace

Leaves = tuple[SubSpace, ...]
Named = tuple[tuple[str, Leaves], ...]
"""The sub-spaces of several splits with their labels."""

LOWEST = 0.05
"""The share of the lowest accuracies that axes leave out."""

_CACHED = 128


def load_accuracy(workspace: Workspace, view: View, dataset: str | None = None) -> pd.DataFrame:
    """Return the accuracies in view, or those of another data set; there must be a table."""
    if view.table is None:
        raise ValueError("expected a table in view")
    return _accuracy(workspace, view.table, dataset or view.dataset, view.kind)


def load_evaluator(
    workspace: Workspace, view: View, dataset: str | None = None
) -> SplitEvaluator | None:
    """Return the evaluator by the accuracies in view, or by those of another data set.

    None where the table in view has no such accuracies.
    """
    name = dataset or view.dataset
    if view.table is None or view.table.find(name, view.kind) is None:
        return None
    return _evaluator(workspace, view.table, name, view.kind, view.threshold)


@st.cache_resource(show_spinner=False, max_entries=24)
def _accuracy(_workspace: Workspace, table: TableInfo, dataset: str, kind: str) -> pd.DataFrame:
    return _workspace.store.accuracy(table.name, dataset, kind)


@st.cache_resource(show_spinner="Drawing random trees", max_entries=24)
def _evaluator(
    _workspace: Workspace, table: TableInfo, dataset: str, kind: str, threshold: float
) -> SplitEvaluator:
    return SplitEvaluator(_accuracy(_workspace, table, dataset, kind), threshold)


def other_data_sets(view: View) -> list[str]:
    """Return the data sets, besides the one in view, whose accuracies the table in view has."""
    return [
        name
        for name in DATASETS.names()
        if name != view.dataset and view.table and view.table.find(name, view.kind)
    ]


@lru_cache(maxsize=_CACHED)
def describe(leaves: Leaves, evaluator: SplitEvaluator) -> pd.DataFrame:
    """Describe each sub-space of a split; see ``describe_sub_spaces``."""
    return describe_sub_spaces(leaves, evaluator.accuracy, evaluator.threshold)


@lru_cache(maxsize=_CACHED)
def reports(named: Named, evaluator: SplitEvaluator) -> pd.DataFrame:
    """Return the reports of several splits, the most informative first."""
    return report_frame(dict(named), evaluator)


@lru_cache(maxsize=_CACHED)
def distributions(
    leaves: Leaves, evaluator: SplitEvaluator, style: str, lowest: float = LOWEST
) -> pd.DataFrame:
    """Return the distributions that a style draws, without a share of the lowest accuracies."""
    limits = default_limits(evaluator.accuracy, lowest)
    return DISTRIBUTION_FRAMES[style](leaves, evaluator.accuracy, limits)
