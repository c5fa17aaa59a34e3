"""Figures of several searches over epochs."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.search_epochs import UNSPLIT
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    INK,
    SILENT,
    SMALL_FONT_SIZE,
    SUB_SPACE_COLOURS,
    base_figure,
    empty_figure,
    epoch_range,
    sub_space_look,
)
from fewshot_core.selection import Curves, leaders

LEADER_COLOUR = "#E3001B"
LEADER_NOTE = "red: leader (highest validation accuracy)"
FOUND_AXIS = "test accuracy of the architecture found, %"
VALID_AXIS = "validation accuracy of the supernet, %"

_HEIGHT, _EPOCHS_HEIGHT, _SHARED_HEIGHT = 420, 400, 330
_OUTLINE, _CORE, _PLAIN = 2.8, 1.3, 1.8
_TAIL, _MARGIN = 0.05, 0.03
_HOVER_STEP = 10
_POINT_BYTES, _EVEN_POINT_BYTES = 6, 4

Floats = npt.NDArray[np.float64]
Epochs = npt.NDArray[np.int64]


def positions_of(names: Sequence[str]) -> list[int]:
    """Positions that give sub-spaces their colours: 2 for S3, even if S1 is missing."""
    numbered = [re.fullmatch(r"S([1-9]\d*)", name) for name in names]
    if all(numbered):
        return [int(match[1]) - 1 for match in numbered if match]
    return list(range(len(names)))


def epoch_points(epochs: Epochs) -> dict[str, Any]:
    """Place points on the axis of epochs, in few bytes if they are evenly spaced."""
    steps = np.unique(np.diff(epochs))
    if len(steps) == 1:
        return {"x0": int(epochs[0]), "dx": int(steps[0])}
    return {"x": epochs.astype(np.int16 if epochs.max(initial=0) < 2**15 else np.int32)}


def thinned(epochs: Epochs, values: Floats) -> tuple[Epochs, Floats]:
    """Leave out points inside constant stretches of a curve, where that saves bytes.

    The line through the others is the same. Every tenth point stays, for hovering.
    """
    with np.errstate(invalid="ignore"):
        changes = np.diff(values) != 0
    keep = np.ones(len(values), dtype=np.bool_)
    keep[1:-1] = changes[:-1] | changes[1:]
    keep[::_HOVER_STEP] = True
    if _POINT_BYTES * keep.sum() >= _EVEN_POINT_BYTES * len(keep):
        return epochs, values
    return epochs[keep], values[keep]


def add_search_line(
    figure: go.Figure,
    name: str,
    position: int,
    epochs: Epochs,
    values: Floats,
    value_text: str = "%{y:.2f}%",
    **options: Any,
) -> None:
    """Draw a curve in the colour of its sub-space; ``value_text`` formats values when hovering.

    A colour with too little contrast on light or dark pages is drawn over a wider, darker line.
    Further options are the trace's.
    """
    look = sub_space_look(position)
    epochs, values = thinned(epochs, values)
    curve = {**epoch_points(epochs), "y": values.astype(np.float32), "mode": "lines"}
    curve |= {"legendgroup": name, "showlegend": True, **options}
    if look.faint:
        figure.add_scatter(**(curve | SILENT), line={"color": look.outline, "width": _OUTLINE})
    width = _CORE if look.faint else _PLAIN
    figure.add_scatter(
        **curve,
        name=name,
        line={"color": look.colour, "width": width, "dash": look.dash},
        hovertemplate=f"<b>{name}</b> at epoch %{{x}}: {value_text}<extra></extra>",
    )


def accuracy_range(values: Floats) -> tuple[float, float]:
    """Compute the ends of an axis for accuracies, in percent.

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
    """Note how many points are below the axis, if any."""
    known = values[~np.isnan(values)]
    below = int((known < low).sum())
    return [f"not shown: {below:,} of {known.size:,} points below {low:.1f}%"] if below else []


def search_curves_figure(
    curves: Curves, axis_title: str = FOUND_AXIS, caption: Sequence[str] = ()
) -> go.Figure:
    """Draw the test accuracy of the architecture found, and a red dot on the leader.

    The leader of an epoch is the sub-supernet with the highest validation accuracy.
    """
    test = curves.values["test_accuracy"]
    low, high = accuracy_range(test)
    notes = [LEADER_NOTE, *cut_note(test, low), *caption]
    title = "Accuracy found by each sub-supernet"
    figure = base_figure(title, _HEIGHT, search_alternative(curves), notes)
    add_search_curves(figure, curves)
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text=axis_title, range=[low, high])
    return figure


def add_search_curves(figure: go.Figure, curves: Curves) -> None:
    """Draw the curves and the dots of ``search_curves_figure``."""
    test = curves.values["test_accuracy"]
    for i, position in enumerate(positions_of(curves.sub_spaces)):
        own = curves.recorded[i]
        name = curves.sub_spaces[i]
        add_search_line(figure, name, position, curves.epochs[own], test[i, own])
    rows = leaders(curves)
    figure.add_scatter(
        **epoch_points(rows["epoch"].to_numpy(dtype=np.int64)),
        y=rows["test_accuracy"].to_numpy(dtype=np.float32),
        name="leader",
        mode="markers",
        marker={"color": LEADER_COLOUR, "size": 4},
        showlegend=False,
        hovertemplate="leader at epoch %{x}: finds %{y:.2f}%<extra></extra>",
    )


def search_alternative(curves: Curves) -> str:
    """Text alternative: whether the leader finds the best architecture."""
    count = len(curves.sub_spaces)
    lead = leaders(curves).dropna(subset=["test_accuracy"])
    if lead.empty:
        return f"Curves of {count} sub-supernets; what they find is not known."
    columns = np.searchsorted(curves.epochs, lead["epoch"].to_numpy())
    test = curves.values["test_accuracy"][:, columns]
    highest = np.nanmax(test, axis=0)
    best = int((lead["test_accuracy"].to_numpy() == highest).sum())
    last = lead.iloc[-1]
    at_end = f"finds the best architecture, {highest[-1]:.2f}%"
    if last["test_accuracy"] != highest[-1]:
        ahead = curves.sub_spaces[int(np.nanargmax(test[:, -1]))]
        at_end = f"finds {last['test_accuracy']:.2f}%, while {ahead} finds {highest[-1]:.2f}%"
    return (
        f"Accuracy of the architecture found by {count} sub-supernets. At epoch {last['epoch']} "
        f"the leader by validation accuracy, {last['sub_space']}, {at_end}. The leader finds the "
        f"best architecture at {best:,} of {len(lead):,} epochs."
    )


class EpochMeasure(NamedTuple):
    """A column of ``fewshot_core.analysis.search_epochs``, and how it is drawn over epochs."""

    label: str
    axis_title: str
    unit: str = "%"
    decimals: int = 2
    low_is_good: bool = False


EPOCH_MEASURES: Mapping[str, EpochMeasure] = {
    "valid_accuracy": EpochMeasure("Supernet's validation accuracy", VALID_AXIS),
    "valid_loss": EpochMeasure(
        "Validation loss", "validation loss of the supernet", "", 3, low_is_good=True
    ),
    "benchmark_accuracy": EpochMeasure(
        "Benchmark accuracy found", "benchmark accuracy of the architecture found, %"
    ),
    "entropy": EpochMeasure(
        "Entropy", "entropy over architectures, bits", " bits", low_is_good=True
    ),
}


def epochs_figure(
    frame: pd.DataFrame,
    measure: str,
    end: int,
    running: Collection[str] = (),
    random_accuracy: float | None = None,
    axis_title: str | None = None,
    caption: Sequence[str] = (),
) -> go.Figure:
    """Draw one measure of some searches over the epochs that are done.

    Args:
        frame: Columns sub_space, epoch and the measure, a row for each epoch that is done; of one
            seed, or of means.
        measure: One of ``EPOCH_MEASURES``.
        end: The last epoch of a complete search, where the axis ends.
        running: The sub-spaces whose searches are running: their curves end in a dot.
        random_accuracy: The accuracy of random guessing, in percent, or None not to show it.
        axis_title: The title of the axis, if not the measure's.
    """
    info = EPOCH_MEASURES[measure]
    known = frame.dropna(subset=[measure])
    if known.empty:
        return empty_figure(info.label, "no epoch to draw yet", _EPOCHS_HEIGHT)
    values = known[measure].to_numpy(dtype=np.float64)
    low, high = _range(info, values)
    notes = [*(cut_note(values, low) if info.unit == "%" else []), *caption]
    alt = _epochs_alternative(known, measure)
    figure = base_figure(info.label, _EPOCHS_HEIGHT, alt, notes)
    if random_accuracy is not None and low <= random_accuracy <= high:
        text = {"text": f"random guessing, {random_accuracy:g}%", "xanchor": "right"}
        figure.add_hline(
            y=random_accuracy,
            line={"color": INK, "width": 1, "dash": "dot"},
            annotation={**text, "font": {"size": SMALL_FONT_SIZE}},
        )
    number = f"%{{y:.{info.decimals}f}}{info.unit}"
    for key, curve in known.groupby("sub_space", sort=False):
        name = str(key)
        # The whole space is grey.
        position = len(SUB_SPACE_COLOURS) - 1 if name == UNSPLIT else positions_of([name])[0]
        epochs = curve["epoch"].to_numpy(dtype=np.int64)
        heights = curve[measure].to_numpy(dtype=np.float64)
        add_search_line(figure, name, position, epochs, heights, number)
        if name in running or len(epochs) == 1:
            look = sub_space_look(position)
            outline = {"color": look.outline, "width": 1.2}
            figure.add_scatter(
                x=epochs[-1:].tolist(),
                y=heights[-1:].tolist(),
                mode="markers",
                marker={"color": look.colour, "size": 7, "line": outline},
                legendgroup=name,
                **SILENT,
            )
    figure.update_xaxes(title_text="epoch", range=epoch_range(end))
    figure.update_yaxes(title_text=axis_title or info.axis_title, range=[low, high])
    figure.update_layout(legend_traceorder="normal")
    return figure


def _range(info: EpochMeasure, values: Floats) -> tuple[float, float]:
    if info.unit == "%":
        return accuracy_range(values)
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low or 1.0)
    return low - margin, high + margin


def _epochs_alternative(known: pd.DataFrame, measure: str) -> str:
    """Text alternative: the highest and the lowest curve, each at its last epoch."""
    info = EPOCH_MEASURES[measure]
    last = known.sort_values("epoch").groupby("sub_space", sort=False).tail(1)
    order = last.sort_values(measure, ascending=info.low_is_good, kind="stable")
    points = [
        f"{row['sub_space']} with {row[measure]:.{info.decimals}f}{info.unit} at epoch "
        f"{row['epoch']:.0f}"
        for row in order.to_dict("records")
    ]
    best, worst = ("Lowest", "highest") if info.low_is_good else ("Highest", "lowest")
    start = f"{info.label} over epochs"
    if len(points) == 1:
        return f"{start}: {points[0]}."
    return f"{start}, {len(points)} curves. {best}: {points[0]}; {worst}: {points[-1]}."


def shared_accuracy_figure(
    frame: pd.DataFrame, found: str, axis_title: str, caption: Sequence[str] = ()
) -> go.Figure:
    """Draw the benchmark accuracy of architectures against that with shared weights.

    ``frame`` has the columns architecture (index), shared_accuracy and benchmark_accuracy, both in
    percent; ``found`` is the rank correlation as a text.
    """
    title = "Do shared weights rank architectures?"
    if frame.empty:
        return empty_figure(title, "the table has none of the architectures", _SHARED_HEIGHT)
    alt = f"{title} {len(frame)} architectures, accuracy with shared weights against {axis_title}. "
    heights = frame["benchmark_accuracy"].to_numpy(dtype=np.float64)
    low, high = accuracy_range(heights)
    notes = [found, *cut_note(heights, low), *caption]
    figure = base_figure(title, _SHARED_HEIGHT, f"{alt}{found}.", notes)
    figure.add_scatter(
        x=frame["shared_accuracy"].to_numpy(dtype=np.float32),
        y=heights.astype(np.float32),
        customdata=frame["architecture"].to_numpy(dtype=np.int32),
        mode="markers",
        marker={"color": ACTIVE_COLOUR, "size": 6, "opacity": 0.7},
        hovertemplate="architecture %{customdata}: %{x:.2f}% shared, %{y:.2f}%<extra></extra>",
    )
    figure.update_xaxes(title_text="accuracy with shared weights, %")
    figure.update_yaxes(title_text=axis_title, range=[low, high])
    return figure
