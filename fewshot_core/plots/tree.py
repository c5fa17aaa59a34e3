"""The splitting tree: decisions as columns, groups on branches, sub-spaces as leaves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.export import with_source
from fewshot_core.plots.operations import LEGEND_ROW, operation_legend, operation_row, row_width
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    Annotation,
    base_figure,
    empty_figure,
    escape,
    note,
    number_text,
    sub_space_look,
    sub_space_text,
    top_alternative,
    translucent,
)
from fewshot_core.space import NAS_BENCH_201, SearchSpace

Path = tuple[int, ...]

_BEND = 0.08
_LABEL_SHIFT = 5
_SHARE_OF_LEVELS = 0.44
_NAME, _SIZE, _BAR, _BAR_LENGTH = 0.1, 0.44, 0.5, 0.4
_NAME_PIXELS, _BRANCH_ROOM = 30, 36


@dataclass(frozen=True)
class TreeBranch:
    """A node of the tree, with the branch that leads there.

    ``path`` holds the number of the group taken at each level from the root, ``operations`` those
    on the branch; both are empty at the root. ``edge`` is the number of the decision that is split
    here, if any (yet), and ``scores`` are pairs of operation and score on it. The split of a
    degenerate node is arbitrary, for a reason; an active node is being scored.
    """

    path: Path
    operations: tuple[int, ...] = ()
    edge: int | None = None
    scores: tuple[tuple[int, float | None], ...] = ()
    degenerate: bool = False
    reason: str | None = None
    active: bool = False


@dataclass(frozen=True)
class TreeDrawing:
    """A tree to draw, complete or growing, and where its nodes are.

    A level is one unit wide and a row one unit high; the first leaf is on top. ``leaves`` is what
    ``fewshot_core.analysis.describe_sub_spaces`` returns for the leaves in tree order, if known;
    ``levels`` is how many levels of splits a growing tree will have; the leaf at the position
    ``chosen`` is highlighted. The best of a leaf has a unit.
    """

    branches: tuple[TreeBranch, ...]
    leaves: pd.DataFrame | None = None
    levels: int = 1
    chosen: int | None = None
    space: SearchSpace = NAS_BENCH_201
    unit: str = "%"

    @cached_property
    def ordered(self) -> list[TreeBranch]:
        """All nodes in tree order, parents before children."""
        return sorted(self.branches, key=lambda branch: branch.path)

    @cached_property
    def children(self) -> Mapping[Path, list[TreeBranch]]:
        """The nodes below each node."""
        below: dict[Path, list[TreeBranch]] = defaultdict(list)
        for branch in self.ordered:
            if branch.path:
                below[branch.path[:-1]].append(branch)
        return below

    @cached_property
    def ends(self) -> list[TreeBranch]:
        """The nodes with nothing below them, in tree order."""
        return [branch for branch in self.ordered if branch.path not in self.children]

    @cached_property
    def columns(self) -> int:
        """The number of levels drawn."""
        return max(self.levels, *(len(branch.path) for branch in self.branches))

    @cached_property
    def rows(self) -> Mapping[Path, float]:
        """The height of each node: ends one below the other, parents in their middle."""
        rows = {end.path: float(len(self.ends) - 1 - i) for i, end in enumerate(self.ends)}
        for path in sorted(self.children, key=len, reverse=True):
            below = [rows[child.path] for child in self.children[path]]
            rows[path] = (below[0] + below[-1]) / 2
        return rows

    @cached_property
    def edges(self) -> list[set[int]]:
        """The decisions that are split at each level."""
        edges: list[set[int]] = [set() for _ in range(self.columns + 1)]
        for branch in self.branches:
            if branch.edge is not None:
                edges[len(branch.path)].add(branch.edge)
        return edges

    @property
    def groups(self) -> list[tuple[int, TreeBranch]]:
        """The branches that a decision leads to, each with its decision."""
        return [
            (parent.edge, child)
            for parent in self.ordered
            for child in self.children.get(parent.path, [])
            if parent.edge is not None
        ]

    @property
    def described(self) -> pd.DataFrame | None:
        """The description of the ends, if there is one row for each."""
        known = self.leaves is not None and len(self.leaves) == len(self.ends)
        return self.leaves if known else None

    def leaf_x(self, share: float) -> float:
        """Place inside the leaves' descriptions, which are a fixed share of the levels wide."""
        return self.columns * (1 + share * _SHARE_OF_LEVELS)


@with_source
def tree_figure(tree: TreeDrawing) -> go.Figure:
    """Draw a splitting tree, complete or growing.

    Hovering over a node shows its edge, groups and scores; its ``customdata`` is its path as text,
    groups joined by "-" and empty at the root. Arbitrary choices are amber and marked with a
    question mark.
    """
    if not tree.branches:
        return empty_figure("", "no node has been split yet")
    count = len(tree.ends)
    height = 82 + (40 if count <= 10 else 26) * max(count, 4)
    legend = operation_legend(tree.space, sorted(set().union(*tree.edges)))
    height += LEGEND_ROW * (max(len(legend), 1) - 1)
    widest = max([row_width(tree.space, edge, b.operations) for edge, b in tree.groups], default=0)
    least = int(tree.columns * (1 + _SHARE_OF_LEVELS) * (widest + _BRANCH_ROOM))
    figure = base_figure("", height, _alternative(tree), least_width=max(560, least))
    for arbitrary in (False, True):
        _add_branches(figure, tree, arbitrary)
    if tree.chosen is not None:
        _add_chosen(figure, tree, tree.chosen)
    if tree.described is not None:
        _add_leaves(figure, tree, tree.described)
    _add_nodes(figure, tree)
    labels = [*_operations(tree), *_edge_headings(tree), *_leaf_texts(tree)]
    labels += [label for row in legend for label in row]
    below = 26 + LEGEND_ROW * (max(len(legend), 1) - 1)
    figure.update_layout(annotations=labels, showlegend=False, margin_b=below)
    right = tree.leaf_x(1)
    figure.update_xaxes(visible=False, range=[-0.03 * right, right], fixedrange=True)
    top = max(count, 4) - 0.5 + 0.75 * (1 if count <= 10 else 1.6)
    figure.update_yaxes(visible=False, range=[count - max(count, 4) - 0.55, top], fixedrange=True)
    return figure


def _add_lines(
    figure: go.Figure, lines: Iterable[list[tuple[float, float]]], colour: str, dash: str
) -> None:
    """Draw lines, each through some points, as one trace."""
    points = [point for line in lines for point in (*line, (None, None))]
    if points:
        x, y = map(list, zip(*points, strict=True))
        look = {"color": colour, "width": 1.4, "dash": dash}
        figure.add_scatter(x=x, y=y, mode="lines", line=look, hoverinfo="skip")


def _add_branches(figure: go.Figure, tree: TreeDrawing, arbitrary: bool) -> None:
    """Draw the branches below the nodes that were split arbitrarily, or below all others."""
    lines = []
    for parent in tree.ordered:
        if parent.degenerate != arbitrary:
            continue
        start, row = float(len(parent.path)), tree.rows[parent.path]
        for child in tree.children.get(parent.path, []):
            below = tree.rows[child.path]
            bend = [(start + _BEND, row), (start + _BEND, below)]
            lines.append([(start, row), *bend, (start + 1, below)])
    _add_lines(figure, lines, *((DEGENERATE_COLOUR, "dot") if arbitrary else (INK, "solid")))


def _add_chosen(figure: go.Figure, tree: TreeDrawing, position: int) -> None:
    """Draw the way to a leaf as a broad line in its colour."""
    end = tree.ends[position].path
    points = [(0.0, tree.rows[()])]
    for level in range(len(end)):
        row, below = tree.rows[end[:level]], tree.rows[end[: level + 1]]
        points += [(level + _BEND, row), (level + _BEND, below), (level + 1.0, below)]
    points.append((tree.leaf_x(0.03), points[-1][1]))
    x, y = zip(*points, strict=True)
    look = {"color": translucent(sub_space_look(position).colour, 0.7), "width": 9}
    figure.add_scatter(x=x, y=y, mode="lines", line=look, hoverinfo="skip", name="chosen")


def _add_leaves(figure: go.Figure, tree: TreeDrawing, leaves: pd.DataFrame) -> None:
    """Draw a dotted line to the name of each sub-space, and its top architectures as a bar."""
    rows = [tree.rows[end.path] for end in tree.ends]
    lines = [
        [(float(len(end.path)), row), (tree.leaf_x(0.03), row)]
        for end, row in zip(tree.ends, rows, strict=True)
    ]
    _add_lines(figure, lines, INK, "dot")
    counts = leaves["top_count"].tolist()
    unit = _BAR_LENGTH * (tree.leaf_x(1) - tree.columns) / max(1, *counts)
    looks = [sub_space_look(position) for position in range(len(leaves))]
    figure.add_bar(
        base=tree.leaf_x(_BAR),
        x=[count * unit for count in counts],
        y=rows,
        name="top",
        orientation="h",
        width=0.5,
        marker={
            "color": [translucent(look.colour, 0.85) for look in looks],
            "line": {"color": [look.outline for look in looks], "width": 1},
            "pattern": {"shape": [look.pattern for look in looks], "fillmode": "overlay"},
        },
        text=[f"{count:,}" for count in counts],
        textposition="outside",
        cliponaxis=False,
        hovertext=[sub_space_text(row, tree.unit) for row in leaves.to_dict("records")],
        hoverinfo="text",
    )


def _leaf_texts(tree: TreeDrawing) -> list[Annotation]:
    """Name and size of each sub-space, if known, with headings."""
    if tree.described is None:
        return []
    size_x = tree.leaf_x(_SIZE)
    texts = [_heading(size_x, "size", "right"), _heading(tree.leaf_x(_BAR), "top", "left")]
    for position, row in enumerate(tree.described.to_dict("records")):
        look, y = sub_space_look(position), tree.rows[tree.ends[position].path]
        box = {"bgcolor": look.colour, "borderpad": 2, "font": {"color": look.text}}
        box |= {"width": _NAME_PIXELS, "hovertext": sub_space_text(row, tree.unit)}
        texts.append(note(f"<b>{row['sub_space']}</b>", tree.leaf_x(_NAME), y, **box))
        texts.append(note(f"{row['size']:,}", size_x, y, xanchor="right"))
    return texts


def _heading(x: float, text: str, anchor: str, shift: int = 0) -> Annotation:
    place = {"yref": "paper", "xanchor": anchor, "yanchor": "top", "xshift": shift}
    return note(f"<b>{escape(text)}</b>", x, 1, **place)


def _edge_headings(tree: TreeDrawing) -> list[Annotation]:
    """Edge of each level; where it varies, each node has its own label."""
    headings = []
    for level, edges in enumerate(tree.edges[: tree.columns]):
        text = f"various {tree.space.noun}s" if len(edges) > 1 else "..."
        text = tree.space.decision_label(min(edges)) if len(edges) == 1 else text
        headings.append(_heading(level + _BEND, text, "left", _LABEL_SHIFT))
    return headings


def _operations(tree: TreeDrawing) -> list[Annotation]:
    """Operations of each group, on the branch that leads to it."""
    labels = []
    for edge, child in tree.groups:
        decision = tree.space.decisions[edge]
        hover = escape(f"{decision.name}: {decision.describe(child.operations)}")
        place = (len(child.path) - 1 + _BEND, tree.rows[child.path], _LABEL_SHIFT)
        labels += operation_row(tree.space, edge, child.operations, *place, hovertext=hover)
    return labels


def _add_nodes(figure: go.Figure, tree: TreeDrawing) -> None:
    """Draw a dot at each node that is split, or could be, for hovering and selecting."""
    shown = [
        branch
        for branch in tree.ordered
        if branch.edge is not None or branch.active or tree.described is None
    ]
    colours = [
        ACTIVE_COLOUR if branch.active else DEGENERATE_COLOUR if branch.degenerate else INK
        for branch in shown
    ]
    figure.add_scatter(
        x=[len(branch.path) for branch in shown],
        y=[tree.rows[branch.path] for branch in shown],
        name="nodes",
        mode="markers+text",
        text=[_mark(branch, tree) for branch in shown],
        textposition=["top center" if branch.path else "top right" for branch in shown],
        textfont={"color": colours, "size": 14},
        marker={
            "opacity": 1,
            "size": [16 if branch.active or branch.degenerate else 10 for branch in shown],
            "color": [
                INK if branch.edge is not None and colour == INK else "rgba(0,0,0,0)"
                for branch, colour in zip(shown, colours, strict=True)
            ],
            "line": {"width": 2.4, "color": colours},
        },
        customdata=["-".join(map(str, branch.path)) for branch in shown],
        hovertext=[_hover(branch, tree) for branch in shown],
        hoverinfo="text",
    )


def _mark(branch: TreeBranch, tree: TreeDrawing) -> str:
    varying = len(tree.edges[len(branch.path)]) > 1 and branch.edge is not None
    label = escape(tree.space.decisions[branch.edge or 0].name) * varying
    return " ".join(
        filter(None, (label, "scoring" * branch.active, "<b>?</b>" * branch.degenerate))
    )


def _hover(branch: TreeBranch, tree: TreeDrawing) -> str:
    lines = ["<b>not split yet</b>"]
    if branch.edge is not None:
        decision = tree.space.decisions[branch.edge]
        lines = [f"<b>{escape(tree.space.decision_label(branch.edge))}</b>"]
        if children := tree.children.get(branch.path):
            groups = [escape(decision.describe(child.operations)) for child in children]
            lines.append("groups: " + " | ".join(groups))
        lines += [
            f"{escape(decision.labels[operation])}: {number_text(value)}"
            for operation, value in branch.scores
        ]
    if branch.active:
        lines.append("being scored now")
    if branch.degenerate:
        lines.append(f"? arbitrary: {escape(branch.reason or 'no reason given')}")
    return "<br>".join(lines)


def _alternative(tree: TreeDrawing) -> str:
    count = len(tree.ends)
    arbitrary = sum(branch.degenerate for branch in tree.ordered)
    parts = [f"Arbitrary choices: {arbitrary}."] if arbitrary else []
    if tree.described is None:
        return " ".join([f"A splitting tree that is growing, with {count} leaves so far.", *parts])
    sizes = ", ".join(
        f"{name} {size:,}"
        for name, size in zip(tree.described["sub_space"], tree.described["size"], strict=True)
    )
    start = f"Splitting tree with {count} sub-spaces and their sizes: {sizes}."
    return " ".join([start, top_alternative(tree.described), *parts])
