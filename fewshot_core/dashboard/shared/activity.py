"""What is running and what has just ended, in the sidebar of every page."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import streamlit as st

from fewshot_core.dashboard.shared.controls import counted, notify, plain, show_notices
from fewshot_core.dashboard.shared.page import (
    ESTIMATES,
    RUNS,
    SEARCH,
    SPLIT,
    Page,
    Workspace,
    link_to,
)
from fewshot_core.dashboard.shared.splits import dataset_label
from fewshot_core.errors import FewshotError
from fewshot_core.runs import (
    KINDS,
    EstimateRequest,
    ProxyRequest,
    Request,
    RunFolder,
    SearchRequest,
    SplitRequest,
    State,
    find_finished,
    is_active,
    start,
)
from fewshot_core.runs.estimate import duration_text, total_left
from fewshot_core.runs.overview import RunSummary
from fewshot_core.search.records import RECORDS
from fewshot_core.space import SubSpace

POLL_SECONDS = 2.0

_OPEN, _SHOWN, _ENDED = "runs that are open", "runs shown as active", "runs that ended"
_ENDED_SECONDS = 300.0
"""How long a run that ended is linked in the sidebar."""
_MOST = 3


def show_activity(workspace: Workspace) -> None:
    """Show how many runs are active, and say which have ended since the page was drawn last."""
    active = _active(workspace)
    _note_ended(workspace, active)
    show_notices()
    st.session_state[_SHOWN] = [run.run_id for run in active]
    if active:
        st.fragment(_show_running, run_every=POLL_SECONDS)(workspace)
    _link_ended(workspace)


def _active(workspace: Workspace) -> list[RunSummary]:
    return [run for run in workspace.runs() if run.active and is_active(run.folder)]


def _show_running(workspace: Workspace) -> None:
    """Draw the number of active runs and the time left, and the whole page when one ends."""
    active = _active(workspace)
    if [run.run_id for run in active] != st.session_state[_SHOWN]:
        st.rerun()
    left = _left_text(workspace, active)
    with st.container(key="running"):
        text = f"Running ({len(active)}){left}"
        link_to(Page(RUNS.path, text, ":material/progress_activity:", ""))


def _left_text(workspace: Workspace, active: Sequence[RunSummary]) -> str:
    """Return the time that active runs will take, as far as it is known."""
    try:
        runs = [
            (run.request, run.folder.status(), _epochs(run.folder)) for run in active if run.request
        ]
        seconds = total_left(workspace.data_dir, runs)
    except (FewshotError, OSError):
        return ""
    return "" if seconds is None else f", {duration_text(seconds)} left"


def _epochs(folder: RunFolder) -> int:
    return max(0, len(folder.records()) - 1) if (folder.path / RECORDS).exists() else 0


def start_noted(requests: Iterable[Request], data_dir: Path) -> list[RunFolder]:
    """Start runs, whose end will be said on the page, however soon it comes."""
    folders, new = [], []
    for request in requests:
        known = find_finished(request, data_dir) is not None
        folders.append(start(request, data_dir))
        new += [] if known else [folders[-1].run_id]
    st.session_state[_OPEN] = [*st.session_state.get(_OPEN, []), *new]
    return folders


def _note_ended(workspace: Workspace, active: Sequence[RunSummary]) -> None:
    """Say which runs ended; those of a plan are counted together when all of them have."""
    known: list[str] = st.session_state.get(_OPEN, [])
    now = {run.run_id: run for run in workspace.runs()} if known else {}
    names = {run.run_id for run in active}
    ended = [now[name] for name in dict.fromkeys(known) if name in now and name not in names]
    searching = {run.request.dataset for run in active if isinstance(run.request, SearchRequest)}
    waiting = [
        run
        for run in ended
        if isinstance(run.request, SearchRequest) and run.request.dataset in searching
    ]
    ended = [run for run in ended if run not in waiting and run.request is not None]
    st.session_state[_OPEN] = [*(run.run_id for run in waiting), *names]
    searches = [run for run in ended if isinstance(run.request, SearchRequest)]
    if len(searches) > 1:
        counts = {state: sum(run.state == state for run in searches) for state in State}
        parts = [f"{count} {state.value}" for state, count in counts.items() if count]
        notify(f"{counted(len(searches), 'search', 'searches')} ended: {', '.join(parts)}")
        ended = [run for run in ended if run not in searches]
    for run in ended:
        done = run.state == State.DONE.value
        notify(_text(run), ":material/check:" if done else ":material/warning:")
    times: dict[str, float] = st.session_state.setdefault(_ENDED, {})
    times.update(dict.fromkeys((run.run_id for run in [*searches[-1:], *ended]), time.time()))


def _text(run: RunSummary) -> str:
    """Say how a run ended."""
    name = run_name(run)
    if run.state == State.DONE.value:
        return f"{name}: done" + (f" in {duration_text(run.seconds)}" if run.seconds else "")
    if run.state == State.CANCELLED.value:
        return f"{name} was cancelled"
    return f"{name}: {run.state}, {plain(run.message)}"


def run_name(run: RunSummary) -> str:
    """Name a run by its kind, its method and its data set, in Markdown."""
    if run.request is None:
        return plain(run.run_id)
    label = dataset_label(run.request)
    return plain(f"{KINDS.label(run.request.kind)} {run.request.method_label} on {label}")


def _link_ended(workspace: Workspace) -> None:
    """Link the runs that ended a moment ago."""
    times: dict[str, float] = st.session_state[_ENDED]
    recent = [name for name, at in times.items() if time.time() - at < _ENDED_SECONDS][-_MOST:]
    now = {run.run_id: run for run in workspace.runs()} if recent else {}
    for run in filter(None, map(now.get, recent)):
        if place := page_of(workspace, run):
            page, query = place
            link_to(page, f"{run_name(run)}: {run.state}", query)


def page_of(workspace: Workspace, run: RunSummary) -> tuple[Page, dict[str, str]] | None:
    """Return the page that shows a run, with the query that selects it; None for a damaged one."""
    request, status = run.request, run.status
    if request is None or status is None:
        return None
    query = {"space": request.space, "dataset": request.dataset}
    if isinstance(request, SplitRequest):
        if status.state is State.DONE and run.problem is None:
            query["split"] = run.run_id
        return SPLIT, query
    if isinstance(request, EstimateRequest):
        return ESTIMATES, query | {"estimates": f"{run.run_id}:{request.column}"}
    if isinstance(request, ProxyRequest):
        measured = next((one for one in workspace.runs() if one.run_id == request.run), None)
        page, found = (measured and page_of(workspace, measured)) or (SEARCH, query)
        return page, found | {"search_tab": "Proxy quality"}
    if isinstance(request, SearchRequest):
        query["plan"] = request.group
        if request.rows == tuple(SubSpace.full(request.sub_space.space).rows):
            query["where"] = "whole"
        elif split := workspace.store.split_with(request.dataset, request.sub_space):
            query["split"] = split
    return SEARCH, query
