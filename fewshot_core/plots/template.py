"""Colours and the one template of all figures, made for light and dark pages alike."""

import plotly.graph_objects as go

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

OPERATION_COLOURS = ("#8A8A8A", "#B08A4E", "#4E8FB0", "#3E6FC4", "#6FA063")
"""A tint for each operation, in the order of ``OPERATIONS``."""

INK = "#808495"
"""Text and lines: readable on white and on near-black."""

GRID = "rgba(128,132,149,0.22)"
WHOLE_FILL = "rgba(140,140,140,0.28)"
DEGENERATE_COLOUR = "#C77700"
FONT_SIZE = 13

TEMPLATE = go.layout.Template(
    layout={
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": FONT_SIZE, "color": INK},
        "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
        "xaxis": {"gridcolor": GRID, "zeroline": False, "automargin": True},
        "yaxis": {"gridcolor": GRID, "zeroline": False, "automargin": True},
        "hoverlabel": {"font": {"size": FONT_SIZE}, "align": "left"},
        "title": {"x": 0, "xanchor": "left", "font": {"size": 15}},
        "legend": {"orientation": "h", "y": -0.2},
    }
)


def sub_space_colour(position: int) -> str:
    """Return the colour of a sub-space, counted from 0; after eight they begin again."""
    return SUB_SPACE_COLOURS[position % len(SUB_SPACE_COLOURS)]


def translucent(colour: str, opacity: float) -> str:
    """Return a ``#rrggbb`` colour with an opacity."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def base_figure(title: str, height: int, alt: str) -> go.Figure:
    """Return a figure with the template, a fixed height and its text alternative."""
    figure = go.Figure()
    figure.update_layout(template=TEMPLATE, title_text=title, height=height, meta={"alt": alt})
    return figure


def empty_figure(title: str, message: str, height: int = 260) -> go.Figure:
    """Return a figure without data that says why."""
    figure = base_figure(title, height, f"{title}: {message}")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(text=message, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    return figure


def alternative(figure: go.Figure) -> str:
    """Return a figure's text alternative."""
    return str((figure.layout.meta or {}).get("alt", ""))
