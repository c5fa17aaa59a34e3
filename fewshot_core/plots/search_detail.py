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
    translucent,
)
from fewshot_core.space import OPERATION_LABELS, SubSpace, edge_label

_HEIGHT = 270
_GAP = 0.07
_ROOM = 0.02

# Column, name in the legend or None, colour, dash, of every line of a panel.
_PANELS = {
    "loss": (
        ("train_loss", "training loss", DEGENERATE_COLOUR, "dash"),
        ("valid_loss", "validation loss", ACTIVE_COLOUR, "solid"),
    ),
    "entropy, bits": (("entropy", "entropy", INK, "solid"),),
    "temperature": (("temperature", "temperature", INK, "solid"),),
}


def search_panels_figure(
    frame: pd.DataFrame,
    end: int,
    caption: Sequence[str] = (),
    title: str = "Losses, entropy and temperature",
) -> go.Figure:
    """Draw the losses of one search, and what tells how sure it is.

    Args:
        frame: Columns epoch, train_loss, valid_loss, entropy (bits) and temperature, a row for each
            epoch that is done; a search without a temperature has no panel for it.
        end: The last epoch of the whole search.
        caption: Parts of the muted line under the title.
        title: The title.
    """
    if frame.empty:
        return empty_figure(title, "no epoch is done yet", _HEIGHT)
    panels = [name for name, lines in _PANELS.items() if frame[lines[-1][0]].notna().any()]
    figure = base_figure(title, _HEIGHT, _alternative(frame), caption)
    for number, name in enumerate(panels):
        _draw_panel(figure, number, len(panels), name, frame, end)
    figure.update_layout(
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.14,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"size": SMALL_FONT_SIZE},
        },
        margin={"t": 78 if not caption else 96},
    )
    return figure


def _draw_panel(
    figure: go.Figure, number: int, panels: int, name: str, frame: pd.DataFrame, end: int
) -> None:
    """Draw the lines of one of some panels, with axes of its own."""
    suffix = str(number + 1) if number else ""
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
    width = (1 - _GAP * (panels - 1)) / panels
    start = number * (width + _GAP)
    figure.update_layout(
        {
            f"xaxis{suffix}": {
                "domain": [start, start + width],
                "anchor": f"y{suffix}",
                "title": {"text": "epoch"},
                "range": [-_ROOM * end, (1 + _ROOM) * end],
            },
            f"yaxis{suffix}": {
                "anchor": f"x{suffix}",
                "rangemode": "tozero" if name != "loss" else "normal",
            },
        }
    )
    figure.add_annotation(
        text=name,
        x=start,
        y=1,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": SMALL_FONT_SIZE},
    )


def _alternative(frame: pd.DataFrame) -> str:
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


_ROW, _FRAME, _LEAST = 17, 110, 240
_SCALE = ((0.0, translucent(ACTIVE_COLOUR, 0.03)), (1.0, translucent(ACTIVE_COLOUR, 1.0)))

Records = Sequence[Mapping[str, Any]]
Probabilities = npt.NDArray[np.float64]


def probabilities_figure(
    records: Records,
    sub_space: SubSpace,
    end: int,
    caption: Sequence[str] = (),
    title: str = "Probability of each operation",
) -> go.Figure:
    """Draw a row for each operation of each edge that has a choice, a column for each epoch.

    The rows of the architecture that the search would return now are in bold.

    Args:
        records: The epochs that are done, each as ``EpochRecord.to_dict`` returns it.
        sub_space: The operations to choose from.
        end: The last epoch of a whole search.
        caption: Parts of the muted line under the title.
        title: The title.
    """
    rows = [
        (edge, operation)
        for edge, operations in enumerate(sub_space.enabled)
        for operation in operations
        if len(operations) > 1
    ]
    if not rows:
        return empty_figure(title, "the sub-space is a single architecture: nothing to choose")
    if not records:
        return empty_figure(title, "no epoch is done yet")
    table = np.array([record["probabilities"] for record in records], dtype=np.float64)
    chosen = _chosen(table[-1], sub_space)
    places = _places(rows)
    notes = [*_fixed(sub_space), *caption]
    height = max(_LEAST, _FRAME + _ROW * (places[-1] + 1))
    figure = base_figure(
        title, height, _alternative_of_probabilities(table, sub_space, records), notes
    )
    names = [" " * place for place in range(places[-1] + 1)]
    for place, (edge, operation) in zip(places, rows, strict=True):
        names[place] = escape(f"{edge_label(edge)} {OPERATION_LABELS[operation]}")
    _draw_grid(figure, table, dict(zip(places, rows, strict=True)), names, records)
    figure.update_xaxes(title_text="epoch", range=[-0.5, end + 0.5], showgrid=False)
    figure.update_yaxes(
        type="category",
        tickvals=[names[place] for place in places],
        ticktext=[
            f"<b>{names[place]}</b>" if chosen[edge] == operation else names[place]
            for place, (edge, operation) in zip(places, rows, strict=True)
        ],
        tickfont={"size": SMALL_FONT_SIZE},
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )
    return figure


def _draw_grid(
    figure: go.Figure,
    table: Probabilities,
    rows: Mapping[int, tuple[int, int]],
    names: Sequence[str],
    records: Records,
) -> None:
    """Draw the probabilities; rows of the picture without an operation stay empty."""
    grid = np.full((len(names), len(records)), np.nan)
    for place, (edge, operation) in rows.items():
        grid[place] = table[:, edge, operation]
    figure.add_heatmap(
        z=grid.astype(np.float32),
        x=[record["epoch"] for record in records],
        y=names,
        colorscale=_SCALE,
        zmin=0,
        zmax=max(float(np.nanmax(grid)), 0.25),
        colorbar={
            "thickness": 10,
            "outlinewidth": 0,
            "tickformat": ".2f",
            "nticks": 4,
        },
        hovertemplate="edge %{y} at epoch %{x}: %{z:.3f}<extra></extra>",
    )


def _places(rows: Sequence[tuple[int, int]]) -> list[int]:
    """Return the row of the picture for each operation; edges are a row apart."""
    edges = list(dict.fromkeys(edge for edge, _ in rows))
    return [number + edges.index(edge) for number, (edge, _) in enumerate(rows)]


def _chosen(last: Probabilities, sub_space: SubSpace) -> list[int]:
    """Return the likeliest enabled operation of each edge; of equal ones, the first."""
    return [
        max(operations, key=lambda operation: last[edge, operation])
        for edge, operations in enumerate(sub_space.enabled)
    ]


def _fixed(sub_space: SubSpace) -> list[str]:
    """Return which edges have no choice."""
    alone = [
        f"{edge_label(edge)} is {OPERATION_LABELS[operations[0]]}"
        for edge, operations in enumerate(sub_space.enabled)
        if len(operations) == 1
    ]
    return [f"no choice: {', '.join(alone)}"] if alone else []


def _alternative_of_probabilities(
    table: Probabilities, sub_space: SubSpace, records: Records
) -> str:
    """Return what is likeliest on each edge, and since when."""
    parts = []
    for edge, operations in enumerate(sub_space.enabled):
        if len(operations) == 1:
            continue
        series = table[:, edge, list(operations)]
        winners = series.argmax(axis=1)
        changes = np.flatnonzero(winners != winners[-1])
        since = records[int(changes[-1]) + 1 if changes.size else 0]["epoch"]
        name = OPERATION_LABELS[operations[int(winners[-1])]]
        parts.append(f"{edge_label(edge)} {name} with {series[-1].max():.2f}, since epoch {since}")
    return f"Likeliest operations at epoch {records[-1]['epoch']}: {'; '.join(parts)}."
