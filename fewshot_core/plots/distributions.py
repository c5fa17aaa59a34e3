"""The accuracies inside each sub-space over those of the whole space (Fig. 3 of the paper)."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.template import (
    GRID,
    INK,
    WHOLE_FILL,
    base_figure,
    empty_figure,
    sub_space_colour,
    translucent,
)

STYLES = {
    "ridgeline": "Ridgeline",
    "overlay": "Overlay",
    "violin": "Violin",
    "cumulative": "Cumulative",
}
"""The ways to draw distributions."""

_WHOLE = "all"


def distributions_figure(
    densities: pd.DataFrame,
    sub_spaces: pd.DataFrame,
    axis_title: str,
    style: str = "ridgeline",
    highlight: str | None = None,
    title: str = "All architectures",
) -> go.Figure:
    """Draw the distribution of every sub-space over the grey one of the whole space.

    Args:
        densities: Columns sub_space, accuracy, density and share; see
            ``fewshot_core.analysis.distribution_frame``.
        sub_spaces: Columns sub_space, size, share, top_count, top_share, best, mean; see
            ``fewshot_core.analysis.describe_sub_spaces``.
        axis_title: What the accuracies are and which table they are from.
        style: One of ``STYLES``.
        highlight: The sub-space to bring forward, or None.
        title: The title.
    """
    if densities.empty or sub_spaces.empty:
        return empty_figure(title, "no sub-space to draw", 420)
    count = len(sub_spaces)
    ridges = style in ("ridgeline", "violin")
    height = 90 + 46 * count if ridges else 420
    figure = base_figure(title, height, _alternative(sub_spaces, axis_title))
    curves = dict(list(densities.groupby("sub_space", sort=False)))
    for position, row in enumerate(sub_spaces.to_dict("records")):
        name = row["sub_space"]
        look = _Look(position, count, style, highlight in (None, name))
        if ridges:
            _add_ridge(figure, curves[_WHOLE], look, None)
        _add_curve(figure, curves[name], look, _hover(row))
    if not ridges:
        _add_whole(figure, curves[_WHOLE], style)
    figure.update_xaxes(title_text=axis_title, range=_limits(densities))
    _label_y(figure, sub_spaces, style)
    figure.update_layout(showlegend=not ridges, hovermode="closest")
    return figure


def top_figure(
    top: pd.DataFrame,
    densities: pd.DataFrame,
    sub_spaces: pd.DataFrame,
    axis_title: str,
    highlight: str | None = None,
    title: str = "Top 1% only",
) -> go.Figure:
    """Draw the same for the top architectures alone, each of them as a tick.

    Args:
        top: Columns sub_space, string and accuracy_mean of the top architectures.
        densities: Their densities, as for ``distributions_figure``.
        sub_spaces: As for ``distributions_figure``.
        axis_title: As for ``distributions_figure``.
        highlight: As for ``distributions_figure``.
        title: The title.
    """
    if top.empty or sub_spaces.empty:
        return empty_figure(title, "no top architecture to draw", 420)
    figure = distributions_figure(
        densities, sub_spaces, axis_title, "ridgeline", highlight, title=title
    )
    figure.update_layout(meta={"alt": _top_alternative(sub_spaces)})
    order = {name: number for number, name in enumerate(sub_spaces["sub_space"])}
    for name, part in top.groupby("sub_space"):
        position = order[str(name)]
        base = float(len(order) - 1 - position)
        dim = highlight not in (None, name)
        figure.add_scatter(
            x=part["accuracy_mean"],
            y=np.full(len(part), base - 0.09),
            mode="markers",
            marker={
                "symbol": "line-ns-open",
                "size": 9,
                "color": translucent(sub_space_colour(position), 0.35 if dim else 1),
            },
            text=part["string"],
            customdata=part["architecture"],
            hovertemplate=f"<b>{name}</b> %{{x:.2f}} %<br>%{{text}}<extra></extra>",
            showlegend=False,
        )
    return figure


class _Look:
    """Where and how the curve of a sub-space is drawn."""

    def __init__(self, position: int, count: int, style: str, forward: bool) -> None:
        self.base = float(count - 1 - position)
        self.style = style
        self.colour = sub_space_colour(position)
        self.opacity = 0.62 if forward else 0.12
        self.line = translucent(self.colour, 1.0 if forward else 0.35)
        self.dash = "solid" if position < 8 else "dot"


def _add_curve(figure: go.Figure, curve: pd.DataFrame, look: _Look, hover: str) -> None:
    if look.style in ("ridgeline", "violin"):
        _add_ridge(figure, curve, look, hover)
        return
    values = _cumulative(curve) if look.style == "cumulative" else curve["share"] * 100
    figure.add_scatter(
        x=curve["accuracy"],
        y=values,
        mode="lines",
        name=str(curve["sub_space"].iloc[0]),
        line={"color": look.line, "width": 2, "dash": look.dash},
        hovertemplate=hover + "<extra></extra>",
    )


def _add_ridge(figure: go.Figure, curve: pd.DataFrame, look: _Look, hover: str | None) -> None:
    """Draw one filled ridge; without a hover text it is the grey one of the whole space."""
    share = curve["share"].to_numpy()
    reach = 0.44 if look.style == "violin" else 0.86
    heights = reach * share / share.max() if share.max() else share
    x = curve["accuracy"].to_numpy()
    if look.style == "violin":
        y = np.concatenate([look.base + heights, (look.base - heights)[::-1]])
        x = np.concatenate([x, x[::-1]])
    else:
        y = np.concatenate([look.base + heights, [look.base, look.base]])
        x = np.concatenate([x, x[[-1, 0]]])
    grey = hover is None
    figure.add_scatter(
        x=np.round(x, 3),
        y=np.round(y, 4),
        mode="lines",
        fill="toself",
        fillcolor=WHOLE_FILL if grey else translucent(look.colour, look.opacity),
        line={"color": "rgba(0,0,0,0)" if grey else look.line, "width": 0 if grey else 1.4},
        hoveron="fills",
        hoverinfo="skip" if grey else "text",
        text=hover,
        showlegend=False,
    )


def _add_whole(figure: go.Figure, curve: pd.DataFrame, style: str) -> None:
    values = _cumulative(curve) if style == "cumulative" else curve["share"] * 100
    figure.add_scatter(
        x=curve["accuracy"],
        y=values,
        mode="lines",
        name="whole space",
        line={"color": "rgba(140,140,140,0.8)", "width": 1},
        fill=None if style == "cumulative" else "tozeroy",
        fillcolor=WHOLE_FILL,
        hovertemplate="whole space<extra></extra>",
    )


def _cumulative(curve: pd.DataFrame) -> npt.NDArray[np.float64]:
    accuracy, share = curve["accuracy"].to_numpy(), curve["share"].to_numpy()
    summed: npt.NDArray[np.float64] = np.cumsum(share) * (accuracy[1] - accuracy[0]) * 100
    return np.minimum(summed, 100)


def _label_y(figure: go.Figure, sub_spaces: pd.DataFrame, style: str) -> None:
    if style == "cumulative":
        figure.update_yaxes(title_text="% of its architectures up to here", rangemode="tozero")
        return
    if style == "overlay":
        figure.update_yaxes(title_text="% of its architectures per % of accuracy")
        return
    count = len(sub_spaces)
    figure.update_yaxes(
        tickmode="array",
        tickvals=[count - 1 - position for position in range(count)],
        ticktext=[f"<b>{name}</b>" for name in sub_spaces["sub_space"]],
        range=[-0.55 if style == "violin" else -0.25, count],
        gridcolor=GRID,
        tickfont={"color": INK},
    )


def _limits(densities: pd.DataFrame) -> list[float]:
    accuracy = densities["accuracy"]
    return [float(accuracy.min()), float(accuracy.max())]


def _hover(row: Mapping[Hashable, Any]) -> str:
    """Return the text of a sub-space: its name, size, share and what it holds."""
    lines = [
        f"<b>{row['sub_space']}</b>: {row['size']:,} architectures, {row['share']:.1%} of all",
        f"{row['top_count']:,} of the top ({row['top_share']:.1%})",
    ]
    if not pd.isna(row["best"]):
        lines.append(f"best {row['best']:.2f} %, mean {row['mean']:.2f} %")
    return "<br>".join(lines)


def _alternative(sub_spaces: pd.DataFrame, axis_title: str) -> str:
    known = sub_spaces.dropna(subset=["mean"])
    if known.empty:
        return f"{axis_title}: no accuracy is known"
    best = known.iloc[int(known["mean"].to_numpy().argmax())]
    worst = known.iloc[int(known["mean"].to_numpy().argmin())]
    return (
        f"Distribution of {axis_title} in {len(sub_spaces)} sub-spaces. {best['sub_space']} has "
        f"the highest mean, {best['mean']:.2f} %, and {worst['sub_space']} the lowest, "
        f"{worst['mean']:.2f} %."
    )


def _top_alternative(sub_spaces: pd.DataFrame) -> str:
    total = int(sub_spaces["top_count"].sum())
    first = sub_spaces.iloc[int(sub_spaces["top_count"].to_numpy().argmax())]
    holding = int((sub_spaces["top_count"] > 0).sum())
    return (
        f"{first['sub_space']} holds {int(first['top_count'])} of the {total} top architectures; "
        f"{holding} of {len(sub_spaces)} sub-spaces hold at least one."
    )
