"""The Halving page: figures, replay and verdict of a selection.

Figures are kept as they are and must not be changed.
"""

from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fewshot_core.dashboard.halving.controls import (
    choose_end,
    choose_selection,
    drag_milestones,
    load_choice,
)
from fewshot_core.dashboard.halving.curves import (
    JUST_IMPORTED,
    CurvesInView,
    list_curves,
    open_curves_in_view,
    show_curve_files,
)
from fewshot_core.dashboard.shared.figures import Picture, show_figure, show_source
from fewshot_core.dashboard.shared.page import SEARCH, Workspace, link_to
from fewshot_core.dashboard.shared.sidebar import View, publish, recall, recall_option
from fewshot_core.errors import FewshotError, SelectionError
from fewshot_core.plots import (
    alternative,
    proxy_figure,
    replay_figure,
    schedules_figure,
    search_curves_figure,
)
from fewshot_core.selection import (
    Choice,
    Curves,
    HalvingResult,
    cost_text,
    default_choices,
    describe_milestones,
    leaders,
    proxy_correlation,
    schedule_grid,
    verdict,
)


def show_verdict(curves: Curves, result: HalvingResult) -> None:
    """Write the verdict, its numbers, and where a tie was broken."""
    st.subheader("Verdict")
    sentence, *ties = verdict(result).split(" At ", 1)
    st.markdown(f"**{sentence}**")
    if ties:
        st.warning(f"At {ties[0]}", icon=":material/balance:")
    left, right = st.columns(2)
    left.metric("Found", f"{result.test_accuracy:.2f}%", help="The architecture that is chosen")
    right.metric("Best there is", f"{result.ceiling:.2f}%", help=", ".join(result.equally_best))
    left.metric("Points lost", f"{result.regret:.2f}", help="Best there is less found, in %")
    right.metric(
        "Cost",
        cost_text(result.cost),
        help=f"{result.cost:.4g} times the epochs of one full run, {result.end}; train all costs "
        f"{len(result.sub_spaces)} runs",
    )
    if result.strategy == "halving":
        st.caption(f"{describe_milestones(curves, result)}.".capitalize())


_ENTRIES = 64


def select(curves: CurvesInView, seed: int, choice: Choice, end: int) -> HalvingResult:
    """Return what a choice comes to.

    Raises:
        SelectionError: If the curves do not have what it needs.
    """
    return _select(curves, curves.stamp, seed, choice, end)


@st.cache_resource(show_spinner=False, max_entries=4 * _ENTRIES)
def _select(
    _curves: CurvesInView, stamp: str, seed: int, choice: Choice, end: int
) -> HalvingResult:
    return choice.apply(_curves.tables[seed], end)


def draw_replay(
    curves: CurvesInView, seed: int, choice: Choice, end: int, cursor: int | None
) -> go.Figure:
    """Return the replay of a choice."""
    return _replay(curves, curves.stamp, seed, choice, end, cursor)


@st.cache_resource(show_spinner=False, max_entries=_ENTRIES)
def _replay(
    _curves: CurvesInView, stamp: str, seed: int, choice: Choice, end: int, cursor: int | None
) -> go.Figure:
    result = select(_curves, seed, choice, end)
    titles = _curves.found_title, _curves.valid_title
    return Picture(replay_figure(_curves.tables[seed], result, cursor, axis_titles=titles))


@st.cache_resource(show_spinner=False, max_entries=_ENTRIES)
def draw_searches(_curves: CurvesInView, stamp: str, seed: int) -> go.Figure:
    """Return the curves alone."""
    return Picture(search_curves_figure(_curves.tables[seed], _curves.found_title))


@st.cache_resource(show_spinner="Comparing schedules", max_entries=_ENTRIES)
def compare_schedules(_curves: CurvesInView, stamp: str, end: int) -> pd.DataFrame:
    """Return the grid of schedules over all seeds."""
    choices = default_choices(_curves.compared, end)
    return schedule_grid(_curves.compared, choices, end)


@st.cache_resource(show_spinner=False, max_entries=_ENTRIES)
def draw_schedules(_curves: CurvesInView, stamp: str, end: int, selected: int | None) -> go.Figure:
    """Return the chart of cost against regret, with one of the grid's rows ringed."""
    grid = compare_schedules(_curves, stamp, end)
    return Picture(schedules_figure(grid, selected))


@st.cache_resource(show_spinner=False, max_entries=_ENTRIES)
def draw_proxy(
    _curves: CurvesInView, stamp: str, end: int, milestones: tuple[int, ...]
) -> go.Figure | str:
    """Return the rank correlation of validation accuracy with what is found, or why there is none.

    It is drawn over epochs.
    """
    found = _correlation(_curves, stamp, end)
    return found if isinstance(found, str) else Picture(proxy_figure(found, milestones))


@st.cache_resource(show_spinner=False, max_entries=_ENTRIES)
def _correlation(_curves: CurvesInView, stamp: str, end: int) -> pd.DataFrame | str:
    try:
        return proxy_correlation(_curves.compared, end)
    except SelectionError as error:
        return str(error)


@st.cache_resource(show_spinner=False, max_entries=_ENTRIES)
def lead_rows(_curves: CurvesInView, stamp: str, seed: int) -> pd.DataFrame:
    """Return who leads at every epoch."""
    return leaders(_curves.tables[seed])


def replayed_row(grid: pd.DataFrame, choice: Choice) -> int | None:
    """Return the position of a choice in a grid, or None if it is not there."""
    rows = grid.to_dict("records")
    found = [number for number, row in enumerate(rows) if Choice.from_row(row) == choice]
    return found[0] if found else None


def choose_cursor(curves: Curves, end: int) -> int:
    """Choose the epoch at which the replay stands, step by step."""
    first = int(curves.epochs[0])
    held = st.session_state.get("epoch")
    if held is not None and not first <= held <= end:
        del st.session_state["epoch"]
    chosen = st.number_input(
        "Epoch",
        min_value=first,
        max_value=end,
        value=first,
        key="epoch",
        bind="query-params",
        width=180,
        help="Where the replay stands. Play, pause and scrub under the figure; step here.",
    )
    return int(chosen)


def show_epoch(curves: CurvesInView, seed: int, result: HalvingResult, epoch: int) -> None:
    """Write who leads at an epoch, who is still there, and what each would find."""
    table = curves.tables[seed]
    at = int(np.searchsorted(table.epochs, epoch))
    if at == len(table.epochs) or table.epochs[at] != epoch:
        st.caption(f"Nothing was recorded at epoch {epoch}.")
        return
    lead = lead_rows(curves, curves.stamp, seed)
    leader = lead[lead["epoch"] == epoch]["sub_space"].tolist()
    rows = pd.DataFrame(
        {
            "sub-space": table.sub_spaces,
            "validation": table.values["valid_accuracy"][:, at],
            "would find": table.values["test_accuracy"][:, at],
            "state": [_state(result, name, epoch, name in leader) for name in table.sub_spaces],
        }
    )
    number = st.column_config.NumberColumn
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            "sub-space": st.column_config.TextColumn(width=70),
            "validation": number(
                format="%.2f%%", width=75, help="The supernet's validation accuracy"
            ),
            "would find": number(
                format="%.2f%%", width=75, help="Accuracy of the architecture it would return"
            ),
            "state": st.column_config.TextColumn(
                help="The one with the best validation accuracy of the epoch leads"
            ),
        },
        alt=f"The sub-supernets at epoch {epoch}",
    )


def _state(result: HalvingResult, name: str, epoch: int, leads: bool) -> str:
    state = _part(result, name, epoch)
    if not leads:
        return state
    trained = result.winner is None or result.trained.get(name, -1) >= epoch
    return f"{state}, {'leads' if trained else 'would lead'}"


def _part(result: HalvingResult, name: str, epoch: int) -> str:
    """Return which part a sub-supernet has in a selection at an epoch."""
    last = result.trained.get(name)
    if result.winner is None:
        return "as likely as the others"
    if last is None:
        return "not trained"
    if name == result.winner:
        return "chosen" if epoch >= result.end else "goes on"
    if last >= epoch:
        gone = "discarded here" if last == epoch and last < result.end else "goes on"
        return gone if epoch < result.end else "not chosen"
    return f"discarded at {last}"


_CHART, _TABLE = "schedules_chart", "schedules_table"


def show_schedules(curves: CurvesInView, choice: Choice, end: int) -> None:
    """Draw cost against regret for many schedules; what is selected goes into the replay."""
    st.subheader("Schedules compared")
    try:
        grid = compare_schedules(curves, curves.stamp, end)
    except SelectionError as error:
        st.caption(f"Schedules cannot be compared: {error}")
        return
    chart, table = st.columns(2, gap="large")
    with chart:
        replayed = replayed_row(grid, choice)
        figure = draw_schedules(curves, curves.stamp, end, replayed)
        show_figure(figure, _CHART, on_select=partial(_load_point, grid))
    with table:
        _show_table(grid, replayed)
    _show_source(curves, end, "halving_schedules_source", grid)


def show_proxy(curves: CurvesInView, end: int, milestones: tuple[int, ...]) -> None:
    """Draw how well validation accuracy orders the sub-supernets."""
    st.subheader("Is the proxy any good?")
    figure = draw_proxy(curves, curves.stamp, end, milestones)
    if isinstance(figure, str):
        st.caption(figure)
        return
    st.markdown(alternative(figure))
    show_figure(figure, "halving_proxy")
    _show_source(curves, end, "halving_proxy_source")


def _show_table(grid: pd.DataFrame, replayed: int | None) -> None:
    order = grid.assign(unnamed=grid["mark"] == "").sort_values(
        ["unnamed", "cost", "regret"], kind="stable"
    )
    shown = pd.DataFrame(
        {
            "strategy": order["label"],
            "cost": order["cost"],
            "regret": order["regret"],
            "known as": order["mark"],
            "finds": order["test_accuracy"],
            "best discarded": 100 * order["best_discarded"],
            "front": order["pareto"],
        }
    )
    order_of = list(order.index)
    chosen = [] if replayed is None else [order_of.index(replayed)]
    st.session_state[_TABLE] = {"selection": {"rows": chosen, "columns": [], "cells": []}}
    number = st.column_config.NumberColumn
    st.dataframe(
        shown,
        key=_TABLE,
        hide_index=True,
        height=440,
        on_select=partial(_load_row, grid, order_of),
        selection_mode="single-row",
        column_config={
            "strategy": st.column_config.TextColumn(width=235),
            "cost": number(format="%.2f", width=55, help="Full runs"),
            "finds": number(format="%.2f%%"),
            "regret": number(
                format="%.2f", width=60, help="Points of accuracy lost, mean over seeds"
            ),
            "best discarded": number(format="%.0f%%", help="Share of the seeds"),
            "front": st.column_config.CheckboxColumn(help="On the Pareto front"),
        },
        alt=f"{len(shown)} strategies with cost and regret",
    )
    st.caption("Choose a row, or a point of the chart, to replay it.")


def _show_source(
    curves: CurvesInView, end: int, key: str, frame: pd.DataFrame | None = None
) -> None:
    seeds = curves.compared_seeds
    left_out = [str(seed) for seed in curves.tables if seed not in seeds]
    parts = [f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"]
    if left_out:
        parts.append(f"without seed {', '.join(left_out)}, which lacks sub-spaces")
    command = f"fewshot halve {curves.option} --compare --end {end}"
    show_source([*curves.source, *parts], command, key, frame)


def _load_point(grid: pd.DataFrame) -> None:
    points = st.session_state[_CHART].selection.points
    if points and "customdata" in points[0]:
        data = points[0]["customdata"]
        number = int(data[0] if isinstance(data, list) else data)
        load_choice(Choice.from_row(grid.iloc[number].to_dict()))


def _load_row(grid: pd.DataFrame, order: list[int]) -> None:
    rows = st.session_state[_TABLE].selection.rows
    if rows:
        load_choice(Choice.from_row(grid.loc[order[rows[0]]].to_dict()))


def show_halving(workspace: Workspace, view: View) -> None:
    """Show the curves in view with a selection applied, and what can be done with curves."""
    labels = list_curves(workspace, view)
    if labels:
        left, right = st.columns([3, 1], gap="large")
        with left:
            curves = _choose_curves(workspace, view, labels)
        if curves is not None:
            with right:
                seed = _choose_seed(curves)
            _say_what_is_missing(curves, seed)
            _show_selection(curves, seed)
    else:
        _show_nothing()
    show_curve_files(workspace, expanded=not labels)


def _show_nothing() -> None:
    with st.container(border=True):
        st.markdown(
            "**No curves yet.** Here you will see which sub-supernet a selection by validation "
            "accuracy would have chosen, what that would have cost, and what would have been lost. "
            "It needs a search in every sub-space of the split in view, or curves made elsewhere, "
            "as a CSV file: Import them below."
        )
        link_to(SEARCH, "Search in every sub-space")


def _choose_curves(workspace: Workspace, view: View, labels: dict[str, str]) -> CurvesInView | None:
    wanted = st.session_state.pop(JUST_IMPORTED, None)
    if wanted in labels:
        st.session_state["curves"] = wanted
    recall_option("curves", list(labels))
    chosen = st.selectbox("Curves", list(labels), key="curves", format_func=labels.__getitem__)
    publish("curves", "")
    try:
        return open_curves_in_view(workspace, view, chosen)
    except FewshotError as error:
        st.error(str(error), icon=":material/error:")
        return None


def _choose_seed(curves: CurvesInView) -> int:
    seeds = list(curves.tables)
    if len(seeds) == 1:
        return seeds[0]
    recall("seed", seeds[0], int, lambda value: value in seeds)
    chosen = st.segmented_control("Seed that is replayed", seeds, required=True, key="seed")
    publish("seed", seeds[0])
    return int(seeds[0] if chosen is None else chosen)


def _say_what_is_missing(curves: CurvesInView, seed: int) -> None:
    missing = curves.missing.get(seed, ())
    if missing:
        there = len(curves.tables[seed].sub_spaces)
        st.warning(
            f"{there} of {there + len(missing)} sub-spaces were searched with seed {seed}: "
            f"{', '.join(missing)} are missing, and the best may be in one of them.",
            icon=":material/hourglass_bottom:",
        )
        link_to(SEARCH, "Search in the others")


@st.fragment
def _show_selection(curves: CurvesInView, seed: int) -> None:
    table = curves.tables[seed]
    picture, rail = st.columns([3, 1], gap="large")
    with rail:
        verdict = st.container()
        st.subheader("Selection")
        try:
            end = choose_end(table)
            choice = choose_selection(table, end)
            result = select(curves, seed, choice, end)
        except SelectionError as error:
            with verdict:
                st.error(str(error), icon=":material/error:")
            with picture:
                show_figure(draw_searches(curves, curves.stamp, seed), "halving_searches")
            return
    with verdict:
        show_verdict(table, result)
    with picture:
        figure = st.container()
        steps, handles = st.columns([1, 3], gap="large")
        with steps:
            cursor = choose_cursor(table, end)
        with handles:
            if choice.strategy == "halving":
                drag_milestones(table, end, result.milestones)
        with figure:
            show_figure(draw_replay(curves, seed, choice, end, cursor), "halving_replay")
        show_source(
            [*curves.source, f"seed {seed}"], _command(curves, seed, choice, end), "halving_source"
        )
        show_epoch(curves, seed, result, cursor)
    show_schedules(curves, choice, end)
    show_proxy(curves, end, result.milestones)


def _command(curves: CurvesInView, seed: int, choice: Choice, end: int) -> str:
    """Return the command that prints the same verdict."""
    parts = [f"fewshot halve {curves.option}", f"--seed {seed}", f"--strategy {choice.strategy}"]
    if choice.strategy == "halving":
        milestones = ",".join(map(str, choice.milestones)) or "none"
        parts += [f"--milestones {milestones}", f"--keep {choice.keep:g}"]
    if choice.strategy == "top_k":
        parts += [f"--k {choice.k}", f"--epoch {choice.epoch}"]
    if choice.strategy in ("halving", "top_k"):
        parts.append(f"--rank-by {choice.rank_by}")
        if choice.rank_by == "moving_average":
            parts.append(f"--window {choice.window}")
    return " ".join([*parts, f"--end {end}"])
