"""Replay of a selection: what is found, above the validation accuracies with milestones.

One panel is above the other, which reads well at any width. The curves are drawn once. Playing,
pausing and scrubbing happen in the browser, without the server, and move only a cursor: one small
trace in each panel.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.search import (
    FOUND_AXIS,
    LEADER_COLOUR,
    LEADER_NOTE,
    VALID_AXIS,
    accuracy_range,
    add_search_curves,
    add_search_line,
    cut_note,
    positions_of,
    search_alternative,
)
from fewshot_core.plots.template import (
    GRID,
    INK,
    SILENT,
    SMALL_FONT_SIZE,
    Annotation,
    base_figure,
    note,
    panel_heading,
    put_legend_above,
    sub_space_look,
)
from fewshot_core.selection import Curves, HalvingResult, describe_schedule, leaders, verdict

STOPS = 60
"""At how many epochs the cursor stops, at most, besides milestones and both ends."""

_ENDS_NOTE = "cross: discarded, ring: chosen"
_HEIGHT = 600
_LOWER = {"xaxis": "x2", "yaxis": "y2"}
_DOMAINS = ([0.53, 0.95], [0, 0.42])
_FADED = 0.45
_CROSS, _RING = {"symbol": "x-thin", "size": 7}, {"symbol": "circle-open", "size": 13}
_SECONDS = 12
_TIMELINE_TOP = 44
_NICE = (1, 2, 5)
_NO_STEP = 1e-9  # Plotly takes a step of 0 for none at all, and uses 1.

Range = tuple[float, float]
Lines = Mapping[str, "pd.Series[float]"]
"""Validation accuracies by epoch of each sub-supernet, up to where it is trained."""


def replay_figure(
    curves: Curves, result: HalvingResult, cursor: int | None = None, found_axis: str = FOUND_AXIS
) -> go.Figure:
    """Draw the curves of ``search_curves_figure`` above those of a selection, with a timeline.

    In the lower panel a curve that ends early is faded and ends in a cross; milestones are dotted
    lines with the number of sub-supernets left; the chosen one ends in a ring.

    The cursor starts at the stop next to the epoch ``cursor``, by default at the first. Curves are
    drawn in full.
    """
    epochs = cursor_stops(curves, result)
    lines = _lines(curves, result)
    test = curves.values["test_accuracy"]
    found_range = accuracy_range(test)
    valid_range = accuracy_range(np.concatenate(list(lines.values())))
    notes = [LEADER_NOTE, _ENDS_NOTE, *cut_note(test, found_range[0])]
    alt = f"{search_alternative(curves)} {_alternative(result)}"
    figure = base_figure("", _HEIGHT, alt, notes)
    add_search_curves(figure, curves)
    positions = dict(zip(curves.sub_spaces, positions_of(curves.sub_spaces), strict=True))
    _add_selection(figure, lines, positions, result, valid_range)
    upper, lower = _DOMAINS
    figure.update_layout(
        xaxis={"anchor": "y", "matches": "x2", "showticklabels": False},
        xaxis2={"anchor": "y2", "title": {"text": "epoch", "standoff": 4}},
        yaxis={"range": list(found_range), "domain": upper},
        yaxis2={"range": list(valid_range), "domain": lower, "anchor": "x2"},
        annotations=[
            panel_heading(found_axis, 0, upper[1]),
            panel_heading(VALID_AXIS, 0, lower[1]),
            *_milestone_notes(result),
        ],
    )
    frames = _cursor_frames(curves, lines, epochs, (found_range, valid_range), len(figure.data))
    start = 0 if cursor is None else int(np.abs(np.array(epochs) - cursor).argmin())
    _add_cursors(figure, list(positions.values()), frames[start])
    figure.frames = frames
    _add_timeline(figure, epochs, start)
    put_legend_above(figure)
    return figure


def _lines(curves: Curves, result: HalvingResult) -> Lines:
    """Curves to draw; all of them in full if the choice is random."""
    trained = result.trained
    if result.winner is None:
        trained = dict.fromkeys(curves.sub_spaces, result.end)
    lines = {}
    for name, last in trained.items():
        i = curves.sub_spaces.index(name)
        own = curves.recorded[i] & (curves.epochs <= last)
        lines[name] = pd.Series(curves.values["valid_accuracy"][i, own], curves.epochs[own])
    return lines


def _add_selection(
    figure: go.Figure,
    lines: Lines,
    positions: Mapping[str, int],
    result: HalvingResult,
    ends: Range,
) -> None:
    """Draw the curves, milestones, crosses and the ring of the lower panel."""
    for name, line in lines.items():
        look: dict[str, Any] = {**_LOWER, "showlegend": False}
        if name in result.discarded:
            look["opacity"] = _FADED
        values = np.asarray(line, dtype=np.float64)
        add_search_line(figure, name, positions[name], line.index.to_numpy(), values, **look)
    dotted = {"color": INK, "width": 1.2, "dash": "dot"}
    for epoch in result.milestones:
        figure.add_scatter(x=[epoch] * 2, y=ends, **_LOWER, mode="lines", line=dotted, **SILENT)
    chosen = [result.winner] if result.winner else []
    for what, names, sign in (("discarded", result.discarded, _CROSS), ("chosen", chosen, _RING)):
        ended = {name: lines[name] for name in names if len(lines[name])}
        if not ended:
            continue
        colours = [sub_space_look(positions[name]).outline for name in ended]
        last = {name: int(line.index[-1]) for name, line in ended.items()}
        figure.add_scatter(
            x=list(last.values()),
            y=[float(line.iloc[-1]) for line in ended.values()],
            **_LOWER,
            name=what,
            mode="markers",
            cliponaxis=False,
            marker={**sign, "color": colours, "line": {"width": 2.4, "color": colours}},
            text=[f"<b>{name}</b> {what} at epoch {epoch}" for name, epoch in last.items()],
            showlegend=False,
            hovertemplate="%{text}: %{y:.2f}%<extra></extra>",
        )


def _milestone_notes(result: HalvingResult) -> list[Annotation]:
    """How many are left after each milestone, at the bottom of the lower panel."""
    place: dict[str, Any] = {"xref": "x2", "yref": "y2 domain", "xanchor": "left"}
    place |= {"yanchor": "bottom", "xshift": 2, "font": {"size": SMALL_FONT_SIZE}}
    before = len(result.sub_spaces)
    notes = []
    for epoch in result.milestones:
        left = len(result.survivors[epoch])
        hover = f"epoch {epoch}: {before} sub-supernets become {left}"
        notes.append(note(f"→ {left}", epoch, 0, hovertext=hover, **place))
        before = left
    return notes


def _alternative(result: HalvingResult) -> str:
    """Text alternative of the lower panel: who was discarded when, and the verdict."""
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


def cursor_stops(curves: Curves, result: HalvingResult, stops: int = STOPS) -> list[int]:
    """List the epochs at which the cursor stops, ascending.

    These are every nth recorded epoch, n being as small as the number of stops allows, besides the
    first, the milestones and the end.
    """
    known = curves.epochs[curves.epochs <= result.end]
    step = next(
        nice * 10**power
        for power in range(10)
        for nice in _NICE
        if len(known) - 1 <= nice * 10**power * stops
    )
    even = known[known % step == 0] if (np.diff(known) == 1).all() else known[::step]
    return sorted({int(known[0]), *even.tolist(), *result.milestones, result.end})


def _cursor_frames(
    curves: Curves,
    lines: Lines,
    epochs: Sequence[int],
    ranges: tuple[Range, Range],
    first_trace: int,
) -> list[go.Frame]:
    """Make a frame for each epoch, named after it, that moves only the two cursors.

    A cursor is one trace: a vertical line over the range of its axis, through a dot on each curve
    that goes on. They are the traces from ``first_trace`` on.
    """
    lead = leaders(curves).set_index("epoch")["test_accuracy"]
    followed: Any = [lead], [lines.get(name, {}) for name in curves.sub_spaces]
    frames = []
    for epoch in epochs:
        moves = [
            {
                "type": "scatter",
                "x0": epoch,
                "y": [round(low, 2), *(_dot(line.get(epoch)) for line in inside), round(high, 2)],
            }
            for (low, high), inside in zip(ranges, followed, strict=True)
        ]
        frames.append(go.Frame(name=str(epoch), traces=[first_trace, first_trace + 1], data=moves))
    return frames


def _dot(value: float | None) -> float | None:
    """Round to what can be seen of a dot; None if there is no value."""
    return None if value is None or np.isnan(value) else round(float(value), 2)


def _add_cursors(figure: go.Figure, positions: Sequence[int], frame: go.Frame) -> None:
    """Draw the cursors at their places in a frame."""
    colours = [sub_space_look(position).colour for position in positions]
    looks: Any = ({}, [LEADER_COLOUR], 11), (_LOWER, colours, 9)
    line = {"color": INK, "width": 1.4}
    for (axes, inside, size), place in zip(looks, frame.data, strict=True):
        figure.add_scatter(
            x0=place.x0,
            dx=_NO_STEP,
            y=list(place.y),
            **axes,
            mode="lines+markers",
            connectgaps=True,
            line=line,
            marker={
                "color": [INK, *inside, INK],
                "size": [0, *[size] * len(inside), 0],
                "line": line,
                "opacity": 1,
            },
            **SILENT,
        )


def _add_timeline(figure: go.Figure, epochs: Sequence[int], active: int) -> None:
    """Add buttons and a slider under the axes; frames are named after the epochs."""
    play = {"fromcurrent": True, **_motion(round(1000 * _SECONDS / len(epochs)))}
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, play]},
        {"label": "Pause", "method": "animate", "args": [[None], _motion(0)]},
    ]
    place = {"x": 0, "y": 0, "bordercolor": INK}
    menu = {
        **place,
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "buttons": buttons,
        "xanchor": "left",
        "yanchor": "top",
        "font": {"color": INK},
        "bgcolor": "rgba(0,0,0,0)",
        "pad": {"t": _TIMELINE_TOP, "l": 0},
    }
    steps = [
        {"args": [[str(epoch)], _motion(0)], "label": str(epoch), "method": "animate"}
        for epoch in epochs
    ]
    slider = {
        **place,
        "active": active,
        "steps": steps,
        "currentvalue": {
            "prefix": "epoch ",
            "xanchor": "right",
            "offset": 26,
            "font": {"color": INK},
        },
        "len": 1,
        "bgcolor": GRID,
        "activebgcolor": INK,
        "tickcolor": INK,
        "font": {"color": INK, "size": SMALL_FONT_SIZE},
        "pad": {"t": _TIMELINE_TOP, "b": 4},
    }
    figure.update_layout(updatemenus=[menu], sliders=[slider])


def _motion(milliseconds: int) -> dict[str, Any]:
    """Options of an animation that shows each frame for so long and only moves traces."""
    motion = {"mode": "immediate", "frame": {"duration": milliseconds, "redraw": False}}
    # A transition is never longer than its frame: without a duration there is none.
    return motion | ({"transition": {"duration": 0}} if milliseconds else {})
