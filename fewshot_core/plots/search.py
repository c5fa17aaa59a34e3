"""Figures of searches over epochs."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.search_epochs import UNSPLIT
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    INK,
    SMALL_FONT_SIZE,
    SUB_SPACE_COLOURS,
    Row,
    base_figure,
    empty_figure,
    luminance,
    outline_colour,
    sub_space_colour,
    sub_space_dash,
)
from fewshot_core.selection import (
    Curves,
    HalvingResult,
    describe_schedule,
    leaders,
    read_frame,
    verdict,
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


def search_alternative(curves: Curves) -> str:
    """Return whether the leader by validation accuracy finds the best architecture."""
    test = curves.values["test_accuracy"]
    rows = leaders(curves)
    lead = rows.dropna(subset=["test_accuracy"])
    if lead.empty:
        return f"Curves of {len(curves.sub_spaces)} sub-supernets; what they find is not known."
    columns = np.searchsorted(curves.epochs, lead["epoch"].to_numpy())
    highest = np.nanmax(test[:, columns], axis=0)
    best = int((lead["test_accuracy"].to_numpy() == highest).sum())
    last = lead.iloc[-1]
    ahead = int(np.nanargmax(test[:, columns[-1]]))
    at_end = (
        f"finds the best architecture, {highest[-1]:.2f}%"
        if last["test_accuracy"] == highest[-1]
        else f"finds {last['test_accuracy']:.2f}%, while {curves.sub_spaces[ahead]} finds "
        f"{highest[-1]:.2f}%"
    )
    return (
        f"Accuracy of the architecture found by {len(curves.sub_spaces)} sub-supernets. At "
        f"epoch {last['epoch']} the one with the best validation accuracy, {last['sub_space']}, "
        f"{at_end}. The leader by validation accuracy also finds the best architecture at {best:,} "
        f"of {len(lead):,} epochs."
    )


def halving_alternative(result: HalvingResult) -> str:
    """Return who was discarded when, and what it came to."""
    parts = []
    for epoch in result.milestones:
        gone = [name for name, at in result.discarded.items() if at == epoch]
        if gone:
            parts.append(f"At epoch {epoch} {', '.join(gone)} are discarded.")
    start = (
        f"Validation accuracy of {len(result.sub_spaces)} sub-supernets, "
        f"{describe_schedule(result.milestones, result.end)}."
    )
    return " ".join([start, *parts, verdict(result)])


def schedules_alternative(grid: pd.DataFrame) -> str:
    """Return what the cheapest strategies lose, and what the paper's does."""
    front = grid[grid["pareto"]].sort_values(["cost", "regret"])
    points = [f"{row['label']} ({_point(row)})" for row in front.to_dict("records")]
    known = [
        f"The schedule of {'the paper' if row['mark'] == 'paper' else row['mark']}: "
        f"{_point(row)}, {'on' if row['pareto'] else 'not on'} the front."
        for row in grid.to_dict("records")
        if row["mark"] in ("paper", "GM-NAS")
    ]
    start = f"Cost against regret of {len(grid)} strategies. On the Pareto front: "
    return " ".join([start + "; ".join(points) + ".", *known])


def proxy_alternative(frame: pd.DataFrame, chance: float | None) -> str:
    """Return how well validation accuracy orders sub-supernets early, late and at best."""
    known = frame.dropna(subset=["kendall"])
    if known.empty:
        return "No correlation is defined: all sub-supernets are equal at every epoch."
    first, last = known.iloc[0], known.iloc[-1]
    best = known.iloc[int(known["kendall"].to_numpy().argmax())]
    text = (
        f"Kendall's tau between validation accuracy and the accuracy of what is found at the end: "
        f"{first['kendall']:.2f} at epoch {first['epoch']:.0f}, {last['kendall']:.2f} at epoch "
        f"{last['epoch']:.0f}, at most {best['kendall']:.2f} at epoch {best['epoch']:.0f}."
    )
    if chance is None:
        return text
    above = int((known["kendall"] >= chance).sum())
    return (
        f"{text} It reaches {chance:.2f}, which a random order reaches in less than one case of "
        f"twenty, at {above:,} of {len(known):,} epochs."
    )


def _point(row: Row) -> str:
    return f"{row['cost']:.2f} runs, {row['regret']:.2f} points lost"


HEIGHT = 420


def search_curves_figure(
    curves: pd.DataFrame | Curves,
    axis_title: str = FOUND_AXIS,
    caption: Sequence[str] = (),
    title: str = "What each sub-supernet finds",
) -> go.Figure:
    """Draw the test accuracy of the architecture found, and a red dot on who leads.

    The leader of an epoch is the sub-supernet with the best validation accuracy there.

    Args:
        curves: Columns sub_space, epoch, valid_accuracy and test_accuracy (percent), of one seed,
            or what ``fewshot_core.selection.read_frame`` makes of them.
        axis_title: What the accuracies are, with their unit.
        caption: Parts of the muted line under the title, after what red is.
        title: The title.

    Raises:
        SelectionError: If the curves are damaged, or of more than one seed.
    """
    if isinstance(curves, pd.DataFrame) and curves.empty:
        return empty_figure(title, "no search to draw", HEIGHT)
    table = curves if isinstance(curves, Curves) else read_frame(curves)
    test = table.values["test_accuracy"]
    low, high = accuracy_range(test)
    notes = [LEADER_NOTE, *cut_note(test, low), *caption]
    figure = base_figure(title, HEIGHT, search_alternative(table), notes)
    add_search_curves(figure, Panel(), table)
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text=axis_title, range=[low, high])
    return figure


def add_search_curves(figure: go.Figure, panel: Panel, curves: Curves) -> None:
    """Draw the curves and the dots of ``search_curves_figure`` into a panel."""
    test = curves.values["test_accuracy"]
    for i, position in enumerate(positions_of(curves.sub_spaces)):
        own = curves.recorded[i]
        name = curves.sub_spaces[i]
        add_search_line(figure, panel, name, position, curves.epochs[own], test[i, own])
    rows = leaders(curves)
    figure.add_scatter(
        **epochs_place(rows["epoch"].to_numpy(dtype=np.int64)),
        **panel.axes,
        y=rows["test_accuracy"].to_numpy(dtype=np.float32),
        name="leader",
        mode="markers",
        marker={"color": LEADER_COLOUR, "size": 4},
        showlegend=False,
        hovertemplate="best validation accuracy at epoch %{x}: finds %{y:.2f}%<extra></extra>",
    )


HEIGHT_of_search_epochs = 400

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
        return empty_figure(title, "no epoch to draw yet", HEIGHT_of_search_epochs)
    values = known[measure].to_numpy(dtype=np.float64)
    low, high = _range(info, values)
    notes = [*(cut_note(values, low) if info.unit == "%" else []), *caption]
    figure = base_figure(title, HEIGHT_of_search_epochs, _alternative(known, info), notes)
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


_HEIGHT = 330


def shared_accuracy_figure(
    frame: pd.DataFrame,
    found: str,
    axis_title: str,
    caption: Sequence[str] = (),
    title: str = "Do shared weights rank architectures?",
) -> go.Figure:
    """Draw a point for each architecture.

    Args:
        frame: Columns architecture (index), shared_accuracy and benchmark_accuracy (percent).
        found: The rank correlation, in words.
        axis_title: What the benchmark accuracies are, with their unit.
        caption: Parts of the muted line under the title, after the correlation.
        title: The title.
    """
    if frame.empty:
        return empty_figure(title, "the table knows none of the architectures", _HEIGHT)
    alt = f"{title} {len(frame)} architectures, accuracy with shared weights against {axis_title}. "
    heights = frame["benchmark_accuracy"].to_numpy(dtype=np.float64)
    low, high = accuracy_range(heights)
    notes = [found, *cut_note(heights, low), *caption]
    figure = base_figure(title, _HEIGHT, f"{alt}{found}.", notes)
    figure.add_scatter(
        x=frame["shared_accuracy"].to_numpy(dtype=np.float32),
        y=frame["benchmark_accuracy"].to_numpy(dtype=np.float32),
        customdata=frame["architecture"].to_numpy(dtype=np.int32),
        mode="markers",
        marker={"color": ACTIVE_COLOUR, "size": 6, "opacity": 0.7},
        hovertemplate="architecture %{customdata}: %{x:.2f}% shared, %{y:.2f}%<extra></extra>",
    )
    figure.update_xaxes(title_text="accuracy with shared weights, %")
    figure.update_yaxes(title_text=axis_title, range=[low, high])
    return figure
