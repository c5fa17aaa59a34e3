"""Several splits beside each other: where the top lies, what keeping k costs, agreement."""

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.template import (
    base_figure,
    empty_figure,
    put_legend_above,
    sub_space_colour,
    sub_space_dash,
    text_colour,
)

_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon", "hash")
_HEAT = ((0.0, "#E6ECF3"), (1.0, "#7FA8DE"))
_HEAT_TEXT = text_colour(_HEAT[0][1])
_CELL_FONT_SIZE, _FEW_COLUMNS = 11, 9


def top_map_figure(
    described: dict[str, pd.DataFrame],
    top_label: str = "top 1%",
    title: str = "Where the top lies",
    caption: Sequence[str] = (),
) -> go.Figure:
    """Draw how many top architectures each sub-space of each split holds, the largest first.

    Args:
        described: What ``fewshot_core.analysis.describe_sub_spaces`` returns, by split.
        top_label: How the top is called.
        title: The title.
        caption: Parts of the muted line under the title.
    """
    height = 120 + 34 * max(len(described), 2)
    known = {name: frame for name, frame in described.items() if frame["top_count"].sum()}
    if not known:
        return empty_figure(title, "no top architecture to show", height)
    sorted_frames = {
        name: frame.sort_values("size", ascending=False, kind="stable")
        for name, frame in known.items()
    }
    width = max(map(len, sorted_frames.values()))
    shares = np.full((len(known), width), np.nan)
    texts = [[""] * width for _ in known]
    hovers = [[""] * width for _ in known]
    for row, frame in enumerate(sorted_frames.values()):
        for column, part in enumerate(frame.to_dict("records")):
            shares[row, column] = 100 * part["top_share"]
            texts[row][column] = f"{part['sub_space']} {part['top_count']:,}"
            hovers[row][column] = (
                f"{part['sub_space']}: {part['size']:,} architectures, {part['top_count']:,} of "
                f"the {top_label} ({part['top_share']:.1%})"
            )
    notes = [f"cells: sub-space, and how many of the {top_label} it holds", *caption]
    figure = base_figure(title, height, _map_alternative(sorted_frames, top_label), notes)
    figure.add_heatmap(
        z=shares,
        x=[f"{number}" for number in range(1, width + 1)],
        y=[escape(name) for name in known],
        text=texts,
        texttemplate="%{text}",
        textfont=_cell_font(width),
        hovertext=hovers,
        hoverinfo="text",
        colorscale=_HEAT,
        zmin=0,
        showscale=False,
        xgap=2,
        ygap=2,
    )
    figure.update_xaxes(
        title_text="sub-spaces, the largest first", showgrid=False, type="category", fixedrange=True
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, fixedrange=True)
    return figure


def keep_figure(
    frame: pd.DataFrame,
    axis_title: str = "best accuracy still within reach, %",
    title: str = "What is lost when only k sub-spaces are kept",
    caption: Sequence[str] = (),
) -> go.Figure:
    """Draw the best accuracy within reach against the number of sub-spaces kept.

    Args:
        frame: Columns split, k and best (percent, expected).
        axis_title: What the accuracies are.
        title: The title.
        caption: Parts of the muted line under the title.
    """
    if frame.empty:
        return empty_figure(title, "no split to compare", 380)
    first = frame[frame["k"] == 1].sort_values("best", ascending=False)
    leader, value = first["split"].iloc[0], first["best"].iloc[0]
    alt = f"{title}: with one sub-space kept, {leader} reaches most, {value:.2f}%."
    figure = base_figure(title, 380, alt, list(caption))
    for position, (name, part) in enumerate(frame.groupby("split", sort=False)):
        figure.add_scatter(
            x=part["k"],
            y=part["best"],
            name=escape(str(name)),
            mode="lines+markers",
            line={"color": sub_space_colour(position), "dash": sub_space_dash(position)},
            marker={"symbol": _SYMBOLS[position % len(_SYMBOLS)], "size": 8},
            hovertemplate="%{x} kept: %{y:.2f}%<extra>" + escape(str(name)) + "</extra>",
        )
    figure.update_xaxes(title_text="sub-spaces kept", dtick=1)
    figure.update_yaxes(title_text=axis_title)
    put_legend_above(figure, rows=-(-frame["split"].nunique() // 2))
    return figure


def agreement_figure(matrix: pd.DataFrame, title: str = "How far splits agree") -> go.Figure:
    """Draw the adjusted Rand index of all pairs of splits.

    Args:
        matrix: What ``fewshot_core.analysis.agreement_matrix`` returns.
        title: The title.
    """
    height = 130 + 34 * max(len(matrix), 2)
    if len(matrix) < 2:
        return empty_figure(title, "it takes two splits to agree", height)
    plain = [str(name) for name in matrix.index]
    names = [escape(name) for name in plain]
    values = matrix.to_numpy()
    pairs = np.where(np.eye(len(names), dtype=bool), -np.inf, values)
    row, column = divmod(int(pairs.argmax()), len(names))
    alt = (
        f"{title}: {plain[row]} and {plain[column]} agree most, with an adjusted Rand index of "
        f"{values[row, column]:.2f}."
    )
    figure = base_figure(title, height, alt, ["adjusted Rand index: 1 the same, 0 as by chance"])
    figure.add_heatmap(
        z=values,
        x=names,
        y=names,
        texttemplate="%{z:.2f}",
        textfont=_cell_font(len(names)),
        colorscale=_HEAT,
        zmin=0,
        zmax=1,
        showscale=False,
        xgap=2,
        ygap=2,
        hovertemplate="%{y} and %{x}: %{z:.3f}<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, fixedrange=True)
    figure.update_xaxes(showgrid=False, tickangle=-90, fixedrange=True)
    return figure


def _cell_font(columns: int) -> dict[str, object]:
    """Return the font of what stands in cells; where many columns are narrow, as small as fits."""
    size = {"size": _CELL_FONT_SIZE} if columns <= _FEW_COLUMNS else {}
    return {"color": _HEAT_TEXT, **size}


def _map_alternative(frames: dict[str, pd.DataFrame], top_label: str) -> str:
    parts = []
    for name, frame in frames.items():
        most = frame.iloc[int(frame["top_count"].to_numpy().argmax())]
        parts.append(f"{name}: {most['sub_space']} with {most['top_count']:,}")
    return f"Sub-spaces that hold most of the {top_label}. {'; '.join(parts)}."
