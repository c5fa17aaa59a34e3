"""Estimates of accuracy: against accuracies, and how well they rank."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis import EstimateReport, SplitEstimate, default_limits, top_mask
from fewshot_core.plots.export import with_source
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    SILENT,
    WHOLE_COLOUR,
    base_figure,
    empty_figure,
    put_legend_above,
    sub_space_look,
)
from fewshot_core.search.proxy import Correlation

_BINS = 48
_ROW = 30
_LOWEST = 0.05
"""The share of the lowest accuracies that the axis leaves out."""
_GREYS = ((0.0, "rgba(136,140,152,0.12)"), (1.0, "rgba(136,140,152,0.95)"))

Judged = Mapping[str, tuple[EstimateReport, SplitEstimate | None]]
"""The reports of estimates by name, each over the space and in a split, if there is one."""


@with_source
def estimate_figure(
    frame: pd.DataFrame,
    report: EstimateReport,
    name: str,
    axis_title: str,
    threshold: float = 0.01,
    caption: Sequence[str] = (),
) -> go.Figure:
    """Draw an estimate against accuracy: the density of all, the top as points, a star for the one
    with the highest estimate.

    ``frame`` is what ``fewshot_core.analysis.join_estimate`` returns, and ``report`` what
    ``judge_estimate`` there returns.
    """
    x, y = frame["estimate"].to_numpy(), frame["accuracy_mean"].to_numpy()
    low, high = default_limits(frame, _LOWEST)
    shown = y >= low
    tau = report.overall.kendall.value
    said = "not defined" if tau is None else f"{tau:.3f}"
    alt = f"{name} against {axis_title}: Kendall's tau {said}."
    notes = [
        f"Kendall's tau {said}",
        "grey: density",
        "points: the top",
        "star: the highest estimate",
        *([] if shown.all() else [f"not shown: {(~shown).sum():,} architectures below {low:.4g}"]),
        *caption,
    ]
    figure = base_figure(name, 460, alt, notes)
    counts, columns, rows = np.histogram2d(x[shown], y[shown], bins=_BINS)
    shade = np.where(counts.T > 0, np.log10(counts.T + 1), np.nan).astype(np.float32)
    figure.add_heatmap(
        x0=float(columns[:2].mean()),
        dx=float(columns[1] - columns[0]),
        y0=float(rows[:2].mean()),
        dy=float(rows[1] - rows[0]),
        z=shade,
        colorscale=_GREYS,
        showscale=False,
        hoverinfo="skip",
    )
    top = frame[top_mask(y, threshold)]
    picked = frame[frame["architecture"].isin(report.picked)]
    look = sub_space_look(4)
    for part, marker in (
        (top, {"size": 5, "color": look.colour}),
        (picked, {"size": 15, "symbol": "star", "color": ACTIVE_COLOUR}),
    ):
        figure.add_scatter(
            x=part["estimate"].astype(np.float32),
            y=part["accuracy_mean"].astype(np.float32),
            mode="markers",
            marker=marker,
            customdata=part["architecture"],
            hovertemplate=f"{name} %{{x:.4g}}<br>%{{y:.2f}}<extra></extra>",
            showlegend=False,
        )
    figure.update_xaxes(title_text=name)
    least, margin = min(low, picked["accuracy_mean"].min()), 0.03 * (high - low)
    figure.update_yaxes(title_text=axis_title, range=[least - margin, high + margin])
    return figure


@with_source
def ranking_figure(
    judged: Judged, threshold: float = 0.01, split: str = "", caption: Sequence[str] = ()
) -> go.Figure:
    """Draw Kendall's tau of estimates over the space, the top, each sub-space, and between them."""
    title = "How well estimates rank"
    if not judged:
        return empty_figure(title, "no estimate is chosen")
    rows = _rows(judged, threshold)
    names = list(dict.fromkeys(row for row, *_ in rows))
    best = max(judged, key=lambda name: judged[name][0].overall.kendall.value or -2.0)
    alt = f"{title}: {best} ranks best over the whole space."
    notes = ["Kendall's tau, 95% interval", *([f"split: {split}"] if split else []), *caption]
    height = 130 + _ROW * len(names)
    figure = base_figure(title, height, alt, notes)
    step = 0.6 / max(len(judged), 2)
    for number, name in enumerate(judged):
        look = sub_space_look(number)
        own = [(row, tau) for row, of, tau in rows if of == name and tau.value is not None]
        values = np.array([tau.value for _, tau in own], dtype=float)
        ends = np.array([(tau.low, tau.high) for _, tau in own], dtype=float).reshape(-1, 2)
        places = [len(names) - 1 - names.index(row) for row, _ in own]
        figure.add_scatter(
            x=values,
            y=np.array(places) - step * (number - (len(judged) - 1) / 2),
            error_x={
                "array": np.nan_to_num(ends[:, 1] - values),
                "arrayminus": np.nan_to_num(values - ends[:, 0]),
                "symmetric": False,
                "thickness": 1.2,
                "width": 3,
            },
            mode="markers",
            name=name,
            marker={"size": 9, "color": look.colour, "line": {"width": 1, "color": look.outline}},
            text=[row for row, _ in own],
            hovertemplate=f"{name}, %{{text}}: %{{x:.3f}}<extra></extra>",
            showlegend=len(judged) > 1,
        )
    for place in (0.0, 1.0):
        line = {"color": WHOLE_COLOUR, "width": 1, "dash": "dot"}
        figure.add_scatter(
            x=[place] * 2, y=[-0.6, len(names) - 0.4], mode="lines", line=line, **SILENT
        )
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names) - 1, -1, -1)),
        ticktext=names,
        range=[-0.6, len(names) - 0.4],
    )
    figure.update_xaxes(title_text="Kendall's tau")
    if len(judged) > 1:
        put_legend_above(figure, len(judged))  # on a phone each has a line
    return figure


def _rows(judged: Judged, threshold: float) -> list[tuple[str, str, Correlation]]:
    """List row, estimate and tau of all that is drawn, in the order of the rows."""
    unknown = Correlation(None, None, None)
    found: list[tuple[str, str, Correlation]] = []
    for name, (report, inside) in judged.items():
        found.append(("whole space", name, report.overall.kendall))
        top = report.top.kendall if report.top else unknown
        found.append((f"top {100 * threshold:.3g}%", name, top))
        if inside is not None:
            table = inside.sub_spaces.astype(object).where(inside.sub_spaces.notna(), None)
            found += [
                (row["sub_space"], name, Correlation(row["tau"], row["tau_low"], row["tau_high"]))
                for row in table.to_dict("records")
            ]
            between = inside.between.kendall if inside.between else unknown
            found.append(("between sub-spaces", name, between))
    return found
