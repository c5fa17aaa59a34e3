"""The Runs page: the table of all runs, and what can be done with them."""

import hashlib
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.column_config import DatetimeColumn, TextColumn

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.dashboard.shared.controls import (
    SEPARATOR,
    choose_from,
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
from fewshot_core.dashboard.shared.page import (
    RESULTS,
    RUNS,
    SPLIT,
    Workspace,
    link_to,
    page_of,
    show_empty,
)
from fewshot_core.dashboard.shared.sidebar import View, open_page, split_gain
from fewshot_core.dashboard.shared.splits import request_label, task_label
from fewshot_core.dashboard.shared.url import is_new, is_restored, publish, show_missing
from fewshot_core.runs import (
    KINDS,
    RunFolder,
    State,
    cancel,
    command,
    delete,
    in_data_folder,
    quarantine,
)
from fewshot_core.runs.estimate import duration_text
from fewshot_core.runs.jobs import advice
from fewshot_core.runs.overview import (
    DAMAGED,
    QUARANTINE,
    Notes,
    RunSummary,
    configuration,
    differences,
    outcome,
    read_notes,
    write_notes,
)
from fewshot_core.space import NAS_BENCH_201, PERCENT, SearchSpace, score_text
from fewshot_core.store import Store

REFRESH_SECONDS = 2.0
IDLE_SECONDS = 10.0

_DEMO = "demo"
_STATES = [state.value for state in State] + [DAMAGED]
_CHOSEN = "chosen_runs"
_COLUMNS = ["state", "what", "tags", "data set", "gain", "found", "evidence"]
_COLUMNS += ["when", "took", "size", "kind", "message", "run"]
_DETAILS = ["what", "method", "network", "label", "evidence", "when", "took", "message", "run"]
_DETAILS += ["words"]
_GROUP_COLUMNS = ["kind", "data set", "runs", "gain", "found", "evidence", "size"]
_FOUND = "Score, by the table in view, of the architecture that a search found"
_MOST_LISTED = 1_000
"""So many of the runs that pass the filters are listed."""
_ROWS = 7
_HEIGHT = 38 + 35 * _ROWS
_MOST_NAMES = 10
_DONE = {"Cancel": "Cancelled", "Resume": "Resumed", "Quarantine": "Moved to quarantine:"}

Frame = pd.DataFrame


def show_runs_page() -> None:
    """Draw the page."""
    view = open_page("Runs")
    runs = view.workspace.runs()
    _adopt_chosen(runs)
    if not runs:
        show_empty(
            "No run yet. Splits, searches and trainings appear here with their state, and can be "
            "inspected, compared, tagged, cancelled, resumed or deleted.",
            SPLIT,
            "Make a split",
        )
        return
    every = REFRESH_SECONDS if any(run.active for run in runs) else IDLE_SECONDS
    st.fragment(_show_runs, run_every=every)(view)


def _show_runs(view: View) -> None:
    workspace, place = view.workspace, st.container()
    with show_errors():
        read_notes(workspace.data_dir)
    rows = _rows(view)
    shown, group = _filtered(_of_finding(view, rows), workspace.store)
    place.caption(_summary(rows, shown))
    if group:
        shown = _show_groups(shown, group)
        if shown.empty:
            return
    if len(shown) > _MOST_LISTED:
        first = pd.Series(range(len(shown)), shown.index) < _MOST_LISTED
        shown = shown[first | shown.index.isin(st.session_state.get(_CHOSEN, []))]
    if "what" not in shown:
        shown = _detailed(shown, workspace.store)
    known = _known_tags(rows)
    if chosen := _choose(shown):
        _show_actions(workspace, chosen, known)
        if len(chosen) == 1:
            _show_run(workspace, chosen[0], known)
        else:
            _show_differences(shown.loc[[run.run_id for run in chosen]])
    elif len(shown):
        st.caption(
            "Choose a row for its notes, log and command, or to cancel, resume or delete the run. "
            "Tick several to compare or tag them."
        )


def _adopt_chosen(runs: Sequence[RunSummary]) -> None:
    if is_restored() or is_new("run"):
        names = {run.run_id for run in runs}
        wanted = list(filter(None, st.query_params.get("run", "").split(",")))
        st.session_state[_CHOSEN] = [name for name in wanted if name in names]
        show_missing([name for name in wanted if name not in names], len(runs))


def _rows(view: View) -> Frame:
    """Tabulate all runs, pinned ones first, with what they found by the table in view.

    What a search found beyond the limit of the cost has no score.
    """
    pairs = ((task.name, view.evaluator(task.name)) for task in view.space.datasets)
    evaluators = tuple((name, found) for name, found in pairs if found is not None)
    table, store = view.table and view.table.name, view.workspace.store
    return _tabulate(store, store.changes, view.space, table, view.kind, evaluators)


def _of_finding(view: View, rows: Frame) -> Frame:
    """Select the runs behind the finding that the URL names, if any."""
    key = st.query_params.get("finding")
    if key is None:
        return rows
    # Only for such links, since they load all figures.
    from fewshot_core.dashboard.results import findings_in
    from fewshot_core.reproduction import run_names

    evaluated, _ = findings_in(view)
    names = run_names(evaluated)
    for claim, evidence in evaluated:
        for _, group in evidence:
            if group.key == key:
                st.info(
                    f"Only the {counted(len(group.runs), 'run')} of {names[group.runs]}: "
                    f"{plain(claim.title)} ({plain(group.title)})",
                    icon=":material/filter_alt:",
                )
                link_to(RUNS, "All runs")
                return rows[rows.index.isin(group.runs)]
    st.warning("No finding rests on exactly these runs any more.", icon=":material/link_off:")
    link_to(RESULTS, "Findings", {"results": "Findings"})
    return rows


@lru_cache(maxsize=4)
def _tabulate(
    store: Store,
    changes: int,
    space: SearchSpace,
    table: str | None,
    kind: str,
    evaluators: tuple[tuple[str, SplitEvaluator], ...],
) -> Frame:
    gains, found, units = dict[str, float](), dict[str, float](), dict[str, str]()
    scores = store.found_accuracies(table or "", kind, space.name)
    for dataset, evaluator in evaluators:
        splits = store.splits(dataset, space=space.name)
        leaves = store.split_leaves(list(splits["run_id"]))
        gains |= {
            name: split_gain(of_split, evaluator)
            for name, of_split in zip(splits["run_id"], leaves, strict=True)
        }
        within = scores["architecture"].isin(evaluator.accuracy["architecture"])
        own = scores[within & (scores["dataset"] == dataset)]
        found |= dict(zip(own.index, own["accuracy_mean"], strict=True))
        units |= dict.fromkeys(own.index, space.dataset(dataset).stored_unit)
    runs = sorted(store.runs, key=lambda run: not run.notes.pinned)
    frame = pd.DataFrame(
        {
            "summary": runs,
            "state": [run.state for run in runs],
            "kind": [KINDS.label(run.kind) if run.kind else None for run in runs],
            "data set": [_data_set(run) for run in runs],
            "tags": [list(run.notes.tags) for run in runs],
            "size": [run.size for run in runs],
        },
        index=[run.run_id for run in runs],
    )
    columns: dict[str, dict[str, Any]] = {"gain": gains, "found": found, "unit": units}
    return frame.assign(**{name: frame.index.map(known.get) for name, known in columns.items()})


def _data_set(run: RunSummary) -> str | None:
    if run.kind is None:
        return None
    request = json.loads(run.manifest)["request"]
    return _task_label(request["dataset"], request.get("space", NAS_BENCH_201.name))


_task_label = lru_cache(maxsize=256)(task_label)


def _detailed(rows: Frame, store: Store) -> Frame:
    """Add what the requests of runs say, which is read for those that are shown or searched."""
    details = [{**_row(run), "what": _label(run, store)} for run in rows["summary"]]
    frame = rows.join(pd.DataFrame(details, rows.index, _DETAILS))
    frame["words"] += frame["what"].fillna("").str.lower()
    return frame


@lru_cache(maxsize=20_000)
def _row(run: RunSummary) -> Mapping[str, Any]:
    """What a row says of a run whatever else is here; ``words`` are those that are searched."""
    request, status, notes = run.request, run.status, run.notes
    evidence = request.evidence if request else None
    badges = evidence.notes(run.demo) if evidence else ()
    when = status and (status.started or status.updated)
    return {
        "method": request.method_label if request else None,
        "network": evidence.network if evidence else None,
        "label": SEPARATOR.join([evidence.label, *badges]) if evidence else None,
        "evidence": ", ".join(badges),
        "when": datetime.fromtimestamp(when, UTC) if when else None,
        "took": None if run.seconds is None else duration_text(run.seconds),
        "message": run.message,
        "run": run.run_id,
        "words": f"{run.message} {run.run_id} {notes.text} ".lower(),
    }


def _label(run: RunSummary, store: Store) -> str | None:
    label = "" if run.request is None else request_label(run.request, run.run_id, store)
    name = SEPARATOR.join(filter(None, [run.notes.name, label]))
    return "★ " * run.notes.pinned + name or None


def _filtered(rows: Frame, store: Store) -> tuple[Frame, str]:
    """Draw the filters; return the rows that pass them, and what they are grouped by."""
    left, middle, right = st.columns([5, 2, 4], vertical_alignment="bottom")
    options: dict[str, Any] = {"bind": "query-params", "placeholder": "in labels, notes, messages"}
    text = left.text_input("Find", key="run_text", **options).lower()
    options["placeholder"] = "any"
    with middle.popover("Filter", icon=":material/filter_list:", width="stretch"):
        states = st.multiselect("State", _STATES, key="run_state", **options)
        labels = [KINDS.label(name) for name in KINDS.names()]
        kinds = st.multiselect("Kind", labels, key="run_kind", **options)
        labels = sorted(set(rows["data set"].dropna()))
        datasets = st.multiselect("Data set of the run", labels, key="run_dataset", **options)
        known = [*_known_tags(rows), _DEMO]
        tags = st.multiselect("Tagged", known, key="run_tags", **options)
    group = choose_from("Group by", _GROUPS, "run_group", right)
    for column, wanted in (("state", states), ("kind", kinds), ("data set", datasets)):
        if wanted:
            rows = rows[rows[column].isin(wanted)]
    if tags:
        marks = rows["summary"].map(lambda run: {*run.notes.tags, run.demo * _DEMO})
        rows = rows[marks.map({*tags}.issubset)]
    if text or group:
        rows = _detailed(rows, store)
        rows = rows[rows["words"].str.contains(text, regex=False)]
    return rows, group


def _known_tags(rows: Frame) -> list[str]:
    return sorted({tag for tags in rows["tags"] for tag in tags})


def _summary(rows: Frame, shown: Frame) -> str:
    """Count runs and their sizes: "3 runs, 1.2 MB on disk, and 70 demonstration runs"."""
    demo = rows["summary"].map(lambda run: run.demo)
    own, count = rows[~demo], demo.sum()
    parts = [f"{counted(len(own), 'run')}, {_size_text(own['size'].sum())} on disk"]
    if count:
        parts.append(f"{count} demonstration runs, which cannot be changed")
    text = ", and ".join(parts)
    if len(shown) > _MOST_LISTED:
        return f"{text}; {_MOST_LISTED:,} of {len(shown):,} listed: find or filter the others"
    return f"{text}; {len(shown):,} shown" if len(shown) < len(rows) else text


_GROUPS = {
    "": "no grouping",
    "method": "metric or algorithm",
    "network": "network",
    "label": "evidence",
    "data set": "data set",
    "state": "state",
    "tags": "tag",
}
"""Columns to group runs by, with their names."""


def _show_groups(rows: Frame, group: str) -> Frame:
    """Draw the groups with means over runs of equal evidence; return the runs of the chosen one."""
    keys = list(dict.fromkeys([group, "kind", "data set", "label"]))
    readable = rows.dropna(subset=["label"]).explode("tags").fillna({"tags": "no tag"})
    if group != "tags":
        readable = readable.groupby(level=0, sort=False).head(1)
    parts = [part for _, part in readable.groupby(keys, sort=False)]
    table = [
        {
            **{_GROUPS.get(key, key): part[key].iloc[0] for key in keys},
            "runs": len(part),
            "gain": _mean_text(part["gain"], ".4f"),
            "found": _mean_score(part),
            "size": part["size"].sum(),
        }
        for part in parts
    ]
    text = "Mean ± standard deviation over the finished runs, and their number"
    answer = show_table(
        pd.DataFrame(table, columns=list(dict.fromkeys([_GROUPS[group], *_GROUP_COLUMNS]))),
        f"{len(parts)} groups of runs",
        {
            "gain": TextColumn("gain, bits", help=text),
            "found": TextColumn(help=text),
            "size": numbers("bytes"),
        },
        key=f"groups_{_digest(name for part in parts for name in part.index)}",
        selection_mode="single-row",
        height=_HEIGHT if len(parts) > _ROWS else "content",
    )
    for row in answer.selection.rows:
        chosen: Frame = rows.loc[parts[row].index]
        return chosen
    st.caption("Choose a group to list its runs. Runs of different evidence are never joined.")
    return rows.iloc[:0]


def _mean_text(values: "pd.Series[Any]", form: str, unit: str = "") -> str | None:
    known = values.dropna().astype(float)
    if known.empty:
        return None
    deviation = f" ± {known.std():{form}}" if len(known) > 1 else ""
    return f"{known.mean():{form}}{deviation}{unit} ({len(known)})"


def _mean_score(rows: Frame) -> str | None:
    for unit in rows["unit"].dropna()[:1]:
        percent = unit == PERCENT
        return _mean_text(rows["found"], *((".2f", "%") if percent else (".4g", f" {unit}")))
    return None


def _found_column(rows: Frame) -> tuple["pd.Series[Any]", Any]:
    """Return the scores found, with their column: text where data sets have different units."""
    units = [*rows["unit"].dropna().unique()] or [PERCENT]
    if len(units) == 1:
        form = "%.2f" if units == [PERCENT] else "%.4g"
        return rows["found"], numbers(form, _FOUND, label=f"found, {units[0]}")
    texts = [_found_text(row) for row in rows.to_dict("records")]
    return pd.Series(texts, rows.index, dtype=object), TextColumn(help=_FOUND)


def _found_text(row: Mapping[Hashable, Any]) -> str:
    return "-" if pd.isna(row["found"]) else score_text(row["found"], row["unit"])


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _choose(shown: Frame) -> list[RunSummary]:
    """Draw the table and return the chosen runs.

    The key of the table depends on the runs in it, and the chosen ones are selected again in a new
    table: a selected row number always means the run that was clicked.
    """
    known = st.session_state.setdefault(_CHOSEN, [])
    rows = [number for number, name in enumerate(shown.index) if name in known]
    found, column = _found_column(shown)
    answer = show_table(
        shown.assign(found=found)[
            [name for name in _COLUMNS if name != "tags" or _known_tags(shown)]
        ],
        f"{len(shown)} runs with their states",
        {
            "what": TextColumn(width=330),
            "gain": numbers("%.4f", "Information gain of a split by the table in view", 60, "bits"),
            "found": column,
            "when": DatetimeColumn(format="DD MMM YY, HH:mm", width=115),
            "took": TextColumn(width=80, help="Working time, without waiting and loading"),
            "evidence": TextColumn(width=140),
            "size": numbers("bytes"),
            "message": TextColumn(width="medium"),
        },
        export="runs",
        key=f"runs_{_digest(shown.index)}",
        selection_mode="multi-row",
        selection_default=selected_rows(rows),
        height=_HEIGHT if len(shown) > _ROWS else "content",
    )
    chosen = [shown["summary"].iloc[row] for row in answer.selection.rows if row < len(shown)]
    st.session_state[_CHOSEN] = [run.run_id for run in chosen]
    publish({"run": ",".join(st.session_state[_CHOSEN]) or None})
    return chosen


def _size_text(size: float) -> str:
    """Format a size with its unit: "1.2 GB"."""
    digits = 0
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.{digits}f} {unit}"
        size, digits = size / 1000, 1
    return f"{size:.1f} TB"


def _show_actions(workspace: Workspace, chosen: Sequence[RunSummary], known: Sequence[str]) -> None:
    own = [run for run in chosen if not run.demo]
    active = [run for run in own if run.active]
    ended = [run for run in own if not run.active]
    stopped = [run for run in own if run.restartable]
    damaged = [run for run in ended if run.state == DAMAGED]
    with st.container(horizontal=True, vertical_alignment="center"):
        _offer("Cancel", "cancel", active, cancel)
        text = "Finished epochs and scores are not computed again."
        _offer("Resume", "replay", stopped, lambda run: workspace.start([run.request()]), text)
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
        if len(chosen) > 1:
            with st.popover(f"Tag {len(chosen)}", icon=":material/label:"):
                tags = st.multiselect("Tags to add", known, accept_new_options=True, key="new_tags")
                if st.button("Add", type="primary", key="add_tags"):
                    _save(workspace, [(run, _tagged(run.notes, tags)) for run in chosen])
        elif shown_on := page_of(workspace, chosen[0]):
            page, query = shown_on
            link_to(page, f"Open on the page {page.label}", query)


def _tagged(notes: Notes, tags: Iterable[str]) -> Notes:
    return replace(notes, tags=tuple(dict.fromkeys([*notes.tags, *tags])))


def _save(workspace: Workspace, notes: Iterable[tuple[RunSummary, Notes]]) -> None:
    changed = {run.run_id: each for run, each in notes}
    with show_errors():
        write_notes(changed, workspace.data_dir)
        notify(f"Saved the notes of {counted(len(changed), 'run')}")
        st.rerun()


def _offer(
    label: str,
    icon: str,
    runs: Sequence[RunSummary],
    action: Callable[[RunFolder], object],
    text: str | None = None,
) -> None:
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


def _show_run(workspace: Workspace, run: RunSummary, known: Sequence[str]) -> None:
    label = _label(run, workspace.store) or "A folder"
    st.markdown(f"**{plain(label)}** · {plain(run.run_id)}")
    _show_outcome(run)
    names = ["Notes", "Log", "Command", "Manifest"]
    stopped = run.status is not None and advice(run.status.state) is not None
    notes, log, repeat, manifest = st.tabs(names, default="Log" if stopped else "Notes")
    with notes:
        _edit_notes(workspace, run, known)
    with log:
        show_log(run.folder.log_tail(), height=220)
    with repeat:
        if run.request is None:
            st.caption("Its request cannot be read.")
        else:
            text = in_data_folder(command(run.request), workspace.data_dir)
            st.code(text, language="sh", wrap_lines=True)
    with manifest, st.container(height=240), show_errors():
        st.json(run.folder.manifest())


def _edit_notes(workspace: Workspace, run: RunSummary, known: Sequence[str]) -> None:
    notes = run.notes
    with st.form(f"notes_{run.run_id}", border=False):
        first, second, third = st.columns([4, 4, 1], vertical_alignment="bottom")
        text = "Shown in labels; the run's identifier and folder stay as they are."
        name = first.text_input("Name", notes.name, max_chars=80, help=text)
        tags = second.multiselect("Tags", known, notes.tags, accept_new_options=True)
        pinned = third.toggle("Pin", notes.pinned, help="Pinned runs are listed first.")
        text = st.text_area("Notes", notes.text, height=80)
        if st.form_submit_button("Save", icon=":material/save:"):
            _save(workspace, [(run, Notes(name.strip(), text, tuple(tags), pinned))])


def _show_outcome(run: RunSummary) -> None:
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


def _show_differences(rows: Frame) -> None:
    readable = rows[[run.request is not None for run in rows["summary"]]]
    if len(readable) < len(rows):
        st.caption(f"{len(rows) - len(readable)} of them cannot be read and are left out.")
    if len(readable) < 2:
        return
    folders = [run.folder for run in readable["summary"]]
    for place, what in zip(st.tabs(["Requests", "Results"]), ("option", "result"), strict=True):
        with place, show_errors():
            if what == "option":
                values = [configuration(folder) for folder in folders]
            else:
                values = [_result(row) for row in readable.to_dict("records")]
            table = pd.DataFrame(differences(values), index=readable.index).T
            if table.empty:
                st.markdown("No differences.")
                continue
            alt = f"{len(table)} values of the {what}s in which {len(readable)} runs differ"
            show_table(table.rename_axis(what).reset_index(), alt, key=f"{what}_differences")


def _result(row: Mapping[Hashable, Any]) -> dict[str, str]:
    found = {"state": row["state"], "working time": row["took"] or "-"}
    found["information gain, bits"] = "-" if pd.isna(row["gain"]) else f"{row['gain']:.4f}"
    found["score of the architecture found"] = _found_text(row)
    return found | outcome(row["summary"].folder)
