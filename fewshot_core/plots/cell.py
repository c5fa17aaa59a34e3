"""Operations as small tinted signs, and the cell of an architecture.

Signs are returned as annotations, for a figure to take all of them at once: adding them one by
one takes a time that grows with the square of their number.
"""

from collections.abc import Iterable
from html import escape
from typing import Any

import plotly.graph_objects as go

from fewshot_core.plots.template import (
    INK,
    OPERATION_COLOURS,
    OPERATION_GLYPHS,
    SMALL_FONT_SIZE,
    base_figure,
    empty_figure,
)
from fewshot_core.space import EDGES, OPERATION_LABELS, OPERATIONS, Architecture, edge_label

Annotation = dict[str, Any]

_GAP = 3


def chip(operation: int, text: str, x: float, y: float, hover: str) -> Annotation:
    """Return the sign of an operation, centred on a point of the figure's axes."""
    return {
        "x": x,
        "y": y,
        "text": text,
        "showarrow": False,
        "bgcolor": OPERATION_COLOURS[operation],
        "borderpad": 3,
        "font": {"color": "#FFFFFF", "size": SMALL_FONT_SIZE},
        "hovertext": hover,
    }


def chip_row(
    operations: Iterable[int], x: float, y: float, shift: int, hover: str
) -> list[Annotation]:
    """Return the signs of some operations side by side.

    Args:
        operations: Operation numbers.
        x: Where the row begins, on the figure's axis.
        y: Its middle, on the figure's axis.
        shift: How far to the right of ``x`` it begins, in pixels.
        hover: What hovering over it says.
    """
    row = []
    for operation in operations:
        width = _width(operation)
        place = {"width": width - 2, "borderpad": 1, "xanchor": "left", "xshift": shift}
        row.append(chip(operation, OPERATION_GLYPHS[operation], x, y, hover) | place)
        shift += width + _GAP
    return row


def _width(operation: int) -> int:
    """Return the width of an operation's sign, in pixels."""
    return 27 if len(OPERATION_GLYPHS[operation]) > 1 else 17


_PLACES = ((0.0, 0.0), (1.15, 1.0), (1.65, 0.42), (3.0, 0.0))
_HEIGHT = 240


def cell_figure(architecture: Architecture | None, title: str = "Cell") -> go.Figure:
    """Draw a cell without crossing edges; an edge with the operation ``none`` is dotted."""
    if architecture is None:
        return empty_figure(title, "no architecture is chosen", _HEIGHT)
    parts = [
        f"{edge_label(edge)} {OPERATION_LABELS[operation]}"
        for edge, operation in enumerate(architecture.operations)
    ]
    alt = f"{title} of {architecture.to_string()}: {', '.join(parts)}."
    figure = base_figure(title, _HEIGHT, alt)
    annotations = []
    for edge, operation in enumerate(architecture.operations):
        if OPERATIONS[operation] == "none":
            _add_dotted(figure, edge, operation)
        else:
            annotations.append(_arrow(edge, operation))
    labels = [_label(edge, operation) for edge, operation in enumerate(architecture.operations)]
    figure.update_layout(annotations=annotations + labels, showlegend=False)
    _add_nodes(figure)
    figure.update_xaxes(visible=False, range=[-0.2, 3.2], fixedrange=True)
    figure.update_yaxes(visible=False, range=[-0.2, 1.2], fixedrange=True)
    return figure


def _add_nodes(figure: go.Figure) -> None:
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


def _arrow(edge: int, operation: int) -> Annotation:
    (x0, y0), (x1, y1) = _ends(edge)
    return {
        "x": x1,
        "y": y1,
        "ax": x0,
        "ay": y0,
        "axref": "x",
        "ayref": "y",
        "text": "",
        "showarrow": True,
        "arrowhead": 2,
        "arrowsize": 0.9,
        "arrowwidth": 2.6,
        "arrowcolor": OPERATION_COLOURS[operation],
        "standoff": 14,
        "startstandoff": 13,
    }


def _add_dotted(figure: go.Figure, edge: int, operation: int) -> None:
    """Draw an edge that carries nothing."""
    (x0, y0), (x1, y1) = _ends(edge)
    line = {"color": OPERATION_COLOURS[operation], "width": 2, "dash": "dot"}
    figure.add_scatter(x=[x0, x1], y=[y0, y1], mode="lines", line=line, hoverinfo="skip")


def _label(edge: int, operation: int) -> Annotation:
    (x0, y0), (x1, y1) = _ends(edge)
    hover = escape(f"edge {edge_label(edge)}: {OPERATIONS[operation]}")
    return chip(operation, OPERATION_LABELS[operation], (x0 + x1) / 2, (y0 + y1) / 2, hover)


def _ends(edge: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the places of an edge's source and target."""
    target, source = EDGES[edge]
    return _PLACES[source], _PLACES[target]
