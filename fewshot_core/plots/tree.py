"""The splitting tree as a picture: edges as columns, groups on branches, sub-spaces at the end."""

from html import escape

import plotly.graph_objects as go

from fewshot_core.plots.chips import Annotation, chip_row
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    base_figure,
    empty_figure,
)
from fewshot_core.plots.texts import number_text, top_alternative
from fewshot_core.plots.tree_layout import TreeBranch, TreeDrawing, TreeLayout
from fewshot_core.plots.tree_leaves import add_leaf_traces, heading, leaf_annotations, leaf_width
from fewshot_core.space import OPERATION_LABELS, operation_set_label

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
