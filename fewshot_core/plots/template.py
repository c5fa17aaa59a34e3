"""Shared parts of figures: colours, template, text alternatives and small drawing helpers.

A figure function is deterministic and draws an empty figure with a message where there is no data.
"""

import html
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from fewshot_core.space import PERCENT, score_text

# Colour; the same, darkened for lines on light and dark pages; text on it; whether it is faint.
_LOOKS = (
    ("#E69F00", "#B87F00", "#111111", True),
    ("#56B4E9", "#4590BA", "#111111", True),
    ("#009E73", "#009E73", "#111111", False),
    ("#F0E442", "#908928", "#111111", True),
    ("#0072B2", "#0072B2", "#FFFFFF", False),
    ("#D55E00", "#D55E00", "#111111", False),
    ("#CC79A7", "#C2739F", "#111111", False),
    ("#8C8C8C", "#8C8C8C", "#111111", False),
)
SUB_SPACE_COLOURS = tuple(look[0] for look in _LOOKS)
"""S1 to S8: the colours of Okabe and Ito, with grey in place of black."""

OPERATION_COLOURS = (
    *("#6F7480", "#94682A", "#1B7F83", "#5B5FC7", "#A14D87"),
    *("#B5473C", "#4B7F2C", "#2C78B8", "#8A5A44", "#566B8C"),
)
"""Colours of operations to which their space gives none; white text is readable on each."""

INK = "#777B88"
"""Text and lines: the same contrast with white and with near-black."""

GRID = "rgba(119,123,136,0.22)"
WHOLE_COLOUR = "#8C8C8C"
DARK_TEXT = "#111111"
DEGENERATE_COLOUR = "#B86E00"
ACTIVE_COLOUR = "#2F7FD0"
FONT_FAMILY = '"Source Sans", "Source Sans Pro", "Open Sans", sans-serif'
FONT_SIZE = 13
SMALL_FONT_SIZE = 12
TITLE_FONT_SIZE = 15
TITLE_BASELINE, TITLE_ROW = 22, 20
"""Pixels from the top to the first line of a title, and from line to line."""

SILENT = {"showlegend": False, "hoverinfo": "skip"}
"""Options of a trace that is neither in the legend nor reacts to hovering."""

Annotation = dict[str, Any]
Row = Mapping[Hashable, Any]

_DASHES = ("solid", "dash", "dot", "dashdot")
_PATTERNS = ("", "/", "x", ".")
_LEGEND_ROW, _LEGEND_GAP = 20, 12
_LONGEST_LINE = 58
_EPOCH_MARGIN = 0.02

SHARES = ((0.0, "#E6ECF3"), (1.0, "#7FA8DE"))
"""Colour scale of shares, light enough for dark text."""

_AXIS = {
    "gridcolor": GRID,
    "zeroline": False,
    "automargin": True,
    "title": {"font": {"size": FONT_SIZE}},
}

_TITLE_PLACE = {"x": 0, "xref": "container", "xanchor": "left"}
_TITLE_PLACE |= {"yref": "container", "yanchor": "bottom"}

# A click on a point selects it, and would fade all others.
_CLICKED = [{"unselected": {"marker": {"opacity": 1}}}]

TEMPLATE = go.layout.Template(
    data={"bar": _CLICKED, "scatter": _CLICKED},
    layout={
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT_FAMILY, "size": FONT_SIZE, "color": INK},
        "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "hoverlabel": {"font": {"size": FONT_SIZE}, "align": "left"},
        "hovermode": "closest",
        "title": {**_TITLE_PLACE, "font": {"size": TITLE_FONT_SIZE}},
        "legend": {"orientation": "v", "x": 1.01, "y": 1, "bgcolor": "rgba(0,0,0,0)"},
    },
)


class SubSpaceLook(NamedTuple):
    """Look of a sub-space; lines of a faint colour need an outline on light pages."""

    colour: str
    outline: str
    text: str
    faint: bool
    dash: str
    pattern: str


def positions_of(names: Sequence[str]) -> list[int]:
    """Positions that give sub-spaces their colours: 2 for S3, even if S1 is missing."""
    numbered = [re.fullmatch(r"S([1-9]\d*)", name) for name in names]
    if all(numbered[: max(1, len(names) - 1)]):  # the last one may be pooled ones
        return [int(match[1]) - 1 if match else len(names) - 1 for match in numbered]
    return list(range(len(names)))


def sub_space_look(position: int) -> SubSpaceLook:
    """Look up the look of a sub-space, counted from 0: after eight, dash and pattern change."""
    turn, number = divmod(position, len(_LOOKS))
    turn %= len(_DASHES)
    return SubSpaceLook(*_LOOKS[number], _DASHES[turn], _PATTERNS[turn])


def escape(text: object) -> str:
    """Escape a text, such as the content of a file, for a figure: Plotly reads tags and ``%{}``.

    It knows no ``&quot;``.
    """
    return html.escape(str(text), quote=False).replace("%{", "%&#123;")


def translucent(colour: str, opacity: float) -> str:
    """Add an opacity to a ``#rrggbb`` colour."""
    red, green, blue = hex_to_rgb(colour)
    return f"rgba({red},{green},{blue},{opacity})"


def base_figure(
    title: str, height: int, alt: str, notes: Sequence[str] = (), least_width: int = 0
) -> go.Figure:
    """Make a figure with the template, a height in pixels and a text alternative.

    ``layout.meta`` has ``alt`` and the ``least_width``, in pixels, at which nothing overlaps;
    ``notes`` are parts of muted lines under the title.
    """
    lines = [small_line(line) for line in note_lines(notes)]
    text = "<br>".join(filter(None, (escape(title), *lines)))
    figure = go.Figure()
    figure.update_layout(
        template=TEMPLATE,
        title={"text": text, "y": 1 - TITLE_BASELINE / height},
        height=height,
        meta={"alt": alt, "least_width": least_width},
        margin={"t": (30 if title else 10) + TITLE_ROW * len(lines)},
    )
    return figure


def small_line(text: str) -> str:
    """Format a muted line under a title."""
    return f'<span style="font-size:{SMALL_FONT_SIZE}px">{escape(text)}</span>'


def note_lines(notes: Sequence[str], longest: int = _LONGEST_LINE) -> list[str]:
    """Join notes to lines of a largest length, by default one that fits on a phone."""
    lines: list[str] = []
    for note in notes:
        longer = f"{lines[-1]} · {note}" if lines else note
        if lines and len(longer) <= longest:
            lines[-1] = longer
        else:
            lines.append(note)
    return lines


def put_legend_above(figure: go.Figure, rows: int = 2) -> None:
    """Move the legend between title and axes; the figure grows by ``rows`` lines."""
    room = rows * _LEGEND_ROW + _LEGEND_GAP
    figure.layout.height += room
    figure.layout.margin.t += room
    figure.layout.title.y = 1 - TITLE_BASELINE / figure.layout.height
    place = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"}
    figure.update_layout(legend=place)


def empty_figure(title: str, message: str, height: int = 260) -> go.Figure:
    """Make a figure without data that says why there is none."""
    figure = base_figure(title, height, f"{title}: {message}")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(**note(escape(message), 0.5, 0.5, xref="paper", yref="paper"))
    return figure


def alternative(figure: go.Figure) -> str:
    """Text alternative of a figure."""
    return str((figure.layout.meta or {}).get("alt", ""))


def text_on(colour: str) -> str:
    """Colour of text that is readable on a ``#rrggbb`` colour: white, or black on a light one."""
    red, green, blue = hex_to_rgb(colour)
    return "#FFFFFF" if 0.299 * red + 0.587 * green + 0.114 * blue < 150 else DARK_TEXT


def note(text: str, x: float, y: float, **options: Any) -> Annotation:
    """Annotation without an arrow, for ``update_layout``: adding one by one is much slower."""
    return {"text": text, "x": x, "y": y, "showarrow": False, **options}


def panel_heading(text: str, x: float, y: float) -> Annotation:
    """Small heading above a panel whose upper left corner is given in paper coordinates."""
    place = {"xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return note(escape(text), x, y, **place, font={"size": SMALL_FONT_SIZE})


def add_matrix(
    figure: go.Figure,
    values: Any,
    columns: Sequence[str],
    rows: Sequence[str],
    font_size: int | None = None,
    **options: Any,
) -> None:
    """Draw a heat map with small gaps between its cells, the first row on top."""
    look = {"textfont": {"color": DARK_TEXT, "size": font_size}, "xgap": 2, "ygap": 2}
    figure.add_heatmap(z=values, x=columns, y=rows, showscale=False, **look, **options)
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)


def epoch_range(end: int) -> list[float]:
    """Range of an axis of epochs from 0 to the last epoch of a complete search."""
    return [-_EPOCH_MARGIN * end, (1 + _EPOCH_MARGIN) * end]


def hover_score(axis: str, unit: str) -> str:
    """Write a score, the value on an axis, with its unit in a template of hover texts."""
    return f"%{{{axis}:.2f}}%" if unit == PERCENT else f"%{{{axis}:.4g}} {escape(unit)}"


def sub_space_text(row: Row, unit: str = PERCENT) -> str:
    """Hover text of a sub-space, a row of ``fewshot_core.analysis.describe_sub_spaces``."""
    lines = [f"<b>{row['sub_space']}</b>: {row['size']:,} architectures, {row['share']:.1%} of all"]
    if row["known"] < row["size"]:
        lines.append(f"accuracy known for {row['known']:,} of them")
    if not pd.isna(row["top_share"]):
        lines.append(f"{row['top_count']:,} of the top ({row['top_share']:.1%})")
    if not pd.isna(row["best"]):
        best, mean = (escape(score_text(row[name], unit)) for name in ("best", "mean"))
        lines.append(f"best {best}, mean {mean}")
    return "<br>".join(lines)


def top_alternative(sub_spaces: pd.DataFrame) -> str:
    """Text alternative: which sub-space has most of the best architectures, how many have any."""
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
    """Format a score or a similarity."""
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
