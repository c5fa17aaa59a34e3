"""Splits in comparison: information gain, top architectures, the number kept (k), agreement."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis import CHANCE, SplitEvaluator, tree_shape
from fewshot_core.analysis.distributions import density
from fewshot_core.analysis.sub_spaces import Floats
from fewshot_core.analysis.trees import SAME_GAIN
from fewshot_core.plots.export import with_source
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    INK,
    SHARES,
    SILENT,
    WHOLE_COLOUR,
    Row,
    add_matrix,
    base_figure,
    empty_figure,
    escape,
    hover_score,
    note,
    put_legend_above,
    sub_space_look,
    translucent,
)
from fewshot_core.selection.halving import listed
from fewshot_core.space import PERCENT, Part, score_text, space_of

_DENSITY_POINTS = 200
_FOOT = -0.7
_BANDS = {"worse than chance": "#D55E00", "chance": WHOLE_COLOUR, "better": "#009E73"}
_BAND_ROW = 18
_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon", "hash")
_CELL_FONT_SIZE, _FEW_COLUMNS = 11, 9
_LETTER = 7
_SAME = 1e-9


def gains_figure(
    reports: pd.DataFrame,
    splits: Mapping[str, Sequence[Part]],
    evaluator: SplitEvaluator,
    title: str,
    caption: Sequence[str] = (),
) -> go.Figure:
    """Draw ``informativeness_figure`` with random and best trees of the most frequent shape."""
    shapes = [shape for leaves in splits.values() if (shape := tree_shape(leaves)) is not None]
    if not shapes:
        return informativeness_figure(reports, [], None, title, caption)
    if len(set(shapes)) > 1:
        caption = [*caption, "random and best trees are of the most frequent shape"]
    space = space_of([leaf for leaves in splits.values() for leaf in leaves])
    baseline = evaluator.baseline(max(shapes, key=shapes.count), space)
    return informativeness_figure(reports, baseline.gains, baseline.best.gain_bits, title, caption)


@with_source
def informativeness_figure(
    reports: pd.DataFrame,
    random_gains: npt.ArrayLike,
    best_bits: float | None,
    title: str = "Information gain of each split",
    caption: Sequence[str] = (),
) -> go.Figure:
    """Draw the information gain of splits in bands: worse than chance, chance, better, and best.

    Chance is the middle 95% of random trees, whose density is grey; all numbers are in bits.
    ``reports`` is what ``fewshot_core.analysis.report_frame`` returns, optionally with the columns
    ``row``, the label at the left that several splits may share, ``symbol`` of its marker, ``key``,
    what a click on it returns, and ``notes`` for the reader.
    """
    if reports.empty:
        return empty_figure(title, "no split to compare", 210)
    labels = reports.get("row", reports["split"]).astype(str)
    means = reports["gain_bits"].groupby(labels, sort=False).mean()
    names = list(means.sort_values(ascending=False, kind="stable").index)
    rows = len(names)
    gains = np.asarray(random_gains, dtype=np.float64)
    gained = max([float(reports["gain_bits"].max()), best_bits or 0.0, *gains[-1:].tolist()])
    top = 1.06 * gained or 1e-4  # of a single architecture nothing can be gained
    notes = [*caption, f"grey: {gains.size:,} random trees"] if gains.size else caption
    height = 172 + 30 * max(rows, 2)
    figure = base_figure(title, height, _gain_alternative(reports, best_bits), notes)
    if gains.size:
        _add_random_trees(figure, gains, rows, top)
        _add_bands(figure, gains, best_bits, top)
    if best_bits is not None:
        figure.add_scatter(
            x=[best_bits, best_bits],
            y=[_FOOT, rows - 0.4],
            mode="lines",
            line={"color": INK, "width": 1.4, "dash": "dash"},
            hovertext=f"best tree: {best_bits:.4f} bits",
            hoverinfo="text",
            showlegend=False,
        )
        place = {"yref": "paper", "yanchor": "bottom", "xanchor": "right"}
        beaten = bool((reports["gain_bits"] > best_bits * (1 + SAME_GAIN)).any())  # by a partition
        text = "best tree" if beaten else "best possible"
        label = note(text, 1, 1, xref="paper", **place, yshift=_BAND_ROW)
        figure.add_annotation(label)
    symbols = list(reports.get("symbol", ["circle"] * len(reports)))
    line = {"width": [2.5 if one.endswith("-open") else 1 for one in symbols], "color": INK}
    figure.add_scatter(
        x=reports["gain_bits"],
        y=[rows - 1 - names.index(label) for label in labels],
        mode="markers",
        marker={"size": 12, "symbol": symbols, "color": ACTIVE_COLOUR, "line": line},
        marker_opacity=1.0 if rows == len(reports) else 0.8,
        customdata=list(reports["key"]) if "key" in reports else None,
        hovertext=[_report_hover(row) for row in reports.to_dict("records")],
        hoverinfo="text",
        showlegend=False,
    )
    figure.update_yaxes(
        tickvals=list(range(rows - 1, -1, -1)),
        ticktext=[escape(name) for name in names],
        range=[_FOOT, rows - 0.4],
        showgrid=True,
    )
    figure.update_xaxes(title_text="information gain, bits", range=[-0.02 * top, top])
    figure.update_layout(showlegend=False, margin_t=figure.layout.margin.t + 2 * _BAND_ROW)
    return figure


def _add_random_trees(figure: go.Figure, gains: Floats, rows: int, top: float) -> None:
    """Draw the density of random trees, as high as the figure."""
    grid = np.linspace(0.0, top, _DENSITY_POINTS)
    curve = density(gains, grid)
    scaled = curve / curve.max() * (rows - 0.8) + _FOOT
    figure.add_scatter(
        x=np.concatenate([grid, grid[::-1][:: len(grid) - 1]]).astype(np.float32),
        y=np.concatenate([scaled, [_FOOT, _FOOT]]).astype(np.float32),
        mode="lines",
        line={"width": 1, "color": translucent(WHOLE_COLOUR, 0.7)},
        fill="toself",
        fillcolor=translucent(WHOLE_COLOUR, 0.25),
        **SILENT,
    )


def _add_bands(figure: go.Figure, gains: Floats, best_bits: float | None, top: float) -> None:
    """Tint the bands, and write their names above them; neighbours are in different rows."""
    low, high = np.percentile(gains, CHANCE).tolist()
    ends = [-0.02 * top, low, high, max(high, best_bits or top)]
    bands = zip(_BANDS.items(), ends[:-1], ends[1:], strict=True)
    for number, ((name, colour), left, right) in enumerate(bands):
        figure.add_shape(
            type="rect",
            x0=left,
            x1=right,
            yref="paper",
            y0=0,
            y1=1,
            line_width=0,
            fillcolor=translucent(colour, 0.14),
            layer="below",
        )
        at = {"x": 0, "xref": "paper", "xanchor": "left"} if number == 0 else {}
        label = note(name, (left + right) / 2, 1, yref="paper", yanchor="bottom") | at
        figure.add_annotation(label, yshift=_BAND_ROW if number == 0 else 0)


def _report_hover(row: Row) -> str:
    lines = [f"<b>{escape(str(row['split']))}</b>", f"{row['gain_bits']:.4f} bits"]
    if not pd.isna(row["share_of_best"]):
        lines.append(f"{row['share_of_best']:.1%} of the best tree")
    if not pd.isna(row["percentile"]):
        lines.append(
            f"percentile {row['percentile']:.1f} of random trees "
            f"({row['percentile_low']:.1f} to {row['percentile_high']:.1f})"
        )
    if row.get("notes"):
        lines.append(escape(str(row["notes"])))
    return "<br>".join(lines)


def _gain_alternative(reports: pd.DataFrame, best_bits: float | None) -> str:
    first = reports.iloc[0]
    best = "" if best_bits is None else f", the best tree {best_bits:.4f} bits"
    return (
        f"Information gain of {len(reports)} splits. {first['split']} has the highest, "
        f"{first['gain_bits']:.4f} bits{best}."
    )


@with_source
def top_map_figure(described: Mapping[str, pd.DataFrame], top_label: str = "top 1%") -> go.Figure:
    """Draw how many top architectures each sub-space of each split holds, the largest first.

    ``described`` holds what ``fewshot_core.analysis.describe_sub_spaces`` returns, by split.
    """
    title = "Top architectures per sub-space"
    height = 120 + 34 * max(len(described), 2)
    frames = {
        name: frame.sort_values("size", ascending=False, kind="stable")
        for name, frame in described.items()
        if frame["top_count"].sum()
    }
    if not frames:
        return empty_figure(title, "no top architecture to show", height)
    notes = [f"cells: sub-space, and how many of the {top_label} it holds"]
    figure = base_figure(title, height, _top_alternative(frames, top_label), notes)
    width = max(map(len, frames.values()))
    shares = np.full((len(frames), width), np.nan)
    texts = [[""] * width for _ in frames]
    hovers = [[""] * width for _ in frames]
    for row, frame in enumerate(frames.values()):
        for column, part in enumerate(frame.to_dict("records")):
            shares[row, column] = 100 * part["top_share"]
            texts[row][column] = f"{part['sub_space']} {part['top_count']:,}"
            hovers[row][column] = (
                f"{part['sub_space']}: {part['size']:,} architectures, {part['top_count']:,} of "
                f"the {escape(top_label)} ({part['top_share']:.1%})"
            )
    columns = [str(number) for number in range(1, width + 1)]
    look = {"text": texts, "texttemplate": "%{text}", "hovertext": hovers, "hoverinfo": "text"}
    _add_shares(figure, shares, columns, list(frames), **look)
    figure.update_xaxes(title_text="sub-spaces, largest first", type="category")
    return figure


@with_source
def keep_figure(
    frame: pd.DataFrame,
    axis_title: str = "best accuracy still within reach, %",
    unit: str = PERCENT,
) -> go.Figure:
    """Draw the expected best score against the number of sub-spaces kept.

    ``frame`` has the columns split, k and best, in the unit.
    """
    what = "accuracy" if unit == PERCENT else "score"
    title = f"Best {what} when only k sub-spaces are kept"
    if frame.empty:
        return empty_figure(title, "no split to compare", 380)
    first = frame[frame["k"] == 1].sort_values("best", ascending=False)
    value = first["best"].iloc[0]
    leaders = first["split"][first["best"] >= value - _SAME].tolist()
    have = "has" if len(leaders) == 1 else "have"
    alt = f"{title}: with one sub-space kept, {listed(leaders)} {have} the highest, "
    alt += f"{score_text(value, unit)}."
    figure = base_figure(title, 380, alt)
    for position, (name, part) in enumerate(frame.groupby("split", sort=False)):
        look = sub_space_look(position)
        figure.add_scatter(
            x=part["k"],
            y=part["best"],
            name=escape(str(name)),
            mode="lines+markers",
            line={"color": look.colour, "dash": look.dash},
            marker={"symbol": _SYMBOLS[position % len(_SYMBOLS)], "size": 8},
            hovertemplate=f"%{{x}} kept: {hover_score('y', unit)}"
            f"<extra>{escape(str(name))}</extra>",
        )
    figure.update_xaxes(title_text="sub-spaces kept", dtick=1)
    figure.update_yaxes(title_text=escape(axis_title))
    put_legend_above(figure, rows=-(-frame["split"].nunique() // 2))
    return figure


@with_source
def agreement_figure(matrix: pd.DataFrame) -> go.Figure:
    """Draw the adjusted Rand index of all pairs, of ``fewshot_core.analysis.agreement_matrix``."""
    title = "Agreement of splits"
    if len(matrix) < 2:
        return empty_figure(title, "agreement needs at least two splits")
    names = [str(name) for name in matrix.index]
    height = 80 + 34 * len(names) + _LETTER * max(map(len, names))  # names stand under the columns
    values = matrix.to_numpy()
    pairs = np.where(np.eye(len(names), dtype=bool), -np.inf, values)
    row, column = divmod(int(pairs.argmax()), len(names))
    alt = (
        f"{title}: {names[row]} and {names[column]} agree most, with an adjusted Rand index of "
        f"{values[row, column]:.2f}."
    )
    figure = base_figure(title, height, alt, ["adjusted Rand index: 1 identical, 0 random"])
    look = {"texttemplate": "%{z:.2f}", "hovertemplate": "%{y} and %{x}: %{z:.3f}<extra></extra>"}
    _add_shares(figure, values, [escape(name) for name in names], names, zmax=1, **look)
    figure.update_xaxes(tickangle=-90)
    return figure


def _add_shares(
    figure: go.Figure, values: Any, columns: Sequence[str], rows: Sequence[str], **options: Any
) -> None:
    """Draw a matrix of shares; where many columns are narrow, texts are as small as fits."""
    size = _CELL_FONT_SIZE if len(columns) <= _FEW_COLUMNS else None
    names = [escape(name) for name in rows]
    add_matrix(figure, values, columns, names, size, colorscale=SHARES, zmin=0, **options)
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(fixedrange=True)


def _top_alternative(frames: Mapping[str, pd.DataFrame], top_label: str) -> str:
    parts = []
    for name, frame in frames.items():
        most = frame.iloc[int(frame["top_count"].to_numpy().argmax())]
        parts.append(f"{name}: {most['sub_space']} with {most['top_count']:,}")
    return f"Sub-spaces that hold most of the {top_label}. {'; '.join(parts)}."
