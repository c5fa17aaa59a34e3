"""What pages show, computed once for each question.

All sessions share what is returned: it must not be changed.
"""

from collections.abc import Hashable
from functools import lru_cache

import pandas as pd
import streamlit as st

from fewshot_core.analysis import (
    DISTRIBUTION_FRAMES,
    SplitEvaluator,
    architectures_of,
    conclusion,
    default_limits,
    describe_sub_spaces,
    distribution_frame,
    report_frame,
    seed_uncertainty,
    top_architectures,
    top_mask,
)
from fewshot_core.bench import load_seeds
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError
from fewshot_core.space import SubSpace

Leaves = tuple[SubSpace, ...]
Named = tuple[tuple[str, Leaves], ...]

LOWEST = 0.05
"""The share of the lowest accuracies that axes leave out."""

_KEPT = 128


def load_accuracy(workspace: Workspace, view: View, dataset: str | None = None) -> pd.DataFrame:
    """Return the accuracies in view, or those of another data set; there must be a table."""
    if view.table is None:
        raise ValueError("there is no table in view")
    stamp = _stamp(workspace, view)
    return _accuracy(workspace, stamp, view.table.name, dataset or view.dataset, view.kind)


def other_data_sets(view: View) -> list[str]:
    """Return the data sets, besides the one in view, whose accuracies the table in view has."""
    return [
        name
        for name in DATASETS.names()
        if name != view.dataset and view.table and view.table.find(name, view.kind)
    ]


def _stamp(workspace: Workspace, view: View) -> Hashable:
    """Return what changes when the table in view does."""
    table = view.table
    return str(workspace.data_dir), table and (table.fingerprint, table.created)


@st.cache_resource(show_spinner=False, max_entries=24)
def _accuracy(
    _workspace: Workspace, stamp: Hashable, table: str, dataset: str, kind: str
) -> pd.DataFrame:
    return _workspace.store.accuracy(table, dataset, kind)


def load_evaluator(
    workspace: Workspace, view: View, dataset: str | None = None
) -> SplitEvaluator | None:
    """Return who judges splits by the accuracies in view, or by those of another data set.

    Returns None where the table in view has no such accuracies on the other data set.
    """
    if view.table is None:
        return None
    name = dataset or view.dataset
    if view.table.find(name, view.kind) is None:
        return None
    return _judge(
        workspace, _stamp(workspace, view), view.table.name, name, view.kind, view.threshold
    )


@st.cache_resource(show_spinner="Drawing random trees", max_entries=24)
def _judge(
    _workspace: Workspace, stamp: Hashable, table: str, dataset: str, kind: str, threshold: float
) -> SplitEvaluator:
    return SplitEvaluator(_accuracy(_workspace, stamp, table, dataset, kind), threshold)


@lru_cache(maxsize=_KEPT)
def describe(leaves: Leaves, evaluator: SplitEvaluator) -> pd.DataFrame:
    """Return what each sub-space of a split holds."""
    return describe_sub_spaces(leaves, evaluator.accuracy, evaluator.threshold)


@lru_cache(maxsize=_KEPT)
def reports(named: Named, evaluator: SplitEvaluator) -> pd.DataFrame:
    """Return the reports of several splits, the most informative first."""
    return report_frame(dict(named), evaluator)


@lru_cache(maxsize=_KEPT)
def finding(named: Named, evaluator: SplitEvaluator) -> str:
    """Return what follows from the reports of several splits, in a sentence."""
    return conclusion(reports(named, evaluator))


@lru_cache(maxsize=_KEPT)
def distributions(
    leaves: Leaves, evaluator: SplitEvaluator, style: str, lowest: float = LOWEST
) -> pd.DataFrame:
    """Return the distributions that a style draws, without a share of the lowest accuracies."""
    limits = default_limits(evaluator.accuracy, lowest)
    return DISTRIBUTION_FRAMES[style](leaves, evaluator.accuracy, limits)


@lru_cache(maxsize=_KEPT)
def top_distributions(
    leaves: Leaves, evaluator: SplitEvaluator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the densities of the top architectures, and these architectures themselves."""
    accuracy, threshold = evaluator.accuracy, evaluator.threshold
    rows = accuracy[top_mask(accuracy["accuracy_mean"].to_numpy(), threshold)]
    values = rows["accuracy_mean"]
    limits = None if rows.empty else (float(values.min()), float(values.max()))
    frame = distribution_frame(leaves, rows, limits)
    return frame, top_architectures(leaves, accuracy, threshold)


@lru_cache(maxsize=_KEPT)
def architectures(leaves: Leaves, number: int, evaluator: SplitEvaluator) -> pd.DataFrame:
    """Return the architectures of a sub-space, the best first."""
    return architectures_of(leaves[number], evaluator.accuracy, evaluator.threshold)


def uncertainty(workspace: Workspace, view: View, leaves: Leaves) -> pd.DataFrame | None:
    """Return how a split's numbers vary with the training seeds; None where these are unknown."""
    if view.table is None:
        return None
    stamp = _stamp(workspace, view)
    return _uncertainty(
        workspace, stamp, view.table.name, view.dataset, view.kind, leaves, view.threshold
    )


@st.cache_data(show_spinner="Training every architecture once, 100 times", max_entries=64)
def _uncertainty(
    _workspace: Workspace,
    stamp: Hashable,
    table: str,
    dataset: str,
    kind: str,
    leaves: Leaves,
    threshold: float,
) -> pd.DataFrame | None:
    try:
        seeds = load_seeds(dataset, kind, table, _workspace.data_dir)
    except TableError:
        return None
    return seed_uncertainty(leaves, seeds, threshold)
