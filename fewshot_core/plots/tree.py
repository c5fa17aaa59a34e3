"""The splitting tree as a picture: edges as columns, groups on branches, sub-spaces at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.cell import Annotation, chip_row
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    base_figure,
    empty_figure,
    hover_text,
    number_text,
    outline_colour,
    sub_space_colour,
    sub_space_pattern,
    text_colour,
    top_alternative,
    translucent,
)
from fewshot_core.space import OPERATION_LABELS, operation_set_label

Path = tuple[int, ...]


@dataclass(frozen=True)
class TreeBranch:
    """A place in the tree, with the branch that leads there.

    Attributes:
        path: The number of the group taken at each level from the root; empty at the root.
        operations: The operation numbers on the branch that leads here; empty at the root.
        edge_label: The edge that is split here ("2<-0"), or None where none is (yet).
        scores: Pairs of operation number and score, of the edge that is split here, if known.
        degenerate: Whether the decision made here was arbitrary.
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
        branches: Its places, the root included, in any order.
        leaves: What ``fewshot_core.analysis.describe_sub_spaces`` returns for its leaves in tree
            order, or None while it grows.
        levels: How many levels of splits it will have, or None for as many as are there.
    """

    branches: tuple[TreeBranch, ...]
    leaves: pd.DataFrame | None = None
    levels: int | None = None


@dataclass(frozen=True)
class TreeLayout:
    """Where the places of a tree are drawn.

    A level is one unit wide and a row one unit high; the first leaf is at the top.
    """

    drawing: TreeDrawing

    @cached_property
    def ordered(self) -> list[TreeBranch]:
        """All places in tree order, parents before children."""
        return sorted(self.drawing.branches, key=lambda branch: branch.path)

    @cached_property
    def children(self) -> Mapping[Path, list[TreeBranch]]:
        """The places below each place that has any."""
        below: dict[Path, list[TreeBranch]] = {}
        for branch in self.ordered:
            if branch.path:
                below.setdefault(branch.path[:-1], []).append(branch)
        return below

    @cached_property
    def ends(self) -> list[TreeBranch]:
        """The places with nothing below them, in tree order."""
        return [branch for branch in self.ordered if branch.path not in self.children]

    @cached_property
    def levels(self) -> int:
        """The number of columns."""
        deepest = max(branch.depth for branch in self.ordered)
        return max(deepest, self.drawing.levels or 1)

    @cached_property
    def rows(self) -> Mapping[Path, float]:
        """The height of each place: ends one below the other, parents in their middle."""
        rows = {end.path: float(len(self.ends) - 1 - i) for i, end in enumerate(self.ends)}
        for path in sorted(self.children, key=len, reverse=True):
            below = [rows[child.path] for child in self.children[path]]
            rows[path] = (below[0] + below[-1]) / 2
        return rows

    @cached_property
    def leaves(self) -> pd.DataFrame | None:
        """The description of the ends, if there is one row for each."""
        leaves = self.drawing.leaves
        return leaves if leaves is not None and len(leaves) == len(self.ends) else None


_SHARE_OF_LEVELS = 0.44
_NAME, _SIZE, _BAR, _BAR_LENGTH = 0.1, 0.44, 0.5, 0.4
_NAME_COLUMN_PIXELS = 30


def leaf_width(layout: TreeLayout) -> float:
    """Return the width of this side, in levels: the same share of the figure for any depth."""
    return _SHARE_OF_LEVELS * layout.levels


def leaf_annotations(layout: TreeLayout) -> list[Annotation]:
    """Return the name and the size of each sub-space, if they are known, with their headings."""
    if layout.leaves is None:
        return []
    width = leaf_width(layout)
    size_x, bar_x = layout.levels + _SIZE * width, layout.levels + _BAR * width
    annotations = [heading(size_x, "size", "right"), heading(bar_x, "top", "left")]
    rows = layout.leaves.to_dict("records")
    for position, (end, row) in enumerate(zip(layout.ends, rows, strict=True)):
        colour = sub_space_colour(position)
        place = {"y": layout.rows[end.path], "showarrow": False}
        name = {
            "x": layout.levels + _NAME * width,
            "text": f"<b>{row['sub_space']}</b>",
            "width": _NAME_COLUMN_PIXELS,
            "bgcolor": colour,
            "borderpad": 2,
            "font": {"color": text_colour(colour)},
            "hovertext": hover_text(row),
        }
        size = {"x": size_x, "text": f"{row['size']:,}", "xanchor": "right"}
        annotations += [place | name, place | size]
    return annotations


def heading(x: float, text: str, anchor: str, shift: int = 0) -> Annotation:
    """Return the heading of a column."""
    return {
        "x": x,
        "y": 1,
        "yref": "paper",
        "text": f"<b>{escape(text)}</b>",
        "showarrow": False,
        "xanchor": anchor,
        "yanchor": "top",
        "xshift": shift,
    }


def add_leaf_traces(figure: go.Figure, layout: TreeLayout) -> None:
    """Draw lines to the names of the sub-spaces, and their top architectures as bars."""
    if layout.leaves is not None:
        _add_leaders(figure, layout)
        _add_bars(figure, layout, layout.leaves)


def _add_leaders(figure: go.Figure, layout: TreeLayout) -> None:
    """Lead from each end to its name with a dotted line."""
    x: list[float | None] = []
    y: list[float | None] = []
    for end in layout.ends:
        row = layout.rows[end.path]
        x += [end.depth, layout.levels + 0.03 * leaf_width(layout), None]
        y += [row, row, None]
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": INK, "width": 1.4, "dash": "dot"}, hoverinfo="skip"
    )


def _add_bars(figure: go.Figure, layout: TreeLayout, leaves: pd.DataFrame) -> None:
    """Draw the number of top architectures of each sub-space as a bar."""
    positions = range(len(leaves))
    counts = leaves["top_count"].tolist()
    unit = _BAR_LENGTH * leaf_width(layout) / max(1, *counts)
    colours = [sub_space_colour(position) for position in positions]
    figure.add_bar(
        base=layout.levels + _BAR * leaf_width(layout),
        x=[count * unit for count in counts],
        y=[layout.rows[end.path] for end in layout.ends],
        name="top",
        orientation="h",
        width=0.5,
        marker={
            "color": [translucent(colour, 0.85) for colour in colours],
            "line": {"color": [outline_colour(colour) for colour in colours], "width": 1},
            "pattern": {
                "shape": [sub_space_pattern(position) for position in positions],
                "fillmode": "overlay",
            },
        },
        text=[f"{count:,}" for count in counts],
        textposition="outside",
        cliponaxis=False,
        hovertext=[hover_text(row) for row in leaves.to_dict("records")],
        hoverinfo="text",
    )


_BEND = 0.1
_CHIP_SHIFT = 9


def tree_figure(tree: TreeDrawing, title: str = "") -> go.Figure:
    """Draw a splitting tree, complete or growing.

    Hovering over a place says its edge, groups and scores; its ``customdata`` is its path as
    text, groups joined by "-" and empty at the root. Arbitrary decisions are amber and marked
    with a question mark.

    Args:
        tree: The tree.
        title: The title.
    """
    if not tree.branches:
        return empty_figure(title, "the tree has not begun to grow")
    layout = TreeLayout(tree)
    count = len(layout.ends)
    height = 64 + (40 if count <= 10 else 26) * max(count, 4)
    figure = base_figure(title, height, _alternative(layout))
    for arbitrary in (False, True):
        _add_lines(figure, layout, arbitrary)
    add_leaf_traces(figure, layout)
    _add_places(figure, layout)
    annotations = [*_chips(layout), *_headings(layout), *leaf_annotations(layout)]
    figure.update_layout(annotations=annotations, showlegend=False)
    right = layout.levels + leaf_width(layout)
    figure.update_xaxes(visible=False, range=[-0.03 * right, right], fixedrange=True)
    top = max(count, 4) - 0.5 + 0.75 * (1 if count <= 10 else 1.6)
    figure.update_yaxes(visible=False, range=[count - max(count, 4) - 0.55, top], fixedrange=True)
    return figure


def _add_lines(figure: go.Figure, layout: TreeLayout, arbitrary: bool) -> None:
    """Draw the lines below all places whose decision was arbitrary, or below all others."""
    x: list[float | None] = []
    y: list[float | None] = []
    for parent in layout.ordered:
        if parent.degenerate != arbitrary:
            continue
        start, row = parent.depth, layout.rows[parent.path]
        for child in layout.children.get(parent.path, []):
            below = layout.rows[child.path]
            x += [start, start + _BEND, start + _BEND, start + 1, None]
            y += [row, row, below, below, None]
    look = (DEGENERATE_COLOUR, "dot") if arbitrary else (INK, "solid")
    line = {"color": look[0], "width": 1.4, "dash": look[1]}
    if x:
        figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip")


def _chips(layout: TreeLayout) -> list[Annotation]:
    """Return the operations of each group, on the branch that leads to it."""
    chips = []
    for parent in layout.ordered:
        for child in layout.children.get(parent.path, []):
            hover = f"{escape(parent.edge_label or '')}: {operation_set_label(child.operations)}"
            place = (parent.depth + _BEND, layout.rows[child.path], _CHIP_SHIFT)
            chips += chip_row(child.operations, *place, hover)
    return chips


def _add_places(figure: go.Figure, layout: TreeLayout) -> None:
    """Draw a dot at each place that is split, or could be, for hovering and selecting."""
    shown = [
        branch
        for branch in layout.ordered
        if branch.edge_label or branch.active or layout.leaves is None
    ]
    varying = _varying_levels(layout)
    figure.add_scatter(
        x=[branch.depth for branch in shown],
        y=[layout.rows[branch.path] for branch in shown],
        name="places",
        mode="markers+text",
        text=[_mark(branch, branch.depth in varying) for branch in shown],
        textposition=["top center" if branch.path else "top right" for branch in shown],
        textfont={"color": [_colour(branch) for branch in shown], "size": 14},
        marker={
            "opacity": 1,
            "size": [16 if branch.active or branch.degenerate else 10 for branch in shown],
            "color": [_inside(branch) for branch in shown],
            "line": {"width": 2.4, "color": [_colour(branch) for branch in shown]},
        },
        customdata=["-".join(map(str, branch.path)) for branch in shown],
        hovertext=[_hover(branch, layout) for branch in shown],
        hoverinfo="text",
    )


def _headings(layout: TreeLayout) -> list[Annotation]:
    """Return the edge of each level; where it varies, each place says its own."""
    varying = _varying_levels(layout)
    headings = []
    for level in range(layout.levels):
        edges = {branch.edge_label for branch in layout.ordered if branch.depth == level}
        known = [edge for edge in edges if edge]
        text = "various edges" if level in varying else f"edge {known[0]}" if known else "..."
        headings.append(heading(level + _BEND, text, "left", _CHIP_SHIFT))
    return headings


def _varying_levels(layout: TreeLayout) -> set[int]:
    """Return the levels at which not all places are split at the same edge."""
    edges: dict[int, set[str]] = {}
    for branch in layout.ordered:
        if branch.edge_label:
            edges.setdefault(branch.depth, set()).add(branch.edge_label)
    return {level for level, labels in edges.items() if len(labels) > 1}


def _mark(branch: TreeBranch, varying: bool) -> str:
    parts = [escape(branch.edge_label or "")] if varying else []
    parts += ["scoring"] if branch.active else []
    parts += ["<b>?</b>"] if branch.degenerate else []
    return " ".join(parts)


def _colour(branch: TreeBranch) -> str:
    if branch.active:
        return ACTIVE_COLOUR
    return DEGENERATE_COLOUR if branch.degenerate else INK


def _inside(branch: TreeBranch) -> str:
    """Return a full dot for a plain decision, and an open one where something is to be seen."""
    plain = branch.edge_label and not branch.active and not branch.degenerate
    return INK if plain else "rgba(0,0,0,0)"


def _hover(branch: TreeBranch, layout: TreeLayout) -> str:
    edge = f"edge {escape(branch.edge_label)}" if branch.edge_label else "not decided yet"
    lines = [f"<b>{edge}</b>"]
    groups = [
        operation_set_label(child.operations) for child in layout.children.get(branch.path, [])
    ]
    if groups:
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
    parts = [f"Arbitrary decisions: {arbitrary}."] if arbitrary else []
    if layout.leaves is None:
        return " ".join([f"A splitting tree that is growing, with {count} ends so far.", *parts])
    sizes = ", ".join(
        f"{name} {size:,}"
        for name, size in zip(layout.leaves["sub_space"], layout.leaves["size"], strict=True)
    )
    start = f"Splitting tree with {count} sub-spaces and their sizes: {sizes}."
    return " ".join([start, top_alternative(layout.leaves), *parts])
