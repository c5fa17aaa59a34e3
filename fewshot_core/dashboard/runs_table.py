"""The runs of the data folder: what they are, how they go, and which of them to look at."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.navigation import SPLIT
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.request_labels import request_label
from fewshot_core.dashboard.runs_chosen import show_chosen
from fewshot_core.dashboard.states import show_empty
from fewshot_core.datafolder import demo_dir
from fewshot_core.datasets import DATASETS
from fewshot_core.runs import KINDS, RunFolder, State, list_runs
from fewshot_core.runs.memo import FileMemo
from fewshot_core.runs.overview import DAMAGED, RunSummary

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


_LABELS = FileMemo(_label)


def size_text(size: float) -> str:
    """Return bytes as a person writes them: "1.2 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
