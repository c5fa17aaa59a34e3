"""Figures of selections: replay, cost against regret, and the rank correlation of the proxy.

In the replay, what is found is above the validation accuracies with milestones, which reads well at
any width. A cursor, one small trace in each panel, is at the epoch that is shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fewshot_core.plots.export import with_source
from fewshot_core.plots.search import (
    FADED,
    FOUND_AXIS,
    LEADER_COLOUR,
    LEADER_NOTE,
    VALID_AXIS,
    accuracy_range,
    add_search_curves,
    add_search_line,
    cut_note,
    epoch_points,
    search_alternative,
)
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
    escape,
    hover_score,
    note,
    panel_heading,
    positions_of,
    put_legend_above,
    sub_space_look,
    translucent,
)
from fewshot_core.selection import (
    STRATEGIES,
    Curves,
    HalvingResult,
    describe_schedule,
    leaders,
    random_kendall_interval,
    regret_text,
    verdict,
)
from fewshot_core.space import PERCENT, score_text

STOPS = 60
"""At how many epochs the cursor stops, at most, besides milestones and both ends."""

_LIVING_NOTE = f"{LEADER_NOTE} of those left"
_ENDS_NOTE = "cross: discarded, ring: chosen"
_HEIGHT = 425
_LOWER = {"xaxis": "x2", "yaxis": "y2"}
_DOMAINS = ([0.53, 0.95], [0, 0.42])
_CROSS, _RING = {"symbol": "x-thin", "size": 7}, {"symbol": "circle-open", "size": 13}
_NICE = (1, 2, 5)
_NO_STEP = 1e-9  # Plotly takes a step of 0 for none at all, and uses 1.

Range = tuple[float, float]
Lines = Mapping[str, "pd.Series[float]"]
"""Validation accuracies by epoch of each sub-supernet, up to where it is trained."""
_PROXY_HEIGHT, _SCHEDULES_HEIGHT = 340, 440
_CORRELATIONS = {
    "kendall": ("Kendall's tau", ACTIVE_COLOUR, "solid"),
    "spearman": ("Spearman's rho", DEGENERATE_COLOUR, "dot"),
}
_SYMBOLS = {
    "halving": "circle",
    "top_k": "diamond",
    "most_parameters": "triangle-up",
    "train_all": "square",
    "one_at_random": "cross",
    "oracle": "star",
}
# The others are single points with a name beside them.
_IN_LEGEND = ("halving", "top_k", "most_parameters")
_PUBLISHED = {"paper": (34, -34), "GM-NAS": (34, 34)}
"""Marks of published schedules, and where their names are, in pixels from their points."""


@with_source
def replay_figure(
    curves: Curves, result: HalvingResult, cursor: int | None = None, found_axis: str = FOUND_AXIS
) -> go.Figure:
    """Draw the curves of ``search_curves_figure`` above those of a selection, with a cursor.

    In the lower panel a curve that ends early is faded and ends in a cross; milestones are dotted
    lines with the number of sub-supernets left; the chosen one ends in a ring.

    The cursor is at the epoch ``cursor``, by default the first. Curves are drawn in full, faded
    where the selection discards them; the leader is the best of those left.
    """
    trained = result.trained if result.winner else None
    lines = _lines(curves, result)
    test = curves.values["test_accuracy"]
    found_range = accuracy_range(test, curves.unit)
    valid_range = accuracy_range(np.concatenate(list(lines.values())), curves.valid_unit)
    notes = [
        LEADER_NOTE if trained is None else _LIVING_NOTE,
        _ENDS_NOTE,
        *cut_note(test, found_range[0], curves.unit),
    ]
    alt = f"{search_alternative(curves, trained)} {_alternative(result)}"
    figure = base_figure("", _HEIGHT, alt, notes)
    add_search_curves(figure, curves, trained)
    positions = dict(zip(curves.sub_spaces, positions_of(curves.sub_spaces), strict=True))
    _add_selection(figure, lines, positions, result, valid_range)
    upper, lower = _DOMAINS
    figure.update_layout(
        xaxis={"anchor": "y", "matches": "x2", "showticklabels": False},
        xaxis2={"anchor": "y2", "title": {"text": "epoch", "standoff": 4}},
        yaxis={"range": list(found_range), "domain": upper},
        yaxis2={"range": list(valid_range), "domain": lower, "anchor": "x2"},
        annotations=[
            panel_heading(found_axis, 0, upper[1]),
            panel_heading(f"{VALID_AXIS}{curves.valid_unit}", 0, lower[1]),
            *_milestone_notes(result),
        ],
    )
    epoch = int(curves.epochs[0]) if cursor is None else cursor
    lead = leaders(curves, trained).set_index("epoch")["test_accuracy"]
    inside: list[Any] = [lines.get(name, {}) for name in curves.sub_spaces]
    colours = [sub_space_look(position).colour for position in positions.values()]
    _add_cursor(figure, epoch, [lead], found_range, [LEADER_COLOUR], size=11)
    _add_cursor(figure, epoch, inside, valid_range, colours, size=9, **_LOWER)
    put_legend_above(figure)
    return figure


def _lines(curves: Curves, result: HalvingResult) -> Lines:
    """Curves to draw; all of them in full if the choice is random."""
    trained = result.trained
    if result.winner is None:
        trained = dict.fromkeys(curves.sub_spaces, result.end)
    lines = {}
    for name, last in trained.items():
        i = curves.sub_spaces.index(name)
        own = curves.recorded[i] & (curves.epochs <= last)
        lines[name] = pd.Series(curves.values["valid_accuracy"][i, own], curves.epochs[own])
    return lines


def _add_selection(
    figure: go.Figure,
    lines: Lines,
    positions: Mapping[str, int],
    result: HalvingResult,
    ends: Range,
) -> None:
    """Draw the curves, milestones, crosses and the ring of the lower panel."""
    for name, line in lines.items():
        look: dict[str, Any] = {**_LOWER, "showlegend": False, "unit": result.valid_unit}
        if name in result.discarded:
            look["opacity"] = FADED
        values = np.asarray(line, dtype=np.float64)
        add_search_line(figure, name, positions[name], line.index.to_numpy(), values, **look)
    dotted = {"color": INK, "width": 1.2, "dash": "dot"}
    for epoch in result.milestones:
        figure.add_scatter(x=[epoch] * 2, y=ends, **_LOWER, mode="lines", line=dotted, **SILENT)
    chosen = [result.winner] if result.winner else []
    for what, names, sign in (("discarded", result.discarded, _CROSS), ("chosen", chosen, _RING)):
        ended = {name: lines[name] for name in names if len(lines[name])}
        if not ended:
            continue
        colours = [sub_space_look(positions[name]).outline for name in ended]
        last = {name: int(line.index[-1]) for name, line in ended.items()}
        figure.add_scatter(
            x=list(last.values()),
            y=[float(line.iloc[-1]) for line in ended.values()],
            **_LOWER,
            name=what,
            mode="markers",
            cliponaxis=False,
            marker={**sign, "color": colours, "line": {"width": 2.4, "color": colours}},
            text=[f"<b>{escape(name)}</b> {what} at epoch {epoch}" for name, epoch in last.items()],
            showlegend=False,
            hovertemplate=f"%{{text}}: {hover_score('y', result.valid_unit)}<extra></extra>",
        )


def _milestone_notes(result: HalvingResult) -> list[Annotation]:
    """How many are left after each milestone, at the bottom of the lower panel."""
    place: dict[str, Any] = {"xref": "x2", "yref": "y2 domain", "xanchor": "left"}
    place |= {"yanchor": "bottom", "xshift": 2, "font": {"size": SMALL_FONT_SIZE}}
    before = len(result.sub_spaces)
    notes = []
    for epoch in result.milestones:
        left = len(result.survivors[epoch])
        hover = f"epoch {epoch}: {before} sub-supernets become {left}"
        notes.append(note(f"→ {left}", epoch, 0, hovertext=hover, **place))
        before = left
    return notes


def _alternative(result: HalvingResult) -> str:
    """Text alternative of the lower panel: who was discarded when, and the verdict."""
    parts = []
    for epoch in result.milestones:
        gone = [name for name, at in result.discarded.items() if at == epoch]
        if gone:
            parts.append(f"At epoch {epoch} {', '.join(gone)} are discarded.")
    start = (
        f"Validation accuracy of {len(result.sub_spaces)} sub-supernets, "
        f"{describe_schedule(result.milestones, result.end)}."
    )
    return " ".join([start, *parts, verdict(result)])


def cursor_stops(curves: Curves, result: HalvingResult, stops: int = STOPS) -> list[int]:
    """List the epochs at which the cursor stops, ascending.

    These are every nth recorded epoch, n being as small as the number of stops allows, besides the
    first, the milestones and the end.
    """
    known = curves.epochs[curves.epochs <= result.end]
    step = next(
        nice * 10**power
        for power in range(10)
        for nice in _NICE
        if len(known) - 1 <= nice * 10**power * stops
    )
    even = known[known % step == 0] if (np.diff(known) == 1).all() else known[::step]
    return sorted({int(known[0]), *even.tolist(), *result.milestones, result.end})


def _add_cursor(
    figure: go.Figure,
    epoch: int,
    lines: Sequence[Any],
    ends: Range,
    colours: Sequence[str],
    size: int,
    **axes: Any,
) -> None:
    """Draw a vertical line over a panel, through a dot on each of some lines that goes on."""
    line = {"color": INK, "width": 1.4}
    found = [float(values.get(epoch, np.nan)) for values in lines]
    dots = [None if np.isnan(value) else round(value, 2) for value in found]
    sizes = [0, *[size] * len(dots), 0]
    figure.add_scatter(
        x0=epoch,
        dx=_NO_STEP,
        y=[round(ends[0], 2), *dots, round(ends[1], 2)],
        **axes,
        mode="lines+markers",
        connectgaps=True,
        line=line,
        marker={"color": [INK, *colours, INK], "size": sizes, "line": line, "opacity": 1},
        **SILENT,
    )


@with_source
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


@with_source
def schedules_figure(
    grid: pd.DataFrame, selected: int | None = None, unit: str = PERCENT
) -> go.Figure:
    """Draw the cost and the regret of every strategy, with the Pareto front.

    ``grid`` is what ``fewshot_core.selection.schedule_grid`` returns. ``customdata`` of a point is
    the position of its row in it; that of the row ``selected``, which is replayed, is ringed.
    ``unit`` is that of what is found.
    """
    title = "Cost against regret"
    if grid.empty:
        return empty_figure(title, "no strategy to compare", _SCHEDULES_HEIGHT)
    seeds = int(grid["seeds"].iloc[0])
    notes = [] if selected is None else ["ring: the replayed strategy"]
    if seeds > 1:
        notes.append(f"means of {seeds} seeds, bars: one standard deviation")
    figure = base_figure(title, _SCHEDULES_HEIGHT, _schedules_alternative(grid, unit), notes)
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
            _add_points(figure, of, strategy.name, strategy.label, seeds, unit)
    if selected is not None:
        row = grid.iloc[selected]
        look = {"symbol": "circle-open", "size": 18, "color": INK, "line": {"width": 2}}
        place = {"x": [row["cost"]], "y": [row["regret"]], "mode": "markers"}
        figure.add_scatter(**place, name="replayed", marker=look, **SILENT)
    figure.update_layout(annotations=_marks(grid))
    figure.update_xaxes(title_text="cost, full runs", rangemode="tozero")
    regret = "points of accuracy" if unit == PERCENT else escape(unit)
    figure.update_yaxes(title_text=f"regret, {regret}", rangemode="tozero")
    put_legend_above(figure)
    return figure


def _add_points(
    figure: go.Figure, rows: pd.DataFrame, strategy: str, label: str, seeds: int, unit: str
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
        hovertext=[_hover(row, unit) for row in records],
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


def _hover(row: Row, unit: str) -> str:
    regret = regret_text(row["regret"], unit, row["regret_std"] if row["seeds"] > 1 else None)
    lines = [
        f"<b>{escape(str(row['label']))}</b>" + (f" ({row['mark']})" if row["mark"] else ""),
        f"cost {row['cost']:.2f} runs, regret {escape(regret)}",
        f"finds {escape(score_text(row['test_accuracy'], unit))}",
    ]
    if row["best_discarded"]:
        share = f" in {row['best_discarded']:.0%} of the seeds" if row["seeds"] > 1 else ""
        lines.append(f"the best is discarded{share}")
    return "<br>".join(lines)


def _schedules_alternative(grid: pd.DataFrame, unit: str) -> str:
    """Text alternative: cost and regret on the Pareto front and of published schedules."""
    front = grid[grid["pareto"]].sort_values(["cost", "regret"])
    points = "; ".join(f"{row['label']} ({_point(row, unit)})" for row in front.to_dict("records"))
    published = [
        f"The schedule of {'the paper' if row['mark'] == 'paper' else row['mark']}: "
        f"{_point(row, unit)}, {'on' if row['pareto'] else 'not on'} the front."
        for row in grid[grid["mark"].isin(list(_PUBLISHED))].to_dict("records")
    ]
    start = f"Cost against regret of {len(grid)} strategies. On the Pareto front: {points}."
    return " ".join([start, *published])


def _point(row: Row, unit: str) -> str:
    return f"{row['cost']:.2f} runs, regret {regret_text(row['regret'], unit)}"
