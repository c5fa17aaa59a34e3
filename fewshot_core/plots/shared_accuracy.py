"""Accuracies with shared weights against those of a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.search_lines import accuracy_range, cut_note
from fewshot_core.plots.template import ACTIVE_COLOUR, base_figure, empty_figure

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
