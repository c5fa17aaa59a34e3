"""What pages show, computed once for each question and kept by Streamlit."""

from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.analysis import (
    DISTRIBUTION_FRAMES,
    architectures_of,
    describe_sub_spaces,
    distribution_frame,
    information_gain,
    top_architectures,
    top_mask,
)
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.views import View
from fewshot_core.splitting import SplitTree

Limits = tuple[float, float]

_HASHES: dict[str | type[Any], Callable[[Any], Any]] = {SplitTree: lambda tree: tree.to_json()}


def load_accuracy(workspace: Workspace, view: View) -> pd.DataFrame:
    """Return the accuracies in view; there must be a table."""
    if view.table is None:
        raise ValueError("there is no table in view")
    stamp = (str(workspace.data_dir), view.table.fingerprint, view.table.created)
    return _accuracy(workspace, stamp, view.table.name, view.dataset, view.kind)


@st.cache_data(show_spinner=False, max_entries=24)
def _accuracy(
    _workspace: Workspace, stamp: Hashable, table: str, dataset: str, kind: str
) -> pd.DataFrame:
    return _workspace.store.accuracy(table, dataset, kind)


@st.cache_data(show_spinner=False, max_entries=128, hash_funcs=_HASHES)
def describe(tree: SplitTree, accuracy: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return what each sub-space of a split holds."""
    return describe_sub_spaces(tree.leaves, accuracy, threshold)


@st.cache_data(show_spinner=False, max_entries=128, hash_funcs=_HASHES)
def gain(tree: SplitTree, accuracy: pd.DataFrame, threshold: float) -> float:
    """Return a split's information gain in bits."""
    return information_gain(tree.leaves, accuracy, threshold)


@st.cache_data(show_spinner=False, max_entries=128, hash_funcs=_HASHES)
def distributions(
    tree: SplitTree, accuracy: pd.DataFrame, style: str, limits: Limits
) -> pd.DataFrame:
    """Return the distributions that a style draws."""
    return DISTRIBUTION_FRAMES[style](tree.leaves, accuracy, limits)


@st.cache_data(show_spinner=False, max_entries=128, hash_funcs=_HASHES)
def top_distributions(
    tree: SplitTree, accuracy: pd.DataFrame, threshold: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the densities of the top architectures, and these architectures themselves."""
    rows = accuracy[top_mask(accuracy["accuracy_mean"].to_numpy(), threshold)]
    values = rows["accuracy_mean"]
    limits = None if rows.empty else (float(values.min()), float(values.max()))
    frame = distribution_frame(tree.leaves, rows, limits)
    return frame, top_architectures(tree.leaves, accuracy, threshold)


@st.cache_data(show_spinner=False, max_entries=128, hash_funcs=_HASHES)
def architectures(
    tree: SplitTree, number: int, accuracy: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """Return the architectures of a sub-space, the best first."""
    return architectures_of(tree.leaves[number], accuracy, threshold)
