"""Figures of one search: losses, entropy, temperature, and probabilities of operations."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    SMALL_FONT_SIZE,
    base_figure,
    empty_figure,
    epoch_range,
    panel_heading,
    translucent,
)
from fewshot_core.space import OPERATION_LABELS, SubSpace, edge_label

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

Records = Sequence[Mapping[str, Any]]


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
        legend={**place, "font": {"size": SMALL_FONT_SIZE}},
        margin={"t": 78 if not caption else 96},
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


def probabilities_figure(
    records: Records, sub_space: SubSpace, end: int, caption: Sequence[str] = ()
) -> go.Figure:
    """Draw a row for each operation of each edge that has a choice, a column for each epoch.

    The rows of the architecture that the search would return now are in bold. ``records`` holds the
    epochs that are done, of ``end``, each as ``EpochRecord.to_dict`` returns it.
    """
    title = "Probability of each operation"
    edges = {edge: ops for edge, ops in enumerate(sub_space.enabled) if len(ops) > 1}
    if not edges:
        return empty_figure(title, "the sub-space is a single architecture: nothing to choose")
    if not records:
        return empty_figure(title, "no epoch finished yet")
    table = np.array([record["probabilities"] for record in records], dtype=np.float64)
    # Rows by their place from the top, one of which is left empty between two edges.
    rows: dict[int, tuple[int, int]] = {}
    for number, (edge, operations) in enumerate(edges.items()):
        start = len(rows) + number
        rows |= {start + i: (edge, operation) for i, operation in enumerate(operations)}
    count = max(rows) + 1
    names = [" " * place for place in range(count)]
    grid = np.full((count, len(records)), np.nan)
    bold = []
    for place, (edge, operation) in rows.items():
        names[place] = escape(f"{edge_label(edge)} {OPERATION_LABELS[operation]}")
        grid[place] = table[:, edge, operation]
        # Of equal ones, the first.
        chosen = max(edges[edge], key=lambda operation: table[-1, edge, operation])
        bold.append(f"<b>{names[place]}</b>" if operation == chosen else names[place])
    fixed = [
        f"{edge_label(edge)} is {OPERATION_LABELS[operations[0]]}"
        for edge, operations in enumerate(sub_space.enabled)
        if edge not in edges
    ]
    notes = [f"no choice: {', '.join(fixed)}"] if fixed else []
    height = max(_LEAST_HEIGHT, _FRAME + _ROW * count)
    alt = _probabilities_alternative(table, edges, records)
    figure = base_figure(title, height, alt, [*notes, *caption])
    figure.add_heatmap(
        z=grid.astype(np.float32),
        x=[record["epoch"] for record in records],
        y=names,
        colorscale=_SCALE,
        zmin=0,
        zmax=max(float(np.nanmax(grid)), 0.25),
        colorbar={"thickness": 10, "outlinewidth": 0, "tickformat": ".2f", "nticks": 4},
        hovertemplate="edge %{y} at epoch %{x}: %{z:.3f}<extra></extra>",
    )
    figure.update_xaxes(title_text="epoch", range=[-0.5, end + 0.5], showgrid=False)
    figure.update_yaxes(
        type="category",
        tickvals=[names[place] for place in rows],
        ticktext=bold,
        tickfont={"size": SMALL_FONT_SIZE},
        range=[count - 0.5, -0.5],
        showgrid=False,
    )
    return figure


def _probabilities_alternative(
    table: npt.NDArray[np.float64], edges: Mapping[int, Sequence[int]], records: Records
) -> str:
    """Text alternative: the most likely operation of each edge, and since which epoch."""
    parts = []
    for edge, operations in edges.items():
        series = table[:, edge, list(operations)]
        winners = series.argmax(axis=1)
        changes = np.flatnonzero(winners != winners[-1])
        since = records[int(changes[-1]) + 1 if changes.size else 0]["epoch"]
        name = OPERATION_LABELS[operations[int(winners[-1])]]
        parts.append(f"{edge_label(edge)} {name} with {series[-1].max():.2f}, since epoch {since}")
    return f"Most likely operations at epoch {records[-1]['epoch']}: {'; '.join(parts)}."
