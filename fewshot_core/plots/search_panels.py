"""One search: its losses, its entropy and its temperature over epochs, side by side."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    SMALL_FONT_SIZE,
    base_figure,
    empty_figure,
)

_HEIGHT = 270
_GAP = 0.07
_ROOM = 0.02

# Column, name in the legend or None, colour, dash, of every line of a panel.
_PANELS = {
    "loss": (
        ("train_loss", "training loss", DEGENERATE_COLOUR, "dash"),
        ("valid_loss", "validation loss", ACTIVE_COLOUR, "solid"),
    ),
    "entropy, bits": (("entropy", "entropy", INK, "solid"),),
    "temperature": (("temperature", "temperature", INK, "solid"),),
}


def search_panels_figure(
    frame: pd.DataFrame,
    end: int,
    caption: Sequence[str] = (),
    title: str = "Losses, entropy and temperature",
) -> go.Figure:
    """Draw the losses of one search, and what tells how sure it is.

    Args:
        frame: Columns epoch, train_loss, valid_loss, entropy (bits) and temperature, a row for each
            epoch that is done; a search without a temperature has no panel for it.
        end: The last epoch of the whole search.
        caption: Parts of the muted line under the title.
        title: The title.
    """
    if frame.empty:
        return empty_figure(title, "no epoch is done yet", _HEIGHT)
    panels = [name for name, lines in _PANELS.items() if frame[lines[-1][0]].notna().any()]
    figure = base_figure(title, _HEIGHT, _alternative(frame), caption)
    for number, name in enumerate(panels):
        _draw_panel(figure, number, len(panels), name, frame, end)
    figure.update_layout(
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.14,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"size": SMALL_FONT_SIZE},
        },
        margin={"t": 78 if not caption else 96},
    )
    return figure


def _draw_panel(
    figure: go.Figure, number: int, panels: int, name: str, frame: pd.DataFrame, end: int
) -> None:
    """Draw the lines of one of some panels, with axes of its own."""
    suffix = str(number + 1) if number else ""
    lines = _PANELS[name]
    for column, label, colour, dash in lines:
        known = frame.dropna(subset=[column])
        figure.add_scatter(
            x=known["epoch"],
            y=known[column].to_numpy(dtype=np.float32),
            xaxis=f"x{suffix}",
            yaxis=f"y{suffix}",
            name=label,
            mode="lines" if len(known) > 1 else "markers",
            line={"color": colour, "width": 2, "dash": dash},
            showlegend=len(lines) > 1,
            hovertemplate=f"{label} at epoch %{{x}}: %{{y:.3f}}<extra></extra>",
        )
    width = (1 - _GAP * (panels - 1)) / panels
    start = number * (width + _GAP)
    figure.update_layout(
        {
            f"xaxis{suffix}": {
                "domain": [start, start + width],
                "anchor": f"y{suffix}",
                "title": {"text": "epoch"},
                "range": [-_ROOM * end, (1 + _ROOM) * end],
            },
            f"yaxis{suffix}": {
                "anchor": f"x{suffix}",
                "rangemode": "tozero" if name != "loss" else "normal",
            },
        }
    )
    figure.add_annotation(
        text=name,
        x=start,
        y=1,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": SMALL_FONT_SIZE},
    )


def _alternative(frame: pd.DataFrame) -> str:
    first, last = frame.iloc[0], frame.iloc[-1]
    parts = [
        f"{label} from {first[column]:.2f} to {last[column]:.2f}"
        for column, label in (("valid_loss", "validation loss"), ("entropy", "entropy in bits"))
    ]
    trained = frame["train_loss"].dropna()
    if len(trained):
        parts.append(f"training loss from {trained.iloc[0]:.2f} to {trained.iloc[-1]:.2f}")
    if not np.isnan(last["temperature"]):
        parts.append(f"temperature {last['temperature']:.2f}")
    return f"Epoch {first['epoch']:.0f} to {last['epoch']:.0f}: {', '.join(parts)}."
