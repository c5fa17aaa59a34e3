"""The accuracies inside each sub-space over those of the whole space (Fig. 3 of the paper).

Curves are in single precision: finer than a pixel, and half the size.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.distributions import WHOLE
from fewshot_core.analysis.sub_spaces import Floats
from fewshot_core.plots.export import with_source
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    SILENT,
    WHOLE_COLOUR,
    Row,
    SubSpaceLook,
    base_figure,
    empty_figure,
    escape,
    hover_score,
    positions_of,
    sub_space_look,
    sub_space_text,
    top_alternative,
    translucent,
)
from fewshot_core.space import PERCENT, score_text

STYLES = {
    "ridgeline": "Ridgeline",
    "violin": "Violin",
    "histogram": "Histogram",
    "cumulative": "Cumulative",
    "overlay": "Overlay",
}
"""The ways to draw distributions, with their labels."""

# Column and axis title of the styles that share one axis; the others have a row per sub-space.
_CURVES = {
    "overlay": ("density", "% of its architectures per % of accuracy"),
    "cumulative": ("share", "% of its architectures up to here"),
}
_CURVES_HEIGHT = 440
_RIDGE_REACH, _VIOLIN_REACH, _REACH_WITH_TICKS = 1.15, 0.46, 0.8
_LABELS_PIXELS = 82
_FEW_POINTS = 128


@with_source
def distributions_figure(
    frame: pd.DataFrame,
    sub_spaces: pd.DataFrame,
    axis_title: str = "accuracy, %",
    style: str = "ridgeline",
    highlight: str | None = None,
    caption: Sequence[str] = (),
    title: str = "All architectures",
    compact: bool = False,
    marked: tuple[str, float] | None = None,
    unit: str = PERCENT,
) -> go.Figure:
    """Draw the distribution of every sub-space over the grey one of the whole space.

    Densities of all sub-spaces have the same area, and so has the grey one behind them; where there
    are few architectures, each is a tick. ``marked`` is a sub-space and the accuracy of one of its
    architectures, which gets a star.

    ``frame`` is what ``fewshot_core.analysis.DISTRIBUTION_FRAMES[style]`` returns, and
    ``sub_spaces`` what ``describe_sub_spaces`` there returns; one of them may be highlighted. A
    compact figure has no muted lines; ``cut_notes`` says what is not shown. Scores have a unit.
    """
    label = STYLES[style]
    height = _CURVES_HEIGHT if style in _CURVES else _rows_height(len(sub_spaces))
    if frame.empty or sub_spaces.empty or not sub_spaces["known"].sum():
        return empty_figure(title, "no accuracy to draw", height)
    alt = f"{label}. {_alternative(sub_spaces, axis_title, unit)}"
    notes: list[str] = []
    if not compact:
        notes += ["grey: whole space", "diamond: best", *["star: found"] * (marked is not None)]
        notes += [] if style in _CURVES else ["beside each sub-space: its size"]
        notes += [*cut_notes(frame, sub_spaces, unit), *caption]
    figure = base_figure(title, height, alt, notes)
    if style in _CURVES:
        _add_curves(figure, frame, sub_spaces, highlight, style, unit)
    else:
        violins = style == "violin"
        _add_rows(figure, frame, sub_spaces, highlight, unit, violins=violins, compact=compact)
    _add_bests(figure, sub_spaces, style in _CURVES, unit)
    _finish_x(figure, frame, axis_title)
    if marked is not None:
        names = [] if style in _CURVES else list(sub_spaces["sub_space"])
        _add_mark(figure, *marked, names, unit)
    return figure


@with_source
def top_figure(
    frame: pd.DataFrame,
    top: pd.DataFrame,
    sub_spaces: pd.DataFrame,
    axis_title: str = "accuracy, %",
    highlight: str | None = None,
    caption: Sequence[str] = (),
    title: str = "Top 1%",
    marked: tuple[str, float] | None = None,
    unit: str = PERCENT,
) -> go.Figure:
    """Draw the top architectures of each sub-space as a density, and each of them as a tick.

    Areas are in proportion to the number of top architectures; the grey curve has the shape of all
    top architectures and the area of the sub-space in front of it. Mark and unit are as there.
    ``frame`` is what ``fewshot_core.analysis.distribution_frame`` returns for the rows of the table
    that are top, and ``top`` what ``top_architectures`` returns.
    """
    height = _rows_height(len(sub_spaces))
    if frame.empty or top.empty or sub_spaces.empty:
        return empty_figure(title, "no top architecture to draw", height)
    notes = ["grey: whole space", "tick: an architecture", "beside: how many it holds", *caption]
    figure = base_figure(title, height, top_alternative(sub_spaces), notes)
    _add_rows(figure, frame, sub_spaces, highlight, unit, top=top)
    _finish_x(figure, frame, axis_title)
    if marked is not None:
        _add_mark(figure, *marked, list(sub_spaces["sub_space"]), unit)
    return figure


def _add_mark(
    figure: go.Figure, name: str, accuracy: float, rows: Sequence[str], unit: str
) -> None:
    """Draw a star for an architecture on the row of its sub-space, or on the only axis."""
    white = {"width": 1.4, "color": "#FFFFFF"}
    figure.add_scatter(
        x=[accuracy],
        y=[rows[::-1].index(name) if rows else 0],
        name="architecture found",
        mode="markers",
        marker={"symbol": "star", "size": 17, "color": ACTIVE_COLOUR, "line": white},
        hovertemplate=f"<b>{name}</b>: {hover_score('x', unit)}<extra></extra>",
        showlegend=False,
        cliponaxis=False,
    )


def cut_notes(frame: pd.DataFrame, sub_spaces: pd.DataFrame, unit: str = PERCENT) -> list[str]:
    """List what is not drawn: architectures outside the axis and those without accuracy."""
    whole = frame[frame["sub_space"] == WHOLE].iloc[0]
    parts = [
        f"{whole[side]:,} architectures {side} {score_text(limit, unit)}"
        for side, limit in zip(("below", "above"), _axis_limits(frame), strict=True)
        if whole[side]
    ]
    notes = [f"not shown: {' and '.join(parts)} (of {whole['known']:,})"] if parts else []
    known, size = int(sub_spaces["known"].sum()), int(sub_spaces["size"].sum())
    if known < size:
        notes.append(f"accuracy known for {known:,} of {size:,}")
    return notes


def _axis_limits(frame: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis of scores; bins reach beyond their middles."""
    accuracy = frame.loc[frame["sub_space"] == WHOLE, "accuracy"].to_numpy()
    half = (accuracy[1] - accuracy[0]) / 2 if "count" in frame else 0.0
    return float(accuracy[0] - half), float(accuracy[-1] + half)


def _finish_x(figure: go.Figure, frame: pd.DataFrame, axis_title: str) -> None:
    low, high = _axis_limits(frame)
    margin = (high - low) * 0.01
    figure.update_xaxes(title_text=escape(axis_title), range=[low - margin, high + margin])


def _alternative(sub_spaces: pd.DataFrame, axis_title: str, unit: str) -> str:
    order = sub_spaces.dropna(subset=["mean"]).sort_values("mean", kind="stable")
    worst, best = order.iloc[0], order.iloc[-1]
    return (
        f"Distribution of {axis_title} in {len(sub_spaces)} sub-spaces. {best['sub_space']} has "
        f"the highest mean, {score_text(best['mean'], unit)}, and {worst['sub_space']} the lowest, "
        f"{score_text(worst['mean'], unit)}."
    )


class _Line(NamedTuple):
    """Where and how the distribution of a sub-space is drawn on its row."""

    name: str
    look: SubSpaceLook
    base: float
    reach: float
    mirrored: bool
    forward: bool
    hover: str

    @property
    def outline(self) -> str:
        return translucent(self.look.outline, 1.0 if self.forward else 0.3)


def _rows_height(count: int) -> int:
    return 112 + (42 if count <= 8 else 30) * max(count, 2)


def _add_rows(
    figure: go.Figure,
    frame: pd.DataFrame,
    sub_spaces: pd.DataFrame,
    highlight: str | None,
    unit: str,
    violins: bool = False,
    top: pd.DataFrame | None = None,
    compact: bool = False,
) -> None:
    """Draw one row for each sub-space, the first on top.

    Violins are mirrored and have boxes; with ``top``, densities are weighted with the number of top
    architectures, each of which is a tick.
    """
    curves = dict(list(frame.groupby("sub_space", sort=False)))
    whole, names = curves[WHOLE], list(sub_spaces["sub_space"])
    values = sub_spaces["size" if top is None else "top_count"].tolist()
    weights = [1.0] * len(names) if top is None else [float(value) for value in values]
    tallest = max(
        weight * max(np.nan_to_num(_heights(curves[name])).max(), _heights(whole).max())
        for name, weight in zip(names, weights, strict=True)
    )
    reach = _VIOLIN_REACH if violins else _RIDGE_REACH if top is None else _REACH_WITH_TICKS
    colours = positions_of(names)
    for position, record in enumerate(sub_spaces.to_dict("records")):
        name = names[position]
        line = _Line(
            name,
            sub_space_look(colours[position]),
            base=float(len(names) - 1 - position),
            reach=reach * weights[position] / (tallest or 1.0),
            mirrored=violins,
            forward=highlight in (None, name),
            hover=sub_space_text(record, unit),
        )
        if not (violins and compact):
            _add_density(figure, line, whole, grey=True)
        if not _is_strip(curves[name]):
            _add_density(figure, line, curves[name], grey=False)
        elif top is None:
            _add_strip(figure, line, curves[name], unit)
        if violins:
            _add_box(figure, line, record, unit, compact)
        if top is not None:
            _add_ticks(figure, line, top[top["sub_space"] == name], unit)
    if violins and compact:
        _add_wholes(figure, whole, len(names), reach / (tallest or 1.0))
    bottom = -0.55 if violins else -0.12 if top is None else -0.3
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names) - 1, -1, -1)),
        ticktext=[f"<b>{name}</b>  {value:,}" for name, value in zip(names, values, strict=True)],
        range=[bottom, len(names) - 0.45 if violins else len(names) + 0.2],
        automargin=False,
    )
    figure.update_layout(margin_l=_LABELS_PIXELS)


def _add_wholes(figure: go.Figure, whole: pd.DataFrame, count: int, reach: float) -> None:
    """Draw the mirrored density of the whole space behind all rows, as one trace: it is small."""
    accuracy, heights = whole["accuracy"].to_numpy()[::2], reach * _heights(whole)[::2]
    outline = np.concatenate([heights, -heights[::-1], [np.nan]])
    figure.add_scatter(
        x=np.tile([*accuracy, *accuracy[::-1], np.nan], count).astype(np.float32),
        y=np.concatenate([base + outline for base in range(count)]).astype(np.float32),
        mode="lines",
        line_width=0,
        fill="toself",
        fillcolor=translucent(WHOLE_COLOUR, 0.3),
        zorder=-1,
        **SILENT,
    )


def _is_strip(curve: pd.DataFrame) -> bool:
    """Whether part of a frame has the accuracies of few architectures instead of a curve."""
    return "density" in curve and bool(curve["density"].isna().all())


def _heights(curve: pd.DataFrame) -> Floats:
    """Values that a frame of densities or of histograms draws."""
    return curve["share" if "count" in curve else "density"].to_numpy(dtype=np.float64)


def _add_density(figure: go.Figure, line: _Line, curve: pd.DataFrame, grey: bool) -> None:
    """Draw a density between its curve and the base, or between the curve and its mirror image."""
    binned = "count" in curve
    accuracy, heights = curve["accuracy"].to_numpy(), line.reach * _heights(curve)
    low, step = _grid(accuracy)
    if binned:  # bins begin at their left edges
        low, heights = low - step / 2, np.append(heights, heights[-1])
    elif line.mirrored and len(heights) > _FEW_POINTS:
        step, heights = step * 2, heights[::2]
    look: dict[str, Any] = {"simplify": False, "width": 0} | ({"shape": "hv"} if binned else {})
    if not grey:
        look |= {"color": line.outline, "width": 1.3, "dash": line.look.dash}
    if line.mirrored:
        lower = {"x0": low, "dx": step, "y": (line.base - heights).astype(np.float32), "line": look}
    else:
        high = round(low + step * (len(heights) - 1), 4)
        ends = {"x": [low, high], "y": [line.base, line.base]}
        lower = {**ends, "line": {"width": 0}}
    figure.add_scatter(**lower, mode="lines", **SILENT)
    figure.add_scatter(
        x0=low,
        dx=step,
        y=(line.base + heights).astype(np.float32),
        name=f"{line.name} whole" if grey else line.name,
        mode="lines",
        line=look,
        fill="tonexty",
        hoveron="points+fills",
        hoverinfo="skip" if grey else "text",
        text=None if grey else line.hover,
        showlegend=False,
        **_fill(line, grey),
    )


def _grid(accuracy: Floats) -> tuple[float, float]:
    """Return the first accuracy and the step to the next one, with the digits that are seen."""
    return round(float(accuracy[0]), 4), round(float(accuracy[1] - accuracy[0]), 6)


def _fill(line: _Line, grey: bool) -> dict[str, Any]:
    if grey:
        return {"fillcolor": translucent(WHOLE_COLOUR, 0.3 if line.forward else 0.12)}
    colour = translucent(line.look.colour, 0.66 if line.forward else 0.14)
    if not line.look.pattern:
        return {"fillcolor": colour}
    pattern = {"shape": line.look.pattern, "fgcolor": line.look.outline, "size": 6}
    return {"fillcolor": colour, "fillpattern": {**pattern, "bgcolor": colour}}


def _add_box(figure: go.Figure, line: _Line, record: Row, unit: str, silent: bool = False) -> None:
    """Draw the interquartile range as a thick line and the median as a dot."""
    q25, median, q75 = record["q25"], record["median"], record["q75"]
    if np.isnan(median):
        return
    ring = {"color": line.outline, "width": 2}
    quartiles = ", ".join(escape(score_text(value, unit)) for value in (q25, median, q75))
    text = {"text": f"{line.hover}<br>quartiles {quartiles}", "hoverinfo": "text"}
    figure.add_scatter(
        x=[q25, median, q75],
        y=[line.base] * 3,
        mode="lines+markers",
        line={"color": line.outline, "width": 4},
        marker={"size": [0, 9, 0], "color": "#FFFFFF", "line": ring},
        **(SILENT if silent else text | {"showlegend": False}),
    )


def _add_strip(figure: go.Figure, line: _Line, curve: pd.DataFrame, unit: str) -> None:
    """Draw a tick for each of few architectures."""
    figure.add_scatter(
        x=curve["accuracy"].to_numpy(),
        y=np.full(len(curve), line.base + 0.14 * (not line.mirrored)),
        name=line.name,
        mode="markers",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 1.6, "color": line.outline}},
        hovertemplate=f"{line.hover}<br>{hover_score('x', unit)}<extra></extra>",
        showlegend=False,
    )


def _add_ticks(figure: go.Figure, line: _Line, top: pd.DataFrame, unit: str) -> None:
    figure.add_scatter(
        x=top["accuracy_mean"].to_numpy(),
        y=np.full(len(top), line.base - 0.11, dtype=np.float32),
        name=f"{line.name} top",
        mode="markers",
        marker={"symbol": "line-ns", "size": 7, "line": {"width": 1.4, "color": line.outline}},
        text=top["string"].tolist(),
        customdata=top["architecture"].tolist(),
        hovertemplate=f"<b>{line.name}</b>: {hover_score('x', unit)}<br>%{{text}}<extra></extra>",
        showlegend=False,
    )


def _add_curves(
    figure: go.Figure,
    frame: pd.DataFrame,
    sub_spaces: pd.DataFrame,
    highlight: str | None,
    style: str,
    unit: str,
) -> None:
    """Draw a line for each sub-space, over a wider outline, over the grey area of the space."""
    column, axis_title = _CURVES[style]
    if unit != PERCENT:
        axis_title = axis_title.replace("% of accuracy", unit)
    point = f"<br>%{{y:.2f}}% at {hover_score('x', unit)}<extra></extra>"
    curves = dict(list(frame.groupby("sub_space", sort=False)))
    known = f"{frame['known'].iloc[0]:,} architectures with an accuracy"
    figure.add_scatter(
        **_points(curves[WHOLE], column),
        name="whole space",
        line={"color": translucent(WHOLE_COLOUR, 0.8), "width": 1},
        fill="tozeroy",
        fillcolor=translucent(WHOLE_COLOUR, 0.25),
        hovertemplate=f"<b>whole space</b>: {known}{point}",
    )
    records, names = sub_spaces.to_dict("records"), list(sub_spaces["sub_space"])
    for name, position, record in zip(names, positions_of(names), records, strict=True):
        look = sub_space_look(position)
        if _is_strip(curves[name]):
            hover, forward = sub_space_text(record, unit), highlight in (None, name)
            line = _Line(name, look, 0.0, 0.0, True, forward, hover)
            _add_strip(figure, line, curves[name], unit)
            continue
        curve = _points(curves[name], column) | {
            "opacity": 1.0 if highlight in (None, name) else 0.22,
            "legendgroup": name,
        }
        figure.add_scatter(**curve, line={"color": look.outline, "width": 3.6}, **SILENT)
        figure.add_scatter(
            **curve,
            name=name,
            line={"color": look.colour, "width": 2, "dash": look.dash},
            hovertemplate=sub_space_text(record, unit) + point,
        )
    figure.update_yaxes(title_text=escape(axis_title), rangemode="tozero")


def _points(curve: pd.DataFrame, column: str) -> dict[str, Any]:
    """Points of a line, in percent of its architectures."""
    low, step = _grid(curve["accuracy"].to_numpy())
    return {
        "x0": low,
        "dx": step,
        "y": (100 * curve[column].to_numpy()).astype(np.float32),
        "mode": "lines",
    }


def _add_bests(figure: go.Figure, sub_spaces: pd.DataFrame, on_one_axis: bool, unit: str) -> None:
    """Mark the best accuracy of each sub-space on its row, or on the axis they share."""
    count = len(sub_spaces)
    looks = [sub_space_look(place) for place in positions_of(list(sub_spaces["sub_space"]))]
    outline = {"width": 1.4, "color": [look.outline for look in looks]}
    colours = [look.colour for look in looks]
    figure.add_scatter(
        x=sub_spaces["best"],
        y=[0.0] * count if on_one_axis else list(range(count - 1, -1, -1)),
        name="best",
        mode="markers",
        marker={"symbol": "diamond", "size": 9, "color": colours, "line": outline},
        text=[
            f"<b>{row['sub_space']}</b>: best {escape(score_text(row['best'], unit))}, "
            f"rank {row['best_rank']} of all"
            for row in sub_spaces.to_dict("records")
        ],
        hoverinfo="text",
        showlegend=False,
        cliponaxis=False,
    )
