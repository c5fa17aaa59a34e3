"""Operations as small coloured labels, and the cell of an architecture."""

from collections.abc import Iterable
from html import escape
from typing import Any

import plotly.graph_objects as go

from fewshot_core.plots.template import (
    INK,
    OPERATION_COLOURS,
    OPERATION_GLYPHS,
    SMALL_FONT_SIZE,
    Annotation,
    base_figure,
    empty_figure,
    note,
)
from fewshot_core.space import EDGES, OPERATION_LABELS, OPERATIONS, Architecture, edge_label

_GAP = 3
_PLACES = ((0.0, 0.0), (1.15, 1.0), (1.65, 0.42), (3.0, 0.0))
_HEIGHT = 240


def operation_label(
    operation: int, text: str, x: float, y: float, hover: str, **options: Any
) -> Annotation:
    """White text on the colour of an operation."""
    look = {"bgcolor": OPERATION_COLOURS[operation], "borderpad": 3, "hovertext": hover}
    font = {"color": "#FFFFFF", "size": SMALL_FONT_SIZE}
    return note(text, x, y, font=font, **(look | options))


def operation_row(
    operations: Iterable[int], x: float, y: float, shift: int, hover: str
) -> list[Annotation]:
    """Short labels of operations side by side, beginning ``shift`` pixels to the right of ``x``."""
    row = []
    for operation in operations:
        text = OPERATION_GLYPHS[operation]
        width = 27 if len(text) > 1 else 17
        place = {"width": width - 2, "borderpad": 1, "xanchor": "left", "xshift": shift}
        row.append(operation_label(operation, text, x, y, hover, **place))
        shift += width + _GAP
    return row


def cell_figure(architecture: Architecture | None, title: str = "Cell") -> go.Figure:
    """Draw a cell without crossing edges; an edge with the operation ``none`` is dotted."""
    if architecture is None:
        return empty_figure(title, "no architecture selected", _HEIGHT)
    parts = [
        f"{edge_label(edge)} {OPERATION_LABELS[operation]}"
        for edge, operation in enumerate(architecture.operations)
    ]
    alt = f"{title} of {architecture.to_string()}: {', '.join(parts)}."
    figure = base_figure(title, _HEIGHT, alt)
    arrows, labels = [], []
    for edge, operation in enumerate(architecture.operations):
        target, source = EDGES[edge]
        (x0, y0), (x1, y1) = _PLACES[source], _PLACES[target]
        if OPERATIONS[operation] == "none":
            line = {"color": OPERATION_COLOURS[operation], "width": 2, "dash": "dot"}
            figure.add_scatter(x=[x0, x1], y=[y0, y1], mode="lines", line=line, hoverinfo="skip")
        else:
            arrows.append(_arrow(x0, y0, x1, y1, OPERATION_COLOURS[operation]))
        hover = escape(f"edge {edge_label(edge)}: {OPERATIONS[operation]}")
        middle = (x0 + x1) / 2, (y0 + y1) / 2
        labels.append(operation_label(operation, OPERATION_LABELS[operation], *middle, hover))
    figure.add_scatter(
        x=[x for x, _ in _PLACES],
        y=[y for _, y in _PLACES],
        mode="markers+text",
        text=["0", "1", "2", "3"],
        textfont={"color": "#FFFFFF"},
        marker={"size": 26, "color": INK},
        hovertext=["node 0, input", "node 1", "node 2", "node 3, output"],
        hoverinfo="text",
    )
    figure.update_layout(annotations=arrows + labels, showlegend=False)
    figure.update_xaxes(visible=False, range=[-0.2, 3.2], fixedrange=True)
    figure.update_yaxes(visible=False, range=[-0.2, 1.2], fixedrange=True)
    return figure


def _arrow(x0: float, y0: float, x1: float, y1: float, colour: str) -> Annotation:
    ends = {"x": x1, "y": y1, "ax": x0, "ay": y0, "axref": "x", "ayref": "y"}
    head = {"arrowhead": 2, "arrowsize": 0.9, "arrowwidth": 2.6, "arrowcolor": colour}
    return {"text": "", "showarrow": True, "standoff": 14, "startstandoff": 13, **ends, **head}
