"""Splits between chance and the best tree of their shape."""

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis.distributions import density
from fewshot_core.plots.template import (
    INK,
    WHOLE_COLOUR,
    Row,
    base_figure,
    empty_figure,
    translucent,
)

_ACCENT = "#2F7FD0"
_POINTS = 200
_FOOT = -1.2


def informativeness_figure(
    reports: pd.DataFrame,
    random_gains: npt.ArrayLike,
    best_bits: float | None,
    title: str = "How much each split tells",
    caption: Sequence[str] = (),
) -> go.Figure:
    """Draw the information gain of splits between random trees and the best tree.

    Args:
        reports: What ``fewshot_core.analysis.report_frame`` returns. It may have two columns more:
            ``row``, what stands at the left where splits share a row, and ``hollow``, whether a
            split's point is.
        random_gains: The gains of random trees of the splits' shape, in bits; may be empty.
        best_bits: The gain of the best tree of that shape, or None where there is none.
        title: The title.
        caption: Parts of the muted line under the title.
    """
    if reports.empty:
        return empty_figure(title, "no split to compare", 210)
    names = _rows(reports)
    height = 150 + 30 * max(len(names), 2)
    figure = base_figure(title, height, _standing_alternative(reports, best_bits), list(caption))
    gains = np.asarray(random_gains, dtype=np.float64)
    rows = len(names)
    if gains.size:
        _add_random(figure, gains, rows, best_bits)
    if best_bits is not None:
        _add_line(figure, best_bits, rows, f"best tree: {best_bits:.4f} bits", "best tree")
    figure.add_scatter(
        x=reports["gain_bits"],
        y=[rows - 1 - names.index(name) for name in reports.get("row", reports["split"])],
        mode="markers",
        marker={
            "size": 12,
            "symbol": ["circle-open" if hollow else "circle" for hollow in _hollow(reports)],
            "color": _ACCENT,
            "opacity": 1.0 if rows == len(reports) else 0.8,
            "line": {
                "width": [2.5 if hollow else 1 for hollow in _hollow(reports)],
                "color": INK,
            },
        },
        hovertext=[_report_hover(row) for row in reports.to_dict("records")],
        hoverinfo="text",
        showlegend=False,
    )
    figure.update_yaxes(
        tickvals=list(range(rows - 1, -1, -1)),
        ticktext=[escape(name) for name in names],
        range=[_FOOT, rows + 0.2],
        showgrid=True,
    )
    top = max([float(reports["gain_bits"].max()), best_bits or 0.0, *gains[-1:].tolist()])
    figure.update_xaxes(title_text="information gain, bits", range=[-0.02 * top, 1.06 * top])
    figure.update_layout(showlegend=False)
    return figure


def _rows(reports: pd.DataFrame) -> list[str]:
    """Return what stands at the left, from the top: the row with the largest mean first."""
    rows = reports.get("row", reports["split"]).astype(str)
    means = reports["gain_bits"].groupby(rows, sort=False).mean()
    return list(means.sort_values(ascending=False, kind="stable").index)


def _hollow(reports: pd.DataFrame) -> list[bool]:
    return list(reports["hollow"]) if "hollow" in reports else [False] * len(reports)


def _add_random(
    figure: go.Figure, gains: npt.NDArray[np.float64], rows: int, best: float | None
) -> None:
    """Draw the density of random trees behind everything, as high as the figure."""
    grid = np.linspace(0.0, max(float(gains.max()), best or 0.0), _POINTS)
    curve = density(gains, grid)
    scaled = curve / curve.max() * (rows + 0.4) + _FOOT
    figure.add_scatter(
        x=np.concatenate([grid[:1], grid, grid[-1:]]),
        y=np.concatenate([[_FOOT], scaled, [_FOOT]]).astype(np.float32),
        mode="lines",
        line={"width": 1, "color": translucent(WHOLE_COLOUR, 0.7)},
        fill="toself",
        fillcolor=translucent(WHOLE_COLOUR, 0.25),
        hoverinfo="skip",
        showlegend=False,
    )
    mean = float(gains.mean())
    text = f"{gains.size:,} random trees: {mean:.4f} bits on average"
    _add_line(figure, mean, rows, text, "random trees", dash="dot")


def _add_line(
    figure: go.Figure, x: float, rows: int, hover: str, label: str, dash: str = "dash"
) -> None:
    figure.add_scatter(
        x=[x, x],
        y=[_FOOT, rows - 0.4],
        mode="lines+text",
        text=["", label],
        textposition="top left" if dash == "dash" else "top center",
        cliponaxis=False,
        textfont={"color": INK},
        line={"color": INK, "width": 1.4, "dash": dash},
        hovertext=hover,
        hoverinfo="text",
        showlegend=False,
    )


def _report_hover(row: Row) -> str:
    lines = [f"<b>{escape(str(row['split']))}</b>", f"{row['gain_bits']:.4f} bits"]
    if not pd.isna(row["share_of_best"]):
        lines.append(f"{row['share_of_best']:.0%} of the best tree")
    if not pd.isna(row["percentile"]):
        lines.append(
            f"percentile {row['percentile']:.1f} of random trees "
            f"({row['percentile_low']:.1f} to {row['percentile_high']:.1f})"
        )
    return "<br>".join(lines)


def _standing_alternative(reports: pd.DataFrame, best_bits: float | None) -> str:
    first = reports.iloc[0]
    best = "" if best_bits is None else f" The best tree tells {best_bits:.4f} bits."
    return (
        f"Information gain of {len(reports)} splits. {first['split']} tells the most, "
        f"{first['gain_bits']:.4f} bits.{best}"
    )
