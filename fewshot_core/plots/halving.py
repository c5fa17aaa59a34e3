"""Figures of a selection: validation accuracy with milestones, and its replay.

One panel lies above the other, which reads well at any width. The curves are drawn once. Playing,
pausing and scrubbing happen in the browser, without the server, and move nothing but a cursor: one
small trace in each panel.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.cell import Annotation
from fewshot_core.plots.search import (
    FOUND_AXIS,
    HEIGHT,
    LEADER_COLOUR,
    LEADER_NOTE,
    VALID_AXIS,
    Epochs,
    Floats,
    Panel,
    accuracy_range,
    add_search_curves,
    add_search_line,
    cut_note,
    halving_alternative,
    positions_of,
    search_alternative,
)
from fewshot_core.plots.template import (
    GRID,
    INK,
    SMALL_FONT_SIZE,
    base_figure,
    empty_figure,
    outline_colour,
    put_legend_above,
    sub_space_colour,
)
from fewshot_core.selection import Curves, HalvingResult, leaders, read_frame

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


ENDS_NOTE = "cross: discarded, ring: chosen"

_FADED = 0.45


def halving_figure(
    curves: pd.DataFrame | Curves,
    result: HalvingResult | None,
    axis_title: str = VALID_AXIS,
    caption: Sequence[str] = (),
    title: str = "Who is discarded",
) -> go.Figure:
    """Draw validation accuracies up to where each sub-supernet is discarded.

    A curve that ends early is faded and ends in a cross; milestones are dotted lines that say how
    many are left; the one that is chosen ends in a ring.

    Args:
        curves: As for ``search_curves_figure``.
        result: What a selection among them came to, or None to draw nothing.
        axis_title: What the accuracies are, with their unit.
        caption: Parts of the muted line under the title, after what the signs are.
        title: The title.

    Raises:
        SelectionError: If the curves are damaged, or of more than one seed.
    """
    if result is None or (isinstance(curves, pd.DataFrame) and curves.empty):
        return empty_figure(title, "no search to draw", HEIGHT)
    table = curves if isinstance(curves, Curves) else read_frame(curves)
    figure = base_figure(title, HEIGHT, halving_alternative(result), [ENDS_NOTE, *caption])
    add_halving(figure, Panel(), table, result)
    figure.update_layout(annotations=milestone_signs(result, Panel()))
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text=axis_title, range=list(valid_range(table, result)))
    return figure


def add_halving(figure: go.Figure, panel: Panel, curves: Curves, result: HalvingResult) -> None:
    """Draw the curves, milestones, crosses and the ring of ``halving_figure`` into a panel."""
    positions = positions_of(curves.sub_spaces)
    for name, last in _last_epochs(curves, result).items():
        i = curves.sub_spaces.index(name)
        epochs, values = _until(curves, i, last)
        opacity = _FADED if name in result.discarded else 1.0
        add_search_line(figure, panel, name, positions[i], epochs, values, opacity)
    low, high = valid_range(curves, result)
    for epoch in result.milestones:
        figure.add_scatter(
            x=[epoch, epoch],
            y=[low, high],
            **panel.axes,
            mode="lines",
            line={"color": INK, "width": 1.2, "dash": "dot"},
            showlegend=False,
            hoverinfo="skip",
        )
    _add_crosses(figure, panel, curves, result)
    _add_ring(figure, panel, curves, result)


def milestone_signs(result: HalvingResult, panel: Panel) -> list[Annotation]:
    """Return how many are left after each milestone, as annotations at the foot of the curves."""
    before = len(result.sub_spaces)
    signs = []
    for epoch in result.milestones:
        left = len(result.survivors[epoch])
        signs.append(
            {
                "x": epoch,
                "y": 0,
                "xref": panel.x,
                "yref": f"{panel.y} domain",
                "text": f"→ {left}",
                "showarrow": False,
                "xanchor": "left",
                "yanchor": "bottom",
                "xshift": 2,
                "font": {"size": SMALL_FONT_SIZE},
                "hovertext": f"epoch {epoch}: {before} sub-supernets become {left}",
            }
        )
        before = left
    return signs


def valid_range(curves: Curves, result: HalvingResult) -> tuple[float, float]:
    """Return the ends of the axis of validation accuracy, in percent."""
    drawn = [
        _until(curves, curves.sub_spaces.index(name), last)[1]
        for name, last in _last_epochs(curves, result).items()
    ]
    return accuracy_range(np.concatenate(drawn))


def _last_epochs(curves: Curves, result: HalvingResult) -> dict[str, int]:
    """Return up to where each curve is drawn; all of them where the choice is left to chance."""
    if result.winner is None:
        return dict.fromkeys(curves.sub_spaces, result.end)
    return dict(result.trained)


def _until(curves: Curves, i: int, last: int) -> tuple[Epochs, Floats]:
    """Return the epochs and validation accuracies of a curve up to an epoch."""
    own = curves.recorded[i] & (curves.epochs <= last)
    return curves.epochs[own], curves.values["valid_accuracy"][i, own]


def _add_crosses(figure: go.Figure, panel: Panel, curves: Curves, result: HalvingResult) -> None:
    """End every discarded curve in a small cross."""
    look = {"symbol": "x-thin", "size": 7, "line": {"width": 2.4}}
    _add_ends(figure, panel, curves, result, list(result.discarded), "discarded", look)


def _add_ring(figure: go.Figure, panel: Panel, curves: Curves, result: HalvingResult) -> None:
    """Draw a ring around the end of the chosen curve."""
    names = [result.winner] if result.winner else []
    look = {"symbol": "circle-open", "size": 13, "line": {"width": 2.4}}
    _add_ends(figure, panel, curves, result, names, "chosen", look)


def _add_ends(
    figure: go.Figure,
    panel: Panel,
    curves: Curves,
    result: HalvingResult,
    names: list[str],
    what: str,
    look: dict[str, Any],
) -> None:
    """Draw a sign at the last point of some curves."""
    positions = dict(zip(curves.sub_spaces, positions_of(curves.sub_spaces), strict=True))
    ends = []
    for name in names:
        epochs, values = _until(curves, curves.sub_spaces.index(name), result.trained[name])
        if len(epochs):
            ends.append((name, int(epochs[-1]), float(values[-1])))
    if not ends:
        return
    colours = [outline_colour(sub_space_colour(positions[name])) for name, _, _ in ends]
    figure.add_scatter(
        x=[epoch for _, epoch, _ in ends],
        y=[value for _, _, value in ends],
        **panel.axes,
        name=what,
        mode="markers",
        cliponaxis=False,
        marker={**look, "color": colours, "line": {**look["line"], "color": colours}},
        text=[f"<b>{name}</b> {what} at epoch {epoch}" for name, epoch, _ in ends],
        showlegend=False,
        hovertemplate="%{text}: %{y:.2f}%<extra></extra>",
    )


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
