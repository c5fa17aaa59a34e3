"""The splitting tree: edges as columns, groups on branches, sub-spaces as leaves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.cell import operation_row
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    Annotation,
    base_figure,
    empty_figure,
    note,
    number_text,
    outline_colour,
    sub_space_colour,
    sub_space_pattern,
    sub_space_text,
    text_colour,
    top_alternative,
    translucent,
)
from fewshot_core.space import OPERATION_LABELS, operation_set_label

Path = tuple[int, ...]

_BEND = 0.1
_LABEL_SHIFT = 9
_SHARE_OF_LEVELS = 0.44
_NAME, _SIZE, _BAR, _BAR_LENGTH = 0.1, 0.44, 0.5, 0.4
_NAME_PIXELS = 30


@dataclass(frozen=True)
class TreeBranch:
    """A node of the tree, with the branch that leads there.

    Attributes:
        path: The number of the group taken at each level from the root; empty at the root.
        operations: The operation numbers on the branch that leads here; empty at the root.
        edge_label: The edge that is split here ("2<-0"), or None where none is (yet).
        scores: Pairs of operation number and score, of the edge that is split here, if known.
        degenerate: Whether the split of this node was an arbitrary choice.
        reason: Why it was, or None.
        active: Whether the operations of the edge are being scored now.
    """

    path: Path
    operations: tuple[int, ...] = ()
    edge_label: str | None = None
    scores: tuple[tuple[int, float | None], ...] = ()
    degenerate: bool = False
    reason: str | None = None
    active: bool = False

    @property
    def depth(self) -> int:
        """The number of splits above."""
        return len(self.path)


@dataclass(frozen=True)
class TreeDrawing:
    """A tree to draw, complete or growing.

    Attributes:
        branches: Its nodes, the root included, in any order.
        leaves: What ``fewshot_core.analysis.describe_sub_spaces`` returns for its leaves in tree
            order, or None while it grows.
        levels: How many levels of splits it will have, or None for as many as are there.
    """

    branches: tuple[TreeBranch, ...]
    leaves: pd.DataFrame | None = None
    levels: int | None = None


@dataclass(frozen=True)
class TreeLayout:
    """Where the nodes of a tree are drawn.

    A level is one unit wide and a row one unit high; the first leaf is on top.
    """

    drawing: TreeDrawing

    @cached_property
    def ordered(self) -> list[TreeBranch]:
        """All nodes in tree order, parents before children."""
        return sorted(self.drawing.branches, key=lambda branch: branch.path)

    @cached_property
    def children(self) -> Mapping[Path, list[TreeBranch]]:
        """The nodes below each node that has any."""
        below: dict[Path, list[TreeBranch]] = {}
        for branch in self.ordered:
            if branch.path:
                below.setdefault(branch.path[:-1], []).append(branch)
        return below

    @cached_property
    def ends(self) -> list[TreeBranch]:
        """The nodes with nothing below them, in tree order."""
        return [branch for branch in self.ordered if branch.path not in self.children]

    @cached_property
    def levels(self) -> int:
        """The number of columns."""
        deepest = max(branch.depth for branch in self.ordered)
        return max(deepest, self.drawing.levels or 1)

    @cached_property
    def rows(self) -> Mapping[Path, float]:
        """The height of each node: ends one below the other, parents in their middle."""
        rows = {end.path: float(len(self.ends) - 1 - i) for i, end in enumerate(self.ends)}
        for path in sorted(self.children, key=len, reverse=True):
            below = [rows[child.path] for child in self.children[path]]
            rows[path] = (below[0] + below[-1]) / 2
        return rows

    @cached_property
    def edges(self) -> Mapping[int, set[str]]:
        """The edges that are split at each level."""
        edges: dict[int, set[str]] = {}
        for branch in self.ordered:
            if branch.edge_label:
                edges.setdefault(branch.depth, set()).add(branch.edge_label)
        return edges

    @property
    def leaves(self) -> pd.DataFrame | None:
        """The description of the ends, if there is one row for each."""
        leaves = self.drawing.leaves
        return leaves if leaves is not None and len(leaves) == len(self.ends) else None

    @property
    def leaf_width(self) -> float:
        """Width of the leaves' descriptions in levels: the same share for any depth."""
        return _SHARE_OF_LEVELS * self.levels

    def leaf_x(self, share: float) -> float:
        """Place inside the leaves' descriptions, as a share of their width."""
        return self.levels + share * self.leaf_width

    def edge_varies(self, level: int) -> bool:
        """Whether different edges are split at a level."""
        return len(self.edges.get(level, ())) > 1


def tree_figure(tree: TreeDrawing, title: str = "") -> go.Figure:
    """Draw a splitting tree, complete or growing.

    Hovering over a node shows its edge, groups and scores; its ``customdata`` is its path as text,
    groups joined by "-" and empty at the root. Arbitrary choices are amber and marked with a
    question mark.
    """
    if not tree.branches:
        return empty_figure(title, "no node has been split yet")
    layout = TreeLayout(tree)
    count = len(layout.ends)
    height = 64 + (40 if count <= 10 else 26) * max(count, 4)
    figure = base_figure(title, height, _alternative(layout))
    for arbitrary in (False, True):
        _add_branches(figure, layout, arbitrary)
    if layout.leaves is not None:
        _add_leaves(figure, layout, layout.leaves)
    _add_nodes(figure, layout)
    annotations = [*_operations(layout), *_edge_headings(layout), *_leaf_texts(layout)]
    figure.update_layout(annotations=annotations, showlegend=False)
    right = layout.leaf_x(1)
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


def _add_branches(figure: go.Figure, layout: TreeLayout, arbitrary: bool) -> None:
    """Draw the branches below the nodes that were split arbitrarily, or below all others."""
    lines = []
    for parent in layout.ordered:
        if parent.degenerate != arbitrary:
            continue
        start, row = float(parent.depth), layout.rows[parent.path]
        for child in layout.children.get(parent.path, []):
            below = layout.rows[child.path]
            bend = [(start + _BEND, row), (start + _BEND, below)]
            lines.append([(start, row), *bend, (start + 1, below)])
    _add_lines(figure, lines, *((DEGENERATE_COLOUR, "dot") if arbitrary else (INK, "solid")))


def _add_leaves(figure: go.Figure, layout: TreeLayout, leaves: pd.DataFrame) -> None:
    """Draw a dotted line to the name of each sub-space, and its top architectures as a bar."""
    rows = [layout.rows[end.path] for end in layout.ends]
    lines = [
        [(float(end.depth), row), (layout.leaf_x(0.03), row)]
        for end, row in zip(layout.ends, rows, strict=True)
    ]
    _add_lines(figure, lines, INK, "dot")
    counts = leaves["top_count"].tolist()
    unit = _BAR_LENGTH * layout.leaf_width / max(1, *counts)
    positions = range(len(leaves))
    colours = [sub_space_colour(position) for position in positions]
    patterns = [sub_space_pattern(position) for position in positions]
    figure.add_bar(
        base=layout.leaf_x(_BAR),
        x=[count * unit for count in counts],
        y=rows,
        name="top",
        orientation="h",
        width=0.5,
        marker={
            "color": [translucent(colour, 0.85) for colour in colours],
            "line": {"color": [outline_colour(colour) for colour in colours], "width": 1},
            "pattern": {"shape": patterns, "fillmode": "overlay"},
        },
        text=[f"{count:,}" for count in counts],
        textposition="outside",
        cliponaxis=False,
        hovertext=[sub_space_text(row) for row in leaves.to_dict("records")],
        hoverinfo="text",
    )


def _leaf_texts(layout: TreeLayout) -> list[Annotation]:
    """Name and size of each sub-space, if known, with headings."""
    if layout.leaves is None:
        return []
    size_x = layout.leaf_x(_SIZE)
    texts = [_heading(size_x, "size", "right"), _heading(layout.leaf_x(_BAR), "top", "left")]
    rows = layout.leaves.to_dict("records")
    for position, (end, row) in enumerate(zip(layout.ends, rows, strict=True)):
        colour = sub_space_colour(position)
        y = layout.rows[end.path]
        look = {"bgcolor": colour, "borderpad": 2, "font": {"color": text_colour(colour)}}
        look |= {"width": _NAME_PIXELS, "hovertext": sub_space_text(row)}
        texts.append(note(f"<b>{row['sub_space']}</b>", layout.leaf_x(_NAME), y, **look))
        texts.append(note(f"{row['size']:,}", size_x, y, xanchor="right"))
    return texts


def _heading(x: float, text: str, anchor: str, shift: int = 0) -> Annotation:
    place = {"yref": "paper", "xanchor": anchor, "yanchor": "top", "xshift": shift}
    return note(f"<b>{escape(text)}</b>", x, 1, **place)


def _edge_headings(layout: TreeLayout) -> list[Annotation]:
    """Edge of each level; where it varies, each node has its own label."""
    headings = []
    for level in range(layout.levels):
        text = "..."
        if level in layout.edges:
            varies = layout.edge_varies(level)
            text = "various edges" if varies else f"edge {min(layout.edges[level])}"
        headings.append(_heading(level + _BEND, text, "left", _LABEL_SHIFT))
    return headings


def _operations(layout: TreeLayout) -> list[Annotation]:
    """Operations of each group, on the branch that leads to it."""
    labels = []
    for parent in layout.ordered:
        for child in layout.children.get(parent.path, []):
            hover = f"{escape(parent.edge_label or '')}: {operation_set_label(child.operations)}"
            place = (parent.depth + _BEND, layout.rows[child.path], _LABEL_SHIFT)
            labels += operation_row(child.operations, *place, hover)
    return labels


def _add_nodes(figure: go.Figure, layout: TreeLayout) -> None:
    """Draw a dot at each node that is split, or could be, for hovering and selecting."""
    shown = [
        branch
        for branch in layout.ordered
        if branch.edge_label or branch.active or layout.leaves is None
    ]
    colours = [_colour(branch) for branch in shown]
    figure.add_scatter(
        x=[branch.depth for branch in shown],
        y=[layout.rows[branch.path] for branch in shown],
        name="nodes",
        mode="markers+text",
        text=[_mark(branch, layout.edge_varies(branch.depth)) for branch in shown],
        textposition=["top center" if branch.path else "top right" for branch in shown],
        textfont={"color": colours, "size": 14},
        marker={
            "opacity": 1,
            "size": [16 if branch.active or branch.degenerate else 10 for branch in shown],
            "color": [
                INK if branch.edge_label and colour == INK else "rgba(0,0,0,0)"
                for branch, colour in zip(shown, colours, strict=True)
            ],
            "line": {"width": 2.4, "color": colours},
        },
        customdata=["-".join(map(str, branch.path)) for branch in shown],
        hovertext=[_hover(branch, layout) for branch in shown],
        hoverinfo="text",
    )


def _mark(branch: TreeBranch, varying: bool) -> str:
    parts = [escape(branch.edge_label or "")] if varying else []
    parts += ["scoring"] if branch.active else []
    parts += ["<b>?</b>"] if branch.degenerate else []
    return " ".join(parts)


def _colour(branch: TreeBranch) -> str:
    if branch.active:
        return ACTIVE_COLOUR
    return DEGENERATE_COLOUR if branch.degenerate else INK


def _hover(branch: TreeBranch, layout: TreeLayout) -> str:
    edge = f"edge {escape(branch.edge_label)}" if branch.edge_label else "not split yet"
    lines = [f"<b>{edge}</b>"]
    children = layout.children.get(branch.path, [])
    if children:
        groups = [operation_set_label(child.operations) for child in children]
        lines.append("groups: " + " | ".join(groups))
    lines += [
        f"{OPERATION_LABELS[operation]}: {number_text(value)}" for operation, value in branch.scores
    ]
    if branch.active:
        lines.append("being scored now")
    if branch.degenerate:
        lines.append(f"? arbitrary: {escape(branch.reason or 'no reason given')}")
    return "<br>".join(lines)


def _alternative(layout: TreeLayout) -> str:
    count = len(layout.ends)
    arbitrary = sum(branch.degenerate for branch in layout.ordered)
    parts = [f"Arbitrary choices: {arbitrary}."] if arbitrary else []
    if layout.leaves is None:
        return " ".join([f"A splitting tree that is growing, with {count} leaves so far.", *parts])
    sizes = ", ".join(
        f"{name} {size:,}"
        for name, size in zip(layout.leaves["sub_space"], layout.leaves["size"], strict=True)
    )
    start = f"Splitting tree with {count} sub-spaces and their sizes: {sizes}."
    return " ".join([start, top_alternative(layout.leaves), *parts])
