"""The scores of the operations at a node, and how alike the metric finds them."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from fewshot_core.plots.template import INK, OPERATION_COLOURS, base_figure, empty_figure
from fewshot_core.space import OPERATION_LABELS

Groups = Sequence[Sequence[int]]


def scores_figure(
    operations: Sequence[int], values: Sequence[float | None], title: str = "Scores"
) -> go.Figure:
    """Draw the score of each operation as a bar.

    Args:
        operations: Operation numbers.
        values: Their scores; None where the metric compares only pairs.
        title: The title.
    """
    if all(value is None for value in values):
        return empty_figure(title, "this metric compares pairs: see the similarities")
    labels = [OPERATION_LABELS[operation] for operation in operations]
    numbers = [value if value is not None and math.isfinite(value) else 0.0 for value in values]
    texts = [_format(value) for value in values]
    listed = ", ".join(f"{label} {text}" for label, text in zip(labels, texts, strict=True))
    figure = base_figure(title, 260, f"{title}: {listed}.")
    figure.add_bar(
        x=numbers,
        y=labels,
        orientation="h",
        text=texts,
        textposition="auto",
        marker={"color": [OPERATION_COLOURS[operation] for operation in operations]},
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(bargap=0.3)
    return figure


def similarity_figure(
    operations: Sequence[int],
    similarity: Sequence[Sequence[float]],
    groups: Groups,
    title: str = "Similarity",
) -> go.Figure:
    """Draw the similarity of all pairs, ordered by group, with the chosen groups outlined.

    Args:
        operations: Operation numbers, in the order of the matrix.
        similarity: Shape (n, n).
        groups: The chosen groups, as operation numbers.
        title: The title.
    """
    if not operations:
        return empty_figure(title, "no operation is enabled")
    order = [list(operations).index(operation) for group in groups for operation in group]
    matrix = np.asarray(similarity, dtype=float)[np.ix_(order, order)]
    labels = [OPERATION_LABELS[operations[position]] for position in order]
    joined = " against ".join(
        "{" + " ".join(OPERATION_LABELS[operation] for operation in group) + "}" for group in groups
    )
    figure = base_figure(title, 260, f"{title} of operations, cut into {joined}.")
    figure.add_heatmap(
        z=matrix,
        x=labels,
        y=labels,
        colorscale="Cividis",
        text=[[_format(value) for value in row] for row in matrix],
        texttemplate="%{text}",
        hovertemplate="%{y} and %{x}: %{text}<extra></extra>",
        showscale=False,
        xgap=1,
        ygap=1,
    )
    _outline(figure, groups)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False)
    return figure


def _outline(figure: go.Figure, groups: Groups) -> None:
    start = -0.5
    for group in groups:
        end = start + len(group)
        figure.add_shape(
            type="rect", x0=start, x1=end, y0=start, y1=end, line={"color": INK, "width": 3}
        )
        start = end


def _format(value: float | None) -> str:
    if value is None:
        return "none"
    if not math.isfinite(value):
        return "not finite"
    if value == 0 or 0.001 <= abs(value) < 1e7:
        return f"{value:,.0f}" if float(value).is_integer() and abs(value) > 1 else f"{value:,.4g}"
    return f"{value:.3g}"
