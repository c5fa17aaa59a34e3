"""What can be done with chosen runs, and all that is known of them."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.navigation import link_to
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.request_labels import request_label
from fewshot_core.dashboard.run_links import page_of
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.runs import cancel, command, delete, set_aside, start
from fewshot_core.runs.differences import differences
from fewshot_core.runs.failures import advice
from fewshot_core.runs.overview import DAMAGED, RunSummary

_LISTED = 10


def show_chosen(workspace: Workspace, chosen: Sequence[RunSummary]) -> None:
    """Draw the actions, and one run in full or what several have not in common."""
    _show_actions(workspace, chosen)
    if len(chosen) == 1:
        _show_run(workspace, chosen[0])
    else:
        _show_differences(chosen)


def _show_actions(workspace: Workspace, chosen: Sequence[RunSummary]) -> None:
    active = [run for run in chosen if run.active]
    ended = [run for run in chosen if not run.active]
    stopped = [run for run in chosen if run.restartable]
    damaged = [run for run in ended if run.state == DAMAGED]
    with st.container(horizontal=True):
        if st.button(
            f"Cancel {len(active)}",
            disabled=not active,
            icon=":material/cancel:",
            key="cancel_runs",
        ):
            _do(lambda run: cancel(run.folder), active)
        if st.button(
            f"Start {len(stopped)} again",
            disabled=not stopped,
            icon=":material/replay:",
            key="restart_runs",
            help="Finished epochs and scores are kept.",
        ):
            _do(lambda run: _restart(run, workspace), stopped)
        if damaged and st.button(
            f"Set {len(damaged)} aside",
            icon=":material/move_item:",
            key="set_aside_runs",
            help="Moves damaged folders to runs/.set-aside. Nothing is deleted.",
        ):
            _do(lambda run: set_aside(run.folder), damaged)
        with st.popover(
            f"Delete {len(ended)}", disabled=not ended, icon=":material/delete:", key="ask_delete"
        ):
            st.markdown("Their results are deleted for good. The requests can be made again.")
            st.code("\n".join(_names(ended)), language=None)
            if st.button("Delete", type="primary", key="delete_runs"):
                _do(lambda run: delete(run.folder), ended)


def _names(runs: Sequence[RunSummary]) -> list[str]:
    names = [run.run_id for run in runs[:_LISTED]]
    more = len(runs) - len(names)
    return [*names, f"and {more} more"] if more else names


def _restart(run: RunSummary, workspace: Workspace) -> None:
    if run.request is not None:
        start(run.request, workspace.data_dir)


def _show_run(workspace: Workspace, run: RunSummary) -> None:
    label = request_label(run.request, run.run_id) if run.request is not None else "A folder"
    st.markdown(f"**{label}** `{run.run_id}`")
    _show_outcome(run)
    place = page_of(workspace, run)
    if place is not None:
        page, query = place
        link_to(page, f"Open on the page {page.label}", query)
    if run.request is not None:
        st.caption("The command that repeats it")
        st.code(command(run.request), language="sh", wrap_lines=True)
    with st.expander("Manifest", icon=":material/description:", key="run_manifest"):
        try:
            st.json(run.folder.manifest())
        except FewshotError as error:
            st.caption(str(error))
    with st.expander("Log", icon=":material/article:", expanded=True, key="run_log"):
        st.code(run.folder.log_tail() or "the log is empty", language=None, height=220)


def _show_outcome(run: RunSummary) -> None:
    """Say how the run goes or, where it did not end well, why and what to do."""
    if run.state == DAMAGED:
        st.error(
            f"Damaged: {run.message}. *Set aside* moves the folder out of the way; nothing else "
            "is touched by it.",
            icon=":material/broken_image:",
        )
        return
    status = run.status
    if status is None:
        return
    what_to_do = advice(status.state)
    if what_to_do is not None:
        st.warning(
            f"**{status.state.value.capitalize()}**: {status.message}. {what_to_do}",
            icon=":material/warning:",
        )
    elif run.active:
        left = status.seconds_left
        text = status.message if left is None else f"{status.message}, {duration_text(left)} left"
        st.progress(min(1.0, status.done / status.total) if status.total else 0.0, text)
    else:
        st.markdown(f":material/check: {status.message}")


def _show_differences(chosen: Sequence[RunSummary]) -> None:
    readable = [run for run in chosen if run.request is not None]
    if len(readable) < len(chosen):
        st.caption(f"{len(chosen) - len(readable)} of them cannot be read and are left out.")
    if len(readable) < 2:
        return
    try:
        found = differences([run.folder for run in readable])
    except FewshotError as error:
        st.error(str(error))
        return
    st.markdown(f"**How the configurations of these {len(readable)} runs differ**")
    if not found:
        st.markdown("They do not.")
        return
    names = [run.run_id for run in readable]
    table = pd.DataFrame(list(found.values()), columns=names, index=pd.Index(found, name="option"))
    st.dataframe(
        table.reset_index(),
        hide_index=True,
        key="run_differences",
        alt=f"{len(table)} options in which {len(names)} runs differ",
    )


def _do(action: Callable[[RunSummary], object], runs: Sequence[RunSummary]) -> None:
    """Do something with each run; say what could not be done."""
    problems = []
    for run in runs:
        try:
            action(run)
        except (FewshotError, OSError) as error:
            problems.append(str(error))
    for problem in problems:
        st.error(problem)
    if not problems:
        st.rerun()
