"""Dots with intervals: a figure of a page, and the same as a small SVG.

Points have the columns label, series (empty for a single one), value, low and high: a row for each
label. With a column cost it is the horizontal axis, and the first series is the background.
"""

from collections.abc import Iterable
from math import ceil, floor, log10

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.export import PAPER_FONT, with_source
from fewshot_core.plots.template import (
    base_figure,
    empty_figure,
    escape,
    put_legend_above,
    sub_space_look,
)

_ROW, _LETTER, _LEGEND, _AXIS, _TEXT = 18, 6.2, 20, 40, 11
_PLOT, _COST_HEIGHT = 420, 280
_COST, _BEHIND = "cost, full runs", "#9A9A9A"
_TICKS = 6
_STEPS = (1, 2, 5, 10, 20)


@with_source
def dots_figure(points: pd.DataFrame, title: str, axis: str) -> go.Figure:
    """Draw the points as an interactive figure."""
    if points.empty:
        return empty_figure(title, "there are no numbers")
    if "cost" in points:
        return _cost_figure(points, title, axis)
    alternative = f"{title}. " + "; ".join(_described(points))
    points = points.assign(**{name: points[name].map(escape) for name in ("label", "series")})
    labels = list(dict.fromkeys(points["label"]))
    figure = base_figure(title, 130 + 26 * len(labels), alternative)
    for number, (name, part) in enumerate(points.groupby("series", sort=False)):
        look = sub_space_look(number)
        ends = part["high"] - part["value"], part["value"] - part["low"]
        figure.add_scatter(
            x=part["value"],
            y=part["label"],
            name=str(name),
            mode="markers",
            marker={"size": 9, "color": look.colour, "line": {"width": 1, "color": look.outline}},
            error_x={"array": ends[0], "arrayminus": ends[1], "color": look.outline},
            hovertemplate="%{y}: %{x:.3f}<extra>%{fullData.name}</extra>",
            showlegend=bool(name),
        )
    figure.update_xaxes(title_text=axis)
    figure.update_yaxes(categoryorder="array", categoryarray=labels[::-1], showgrid=True)
    figure.update_layout(
        legend={"orientation": "h", "y": -60 / (26 * len(labels)), "yanchor": "top"}
    )
    return figure


def _cost_figure(points: pd.DataFrame, title: str, axis: str) -> go.Figure:
    marked = points[points["series"] != points["series"].iloc[0]]
    figure = base_figure(title, _COST_HEIGHT + 120, f"{title}. " + "; ".join(_described(marked)))
    for number, (name, part) in enumerate(points.groupby("series", sort=False)):
        look, first = sub_space_look(number - 1), number == 0
        colour = _BEHIND if first else look.colour
        figure.add_scatter(
            x=part["cost"],
            y=part["value"],
            text=part["label"].map(escape),
            name=escape(name),
            mode="markers",
            cliponaxis=False,
            marker={"size": 6 if first else 12, "color": colour},
            error_y={
                "array": part["high"] - part["value"],
                "arrayminus": part["value"] - part["low"],
                "color": colour,
                "thickness": 0.8 if first else 2,
                "width": 0 if first else 4,
            },
            hovertemplate="%{text}: %{y:.2f} at a cost of %{x:.2f}<extra></extra>",
        )
    figure.update_xaxes(title_text=_COST, rangemode="tozero")
    figure.update_yaxes(title_text=axis.partition(" (")[0], rangemode="tozero")
    put_legend_above(figure)
    return figure


def dots_svg(points: pd.DataFrame, title: str, axis: str) -> str:
    """Draw the points as an SVG, black on white, the same for the same points."""
    if "cost" in points:
        return _cost_svg(points, title, axis)
    labels = list(dict.fromkeys(points["label"]))
    series = list(dict.fromkeys(points["series"]))
    left = round(max(_LETTER * max(map(len, labels)), 40)) + 14
    top = _LEGEND * (series != [""]) + 8
    width, height = left + _PLOT + 14, top + _ROW * len(labels) + _AXIS
    low, high, ticks = _scale(float(points["low"].min()), float(points["high"].max()))

    def x(value: float) -> float:
        return round(left + _PLOT * (value - low) / (high - low), 1)

    lines = _head(width, height, title)
    bottom = top + _ROW * len(labels)
    for tick in ticks:
        shade = "#D8D8D8" if tick else "#000000"
        lines.append(_line(x(tick), top, x(tick), bottom, shade, 0.8))
        lines.append(_text(x(tick), bottom + 14, f"{tick:g}", "middle"))
    lines.append(_text(width - 6, bottom + 32, axis, "end"))
    for row, label in enumerate(labels):
        lines.append(_text(left - 8, top + _ROW * row + 13, label, "end"))
    for number, name in enumerate(series):
        look = sub_space_look(number)
        dot = f'r="4" fill="{look.colour}" stroke="#000000" stroke-width="0.8"'
        if name:
            lines += _key(14 + number * (width - 28) / len(series), name, dot)
        shift = 3.0 * (number - (len(series) - 1) / 2)
        for point in points[points["series"] == name].to_dict("records"):
            y = round(top + _ROW * (labels.index(point["label"]) + 0.5) + shift, 1)
            lines.append(_line(x(point["low"]), y, x(point["high"]), y, "#000000", 1.2))
            lines.append(f'<circle cx="{x(point["value"])}" cy="{y}" {dot}/>')
    return "\n".join([*lines, "</svg>", ""])


def _cost_svg(points: pd.DataFrame, title: str, axis: str) -> str:
    left, top, width = 44, _LEGEND + 24, 44 + _PLOT + 14
    bottom = top + _COST_HEIGHT
    _, most, across = _scale(0.0, float(points["cost"].max()))
    _, high, ticks = _scale(0.0, float(points["high"].max()))
    series = list(dict.fromkeys(points["series"]))
    lines = [*_head(width, bottom + _AXIS, title), _text(6, top - 10, axis, "start")]
    for tick in across:
        x = round(left + _PLOT * tick / most, 1)
        lines.append(_line(x, top, x, bottom, "#D8D8D8" if tick else "#000000", 0.8))
        lines.append(_text(x, bottom + 14, f"{tick:g}", "middle"))
    for tick in ticks:
        y = round(bottom - _COST_HEIGHT * tick / high, 1)
        lines.append(_line(left, y, width - 14, y, "#D8D8D8" if tick else "#000000", 0.8))
        lines.append(_text(left - 6, y + 4, f"{tick:g}", "end"))
    lines.append(_text(width - 14, bottom + 32, _COST, "end"))
    for number, name in enumerate(series):
        behind = number == 0
        colour = _BEHIND if behind else sub_space_look(number - 1).colour
        dot = f'r="2.5" fill="{colour}"' if behind else f'r="5" fill="{colour}" stroke="#000000"'
        lines += _key(14 + number * (width - 28) / len(series), name, dot)
        for point in points[points["series"] == name].to_dict("records"):
            x = round(left + _PLOT * point["cost"] / most, 1)
            value, *ends = (
                round(bottom - _COST_HEIGHT * point[one] / high, 1)
                for one in ("value", "low", "high")
            )
            if ends[0] != ends[1]:
                look = (_BEHIND, 0.5) if behind else ("#000000", 1.4)
                lines.append(_line(x, ends[0], x, ends[1], *look))
            lines.append(f'<circle cx="{x}" cy="{value}" {dot}/>')
    return "\n".join([*lines, "</svg>", ""])


def _head(width: int, height: int, title: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="{PAPER_FONT}" font-size="{_TEXT}" '
        f'role="img"><title>{escape(title)}</title>',
        f'<rect width="{width}" height="{height}" fill="#FFFFFF"/>',
    ]


def _key(x: float, name: str, dot: str) -> list[str]:
    """Draw an entry of the legend."""
    return [f'<circle cx="{x + 4:.1f}" cy="10" {dot}/>', _text(x + 12, 14, name, "start")]


def _described(points: pd.DataFrame) -> Iterable[str]:
    for row in points.to_dict("records"):
        yield " ".join(filter(None, [row["label"], row["series"], f"{row['value']:.2f}"]))


def _scale(low: float, high: float) -> tuple[float, float, list[float]]:
    """Round the ends outwards to a few ticks."""
    reach = max(high - low, 1e-9)
    finest = 10.0 ** (floor(log10(reach)) - 1)
    step = next(one * finest for one in _STEPS if reach <= _TICKS * one * finest)
    first, last = floor(low / step), max(ceil(high / step), floor(low / step) + 1)
    ticks = [round(step * number, 9) for number in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    ends = f'x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
