"""The accuracies inside each sub-space over those of the whole space (Fig. 3 of the paper)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.distributions import WHOLE
from fewshot_core.plots.template import (
    WHOLE_COLOUR,
    axis_limits,
    base_figure,
    cut_notes,
    distributions_alternative,
    empty_figure,
    hover_text,
    outline_colour,
    sub_space_colour,
    sub_space_dash,
    sub_space_pattern,
    top_alternative,
    translucent,
    whole_text,
)

_REACH_WITH_TICKS = 0.8
_RIDGE_REACH = 1.15
_VIOLIN_REACH = 0.46
_LABELS_PIXELS = 82


@dataclass(frozen=True)
class _Row:
    """Where and how the density of a sub-space is drawn."""

    base: float
    reach: float
    mirrored: bool
    position: int
    forward: bool
    hover: str

    @property
    def colour(self) -> str:
        return sub_space_colour(self.position)


def ridge_height(count: int) -> int:
    """Return the height of a figure with that many rows, in pixels."""
    return 112 + (42 if count <= 8 else 30) * max(count, 2)


def add_ridges(
    figure: go.Figure,
    frame: pd.DataFrame,
    hovers: Mapping[str, str],
    weights: Mapping[str, float],
    labels: Sequence[str],
    highlight: str | None,
    boxes: pd.DataFrame | None = None,
    ticks: pd.DataFrame | None = None,
) -> None:
    """Draw one row for each sub-space, the first at the top.

    Args:
        figure: The figure to add to.
        frame: Columns sub_space, accuracy and density, or count and share of histograms.
        hovers: Hover text of the whole space and of each sub-space, by name, in order.
        weights: What the density of each sub-space is multiplied with.
        labels: What is written under each name.
        highlight: The sub-space to bring forward, or None.
        boxes: Columns sub_space, q25, median and q75: makes the rows violins with boxes.
        ticks: Columns sub_space, string, architecture and accuracy_mean: a tick for each row.
    """
    curves = {str(name): part for name, part in frame.groupby("sub_space", sort=False)}
    whole = curves[WHOLE]
    names = [name for name in hovers if name != WHOLE]
    tallest = max(
        weights[name] * max(_heights(curves[name]).max(), _heights(whole).max()) for name in names
    )
    mirrored = boxes is not None
    reach = _VIOLIN_REACH if mirrored else _RIDGE_REACH if ticks is None else _REACH_WITH_TICKS
    for position, name in enumerate(names):
        base, forward = float(len(names) - 1 - position), highlight in (None, name)
        row = _Row(
            base,
            reach * weights[name] / (tallest or 1.0),
            mirrored,
            position,
            forward,
            hovers[name],
        )
        _add_ridge(figure, row, whole, name, grey=True)
        _add_ridge(figure, row, curves[name], name, grey=False)
        if boxes is not None:
            _add_box(figure, row, boxes[boxes["sub_space"] == name])
        if ticks is not None:
            _add_ticks(figure, row, ticks[ticks["sub_space"] == name], name)
    _label_rows(figure, names, labels, mirrored, ticks is not None)


def _add_ridge(figure: go.Figure, row: _Row, curve: pd.DataFrame, name: str, grey: bool) -> None:
    """Draw a density between its curve and the base, or between the curve and its mirror image."""
    low, step, values = _points(curve, 2 if row.mirrored else 1)
    heights = values * row.reach
    line = _line(row, grey, "hv" if "count" in curve else "linear")
    if row.mirrored:
        lower = {"x0": low, "dx": step, "y": _small(row.base - heights), "line": line}
    else:
        ends = {"x": [low, low + step * (len(values) - 1)], "y": [row.base, row.base]}
        lower = {**ends, "line": {"width": 0}}
    figure.add_scatter(**lower, mode="lines", hoverinfo="skip", showlegend=False)
    figure.add_scatter(
        x0=low,
        dx=step,
        y=_small(row.base + heights),
        name=f"{name} whole" if grey else name,
        mode="lines",
        line=line,
        fill="tonexty",
        hoveron="points+fills",
        hoverinfo="skip" if grey else "text",
        text=None if grey else row.hover,
        showlegend=False,
        **_fill(row, grey),
    )


def _heights(curve: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return what a frame of densities or of histograms draws."""
    values = curve["share" if "count" in curve else "density"]
    return values.to_numpy(dtype=np.float64)


def _points(curve: pd.DataFrame, every: int) -> tuple[float, float, npt.NDArray[np.float64]]:
    """Return the first accuracy, the step and the heights; bins begin at their left edges."""
    accuracy, heights = curve["accuracy"].to_numpy(), _heights(curve)
    low, step = float(accuracy[0]), float(accuracy[1] - accuracy[0])
    if "count" in curve:
        return low - step / 2, step, np.append(heights, heights[-1])
    return low, step * every, heights[::every]


def _line(row: _Row, grey: bool, shape: str) -> dict[str, object]:
    if grey:
        return {"width": 0, "simplify": False, "shape": shape}
    colour = translucent(outline_colour(row.colour), 1.0 if row.forward else 0.3)
    return {
        "color": colour,
        "width": 1.3,
        "simplify": False,
        "shape": shape,
        "dash": sub_space_dash(row.position),
    }


def _fill(row: _Row, grey: bool) -> dict[str, object]:
    if grey:
        return {"fillcolor": translucent(WHOLE_COLOUR, 0.3 if row.forward else 0.12)}
    colour = translucent(row.colour, 0.66 if row.forward else 0.14)
    pattern = sub_space_pattern(row.position)
    if not pattern:
        return {"fillcolor": colour}
    shape = {"shape": pattern, "fgcolor": outline_colour(row.colour), "size": 6}
    return {"fillcolor": colour, "fillpattern": {**shape, "bgcolor": colour}}


def _add_box(figure: go.Figure, row: _Row, box: pd.DataFrame) -> None:
    """Draw the middle half as a thick line and the median as a dot."""
    q25, median, q75 = box[["q25", "median", "q75"]].to_numpy(dtype=np.float64)[0]
    if np.isnan(median):
        return
    colour = translucent(outline_colour(row.colour), 1.0 if row.forward else 0.3)
    figure.add_scatter(
        x=[q25, median, q75],
        y=[row.base] * 3,
        mode="lines+markers",
        line={"color": colour, "width": 4},
        marker={"size": [0, 9, 0], "color": "#FFFFFF", "line": {"color": colour, "width": 2}},
        text=f"{row.hover}<br>quartiles {q25:.2f}, {median:.2f} and {q75:.2f}%",
        hoverinfo="text",
        showlegend=False,
    )


def _add_ticks(figure: go.Figure, row: _Row, ticks: pd.DataFrame, name: str) -> None:
    colour = translucent(outline_colour(row.colour), 1.0 if row.forward else 0.3)
    figure.add_scatter(
        x=ticks["accuracy_mean"].to_numpy(),
        y=np.full(len(ticks), row.base - 0.11, dtype=np.float32),
        name=f"{name} top",
        mode="markers",
        marker={"symbol": "line-ns", "size": 7, "line": {"width": 1.4, "color": colour}},
        text=ticks["string"].tolist(),
        customdata=ticks["architecture"].tolist(),
        hovertemplate=f"<b>{name}</b>: %{{x:.2f}}%<br>%{{text}}<extra></extra>",
        showlegend=False,
    )


def _label_rows(
    figure: go.Figure, names: Sequence[str], labels: Sequence[str], mirrored: bool, ticks: bool
) -> None:
    pairs = zip(names, labels, strict=True)
    bottom = -0.55 if mirrored else -0.3 if ticks else -0.12
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names) - 1, -1, -1)),
        ticktext=[f"<b>{name}</b>  {label}" for name, label in pairs],
        range=[bottom, len(names) - 0.45 if mirrored else len(names) + 0.2],
        automargin=False,
    )
    figure.update_layout(margin_l=_LABELS_PIXELS)


def _small(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Halve what the figure weighs: single precision is finer than a pixel."""
    return values.astype(np.float32)


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
