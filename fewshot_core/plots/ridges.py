"""Densities in rows, one for each sub-space: ridgelines and violins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.distributions import WHOLE
from fewshot_core.plots.template import (
    WHOLE_COLOUR,
    outline_colour,
    sub_space_colour,
    sub_space_dash,
    sub_space_pattern,
    translucent,
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
