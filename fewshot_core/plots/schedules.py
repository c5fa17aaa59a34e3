"""Figures of selection schedules and of the proxy's rank correlation."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.cell import Annotation
from fewshot_core.plots.search import epochs_place, proxy_alternative, schedules_alternative
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    SMALL_FONT_SIZE,
    WHOLE_COLOUR,
    Row,
    base_figure,
    empty_figure,
    put_legend_above,
    translucent,
)
from fewshot_core.selection import STRATEGIES, random_kendall_interval

_HEIGHT = 340
_LINES = {
    "kendall": ("Kendall's tau", ACTIVE_COLOUR, "solid"),
    "spearman": ("Spearman's rho", DEGENERATE_COLOUR, "dot"),
}


def proxy_figure(
    frame: pd.DataFrame,
    milestones: Sequence[int] = (),
    caption: Sequence[str] = (),
    title: str = "Does validation accuracy tell who finds the best?",
) -> go.Figure:
    """Draw rank correlations over epochs, over what chance would do.

    Args:
        frame: What ``fewshot_core.selection.proxy_correlation`` returns.
        milestones: Epochs to mark with dotted lines.
        caption: Parts of the muted line under the title, after what the areas are.
        title: The title.
    """
    if frame.empty or frame["kendall"].isna().all():
        return empty_figure(title, "no correlation to draw", _HEIGHT)
    count, seeds = int(frame["sub_spaces"].min()), int(frame["seeds"].max())
    # Means of several seeds would reach the bounds for one even more rarely.
    chance = random_kendall_interval(count)
    notes = [f"area: from lowest to highest of {seeds} seeds"] if seeds > 1 else []
    if chance is not None:
        notes.append(f"grey: tau of 95% of random orders of {count}")
    figure = base_figure(title, _HEIGHT, proxy_alternative(frame, chance), [*notes, *caption])
    if chance is not None:
        figure.add_hrect(
            y0=-chance,
            y1=chance,
            fillcolor=translucent(WHOLE_COLOUR, 0.16),
            line_width=0,
            layer="below",
        )
    figure.add_hline(y=0, line_color=INK, line_width=1)
    for epoch in milestones:
        figure.add_vline(x=epoch, line_color=INK, line_width=1.2, line_dash="dot")
    for name in _LINES:
        _add_correlation(figure, frame, name, seeds)
    figure.update_layout(legend_traceorder="normal")
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="rank correlation", range=[-1.05, 1.05])
    put_legend_above(figure, rows=1)
    return figure


def _add_correlation(figure: go.Figure, frame: pd.DataFrame, name: str, seeds: int) -> None:
    label, colour, dash = _LINES[name]
    place = epochs_place(frame["epoch"].to_numpy())
    if seeds > 1 and name == "kendall":
        edge = {**place, "mode": "lines", "line_width": 0, "showlegend": False}
        figure.add_scatter(**edge, y=_values(frame, f"{name}_low"), hoverinfo="skip")
        figure.add_scatter(
            **edge,
            y=_values(frame, f"{name}_high"),
            fill="tonexty",
            fillcolor=translucent(colour, 0.2),
            hoverinfo="skip",
        )
    figure.add_scatter(
        **place,
        y=_values(frame, name),
        name=label,
        mode="lines",
        line={"color": colour, "width": 1.8, "dash": dash},
        hovertemplate=f"{label} at epoch %{{x}}: %{{y:.2f}}<extra></extra>",
    )


def _values(frame: pd.DataFrame, column: str) -> npt.NDArray[np.float32]:
    return frame[column].to_numpy(dtype=np.float32)


_HEIGHT_of_schedules = 440
_SYMBOLS = {
    "halving": "circle",
    "top_k": "diamond",
    "train_all": "square",
    "one_at_random": "cross",
    "oracle": "star",
}
_SINGLE = ("train_all", "one_at_random", "oracle")
_NAMED = ("paper", "GM-NAS", "ceiling", "chance", "oracle")
_SHIFTS = {"paper": (34, -34), "GM-NAS": (34, 34)}


def schedules_figure(
    grid: pd.DataFrame,
    selected: int | None = None,
    caption: Sequence[str] = (),
    title: str = "Cost against regret",
) -> go.Figure:
    """Draw every strategy at its cost and regret, with the front that none is better than.

    ``customdata`` of a point is the position of its row in the grid.

    Args:
        grid: What ``fewshot_core.selection.schedule_grid`` returns.
        selected: The position of the row that is replayed, to be ringed, or None.
        caption: Parts of the muted line under the title, after what the signs are.
        title: The title.
    """
    if grid.empty:
        return empty_figure(title, "no strategy to compare", _HEIGHT_of_schedules)
    seeds = int(grid["seeds"].iloc[0])
    notes = [
        *(["ring: what is replayed"] if selected is not None else []),
        *([f"means of {seeds} seeds, bars: one deviation"] if seeds > 1 else []),
        *caption,
    ]
    figure = base_figure(title, _HEIGHT_of_schedules, schedules_alternative(grid), notes)
    rows = grid.assign(row=range(len(grid)))
    _add_front(figure, rows[rows["pareto"]])
    for strategy in STRATEGIES:
        of = rows[rows["strategy"] == strategy.name]
        if len(of):
            _add_points(figure, of, strategy.label, seeds)
    if selected is not None:
        _add_ring(figure, grid.iloc[selected])
    figure.update_layout(annotations=_signs(grid))
    figure.update_xaxes(title_text="cost, full runs", rangemode="tozero")
    figure.update_yaxes(title_text="regret, points of accuracy", rangemode="tozero")
    put_legend_above(figure)
    return figure


def _add_front(figure: go.Figure, front: pd.DataFrame) -> None:
    """Draw the front as steps: what can be had at most at each cost."""
    points = front.sort_values(["cost", "regret"]).drop_duplicates("cost")
    figure.add_scatter(
        x=points["cost"].tolist(),
        y=points["regret"].tolist(),
        name="Pareto front",
        mode="lines",
        line={"color": ACTIVE_COLOUR, "width": 1.8, "shape": "hv"},
        hoverinfo="skip",
    )


def _add_points(figure: go.Figure, rows: pd.DataFrame, name: str, seeds: int) -> None:
    records = rows.to_dict("records")
    named = [record["mark"] in ("paper", "GM-NAS") for record in records]
    colours = [
        DEGENERATE_COLOUR if known else ACTIVE_COLOUR if record["pareto"] else INK
        for known, record in zip(named, records, strict=True)
    ]
    figure.add_scatter(
        x=rows["cost"].tolist(),
        y=rows["regret"].tolist(),
        name=name,
        mode="markers",
        cliponaxis=False,
        marker={
            "symbol": _SYMBOLS[str(records[0]["strategy"])],
            "size": [12 if known else 8 for known in named],
            "color": [translucent(colour, 0.75) for colour in colours],
            "line": {"width": 1, "color": colours},
        },
        showlegend=str(records[0]["strategy"]) not in _SINGLE,
        error_y=_bars(rows) if seeds > 1 else None,
        customdata=rows["row"].tolist(),
        hovertext=[_hover(record) for record in records],
        hoverinfo="text",
    )


def _bars(rows: pd.DataFrame) -> dict[str, Any]:
    """Return bars for what is on the front or has a name; for all they would cover each other."""
    shown = rows["pareto"] | rows["mark"].isin(["paper", "GM-NAS"])
    return {
        "array": rows["regret_std"].where(shown, 0.0).round(4).tolist(),
        "color": translucent(INK, 0.6),
        "thickness": 1.4,
        "width": 3,
    }


def _add_ring(figure: go.Figure, row: "pd.Series[Any]") -> None:
    figure.add_scatter(
        x=[row["cost"]],
        y=[row["regret"]],
        name="replayed",
        mode="markers",
        marker={"symbol": "circle-open", "size": 18, "color": INK, "line": {"width": 2}},
        showlegend=False,
        hoverinfo="skip",
    )


def _signs(grid: pd.DataFrame) -> list[Annotation]:
    """Return the names of the strategies that have one."""
    signs = []
    for row in grid[grid["mark"].isin(_NAMED)].to_dict("records"):
        mark = str(row["mark"])
        ax, ay = _SHIFTS.get(mark, (0, -22))
        signs.append(
            {
                "x": row["cost"],
                "y": row["regret"],
                "text": f"<b>{escape(mark)}</b>",
                "ax": ax,
                "ay": ay,
                "arrowwidth": 1,
                "arrowcolor": INK,
                "arrowhead": 0,
                "standoff": 6,
                "font": {"size": SMALL_FONT_SIZE},
            }
        )
    return signs


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
