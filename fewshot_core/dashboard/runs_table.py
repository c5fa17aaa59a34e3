"""The runs of the data folder: what they are, how they go, and what can be done with them."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.navigation import SPLIT
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.request_labels import request_label
from fewshot_core.dashboard.states import show_empty
from fewshot_core.errors import FewshotError
from fewshot_core.runs import RunFolder, State, cancel, delete, list_runs, start

REFRESH_SECONDS = 2.0

_COLUMNS = ["state", "what", "data set", "message", "started", "seconds", "size", "run"]


def show_runs(workspace: Workspace) -> None:
    """Draw the table of runs with what can be done with the chosen ones."""
    st.subheader("Runs")
    if not list_runs(workspace.data_dir):
        show_empty(
            "No run yet. Splits appear here with their state, and can be cancelled, started "
            "again or deleted.",
            SPLIT,
            "Make a split",
        )
        return
    _show_table(workspace)


@st.fragment(run_every=REFRESH_SECONDS)
def _show_table(workspace: Workspace) -> None:
    folders = list_runs(workspace.data_dir)
    table = pd.DataFrame([_row(folder) for folder in folders], columns=_COLUMNS)
    answer = st.dataframe(
        table,
        key="runs",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="-",
        column_config={
            "started": st.column_config.DatetimeColumn(format="DD MMM YYYY, HH:mm"),
            "seconds": st.column_config.NumberColumn(format="%.1f"),
            "size": st.column_config.NumberColumn(format="bytes"),
            "message": st.column_config.TextColumn(width="medium"),
        },
        alt=f"{len(table)} runs with their states",
    )
    chosen = [folders[row] for row in answer.selection.rows if row < len(folders)]
    if chosen:
        _show_actions(workspace, chosen)
    else:
        st.caption("Choose rows to cancel, start again or delete them, or to read their log.")


def _row(folder: RunFolder) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in folder.path.glob("*") if path.is_file())
    row: dict[str, Any] = {"run": folder.run_id, "size": size}
    try:
        status, request = folder.status(), folder.request()
    except FewshotError as error:
        return row | {"state": "damaged", "message": str(error)}
    row |= {
        "state": status.state.value,
        "what": request_label(request, folder.run_id),
        "data set": request.dataset,
        "message": status.message,
    }
    if status.started is not None:
        row["started"] = datetime.fromtimestamp(status.started, UTC)
        if status.updated is not None:
            row["seconds"] = status.updated - status.started
    return row


def _show_actions(workspace: Workspace, chosen: list[RunFolder]) -> None:
    states = [_state(folder) for folder in chosen]
    active = [f for f, state in zip(chosen, states, strict=True) if state and state.active]
    ended = [f for f, state in zip(chosen, states, strict=True) if not (state and state.active)]
    stopped = [
        f
        for f, state in zip(chosen, states, strict=True)
        if state in (State.FAILED, State.CANCELLED, State.LOST)
    ]
    columns = st.columns(4)
    if columns[0].button(
        f"Cancel {len(active)}", disabled=not active, icon=":material/cancel:", key="cancel_runs"
    ):
        _do(cancel, active)
    if columns[1].button(
        f"Start {len(stopped)} again",
        disabled=not stopped,
        icon=":material/replay:",
        key="restart_runs",
    ):
        _do(lambda folder: start(folder.request(), workspace.data_dir), stopped)
    with columns[2].popover(
        f"Delete {len(ended)}", disabled=not ended, icon=":material/delete:", key="ask_delete"
    ):
        st.markdown("Their results are deleted for good. The request can be made again.")
        if st.button("Delete", type="primary", key="delete_runs"):
            _do(delete, ended)
    if len(chosen) == 1:
        st.code(chosen[0].log_tail() or "the log is empty", language=None, height=200)


def _state(folder: RunFolder) -> State | None:
    try:
        return folder.status().state
    except FewshotError:
        return None


def _do(action: Any, folders: list[RunFolder]) -> None:
    """Do something with each run; say what could not be done."""
    problems = []
    for folder in folders:
        try:
            action(folder)
        except (FewshotError, OSError) as error:
            problems.append(str(error))
    for problem in problems:
        st.error(problem)
    if not problems:
        st.rerun()
