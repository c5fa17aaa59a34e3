"""The splitting tree as a picture: edges as columns, groups on branches, sub-spaces at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.template import (
    DEGENERATE_COLOUR,
    INK,
    base_figure,
    empty_figure,
    sub_space_colour,
    translucent,
)

_ROW = 44
_LEAF_WIDTH = 1.35


@dataclass(frozen=True)
class TreeBox:
    """A place in the tree.

    Attributes:
        path: The groups taken from the root.
        group: The operations on the branch that leads here, in words; empty at the root.
        edge: The edge that is split here, or None where none is (yet).
        note: What hovering says.
        degenerate: Whether the decision made here was arbitrary.
        active: Whether its operations are being scored now.
    """

    path: tuple[int, ...]
    group: str
    edge: str | None
    note: str
    degenerate: bool = False
    active: bool = False


def tree_figure(
    boxes: Sequence[TreeBox], sub_spaces: pd.DataFrame | None, depth: int, title: str = ""
) -> go.Figure:
    """Draw a splitting tree from left to right.

    Args:
        boxes: Its places, in any order; the leaves are those that no other path goes through.
        sub_spaces: Columns sub_space, size, top_count and top_share, one row per leaf in tree
            order, or None while the tree grows.
        depth: How many levels it will have.
        title: The title.
    """
    if not boxes:
        return empty_figure(title, "the tree has not begun to grow")
    ordered = sorted(boxes, key=lambda box: box.path)
    inner = {box.path[:-1] for box in ordered if box.path}
    leaves = [box for box in ordered if box.path not in inner]
    rows = _rows(ordered, leaves, inner)
    figure = base_figure(title, 70 + _ROW * max(len(leaves), 2), _alternative(leaves, sub_spaces))
    for box in ordered:
        _add_branches(figure, box, ordered, rows)
    _add_boxes(figure, ordered, rows)
    _add_headings(figure, ordered, depth)
    if sub_spaces is not None and len(sub_spaces) == len(leaves):
        _add_leaves(figure, leaves, rows, sub_spaces, depth)
    bottom = -0.6
    figure.update_xaxes(visible=False, range=[-0.12, depth + _LEAF_WIDTH], fixedrange=True)
    figure.update_yaxes(visible=False, range=[bottom, len(leaves) + 0.1], fixedrange=True)
    figure.update_layout(showlegend=False, hovermode="closest", margin={"t": 30 if title else 8})
    return figure


def _rows(
    ordered: list[TreeBox], leaves: list[TreeBox], inner: set[tuple[int, ...]]
) -> dict[tuple[int, ...], float]:
    """Return the height of each place: leaves one below the other, parents in their middle."""
    rows = {box.path: float(len(leaves) - 1 - number) for number, box in enumerate(leaves)}
    for box in sorted(ordered, key=lambda box: -len(box.path)):
        if box.path in inner:
            below = [
                rows[child.path]
                for child in ordered
                if child.path[:-1] == box.path and len(child.path) == len(box.path) + 1
            ]
            rows[box.path] = sum(below) / len(below)
    return rows


def _add_branches(
    figure: go.Figure, box: TreeBox, ordered: list[TreeBox], rows: dict[tuple[int, ...], float]
) -> None:
    children = [other for other in ordered if other.path and other.path[:-1] == box.path]
    start = len(box.path)
    colour = DEGENERATE_COLOUR if box.degenerate else INK
    dash = "dot" if box.degenerate else "solid"
    for child in children:
        bend, end = start + 0.14, start + 1.0
        figure.add_scatter(
            x=[start, bend, bend, end],
            y=[rows[box.path], rows[box.path], rows[child.path], rows[child.path]],
            mode="lines",
            line={"color": colour, "width": 1.3, "dash": dash},
            hoverinfo="skip",
        )
        figure.add_annotation(
            x=start + 0.18,
            y=rows[child.path],
            text=child.group,
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"size": 13},
        )


def _add_boxes(
    figure: go.Figure, ordered: list[TreeBox], rows: dict[tuple[int, ...], float]
) -> None:
    """Draw a dot at each place that hovering and selecting can reach."""
    shown = [box for box in ordered if box.edge is not None or box.active]
    figure.add_scatter(
        x=[len(box.path) for box in shown],
        y=[rows[box.path] for box in shown],
        mode="markers+text",
        text=["?" if box.degenerate else "" for box in shown],
        textposition="top center",
        textfont={"color": DEGENERATE_COLOUR, "size": 16},
        marker={
            "size": [15 if box.active else 11 for box in shown],
            "color": [_dot_colour(box) for box in shown],
            "symbol": ["circle-open" if box.active else "circle" for box in shown],
            "line": {"width": 2, "color": [_dot_colour(box) for box in shown]},
        },
        hovertext=[box.note for box in shown],
        hoverinfo="text",
    )


def _dot_colour(box: TreeBox) -> str:
    if box.active:
        return "#0072B2"
    return DEGENERATE_COLOUR if box.degenerate else INK


def _add_headings(figure: go.Figure, ordered: list[TreeBox], depth: int) -> None:
    """Name the edge of each level, or the edges where it differs from node to node."""
    for level in range(depth):
        edges = {box.edge for box in ordered if len(box.path) == level and box.edge}
        text = " or ".join(f"edge {edge}" for edge in sorted(edges)) or "..."
        figure.add_annotation(
            x=level + 0.18,
            y=1,
            yref="paper",
            text=f"<b>{text}</b>",
            showarrow=False,
            xanchor="left",
            yanchor="top",
            font={"size": 13},
        )


def _add_leaves(
    figure: go.Figure,
    leaves: list[TreeBox],
    rows: dict[tuple[int, ...], float],
    sub_spaces: pd.DataFrame,
    depth: int,
) -> None:
    """Draw the name, the size and a bar of the share of the top at each leaf."""
    largest = max(float(sub_spaces["top_share"].max()), 1e-9)
    for position, (box, row) in enumerate(zip(leaves, sub_spaces.to_dict("records"), strict=True)):
        colour = sub_space_colour(position)
        height = rows[box.path]
        figure.add_shape(
            type="rect",
            x0=depth + 0.02,
            x1=depth + 0.2,
            y0=height - 0.3,
            y1=height + 0.3,
            fillcolor=colour,
            line={"width": 0},
        )
        figure.add_annotation(
            x=depth + 0.11,
            y=height,
            text=f"<b>{row['sub_space']}</b>",
            showarrow=False,
            font={"color": "#111111", "size": 13},
        )
        figure.add_annotation(
            x=depth + 0.56,
            y=height,
            text=f"{row['size']:,}",
            showarrow=False,
            xanchor="right",
        )
        width = 0.5 * float(row["top_share"]) / largest
        figure.add_shape(
            type="rect",
            x0=depth + 0.62,
            x1=depth + 0.62 + width,
            y0=height - 0.18,
            y1=height + 0.18,
            fillcolor=translucent(colour, 0.85),
            line={"width": 0},
        )
        figure.add_annotation(
            x=depth + 0.65 + width,
            y=height,
            text=f"{row['top_count']}",
            showarrow=False,
            xanchor="left",
        )
    for x, text, anchor in (
        (0.02, "sub-space", "left"),
        (0.56, "size", "right"),
        (0.62, "top", "left"),
    ):
        figure.add_annotation(
            x=depth + x,
            y=1,
            yref="paper",
            text=f"<b>{text}</b>",
            showarrow=False,
            xanchor=anchor,
            yanchor="top",
            font={"size": 13},
        )


def _alternative(leaves: list[TreeBox], sub_spaces: pd.DataFrame | None) -> str:
    if sub_spaces is None or sub_spaces.empty:
        return f"A splitting tree that is growing, with {len(leaves)} branches so far."
    parts = [
        f"{row['sub_space']} {row['size']:,} architectures, {row['top_count']} of the top"
        for row in sub_spaces.to_dict("records")
    ]
    return f"Splitting tree with {len(leaves)} sub-spaces: " + "; ".join(parts) + "."
