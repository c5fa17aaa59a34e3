"""Figures for a paper: their size, font and colours, their files, numbers and Python source.

A figure keeps its proportions: it is laid out as wide as its texts need to have the font size
asked for once it is scaled to the width of a column.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from functools import wraps
from html import escape, unescape
from inspect import signature
from textwrap import wrap
from typing import Any, Literal, ParamSpec

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.template import (
    FONT_SIZE,
    INK,
    SMALL_FONT_SIZE,
    TITLE_BASELINE,
    TITLE_FONT_SIZE,
    TITLE_ROW,
    note_lines,
    small_line,
)
from fewshot_core.space import SPACES, SearchSpace

WIDTHS = {"one column, 85 mm": 85.0, "two columns, 175 mm": 175.0}
"""Widths of figures in a paper, in millimetres."""

PNG_DPI = 600.0

PAPER_FONT = "Arial, Helvetica, Liberation Sans, DejaVu Sans, sans-serif"
"""The first three have letters of the same widths, and every system has one of them."""

P = ParamSpec("P")

_PIXEL_MM, _PIXEL_PT = 25.4 / 96, 0.75
_LETTER = 0.54  # mean width of a letter in these fonts, in units of the font size
_MARGIN = 8
_UNSUITED = ("hovertemplate", "hovertext", "hoverinfo", "customdata", "ids")
_PAGE = """#set page(width: auto, height: auto, margin: 0pt)
#image(bytes(sys.inputs.svg), format: "svg")"""


def paper_figure(
    figure: go.Figure, width: float = 85.0, font_size: float = 8.0, notes: Sequence[str] = ()
) -> go.Figure:
    """Prepare a figure for a paper: black on white, without controls, titles broken into lines.

    The width and height of its layout are in pixels of a screen; ``paper_svg`` scales it to the
    width.

    Args:
        figure: The figure; it is not changed.
        width: Width in millimetres.
        font_size: Size of most texts, in points.
        notes: What its numbers rest on: further muted lines under the title.
    """
    content = _replaced(figure.to_dict())
    layout = content["layout"]
    for name in ("sliders", "updatemenus", "autosize", "clickmode", "dragmode"):
        layout.pop(name, None)
    for trace in content["data"]:
        for name in _UNSUITED:
            trace.pop(name, None)
    wide = round(width / _PIXEL_MM * FONT_SIZE * _PIXEL_PT / font_size)
    wide = max(wide, (figure.layout.meta or {}).get("least_width", 0))
    drawn = go.Figure({"data": content["data"], "layout": layout})
    drawn.update_layout(width=wide, font_family=PAPER_FONT)
    drawn.update_layout(paper_bgcolor="white", plot_bgcolor="white")
    _break_title(drawn, wide - 2 * _MARGIN, notes)
    return drawn


def _replaced(value: Any) -> Any:
    """Copy plain values with black in place of the grey of the pages."""
    if isinstance(value, Mapping):
        return {name: _replaced(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(part) for part in value]
    return value.replace(INK, "#000000") if isinstance(value, str) else value


def _break_title(figure: go.Figure, width: int, notes: Sequence[str]) -> None:
    """Break the title and its muted lines to a width in pixels; the figure grows as needed."""
    layout = figure.layout
    old = [part for part in (layout.title.text or "").split("<br>") if part]
    muted = [text for part in old if part.startswith("<") for text in _plain(part).split(" · ")]
    muted += [text for text in notes if text not in muted]
    longest = int(width / (_LETTER * SMALL_FONT_SIZE))
    lines = [_plain(part) for part in old if not part.startswith("<")]
    lines = [
        line for text in lines for line in wrap(text, int(width / (_LETTER * TITLE_FONT_SIZE)))
    ]
    small = [line for text in note_lines(muted, longest) for line in wrap(text, longest)]
    room = TITLE_ROW * (len(lines) + len(small) - len(old))
    height = layout.height + room
    text = "<br>".join([*map(escape, lines), *map(small_line, small)])
    figure.update_layout(
        height=height,
        margin={"t": layout.margin.t + room, "r": 2 * _MARGIN},
        title={"text": text, "y": 1 - TITLE_BASELINE / height},
    )


def _plain(text: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", text))


def paper_svg(svg: str, width: float = 85.0) -> str:
    """Scale the SVG text that Plotly makes of a figure to a width in millimetres."""
    head, tag, rest = svg.partition(">")
    size = {name: re.search(rf' {name}="([\d.]+)(?:px)?"', head) for name in ("width", "height")}
    if size["width"] is None or size["height"] is None:
        raise ValueError(f"expected the SVG of a figure with its width and height, got {head!r}")
    wide, high = float(size["width"][1]), float(size["height"][1])
    head = re.sub(r' (width|height|viewBox)="[^"]*"', "", head)
    place = f' width="{width:g}mm" height="{width * high / wide:.4g}mm"'
    return f'{head}{place} viewBox="0 0 {wide:g} {high:g}"{tag}{rest}'


def convert_svg(svg: str, file_format: Literal["pdf", "png"]) -> bytes:
    """Convert SVG text to a PDF with embedded fonts, or to a PNG of ``PNG_DPI`` dots per inch."""
    import typst

    inputs = {"svg": svg}
    return typst.compile(_PAGE.encode(), format=file_format, ppi=PNG_DPI, sys_inputs=inputs)


def with_source(draw: Callable[P, go.Figure]) -> Callable[P, go.Figure]:
    """Have a function keep its name and arguments with the figures it draws."""
    parameters = signature(draw)

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> go.Figure:
        figure = draw(*args, **kwargs)
        figure._drawn_by = draw.__name__, parameters.bind(*args, **kwargs).arguments
        return figure

    return drawn


def has_source(figure: go.Figure) -> bool:
    """Whether a figure was drawn by a function of ``fewshot_core.plots``."""
    return hasattr(figure, "_drawn_by")


def figure_source(figure: go.Figure, width: float = 85.0, font_size: float = 8.0) -> str:
    """Write a Python program that draws a figure of ``fewshot_core.plots`` from its numbers."""
    function, arguments = figure._drawn_by
    imports: set[tuple[str, str]] = set()
    values = [f"    {name}={_source(value, imports)},\n" for name, value in arguments.items()]
    lines = "".join(f"from {module} import {name}\n" for module, name in sorted(imports))
    return (
        f"import numpy as np\nimport pandas as pd\n\n{lines}"
        f"from fewshot_core.plots import {function}, paper_figure\n\n"
        f"nan, inf = np.nan, np.inf\n\nfigure = {function}(\n{''.join(values)})\n"
        f"paper = paper_figure(figure, width={width:g}, font_size={font_size:g})\n"
        f'paper.write_html("{function}.html")\n'
    )


def _source(value: Any, imports: set[tuple[str, str]]) -> str:
    """Write an argument of a figure in Python, numbers with nine digits; collect its imports."""

    def listed(values: Iterable[Any]) -> str:
        return f"[{', '.join(_source(part, imports) for part in values)}]"

    def named(values: Mapping[str, Any]) -> str:
        return ", ".join(f"{name}={_source(part, imports)}" for name, part in values.items())

    if isinstance(value, pd.DataFrame):
        parts = {"columns": list(value.columns), "index": list(value.index)}
        if isinstance(value.index, pd.RangeIndex):
            del parts["index"]
        rows = zip(*(value[name] for name in value), strict=True)
        return f"pd.DataFrame({listed(rows)}, {named(parts)})"
    if isinstance(value, np.ndarray):
        return f"np.array({listed(value.tolist())}, dtype={str(value.dtype)!r})"
    if isinstance(value, Mapping):
        return f"dict({listed(value.items())})"
    if isinstance(value, SearchSpace) and value == SPACES.find(value.name):
        imports.add(("fewshot_core.space", "get_space"))
        return f"get_space({value.name!r})"
    if is_dataclass(value):
        kind = type(value)
        imports.add((kind.__module__, kind.__name__))
        parts = {f.name: getattr(value, f.name) for f in fields(value) if f.compare}
        return f"{kind.__name__}({named(parts)})"
    if isinstance(value, list | tuple | range | Set):
        return listed(value) if isinstance(value, list) else f"tuple({listed(value)})"
    if value is pd.NA:
        return "pd.NA"
    if isinstance(value, np.generic):
        value = value.item()
    return repr(float(f"{value:.9g}") if isinstance(value, float) else value)


def figure_numbers(figure: go.Figure) -> pd.DataFrame:
    """Return the table that a figure was drawn from, or else the points of its traces."""
    arguments = figure._drawn_by[1] if has_source(figure) else {}
    table = next((table for value in arguments.values() for table in _tables(value)), None)
    if table is None:
        return pd.concat(map(_points, figure.to_dict()["data"]), ignore_index=True)
    return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()


def _tables(value: Any) -> Iterator[pd.DataFrame]:
    """Yield the tables among the arguments of a figure; those of several splits as one."""
    if isinstance(value, pd.DataFrame):
        yield value
    elif isinstance(value, Mapping):
        parts = {key: part for key, part in value.items() if isinstance(part, pd.DataFrame)}
        if parts:
            table = pd.concat(parts, names=["split"]).reset_index("split")
            yield table.reset_index(drop=True)
    elif is_dataclass(value):
        yield from _tables(vars(value))


def _points(trace: Mapping[str, Any]) -> pd.DataFrame:
    """List the points of a trace: its name, x, y, and the value of each cell of a heat map."""
    columns = {name: _decoded(trace[name]) for name in ("x", "y", "z") if name in trace}
    if "z" in columns:
        x, y = np.meshgrid(columns["x"], columns["y"])
        columns = {"x": x.ravel(), "y": y.ravel(), "z": columns["z"].ravel()}
    return pd.DataFrame(columns).assign(name=trace.get("name"))


def _decoded(values: Any) -> Any:
    """Return values as an array; Plotly encodes numbers."""
    if not isinstance(values, Mapping):
        return np.asarray(values)
    numbers = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return numbers.reshape([int(n) for n in str(values.get("shape", "-1")).split(",")])
