"""What strategies cost against what they lose."""

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.chips import Annotation
from fewshot_core.plots.search_texts import schedules_alternative
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    INK,
    SMALL_FONT_SIZE,
    base_figure,
    empty_figure,
    put_legend_above,
    translucent,
)
from fewshot_core.plots.texts import Row
from fewshot_core.selection import STRATEGIES

_HEIGHT = 440
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
        return empty_figure(title, "no strategy to compare", _HEIGHT)
    seeds = int(grid["seeds"].iloc[0])
    notes = [
        *(["ring: what is replayed"] if selected is not None else []),
        *([f"means of {seeds} seeds, bars: one deviation"] if seeds > 1 else []),
        *caption,
    ]
    figure = base_figure(title, _HEIGHT, schedules_alternative(grid), notes)
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
