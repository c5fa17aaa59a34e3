"""The template of all figures: colours, axes, and what figures say in words."""

import math
from collections.abc import Hashable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.distributions import WHOLE

SUB_SPACE_COLOURS = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#8C8C8C",
)
"""S1 to S8: the colours of Okabe and Ito, with grey in place of black."""

OPERATION_COLOURS = ("#6F7480", "#94682A", "#1B7F83", "#5B5FC7", "#A14D87")
"""A tint for each operation, in the order of ``OPERATIONS``; white text is readable on it."""

OPERATION_GLYPHS = ("n", "s", "1x1", "3x3", "p")
"""A sign for each operation, in the order of ``OPERATIONS``."""

INK = "#777B88"
"""Text and lines: as far from white as from near-black."""

GRID = "rgba(119,123,136,0.22)"
WHOLE_COLOUR = "#8C8C8C"
DEGENERATE_COLOUR = "#B86E00"
ACTIVE_COLOUR = "#2F7FD0"
FONT_FAMILY = '"Source Sans", "Source Sans Pro", "Open Sans", sans-serif'
FONT_SIZE = 13
SMALL_FONT_SIZE = 12

_DASHES = ("solid", "dash", "dot", "dashdot")
_PATTERNS = ("", "/", "x", ".")
_OUTLINE_RANGE = (0.13, 0.28)
_LEGEND_ROW, _LEGEND_GAP = 20, 12
_TITLE_BASELINE = 22
_LONGEST_LINE = 58

_AXIS = {
    "gridcolor": GRID,
    "zeroline": False,
    "automargin": True,
    "title": {"font": {"size": FONT_SIZE}},
}

TEMPLATE = go.layout.Template(
    layout={
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT_FAMILY, "size": FONT_SIZE, "color": INK},
        "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "hoverlabel": {"font": {"size": FONT_SIZE}, "align": "left"},
        "hovermode": "closest",
        "title": {
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "yref": "container",
            "yanchor": "bottom",
            "font": {"size": 15},
        },
        "legend": {"orientation": "v", "x": 1.01, "y": 1, "bgcolor": "rgba(0,0,0,0)"},
    }
)


def sub_space_colour(position: int) -> str:
    """Return the colour of a sub-space, counted from 0; after eight they begin again."""
    return SUB_SPACE_COLOURS[position % len(SUB_SPACE_COLOURS)]


def sub_space_dash(position: int) -> str:
    """Return the dash of a sub-space's line: another one after each eight."""
    return _DASHES[position // len(SUB_SPACE_COLOURS) % len(_DASHES)]


def sub_space_pattern(position: int) -> str:
    """Return the pattern of a sub-space's area: another one after each eight."""
    return _PATTERNS[position // len(SUB_SPACE_COLOURS) % len(_PATTERNS)]


def translucent(colour: str, opacity: float) -> str:
    """Return a ``#rrggbb`` colour with an opacity."""
    red, green, blue = _channels(colour)
    return f"rgba({red},{green},{blue},{opacity})"


def luminance(colour: str) -> float:
    """Return the relative luminance of a ``#rrggbb`` colour, 0 to 1, as WCAG 2 defines it."""
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def text_colour(background: str) -> str:
    """Return white or near-black, whichever is easier to read on a ``#rrggbb`` colour."""
    return "#FFFFFF" if luminance(background) < 0.18 else "#111111"


def outline_colour(colour: str) -> str:
    """Return a colour darkened or lightened until it stands out on white and near-black alike."""
    low, high = _OUTLINE_RANGE
    target = 255 if luminance(colour) < low else 0
    mixed = colour
    for step in range(1, 21):
        if low <= luminance(mixed) <= high:
            break
        mixed = "#" + "".join(
            f"{round(channel + (target - channel) * step / 20):02X}"
            for channel in _channels(colour)
        )
    return mixed


def base_figure(title: str, height: int, alt: str, notes: Sequence[str] = ()) -> go.Figure:
    """Return a figure with the template, a fixed height and its text alternative.

    Args:
        title: The title, or an empty text for none.
        height: In pixels.
        alt: What the figure shows, in words, kept in ``layout.meta["alt"]``.
        notes: Parts of muted lines under the title.
    """
    figure = go.Figure()
    lines = [
        f'<span style="font-size:{SMALL_FONT_SIZE}px">{escape(line)}</span>'
        for line in _lines(notes)
    ]
    text = "<br>".join([part for part in (escape(title), *lines) if part])
    top = (30 if title else 10) + 20 * len(lines)
    figure.update_layout(
        template=TEMPLATE,
        title={"text": text, "y": 1 - _TITLE_BASELINE / height},
        height=height,
        meta={"alt": alt},
        margin={"t": top},
    )
    return figure


def _lines(notes: Sequence[str]) -> list[str]:
    """Return lines that are narrow enough for a phone."""
    lines: list[str] = []
    for note in notes:
        longer = f"{lines[-1]} · {note}" if lines else note
        if lines and len(longer) <= _LONGEST_LINE:
            lines[-1] = longer
        else:
            lines.append(note)
    return lines


def put_legend_above(figure: go.Figure, rows: int = 2, entry: int | None = None) -> None:
    """Write the legend in lines between title and axes, where its column would take their width.

    Args:
        figure: A figure of ``base_figure``; it grows by the lines.
        rows: For how many lines there is room.
        entry: Pixels for the text of each entry; by default as many as the longest of its column.
    """
    room = rows * _LEGEND_ROW + _LEGEND_GAP
    place = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "entrywidth": entry}
    figure.update_layout(
        legend={"orientation": "h", **place},
        margin={"t": figure.layout.margin.t + room},
        height=figure.layout.height + room,
        title={"y": 1 - _TITLE_BASELINE / (figure.layout.height + room)},
    )


def empty_figure(title: str, message: str, height: int = 260) -> go.Figure:
    """Return a figure without data that says why."""
    figure = base_figure(title, height, f"{title}: {message}")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text=escape(message), showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper"
    )
    return figure


def alternative(figure: go.Figure) -> str:
    """Return a figure's text alternative."""
    return str((figure.layout.meta or {}).get("alt", ""))


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return red, green, blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


Row = Mapping[Hashable, Any]


def hover_text(row: Row) -> str:
    """Return the text of a sub-space, a row of ``describe_sub_spaces``."""
    lines = [f"<b>{row['sub_space']}</b>: {row['size']:,} architectures, {row['share']:.1%} of all"]
    if row["known"] < row["size"]:
        lines.append(f"accuracy known for {row['known']:,} of them")
    if not pd.isna(row["top_share"]):
        lines.append(f"{row['top_count']:,} of the top ({row['top_share']:.1%})")
    if not pd.isna(row["best"]):
        lines.append(f"best {row['best']:.2f}%, mean {row['mean']:.2f}%")
    return "<br>".join(lines)


def whole_text(frame: pd.DataFrame) -> str:
    """Return the hover text of the whole space, from a frame of distributions."""
    return f"<b>whole space</b>: {_first_known(frame):,} architectures with an accuracy"


def cut_notes(frame: pd.DataFrame, sub_spaces: pd.DataFrame) -> list[str]:
    """Return what is not drawn: architectures outside the axis and those without accuracy."""
    whole = frame[frame["sub_space"] == WHOLE]
    parts = [
        f"{int(whole[side].iloc[0]):,} architectures {side} {limit}%"
        for side, limit in zip(("below", "above"), _limit_texts(whole), strict=True)
        if int(whole[side].iloc[0])
    ]
    notes = [f"not shown: {' and '.join(parts)} (of {_first_known(whole):,})"] if parts else []
    known, size = int(sub_spaces["known"].sum()), int(sub_spaces["size"].sum())
    if known < size:
        notes.append(f"accuracy known for {known:,} of {size:,}")
    return notes


def axis_limits(whole: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of the axis of accuracy, in percent; bins reach beyond their middles."""
    accuracy = whole["accuracy"].to_numpy()
    half = (accuracy[1] - accuracy[0]) / 2 if "count" in whole else 0.0
    return float(accuracy[0] - half), float(accuracy[-1] + half)


def distributions_alternative(sub_spaces: pd.DataFrame, axis_title: str) -> str:
    """Return which sub-spaces are best and worst on average."""
    known = sub_spaces.dropna(subset=["mean"])
    if known.empty:
        return f"{axis_title}: no accuracy is known"
    best = known.iloc[int(known["mean"].to_numpy().argmax())]
    worst = known.iloc[int(known["mean"].to_numpy().argmin())]
    return (
        f"Distribution of {axis_title} in {len(sub_spaces)} sub-spaces. {best['sub_space']} has "
        f"the highest mean, {best['mean']:.2f}%, and {worst['sub_space']} the lowest, "
        f"{worst['mean']:.2f}%."
    )


def top_alternative(sub_spaces: pd.DataFrame) -> str:
    """Return which sub-space holds most of the best architectures, and how many hold any."""
    counts = sub_spaces["top_count"].to_numpy()
    if not counts.sum():
        return "No sub-space is known to hold one of the best architectures."
    first = sub_spaces.iloc[int(counts.argmax())]
    return (
        f"{first['sub_space']} holds {int(first['top_count'])} of the {int(counts.sum())} best "
        f"architectures; {int((counts > 0).sum())} of {len(sub_spaces)} sub-spaces hold at least "
        "one."
    )


def number_text(value: float | None) -> str:
    """Return a score or a similarity as a short text."""
    if value is None:
        return "no score"
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    if not 0.001 <= abs(value) < 1e7:
        return f"{value:.3g}"
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def compact_text(value: float) -> str:
    """Return a number in a few characters, for a cell of a matrix: "-243k"."""
    if not 1000 <= abs(value) < 1e15:
        plain = value == 0 or not math.isfinite(value)
        return number_text(value) if plain else f"{value:.3g}"
    power = int(math.log10(abs(value))) // 3
    return f"{value / 1000**power:.3g}{' kMGT'[power]}"


def _first_known(frame: pd.DataFrame) -> int:
    return int(frame["known"].iloc[0])


def _limit_texts(whole: pd.DataFrame) -> tuple[str, str]:
    low, high = axis_limits(whole)
    return f"{low:.2f}", f"{high:.2f}"
