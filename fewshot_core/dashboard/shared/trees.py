"""A splitting tree, its nodes and its sub-spaces on a page."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fewshot_core.analysis import SplitEvaluator, branchings
from fewshot_core.dashboard.shared.figures import cached_figure, show_figure
from fewshot_core.dashboard.shared.loading import describe
from fewshot_core.dashboard.shared.splits import SplitInView, record_label
from fewshot_core.metrics import METRICS
from fewshot_core.plots import (
    TreeBranch,
    TreeDrawing,
    scores_figure,
    similarity_figure,
    tree_figure,
)
from fewshot_core.space import edge_label, operation_set_label
from fewshot_core.splitting import SplitNode, SplitTree, rank_candidates

Path = tuple[int, ...]

_CHART = "tree_chart"
_NODE = "node"
_SHOWN_ROWS = 12
_PERCENT = {"best": "best %", "mean": "mean %", "median": "median %"}

_draw_scores = cached_figure(scores_figure)
_draw_similarity = cached_figure(similarity_figure)


def tree_drawing(
    tree: SplitTree,
    leaves: pd.DataFrame | None = None,
    levels: int | None = None,
    growing: bool = False,
) -> TreeDrawing:
    """Return the drawing of a tree, complete or growing.

    Args:
        tree: The tree.
        leaves: The description of its sub-spaces, or None.
        levels: How many levels it will have.
        growing: Whether its first open place is being scored.
    """
    undecided = [path for path, _ in tree.open_paths()]
    active = min(undecided, key=len) if growing else None
    places = [node.path for node in tree.nodes] + undecided
    return TreeDrawing(tuple(_branch(tree, path, active) for path in places), leaves, levels)


def _branch(tree: SplitTree, path: Path, active: Path | None) -> TreeBranch:
    parent = tree.node(path[:-1]) if path else None
    operations = parent.groups[path[-1]] if parent else ()
    node = tree.node(path)
    if node is None:
        return TreeBranch(path, operations, active=path == active)
    scores = tuple(zip(node.operations, node.values, strict=True))
    edge = edge_label(node.edge)
    return TreeBranch(path, operations, edge, scores, node.degenerate, node.reason)


@cached_figure
def draw_split(split: SplitInView, evaluator: SplitEvaluator | None) -> go.Figure:
    """Draw any split, with the description of its sub-spaces by an evaluator."""
    leaves = None if evaluator is None else describe(split.leaves, evaluator)
    if split.tree is not None:
        return tree_figure(tree_drawing(split.tree, leaves))
    branches = [TreeBranch(())]
    found = branchings(split.leaves)
    if found is None:  # an imported split that comes from no tree
        branches += [TreeBranch((number,)) for number in range(len(split.leaves))]
        return tree_figure(TreeDrawing(tuple(branches), leaves))
    edges = {node.path: edge_label(node.edge) for node in found}
    branches = [TreeBranch((), (), edges[()])]
    for node in found:
        paths = [(*node.path, number) for number in range(len(node.groups))]
        branches += [
            TreeBranch(path, group, edges.get(path))
            for path, group in zip(paths, node.groups, strict=True)
        ]
    return tree_figure(TreeDrawing(tuple(branches), leaves))


def show_tree(split: SplitInView, tree: SplitTree, evaluator: SplitEvaluator | None) -> SplitNode:
    """Draw a split's tree and return the node chosen, by a click on it or from the list."""
    nodes = {"-".join(map(str, node.path)): node for node in tree.nodes}
    names = {text: _node_name(tree, node) for text, node in nodes.items()}
    figure = draw_split(split, evaluator)
    show_figure(figure, _CHART, on_select=lambda: _choose_clicked(names), wide=True)
    chosen = st.selectbox(
        "Node",
        list(names.values()),
        key=_NODE,
        bind="query-params",
        help="Choose one here, or click it in the tree.",
    )
    return next(nodes[text] for text, name in names.items() if name == chosen)


def _choose_clicked(names: Mapping[str, str]) -> None:
    points = st.session_state[_CHART].selection.points
    clicked = points[0].get("customdata") if points else None
    text = clicked[0] if isinstance(clicked, list) and clicked else clicked
    if isinstance(text, str) and text in names:
        st.session_state[_NODE] = names[text]


def _node_name(tree: SplitTree, node: SplitNode) -> str:
    """Path to a node in words: "2<-0, after 1<-0 3x3"."""
    name = edge_label(node.edge) + " (?)" * node.degenerate
    steps = []
    for depth, number in enumerate(node.path):
        parent = tree.node(node.path[:depth])
        if parent is not None:
            group = operation_set_label(parent.groups[number])
            steps.append(f"{edge_label(parent.edge)} {group}")
    return f"{name}, after {' and '.join(steps)}" if steps else f"{name}, the root"


def show_node(tree: SplitTree, node: SplitNode, key: str) -> None:
    """Show a node's scores, similarities and candidate cuts."""
    if node.degenerate:
        st.warning(f"This node is a tie: {node.reason}.", icon=":material/help:")
    scored = any(value is not None for value in node.values)
    left, right = st.columns(2, gap="medium")
    if scored:
        with left:
            label = record_label(METRICS, tree.metric)
            figure = _draw_scores(node.operations, node.values, "Scores", label)
            show_figure(figure, f"{key}_scores")
    with right if scored else left:
        figure = _draw_similarity(node.operations, node.similarity, node.groups, "Similarity")
        show_figure(figure, f"{key}_similarity")
    with st.container() if scored else right:
        _show_candidates(tree, node)


def _show_candidates(tree: SplitTree, node: SplitNode) -> None:
    """List all groupings with their cuts, and say how close the second smallest is."""
    balanced = bool(tree.details.get("balanced", False))
    candidates = rank_candidates(node.similarity, len(node.groups), balanced)
    groupings = [
        tuple(tuple(node.operations[item] for item in group) for group in candidate.groups)
        for candidate in candidates
    ]
    cuts = [candidate.cut for candidate in candidates]
    table = pd.DataFrame(
        {
            "": ["chosen" if groups == node.groups else "" for groups in groupings],
            "groups": [" | ".join(map(operation_set_label, groups)) for groups in groupings],
            "cut": cuts,
            "gap to the minimum": [cut - cuts[0] for cut in cuts],
        }
    )
    st.markdown(f"**{len(candidates)} candidate cuts**: {_gap_text(cuts)}")
    st.dataframe(
        table,
        hide_index=True,
        height=230,
        column_config={
            "": st.column_config.TextColumn(width=65),
            "cut": st.column_config.NumberColumn(format="%.4g"),
            "gap to the minimum": st.column_config.NumberColumn(format="%.3g"),
        },
        alt=f"{len(candidates)} ways to group the operations, by their cut",
    )


def _gap_text(cuts: list[float]) -> str:
    if len(cuts) < 2:
        return "there is no other."
    gap, spread = cuts[1] - cuts[0], cuts[-1] - cuts[0]
    if not spread > 0:
        return "all are equal."
    return f"the second is {gap:.3g} above the minimum, {gap / spread:.1%} of the range."


def show_sub_spaces(
    described: pd.DataFrame, top_label: str, key: str, link: str | None = None
) -> int | None:
    """Draw the table of sub-spaces; return the position of the chosen row, or None.

    Args:
        described: What ``describe_sub_spaces`` returns.
        top_label: The label of the top.
        key: The table's key.
        link: The parameter of the URL for the chosen sub-space, or None.
    """
    table = pd.DataFrame(
        {
            "sub-space": described["sub_space"],
            "size": described["size"],
            "top": described["top_count"],
            "of the top": 100 * described["top_share"],
            "share": 100 * described["share"],
            "enrichment": described["enrichment"],
            **{label: described[name] for name, label in _PERCENT.items()},
            "best rank": described["best_rank"],
        }
    )
    number = st.column_config.NumberColumn
    event = st.dataframe(
        table,
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default=_linked_selection(described, link),
        height="content" if len(table) <= _SHOWN_ROWS else 38 + 35 * _SHOWN_ROWS,
        placeholder="-",
        column_config={
            "sub-space": st.column_config.TextColumn(width=70),
            "size": number(format="localized", width=60, help="Architectures in the sub-space"),
            "share": number(format="%.1f%%", help="Share of all 15,625 architectures"),
            "top": number(label=top_label, width=60, help=f"Architectures of the {top_label}"),
            "of the top": st.column_config.ProgressColumn(
                format="%.1f%%",
                width=130,
                min_value=0,
                max_value=max(1.0, float(table["of the top"].max(skipna=True) or 0.0)),
                help=f"Share of the {top_label} that is in this sub-space",
            ),
            "enrichment": number(
                format="%.2f",
                help="Share of the top over share of the space; 1 for a random sub-space",
            ),
            **{label: number(format="%.2f") for label in _PERCENT.values()},
            "best rank": number(format="localized", help="Rank of its best in the whole space"),
        },
        alt=f"{len(table)} sub-spaces with their sizes, their share of the {top_label} and their "
        "accuracies",
    )
    rows = event.selection.rows
    chosen = int(rows[0]) if rows else None
    if link is not None and chosen is not None:
        st.query_params[link] = str(described["sub_space"].iloc[chosen])
    elif link is not None and link in st.query_params:
        del st.query_params[link]
    return chosen


def _linked_selection(described: pd.DataFrame, link: str | None) -> Any:
    """Return the selection that the URL asks for."""
    wanted = st.query_params.get(link) if link else None
    rows = [row for row, name in enumerate(described["sub_space"]) if name == wanted]
    return {"selection": {"rows": rows}}
