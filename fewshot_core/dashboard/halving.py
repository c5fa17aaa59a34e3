"""The replay of a selection among the sub-supernets of recorded searches."""

import streamlit as st

from fewshot_core.dashboard.curve_files import show_curve_files
from fewshot_core.dashboard.curve_sources import (
    JUST_IMPORTED,
    CurvesInView,
    list_curves,
    open_curves_in_view,
)
from fewshot_core.dashboard.figures import show_figure, show_source
from fewshot_core.dashboard.halving_controls import choose_end, choose_selection, drag_milestones
from fewshot_core.dashboard.halving_epoch import choose_cursor, show_epoch
from fewshot_core.dashboard.halving_figures import draw_replay, draw_searches, select
from fewshot_core.dashboard.halving_grid import show_proxy, show_schedules
from fewshot_core.dashboard.links import publish, recall, recall_option
from fewshot_core.dashboard.navigation import SEARCH, link_to
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.verdicts import show_verdict
from fewshot_core.dashboard.views import View
from fewshot_core.errors import FewshotError, SelectionError
from fewshot_core.selection import Choice


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
