"""The scores of the operations at a node, and how alike the metric finds them."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from fewshot_core.plots.template import (
    DEGENERATE_COLOUR,
    INK,
    OPERATION_COLOURS,
    base_figure,
    compact_text,
    empty_figure,
    number_text,
    text_colour,
)
from fewshot_core.space import OPERATION_LABELS, operation_set_label

Groups = Sequence[Sequence[int]]

_COLOUR_SCALE = ((0.0, "#93B3E2"), (0.5, "#DCE2E8"), (1.0, "#F3C45C"))


def scores_figure(
    operations: Sequence[int],
    values: Sequence[float | None] | None,
    title: str = "Scores",
    axis_title: str = "",
) -> go.Figure:
    """Draw the score of each operation as a bar; a missing or infinite one is said in words.

    Args:
        operations: Operation numbers.
        values: Their scores, or None where the metric compares only pairs.
        title: The title.
        axis_title: What the scores are, with their unit.
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
    finite = [value is not None and math.isfinite(value) for value in values]
    figure.add_bar(
        x=[value if known else 0.0 for value, known in zip(values, finite, strict=True)],
        y=labels,
        orientation="h",
        text=texts,
        textposition="outside",
        textfont={"color": [INK if known else DEGENERATE_COLOUR for known in finite]},
        cliponaxis=False,
        marker={"color": [OPERATION_COLOURS[operation] for operation in operations]},
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    known_values = [v for v, known in zip(values, finite, strict=True) if known and v is not None]
    figure.update_xaxes(title_text=axis_title or None, range=_with_room(known_values), nticks=5)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(bargap=0.3)
    return figure


def similarity_figure(
    operations: Sequence[int],
    similarity: Sequence[Sequence[float]],
    groups: Groups = (),
    title: str = "Similarity",
) -> go.Figure:
    """Draw the similarity of all pairs, ordered by group, with the chosen groups outlined.

    Args:
        operations: Operation numbers, in the order of the matrix.
        similarity: Shape (n, n).
        groups: The chosen groups, as operation numbers; empty where nothing is chosen yet.
        title: The title.
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
    figure.add_heatmap(
        z=np.where(np.isfinite(matrix), matrix, np.nan),
        x=labels,
        y=labels,
        colorscale=_COLOUR_SCALE,
        text=[[compact_text(float(value)) for value in row] for row in matrix],
        customdata=[[number_text(float(value)) for value in row] for row in matrix],
        texttemplate="%{text}",
        textfont={"color": text_colour(_COLOUR_SCALE[0][1])},
        hovertemplate="%{y} and %{x}: %{customdata}<extra></extra>",
        hoverongaps=True,
        showscale=False,
        xgap=2,
        ygap=2,
    )
    _outline(figure, groups)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False)
    return figure


def _outline(figure: go.Figure, groups: Groups) -> None:
    """Frame the pairs inside each group: what is outside all frames is what was cut."""
    start = -0.5
    for group in groups:
        end = start + len(group)
        figure.add_shape(
            type="rect",
            x0=start,
            x1=end,
            y0=start,
            y1=end,
            line={"color": DEGENERATE_COLOUR, "width": 3},
        )
        start = end


def _with_room(values: Sequence[float]) -> list[float]:
    """Return a range from 0 to the values, with room for the numbers beside the bars."""
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    room = 0.3 * (high - low or 1.0)
    return [low - room if low < 0 else low, high + room if high > 0 or low == 0 else high]
