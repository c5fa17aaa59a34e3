"""Play, pause, step and scrub through the frames of a figure, in the browser."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from fewshot_core.plots.template import GRID, INK, SMALL_FONT_SIZE

_SECONDS = 12
_TOP = 44


def add_timeline(figure: go.Figure, epochs: Sequence[int], active: int) -> None:
    """Add two buttons and a slider under the axes; the frames must be named after the epochs.

    Args:
        figure: A figure with a frame for each epoch.
        epochs: The epochs, ascending.
        active: The position of the one that is shown.
    """
    figure.update_layout(
        updatemenus=[_buttons(1000 * _SECONDS / len(epochs))],
        sliders=[
            {
                "active": active,
                "x": 0,
                "len": 1,
                "y": 0,
                "pad": {"t": _TOP, "b": 4},
                "currentvalue": {
                    "prefix": "epoch ",
                    "xanchor": "right",
                    "offset": 26,
                    "font": {"color": INK},
                },
                "font": {"color": INK, "size": SMALL_FONT_SIZE},
                "bgcolor": GRID,
                "bordercolor": INK,
                "activebgcolor": INK,
                "tickcolor": INK,
                "steps": [_step(epoch) for epoch in epochs],
            }
        ],
    )


def _step(epoch: int) -> dict[str, Any]:
    return {"args": [[str(epoch)], _motion(0)], "label": str(epoch), "method": "animate"}


def _buttons(milliseconds: float) -> dict[str, Any]:
    play = {"fromcurrent": True, **_motion(round(milliseconds))}
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, play]},
        {"label": "Pause", "method": "animate", "args": [[None], _motion(0)]},
    ]
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": _TOP, "l": 0},
        "font": {"color": INK},
        "bgcolor": "rgba(0,0,0,0)",
        "bordercolor": INK,
        "buttons": buttons,
    }


def _motion(milliseconds: int) -> dict[str, Any]:
    """Return how frames are shown: one at once for so long, by moving traces only."""
    motion = {"mode": "immediate", "frame": {"duration": milliseconds, "redraw": False}}
    # A transition is never longer than its frame: without a duration there is none.
    return motion | ({"transition": {"duration": 0}} if milliseconds else {})
