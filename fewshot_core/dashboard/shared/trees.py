"""A splitting tree, its nodes and its sub-spaces on a page."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.column_config import ProgressColumn, TextColumn

from fewshot_core.analysis import SplitEvaluator, branchings
from fewshot_core.dashboard.shared.controls import (
    numbers,
    plain,
    selected_rows,
    show_columns,
    table_height,
)
from fewshot_core.dashboard.shared.figures import (
    cached_figure,
    clicked,
    describe,
    rests_on,
    show_figure,
)
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import SplitInView, record_label
from fewshot_core.dashboard.shared.url import is_restored
from fewshot_core.metrics import METRICS
from fewshot_core.plots import (
    TreeBranch,
    TreeDrawing,
    node_cell_figure,
    scores_figure,
    similarity_figure,
    tree_figure,
)
from fewshot_core.space import group_labels
from fewshot_core.splitting import SplitNode, SplitTree, rank_candidates
from fewshot_core.splitting.partition import Groups

Path = tuple[int, ...]

_CHART = "tree_chart"
_NODE = "node"
_RESTORED = "tables restored"

_draw_scores = cached_figure(scores_figure)
_draw_similarity = cached_figure(similarity_figure)
_draw_cell = cached_figure(node_cell_figure)


def tree_drawing(
    tree: SplitTree, leaves: pd.DataFrame | None = None, levels: int = 1, growing: bool = False
) -> TreeDrawing:
    """Return the drawing of a tree, complete or growing to so many levels.

    ``leaves`` is the description of its sub-spaces; the first open place of a growing tree is
    being scored.
    """
    undecided = [path for path, _ in tree.open_paths()]
    active = min(undecided, key=len) if growing else None
    branches = []
    for path in [*(node.path for node in tree.nodes), *undecided]:
        parent = tree.node(path[:-1]) if path else None
        operations = parent.groups[path[-1]] if parent else ()
        if node := tree.node(path):
            scores = tuple(zip(node.operations, node.values, strict=True))
            about = node.edge, scores, node.degenerate, node.reason
            branches.append(TreeBranch(path, operations, *about))
        else:
            branches.append(TreeBranch(path, operations, active=path == active))
    return TreeDrawing(tuple(branches), leaves, levels, space=tree.space)


@cached_figure
def draw_split(
    split: SplitInView, evaluator: SplitEvaluator | None, chosen: int | None = None
) -> go.Figure:
    """Draw any split, its sub-spaces described by an evaluator, the one at ``chosen`` marked."""
    leaves = None if evaluator is None else describe(split.leaves, evaluator)
    look: Any = {"chosen": chosen, "unit": split.space.dataset(split.dataset).stored_unit}
    if split.tree is not None:
        return tree_figure(replace(tree_drawing(split.tree, leaves), **look))
    found = branchings(split.leaves) or []
    edges = {node.path: node.edge for node in found}
    branches = [TreeBranch((), (), edges.get(()))]
    if not found:  # an imported split that comes from no tree
        branches += [TreeBranch((number,)) for number in range(len(split.leaves))]
    for node in found:
        for number, group in enumerate(node.groups):
            path = (*node.path, number)
            branches.append(TreeBranch(path, group, edges.get(path)))
    return tree_figure(TreeDrawing(tuple(branches), leaves, space=split.space, **look))


def show_tree(
    split: SplitInView, tree: SplitTree, evaluator: SplitEvaluator | None, chosen_leaf: int | None
) -> SplitNode:
    """Draw a split's tree with the cell at a node; return the node, chosen by a click or a list."""
    nodes = {"-".join(map(str, node.path)): node for node in tree.nodes}
    names = {text: _node_name(tree, node) for text, node in nodes.items()}
    deep = max(len(node.path) for node in tree.nodes) > 2  # it needs the width of the page
    left, right = (st.container(), st.container()) if deep else st.columns([9, 5])
    with left:
        figure = draw_split(split, evaluator, chosen_leaf)
        source, click = [split.label, *rests_on([split])], lambda: _choose_clicked(names)
        show_figure(figure, _CHART, on_select=click, wide=True, source=source)
    with right:
        text = "Choose one here, or click it in the tree."
        listed = list(names.values())
        chosen = st.selectbox("Node", listed, key=_NODE, bind="query-params", help=text)
        node = next(nodes[text] for text, name in names.items() if name == chosen)
        show_figure(_draw_cell(node.sub_space, node.edge, node.groups), "node_cell", source=source)
        st.markdown(_explain(node, _candidates(node, tree.details.get("balanced"))[1]))
    return node


def _choose_clicked(names: Mapping[str, str]) -> None:
    for text in clicked(_CHART):
        st.session_state[_NODE] = names.get(str(text), st.session_state[_NODE])


def _node_name(tree: SplitTree, node: SplitNode) -> str:
    """Path to a node in words: "2<-0, after 1<-0 3x3"."""
    decisions = tree.space.decisions
    name = decisions[node.edge].name + " (?)" * node.degenerate
    parents = [(number, tree.node(node.path[:depth])) for depth, number in enumerate(node.path)]
    steps = [
        f"{decision.name} {decision.describe(parent.groups[number])}"
        for number, parent in parents
        if parent and (decision := decisions[parent.edge])
    ]
    return f"{name}, after {' and '.join(steps)}" if steps else f"{name}, the root"


@lru_cache(maxsize=256)
def _candidates(node: SplitNode, balanced: object) -> tuple[list[Groups], list[float]]:
    """List all groupings of a node's operations and their cuts, the smallest first."""
    found = rank_candidates(node.similarity, len(node.groups), bool(balanced))
    grouped = [
        tuple(tuple(node.operations[item] for item in group) for group in candidate.groups)
        for candidate in found
    ]
    return grouped, [candidate.cut for candidate in found]


def _explain(node: SplitNode, cuts: list[float]) -> str:
    """Say what was grouped at a node, and how clear the choice was."""
    space = node.sub_space.space
    names = map(space.decisions[node.edge].describe, node.groups)
    groups = " from ".join(f"**{plain(name)}**" for name in names)
    label = plain(space.decision_label(node.edge))
    found = f"{label[:1].upper()}{label[1:]} separates {groups}"
    if node.degenerate:
        return f"{found}: a tie, so the choice is arbitrary ({plain(node.reason)})."
    if len(cuts) < 2:
        return f"{found}, the only way to group them."
    gap, spread = cuts[1] - cuts[0], cuts[-1] - cuts[0]
    share = f"{gap / spread:.1%} of their range" if spread > 0 else f"{gap:.3g}"
    return f"{found}: the smallest of {len(cuts)} cuts; the next one is larger by {share}."


def show_node(split: SplitInView, tree: SplitTree, node: SplitNode) -> None:
    """Show a node's scores, similarities and candidate cuts."""
    source = [split.label, *rests_on([split]), tree.space.decision_label(node.edge)]
    similarities: Any = st
    where: Any = {"edge": node.edge, "space": tree.space}
    if any(value is not None for value in node.values):
        scores, similarities = st.columns(2, gap="medium")
        with scores:
            label = record_label(METRICS, tree.metric)
            figure = _draw_scores(node.operations, node.values, "Scores", label, **where)
            show_figure(figure, "node_scores", source=source)
    with similarities.container():
        look: Any = {"title": "Similarity", **where}
        figure = _draw_similarity(node.operations, node.similarity, node.groups, **look)
        show_figure(figure, "node_similarity", source=source)
    grouped, found = _candidates(node, tree.details.get("balanced"))
    describe_group = tree.space.decisions[node.edge].describe
    cuts, smallest = pd.Series(found), "Similarity between the groups; the smallest is chosen"
    chosen = ["chosen" * (groups == node.groups) for groups in grouped]
    show_columns(
        {
            "": (chosen, TextColumn(width=65)),
            "groups": [" | ".join(map(describe_group, groups)) for groups in grouped],
            "cut": (cuts, numbers("%.4g", smallest, 75)),
            "gap": (cuts - cuts.min(), numbers("%.3g", "Gap to the minimum cut", 75)),
        },
        f"{len(cuts)} ways to group the operations, by their cut",
        export="node_cuts",
        source=source,
        height=230,
    )


def show_sub_spaces(
    view: View,
    described: pd.DataFrame,
    key: str,
    link: str | None = None,
    narrow: bool = False,
) -> int | None:
    """Draw what ``describe_sub_spaces`` returns; return the position of the chosen row, if any.

    ``link`` is the parameter of the URL for the chosen sub-space. A narrow table lacks columns that
    follow from others.
    """
    wanted = st.query_params.get(link) if link else None
    if link and is_restored():  # another table, which begins with the row of the URL
        st.session_state[_RESTORED] = st.session_state.get(_RESTORED, 0) + 1
    key = f"{key}_{st.session_state.get(_RESTORED, 0)}"
    of_top = 100 * described["top_share"]
    enrichment = "Share of the top over share of the space; 1 for a random sub-space"
    bar = ProgressColumn(
        format="%.1f%%",
        width=80 if narrow else 130,
        min_value=0,
        max_value=max(1.0, float(of_top.max(skipna=True) or 0.0)),
        help=plain(f"Share of the {view.top_label} that is in this sub-space"),
    )
    top, top_label = f"Architectures of the {view.top_label}", view.top_label.partition(" with")[0]
    share, task = f"Share of all {view.space.size:,} architectures", view.task
    unit, text = (" %", "") if task.percent else ("", f"In {task.stored_unit}")
    rank = "Rank of its best in the whole space"
    columns: dict[str, Any] = {"sub-space": (described["sub_space"], TextColumn(width=60))}
    if view.split is not None and view.split.is_partition:
        columns["label"] = (group_labels(view.split.leaves), TextColumn(width=80))
    columns |= {
        "size": (described["size"], numbers("localized", "Architectures in it", 60)),
        "top": (described["top_count"], numbers("%d", top, 60, top_label)),
        "of the top": (of_top, bar),
        "share": (100 * described["share"], numbers("%.1f%%", share)),
        "enrichment": (described["enrichment"], numbers("%.2f", enrichment, 78)),
        f"best{unit}": (described["best"], numbers(task.form, text, 55)),
        f"mean{unit}": (described["mean"], numbers(task.form, text, 60)),
        f"median{unit}": (described["median"], numbers(task.form, text)),
        "best rank": (described["best_rank"], numbers("localized", rank, 65)),
    }
    for name in ("share", "enrichment", f"median{unit}", "best rank") if narrow else ():
        del columns[name]
    source = [view.top_label] + (rests_on([view.split]) if view.split else [])
    event = show_columns(
        columns,
        f"{len(described)} sub-spaces with their sizes, their share of the {top_label} and their "
        "accuracies",
        export=f"{key.partition('_split')[0]}_table",
        source=source,
        key=key,
        selection_mode="single-row",
        selection_default=selected_rows(np.flatnonzero(described["sub_space"] == wanted).tolist()),
        height=table_height(len(described)),
    )
    rows = event.selection.rows
    chosen = int(rows[0]) if rows else None
    if link is not None and chosen is not None:
        st.query_params[link] = str(described["sub_space"].iloc[chosen])
    elif link is not None and link in st.query_params:
        del st.query_params[link]
    return chosen
