"""How well validation accuracy orders sub-supernets, over epochs."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.search_lines import epochs_place
from fewshot_core.plots.search_texts import proxy_alternative
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    WHOLE_COLOUR,
    base_figure,
    empty_figure,
    put_legend_above,
    translucent,
)
from fewshot_core.selection import kendall_by_chance

_HEIGHT = 340
_LINES = {
    "kendall": ("Kendall's tau", ACTIVE_COLOUR, "solid"),
    "spearman": ("Spearman's rho", DEGENERATE_COLOUR, "dot"),
}


def proxy_figure(
    frame: pd.DataFrame,
    milestones: Sequence[int] = (),
    caption: Sequence[str] = (),
    title: str = "Does validation accuracy tell who finds the best?",
) -> go.Figure:
    """Draw rank correlations over epochs, over what chance would do.

    Args:
        frame: What ``fewshot_core.selection.proxy_correlation`` returns.
        milestones: Epochs to mark with dotted lines.
        caption: Parts of the muted line under the title, after what the areas are.
        title: The title.
    """
    if frame.empty or frame["kendall"].isna().all():
        return empty_figure(title, "no correlation to draw", _HEIGHT)
    count, seeds = int(frame["sub_spaces"].min()), int(frame["seeds"].max())
    # Means of several seeds would reach the bounds for one even more rarely.
    chance = kendall_by_chance(count)
    notes = [f"area: from lowest to highest of {seeds} seeds"] if seeds > 1 else []
    if chance is not None:
        notes.append(f"grey: tau of 95% of random orders of {count}")
    figure = base_figure(title, _HEIGHT, proxy_alternative(frame, chance), [*notes, *caption])
    if chance is not None:
        figure.add_hrect(
            y0=-chance,
            y1=chance,
            fillcolor=translucent(WHOLE_COLOUR, 0.16),
            line_width=0,
            layer="below",
        )
    figure.add_hline(y=0, line_color=INK, line_width=1)
    for epoch in milestones:
        figure.add_vline(x=epoch, line_color=INK, line_width=1.2, line_dash="dot")
    for name in _LINES:
        _add_correlation(figure, frame, name, seeds)
    figure.update_layout(legend_traceorder="normal")
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="rank correlation", range=[-1.05, 1.05])
    put_legend_above(figure, rows=1)
    return figure


def _add_correlation(figure: go.Figure, frame: pd.DataFrame, name: str, seeds: int) -> None:
    label, colour, dash = _LINES[name]
    place = epochs_place(frame["epoch"].to_numpy())
    if seeds > 1 and name == "kendall":
        edge = {**place, "mode": "lines", "line_width": 0, "showlegend": False}
        figure.add_scatter(**edge, y=_values(frame, f"{name}_low"), hoverinfo="skip")
        figure.add_scatter(
            **edge,
            y=_values(frame, f"{name}_high"),
            fill="tonexty",
            fillcolor=translucent(colour, 0.2),
            hoverinfo="skip",
        )
    figure.add_scatter(
        **place,
        y=_values(frame, name),
        name=label,
        mode="lines",
        line={"color": colour, "width": 1.8, "dash": dash},
        hovertemplate=f"{label} at epoch %{{x}}: %{{y:.2f}}<extra></extra>",
    )


def _values(frame: pd.DataFrame, column: str) -> npt.NDArray[np.float32]:
    return frame[column].to_numpy(dtype=np.float32)
