"""A split on the Split page."""

from functools import partial

import streamlit as st

from fewshot_core.analysis import SplitReport
from fewshot_core.dashboard.figures import show_figure, show_split_source, show_view_source
from fewshot_core.dashboard.loading import describe, load_judge
from fewshot_core.dashboard.navigation import DISTRIBUTIONS, link_to
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.repeats import repeats_of, show_spread, show_stability
from fewshot_core.dashboard.splits import SplitInView
from fewshot_core.dashboard.states import show_missing_table
from fewshot_core.dashboard.sub_spaces import show_sub_spaces
from fewshot_core.dashboard.trees import draw_split, show_node, show_tree
from fewshot_core.dashboard.views import View
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text


def show_split(workspace: Workspace, view: View) -> None:
    """Show the split in view: its figures, its tree, its nodes and its sub-spaces."""
    split = view.split
    if split is None:
        label = DATASETS.get(view.dataset).label
        st.info(
            f"No split of {label} is finished yet. Choose a metric at the left and press *Start*: "
            "the tree grows here, node by node.",
            icon=":material/account_tree:",
        )
        return
    st.subheader(f"{split.name} on {DATASETS.get(split.dataset).label}")
    _warn(split)
    judge = load_judge(workspace, view)
    _show_tiles(view, split, judge.report(split.leaves) if judge else None)
    described = None if judge is None else describe(split.leaves, judge)
    if split.tree is None:
        show_figure(draw_split(split, judge), "imported_tree", wide=True)
    else:
        node = show_tree(split, split.tree, judge)
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
    if split.synthetic:
        st.warning("The images were made up.", icon=":material/casino:")
    if split.tree is not None and split.arbitrary:
        reasons = "; ".join(
            dict.fromkeys(str(node.reason) for node in split.tree.nodes if node.degenerate)
        )
        st.warning(
            f"{split.arbitrary} of {len(split.tree.nodes)} nodes were decided arbitrarily "
            f"({reasons}). They are marked ? in the tree.",
            icon=":material/help:",
        )


def _show_tiles(view: View, split: SplitInView, report: SplitReport | None) -> None:
    tile = partial(st.container(horizontal=True, gap="medium").metric, width="content")
    if report is not None:
        tile(
            "Information gain",
            f"{report.gain_bits:.4f} bits",
            help=f"How much the split tells about where the {view.top_label} is, by "
            f"{view.kind} accuracy",
        )
    standing = report.standing if report else None
    if standing is not None:
        best = "-" if standing.share_of_best is None else f"{standing.share_of_best:.0%}"
        tile(
            "Of the best tree",
            best,
            help=f"The best tree that splits the same edges tells {standing.best_bits:.4f} bits.",
        )
        tile(
            "Percentile",
            f"{standing.percentile:.1f}",
            help=f"The share of {standing.random_trees:,} random trees that tell less, in %; "
            f"95% interval {standing.percentile_low:.1f} to {standing.percentile_high:.1f}",
        )
    if split.tree is not None:
        tile(
            "Arbitrary nodes",
            f"{split.arbitrary} of {len(split.tree.nodes)}",
            help="Nodes at which several groupings were equally good, or the scores said nothing",
        )
    if split.seconds is not None:
        tile("Scored in", duration_text(split.seconds))
