"""Operations: as coloured labels, in a cell, and their scores and similarities at a node."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from fewshot_core.plots.export import with_source
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    OPERATION_COLOURS,
    SMALL_FONT_SIZE,
    Annotation,
    add_matrix,
    base_figure,
    empty_figure,
    escape,
    note,
    number_text,
    text_on,
)
from fewshot_core.space import NAS_BENCH_201, Architecture, SearchSpace, SubSpace

_COLOUR_SCALE = ((0.0, "#93B3E2"), (0.5, "#DCE2E8"), (1.0, "#F3C45C"))
_GAP = 3
_PLACES = ((0.0, 0.0), (1.15, 1.0), (1.65, 0.42), (3.0, 0.0))
_HEIGHT = 240
_CHAIN_ROW, _CHAIN_SHIFT = 30, 14
_ARROW = {"text": "", "showarrow": True, "standoff": 14, "startstandoff": 13, "axref": "x"}
_ARROW |= {"ayref": "y", "arrowhead": 2, "arrowsize": 0.9}
_GROUP_GAP = 8
_LEGEND_WIDTH = 450
LEGEND_ROW = 24
"""Pixels from one row of a legend of operations to the next."""

Look = tuple[str, float, bool]
"""Colour and width of a decision in a diagram, and whether it is dotted."""


def operation_colour(space: SearchSpace, decision: int, operation: int) -> str:
    """Colour of an operation: that of its space, or else one of its number."""
    name = space.decisions[decision].operations[operation]
    return space.tints.get(name, OPERATION_COLOURS[operation % len(OPERATION_COLOURS)])


def operation_label(colour: str, text: str, x: float, y: float, **options: Any) -> Annotation:
    """Text on the colour of an operation."""
    font = {"color": text_on(colour), "size": SMALL_FONT_SIZE}
    return note(escape(text), x, y, **({"font": font, "bgcolor": colour, "borderpad": 3} | options))


def operation_row(
    space: SearchSpace,
    decision: int,
    operations: Iterable[int],
    x: float,
    y: float,
    shift: int,
    **options: Any,
) -> list[Annotation]:
    """Glyphs of operations side by side, beginning ``shift`` pixels to the right of ``x``."""
    row = []
    for operation in operations:
        glyph = space.decisions[decision].glyphs[operation]
        place = {"width": _glyph_width(glyph) - 2, "borderpad": 1, "xanchor": "left"}
        colour = operation_colour(space, decision, operation)
        row.append(operation_label(colour, glyph, x, y, **(place | {"xshift": shift} | options)))
        shift += _glyph_width(glyph) + _GAP
    return row


def row_width(space: SearchSpace, decision: int, operations: Iterable[int]) -> int:
    """Width of ``operation_row`` in pixels."""
    glyphs = space.decisions[decision].glyphs
    return sum(_glyph_width(glyphs[operation]) + _GAP for operation in operations) - _GAP


def _glyph_width(glyph: str) -> int:
    return 11 + 6 * len(glyph)


def operation_legend(space: SearchSpace, decisions: Iterable[int]) -> list[list[Annotation]]:
    """Glyph and name of every operation of some decisions, in rows below the axes."""
    distinct = {space.decisions[number].operations: number for number in reversed([*decisions])}
    rows: list[list[Annotation]] = []
    for number in sorted(distinct.values()):
        shift, decision = _LEGEND_WIDTH + 1, space.decisions[number]
        for operation, name in enumerate(decision.operations):
            if shift > _LEGEND_WIDTH:
                rows.append([])
                shift = 0
            place: Any = {"xref": "paper", "yref": "paper", "yanchor": "top"}
            place["yshift"] = -LEGEND_ROW * (len(rows) - 1)
            hover = {"hovertext": escape(space.decision_label(number))}
            label = operation_row(space, number, (operation,), 0, 0, shift, **place, **hover)
            shift += _glyph_width(decision.glyphs[operation]) + _GAP
            if name != decision.glyphs[operation]:
                text = {"xanchor": "left", "xshift": shift, "font": {"size": SMALL_FONT_SIZE}}
                label.append(note(escape(name), 0, 0, **place | text))
                shift += 7 * len(name)
            shift += 4 * _GAP
            rows[-1] += label
    return rows


@with_source
def cell_figure(architecture: Architecture, title: str = "") -> go.Figure:
    """Draw the cell of an architecture without crossing edges, or its decisions as a chain.

    The edge of an operation ``none`` is dotted.
    """
    space = architecture.space
    labels, looks, parts = [], [], []
    for number, (decision, operation) in enumerate(
        zip(space.decisions, architecture.operations, strict=True)
    ):
        colour, name = operation_colour(space, number, operation), decision.operations[operation]
        parts.append(f"{decision.name} {decision.labels[operation]}")
        look: dict[str, Any] = {"hovertext": escape(f"{space.decision_label(number)}: {name}")}
        if not _is_cell(space):
            look |= {"xanchor": "left", "xshift": _CHAIN_SHIFT}
        place = _place(space, number)
        labels.append(operation_label(colour, decision.labels[operation], *place, **look))
        looks.append((colour, 2.6, name == "none"))
    title = title or ("Cell" if space.edges else "Architecture")
    alt = f"{title} of {architecture.to_string()}: {', '.join(parts)}."
    return _draw(space, title, alt, looks, labels)


@with_source
def node_cell_figure(sub_space: SubSpace, edge: int, groups: Sequence[Sequence[int]]) -> go.Figure:
    """Draw the cell, or chain, at a node of a splitting tree; the decision split is highlighted.

    Decisions of which the sub-supernet at the node does not have all operations are labelled with
    those it has; the highlighted one with its groups, one beside the other.
    """
    space, cell = sub_space.space, _is_cell(sub_space.space)
    labels, parts = [], []
    for number, operations in enumerate(sub_space.enabled):
        decision = space.decisions[number]
        if number != edge and len(operations) == len(decision.operations):
            if not cell:
                look: Any = {"xanchor": "left", "xshift": _CHAIN_SHIFT}
                text = f"all {len(operations)}"
                labels.append(note(text, *_place(space, number), **look, opacity=0.75))
            continue
        shown = groups if number == edge else [operations]
        listed = " | ".join(map(decision.describe, shown))
        hover = escape(f"{space.decision_label(number)}: {listed}")
        parts.append(f"{space.decision_label(number)} {listed}")
        widths = [row_width(space, number, group) for group in shown]
        shift = -(sum(widths) + _GROUP_GAP * (len(widths) - 1)) // 2 if cell else _CHAIN_SHIFT
        for group, width in zip(shown, widths, strict=True):
            place = *_place(space, number), shift
            labels += operation_row(space, number, group, *place, hovertext=hover)
            shift += width + _GROUP_GAP
    looks = [
        (ACTIVE_COLOUR, 4.5, False) if number == edge else (INK, 1.4, False)
        for number in range(len(space.decisions))
    ]
    what = "Cell" if space.edges else "Decisions"
    alt = f"{what} with {space.decision_label(edge)} highlighted; {'; '.join(parts)}."
    return _draw(space, "", alt, looks, labels)


def _is_cell(space: SearchSpace) -> bool:
    """Whether a space is drawn as a cell: it has edges, between the four nodes that have places."""
    return bool(space.edges) and all(
        0 <= source < target < len(_PLACES) for target, source in space.edges
    )


def _place(space: SearchSpace, decision: int) -> tuple[float, float]:
    """Where the labels of a decision are: the middle of its edge, or its row of the chain."""
    if not _is_cell(space):
        return 0.0, -float(decision)
    target, source = space.edges[decision]
    (x0, y0), (x1, y1) = _PLACES[source], _PLACES[target]
    return (x0 + x1) / 2, (y0 + y1) / 2


def _draw(
    space: SearchSpace, title: str, alt: str, looks: Sequence[Look], labels: list[Annotation]
) -> go.Figure:
    chain = (46 if title else 26) + _CHAIN_ROW * len(space.decisions)
    figure = base_figure(title, _HEIGHT if _is_cell(space) else chain, alt)
    draw = _draw_cell if _is_cell(space) else _draw_chain
    figure.update_layout(annotations=draw(figure, space, looks) + labels, showlegend=False)
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    return figure


def _draw_cell(figure: go.Figure, space: SearchSpace, looks: Sequence[Look]) -> list[Annotation]:
    """Draw the nodes of a cell, and return arrows for its edges."""
    arrows: list[Annotation] = []
    for (target, source), (colour, width, dotted) in zip(space.edges, looks, strict=True):
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
    figure.update_xaxes(visible=False, range=[-0.2, 3.2])
    figure.update_yaxes(visible=False, range=[-0.2, 1.2])
    return arrows


def _draw_chain(figure: go.Figure, space: SearchSpace, looks: Sequence[Look]) -> list[Annotation]:
    """Draw decisions one below the other, joined by a line without arrows."""
    count = len(space.decisions)
    rows = [-number for number in range(count)]
    colours = [colour for colour, _, _ in looks]
    strong = [width > 4 for _, width, _ in looks]
    figure.add_scatter(
        x=[0] * count,
        y=rows,
        mode="lines+markers",
        line={"color": INK, "width": 1.4},
        marker={"size": [14 if wide else 9 for wide in strong], "color": colours, "opacity": 1},
        hoverinfo="skip",
    )
    names = [
        f"<b>{escape(decision.name)}</b>" if wide else escape(decision.name)
        for decision, wide in zip(space.decisions, strong, strict=True)
    ]
    figure.update_xaxes(visible=False, range=[-0.04, 1])
    figure.update_yaxes(tickvals=rows, ticktext=names, range=[-count + 0.4, 0.6], showgrid=False)
    return []


@with_source
def scores_figure(
    operations: Sequence[int],
    values: Sequence[float | None],
    title: str = "Scores",
    axis_title: str = "",
    edge: int = 0,
    space: SearchSpace = NAS_BENCH_201,
) -> go.Figure:
    """Draw the score of each operation number as a bar, with a text where it is not finite.

    The operations are those of the decision ``edge`` of a space.
    """
    height = 96 + 34 * max(len(operations), 3)
    if all(value is None for value in values):
        return empty_figure(title, "this metric compares pairs: see the similarities", height)
    labels = [escape(space.decisions[edge].labels[operation]) for operation in operations]
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
        marker={"color": [operation_colour(space, edge, operation) for operation in operations]},
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    reach = _range_with_room([length for length in lengths if length is not None])
    figure.update_xaxes(title_text=escape(axis_title) or None, range=reach, nticks=5)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(bargap=0.3)
    return figure


@with_source
def similarity_figure(
    operations: Sequence[int],
    similarity: Sequence[Sequence[float]],
    groups: Sequence[Sequence[int]] = (),
    title: str = "Similarity",
    edge: int = 0,
    space: SearchSpace = NAS_BENCH_201,
) -> go.Figure:
    """Draw a similarity matrix of shape (n, n), ordered by the chosen groups, which are outlined.

    Groups hold operation numbers of the decision ``edge`` of a space; there are none before the
    split is decided.
    """
    decision = space.decisions[edge]
    height = 72 + 40 * max(len(operations), 3)
    shown = groups or [operations]
    order = [list(operations).index(operation) for group in shown for operation in group]
    matrix = np.asarray(similarity, dtype=np.float64)[np.ix_(order, order)]
    labels = [escape(decision.labels[operations[position]]) for position in order]
    joined = " against ".join(f"{{{decision.describe(group)}}}" for group in groups)
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
