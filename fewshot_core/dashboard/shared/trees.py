"""A splitting tree and its sub-spaces on a page."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fewshot_core.analysis import SplitEvaluator, branchings
from fewshot_core.dashboard.shared.figures import kept, show_figure
from fewshot_core.dashboard.shared.loading import describe
from fewshot_core.dashboard.shared.splits import SplitInView
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


def draw_tree(
    tree: SplitTree,
    leaves: pd.DataFrame | None = None,
    levels: int | None = None,
    growing: bool = False,
) -> TreeDrawing:
    """Return the drawing of a tree, complete or growing.

    Args:
        tree: The tree.
        leaves: What is known of its sub-spaces, or None.
        levels: How many levels it will have.
        growing: Whether its first undecided place is being scored.
    """
    undecided = [path for path, _ in tree.open_paths()]
    active = min(undecided, key=len) if growing else None
    places = [node.path for node in tree.nodes] + undecided
    branches = tuple(_branch(tree, path, active) for path in places)
    return TreeDrawing(branches, leaves, levels)


def _drawing(split: SplitInView, leaves: pd.DataFrame | None) -> TreeDrawing:
    """Return the drawing of any split; one that comes from no tree has its sub-spaces as ends."""
    if split.tree is not None:
        return draw_tree(split.tree, leaves)
    found = branchings(split.leaves)
    if found is None:
        ends = tuple(TreeBranch((number,)) for number in range(len(split.leaves)))
        return TreeDrawing((TreeBranch(()), *ends), leaves)
    at = {node.path: node for node in found}
    below = {(*node.path, i): group for node in found for i, group in enumerate(node.groups)}
    branches = [
        TreeBranch(path, below.get(path, ()), edge_label(at[path].edge) if path in at else None)
        for path in [(), *below]
    ]
    return TreeDrawing(tuple(branches), leaves)


@kept
def draw_split(split: SplitInView, evaluator: SplitEvaluator | None) -> go.Figure:
    """Return the picture of any split, with what a judge's accuracies say of its sub-spaces."""
    leaves = None if evaluator is None else describe(split.leaves, evaluator)
    return tree_figure(_drawing(split, leaves))


def show_tree(split: SplitInView, tree: SplitTree, evaluator: SplitEvaluator | None) -> SplitNode:
    """Draw a split's tree and return the node chosen, by a click on it or from the list."""
    nodes = {_path_text(node.path): node for node in tree.nodes}
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


def show_node(tree: SplitTree, node: SplitNode, key: str) -> None:
    """Show a node's scores, similarities and candidate cuts."""
    if node.degenerate:
        st.warning(f"This choice is arbitrary: {node.reason}.", icon=":material/help:")
    label = METRICS.label(tree.metric)
    scored = any(value is not None for value in node.values)
    left, right = st.columns(2, gap="medium")
    if scored:
        with left:
            figure = _draw_scores(node.operations, node.values, label)
            show_figure(figure, f"{key}_scores")
    with right if scored else left:
        show_figure(
            _draw_similarity(node.operations, node.similarity, node.groups), f"{key}_similarity"
        )
    with st.container() if scored else right:
        _show_candidates(tree, node)


@kept
def _draw_scores(
    operations: tuple[int, ...], values: tuple[float | None, ...], label: str
) -> go.Figure:
    return scores_figure(operations, values, "Scores", label)


@kept
def _draw_similarity(
    operations: tuple[int, ...],
    similarity: tuple[tuple[float, ...], ...],
    groups: tuple[tuple[int, ...], ...],
) -> go.Figure:
    return similarity_figure(operations, [list(row) for row in similarity], groups, "Similarity")


def _show_candidates(tree: SplitTree, node: SplitNode) -> None:
    """List all groupings with their cuts, and say how close the next one was."""
    candidates = rank_candidates(
        node.similarity, len(node.groups), bool(tree.details.get("balanced", False))
    )
    named = [
        tuple(tuple(node.operations[item] for item in group) for group in candidate.groups)
        for candidate in candidates
    ]
    cuts = [candidate.cut for candidate in candidates]
    table = pd.DataFrame(
        {
            "": ["chosen" if groups == node.groups else "" for groups in named],
            "groups": [" | ".join(map(operation_set_label, groups)) for groups in named],
            "cut": cuts,
            "over the least": [cut - cuts[0] for cut in cuts],
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
            "over the least": st.column_config.NumberColumn(format="%.3g"),
        },
        alt=f"{len(candidates)} ways to group the operations, by their cut",
    )


def _gap_text(cuts: list[float]) -> str:
    if len(cuts) < 2:
        return "there is no other."
    gap, spread = cuts[1] - cuts[0], cuts[-1] - cuts[0]
    if not spread > 0:
        return "all are the same."
    return f"the next is {gap:.3g} above, {gap / spread:.1%} of the whole range."


def _branch(tree: SplitTree, path: Path, active: Path | None) -> TreeBranch:
    parent = tree.node(path[:-1]) if path else None
    operations = parent.groups[path[-1]] if parent else ()
    node = tree.node(path)
    if node is None:
        return TreeBranch(path, operations, active=path == active)
    return TreeBranch(
        path,
        operations,
        edge_label(node.edge),
        tuple(zip(node.operations, node.values, strict=True)),
        node.degenerate,
        node.reason,
    )


def _node_name(tree: SplitTree, node: SplitNode) -> str:
    """Return how a node is reached: "2<-0, after 1<-0 3x3"."""
    name = edge_label(node.edge)
    steps = []
    for depth in range(len(node.path)):
        parent = tree.node(node.path[:depth])
        if parent is not None:
            group = operation_set_label(parent.groups[node.path[depth]])
            steps.append(f"{edge_label(parent.edge)} {group}")
    mark = " (?)" if node.degenerate else ""
    return f"{name}{mark}, after {' and '.join(steps)}" if steps else f"{name}{mark}, the root"


def _path_text(path: Path) -> str:
    return "-".join(map(str, path))


def _choose_clicked(names: Mapping[str, str]) -> None:
    points = st.session_state[_CHART].selection.points
    clicked = points[0].get("customdata") if points else None
    text = clicked[0] if isinstance(clicked, list) and clicked else clicked
    if isinstance(text, str) and text in names:
        st.session_state[_NODE] = names[text]


_PERCENT = {"best": "best %", "mean": "mean %", "median": "median %"}
_SHOWN = 12


def sub_space_table(described: pd.DataFrame) -> pd.DataFrame:
    """Return what ``describe_sub_spaces`` says, in the form in which it is shown."""
    return pd.DataFrame(
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


def show_sub_spaces(
    described: pd.DataFrame, top_label: str, key: str, link: str | None = None
) -> int | None:
    """Draw the table; return the position of the chosen row, or None.

    Args:
        described: What ``describe_sub_spaces`` returns.
        top_label: How the top is called.
        key: The table's key.
        link: The name of the chosen sub-space in the URL, or None where it is not to stand there.
    """
    table = sub_space_table(described)
    number = st.column_config.NumberColumn
    answer = st.dataframe(
        table,
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default=_linked_selection(described, link),
        height="content" if len(table) <= _SHOWN else 38 + 35 * _SHOWN,
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
                help=f"Share of the {top_label} that is in here",
            ),
            "enrichment": number(
                format="%.2f", help="Share of the top over share of the space; 1 is chance"
            ),
            **{label: number(format="%.2f") for label in _PERCENT.values()},
            "best rank": number(format="localized", help="Rank of its best in the whole space"),
        },
        alt=f"{len(table)} sub-spaces with their sizes, their part of the {top_label} and their "
        "accuracies",
    )
    rows = answer.selection.rows
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
