"""The accuracies inside each sub-space over those of the whole space (Fig. 3 of the paper)."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.distributions import WHOLE
from fewshot_core.plots.curves import CURVE_STYLES, add_curves
from fewshot_core.plots.ridges import add_ridges, ridge_height
from fewshot_core.plots.template import (
    base_figure,
    empty_figure,
    outline_colour,
    sub_space_colour,
)
from fewshot_core.plots.texts import (
    axis_limits,
    cut_notes,
    distributions_alternative,
    hover_text,
    top_alternative,
    whole_text,
)

STYLES = {
    "ridgeline": "Ridgeline",
    "violin": "Violin",
    "histogram": "Histogram",
    "cumulative": "Cumulative",
    "overlay": "Overlay",
}
"""The ways to draw distributions, with their labels."""

_CURVES_HEIGHT = 440


def distributions_figure(
    frame: pd.DataFrame,
    sub_spaces: pd.DataFrame,
    axis_title: str = "accuracy, %",
    style: str = "ridgeline",
    highlight: str | None = None,
    caption: Sequence[str] = (),
    title: str = "All architectures",
    compact: bool = False,
) -> go.Figure:
    """Draw the distribution of every sub-space over the grey one of the whole space.

    Densities of all sub-spaces have the same area, and so has the grey one behind them.

    Args:
        frame: What ``fewshot_core.analysis.DISTRIBUTION_FRAMES[style]`` returns.
        sub_spaces: What ``fewshot_core.analysis.describe_sub_spaces`` returns.
        axis_title: What the accuracies are, with their unit.
        style: One of ``STYLES``.
        highlight: The name of the sub-space to bring forward, or None.
        caption: Parts of the muted line under the title, after what is not shown.
        title: The title.
        compact: Whether to leave out the muted line, in a small figure; ``cut_notes`` says
            then what is not shown.

    Raises:
        KeyError: If the style is unknown, or the frame is not the style's.
    """
    label = STYLES[style]
    height = _CURVES_HEIGHT if style in CURVE_STYLES else ridge_height(len(sub_spaces))
    if frame.empty or sub_spaces.empty or not sub_spaces["known"].sum():
        return empty_figure(title, "no accuracy to draw", height)
    alt = f"{label}. {distributions_alternative(sub_spaces, axis_title)}"
    beside = [] if style in CURVE_STYLES else ["beside each sub-space: its size"]
    notes = [] if compact else [*beside, *cut_notes(frame, sub_spaces), *caption]
    figure = base_figure(title, height, alt, notes)
    hovers = _hovers(frame, sub_spaces)
    if style in CURVE_STYLES:
        add_curves(figure, frame, hovers, style, highlight)
    else:
        weights = dict.fromkeys(hovers, 1.0)
        labels = [f"{size:,}" for size in sub_spaces["size"]]
        boxes = sub_spaces if style == "violin" else None
        add_ridges(figure, frame, hovers, weights, labels, highlight, boxes)
    _add_bests(figure, sub_spaces, style in CURVE_STYLES)
    _finish_x(figure, frame, axis_title)
    return figure


def top_figure(
    frame: pd.DataFrame,
    top: pd.DataFrame,
    sub_spaces: pd.DataFrame,
    axis_title: str = "accuracy, %",
    highlight: str | None = None,
    caption: Sequence[str] = (),
    title: str = "Top 1%",
) -> go.Figure:
    """Draw the top architectures of each sub-space as a density, and each of them as a tick.

    Areas are in proportion to the number of top architectures; the grey curve is the shape of
    all top architectures, with the area of the sub-space it is behind.

    Args:
        frame: What ``fewshot_core.analysis.distribution_frame`` returns for the rows of the table
            that are top.
        top: What ``fewshot_core.analysis.top_architectures`` returns.
        sub_spaces: As for ``distributions_figure``.
        axis_title: As for ``distributions_figure``.
        highlight: As for ``distributions_figure``.
        caption: As for ``distributions_figure``.
        title: The title.
    """
    height = ridge_height(len(sub_spaces))
    if frame.empty or top.empty or sub_spaces.empty:
        return empty_figure(title, "no top architecture to draw", height)
    notes = ["beside each sub-space: how many it holds", *caption]
    figure = base_figure(title, height, top_alternative(sub_spaces), notes)
    counts = sub_spaces["top_count"].tolist()
    weights = {
        name: float(count) for name, count in zip(sub_spaces["sub_space"], counts, strict=True)
    }
    hovers = _hovers(frame, sub_spaces)
    add_ridges(
        figure, frame, hovers, weights, [f"{count:,}" for count in counts], highlight, ticks=top
    )
    _finish_x(figure, frame, axis_title)
    return figure


def _add_bests(figure: go.Figure, sub_spaces: pd.DataFrame, on_one_axis: bool) -> None:
    """Mark the best accuracy of each sub-space on its row, or on the axis they share."""
    count = len(sub_spaces)
    colours = [sub_space_colour(position) for position in range(count)]
    figure.add_scatter(
        x=sub_spaces["best"],
        y=[0.0] * count if on_one_axis else list(range(count - 1, -1, -1)),
        name="best",
        mode="markers",
        marker={
            "symbol": "diamond",
            "size": 9,
            "color": colours,
            "line": {"width": 1.4, "color": [outline_colour(colour) for colour in colours]},
        },
        text=[
            f"<b>{row['sub_space']}</b>: its best, {row['best']:.2f}%, is number "
            f"{row['best_rank']} of all"
            for row in sub_spaces.to_dict("records")
        ],
        hoverinfo="text",
        showlegend=False,
        cliponaxis=False,
    )


def _hovers(frame: pd.DataFrame, sub_spaces: pd.DataFrame) -> dict[str, str]:
    """Return the hover text of the whole space and of each sub-space, by name."""
    hovers = {WHOLE: whole_text(frame)}
    for row in sub_spaces.to_dict("records"):
        hovers[str(row["sub_space"])] = hover_text(row)
    return hovers


def _finish_x(figure: go.Figure, frame: pd.DataFrame, axis_title: str) -> None:
    low, high = axis_limits(frame[frame["sub_space"] == WHOLE])
    margin = (high - low) * 0.01
    figure.update_xaxes(title_text=axis_title, range=[low - margin, high + margin])
