"""What matters for accuracy: shares of variance, effects of operations, decisions of the top."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.export import with_source
from fewshot_core.plots.template import (
    SHARES,
    SMALL_FONT_SIZE,
    WHOLE_COLOUR,
    add_matrix,
    base_figure,
    empty_figure,
    escape,
    note,
    sub_space_look,
)
from fewshot_core.space import NAS_BENCH_201, PERCENT, SearchSpace, score_text

_EFFECTS = ((0.0, "#E79A5F"), (0.5, "#EDEFF3"), (1.0, "#7FA8DE"))
_HEIGHT = 300
_DECISIONS_HEIGHT = 360
_MOST_LINES = 200
_ROUNDING = 1e-9
_SLOT = 0.8
"""The part of the distance between two operations that lines fill where most of them meet."""


@with_source
def importance_figure(shares: pd.DataFrame, space: SearchSpace = NAS_BENCH_201) -> go.Figure:
    """Draw the shares of variance of decisions, on the diagonal, and of pairwise interactions.

    ``shares`` is what ``fewshot_core.analysis.importance`` returns.
    """
    noun, title = space.noun, f"Importance of {space.noun}s"
    if not shares["share"].sum():
        return empty_figure(title, "all accuracies are equal", _HEIGHT)
    names = [escape(decision.name) for decision in space.decisions]
    values = np.full((len(names), len(names)), np.nan)
    rows = shares[["first", "second"]].max(axis=1), shares[["first", "second"]].min(axis=1)
    values[rows] = 100 * shares["share"]
    shown = [["" if np.isnan(value) else f"{value:.1f}%" for value in row] for row in values]
    main = shares[shares["first"] == shares["second"]]
    first = main.iloc[int(main["share"].argmax())]
    alt = (
        f"{title}: {space.decisions[int(first['first'])].name} explains {first['share']:.1%} of "
        f"the variance by itself, all single {noun}s {main['share'].sum():.1%}."
    )
    alone = f"diagonal: {'an edge' if noun == 'edge' else 'a decision'} alone"
    notes = ["% of the variance", f"{alone}, else pairs"]
    figure = base_figure(title, max(_HEIGHT, 90 + 26 * len(names)), alt, notes)
    look: dict[str, Any] = {"colorscale": SHARES, "zmin": 0}
    look |= {"hovertemplate": "%{y} and %{x}: %{z:.2f}% of the variance<extra></extra>"}
    add_matrix(figure, values, names, names, text=shown, texttemplate="%{text}", **look)
    figure.update_xaxes(type="category", fixedrange=True, ticks="")
    figure.update_yaxes(type="category", fixedrange=True, ticks="")
    return figure


@with_source
def effects_figure(
    effects: pd.DataFrame, space: SearchSpace = NAS_BENCH_201, unit: str = PERCENT
) -> go.Figure:
    """Draw the effect of every operation of every decision on the mean score, in a unit.

    ``effects`` is what ``fewshot_core.analysis.operation_effects`` returns.
    """
    title = "Effects of operations"
    table = effects.pivot(index="edge", columns="operation", values="effect")
    of_top = effects.pivot(index="edge", columns="operation", values="top_share")
    best = effects.iloc[int(effects["effect"].argmax())]
    decision, percent = space.decisions[int(best["edge"])], unit == PERCENT
    points = "percentage points" if percent else unit
    amount = f"{best['effect']:.2f}" if percent else f"{best['effect']:.4g}"
    alt = (
        f"{title}: {decision.labels[int(best['operation'])]} on {decision.name} raises the mean "
        f"{'accuracy' if percent else 'score'} most, by {amount} {points}."
    )
    names = [escape(space.decisions[int(edge)].name) for edge in table.index]
    labels = {decision.labels for decision in space.decisions}
    same = len(labels) == 1  # else those of each decision are in its cells
    heads = list(decision.labels) if same else [str(n + 1) for n in range(max(space.shape))]
    own = [
        [escape(label) for label in (*of.labels, *[""] * (len(heads) - len(of.labels)))]
        for of in space.decisions
    ]
    notes = [f"{points} above or below the mean of all"]
    values, shares, rows = table.to_numpy(), 100 * of_top.to_numpy(), names
    across = not same and len(names) < len(heads)  # a column for each decision: fewer are wider
    if across:
        values, shares, rows, heads = values.T, shares.T, heads, names
        own = [list(column) for column in zip(*own, strict=True)]
    figure = base_figure(title, max(_HEIGHT, 90 + (26 if same else 38) * len(rows)), alt, notes)
    reach = float(effects["effect"].abs().max()) or 1.0
    number = "%{z:+.2f} points" if percent else f"%{{z:+.3g}} {escape(unit)}"
    place = "%{x}" if across else "%{y}"
    hover = (
        f"%{{text}} on {place}: {number}, %{{customdata:.1f}}% of the top have it<extra></extra>"
    )
    look: dict[str, Any] = {"colorscale": _EFFECTS, "zmin": -reach, "zmax": reach}
    look["font_size"] = None if same else SMALL_FONT_SIZE
    digits = 1 if percent else max(0, 1 - int(np.floor(np.log10(reach))))
    shown = f"%{{z:+.{digits}f}}"
    form = shown if same else f"%{{text}}<br>{shown}"
    texts: dict[str, Any] = {"texttemplate": form, "text": own}
    texts |= {"customdata": shares, "hovertemplate": hover, "hoverongaps": False}
    values = np.where(np.abs(values) < _ROUNDING * reach, 0.0, values)
    add_matrix(figure, values, heads, rows, **texts, **look)
    figure.update_xaxes(fixedrange=True, ticks="", type="category", visible=same or across)
    figure.update_yaxes(type="category", fixedrange=True, ticks="", visible=not across)
    return figure


@with_source
def decisions_figure(
    top: pd.DataFrame,
    highlight: str | None = None,
    caption: Sequence[str] = (),
    title: str = "Decisions of the top architectures",
    space: SearchSpace = NAS_BENCH_201,
    unit: str = PERCENT,
) -> go.Figure:
    """Draw a line through the operations of each top architecture, coloured by sub-space.

    ``top`` is what ``fewshot_core.analysis.top_architectures`` returns; at most 200 are drawn.
    Lines are sorted by sub-space where they meet, so that their number shows. Scores have a unit.
    """
    if top.empty:
        return empty_figure(title, "no top architecture to draw", _DECISIONS_HEIGHT)
    drawn = top.head(_MOST_LINES).copy()
    drawn["sub_space"] = drawn["sub_space"].fillna("whole space")
    drawn["number"] = drawn["sub_space"].str.extract(r"^S(\d+)$")[0].astype(float)
    drawn = drawn.sort_values(["number", "rank"], kind="stable", ignore_index=True)
    choices = np.array([space.decode(index) for index in drawn["architecture"]])
    labels, most = {decision.labels for decision in space.decisions}, max(space.shape)
    heights = _spread(choices)
    if len(labels) > 1:  # each decision has the whole height
        heights += choices * ((most - 1) / (np.array(space.shape) - 1) - 1)
    counts = drawn["sub_space"].value_counts()
    alt = (
        f"{title}: {len(drawn)} of {len(top):,} lines; {counts.index[0]} has most, "
        f"{counts.iloc[0]}."
    )
    notes = [f"the best {len(drawn)} of {len(top):,}"] * (len(drawn) < len(top))
    notes += ["double click a sub-space to see it alone", *caption]
    figure = base_figure(title, _DECISIONS_HEIGHT, alt, notes)
    edges = np.arange(len(space.decisions) + 1)  # one more, for the gap between two lines
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
            text=[escape(score_text(v, unit)) for v in part["accuracy_mean"] for _ in edges],
            hovertemplate=f"<b>{name}</b>: %{{text}}<extra></extra>",
        )
    names = [escape(decision.name) for decision in space.decisions]
    reach = [-0.2, len(names) - 0.8]
    figure.update_xaxes(tickvals=edges[:-1], ticktext=names, range=reach)
    ticks = list(map(escape, labels.pop())) if len(labels) == 1 else []
    figure.update_yaxes(tickvals=list(range(len(ticks))), ticktext=ticks, showgrid=False)
    figure.update_yaxes(range=[-0.6, most - 0.4])
    if not ticks:
        _label_operations(figure, space)
    # Below the figure it may have several rows where that is narrow.
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": -0.12, "yanchor": "top"})
    return figure


def _label_operations(figure: go.Figure, space: SearchSpace) -> None:
    """Write the operations of each decision beside it, where decisions have different ones."""
    place: Any = {"xanchor": "left", "xshift": 6, "yshift": 9}
    figure.update_layout(
        annotations=[
            note(
                escape(label),
                number,
                operation * (max(space.shape) - 1) / (len(decision.labels) - 1),
                font={"size": SMALL_FONT_SIZE},
                **place,
            )
            for number, decision in enumerate(space.decisions)
            for operation, label in enumerate(decision.labels)
        ]
    )
    figure.update_xaxes(range=[-0.2, len(space.decisions) - 0.5])


def _spread(choices: np.ndarray) -> np.ndarray:
    """Place the lines that meet at an operation beside each other, in their order."""
    heights = choices.astype(np.float64)
    step = _SLOT / max(*(int(np.bincount(column).max()) for column in choices.T), 2)
    for edge, column in enumerate(choices.T):
        for operation in np.unique(column):
            lines = np.flatnonzero(column == operation)
            heights[lines, edge] += step * (np.arange(len(lines)) - (len(lines) - 1) / 2)
    return heights
