"""Validation accuracy with a selection applied (Fig. 4, right, of the paper)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.chips import Annotation
from fewshot_core.plots.search_curves import HEIGHT
from fewshot_core.plots.search_lines import (
    VALID_AXIS,
    Epochs,
    Floats,
    Panel,
    accuracy_range,
    add_search_line,
    positions_of,
)
from fewshot_core.plots.search_texts import halving_alternative
from fewshot_core.plots.template import (
    INK,
    SMALL_FONT_SIZE,
    base_figure,
    empty_figure,
    outline_colour,
    sub_space_colour,
)
from fewshot_core.selection import Curves, HalvingResult, read_frame

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
