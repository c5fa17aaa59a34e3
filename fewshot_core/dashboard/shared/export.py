"""The dialog that exports a figure for a paper.

The reader's own browser draws the figure as SVG, with the Plotly.js of the plotly package, and
returns it: nothing else must be installed, and the figure has the letters that the reader sees.
Both scripts are only sent when the dialog is opened.
"""

from collections.abc import Sequence
from functools import cache, partial
from hashlib import sha1
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from plotly.offline import get_plotlyjs

from fewshot_core.dashboard.shared.controls import choose_one, offer_download
from fewshot_core.plots import (
    WIDTHS,
    convert_svg,
    figure_numbers,
    figure_source,
    has_source,
    paper_figure,
    paper_svg,
)

_DRAW = """
export default function({data, setStateValue}) {
  const {layout} = JSON.parse(data.figure);
  const size = {format: "svg", width: layout.width, height: layout.height};
  const draw = () => window.Plotly
    ? window.Plotly.toImage(JSON.parse(data.figure), size).then(url => setStateValue(
        "drawn", {id: data.id, svg: decodeURIComponent(url.slice(url.indexOf(",") + 1))}))
    : setTimeout(draw, 50);
  draw();
}"""


@cache
def _components() -> tuple[Any, Any]:
    """Return the component that loads Plotly.js, which browsers cache, and the one that draws."""
    load = f"{get_plotlyjs()}\nexport default () => {{}}"
    component = st.components.v2.component
    return component("plotly", js=load), component("plotly_svg", js=_DRAW)


@st.dialog("Export", width="medium", icon=":material/ios_share:")
def show_export(figure: go.Figure, name: str, wide: bool, notes: Sequence[str] = ()) -> None:
    """Offer a figure as SVG, PDF and PNG, its numbers as CSV, and a Python program that draws it.

    ``notes`` are what its numbers rest on, as far as its title does not say so.
    """
    with st.container(horizontal=True, gap="large"):
        look: Any = {"default": list(WIDTHS)[wide], "bind": None, "help": None}
        width = WIDTHS[choose_one("Width", WIDTHS, "export_width", **look)]
        limits: Any = {"min_value": 5.0, "max_value": 14.0, "value": 8.0, "step": 0.5}
        size = st.number_input("Font size, pt", **limits, key="export_size", format="%g", width=160)
    downloads, place = st.container(horizontal=True), st.empty()
    svg = _draw(paper_figure(figure, width, size, notes), width)
    if svg is None:
        place.caption("Drawing the figure ...")
    else:
        place.image(svg, width=round(width / 25.4 * 96))
    with downloads:
        _offer(name, "svg", svg or "", svg is not None)
        _offer(name, "pdf", partial(convert_svg, svg or "", "pdf"), svg is not None)
        _offer(name, "png", partial(convert_svg, svg or "", "png"), svg is not None)
        _offer(name, "csv", partial(_csv, figure))
        _offer(name, "py", partial(figure_source, figure, width, size), has_source(figure))


def _draw(paper: go.Figure, width: float) -> str | None:
    """Return a figure as SVG text of a width in mm, or None until the browser has drawn it."""
    text = paper.to_json()
    name = sha1(text.encode(), usedforsecurity=False).hexdigest()
    load, draw = _components()
    load(key="plotly")
    data = {"id": name, "figure": text}
    drawn = draw(key="plotly_svg", data=data, on_drawn_change=lambda: None).drawn
    return paper_svg(drawn["svg"], width) if drawn and drawn["id"] == name else None


def _csv(figure: go.Figure) -> str:
    return figure_numbers(figure).to_csv(index=False, float_format="%.8g")


def _offer(name: str, suffix: str, data: Any, ready: bool = True) -> None:
    label = "Python" if suffix == "py" else suffix.upper()
    look = {"icon": ":material/download:", "disabled": not ready}
    offer_download(label, data, f"{name}.{suffix}", f"export_{suffix}", **look)
