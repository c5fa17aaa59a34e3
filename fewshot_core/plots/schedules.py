"""Figures of selection schedules and of the proxy's rank correlation."""

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.search import epoch_points
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    SILENT,
    SMALL_FONT_SIZE,
    WHOLE_COLOUR,
    Annotation,
    Row,
    base_figure,
    empty_figure,
    put_legend_above,
    translucent,
)
from fewshot_core.selection import STRATEGIES, random_kendall_interval

_PROXY_HEIGHT, _SCHEDULES_HEIGHT = 340, 440
_CORRELATIONS = {
    "kendall": ("Kendall's tau", ACTIVE_COLOUR, "solid"),
    "spearman": ("Spearman's rho", DEGENERATE_COLOUR, "dot"),
}
_SYMBOLS = {
    "halving": "circle",
    "top_k": "diamond",
    "train_all": "square",
    "one_at_random": "cross",
    "oracle": "star",
}
_IN_LEGEND = ("halving", "top_k")  # the others are single points with a name beside them
_PUBLISHED = {"paper": (34, -34), "GM-NAS": (34, 34)}
"""Marks of published schedules, and where their names are, in pixels from their points."""


def proxy_figure(frame: pd.DataFrame, milestones: Sequence[int] = ()) -> go.Figure:
    """Draw rank correlations over epochs, and the interval of random rankings.

    ``frame`` is what ``fewshot_core.selection.proxy_correlation`` returns; milestones are marked
    with dotted lines.
    """
    title = "Rank correlation of validation accuracy with what is found"
    if frame.empty or frame["kendall"].isna().all():
        return empty_figure(title, "no correlation to draw", _PROXY_HEIGHT)
    count, seeds = int(frame["sub_spaces"].min()), int(frame["seeds"].max())
    # Means of several seeds would leave the interval for one even more rarely.
    bound = random_kendall_interval(count)
    notes = [f"area: from lowest to highest of {seeds} seeds"] if seeds > 1 else []
    if bound is not None:
        notes.append(f"grey: tau of 95% of random rankings of {count}")
    figure = base_figure(title, _PROXY_HEIGHT, _proxy_alternative(frame, bound), notes)
    if bound is not None:
        grey = {"fillcolor": translucent(WHOLE_COLOUR, 0.16), "line_width": 0, "layer": "below"}
        figure.add_hrect(y0=-bound, y1=bound, **grey)
    figure.add_hline(y=0, line_color=INK, line_width=1)
    for epoch in milestones:
        figure.add_vline(x=epoch, line_color=INK, line_width=1.2, line_dash="dot")
    for column, (label, colour, dash) in _CORRELATIONS.items():
        points = {**epoch_points(frame["epoch"].to_numpy()), "mode": "lines"}
        values = frame.filter(like=column).astype(np.float32)
        if seeds > 1 and column == "kendall":
            edge = {**points, "line_width": 0, **SILENT}
            figure.add_scatter(**edge, y=values["kendall_low"])
            area = {"fill": "tonexty", "fillcolor": translucent(colour, 0.2)}
            figure.add_scatter(**edge, y=values["kendall_high"], **area)
        figure.add_scatter(
            **points,
            y=values[column],
            name=label,
            line={"color": colour, "width": 1.8, "dash": dash},
            hovertemplate=f"{label} at epoch %{{x}}: %{{y:.2f}}<extra></extra>",
        )
    figure.update_layout(legend_traceorder="normal")
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="rank correlation", range=[-1.05, 1.05])
    put_legend_above(figure, rows=1)
    return figure


def _proxy_alternative(frame: pd.DataFrame, bound: float | None) -> str:
    """Text alternative: tau at the first and the last epoch, and where it is highest."""
    known = frame.dropna(subset=["kendall"])
    first, last = known.iloc[0], known.iloc[-1]
    best = known.iloc[int(known["kendall"].to_numpy().argmax())]
    text = (
        f"Kendall's tau between validation accuracy and the accuracy of what is found at the end: "
        f"{first['kendall']:.2f} at epoch {first['epoch']:.0f}, {last['kendall']:.2f} at epoch "
        f"{last['epoch']:.0f}, at most {best['kendall']:.2f} at epoch {best['epoch']:.0f}."
    )
    if bound is None:
        return text
    above = int((known["kendall"] >= bound).sum())
    return (
        f"{text} It reaches {bound:.2f}, which a random order reaches in less than one case of "
        f"twenty, at {above:,} of {len(known):,} epochs."
    )


def schedules_figure(grid: pd.DataFrame, selected: int | None = None) -> go.Figure:
    """Draw the cost and the regret of every strategy, with the Pareto front.

    ``grid`` is what ``fewshot_core.selection.schedule_grid`` returns. ``customdata`` of a point is
    the position of its row in it; that of the row ``selected``, which is replayed, is ringed.
    """
    title = "Cost against regret"
    if grid.empty:
        return empty_figure(title, "no strategy to compare", _SCHEDULES_HEIGHT)
    seeds = int(grid["seeds"].iloc[0])
    notes = [] if selected is None else ["ring: the replayed strategy"]
    if seeds > 1:
        notes.append(f"means of {seeds} seeds, bars: one standard deviation")
    figure = base_figure(title, _SCHEDULES_HEIGHT, _schedules_alternative(grid), notes)
    rows = grid.assign(row=range(len(grid)), published=grid["mark"].isin(list(_PUBLISHED)))
    front = rows[rows["pareto"]].sort_values(["cost", "regret"]).drop_duplicates("cost")
    figure.add_scatter(
        x=front["cost"].tolist(),
        y=front["regret"].tolist(),
        name="Pareto front",
        mode="lines",
        line={"color": ACTIVE_COLOUR, "width": 1.8, "shape": "hv"},
        hoverinfo="skip",
    )
    for strategy in STRATEGIES:
        of = rows[rows["strategy"] == strategy.name]
        if len(of):
            _add_points(figure, of, strategy.name, strategy.label, seeds)
    if selected is not None:
        row = grid.iloc[selected]
        look = {"symbol": "circle-open", "size": 18, "color": INK, "line": {"width": 2}}
        place = {"x": [row["cost"]], "y": [row["regret"]], "mode": "markers"}
        figure.add_scatter(**place, name="replayed", marker=look, **SILENT)
    figure.update_layout(annotations=_marks(grid))
    figure.update_xaxes(title_text="cost, full runs", rangemode="tozero")
    figure.update_yaxes(title_text="regret, points of accuracy", rangemode="tozero")
    put_legend_above(figure)
    return figure


def _add_points(
    figure: go.Figure, rows: pd.DataFrame, strategy: str, label: str, seeds: int
) -> None:
    records = rows.to_dict("records")
    # Bars of points on the front and of published ones; all of them would overlap.
    deviations = rows["regret_std"].where(rows["pareto"] | rows["published"], 0.0)
    bars = {"color": translucent(INK, 0.6), "thickness": 1.4, "width": 3}
    colours = [
        DEGENERATE_COLOUR if row["published"] else ACTIVE_COLOUR if row["pareto"] else INK
        for row in records
    ]
    figure.add_scatter(
        x=rows["cost"].tolist(),
        y=rows["regret"].tolist(),
        name=label,
        mode="markers",
        cliponaxis=False,
        marker={
            "symbol": _SYMBOLS[strategy],
            "size": [12 if row["published"] else 8 for row in records],
            "color": [translucent(colour, 0.75) for colour in colours],
            "line": {"width": 1, "color": colours},
        },
        showlegend=strategy in _IN_LEGEND,
        error_y={**bars, "array": deviations.round(4)} if seeds > 1 else None,
        customdata=rows["row"].tolist(),
        hovertext=[_hover(row) for row in records],
        hoverinfo="text",
    )


def _marks(grid: pd.DataFrame) -> list[Annotation]:
    """Names beside the published schedules and the single points."""
    look = {"arrowwidth": 1, "arrowcolor": INK, "arrowhead": 0, "standoff": 6}
    look |= {"font": {"size": SMALL_FONT_SIZE}}
    marks = []
    for row in grid[grid["mark"] != ""].to_dict("records"):
        if row["mark"] in _PUBLISHED or row["strategy"] not in _IN_LEGEND:
            ax, ay = _PUBLISHED.get(row["mark"], (0, -22))
            place = {"x": row["cost"], "y": row["regret"], "ax": ax, "ay": ay}
            marks.append({**place, "text": f"<b>{escape(row['mark'])}</b>", **look})
    return marks


def _hover(row: Row) -> str:
    spread = f" ± {row['regret_std']:.2f}" if row["seeds"] > 1 else ""
    lines = [
        f"<b>{escape(str(row['label']))}</b>" + (f" ({row['mark']})" if row["mark"] else ""),
        f"cost {row['cost']:.2f} runs, regret {row['regret']:.2f}{spread} points",
        f"finds {row['test_accuracy']:.2f}%",
    ]
    if row["best_discarded"]:
        share = f" in {row['best_discarded']:.0%} of the seeds" if row["seeds"] > 1 else ""
        lines.append(f"the best is discarded{share}")
    return "<br>".join(lines)


def _schedules_alternative(grid: pd.DataFrame) -> str:
    """Text alternative: cost and regret on the Pareto front and of published schedules."""
    front = grid[grid["pareto"]].sort_values(["cost", "regret"])
    points = "; ".join(f"{row['label']} ({_point(row)})" for row in front.to_dict("records"))
    published = [
        f"The schedule of {'the paper' if row['mark'] == 'paper' else row['mark']}: "
        f"{_point(row)}, {'on' if row['pareto'] else 'not on'} the front."
        for row in grid[grid["mark"].isin(list(_PUBLISHED))].to_dict("records")
    ]
    start = f"Cost against regret of {len(grid)} strategies. On the Pareto front: {points}."
    return " ".join([start, *published])


def _point(row: Row) -> str:
    return f"{row['cost']:.2f} runs, regret {row['regret']:.2f} points"
