"""Schedules compared, and whether validation accuracy is any good as a proxy."""

from functools import partial

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.curve_sources import CurvesInView
from fewshot_core.dashboard.figures import show_figure, show_source
from fewshot_core.dashboard.halving_controls import load_choice
from fewshot_core.dashboard.halving_figures import (
    compare_schedules,
    draw_proxy,
    draw_schedules,
    replayed_row,
)
from fewshot_core.errors import SelectionError
from fewshot_core.plots import alternative
from fewshot_core.selection import Choice

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
