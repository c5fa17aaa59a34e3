"""A split on its way: starting it, watching it grow, and what became of it."""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from fewshot_core.dashboard.controls import choose_count
from fewshot_core.dashboard.figures import kept, show_figure
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.request_form import estimate_text
from fewshot_core.dashboard.trees import draw_tree
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.metrics import METRICS
from fewshot_core.plots import tree_figure
from fewshot_core.runs import (
    RunFolder,
    SplitRequest,
    State,
    Status,
    answered,
    cancel,
    is_active,
    run_folder,
    start,
)
from fewshot_core.splitting import SplitTree

POLL_SECONDS = 0.5

_SHOWN = 2
_WATCHED = "watched_run"
_ENDED = {
    State.FAILED: "failed",
    State.CANCELLED: "was cancelled",
    State.LOST: "was lost",
}


def adopt_finished(workspace: Workspace) -> None:
    """Put the split that was waited for into view once it is done; call before the sidebar."""
    folder = _watched(workspace)
    if folder is None or folder.status().state is not State.DONE:
        return
    request = folder.request()
    st.session_state["dataset"] = request.dataset
    st.session_state["split"] = folder.run_id
    workspace.store.sync()  # it may have ended after the page had looked
    del st.session_state[_WATCHED]


def show_start(workspace: Workspace, requests: Sequence[SplitRequest]) -> None:
    """Draw the button that starts requests, with the time they will take."""
    repeats = choose_count(
        "Repeats",
        "repeats",
        usual=1,
        least=1,
        most=50,
        help="How many times to make the split, each time with other weights and images: every "
        "seed is 1 larger. The page then shows how much of the split is chance.",
    )
    asked = [request.repeated(number) for request in requests for number in range(repeats)]
    try:
        known = [answered(request, workspace.data_dir) for request in asked]
    except (FewshotError, OSError) as error:
        st.error(str(error))
        asked, known = [], []
    missing = [request for request, folder in zip(asked, known, strict=True) if folder is None]
    running = any(folder is not None and folder.status().state.active for folder in known)
    done = bool(asked) and not missing and not running
    clicked = st.button(
        "Show" if done else "Start",
        key="start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not asked or (running and not missing),
        width="stretch",
    )
    if done:
        st.caption("This was made before: it opens at once.")
    elif missing:
        st.caption(estimate_text(workspace, missing))
    elif running:
        st.caption("This is being made.")
    if clicked:
        _start(workspace, asked)


def show_progress(workspace: Workspace) -> None:
    """Show all splits that are being made, and one that was waited for and did not end well."""
    active = [
        run.folder
        for run in workspace.runs()
        if run.active and run.kind == "split" and is_active(run.folder)
    ]
    active.sort(key=lambda folder: folder.status().started or 0.0)
    for folder in active[:_SHOWN]:
        with st.container(border=True):
            _show_active(folder)
    if len(active) > _SHOWN:
        st.caption(f"{len(active) - _SHOWN} more splits wait for their turn; see *Runs and data*.")
    watched = _watched(workspace)
    if watched is not None and watched not in active:
        _show_ended(workspace, watched)


def _start(workspace: Workspace, requests: Sequence[SplitRequest]) -> None:
    """Start requests, and wait for the first."""
    try:
        folders = [start(request, workspace.data_dir) for request in requests]
    except (FewshotError, OSError) as error:
        st.error(f"The split could not be started: {error}")
        return
    st.session_state[_WATCHED] = folders[0].run_id
    st.rerun()


@st.fragment(run_every=POLL_SECONDS)
def _show_active(folder: RunFolder) -> None:
    """Show how a run goes, again and again until it ends."""
    try:
        status, request = folder.status(), folder.split_request()
        figure = _draw_growing(folder, _tree_stamp(folder))
    except FewshotError:
        st.rerun()
    if not status.state.active:
        st.rerun()
    title, button = st.columns([5, 1], vertical_alignment="center")
    title.markdown(
        f"**{METRICS.get(request.metric).label}** on {DATASETS.get(request.dataset).label}"
    )
    if button.button("Cancel", key=f"cancel_{folder.run_id}", icon=":material/cancel:"):
        cancel(folder)
        st.rerun()
    st.progress(status.done / status.total if status.total else 0.0, _progress_text(status))
    if status.state is State.QUEUED:
        return
    show_figure(figure, f"growing_{folder.run_id}", wide=True)


def _tree_stamp(folder: RunFolder) -> tuple[int, int] | None:
    """Return what changes with the tree of a run, which is replaced as a whole."""
    try:
        found = folder.tree_path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


@kept
def _draw_growing(folder: RunFolder, stamp: tuple[int, int] | None) -> go.Figure:
    """Return the picture of a tree as far as it has grown, once for all who watch."""
    request = folder.split_request()
    grown = folder.tree() or SplitTree(request.metric, ())
    return tree_figure(draw_tree(grown, levels=len(request.tree.edges), growing=True))


def _progress_text(status: Status) -> str:
    parts = [status.message]
    if status.total:
        parts.insert(0, f"{status.done} of {status.total}")
    if status.seconds_left is not None:
        parts.append(f"{duration_text(status.seconds_left)} left")
    return " · ".join(parts)


def _show_ended(workspace: Workspace, folder: RunFolder) -> None:
    """Say why a run did not end well, and offer to start it again."""
    status = folder.status()
    if status.state not in _ENDED:
        return
    label = METRICS.get(folder.split_request().metric).label
    text = f"The {label} split {_ENDED[status.state]}: {status.message}"
    if status.state is State.CANCELLED:
        st.info(f"The {label} split was cancelled.", icon=":material/cancel:")
    else:
        st.error(text, icon=":material/error:")
    again, away = st.columns([1, 4])
    if again.button("Start again", key="start_again", icon=":material/replay:"):
        _start(workspace, [folder.split_request()])
    if away.button("Dismiss", key="dismiss", type="tertiary"):
        del st.session_state[_WATCHED]
        st.rerun()
    if status.state is not State.CANCELLED:
        with st.expander("Log", icon=":material/article:"):
            st.code(folder.log_tail() or "the log is empty", language=None)


def _watched(workspace: Workspace) -> RunFolder | None:
    """Return the run that this session started and waits for, if it is still there."""
    run_id = st.session_state.get(_WATCHED)
    if run_id is None:
        return None
    try:
        folder = run_folder(run_id, workspace.data_dir)
        folder.status()
    except RunError:
        del st.session_state[_WATCHED]
        return None
    return folder
