"""Operations: as coloured labels, in a cell, and their scores and similarities at a node."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from fewshot_core.plots.export import with_source
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DARK_TEXT,
    DEGENERATE_COLOUR,
    INK,
    OPERATION_COLOURS,
    OPERATION_GLYPHS,
    SMALL_FONT_SIZE,
    Annotation,
    add_matrix,
    base_figure,
    empty_figure,
    note,
    number_text,
)
from fewshot_core.space import (
    EDGES,
    OPERATION_LABELS,
    OPERATIONS,
    Architecture,
    SubSpace,
    edge_label,
    operation_set_label,
)

_COLOUR_SCALE = ((0.0, "#93B3E2"), (0.5, "#DCE2E8"), (1.0, "#F3C45C"))
_GAP = 3
_PLACES = ((0.0, 0.0), (1.15, 1.0), (1.65, 0.42), (3.0, 0.0))
_HEIGHT = 240
_ARROW = {"text": "", "showarrow": True, "standoff": 14, "startstandoff": 13, "axref": "x"}
_ARROW |= {"ayref": "y", "arrowhead": 2, "arrowsize": 0.9}
_GROUP_GAP = 8
_NAMES = ("none", "skip", "convolution", "convolution", "pooling")


def operation_label(
    operation: int, text: str, x: float, y: float, hover: str, **options: Any
) -> Annotation:
    """White text on the colour of an operation."""
    look = {"bgcolor": OPERATION_COLOURS[operation], "borderpad": 3, "hovertext": hover}
    font = {"color": "#FFFFFF", "size": SMALL_FONT_SIZE}
    return note(text, x, y, font=font, **(look | options))


def operation_row(
    operations: Iterable[int], x: float, y: float, shift: int, hover: str, **options: Any
) -> list[Annotation]:
    """Short labels of operations side by side, beginning ``shift`` pixels to the right of ``x``."""
    row = []
    for operation in operations:
        width = _glyph_width(operation)
        place = {"width": width - 2, "borderpad": 1, "xanchor": "left", "xshift": shift} | options
        row.append(operation_label(operation, OPERATION_GLYPHS[operation], x, y, hover, **place))
        shift += width + _GAP
    return row


def _glyph_width(operation: int) -> int:
    return 27 if len(OPERATION_GLYPHS[operation]) > 1 else 17


def operation_legend() -> list[Annotation]:
    """Short label and name of every operation, in a row below the axes."""
    row, shift = [], 0
    place: Any = {"xref": "paper", "yref": "paper", "yanchor": "top"}
    for operation, name in enumerate(_NAMES):
        row += operation_row((operation,), 0, 0, shift, OPERATIONS[operation], **place)
        shift += _glyph_width(operation) + _GAP
        text = {"xanchor": "left", "xshift": shift, "font": {"size": SMALL_FONT_SIZE}}
        row.append(note(name, 0, 0, **place | text))
        shift += 7 * len(name) + 5 * _GAP
    return row


@with_source
def cell_figure(architecture: Architecture, title: str = "Cell") -> go.Figure:
    """Draw a cell without crossing edges; an edge with the operation ``none`` is dotted."""
    parts = [
        f"{edge_label(edge)} {OPERATION_LABELS[operation]}"
        for edge, operation in enumerate(architecture.operations)
    ]
    alt = f"{title} of {architecture.to_string()}: {', '.join(parts)}."
    labels = []
    for edge, operation in enumerate(architecture.operations):
        hover = escape(f"edge {edge_label(edge)}: {OPERATIONS[operation]}")
        labels.append(
            operation_label(operation, OPERATION_LABELS[operation], *_middle(edge), hover)
        )
    looks = [
        (OPERATION_COLOURS[operation], 2.6, OPERATIONS[operation] == "none")
        for operation in architecture.operations
    ]
    return _draw_cell(title, alt, looks, labels)


@with_source
def node_cell_figure(
    space: SubSpace, edge: int, groups: Sequence[Sequence[int]], title: str = ""
) -> go.Figure:
    """Draw the cell at a node of a splitting tree, with the edge that is split there highlighted.

    Edges on which the sub-supernet at the node, ``space``, does not have all operations are
    labelled with those it has; the highlighted one with its groups, one beside the other.
    """
    labels, parts = [], []
    for number, operations in enumerate(space.enabled):
        if number != edge and len(operations) == len(OPERATIONS):
            continue
        shown = groups if number == edge else [operations]
        listed = " | ".join(map(operation_set_label, shown))
        hover = escape(f"edge {edge_label(number)}: {listed}")
        parts.append(f"edge {edge_label(number)} {listed}")
        shift = -(sum(_row_width(group) + _GROUP_GAP for group in shown) - _GROUP_GAP) // 2
        for group in shown:
            labels += operation_row(group, *_middle(number), shift, hover)
            shift += _row_width(group) + _GROUP_GAP
    looks = [
        (ACTIVE_COLOUR, 4.5, False) if number == edge else (INK, 1.4, False)
        for number in range(len(EDGES))
    ]
    alt = f"Cell with edge {edge_label(edge)} highlighted; {'; '.join(parts)}."
    return _draw_cell(title, alt, looks, labels)


def _row_width(operations: Sequence[int]) -> int:
    return sum(_glyph_width(operation) + _GAP for operation in operations) - _GAP


def _middle(edge: int) -> tuple[float, float]:
    target, source = EDGES[edge]
    (x0, y0), (x1, y1) = _PLACES[source], _PLACES[target]
    return (x0 + x1) / 2, (y0 + y1) / 2


def _draw_cell(
    title: str, alt: str, looks: Sequence[tuple[str, float, bool]], labels: list[Annotation]
) -> go.Figure:
    """Draw a cell; ``looks`` are the colour and width of each edge, and whether it is dotted."""
    figure = base_figure(title, _HEIGHT, alt)
    arrows = []
    for (target, source), (colour, width, dotted) in zip(EDGES, looks, strict=True):
        (x0, y0), (x1, y1) = _PLACES[source], _PLACES[target]
        if dotted:
            line = {"color": colour, "width": 2, "dash": "dot"}
            figure.add_scatter(x=[x0, x1], y=[y0, y1], mode="lines", line=line, hoverinfo="skip")
        else:
            look = {**_ARROW, "arrowcolor": colour, "arrowwidth": width}
            arrows.append({"x": x1, "y": y1, "ax": x0, "ay": y0, **look})
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


@with_source
def scores_figure(
    operations: Sequence[int],
    values: Sequence[float | None],
    title: str = "Scores",
    axis_title: str = "",
) -> go.Figure:
    """Draw the score of each operation number as a bar, with a text where it is not finite."""
    height = 96 + 34 * max(len(operations), 3)
    if all(value is None for value in values):
        return empty_figure(title, "this metric compares pairs: see the similarities", height)
    labels = [OPERATION_LABELS[operation] for operation in operations]
    texts = [number_text(value) for value in values]
    listed = ", ".join(f"{label} {text}" for label, text in zip(labels, texts, strict=True))
    figure = base_figure(title, height, f"{title}: {listed}.")
    lengths = [value if value is not None and math.isfinite(value) else None for value in values]
    figure.add_bar(
        x=[length or 0.0 for length in lengths],
        y=labels,
        orientation="h",
        text=texts,
        textposition="outside",
        textfont={"color": [DEGENERATE_COLOUR if length is None else INK for length in lengths]},
        cliponaxis=False,
        marker={"color": [OPERATION_COLOURS[operation] for operation in operations]},
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    reach = _range_with_room([length for length in lengths if length is not None])
    figure.update_xaxes(title_text=axis_title or None, range=reach, nticks=5)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(bargap=0.3)
    return figure


@with_source
def similarity_figure(
    operations: Sequence[int],
    similarity: Sequence[Sequence[float]],
    groups: Sequence[Sequence[int]] = (),
    title: str = "Similarity",
) -> go.Figure:
    """Draw a similarity matrix of shape (n, n), ordered by the chosen groups, which are outlined.

    Groups hold operation numbers; there are none before the split is decided.
    """
    height = 72 + 40 * max(len(operations), 3)
    shown = groups or [operations]
    order = [list(operations).index(operation) for group in shown for operation in group]
    matrix = np.asarray(similarity, dtype=np.float64)[np.ix_(order, order)]
    labels = [OPERATION_LABELS[operations[position]] for position in order]
    joined = " against ".join(f"{{{operation_set_label(group)}}}" for group in groups)
    cut = f", cut into {joined}" if groups else ""
    figure = base_figure(title, height, f"{title} of {len(labels)} operations{cut}.")
    add_matrix(
        figure,
        np.where(np.isfinite(matrix), matrix, np.nan),
        labels,
        labels,
        colorscale=_COLOUR_SCALE,
        text=[[_compact_text(float(value)) for value in row] for row in matrix],
        customdata=[[number_text(float(value)) for value in row] for row in matrix],
        texttemplate="%{text}",
        textfont={"color": DARK_TEXT},
        hovertemplate="%{y} and %{x}: %{customdata}<extra></extra>",
        hoverongaps=True,
    )
    start = -0.5
    for group in groups:
        end = start + len(group)
        line = {"color": DEGENERATE_COLOUR, "width": 3}
        figure.add_shape(type="rect", x0=start, x1=end, y0=start, y1=end, line=line)
        start = end
    return figure


def _range_with_room(values: Sequence[float]) -> list[float]:
    """Range from 0 to the values, with room for the numbers beside the bars."""
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    room = 0.3 * (high - low or 1.0)
    return [low - room if low < 0 else low, high + room if high > 0 or low == 0 else high]


def _compact_text(value: float) -> str:
    """Format a number in a few characters: "-243k"."""
    if not 1000 <= abs(value) < 1e15:
        plain = value == 0 or not math.isfinite(value)
        return number_text(value) if plain else f"{value:.3g}"
    power = int(math.log10(abs(value))) // 3
    return f"{value / 1000**power:.3g}{' kMGT'[power]}"
