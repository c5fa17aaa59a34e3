"""The right side of a tree: each sub-space with its name, size and share of the top."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.chips import Annotation
from fewshot_core.plots.template import (
    INK,
    outline_colour,
    sub_space_colour,
    sub_space_pattern,
    text_colour,
    translucent,
)
from fewshot_core.plots.texts import hover_text
from fewshot_core.plots.tree_layout import TreeLayout

_SHARE_OF_LEVELS = 0.44
_NAME, _SIZE, _BAR, _BAR_LENGTH = 0.1, 0.44, 0.5, 0.4
_NAME_COLUMN_PIXELS = 30


def leaf_width(layout: TreeLayout) -> float:
    """Return the width of this side, in levels: the same share of the figure for any depth."""
    return _SHARE_OF_LEVELS * layout.levels


def leaf_annotations(layout: TreeLayout) -> list[Annotation]:
    """Return the name and the size of each sub-space, if they are known, with their headings."""
    if layout.leaves is None:
        return []
    width = leaf_width(layout)
    size_x, bar_x = layout.levels + _SIZE * width, layout.levels + _BAR * width
    annotations = [heading(size_x, "size", "right"), heading(bar_x, "top", "left")]
    rows = layout.leaves.to_dict("records")
    for position, (end, row) in enumerate(zip(layout.ends, rows, strict=True)):
        colour = sub_space_colour(position)
        place = {"y": layout.rows[end.path], "showarrow": False}
        name = {
            "x": layout.levels + _NAME * width,
            "text": f"<b>{row['sub_space']}</b>",
            "width": _NAME_COLUMN_PIXELS,
            "bgcolor": colour,
            "borderpad": 2,
            "font": {"color": text_colour(colour)},
            "hovertext": hover_text(row),
        }
        size = {"x": size_x, "text": f"{row['size']:,}", "xanchor": "right"}
        annotations += [place | name, place | size]
    return annotations


def heading(x: float, text: str, anchor: str, shift: int = 0) -> Annotation:
    """Return the heading of a column."""
    return {
        "x": x,
        "y": 1,
        "yref": "paper",
        "text": f"<b>{escape(text)}</b>",
        "showarrow": False,
        "xanchor": anchor,
        "yanchor": "top",
        "xshift": shift,
    }


def add_leaf_traces(figure: go.Figure, layout: TreeLayout) -> None:
    """Draw lines to the names of the sub-spaces, and their top architectures as bars."""
    if layout.leaves is not None:
        _add_leaders(figure, layout)
        _add_bars(figure, layout, layout.leaves)


def _add_leaders(figure: go.Figure, layout: TreeLayout) -> None:
    """Lead from each end to its name with a dotted line."""
    x: list[float | None] = []
    y: list[float | None] = []
    for end in layout.ends:
        row = layout.rows[end.path]
        x += [end.depth, layout.levels + 0.03 * leaf_width(layout), None]
        y += [row, row, None]
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": INK, "width": 1.4, "dash": "dot"}, hoverinfo="skip"
    )


def _add_bars(figure: go.Figure, layout: TreeLayout, leaves: pd.DataFrame) -> None:
    """Draw the number of top architectures of each sub-space as a bar."""
    positions = range(len(leaves))
    counts = leaves["top_count"].tolist()
    unit = _BAR_LENGTH * leaf_width(layout) / max(1, *counts)
    colours = [sub_space_colour(position) for position in positions]
    figure.add_bar(
        base=layout.levels + _BAR * leaf_width(layout),
        x=[count * unit for count in counts],
        y=[layout.rows[end.path] for end in layout.ends],
        name="top",
        orientation="h",
        width=0.5,
        marker={
            "color": [translucent(colour, 0.85) for colour in colours],
            "line": {"color": [outline_colour(colour) for colour in colours], "width": 1},
            "pattern": {
                "shape": [sub_space_pattern(position) for position in positions],
                "fillmode": "overlay",
            },
        },
        text=[f"{count:,}" for count in counts],
        textposition="outside",
        cliponaxis=False,
        hovertext=[hover_text(row) for row in leaves.to_dict("records")],
        hoverinfo="text",
    )
