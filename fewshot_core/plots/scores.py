"""Scores of the operations at a node, and the similarity of each pair."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from fewshot_core.plots.template import (
    DEGENERATE_COLOUR,
    INK,
    OPERATION_COLOURS,
    add_matrix,
    base_figure,
    empty_figure,
    number_text,
    text_colour,
)
from fewshot_core.space import OPERATION_LABELS, operation_set_label

_COLOUR_SCALE = ((0.0, "#93B3E2"), (0.5, "#DCE2E8"), (1.0, "#F3C45C"))


def scores_figure(
    operations: Sequence[int],
    values: Sequence[float | None] | None,
    title: str = "Scores",
    axis_title: str = "",
) -> go.Figure:
    """Draw the score of each operation number as a bar, with a text where it is not finite.

    ``values`` is None for a metric that only compares pairs.
    """
    height = 96 + 34 * max(len(operations), 3)
    if not operations:
        return empty_figure(title, "no operation is enabled", height)
    if values is None or all(value is None for value in values):
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
    if not operations:
        return empty_figure(title, "no operation is enabled", height)
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
        textfont={"color": text_colour(_COLOUR_SCALE[0][1])},
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
