"""The Results page."""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from fewshot_core.analysis import (
    recorded_results,
    results_csv,
    results_latex,
    results_markdown,
)
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
from fewshot_core.dashboard.search.plans import Place, SearchPlan, make_plan, place_of
from fewshot_core.dashboard.shared.figures import accuracy_source, show_source
from fewshot_core.dashboard.shared.loading import load_accuracy
from fewshot_core.dashboard.shared.page import SEARCH, SPLIT, Workspace, link_to
from fewshot_core.dashboard.shared.requests import (
    choose_device,
    choose_preset,
    choose_source,
)
from fewshot_core.dashboard.shared.sidebar import View, show_missing_table
from fewshot_core.dashboard.shared.splits import list_splits, metric_option, open_split
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError
from fewshot_core.images import find_source
from fewshot_core.metrics import METRICS
from fewshot_core.runs import SearchRequest
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace
from fewshot_core.splitting.files import imported_names
from fewshot_core.store import KnownSplit, known_splits

_METRIC = "metric"
_BEST = "font-weight: 700"
_LINK, _BETWEEN = "cell", "/"
_PUBLISHED, _DIFFERENCE = "paper", "Δ"

Row = Mapping[Hashable, Any]


def show_grid(table: pd.DataFrame, show: str) -> tuple[str, str] | None:
    """Draw a table of results, the best of each algorithm in bold.

    Args:
        table: What ``results_table`` returns.
        show: ``"measured"``, ``"published"`` or ``"both"``.

    Returns:
        Metric and algorithm of the cell that is chosen, or None.
    """
    algorithms = list(dict.fromkeys(table["algorithm"]))
    metrics = list(dict.fromkeys(table["metric"]))
    texts: dict[str, list[str]] = {_METRIC: list(dict.fromkeys(table["label"]))}
    bold: dict[str, list[bool]] = {_METRIC: [False] * len(metrics)}
    owners: dict[str, str] = {}
    for algorithm in algorithms:
        rows = table[table["algorithm"] == algorithm].to_dict("records")
        for title, cells in _columns(ALGORITHM_LABELS.get(algorithm, algorithm), rows, show):
            texts[title] = [text for text, _ in cells]
            bold[title] = [best for _, best in cells]
            owners[title] = algorithm
    st.caption("Choose a cell to see what it is made of, and what would fill it.")
    answer = st.dataframe(
        _styled(pd.DataFrame(texts), pd.DataFrame(bold)),
        key="results_grid",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-cell",
        selection_default=_linked(metrics, owners),
        height="content",
        column_config={_METRIC: st.column_config.TextColumn(pinned=True)},
        alt=_finding(table),
    )
    for row, heading in answer.selection.cells:
        if heading in owners:
            st.query_params[_LINK] = f"{metrics[row]}{_BETWEEN}{owners[heading]}"
            return metrics[row], owners[heading]
    if _LINK in st.query_params:
        del st.query_params[_LINK]
    return None


def _linked(metrics: list[str], owners: Mapping[str, str]) -> Any:
    """Return the selection that the URL asks for."""
    metric, _, algorithm = st.query_params.get(_LINK, "").partition(_BETWEEN)
    headings = [heading for heading, owner in owners.items() if owner == algorithm]
    if metric not in metrics or not headings:
        return None
    return {"selection": {"cells": [[metrics.index(metric), headings[0]]]}}


def _columns(label: str, rows: list[Row], show: str) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Return the columns of an algorithm: headings with texts and whether these are the best."""
    published = [
        (cell_text(row["published_mean"], row["published_std"]), bool(row["published_best"]))
        for row in rows
    ]
    if show == "published":
        return [(label, published)]
    columns = [(label, [(_measured(row), bool(row["best"])) for row in rows])]
    if show == "both":
        columns.append((f"{label} {_PUBLISHED}", published))
        differences = [(signed(row["difference"]), False) for row in rows]
        if any(text for text, _ in differences):
            columns.append((f"{_DIFFERENCE} {label}", differences))
    return columns


def _measured(row: Row) -> str:
    if pd.isna(row["mean"]):
        count = len(row["missing_seeds"])
        return f"{NO_RESULT} run {count} seed{'s' * (count != 1)}"
    few = f" ({row['seeds']} of {row['seeds'] + len(row['missing_seeds'])} seeds)"
    text = cell_text(row["mean"], row["std"]) + (MIXED if row["mixed"] else "")
    return text + (few if row["missing_seeds"] else "")


def signed(difference: float) -> str:
    """Return a difference with its sign, or nothing where there is none."""
    return "" if pd.isna(difference) else f"{difference:+.{DIGITS}f}".replace("-", "−")


def _styled(texts: pd.DataFrame, bold: pd.DataFrame) -> Styler:
    styles = bold.map(lambda best: _BEST if best else "")
    return texts.style.apply(lambda frame: styles, axis=None)


def _finding(table: pd.DataFrame) -> str:
    """Return what the table shows, in words."""
    done = table[table["seeds"] > 0]
    best = [
        f"{row['label']} is best with {ALGORITHM_LABELS.get(str(row['algorithm']))}"
        for row in done[done["best"]].to_dict("records")
    ]
    start = f"Results of {len(done)} of {len(table)} cells."
    return " ".join([start, *([f"{'; '.join(best)}."] if best else [])])


Row_of_results_cell = Mapping[Hashable, Any]


def show_cell(
    workspace: Workspace,
    view: View,
    table: pd.DataFrame,
    chosen: tuple[str, str] | None,
    splits: list[KnownSplit],
) -> None:
    """Show a cell, if one is chosen."""
    if chosen is None:
        return
    metric, algorithm = chosen
    here = (table["metric"] == metric) & (table["algorithm"] == algorithm)
    row = table[here].to_dict("records")[0]
    st.subheader(f"{row['label']} with {ALGORITHM_LABELS.get(algorithm, algorithm)}")
    _show_numbers(row)
    if not row["missing"]:
        return
    st.markdown(f"**To be run**: {row['missing']}.")
    left, right = st.columns(2, gap="large")
    with left:
        place = _choose_place(workspace, view, metric, splits)
    if place is None:
        return
    with right:
        plan = _plan(workspace, view, algorithm, place, list(row["missing_seeds"]))
    with left:
        show_start(workspace, plan)
        link_to(SEARCH, "Watch searches", {"algorithm": ALGORITHM_LABELS.get(algorithm, algorithm)})


def _show_numbers(row: Row_of_results_cell) -> None:
    measured, published, difference = st.columns(3)
    seeds = f", {row['seeds']} seed{'s' * (row['seeds'] != 1)}" if row["seeds"] else ""
    measured.metric(f"Measured{seeds}", cell_text(row["mean"], row["std"]))
    published.metric("Published", cell_text(row["published_mean"], row["published_std"]))
    difference.metric("Difference", signed(row["difference"]) or NO_RESULT)
    if row["mixed"]:
        st.warning(
            f"This mean mixes searches that are not alike (presets {row['presets']}), or different "
            "splits of this metric: choose one preset above.",
            icon=":material/blender:",
        )
    elif row["presets"]:
        st.caption(f"Preset: {row['presets']}")


def _choose_place(
    workspace: Workspace, view: View, metric: str, splits: list[KnownSplit]
) -> Place | None:
    """Choose which split of a metric to search in; None where there is none yet."""
    if metric == NO_SPLITTING:
        return place_of(None)
    keys = [split.key for split in splits if split.metric == metric]
    label = DATASETS.get(view.dataset).label
    if not keys:
        st.markdown(f"There is no split of {label} by {metric} yet.")
        if metric in METRICS.names():
            link_to(SPLIT, "Make this split", {"metric": metric_option(metric)})
        return None
    labels = list_splits(workspace, view.dataset)
    chosen = st.selectbox(
        "Split",
        [key for key in keys if key in labels],
        key=f"results_split_{metric}",
        format_func=labels.__getitem__,
    )
    return place_of(open_split(workspace, chosen))


def _plan(
    workspace: Workspace, view: View, algorithm: str, place: Place, seeds: list[int]
) -> SearchPlan | None:
    """Choose how to search, and return what is to be started."""
    preset = choose_preset()
    images = choose_source(workspace, view.dataset)
    device = choose_device()
    rows = tuple(SubSpace.full().rows)
    options = PRESETS.get(preset).search
    try:
        request = SearchRequest(
            view.dataset, algorithm, rows, options, images=images, device=device
        )
        fingerprints = request.fingerprints(workspace.data_dir)
        synthetic = find_source(view.dataset, images, workspace.data_dir).synthetic
        return make_plan(request, place, seeds, fingerprints, synthetic, workspace.data_dir)
    except (FewshotError, OSError) as error:
        st.error(str(error))
        return None


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
