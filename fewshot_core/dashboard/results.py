"""The tables of the paper from recorded searches, beside what the paper reports."""

from collections import Counter

import pandas as pd
import streamlit as st

from fewshot_core.analysis import recorded_results, results_csv, results_latex, results_markdown
from fewshot_core.analysis.results import results_table
from fewshot_core.dashboard.figures import accuracy_source, show_source
from fewshot_core.dashboard.loading import load_accuracy
from fewshot_core.dashboard.page import Workspace
from fewshot_core.dashboard.results_cell import show_cell
from fewshot_core.dashboard.results_grid import show_grid
from fewshot_core.dashboard.states import show_missing_table
from fewshot_core.dashboard.views import View
from fewshot_core.datasets import DATASETS
from fewshot_core.splitting.imported import imported_names
from fewshot_core.store import KnownSplit, known_splits

SHOWN = {"both": "Measured and published", "measured": "Measured", "published": "Published"}
ALL = "all"


def show_results(workspace: Workspace, view: View) -> None:
    """Show the table of the data set in view, and what would fill a cell of it."""
    if view.table is None:
        show_missing_table(view)
        return
    stamp = _stamp(workspace, view)
    splits, found = _read(workspace, view, stamp, view.dataset, view.kind)
    number = DATASETS.names().index(view.dataset) + 1
    st.subheader(f"Table {number} of the paper: {DATASETS.get(view.dataset).label}")
    preset, show = _choose(found)
    table = _table(found, stamp, view.dataset, preset, view.kind)
    _say_what_it_is(view, table)
    chosen = show_grid(table, show)
    _show_source(view, table, preset)
    _show_exports(view, table, show)
    show_cell(workspace, view, table, chosen, splits)


def _stamp(workspace: Workspace, view: View) -> str:
    """Return what changes when splits, searches or the table in view do."""
    table = view.table and (view.table.name, view.table.fingerprint, view.table.created)
    imported = imported_names(workspace.data_dir)
    return str((workspace.data_dir, workspace.store.revision, imported, table))


@st.cache_resource(show_spinner="Reading recorded searches", max_entries=16)
def _read(
    _workspace: Workspace, _view: View, stamp: str, dataset: str, kind: str
) -> tuple[list[KnownSplit], pd.DataFrame]:
    """Return the splits of the data set in view, and what searches in them found."""
    store = _workspace.store
    splits = known_splits(store, _workspace.data_dir, dataset)
    searches = store.searches(dataset)
    records = store.search_records(list(searches["run_id"]))
    accuracy = load_accuracy(_workspace, _view)
    return splits, recorded_results(splits, searches, records, accuracy)


@st.cache_resource(show_spinner=False, max_entries=32)
def _table(
    _found: pd.DataFrame, stamp: str, dataset: str, preset: str | None, kind: str
) -> pd.DataFrame:
    return results_table(_found, dataset, preset, accuracy=kind)


def _choose(found: pd.DataFrame) -> tuple[str | None, str]:
    """Choose which presets count, and what the cells show."""
    counts = Counter(found.drop_duplicates("run_id")["preset"])
    names = [*sorted(counts, key=lambda name: (-counts[name], name)), ALL]
    left, right = st.columns(2)
    if st.session_state.get("results_preset") not in names:
        st.session_state.pop("results_preset", None)
    preset = left.selectbox(
        "Searches with the preset",
        names,
        key="results_preset",
        bind="query-params",
        help="Only searches with the same settings can be compared. With all of them, a cell that "
        "mixes several is marked.",
    )
    show = right.segmented_control(
        "Cells show",
        list(SHOWN),
        default="both",
        required=True,
        key="cells",
        bind="query-params",
        format_func=SHOWN.__getitem__,
    )
    return None if preset == ALL else str(preset), str(show)


def _say_what_it_is(view: View, table: pd.DataFrame) -> None:
    if table["seeds"].sum() == 0:
        st.info(
            "No split is searched completely yet: what is measured here will stand beside the "
            "published numbers. Choose a cell, and *Start* runs the searches that fill it.",
            icon=":material/table_chart:",
        )
    if view.kind != "test":
        st.warning(
            "The paper reports test accuracies. What is measured here is looked up in a table of "
            "validation accuracies, which are on another scale, so that no difference is shown: "
            "choose *test* at the left for one.",
            icon=":material/straighten:",
        )


def _show_source(view: View, table: pd.DataFrame, preset: str | None) -> None:
    presets = sorted({name for names in table["presets"] for name in names.split(", ") if name})
    parts = [*accuracy_source(view), f"presets {', '.join(presets) or 'none'}"]
    if table["mixed"].any():
        parts.append("† mixes presets or splits")
    command = f"fewshot results --dataset {view.dataset} --accuracy {view.kind}"
    command += f" --table {view.table.name}" if view.table else ""
    command += f' --preset "{preset}"' if preset else ""
    show_source(parts, command, "results_source")


def _show_exports(view: View, table: pd.DataFrame, show: str) -> None:
    texts = {
        "CSV": (lambda: results_csv(table), "csv", "text/csv"),
        "Markdown": (lambda: results_markdown(table, show, view.kind), "md", "text/markdown"),
        "LaTeX": (lambda: results_latex(table, show, view.kind), "tex", "text/x-tex"),
    }
    with st.container(horizontal=True):
        for label, (text, suffix, kind) in texts.items():
            st.download_button(
                label,
                text,
                f"results-{view.dataset}.{suffix}",
                kind,
                key=f"export_{suffix}",
                icon=":material/download:",
                on_click="ignore",
            )
