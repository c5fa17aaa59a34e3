"""The runs of the data folder on a page."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.shared.page import (
    SEARCH,
    SPLIT,
    Page,
    Workspace,
    link_to,
    show_empty,
)
from fewshot_core.dashboard.shared.splits import request_label
from fewshot_core.data_folder import demo_dir
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.runs import (
    KINDS,
    RunFolder,
    SearchRequest,
    SplitRequest,
    State,
    cancel,
    command,
    delete,
    list_runs,
    quarantine,
    start,
)
from fewshot_core.runs.folder import FileCache
from fewshot_core.runs.jobs import advice
from fewshot_core.runs.overview import DAMAGED, RunSummary, differences
from fewshot_core.space import SubSpace


def page_of(workspace: Workspace, run: RunSummary) -> tuple[Page, dict[str, str]] | None:
    """Return the page that shows a run, with what brings it into view; None for a damaged one."""
    request, status = run.request, run.status
    if request is None or status is None:
        return None
    query = {"dataset": request.dataset}
    if isinstance(request, SplitRequest):
        if status.state is State.DONE and run.problem is None:
            query["split"] = run.run_id
        return SPLIT, query
    if isinstance(request, SearchRequest):
        family = request.family(run.folder.manifest().get("fingerprints", {}))
        query |= _place(workspace, request) | {"plan": family}
    return SEARCH, query


def _place(workspace: Workspace, request: SearchRequest) -> dict[str, str]:
    """Return what brings the sub-space of a search into view: a split that has it, or the whole."""
    if request.rows == tuple(SubSpace.full().rows):
        return {"where": "whole"}
    split = workspace.store.split_with(request.dataset, request.sub_space)
    return {} if split is None else {"split": split}


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
            help="Moves damaged folders to runs/.quarantine. Nothing is deleted.",
        ):
            _do(lambda run: quarantine(run.folder), damaged)
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


REFRESH_SECONDS = 2.0
IDLE_SECONDS = 10.0

_STATES = [state.value for state in State] + [DAMAGED]
_CHOSEN = "chosen_runs"
_COLUMNS = ["state", "kind", "what", "data set", "started", "seconds", "message", "size", "run"]


def show_runs(workspace: Workspace) -> None:
    """Draw the table of runs with what can be done with the chosen ones."""
    st.subheader("Runs")
    runs = workspace.runs()
    if not runs:
        show_empty(
            "No run yet. Splits, searches and trainings appear here with their state, and can be "
            "looked into, compared, cancelled, started again or deleted.",
            SPLIT,
            "Make a split",
        )
        _show_demo()
        return
    every = REFRESH_SECONDS if any(run.active for run in runs) else IDLE_SECONDS
    st.fragment(_show_table, run_every=every)(workspace)
    _show_demo()


def _show_demo() -> None:
    """Say how many runs came with the project: the other pages show them beside one's own."""
    demo = demo_dir()
    count = len(list_runs(demo)) if demo else 0
    if count:
        st.caption(
            f"Beside these, {count} demonstration runs at reduced scale came with the project. "
            "They are marked on the other pages and cannot be changed."
        )


def _show_table(workspace: Workspace) -> None:
    runs = workspace.runs()
    shown = _filtered(runs)
    _show_sum(runs, shown)
    chosen = _choose(shown)
    if chosen:
        show_chosen(workspace, chosen)
    elif shown:
        st.caption(
            "Choose a row to see its command, manifest and log, to cancel, start again or delete "
            "it; choose several to compare their configurations."
        )


def _filtered(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Draw the filters and return the runs that pass them."""
    state_column, kind_column, data_column, text_column = st.columns(4)
    states = state_column.multiselect(
        "State", _STATES, key="run_state", bind="query-params", placeholder="any"
    )
    kinds = kind_column.multiselect(
        "Kind",
        KINDS.names(),
        key="run_kind",
        bind="query-params",
        format_func=lambda name: KINDS.get(name).label,
        placeholder="any",
    )
    datasets = data_column.multiselect(
        "Data set of the run",
        DATASETS.names(),
        key="run_dataset",
        bind="query-params",
        format_func=lambda name: DATASETS.get(name).label,
        placeholder="any",
    )
    text = text_column.text_input(
        "Text",
        key="run_text",
        bind="query-params",
        placeholder="in what, message or name",
    )
    return [
        run
        for run in runs
        if (not states or run.state in states)
        and (not kinds or run.kind in kinds)
        and (not datasets or (run.request is not None and run.request.dataset in datasets))
        and text.lower() in f"{_what(run)} {run.message} {run.run_id}".lower()
    ]


def _show_sum(runs: Sequence[RunSummary], shown: Sequence[RunSummary]) -> None:
    total = f"{len(runs):,} runs, {size_text(sum(run.size for run in runs))} on the disk"
    if len(shown) < len(runs):
        total += f"; {len(shown):,} shown, {size_text(sum(run.size for run in shown))}"
    st.caption(total)


def _choose(shown: Sequence[RunSummary]) -> list[RunSummary]:
    """Draw the table and return the chosen runs.

    The table of other runs is another table, in which the chosen runs are chosen again: a row
    number never comes to mean another run than the one that was clicked.
    """
    names = [run.run_id for run in shown]
    known = st.session_state.setdefault(_CHOSEN, st.query_params.get_all("run"))
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
    rows = [number for number, name in enumerate(names) if name in known]
    table = pd.DataFrame([_row(run) for run in shown], columns=_COLUMNS)
    answer = st.dataframe(
        table,
        key=f"runs_{digest}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": rows, "columns": [], "cells": []}},
        placeholder="-",
        column_config={
            "started": st.column_config.DatetimeColumn(format="DD MMM YYYY, HH:mm"),
            "seconds": st.column_config.NumberColumn(format="%.1f"),
            "size": st.column_config.NumberColumn(format="bytes"),
            "message": st.column_config.TextColumn(width="medium"),
        },
        alt=f"{len(table)} runs with their states",
    )
    chosen = [shown[row] for row in answer.selection.rows if row < len(shown)]
    st.session_state[_CHOSEN] = [run.run_id for run in chosen]
    return chosen


def _row(run: RunSummary) -> dict[str, Any]:
    row: dict[str, Any] = {
        "state": run.state,
        "kind": KINDS.get(run.kind).label if run.kind else None,
        "what": _what(run) or None,
        "data set": DATASETS.get(run.request.dataset).label if run.request else None,
        "message": run.message,
        "seconds": run.seconds,
        "size": run.size,
        "run": run.run_id,
    }
    if run.status is not None and run.status.started is not None:
        row["started"] = datetime.fromtimestamp(run.status.started, UTC)
    return row


def _what(run: RunSummary) -> str:
    return _LABELS.read(run.folder.manifest_path) if run.request is not None else ""


def _label(manifest: Path) -> str:
    run = RunFolder(manifest.parent)
    return request_label(run.request(), run.run_id)


_LABELS = FileCache(_label)


def size_text(size: float) -> str:
    """Return bytes as a person writes them: "1.2 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
