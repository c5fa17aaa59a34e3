"""What figures of searches share: axes, lines in the colours of sub-spaces, and dots."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from fewshot_core.plots.template import (
    luminance,
    outline_colour,
    sub_space_colour,
    sub_space_dash,
)

LEADER_COLOUR = "#E3001B"
LEADER_NOTE = "red: the best validation accuracy of the epoch"
FOUND_AXIS = "test accuracy of the architecture found, %"
VALID_AXIS = "validation accuracy of the supernet, %"

_GLARE = 0.05
_CONTRAST = 3
_PAGES_WITH_GLARE = tuple(luminance(page) + _GLARE for page in ("#FFFFFF", "#0E1117"))
_OUTLINE, _CORE, _PLAIN = 2.8, 1.3, 1.8
_TAIL = 0.05
_MARGIN = 0.03
_HOVER_STEP = 10
_POINT_BYTES, _EVEN_POINT_BYTES = 6, 4

Floats = npt.NDArray[np.float64]
Epochs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Panel:
    """Where in a figure curves are drawn: its axes, and whether the legend names them here."""

    x: str = "x"
    y: str = "y"
    legend: bool = True

    @property
    def axes(self) -> dict[str, str]:
        """The axes, as traces name them."""
        return {"xaxis": self.x, "yaxis": self.y}


def positions_of(names: Sequence[str]) -> list[int]:
    """Return the position that gives each sub-space its colour: 2 for S3, whatever is missing."""
    numbered = [re.fullmatch(r"S([1-9]\d*)", name) for name in names]
    if all(numbered):
        return [int(match[1]) - 1 for match in numbered if match]
    return list(range(len(names)))


def epochs_place(epochs: Epochs) -> dict[str, Any]:
    """Return where points are on the axis of epochs, in few bytes where they are even."""
    steps = np.unique(np.diff(epochs))
    if len(steps) == 1:
        return {"x0": int(epochs[0]), "dx": int(steps[0])}
    return {"x": epochs.astype(np.int16 if epochs.max(initial=0) < 2**15 else np.int32)}


def thinned(epochs: Epochs, values: Floats) -> tuple[Epochs, Floats]:
    """Leave out points inside constant stretches of a curve, where that saves bytes.

    The line through the others is the same. Every tenth point stays, so that there is one to
    hover over everywhere.
    """
    with np.errstate(invalid="ignore"):
        changes = np.diff(values) != 0
    keep = np.ones(len(values), dtype=np.bool_)
    keep[1:-1] = changes[:-1] | changes[1:]
    keep[::_HOVER_STEP] = True
    if _POINT_BYTES * keep.sum() >= _EVEN_POINT_BYTES * len(keep):
        return epochs, values
    return epochs[keep], values[keep]


def stands_out(colour: str) -> bool:
    """Return whether a line in a colour is seen well on light and on dark pages.

    The contrast that WCAG 2 asks of graphics, 3 to 1, is asked on white and on near-black.
    """
    brightness = luminance(colour) + _GLARE
    return all(
        max(brightness, page) >= _CONTRAST * min(brightness, page) for page in _PAGES_WITH_GLARE
    )


def add_search_line(
    figure: go.Figure,
    panel: Panel,
    name: str,
    position: int,
    epochs: Epochs,
    values: Floats,
    opacity: float = 1.0,
    value_text: str = "%{y:.2f}%",
) -> None:
    """Draw a curve in the colour of its sub-space; ``value_text`` is how hovering says a value.

    A colour that does not stand out on light and dark pages alike lies on a wider, darker line.
    """
    colour = sub_space_colour(position)
    outlined = not stands_out(colour)
    epochs, values = thinned(epochs, values)
    line: dict[str, Any] = {
        **epochs_place(epochs),
        **panel.axes,
        "y": values.astype(np.float32),
        "mode": "lines",
        "legendgroup": name,
    }
    if opacity < 1:
        line["opacity"] = opacity
    if outlined:
        outline = {"color": outline_colour(colour), "width": _OUTLINE}
        figure.add_scatter(**line, line=outline, showlegend=False, hoverinfo="skip")
    figure.add_scatter(
        **line,
        name=name,
        line={
            "color": colour,
            "width": _CORE if outlined else _PLAIN,
            "dash": sub_space_dash(position),
        },
        showlegend=panel.legend,
        hovertemplate=f"<b>{name}</b> at epoch %{{x}}: {value_text}<extra></extra>",
    )


def accuracy_range(values: Floats) -> tuple[float, float]:
    """Return the ends of an axis for accuracies, in percent.

    Where the lowest twentieth would take more than half of the axis, it is left out.
    """
    known = values[~np.isnan(values)]
    if not known.size:
        return 0.0, 100.0
    low, high = float(known.min()), float(known.max())
    tail = float(np.quantile(known, _TAIL))
    if high - low > 2 * (high - tail):
        low = tail
    margin = _MARGIN * max(high - low, 1.0)
    return low - margin, high + margin


def cut_note(values: Floats, low: float) -> list[str]:
    """Return how many points lie below an axis, if any do."""
    known = values[~np.isnan(values)]
    below = int((known < low).sum())
    return [f"not shown: {below:,} of {known.size:,} points below {low:.1f}%"] if below else []
