"""A search replayed: both panels of Fig. 4 of the paper under one timeline.

One panel lies above the other, which reads well at any width. The curves are drawn once. Playing,
pausing and scrubbing happen in the browser, without the server, and move nothing but a cursor: one
small trace in each panel.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.chips import Annotation
from fewshot_core.plots.halving import ENDS_NOTE, add_halving, milestone_signs, valid_range
from fewshot_core.plots.search_curves import add_search_curves
from fewshot_core.plots.search_lines import (
    FOUND_AXIS,
    LEADER_COLOUR,
    LEADER_NOTE,
    VALID_AXIS,
    Panel,
    accuracy_range,
    cut_note,
    positions_of,
)
from fewshot_core.plots.search_texts import halving_alternative, search_alternative
from fewshot_core.plots.template import (
    INK,
    SMALL_FONT_SIZE,
    base_figure,
    empty_figure,
    put_legend_above,
    sub_space_colour,
)
from fewshot_core.plots.timeline import add_timeline
from fewshot_core.selection import Curves, HalvingResult, leaders, read_frame

STOPS = 60
"""At how many epochs the cursor stops, at most, besides milestones and both ends."""

_HEIGHT = 600
_UPPER, _LOWER = Panel("x", "y"), Panel("x2", "y2", legend=False)
_DOMAINS = ([0.53, 0.95], [0, 0.42])
_NICE = (1, 2, 5)
_NO_STEP = 1e-9  # Plotly takes a step of 0 for none at all, and uses 1.

Range = tuple[float, float]


def replay_figure(
    curves: pd.DataFrame | Curves,
    result: HalvingResult | None,
    cursor: int | None = None,
    stops: int = STOPS,
    axis_titles: tuple[str, str] = (FOUND_AXIS, VALID_AXIS),
    caption: Sequence[str] = (),
    title: str = "",
) -> go.Figure:
    """Draw ``search_curves_figure`` above ``halving_figure``, with a timeline.

    Args:
        curves: As for ``search_curves_figure``.
        result: As for ``halving_figure``.
        cursor: The epoch the cursor begins at, the nearest stop being taken; the first by default.
        stops: At how many epochs the cursor may stop, besides milestones and both ends. Curves are
            always drawn in full.
        axis_titles: What the accuracies of the two panels are, with their unit.
        caption: Parts of the muted line under the title.
        title: The title.

    Raises:
        SelectionError: If the curves are damaged, or of more than one seed.
    """
    if result is None or (isinstance(curves, pd.DataFrame) and curves.empty):
        return empty_figure(title, "no search to replay", _HEIGHT)
    table = curves if isinstance(curves, Curves) else read_frame(curves)
    epochs = cursor_stops(table, result, stops)
    ranges = accuracy_range(table.values["test_accuracy"]), valid_range(table, result)
    cut = cut_note(table.values["test_accuracy"], ranges[0][0])
    notes = [LEADER_NOTE, ENDS_NOTE, *cut, *caption]
    alt = f"{search_alternative(table)} {halving_alternative(result)}"
    figure = base_figure(title, _HEIGHT, alt, notes)
    add_search_curves(figure, _UPPER, table)
    add_halving(figure, _LOWER, table, result)
    _lay_out(figure, result, ranges, axis_titles)
    frames = cursor_frames(table, result, epochs, ranges, len(figure.data))
    start = 0 if cursor is None else int(np.abs(np.array(epochs) - cursor).argmin())
    _add_cursors(figure, table, frames[start])
    figure.frames = frames
    add_timeline(figure, epochs, start)
    put_legend_above(figure)
    return figure


def cursor_stops(curves: Curves, result: HalvingResult, stops: int = STOPS) -> list[int]:
    """Return the epochs at which the cursor stops, ascending.

    These are every nth recorded epoch, n being as small as the number of stops allows, and besides
    them the first, the milestones and the end.
    """
    known = curves.epochs[curves.epochs <= result.end]
    step = next(
        nice * 10**power
        for power in range(10)
        for nice in _NICE
        if len(known) - 1 <= nice * 10**power * stops
    )
    even = known[known % step == 0] if (np.diff(known) == 1).all() else known[::step]
    marks = [int(known[0]), *result.milestones, result.end]
    return sorted({*even.tolist(), *marks})


def cursor_frames(
    curves: Curves,
    result: HalvingResult,
    epochs: Sequence[int],
    ranges: tuple[Range, Range],
    first_trace: int,
) -> list[go.Frame]:
    """Return a frame for each epoch, named after it, which moves the two cursors and nothing else.

    A cursor is one trace: a vertical line through a dot on each curve that is still there.

    Args:
        curves: The curves.
        result: What is replayed.
        epochs: Where the cursor stops.
        ranges: The ends of both axes of accuracy, in percent.
        first_trace: The position of the upper cursor among the traces; the lower one follows.
    """
    lead = leaders(curves).set_index("epoch")["test_accuracy"]
    valid = curves.values["valid_accuracy"]
    frames = []
    for epoch in epochs:
        at = int(np.searchsorted(curves.epochs, epoch))
        recorded = at < len(curves.epochs) and curves.epochs[at] == epoch
        living = [_is_trained(result, name, epoch) and recorded for name in curves.sub_spaces]
        upper = [_short(lead.get(epoch, np.nan))]
        lower = [_short(valid[i, at]) if alive else None for i, alive in enumerate(living)]
        frames.append(
            go.Frame(
                name=str(epoch),
                traces=[first_trace, first_trace + 1],
                data=[_move(epoch, ranges[0], upper), _move(epoch, ranges[1], lower)],
            )
        )
    return frames


def _is_trained(result: HalvingResult, name: str, epoch: int) -> bool:
    return result.winner is None or epoch <= result.trained.get(name, -1)


def _move(epoch: int, ends: Range, values: list[float | None]) -> dict[str, Any]:
    low, high = (round(end, 2) for end in ends)
    return {"type": "scatter", "x0": epoch, "y": [low, *values, high]}


def _short(value: float) -> float | None:
    """Return an accuracy as precisely as a dot can be drawn, or None where there is none."""
    return None if np.isnan(value) else round(float(value), 2)


def _add_cursors(figure: go.Figure, curves: Curves, frame: go.Frame) -> None:
    """Draw the cursors where a frame has them."""
    colours = [sub_space_colour(position) for position in positions_of(curves.sub_spaces)]
    looks = (_UPPER, [LEADER_COLOUR], 11), (_LOWER, colours, 9)
    for (panel, inside, size), place in zip(looks, frame.data, strict=True):
        figure.add_scatter(
            x0=place.x0,
            dx=_NO_STEP,
            y=list(place.y),
            **panel.axes,
            mode="lines+markers",
            connectgaps=True,
            line={"color": INK, "width": 1.4},
            marker={
                "color": [INK, *inside, INK],
                "size": [0, *[size] * len(inside), 0],
                "line": {"color": INK, "width": 1.4},
                "opacity": 1,
            },
            showlegend=False,
            hoverinfo="skip",
        )


def _lay_out(
    figure: go.Figure,
    result: HalvingResult,
    ranges: tuple[Range, Range],
    axis_titles: tuple[str, str],
) -> None:
    """Place one panel above the other, each under its heading, over the same epochs."""
    upper, lower = _DOMAINS
    figure.update_layout(
        xaxis={"anchor": "y", "matches": "x2", "showticklabels": False},
        xaxis2={"anchor": "y2", "title": {"text": "epoch", "standoff": 4}},
        yaxis={"range": list(ranges[0]), "domain": upper},
        yaxis2={"range": list(ranges[1]), "domain": lower, "anchor": "x2"},
        annotations=[
            _heading(axis_titles[0], upper[1]),
            _heading(axis_titles[1], lower[1]),
            *milestone_signs(result, _LOWER),
        ],
    )


def _heading(text: str, top: float) -> Annotation:
    """Return what the accuracies of a panel are, above it, where it takes no width."""
    return {
        "text": text,
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": top,
        "yref": "paper",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": SMALL_FONT_SIZE},
    }
