"""The Results page: search results in the form of the paper's tables."""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.column_config import TextColumn

from fewshot_core.analysis import recorded_results, results_csv, results_latex, results_markdown
from fewshot_core.analysis.results import (
    ALGORITHM_LABELS,
    DIGITS,
    MIXED,
    NO_RESULT,
    NO_SPLITTING,
    cell_text,
    results_table,
)
from fewshot_core.dashboard.search.form import show_start
from fewshot_core.dashboard.search.plans import Place, make_plan
from fewshot_core.dashboard.shared.controls import (
    choose_one,
    counted,
    offer_download,
    show_table,
    show_tiles,
)
from fewshot_core.dashboard.shared.figures import accuracy_source, load_accuracy, show_source
from fewshot_core.dashboard.shared.page import SEARCH, SPLIT, link_to
from fewshot_core.dashboard.shared.requests import choose_device, choose_preset, choose_source
from fewshot_core.dashboard.shared.sidebar import View, open_page, show_missing_table
from fewshot_core.dashboard.shared.splits import (
    list_splits,
    metric_option,
    open_split,
    record_label,
)
from fewshot_core.datasets import DATASETS
from fewshot_core.metrics import METRICS
from fewshot_core.search import ALGORITHMS, PRESETS
from fewshot_core.splitting.files import imported_names
from fewshot_core.store import KnownSplit, known_splits

_ALL = "all"
_CELL, _BETWEEN = "cell", "/"
_SHOWN = {"both": "Measured and published", "measured": "Measured", "published": "Published"}

Row = Mapping[Hashable, Any]


def show_results_page() -> None:
    """Draw the page: the table of the data set in view, and one of its cells."""
    view = open_page("Results")
    if view.table is None:
        show_missing_table(view)
        return
    imported = imported_names(view.workspace.data_dir)
    stamp = repr((view.workspace.data_dir, view.workspace.store.revision, imported, view.table))
    splits, found = _read(view, stamp, view.dataset, view.kind)
    number = DATASETS.names().index(view.dataset) + 1
    st.subheader(f"Table {number} of the paper: {DATASETS.label(view.dataset)}")
    preset, show = _choose(found)
    table = _table(found, stamp, view.dataset, preset, view.kind)
    _show_notes(view, table)
    chosen = _show_grid(table, show)
    _show_source(view, table, preset)
    _show_exports(view, table, show)
    if chosen is not None:
        _show_cell(view, table, *chosen, splits)


@st.cache_resource(show_spinner="Reading recorded searches", max_entries=16)
def _read(
    _view: View, stamp: str, dataset: str, kind: str
) -> tuple[list[KnownSplit], pd.DataFrame]:
    """Return the splits of the data set in view, and the results of searches in them."""
    store = _view.workspace.store
    splits = known_splits(store, _view.workspace.data_dir, dataset)
    searches = store.searches(dataset)
    records = store.search_records(list(searches["run_id"]))
    return splits, recorded_results(splits, searches, records, load_accuracy(_view))


@st.cache_resource(show_spinner=False, max_entries=32)
def _table(
    _found: pd.DataFrame, stamp: str, dataset: str, preset: str | None, kind: str
) -> pd.DataFrame:
    return results_table(_found, dataset, preset, accuracy=kind)


def _choose(found: pd.DataFrame) -> tuple[str | None, str]:
    """Choose which presets count, and what the cells show."""
    counts = Counter(found.drop_duplicates("run_id")["preset"])
    names = [*sorted(counts, key=lambda name: (-counts[name], name)), _ALL]
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
    show = choose_one("Cells show", _SHOWN, "cells_show", right, format_func=_SHOWN.__getitem__)
    return None if preset == _ALL else str(preset), show


def _show_notes(view: View, table: pd.DataFrame) -> None:
    if table["seeds"].sum() == 0:
        st.info(
            "No split is searched completely yet: measured results will appear next to the "
            "published ones. Choose a cell, and *Start* its missing searches.",
            icon=":material/table_chart:",
        )
    if view.kind != "test":
        st.warning(
            "The paper reports test accuracies. The measured ones are looked up in a table of "
            "validation accuracies, which are on another scale, so that no difference is shown: "
            "choose *test* in the sidebar for one.",
            icon=":material/straighten:",
        )


def _show_grid(table: pd.DataFrame, show: str) -> tuple[str, str] | None:
    """Draw the table, the best of each algorithm in bold; return the chosen cell, if any."""
    metrics = list(dict.fromkeys(table["metric"]))
    texts: dict[str, Any] = {"metric": list(dict.fromkeys(table["label"]))}
    bold: dict[str, Any] = {"metric": False}
    owners: dict[str, str] = {}
    for algorithm, part in table.groupby("algorithm", sort=False):
        label = _algorithm_label(str(algorithm))
        rows = part.to_dict("records")
        columns: dict[str, tuple[list[str], Any]] = {}
        if show != "published":
            columns[label] = [_measured(row) for row in rows], part["best"].to_numpy()
        if show != "measured":
            heading = label if show == "published" else f"{label} paper"
            cells = [cell_text(row["published_mean"], row["published_std"]) for row in rows]
            columns[heading] = cells, part["published_best"].to_numpy()
        if show == "both" and part["difference"].notna().any():
            columns[f"Δ {label}"] = [_signed(row["difference"]) for row in rows], False
        for heading, (cells, best) in columns.items():
            texts[heading], bold[heading], owners[heading] = cells, best, str(algorithm)
    frame = pd.DataFrame(texts)
    styles = pd.DataFrame(bold, index=frame.index).map(lambda best: "font-weight: 700" * best)
    st.caption("Choose a cell for its numbers and its missing searches.")
    answer = show_table(
        frame.style.apply(lambda _: styles, axis=None),
        _summary(table),
        {"metric": TextColumn(pinned=True)},
        key="results_grid",
        on_select="rerun",
        selection_mode="single-cell",
        selection_default=_linked_cell(metrics, owners),
        height="content",
    )
    for row, heading in answer.selection.cells:
        if heading in owners:
            st.query_params[_CELL] = f"{metrics[row]}{_BETWEEN}{owners[heading]}"
            return metrics[row], owners[heading]
    if _CELL in st.query_params:
        del st.query_params[_CELL]
    return None


def _linked_cell(metrics: list[str], owners: Mapping[str, str]) -> Any:
    """Return the selection that the URL names."""
    metric, _, algorithm = st.query_params.get(_CELL, "").partition(_BETWEEN)
    headings = [heading for heading, owner in owners.items() if owner == algorithm]
    if metric not in metrics or not headings:
        return None
    return {"selection": {"cells": [[metrics.index(metric), headings[0]]]}}


def _algorithm_label(name: str) -> str:
    return ALGORITHM_LABELS.get(name) or record_label(ALGORITHMS, name)


def _measured(row: Row) -> str:
    missing = len(row["missing_seeds"])
    if pd.isna(row["mean"]):
        return f"{NO_RESULT} run {counted(missing, 'seed')}"
    text = cell_text(row["mean"], row["std"]) + (MIXED if row["mixed"] else "")
    return text + (f" ({row['seeds']} of {row['seeds'] + missing} seeds)" if missing else "")


def _signed(difference: float) -> str:
    return "" if pd.isna(difference) else f"{difference:+.{DIGITS}f}".replace("-", "−")


def _summary(table: pd.DataFrame) -> str:
    """Return the text alternative of a table."""
    done = table[table["seeds"] > 0]
    best = [
        f"{row['label']} is best with {_algorithm_label(str(row['algorithm']))}"
        for row in done[done["best"]].to_dict("records")
    ]
    start = f"Results of {len(done)} of {len(table)} cells."
    return f"{start} {'; '.join(best)}." if best else start


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
    exports = {
        "CSV": ("csv", lambda: results_csv(table)),
        "Markdown": ("md", lambda: results_markdown(table, show, view.kind)),
        "LaTeX": ("tex", lambda: results_latex(table, show, view.kind)),
    }
    with st.container(horizontal=True):
        for label, (suffix, text) in exports.items():
            name = f"results-{view.dataset}.{suffix}"
            offer_download(label, text, name, f"export_{suffix}", icon=":material/download:")


def _show_cell(
    view: View, table: pd.DataFrame, metric: str, algorithm: str, splits: list[KnownSplit]
) -> None:
    here = (table["metric"] == metric) & (table["algorithm"] == algorithm)
    row = table[here].to_dict("records")[0]
    label = _algorithm_label(algorithm)
    st.subheader(f"{row['label']} with {label}")
    _show_numbers(row)
    if not row["missing"]:
        return
    st.markdown(f"**To be run**: {row['missing']}.")
    left, right = st.columns(2, gap="large")
    with left:
        place = _choose_place(view, metric, splits)
    if place is None:
        return
    with right:
        plan = make_plan(
            view.workspace,
            place,
            row["missing_seeds"],
            dataset=view.dataset,
            algorithm=algorithm,
            options=PRESETS.get(choose_preset()).search,
            images=choose_source(view),
            device=choose_device(),
        )
    with left:
        show_start(view.workspace, plan)
        link_to(SEARCH, "Watch searches", {"algorithm": label})


def _show_numbers(row: Row) -> None:
    seeds = f", {counted(row['seeds'], 'seed')}" if row["seeds"] else ""
    tiles = {
        f"Measured{seeds}": (cell_text(row["mean"], row["std"]), None),
        "Published": (cell_text(row["published_mean"], row["published_std"]), None),
        "Difference": (_signed(row["difference"]) or NO_RESULT, None),
    }
    show_tiles(tiles, 3)
    if row["mixed"]:
        st.warning(
            f"This mean mixes different presets ({row['presets']}) or different splits of this "
            "metric: choose one preset above.",
            icon=":material/blender:",
        )
    elif row["presets"]:
        st.caption(f"Preset: {row['presets']}")


def _choose_place(view: View, metric: str, splits: list[KnownSplit]) -> Place | None:
    """Choose the split of a metric to search in; None where there is none yet."""
    if metric == NO_SPLITTING:
        return Place()
    labels = list_splits(view.workspace.store, view.dataset)
    keys = [split.key for split in splits if split.metric == metric and split.key in labels]
    if not keys:
        st.markdown(f"There is no split of {DATASETS.label(view.dataset)} by {metric} yet.")
        if metric in METRICS:
            link_to(SPLIT, "Make this split", {"metric": metric_option(metric)})
        return None
    chosen = st.selectbox(
        "Split", keys, key=f"results_split_{metric}", format_func=labels.__getitem__
    )
    return Place(open_split(view.workspace.store, chosen))
