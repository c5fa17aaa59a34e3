"""Figures of searches over epochs: of several, and of one in detail."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.search_epochs import UNSPLIT, Records
from fewshot_core.analysis.sub_spaces import Floats
from fewshot_core.plots.export import with_source
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    SILENT,
    SMALL_FONT_SIZE,
    SUB_SPACE_COLOURS,
    base_figure,
    empty_figure,
    epoch_range,
    escape,
    hover_score,
    panel_heading,
    positions_of,
    sub_space_look,
    translucent,
)
from fewshot_core.selection import Curves, leaders
from fewshot_core.space import PERCENT, SubSpace, score_text

LEADER_COLOUR = "#E3001B"
FADED = 0.45
LEADER_NOTE = "red: leader (highest validation accuracy)"
FOUND_AXIS = "test accuracy of the architecture found, %"
VALID_AXIS = "validation accuracy of the supernet, "

_HEIGHT, _EPOCHS_HEIGHT, _SHARED_HEIGHT = 420, 360, 330
_OUTLINE, _CORE, _PLAIN = 2.8, 1.3, 1.8
_TAIL, _MARGIN = 0.05, 0.03
_HOVER_STEP = 10
_POINT_BYTES, _EVEN_POINT_BYTES = 6, 4

_PANELS_HEIGHT = 270
_GAP = 0.07
# Column, name in the legend, colour and dash of every line of a panel.
_PANELS = {
    "loss": (
        ("train_loss", "training loss", DEGENERATE_COLOUR, "dash"),
        ("valid_loss", "validation loss", ACTIVE_COLOUR, "solid"),
    ),
    "entropy, bits": (("entropy", "entropy", INK, "solid"),),
    "temperature": (("temperature", "temperature", INK, "solid"),),
}

_ROW, _FRAME, _LEAST_HEIGHT = 17, 110, 240
_SCALE = ((0.0, translucent(ACTIVE_COLOUR, 0.03)), (1.0, translucent(ACTIVE_COLOUR, 1.0)))


Epochs = npt.NDArray[np.int64]


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
    hover: str | None = None,
    unit: str = PERCENT,
    **options: Any,
) -> None:
    """Draw a curve in the colour of its sub-space.

    A colour with too little contrast on light or dark pages is drawn over a wider, darker line.
    ``hover`` is a template of what is shown of every point when hovering over all curves at once;
    without it, points are left out where the line is the same, and the hover text has the unit.
    Further options are the trace's.
    """
    look, name = sub_space_look(position), escape(name)
    if hover is None:
        epochs, values = thinned(epochs, values)
    curve = {**epoch_points(epochs), "y": values.astype(np.float32), "mode": "lines"}
    curve |= {"legendgroup": name, "showlegend": True, **options}
    if look.faint:
        figure.add_scatter(**(curve | SILENT), line={"color": look.outline, "width": _OUTLINE})
    width = _CORE if look.faint else _PLAIN
    line = {"color": look.colour, "width": width, "dash": look.dash}
    text = hover or f"<b>{name}</b> at epoch %{{x}}: {hover_score('y', unit)}<extra></extra>"
    figure.add_scatter(**curve, name=name, line=line, hovertemplate=text)


def accuracy_range(values: Floats, unit: str = PERCENT) -> tuple[float, float]:
    """Compute the ends of an axis for accuracies, in percent, or scores in another unit.

    Where the lowest twentieth would take more than half of the axis, it is left out.
    """
    known = values[~np.isnan(values)]
    if not known.size:
        return 0.0, 100.0
    low, high = float(known.min()), float(known.max())
    tail = float(np.quantile(known, _TAIL))
    if high - low > 2 * (high - tail):
        low = tail
    margin = _MARGIN * (max(high - low, 1.0) if unit == PERCENT else high - low or 1.0)
    return low - margin, high + margin


def cut_note(values: Floats, low: float, unit: str = PERCENT) -> list[str]:
    """Note how many points are below the axis, if any."""
    known = values[~np.isnan(values)]
    below = int((known < low).sum())
    least = f"{low:.1f}%" if unit == PERCENT else escape(score_text(low, unit))
    return [f"not shown: {below:,} of {known.size:,} points below {least}"] if below else []


@with_source
def search_curves_figure(curves: Curves, axis_title: str = FOUND_AXIS) -> go.Figure:
    """Draw the test accuracy of the architecture found, and a red dot on the leader.

    The leader of an epoch is the sub-supernet with the highest validation accuracy.
    """
    test = curves.values["test_accuracy"]
    low, high = accuracy_range(test, curves.unit)
    notes = [LEADER_NOTE, *cut_note(test, low, curves.unit)]
    title = "Accuracy found by each sub-supernet"
    figure = base_figure(title, _HEIGHT, search_alternative(curves), notes)
    add_search_curves(figure, curves)
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text=escape(axis_title), range=[low, high])
    return figure


def add_search_curves(
    figure: go.Figure, curves: Curves, trained: Mapping[str, int] | None = None
) -> None:
    """Draw the curves and the dots of ``search_curves_figure``; see ``leaders``.

    A curve of which not all is trained is faded.
    """
    test = curves.values["test_accuracy"]
    for i, position in enumerate(positions_of(curves.sub_spaces)):
        own = curves.recorded[i]
        name = curves.sub_spaces[i]
        ends_early = trained is not None and trained.get(name, -1) < max(trained.values())
        look: dict[str, Any] = {"opacity": FADED} if ends_early else {}
        look["unit"] = curves.unit
        add_search_line(figure, name, position, curves.epochs[own], test[i, own], **look)
    rows = leaders(curves, trained)
    figure.add_scatter(
        **epoch_points(rows["epoch"].to_numpy(dtype=np.int64)),
        y=rows["test_accuracy"].to_numpy(dtype=np.float32),
        name="leader",
        mode="markers",
        marker={"color": LEADER_COLOUR, "size": 4},
        showlegend=False,
        hovertemplate="leader at epoch %{x}: finds "
        f"{hover_score('y', curves.unit)}<extra></extra>",
    )


def search_alternative(curves: Curves, trained: Mapping[str, int] | None = None) -> str:
    """Text alternative: whether the leader finds the best architecture; see ``leaders``."""
    count = len(curves.sub_spaces)
    lead = leaders(curves, trained).dropna(subset=["test_accuracy"])
    if lead.empty:
        return f"Curves of {count} sub-supernets; what they find is not known."
    columns = np.searchsorted(curves.epochs, lead["epoch"].to_numpy())
    test = curves.values["test_accuracy"][:, columns]
    highest = np.nanmax(test, axis=0)
    best = int((lead["test_accuracy"].to_numpy() == highest).sum())
    last = lead.iloc[-1]
    most = score_text(highest[-1], curves.unit)
    at_end = f"finds the best architecture, {most}"
    if last["test_accuracy"] != highest[-1]:
        ahead = curves.sub_spaces[int(np.nanargmax(test[:, -1]))]
        found = score_text(last["test_accuracy"], curves.unit)
        at_end = f"finds {found}, while {ahead} finds {most}"
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
    "valid_accuracy": EpochMeasure("Supernet's validation accuracy", f"{VALID_AXIS}%"),
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


def epoch_measure(name: str, unit: str = PERCENT) -> EpochMeasure:
    """Return one of ``EPOCH_MEASURES``; the unit is that of benchmark accuracies."""
    measure = EPOCH_MEASURES[name]
    if name != "benchmark_accuracy" or unit == PERCENT:
        return measure
    title = f"benchmark score of the architecture found, {unit}"
    return EpochMeasure("Benchmark score found", title, f" {unit}", 4)


@with_source
def epochs_figure(
    frame: pd.DataFrame,
    measure: str,
    end: int,
    running: Collection[str] = (),
    random_accuracy: float | None = None,
    axis_title: str | None = None,
    caption: Sequence[str] = (),
    unit: str = PERCENT,
) -> go.Figure:
    """Draw one measure of some searches over the epochs that are done.

    ``frame`` has the columns sub_space, epoch and the measure (one of ``EPOCH_MEASURES``): a curve
    for each ``seed``, or means with their band from ``low`` to ``high``, as ``mean_over_seeds``
    returns them. The axis ends at ``end``, the last epoch of a complete search. Curves of
    sub-spaces whose searches are running end in a dot. The accuracy of random guessing, in percent,
    is drawn if given. The unit is that of benchmark accuracies.
    """
    info = epoch_measure(measure, unit)
    known = frame.dropna(subset=[measure])
    if known.empty:
        return empty_figure(info.label, "no epoch to draw yet", _EPOCHS_HEIGHT)
    means = "low" in known
    values = known[["low", "high"] if means else [measure]].to_numpy(dtype=np.float64).ravel()
    scored = unit if measure == "benchmark_accuracy" else info.unit
    low, high = _range(scored, values)
    notes = [*cut_note(values, low, scored), *caption]
    alt = _epochs_alternative(known, measure, info)
    figure = base_figure(info.label, _EPOCHS_HEIGHT, alt, notes)
    if random_accuracy is not None and low <= random_accuracy <= high:
        text = {"text": f"random guessing, {random_accuracy:g}%", "xanchor": "right"}
        figure.add_hline(
            y=random_accuracy,
            line={"color": INK, "width": 1, "dash": "dot"},
            annotation={**text, "font": {"size": SMALL_FONT_SIZE}},
        )
    number = f"%{{y:.{info.decimals}f}}{escape(info.unit)}"
    for key, part in known.groupby("sub_space", sort=False):
        name = str(key)
        # The whole space is grey.
        position = len(SUB_SPACE_COLOURS) - 1 if name == UNSPLIT else positions_of([name])[0]
        if means and part["seeds"].max() > 1:
            _add_band(figure, name, position, part)
        seeds = part["seed"].unique().tolist() if "seed" in part else []
        curves = [part[part["seed"] == seed] for seed in seeds] or [part]
        for at, curve in enumerate(curves):
            label = f"{name}, seed {seeds[at]}" if len(curves) > 1 else name
            epochs = curve["epoch"].to_numpy(dtype=np.int64)
            heights = curve[measure].to_numpy(dtype=np.float64)
            hover = f"{label}: {number}<extra></extra>"
            add_search_line(figure, name, position, epochs, heights, hover, showlegend=at == 0)
            if name in running or len(epochs) == 1:
                _add_end(figure, name, position, int(epochs[-1]), float(heights[-1]))
    figure.update_xaxes(title_text="epoch", range=epoch_range(end))
    figure.update_xaxes(unifiedhovertitle_text="epoch %{x}")
    figure.update_yaxes(title_text=escape(axis_title or info.axis_title), range=[low, high])
    figure.update_layout(legend_traceorder="normal", hovermode="x unified")
    return figure


def _add_band(figure: go.Figure, name: str, position: int, means: pd.DataFrame) -> None:
    """Draw the area from the lowest to the highest seed of a sub-space."""
    points = {**epoch_points(means["epoch"].to_numpy(dtype=np.int64)), "mode": "lines"}
    edge = {**points, "line_width": 0, "legendgroup": name, **SILENT}
    area = {"fill": "tonexty", "fillcolor": translucent(sub_space_look(position).colour, 0.18)}
    figure.add_scatter(**edge, y=means["low"].to_numpy(dtype=np.float32))
    figure.add_scatter(**edge, y=means["high"].to_numpy(dtype=np.float32), **area)


def _add_end(figure: go.Figure, name: str, position: int, epoch: int, height: float) -> None:
    """Draw a dot at the end of a curve."""
    look = sub_space_look(position)
    marker = {"color": look.colour, "size": 7, "line": {"color": look.outline, "width": 1.2}}
    place = {"x": [epoch], "y": [height], "mode": "markers", "legendgroup": name}
    figure.add_scatter(**place, marker=marker, **SILENT)


def _range(unit: str, values: Floats) -> tuple[float, float]:
    if unit not in ("", " bits"):
        return accuracy_range(values, unit)
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low or 1.0)
    return low - margin, high + margin


def _epochs_alternative(known: pd.DataFrame, measure: str, info: EpochMeasure) -> str:
    """Text alternative: the highest and the lowest curve, each at its last epoch."""
    several = "seed" in known and known["seed"].nunique() > 1
    keys = ["sub_space", "seed"] if several else ["sub_space"]
    last = known.sort_values("epoch").groupby(keys, sort=False).tail(1)
    order = last.sort_values(measure, ascending=info.low_is_good, kind="stable")
    points = [
        f"{', seed '.join(str(row[key]) for key in keys)} with "
        f"{row[measure]:.{info.decimals}f}{info.unit} at epoch {row['epoch']:.0f}"
        for row in order.to_dict("records")
    ]
    best, worst = ("Lowest", "highest") if info.low_is_good else ("Highest", "lowest")
    start = f"{info.label} over epochs"
    if len(points) == 1:
        return f"{start}: {points[0]}."
    return f"{start}, {len(points)} curves. {best}: {points[0]}; {worst}: {points[-1]}."


@with_source
def shared_accuracy_figure(
    frame: pd.DataFrame,
    found: str,
    axis_title: str,
    caption: Sequence[str] = (),
    unit: str = PERCENT,
) -> go.Figure:
    """Draw the benchmark accuracy of architectures against that with shared weights.

    ``frame`` has the columns architecture (index), shared_accuracy in percent and
    benchmark_accuracy in ``unit``; ``found`` is the rank correlation as a text.
    """
    title = "Do shared weights rank architectures?"
    if frame.empty:
        return empty_figure(title, "the table has none of the architectures", _SHARED_HEIGHT)
    alt = f"{title} {len(frame)} architectures, accuracy with shared weights against {axis_title}. "
    heights = frame["benchmark_accuracy"].to_numpy(dtype=np.float64)
    low, high = accuracy_range(heights, unit)
    notes = [found, *cut_note(heights, low, unit), *caption]
    figure = base_figure(title, _SHARED_HEIGHT, f"{alt}{found}.", notes)
    figure.add_scatter(
        x=frame["shared_accuracy"].to_numpy(dtype=np.float32),
        y=heights.astype(np.float32),
        customdata=frame["architecture"].to_numpy(dtype=np.int32),
        mode="markers",
        marker={"color": ACTIVE_COLOUR, "size": 6, "opacity": 0.7},
        hovertemplate="architecture %{customdata}: %{x:.2f}% shared, "
        f"{hover_score('y', unit)}<extra></extra>",
    )
    figure.update_xaxes(title_text="accuracy with shared weights, %")
    figure.update_yaxes(title_text=escape(axis_title), range=[low, high])
    return figure


@with_source
def search_panels_figure(frame: pd.DataFrame, end: int, caption: Sequence[str] = ()) -> go.Figure:
    """Draw the losses, the entropy and the temperature of one search of ``end`` epochs.

    ``frame`` has the columns epoch, train_loss, valid_loss, entropy (bits) and temperature, a row
    for each epoch that is done; a search without a temperature has no panel for it.
    """
    title = "Losses, entropy and temperature"
    if frame.empty:
        return empty_figure(title, "no epoch finished yet", _PANELS_HEIGHT)
    panels = [name for name, lines in _PANELS.items() if frame[lines[-1][0]].notna().any()]
    figure = base_figure(title, _PANELS_HEIGHT, _panels_alternative(frame), caption)
    width = (1 - _GAP * (len(panels) - 1)) / len(panels)
    for number, name in enumerate(panels):
        suffix = str(number + 1) if number else ""
        start = number * (width + _GAP)
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
        x = {"domain": [start, start + width], "anchor": f"y{suffix}", "range": epoch_range(end)}
        y = {"anchor": f"x{suffix}", "rangemode": "tozero" if name != "loss" else "normal"}
        axes = {f"xaxis{suffix}": {**x, "title": {"text": "epoch"}}, f"yaxis{suffix}": y}
        figure.update_layout(axes)
        figure.add_annotation(**panel_heading(name, start, 1))
    place = {"orientation": "h", "x": 0, "y": 1.14, "xanchor": "left", "yanchor": "bottom"}
    figure.update_layout(
        legend={**place, "font": {"size": SMALL_FONT_SIZE}}, margin={"t": 78 if not caption else 96}
    )
    return figure


def _panels_alternative(frame: pd.DataFrame) -> str:
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


@with_source
def probabilities_figure(
    records: Records, sub_space: SubSpace, end: int, caption: Sequence[str] = ()
) -> go.Figure:
    """Draw a row for each operation of each decision with a choice, a column for each epoch.

    The rows of the architecture that the search would return now are in bold. ``records`` holds the
    epochs that are done, of ``end``, each as ``EpochRecord.to_dict`` returns it.
    """
    title, decisions = "Probability of each operation", sub_space.space.decisions
    edges = {edge: ops for edge, ops in enumerate(sub_space.enabled) if len(ops) > 1}
    if not edges:
        return empty_figure(title, "the sub-space is a single architecture: nothing to choose")
    if not records:
        return empty_figure(title, "no epoch finished yet")
    series = {
        edge: np.array([[record["probabilities"][edge][i] for i in ops] for record in records])
        for edge, ops in edges.items()
    }
    names: list[str] = []
    bold: list[str] = []
    grid: list[Floats] = []
    for edge, operations in edges.items():
        if names:  # a row between two edges is left empty
            names.append(" " * len(names))
            grid.append(np.full(len(records), np.nan))
        labels = [escape(f"{decisions[edge].name} {decisions[edge].labels[i]}") for i in operations]
        names += labels
        grid += list(series[edge].T)
        chosen = int(series[edge][-1].argmax())
        bold += [f"<b>{name}</b>" if i == chosen else name for i, name in enumerate(labels)]
    fixed = [
        f"{decisions[edge].name} is {decisions[edge].labels[operations[0]]}"
        for edge, operations in enumerate(sub_space.enabled)
        if edge not in edges
    ]
    notes = [f"no choice: {', '.join(fixed)}"] if fixed else []
    height = max(_LEAST_HEIGHT, _FRAME + _ROW * len(names))
    alt = _probabilities_alternative(series, sub_space, records)
    figure = base_figure(title, height, alt, [*notes, *caption])
    figure.add_heatmap(
        z=np.array(grid, dtype=np.float32),
        x=[record["epoch"] for record in records],
        y=names,
        colorscale=_SCALE,
        zmin=0,
        zmax=max(float(np.nanmax(grid)), 0.25),
        colorbar={"thickness": 10, "outlinewidth": 0, "tickformat": ".2f", "nticks": 4},
        hovertemplate="%{y} at epoch %{x}: %{z:.3f}<extra></extra>",
    )
    figure.update_xaxes(title_text="epoch", range=[-0.5, end + 0.5], showgrid=False)
    figure.update_yaxes(
        type="category",
        tickvals=[name for name in names if name.strip()],
        ticktext=bold,
        tickfont={"size": SMALL_FONT_SIZE},
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )
    return figure


def _probabilities_alternative(
    series: Mapping[int, Floats], sub_space: SubSpace, records: Records
) -> str:
    """Text alternative: the most likely operation of each decision, and since which epoch."""
    parts = []
    for edge, found in series.items():
        winners = found.argmax(axis=1)
        changes = np.flatnonzero(winners != winners[-1])
        since = records[int(changes[-1]) + 1 if changes.size else 0]["epoch"]
        decision = sub_space.space.decisions[edge]
        name = f"{decision.name} {decision.labels[sub_space.enabled[edge][int(winners[-1])]]}"
        parts.append(f"{name} with {found[-1].max():.2f}, since epoch {since}")
    return f"Most likely operations at epoch {records[-1]['epoch']}: {'; '.join(parts)}."
