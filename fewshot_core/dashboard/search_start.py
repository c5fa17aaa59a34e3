"""What a plan costs before it starts, and starting it."""

from collections import Counter

import streamlit as st

from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.search_plans import PlannedSearch, SearchPlan
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.runs import State, estimate_seconds, measure
from fewshot_core.runs.plans import start_all

STARTED = "plan_started"
"""Where the session keeps that the plan of the form was just started, to bring it into view."""


def show_start(workspace: Workspace, plan: SearchPlan | None) -> None:
    """Say how many searches a plan has and how long they take, with the button that starts it."""
    if plan is None:
        st.button("Start", key="start", type="primary", disabled=True, width="stretch")
        return
    plan = plan.seen()
    missing = [search for search in unfinished(plan) if not search.is_active()]
    if any(search.is_active() for search in plan.searches):
        st.markdown(f"**{_searches(len(plan.searches))}**, on their way.")
    else:
        st.markdown(f"**{count_text(plan)}**")
    if missing:
        _show_cost(workspace, plan, missing)
    resumed = sum(search.status() is not None for search in missing)
    label = f"Start {_searches(len(missing))}" if missing else "Start"
    if resumed:
        st.caption(f"{resumed} of them go on where they were.")
    if st.button(
        label,
        key="start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not missing,
        width="stretch",
    ):
        st.session_state[STARTED] = True
        begin(workspace, plan)


def begin(workspace: Workspace, plan: SearchPlan) -> None:
    """Start what is not done of a plan, and run the page again."""
    requests = [search.request for search in unfinished(plan)]
    try:
        with st.spinner(f"Starting {_searches(len(requests))}"):
            start_all(requests, workspace.data_dir)
    except (FewshotError, OSError) as error:
        st.error(f"The searches could not be started: {error}")
        return
    st.rerun()


def unfinished(plan: SearchPlan) -> list[PlannedSearch]:
    """Return the searches of a plan that are not done."""
    return [search for search in plan.searches if not search.is_done()]


def count_text(plan: SearchPlan) -> str:
    """Return how many searches there are, and in which states: "8 searches: 3 done, 5 to do"."""
    states = Counter(state_word(search) for search in plan.searches)
    if set(states) == {"not started"}:
        return _searches(len(plan.searches))
    parts = ", ".join(f"{count} {word}" for word, count in sorted(states.items(), key=_order))
    return f"{_searches(len(plan.searches))}: {parts}"


def state_word(search: PlannedSearch) -> str:
    """Return what a search is doing, in a word or two."""
    status = search.status()
    if status is None:
        return "not started"
    return "waiting" if status.state is State.QUEUED else status.state.value


def cost(workspace: Workspace, searches: list[PlannedSearch]) -> float | None:
    """Return the seconds some searches will still take, or None where that is not known.

    Raises:
        ImagesError: If their images are missing.
    """
    total = 0.0
    for search in searches:
        status = search.status()
        left = status.seconds_left if status is not None else None
        if left is None:
            left = _fresh_cost(workspace, search)
        if left is None:
            return None
        total += left
    return total


def _fresh_cost(workspace: Workspace, search: PlannedSearch) -> float | None:
    """Return the seconds of the epochs of a search that no checkpoint has yet."""
    seconds = estimate_seconds(workspace.data_dir, search.request)
    if seconds is None or search.status() is None:
        return seconds
    done = max(0, len(search.folder.records()) - 1)
    return seconds * (1 - done / search.request.options.epochs)


def _show_cost(workspace: Workspace, plan: SearchPlan, searches: list[PlannedSearch]) -> None:
    try:
        seconds = cost(workspace, searches)
    except (FewshotError, OSError) as error:
        st.error(str(error))
        return
    if seconds is None:
        st.caption("No search of this kind was timed on this device yet.")
        if st.button("Measure a few steps", key="measure", icon=":material/timer:"):
            _measure(workspace, plan)
        return
    each = duration_text(seconds / len(searches))
    text = f"About {duration_text(seconds)}"
    text += f" in all, {each} each" if len(searches) > 1 else ""
    st.caption(f"{text}, by steps measured on this device. They take turns on it.")


def _measure(workspace: Workspace, plan: SearchPlan) -> None:
    """Measure the largest sub-space: the others are estimated from it."""
    largest = max(plan.searches, key=lambda search: search.request.sub_space.size)
    try:
        with st.spinner("Doing a few steps in a process of their own"):
            measure(workspace.data_dir, largest.request)
    except (FewshotError, OSError) as error:
        st.error(str(error))
        return
    st.rerun()


def _searches(count: int) -> str:
    return f"{count} search{'es' * (count != 1)}"


_ORDER = ("done", "running", "waiting", "failed", "cancelled", "lost", "not started")


def _order(item: tuple[str, int]) -> int:
    return _ORDER.index(item[0])
