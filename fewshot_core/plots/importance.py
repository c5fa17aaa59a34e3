"""What matters for accuracy: shares of variance, effects of operations, decisions of the top."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.export import with_source
from fewshot_core.plots.template import (
    DARK_TEXT,
    WHOLE_COLOUR,
    add_matrix,
    base_figure,
    empty_figure,
    sub_space_look,
)
from fewshot_core.space import EDGES, OPERATION_LABELS, Architecture, edge_label

_SHARES = ((0.0, "#E6ECF3"), (1.0, "#7FA8DE"))
_EFFECTS = ((0.0, "#E79A5F"), (0.5, "#EDEFF3"), (1.0, "#7FA8DE"))
_HEIGHT = 300
_DECISIONS_HEIGHT = 360
_MOST_LINES = 200
_SLOT = 0.8
"""The part of the distance between two operations that lines fill where most of them meet."""


@with_source
def importance_figure(
    shares: pd.DataFrame, caption: Sequence[str] = (), title: str = "Importance of edges"
) -> go.Figure:
    """Draw the shares of variance of edges, on the diagonal, and of pairwise interactions.

    ``shares`` is what ``fewshot_core.analysis.importance`` returns.
    """
    if not shares["share"].sum():
        return empty_figure(title, "all accuracies are equal", _HEIGHT)
    values = np.full((len(EDGES), len(EDGES)), np.nan)
    rows = shares[["first", "second"]].max(axis=1), shares[["first", "second"]].min(axis=1)
    values[rows] = 100 * shares["share"]
    texts = [["" if np.isnan(value) else f"{value:.1f}%" for value in row] for row in values]
    names = [edge_label(edge) for edge in range(len(EDGES))]
    main = shares[shares["first"] == shares["second"]]
    first = main.iloc[int(main["share"].argmax())]
    alt = (
        f"{title}: {edge_label(int(first['first']))} explains {first['share']:.1%} of the variance "
        f"by itself, all single edges {main['share'].sum():.1%}."
    )
    notes = ["% of the variance", "diagonal: an edge alone", "others: pairs", *caption]
    figure = base_figure(title, _HEIGHT, alt, notes)
    hover = "%{y} and %{x}: %{z:.2f}% of the variance<extra></extra>"
    look = {"colorscale": _SHARES, "zmin": 0, "textfont": {"color": DARK_TEXT}}
    add_matrix(
        figure,
        values,
        names,
        names,
        text=texts,
        texttemplate="%{text}",
        hovertemplate=hover,
        **look,
    )
    figure.update_xaxes(type="category", fixedrange=True, ticks="")
    figure.update_yaxes(type="category", fixedrange=True, ticks="")
    return figure


@with_source
def effects_figure(
    effects: pd.DataFrame, caption: Sequence[str] = (), title: str = "Effects of operations"
) -> go.Figure:
    """Draw the effect of every operation on every edge on the mean accuracy.

    ``effects`` is what ``fewshot_core.analysis.operation_effects`` returns.
    """
    table = effects.pivot(index="edge", columns="operation", values="effect")
    shares = 100 * effects.pivot(index="edge", columns="operation", values="top_share")
    best = effects.iloc[int(effects["effect"].argmax())]
    alt = (
        f"{title}: {OPERATION_LABELS[int(best['operation'])]} on {edge_label(int(best['edge']))} "
        f"raises the mean accuracy most, by {best['effect']:.2f} percentage points."
    )
    notes = ["percentage points above or below the mean of all", *caption]
    figure = base_figure(title, _HEIGHT, alt, notes)
    reach = float(effects["effect"].abs().max()) or 1.0
    hover = "%{x} on %{y}: %{z:+.2f} points, %{customdata:.1f}% of the top have it<extra></extra>"
    look = {"colorscale": _EFFECTS, "zmin": -reach, "zmax": reach, "textfont": {"color": DARK_TEXT}}
    names = [edge_label(int(edge)) for edge in table.index]
    labels = [OPERATION_LABELS[int(operation)] for operation in table.columns]
    texts = {"texttemplate": "%{z:+.1f}", "customdata": shares.to_numpy(), "hovertemplate": hover}
    add_matrix(figure, table.to_numpy(), labels, names, **texts, **look)
    figure.update_xaxes(fixedrange=True, ticks="")
    figure.update_yaxes(type="category", fixedrange=True, ticks="")
    return figure


@with_source
def decisions_figure(
    top: pd.DataFrame,
    highlight: str | None = None,
    caption: Sequence[str] = (),
    title: str = "Decisions of the top architectures",
) -> go.Figure:
    """Draw a line through the operations of each top architecture, coloured by sub-space.

    ``top`` is what ``fewshot_core.analysis.top_architectures`` returns; at most 200 are drawn.
    Lines are sorted by sub-space where they meet, so that their number shows.
    """
    if top.empty:
        return empty_figure(title, "no top architecture to draw", _DECISIONS_HEIGHT)
    drawn = top.head(_MOST_LINES).copy()
    drawn["sub_space"] = drawn["sub_space"].fillna("whole space")
    drawn["number"] = drawn["sub_space"].str.extract(r"^S(\d+)$")[0].astype(float)
    drawn = drawn.sort_values(["number", "rank"], kind="stable", ignore_index=True)
    found = [Architecture.from_index(index) for index in drawn["architecture"]]
    choices = np.array([architecture.operations for architecture in found])
    heights = _spread(choices)
    counts = drawn["sub_space"].value_counts()
    alt = (
        f"{title}: {len(drawn)} of {len(top):,} lines; {counts.index[0]} has most, "
        f"{counts.iloc[0]}."
    )
    notes = [f"the best {len(drawn)} of {len(top):,}"] * (len(drawn) < len(top))
    notes += ["double click a sub-space to see it alone", *caption]
    figure = base_figure(title, _DECISIONS_HEIGHT, alt, notes)
    edges = np.arange(len(EDGES) + 1)  # one more, for the gap between two lines
    for name, part in drawn.groupby("sub_space", sort=False):
        number = part["number"].iloc[0]
        look = None if np.isnan(number) else sub_space_look(int(number) - 1)
        forward = highlight in (None, name)
        points = np.column_stack([heights[part.index], np.full(len(part), np.nan)])
        figure.add_scatter(
            x=np.tile(edges, len(part)).astype(np.int8),
            y=points.ravel().astype(np.float32),
            name=f"{name} ({len(part)})",
            mode="lines+markers",
            line={
                "width": 1.4,
                "color": look.outline if look else WHOLE_COLOUR,
                "dash": look.dash if look else "solid",
            },
            marker={"size": 4},
            opacity=0.75 if forward else 0.12,
            customdata=np.repeat(part["architecture"].to_numpy(), len(edges)).tolist(),
            text=[f"{value:.2f}%" for value in part["accuracy_mean"] for _ in edges],
            hovertemplate=f"<b>{name}</b>: %{{text}}<extra></extra>",
        )
    names = [edge_label(edge) for edge in range(len(EDGES))]
    reach = [-0.2, len(EDGES) - 0.8]
    figure.update_xaxes(tickvals=edges[:-1], ticktext=names, range=reach)
    labels = list(OPERATION_LABELS)
    figure.update_yaxes(tickvals=list(range(len(labels))), ticktext=labels, showgrid=False)
    figure.update_yaxes(range=[-0.6, len(labels) - 0.4])
    # Below the figure it may have several rows where that is narrow.
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": -0.12, "yanchor": "top"})
    return figure


def _spread(choices: np.ndarray) -> np.ndarray:
    """Place the lines that meet at an operation beside each other, in their order."""
    heights = choices.astype(np.float64)
    counts = [np.bincount(column, minlength=len(OPERATION_LABELS)) for column in choices.T]
    step = _SLOT / max(int(np.max(counts)), 2)
    for edge, column in enumerate(choices.T):
        for operation in np.unique(column):
            lines = np.flatnonzero(column == operation)
            heights[lines, edge] += step * (np.arange(len(lines)) - (len(lines) - 1) / 2)
    return heights
