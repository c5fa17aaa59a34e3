"""What the halving page draws, computed once for the same content.

Figures are kept as they are and must not be changed.
"""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fewshot_core.dashboard.curve_sources import CurvesInView
from fewshot_core.dashboard.figures import Picture
from fewshot_core.errors import SelectionError
from fewshot_core.plots import proxy_figure, replay_figure, schedules_figure, search_curves_figure
from fewshot_core.selection import (
    Choice,
    HalvingResult,
    default_choices,
    leaders,
    proxy_correlation,
    schedule_grid,
)

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
