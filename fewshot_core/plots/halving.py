"""Replay of a selection: what is found, above the validation accuracies with milestones.

One panel is above the other, which reads well at any width. The curves are drawn once. Playing,
pausing and scrubbing happen in the browser, without the server, and move only a cursor: one small
trace in each panel.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.search import (
    FOUND_AXIS,
    LEADER_COLOUR,
    LEADER_NOTE,
    VALID_AXIS,
    Epochs,
    Floats,
    accuracy_range,
    add_search_curves,
    add_search_line,
    as_curves,
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
    empty_figure,
    note,
    outline_colour,
    panel_heading,
    put_legend_above,
    sub_space_colour,
)
from fewshot_core.selection import Curves, HalvingResult, describe_schedule, leaders, verdict

STOPS = 60
"""At how many epochs the cursor stops, at most, besides milestones and both ends."""

_ENDS_NOTE = "cross: discarded, ring: chosen"
_HEIGHT = 600
_LOWER = {"xaxis": "x2", "yaxis": "y2"}
_DOMAINS = ([0.53, 0.95], [0, 0.42])
_FADED = 0.45
_CROSS = {"symbol": "x-thin", "size": 7, "line": {"width": 2.4}}
_RING = {"symbol": "circle-open", "size": 13, "line": {"width": 2.4}}
_SECONDS = 12
_TIMELINE_TOP = 44
_NICE = (1, 2, 5)
_NO_STEP = 1e-9  # Plotly takes a step of 0 for none at all, and uses 1.

Range = tuple[float, float]


class _Line(NamedTuple):
    """Validation accuracy of a sub-supernet, up to where it is trained."""

    colour: int
    epochs: Epochs
    values: Floats


def replay_figure(
    curves: pd.DataFrame | Curves,
    result: HalvingResult | None,
    cursor: int | None = None,
    stops: int = STOPS,
    axis_titles: tuple[str, str] = (FOUND_AXIS, VALID_AXIS),
    caption: Sequence[str] = (),
    title: str = "",
) -> go.Figure:
    """Draw the curves of ``search_curves_figure`` above those of a selection, with a timeline.

    In the lower panel a curve that ends early is faded and ends in a cross; milestones are dotted
    lines with the number of sub-supernets left; the chosen one ends in a ring.

    Args:
        curves: As for ``search_curves_figure``.
        result: A selection among them, or None to draw nothing.
        cursor: The epoch the cursor starts at, rounded to the nearest stop; by default the first.
        stops: At how many epochs the cursor may stop, besides milestones and both ends. Curves are
            always drawn in full.
        axis_titles: What the accuracies of the two panels are, with their unit.

    Raises:
        SelectionError: If the curves are damaged, or of more than one seed.
    """
    table = None if result is None else as_curves(curves)
    if result is None or table is None:
        return empty_figure(title, "no search to replay", _HEIGHT)
    epochs = cursor_stops(table, result, stops)
    lines = _lines(table, result)
    test = table.values["test_accuracy"]
    found_range = accuracy_range(test)
    valid_range = accuracy_range(np.concatenate([line.values for line in lines.values()]))
    notes = [LEADER_NOTE, _ENDS_NOTE, *cut_note(test, found_range[0]), *caption]
    alt = f"{search_alternative(table)} {_alternative(result)}"
    figure = base_figure(title, _HEIGHT, alt, notes)
    add_search_curves(figure, table)
    _add_selection(figure, lines, result, valid_range)
    upper, lower = _DOMAINS
    figure.update_layout(
        xaxis={"anchor": "y", "matches": "x2", "showticklabels": False},
        xaxis2={"anchor": "y2", "title": {"text": "epoch", "standoff": 4}},
        yaxis={"range": list(found_range), "domain": upper},
        yaxis2={"range": list(valid_range), "domain": lower, "anchor": "x2"},
        annotations=[
            panel_heading(axis_titles[0], 0, upper[1]),
            panel_heading(axis_titles[1], 0, lower[1]),
            *_milestone_notes(result),
        ],
    )
    frames = _cursor_frames(table, result, epochs, (found_range, valid_range), len(figure.data))
    start = 0 if cursor is None else int(np.abs(np.array(epochs) - cursor).argmin())
    _add_cursors(figure, table, frames[start])
    figure.frames = frames
    _add_timeline(figure, epochs, start)
    put_legend_above(figure)
    return figure


def _lines(curves: Curves, result: HalvingResult) -> dict[str, _Line]:
    """Curves to draw, by name; all of them in full if the choice is random."""
    trained = result.trained
    if result.winner is None:
        trained = dict.fromkeys(curves.sub_spaces, result.end)
    positions = positions_of(curves.sub_spaces)
    lines = {}
    for name, last in trained.items():
        i = curves.sub_spaces.index(name)
        own = curves.recorded[i] & (curves.epochs <= last)
        values = curves.values["valid_accuracy"][i, own]
        lines[name] = _Line(positions[i], curves.epochs[own], values)
    return lines


def _add_selection(
    figure: go.Figure, lines: Mapping[str, _Line], result: HalvingResult, ends: Range
) -> None:
    """Draw the curves, milestones, crosses and the ring of the lower panel."""
    for name, line in lines.items():
        look: dict[str, Any] = {**_LOWER, "showlegend": False}
        if name in result.discarded:
            look["opacity"] = _FADED
        add_search_line(figure, name, line.colour, line.epochs, line.values, **look)
    for epoch in result.milestones:
        dotted = {"color": INK, "width": 1.2, "dash": "dot"}
        x = [epoch, epoch]
        figure.add_scatter(x=x, y=ends, **_LOWER, mode="lines", line=dotted, **SILENT)
    _add_ends(figure, lines, list(result.discarded), "discarded", _CROSS)
    _add_ends(figure, lines, [result.winner] if result.winner else [], "chosen", _RING)


def _add_ends(
    figure: go.Figure,
    lines: Mapping[str, _Line],
    names: Sequence[str],
    what: str,
    look: dict[str, Any],
) -> None:
    """Draw a sign at the last point of some curves."""
    ended = {name: lines[name] for name in names if len(lines[name].epochs)}
    if not ended:
        return
    colours = [outline_colour(sub_space_colour(line.colour)) for line in ended.values()]
    figure.add_scatter(
        x=[int(line.epochs[-1]) for line in ended.values()],
        y=[float(line.values[-1]) for line in ended.values()],
        **_LOWER,
        name=what,
        mode="markers",
        cliponaxis=False,
        marker={**look, "color": colours, "line": {**look["line"], "color": colours}},
        text=[f"<b>{name}</b> {what} at epoch {line.epochs[-1]}" for name, line in ended.items()],
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
    result: HalvingResult,
    epochs: Sequence[int],
    ranges: tuple[Range, Range],
    first_trace: int,
) -> list[go.Frame]:
    """Make a frame for each epoch, named after it, that moves only the two cursors.

    A cursor is one trace: a vertical line over the range of its axis, through a dot on each curve
    that goes on. The upper cursor is the trace at ``first_trace``, the lower one the next.
    """
    lead = leaders(curves).set_index("epoch")["test_accuracy"]
    valid = curves.values["valid_accuracy"]
    frames = []
    for epoch in epochs:
        at = int(np.searchsorted(curves.epochs, epoch))
        recorded = at < len(curves.epochs) and curves.epochs[at] == epoch
        upper = [_rounded(lead.get(epoch, np.nan))]
        lower = [
            _rounded(valid[i, at])
            if recorded and (result.winner is None or epoch <= result.trained.get(name, -1))
            else None
            for i, name in enumerate(curves.sub_spaces)
        ]
        moves = [
            {"type": "scatter", "x0": epoch, "y": [round(low, 2), *dots, round(high, 2)]}
            for (low, high), dots in zip(ranges, (upper, lower), strict=True)
        ]
        frames.append(go.Frame(name=str(epoch), traces=[first_trace, first_trace + 1], data=moves))
    return frames


def _rounded(value: float) -> float | None:
    """Round to what can be seen of a dot; None if there is no value."""
    return None if np.isnan(value) else round(float(value), 2)


def _add_cursors(figure: go.Figure, curves: Curves, frame: go.Frame) -> None:
    """Draw the cursors at their places in a frame."""
    colours = [sub_space_colour(position) for position in positions_of(curves.sub_spaces)]
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
    menu: dict[str, Any] = {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "buttons": buttons,
    }
    menu |= {"x": 0, "xanchor": "left", "y": 0, "yanchor": "top"}
    menu |= {"font": {"color": INK}, "bgcolor": "rgba(0,0,0,0)", "bordercolor": INK}
    menu |= {"pad": {"t": _TIMELINE_TOP, "l": 0}}
    steps = [
        {"args": [[str(epoch)], _motion(0)], "label": str(epoch), "method": "animate"}
        for epoch in epochs
    ]
    value = {"prefix": "epoch ", "xanchor": "right", "offset": 26, "font": {"color": INK}}
    slider: dict[str, Any] = {
        "active": active,
        "steps": steps,
        "currentvalue": value,
        "x": 0,
        "len": 1,
        "y": 0,
    }
    slider |= {"bgcolor": GRID, "bordercolor": INK, "activebgcolor": INK, "tickcolor": INK}
    slider |= {"font": {"color": INK, "size": SMALL_FONT_SIZE}}
    slider |= {"pad": {"t": _TIMELINE_TOP, "b": 4}}
    figure.update_layout(updatemenus=[menu], sliders=[slider])


def _motion(milliseconds: int) -> dict[str, Any]:
    """Options of an animation that shows each frame for so long and only moves traces."""
    motion = {"mode": "immediate", "frame": {"duration": milliseconds, "redraw": False}}
    # A transition is never longer than its frame: without a duration there is none.
    return motion | ({"transition": {"duration": 0}} if milliseconds else {})
