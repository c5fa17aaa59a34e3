"""The cell of an architecture: four nodes and the operation on each edge."""

import plotly.graph_objects as go

from fewshot_core.plots.template import INK, OPERATION_COLOURS, base_figure
from fewshot_core.space import EDGES, OPERATION_LABELS, Architecture

_PLACES = ((0.0, 0.5), (1.0, 1.0), (2.0, 0.0), (3.0, 0.5))


def cell_figure(architecture: Architecture, title: str = "Cell") -> go.Figure:
    """Draw a cell; an edge with the operation ``none`` is dotted."""
    alt = f"{title}: {architecture.to_string()}"
    figure = base_figure(title, 230, alt)
    for (target, source), operation in zip(EDGES, architecture.operations, strict=True):
        (x0, y0), (x1, y1) = _PLACES[source], _PLACES[target]
        colour = OPERATION_COLOURS[operation]
        figure.add_scatter(
            x=[x0, x1],
            y=[y0, y1],
            mode="lines",
            line={"color": colour, "width": 3, "dash": "solid" if operation else "dot"},
            hoverinfo="skip",
        )
        weight = 0.62 if (target, source) in ((3, 0), (2, 1)) else 0.5
        figure.add_annotation(
            x=x0 + weight * (x1 - x0),
            y=y0 + weight * (y1 - y0),
            text=OPERATION_LABELS[operation],
            showarrow=False,
            bgcolor=colour,
            font={"color": "#ffffff", "size": 12},
            borderpad=2,
        )
    figure.add_scatter(
        x=[x for x, _ in _PLACES],
        y=[y for _, y in _PLACES],
        mode="markers+text",
        text=["0", "1", "2", "3"],
        textfont={"color": "#ffffff"},
        marker={"size": 24, "color": INK},
        hoverinfo="skip",
    )
    figure.update_xaxes(visible=False, range=[-0.2, 3.2])
    figure.update_yaxes(visible=False, range=[-0.25, 1.25])
    figure.update_layout(showlegend=False)
    return figure
