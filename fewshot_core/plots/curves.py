"""Distributions on one pair of axes: densities and cumulative curves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.distributions import WHOLE
from fewshot_core.plots.template import (
    WHOLE_COLOUR,
    outline_colour,
    sub_space_colour,
    sub_space_dash,
    translucent,
)

CURVE_STYLES = {
    "overlay": ("density", "% of its architectures per % of accuracy"),
    "cumulative": ("share", "% of its architectures up to here"),
}
"""The column that each style draws, and what its axis says."""


def add_curves(
    figure: go.Figure,
    frame: pd.DataFrame,
    hovers: Mapping[str, str],
    style: str,
    highlight: str | None,
) -> None:
    """Draw one line for each sub-space over the grey area of the whole space.

    Args:
        figure: The figure to add to.
        frame: Columns sub_space, accuracy and what the style draws.
        hovers: Hover text of the whole space and of each sub-space, by name, in order.
        style: One of ``CURVE_STYLES``.
        highlight: The sub-space to bring forward, or None.
    """
    column, label = CURVE_STYLES[style]
    curves = {str(name): part for name, part in frame.groupby("sub_space", sort=False)}
    _add_whole(figure, curves[WHOLE], column, hovers[WHOLE])
    for position, name in enumerate(name for name in hovers if name != WHOLE):
        forward = highlight in (None, name)
        line = _place(curves[name], column)
        _add_line(figure, line, name, position, forward, hovers[name])
    figure.update_yaxes(title_text=label, rangemode="tozero")


def _place(curve: pd.DataFrame, column: str) -> dict[str, object]:
    """Return the points of a line, in percent of its architectures."""
    accuracy = curve["accuracy"].to_numpy()
    return {
        "x0": float(accuracy[0]),
        "dx": float(accuracy[1] - accuracy[0]),
        "y": (100 * curve[column].to_numpy()).astype(np.float32),
        "mode": "lines",
    }


def _add_whole(figure: go.Figure, curve: pd.DataFrame, column: str, hover: str) -> None:
    figure.add_scatter(
        **_place(curve, column),
        name="whole space",
        line_color=translucent(WHOLE_COLOUR, 0.8),
        line_width=1,
        fill="tozeroy",
        fillcolor=translucent(WHOLE_COLOUR, 0.25),
        hovertemplate=f"{hover}<br>%{{y:.2f}}% at %{{x:.2f}}%<extra></extra>",
    )


def _add_line(
    figure: go.Figure,
    line: dict[str, object],
    name: str,
    position: int,
    forward: bool,
    hover: str,
) -> None:
    """Draw a line in its colour over a wider one that makes it stand out in either theme."""
    colour = sub_space_colour(position)
    opacity = 1.0 if forward else 0.22
    figure.add_scatter(
        **line,
        line_color=outline_colour(colour),
        line_width=3.6,
        opacity=opacity,
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
    )
    figure.add_scatter(
        **line,
        name=name,
        line_color=colour,
        line_width=2,
        line_dash=sub_space_dash(position),
        opacity=opacity,
        legendgroup=name,
        hovertemplate=f"{hover}<br>%{{y:.2f}}% at %{{x:.2f}}%<extra></extra>",
    )
