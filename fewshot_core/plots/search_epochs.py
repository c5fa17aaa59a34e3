"""Searches as they go on: one measure over epochs, a curve for each sub-supernet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.search_epochs import UNSPLIT
from fewshot_core.plots.search_lines import (
    VALID_AXIS,
    Floats,
    Panel,
    accuracy_range,
    add_search_line,
    cut_note,
    positions_of,
)
from fewshot_core.plots.template import (
    INK,
    SMALL_FONT_SIZE,
    SUB_SPACE_COLOURS,
    base_figure,
    empty_figure,
    outline_colour,
    sub_space_colour,
)

HEIGHT = 400

_ROOM = 0.02
_HEAD = 7


@dataclass(frozen=True)
class EpochMeasure:
    """Something that is drawn over epochs.

    Attributes:
        column: Its column in what ``fewshot_core.analysis.search_epochs`` returns.
        label: Its name.
        axis_title: What the axis says.
        unit: What follows its numbers.
        decimals: How many decimals they have.
        low_is_good: Whether the least is the best.
    """

    column: str
    label: str
    axis_title: str
    unit: str = "%"
    decimals: int = 2
    low_is_good: bool = False

    def text(self, value: float) -> str:
        """Return a value in words."""
        return f"{value:.{self.decimals}f}{self.unit}"


EPOCH_MEASURES: Mapping[str, EpochMeasure] = {
    measure.column: measure
    for measure in (
        EpochMeasure("valid_accuracy", "Supernet's validation accuracy", VALID_AXIS),
        EpochMeasure(
            "valid_loss", "Validation loss", "validation loss of the supernet", "", 3, True
        ),
        EpochMeasure(
            "benchmark_accuracy",
            "Benchmark accuracy found",
            "benchmark accuracy of the architecture found, %",
        ),
        EpochMeasure("entropy", "Entropy", "entropy over architectures, bits", " bits", 2, True),
    )
}
"""What ``epochs_figure`` draws, by column."""


def epochs_figure(
    frame: pd.DataFrame,
    measure: str,
    end: int,
    running: Collection[str] = (),
    chance: float | None = None,
    axis_title: str | None = None,
    caption: Sequence[str] = (),
    title: str = "",
) -> go.Figure:
    """Draw one measure of some searches over epochs, as far as they are.

    Args:
        frame: Columns sub_space, epoch and the measure, a row for each epoch that is done; of one
            seed, or of means.
        measure: One of ``EPOCH_MEASURES``.
        end: The last epoch of a whole search; the axis reaches up to there from the start.
        running: The sub-spaces whose curves go on: they end in a dot.
        chance: The accuracy of guessing, in percent, or None not to show it.
        axis_title: What the axis says, if not what the measure says.
        caption: Parts of the muted line under the title.
        title: The title; by default the measure's name.
    """
    info = EPOCH_MEASURES[measure]
    title = title or info.label
    known = frame.dropna(subset=[measure])
    if known.empty:
        return empty_figure(title, "no epoch to draw yet", HEIGHT)
    values = known[measure].to_numpy(dtype=np.float64)
    low, high = _range(info, values)
    notes = [*(cut_note(values, low) if info.unit == "%" else []), *caption]
    figure = base_figure(title, HEIGHT, _alternative(known, info), notes)
    if chance is not None and low <= chance <= high:
        _add_chance(figure, chance)
    number = f"%{{y:.{info.decimals}f}}{info.unit}"
    for name, curve in known.groupby("sub_space", sort=False):
        epochs = curve["epoch"].to_numpy(dtype=np.int64)
        heights = curve[measure].to_numpy(dtype=np.float64)
        position = _position(str(name))
        add_search_line(figure, Panel(), str(name), position, epochs, heights, value_text=number)
        if name in running or len(epochs) == 1:
            _add_head(figure, str(name), position, int(epochs[-1]), float(heights[-1]))
    figure.update_xaxes(title_text="epoch", range=[-_ROOM * end, (1 + _ROOM) * end])
    figure.update_yaxes(title_text=axis_title or info.axis_title, range=[low, high])
    figure.update_layout(legend_traceorder="normal")
    return figure


def _range(info: EpochMeasure, values: Floats) -> tuple[float, float]:
    if info.unit == "%":
        return accuracy_range(values)
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low or 1.0)
    return low - margin, high + margin


def _position(name: str) -> int:
    """Return the position of a sub-space's colour; the whole space has the grey one."""
    return len(SUB_SPACE_COLOURS) - 1 if name == UNSPLIT else positions_of([name])[0]


def _add_chance(figure: go.Figure, chance: float) -> None:
    figure.add_hline(
        y=chance,
        line={"color": INK, "width": 1, "dash": "dot"},
        annotation={
            "text": f"guessing, {chance:g}%",
            "xanchor": "right",
            "font": {"size": SMALL_FONT_SIZE},
        },
    )


def _add_head(figure: go.Figure, name: str, position: int, epoch: int, value: float) -> None:
    """End a curve in a dot."""
    colour = sub_space_colour(position)
    figure.add_scatter(
        x=[epoch],
        y=[value],
        mode="markers",
        marker={
            "color": colour,
            "size": _HEAD,
            "line": {"color": outline_colour(colour), "width": 1.2},
        },
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
    )


def _alternative(known: pd.DataFrame, info: EpochMeasure) -> str:
    """Return who is first and who is last, each at its last epoch."""
    last = known.sort_values("epoch").groupby("sub_space", sort=False).tail(1)
    order = last.sort_values(info.column, ascending=info.low_is_good, kind="stable")
    points = [
        f"{row['sub_space']} with {info.text(row[info.column])} at epoch {row['epoch']:.0f}"
        for row in order.to_dict("records")
    ]
    best, worst = ("Lowest", "highest") if info.low_is_good else ("Highest", "lowest")
    start = f"{info.label} over epochs"
    if len(points) == 1:
        return f"{start}: {points[0]}."
    return f"{start}, {len(points)} curves. {best}: {points[0]}; {worst}: {points[-1]}."
