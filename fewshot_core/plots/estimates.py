"""Estimates and costs: against accuracies, with Pareto fronts, and how well estimates rank."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.analysis import (
    CostReport,
    EstimateReport,
    SplitEstimate,
    default_limits,
    top_mask,
)
from fewshot_core.analysis.sub_spaces import Floats
from fewshot_core.plots.export import with_source
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    SILENT,
    WHOLE_COLOUR,
    base_figure,
    empty_figure,
    escape,
    put_legend_above,
    sub_space_look,
)
from fewshot_core.search.proxy import Correlation

_BINS = 48
_ROW = 30
_MOST_FRONTS = 8
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
    _add_density(figure, x[shown], y[shown])
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
            hovertemplate=f"{escape(name)} %{{x:.4g}}<br>%{{y:.2f}}<extra></extra>",
            showlegend=False,
        )
    figure.update_xaxes(title_text=escape(name))
    least, margin = min(low, picked["accuracy_mean"].min()), 0.03 * (high - low)
    figure.update_yaxes(title_text=escape(axis_title), range=[least - margin, high + margin])
    return figure


def _add_density(figure: go.Figure, x: Floats, y: Floats) -> None:
    """Add the density of points, on a logarithmic scale of grey."""
    counts, columns, rows = np.histogram2d(x, y, bins=_BINS)
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


@with_source
def costs_figure(
    frame: pd.DataFrame,
    report: CostReport,
    name: str,
    axis_title: str,
    highlight: str | None = None,
) -> go.Figure:
    """Draw accuracy against cost: the density of all, and the Pareto front of each sub-space.

    ``frame`` is what ``fewshot_core.analysis.join_cost`` returns, and ``report`` what
    ``report_costs`` there returns of it. The fronts of the sub-spaces with the largest hypervolumes
    are drawn, as many as there are colours.
    """
    title = "Accuracy against cost"
    x, y = frame["cost"].to_numpy(), frame["accuracy_mean"].to_numpy()
    low = report.worst[1]
    shown = y >= low
    named = report.table[1:].nlargest(_MOST_FRONTS, "hypervolume")["sub_space"]
    drawn = [part for part in report.table["sub_space"][1:] if part in set(named)]
    whole = int(report.table["front"].iloc[0])
    alt = f"{axis_title} against {name}: {whole:,} architectures are on the Pareto front."
    notes = [
        "grey: density",
        "dotted: Pareto front of all",
        *([] if shown.all() else [f"not shown: {(~shown).sum():,} architectures below {low:.4g}"]),
        *([] if len(drawn) == len(report.table) - 1 else [f"the best {len(drawn)} fronts"]),
    ]
    figure = base_figure(title, 420, alt, notes)
    _add_density(figure, x[shown], y[shown])
    for position, part in enumerate(report.table["sub_space"], start=-1):
        if position >= 0 and part not in drawn:
            continue
        front = report.fronts[report.fronts["sub_space"] == part]
        front = front[front["accuracy_mean"] >= low].drop_duplicates(["cost", "accuracy_mean"])
        look = sub_space_look(max(position, 0))
        faded = position >= 0 and highlight not in (None, part)
        line = {"color": look.colour, "width": 1.5, "shape": "hv", "dash": look.dash}
        marker = {"size": 6, "color": look.colour, "line": {"width": 1, "color": look.outline}}
        if position < 0:
            line |= {"color": ACTIVE_COLOUR, "width": 3, "dash": "dot"}
        figure.add_scatter(
            x=front["cost"].astype(np.float32),
            y=front["accuracy_mean"].astype(np.float32),
            mode="lines" if position < 0 else "lines+markers",
            name=part,
            line=line,
            marker=marker,
            opacity=0.25 if faded else 1.0,
            customdata=front["architecture"],
            hovertemplate=f"{part}: {escape(name)} %{{x:.4g}}<br>%{{y:.2f}}<extra></extra>",
        )
    figure.update_xaxes(title_text=escape(name))
    margin = 0.03 * (report.ideal[1] - low)
    ends = [low - margin, report.ideal[1] + margin]
    figure.update_yaxes(title_text=escape(axis_title), range=ends)
    put_legend_above(figure, 1 + len(drawn) // 6)
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
            name=escape(name),
            marker={"size": 9, "color": look.colour, "line": {"width": 1, "color": look.outline}},
            text=[row for row, _ in own],
            hovertemplate=f"{escape(name)}, %{{text}}: %{{x:.3f}}<extra></extra>",
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
