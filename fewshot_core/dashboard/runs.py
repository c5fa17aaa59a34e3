"""The page Runs and data: the table of runs, and what can be done with them."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.column_config import DatetimeColumn, TextColumn

from fewshot_core.dashboard.data import show_images, show_tables
from fewshot_core.dashboard.shared.activity import page_of
from fewshot_core.dashboard.shared.controls import (
    counted,
    notify,
    numbers,
    plain,
    selected_rows,
    show_errors,
    show_log,
    show_progress,
    show_table,
)
from fewshot_core.dashboard.shared.page import SPLIT, Workspace, link_to, show_empty
from fewshot_core.dashboard.shared.sidebar import (
    is_new,
    is_restored,
    open_page,
    publish,
    show_missing,
)
from fewshot_core.dashboard.shared.splits import request_label
from fewshot_core.data_folder import demo_dir
from fewshot_core.datasets import DATASETS
from fewshot_core.durations import duration_text
from fewshot_core.runs import (
    KINDS,
    RunFolder,
    State,
    cancel,
    command,
    delete,
    in_data_folder,
    list_runs,
    quarantine,
    start,
)
from fewshot_core.runs.jobs import advice
from fewshot_core.runs.overview import DAMAGED, QUARANTINE, RunSummary, differences
from fewshot_core.store import Store

REFRESH_SECONDS = 2.0
IDLE_SECONDS = 10.0

_STATES = [state.value for state in State] + [DAMAGED]
_CHOSEN = "chosen_runs"
_COLUMNS = ["state", "kind", "what", "data set", "started", "took", "message", "size", "run"]
_MOST_NAMES = 10
_DONE = {"Cancel": "Cancelled", "Restart": "Restarted", "Quarantine": "Moved to quarantine:"}


def show_runs_and_data_page() -> None:
    """Draw the page."""
    workspace = open_page("Runs and data").workspace
    _show_runs(workspace)
    show_tables(workspace)
    show_images(workspace)


def _show_runs(workspace: Workspace) -> None:
    st.subheader("Runs")
    runs = workspace.runs()
    _adopt_chosen(runs)
    if runs:
        every = REFRESH_SECONDS if any(run.active for run in runs) else IDLE_SECONDS
        st.fragment(_show_table, run_every=every)(workspace)
    else:
        show_empty(
            "No run yet. Splits, searches and trainings appear here with their state, and can be "
            "inspected, compared, cancelled, started again or deleted.",
            SPLIT,
            "Make a split",
        )
    demo = demo_dir()
    if count := len(list_runs(demo)) if demo else 0:
        st.caption(
            f"There are also {count} demonstration runs at reduced scale. They are marked on the "
            "other pages and cannot be changed."
        )


def _show_table(workspace: Workspace) -> None:
    runs = workspace.runs()
    shown = _filtered(workspace.store, runs)
    total = f"{len(runs):,} runs, {_size_text(runs)} on disk"
    if len(shown) < len(runs):
        total += f"; {len(shown):,} shown, {_size_text(shown)}"
    st.caption(total)
    if chosen := _choose(workspace.store, shown):
        _show_actions(workspace, chosen)
        if len(chosen) == 1:
            _show_run(workspace, chosen[0])
        else:
            with show_errors():
                _show_differences([run for run in chosen if run.request is not None], len(chosen))
    elif shown:
        st.caption(
            "Choose a row to see its command, manifest and log, or to cancel, restart or delete "
            "it; choose several to compare their configurations."
        )


def _adopt_chosen(runs: Sequence[RunSummary]) -> None:
    """Choose the runs that the URL names, where it is a new one."""
    if is_restored() or is_new("run"):
        names = {run.run_id for run in runs}
        wanted = list(filter(None, st.query_params.get("run", "").split(",")))
        st.session_state[_CHOSEN] = [name for name in wanted if name in names]
        show_missing([name for name in wanted if name not in names], len(runs))


def _filtered(store: Store, runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Draw the filters and return the runs that pass them."""
    columns = st.columns(4)
    options: dict[str, Any] = {"bind": "query-params", "placeholder": "any"}
    states = columns[0].multiselect("State", _STATES, key="run_state", **options)
    kinds = columns[1].multiselect(
        "Kind", KINDS.names(), key="run_kind", format_func=KINDS.label, **options
    )
    label, names = "Data set of the run", DATASETS.names()
    datasets = columns[2].multiselect(
        label, names, key="run_dataset", format_func=DATASETS.label, **options
    )
    options["placeholder"] = "in what, message or name"
    text = columns[3].text_input("Text", key="run_text", **options).lower()
    return [
        run
        for run in runs
        if (not states or run.state in states)
        and (not kinds or run.kind in kinds)
        and (not datasets or (run.request is not None and run.request.dataset in datasets))
        and text in f"{_label(run, store)} {run.message} {run.run_id}".lower()
    ]


def _choose(store: Store, shown: Sequence[RunSummary]) -> list[RunSummary]:
    """Draw the table and return the chosen runs.

    The key of the table depends on the runs in it, and the chosen ones are selected again in a new
    table: a selected row number always means the run that was clicked.
    """
    names = [run.run_id for run in shown]
    known = st.session_state.setdefault(_CHOSEN, [])
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
    rows = [number for number, name in enumerate(names) if name in known]
    answer = show_table(
        pd.DataFrame([_row(run, store) for run in shown], columns=_COLUMNS),
        f"{len(shown)} runs with their states",
        {
            "started": DatetimeColumn(format="DD MMM YYYY, HH:mm"),
            "took": TextColumn(help="Working time, without waiting and loading"),
            "size": numbers("bytes"),
            "message": TextColumn(width="medium"),
        },
        key=f"runs_{digest}",
        on_select="rerun",
        selection_mode="multi-row",
        selection_default=selected_rows(rows),
    )
    chosen = [shown[row] for row in answer.selection.rows if row < len(shown)]
    st.session_state[_CHOSEN] = [run.run_id for run in chosen]
    publish({"run": ",".join(st.session_state[_CHOSEN]) or None})
    return chosen


def _row(run: RunSummary, store: Store) -> dict[str, Any]:
    started = run.status.started if run.status else None
    return {
        "state": run.state,
        "kind": KINDS.label(run.kind) if run.kind else None,
        "what": _label(run, store) or None,
        "data set": DATASETS.label(run.request.dataset) if run.request else None,
        "started": None if started is None else datetime.fromtimestamp(started, UTC),
        "message": run.message,
        "took": None if run.seconds is None else duration_text(run.seconds),
        "size": run.size,
        "run": run.run_id,
    }


def _label(run: RunSummary, store: Store) -> str:
    return "" if run.request is None else request_label(run.request, run.run_id, store)


def _size_text(runs: Sequence[RunSummary]) -> str:
    """Return the size of runs with its unit: "1.2 GB"."""
    size, digits = float(sum(run.size for run in runs)), 0
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.{digits}f} {unit}"
        size, digits = size / 1000, 1
    return f"{size:.1f} TB"


def _show_actions(workspace: Workspace, chosen: Sequence[RunSummary]) -> None:
    active = [run for run in chosen if run.active]
    ended = [run for run in chosen if not run.active]
    stopped = [run for run in chosen if run.restartable]
    damaged = [run for run in ended if run.state == DAMAGED]
    data_dir = workspace.data_dir
    with st.container(horizontal=True):
        _offer("Cancel", "cancel", active, cancel)
        text = "Finished epochs and scores are not computed again."
        _offer("Restart", "replay", stopped, lambda run: start(run.request(), data_dir), text)
        if damaged:
            text = f"Moves damaged folders to runs/{QUARANTINE}. Nothing is deleted."
            _offer("Quarantine", "move_item", damaged, quarantine, text)
        with st.popover(
            f"Delete {len(ended)}", disabled=not ended, icon=":material/delete:", key="ask_delete"
        ):
            st.markdown("Their results are deleted and cannot be restored.")
            names = [run.run_id for run in ended[:_MOST_NAMES]]
            if len(ended) > len(names):
                names.append(f"and {len(ended) - len(names)} more")
            st.code("\n".join(names), language=None)
            if st.button("Delete", type="primary", key="delete_runs"):
                _apply(delete, ended, "Deleted")


def _offer(
    label: str,
    icon: str,
    runs: Sequence[RunSummary],
    action: Callable[[RunFolder], object],
    text: str | None = None,
) -> None:
    """Draw a button that applies an action to some runs."""
    key, icon = f"{label.lower()}_runs", f":material/{icon}:"
    if st.button(f"{label} {len(runs)}", key, text, icon=icon, disabled=not runs):
        _apply(action, runs, _DONE[label])


def _apply(action: Callable[[RunFolder], object], runs: Sequence[RunSummary], verb: str) -> None:
    """Apply an action to each run, show failures, and run the page again if there are none."""
    done = 0
    for run in runs:
        with show_errors():
            action(run.folder)
            done += 1
    if done == len(runs):
        notify(f"{verb} {counted(done, 'run')}")
        st.rerun()


def _show_run(workspace: Workspace, run: RunSummary) -> None:
    st.markdown(f"**{plain(_label(run, workspace.store) or 'A folder')}** `{run.run_id}`")
    _show_outcome(run)
    if shown_on := page_of(workspace, run):
        page, query = shown_on
        link_to(page, f"Open on the page {page.label}", query)
    if run.request is not None:
        st.caption("Reproduce it with")
        st.code(
            in_data_folder(command(run.request), workspace.data_dir), language="sh", wrap_lines=True
        )
    place = st.expander("Manifest", icon=":material/description:", key="run_manifest")
    with place, show_errors():
        st.json(run.folder.manifest())
    with st.expander("Log", icon=":material/article:", expanded=True, key="run_log"):
        show_log(run.folder.log_tail(), height=220)


def _show_outcome(run: RunSummary) -> None:
    """Show the state of a run and, where it did not end well, why and what to do."""
    status = run.status
    if run.state == DAMAGED or status is None:
        st.error(
            f"Damaged: {plain(run.message)}. *Quarantine* moves this folder, and nothing else, "
            "out of the way.",
            icon=":material/broken_image:",
        )
    elif what_to_do := advice(status.state):
        st.warning(
            f"**{status.state.value.capitalize()}**: {plain(status.message)}. {what_to_do}",
            icon=":material/warning:",
        )
    elif run.active:
        show_progress(status)
    else:
        st.markdown(f":material/check: {plain(status.message)}")


def _show_differences(readable: Sequence[RunSummary], count: int) -> None:
    if len(readable) < count:
        st.caption(f"{count - len(readable)} of them cannot be read and are left out.")
    if len(readable) < 2:
        return
    found = differences([run.folder for run in readable])
    st.markdown(f"**Differences between the configurations of these {len(readable)} runs**")
    if not found:
        st.markdown("No differences.")
        return
    names = [run.run_id for run in readable]
    table = pd.DataFrame(list(found.values()), columns=names, index=pd.Index(found, name="option"))
    alt = f"{len(table)} options in which {len(names)} runs differ"
    show_table(table.reset_index(), alt, key="run_differences")
