"""A finished split on the Split page."""

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.figures import (
    show_split_source,
    show_view_source,
)
from fewshot_core.dashboard.loading import describe, gain, load_accuracy
from fewshot_core.dashboard.navigation import DISTRIBUTIONS, link_to
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.repeats import repeats_of, show_spread, show_stability
from fewshot_core.dashboard.request_form import duration_text
from fewshot_core.dashboard.states import show_missing_table
from fewshot_core.dashboard.sub_spaces import show_sub_spaces
from fewshot_core.dashboard.trees import show_node, show_tree
from fewshot_core.dashboard.views import SplitInView, View
from fewshot_core.datasets import DATASETS
from fewshot_core.metrics import METRICS


def show_split(workspace: Workspace, view: View) -> None:
    """Show the split in view: its figures, its tree, its sub-spaces and its nodes."""
    split = view.split
    if split is None:
        label = DATASETS.get(view.dataset).label
        st.info(
            f"No split of {label} is finished yet. Choose a metric at the left and press *Start*: "
            "the tree grows here, node by node.",
            icon=":material/account_tree:",
        )
        return
    st.subheader(
        f"{METRICS.get(split.tree.metric).label} on {DATASETS.get(split.request.dataset).label}"
    )
    _warn(split)
    accuracy = None if view.table is None else load_accuracy(workspace, view)
    described = None if accuracy is None else describe(split.tree, accuracy, view.threshold)
    _show_tiles(view, split, accuracy)
    node = show_tree(split.tree, described)
    trees = repeats_of(workspace, split)
    show_node(split.tree, node, "node")
    show_spread(trees, node)
    show_stability(trees)
    show_split_source(split, "split_source")
    if described is None:
        show_missing_table(view)
        return
    st.subheader("Sub-spaces")
    show_sub_spaces(described, view.top_label, "split_sub_spaces")
    show_view_source(view, "sub_space_source")
    link_to(DISTRIBUTIONS, "See the distributions of their accuracies")


def _warn(split: SplitInView) -> None:
    if split.tree.details.get("synthetic"):
        st.warning("The images were made up.", icon=":material/casino:")
    arbitrary = [node for node in split.tree.nodes if node.degenerate]
    if arbitrary:
        reasons = "; ".join(dict.fromkeys(str(node.reason) for node in arbitrary))
        st.warning(
            f"{len(arbitrary)} of {len(split.tree.nodes)} nodes were decided arbitrarily "
            f"({reasons}). They are marked ? in the tree.",
            icon=":material/help:",
        )


def _show_tiles(view: View, split: SplitInView, accuracy: pd.DataFrame | None) -> None:
    tiles = st.columns(4)
    if accuracy is not None:
        tiles[0].metric(
            "Information gain",
            f"{gain(split.tree, accuracy, view.threshold):.4f} bits",
            help=f"How much the split tells about where the {view.top_label} is, by "
            f"{view.kind} accuracy",
        )
    arbitrary = sum(node.degenerate for node in split.tree.nodes)
    tiles[1].metric("Sub-spaces", f"{len(split.tree.leaves)}")
    tiles[2].metric(
        "Arbitrary nodes",
        f"{arbitrary} of {len(split.tree.nodes)}",
        help="Nodes at which several groupings were equally good, or the scores said nothing",
    )
    tiles[3].metric("Scored in", duration_text(split.seconds))
