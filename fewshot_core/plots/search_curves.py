"""What every sub-supernet would find at every epoch (Fig. 4, left, of the paper)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.search_lines import (
    FOUND_AXIS,
    LEADER_COLOUR,
    LEADER_NOTE,
    Panel,
    accuracy_range,
    add_search_line,
    cut_note,
    epochs_place,
    positions_of,
)
from fewshot_core.plots.search_texts import search_alternative
from fewshot_core.plots.template import base_figure, empty_figure
from fewshot_core.selection import Curves, leaders, read_frame

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
