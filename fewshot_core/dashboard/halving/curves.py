"""Curves that can be replayed: recorded searches and imported curves."""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.shared.controls import offer_removal
from fewshot_core.dashboard.shared.figures import accuracy_source
from fewshot_core.dashboard.shared.loading import load_accuracy
from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import search_label, with_ends
from fewshot_core.data_folder import canonical_json, text_fingerprint
from fewshot_core.errors import FewshotError
from fewshot_core.search import SearchRequest
from fewshot_core.selection import (
    Curves,
    comparable,
    curves_by_seed,
    describe_curves,
    imported_curves,
    open_curves,
    recorded_curves,
    remove_curves,
    search_families,
    store_curves,
)
from fewshot_core.selection.imported import LARGEST

FILE = "file-"
"""What the keys of imported curves begin with."""

JUST_IMPORTED = "curves_just_imported"
"""Where the session remembers the key of curves that are to come into view."""

_SHORT = 6


@dataclass(frozen=True, eq=False)
class CurvesInView:
    """Curves of one search in every sub-space, for one or more seeds.

    Attributes:
        key: What they are called in the URL.
        stamp: What changes with their content.
        frame: The curves, as the functions of ``fewshot_core.selection`` take them.
        tables: The curves of each seed.
        found_title: What the accuracies of the architectures found are, with their unit.
        valid_title: What the accuracies of the supernets are, with their unit.
        source: Where they come from, in parts.
        option: How ``fewshot halve`` is told of them.
        missing: For each seed the sub-spaces that were not searched.
        compared: The curves of the seeds that can be compared: of the most sub-spaces.
    """

    key: str
    stamp: str
    frame: pd.DataFrame
    tables: Mapping[int, Curves]
    found_title: str
    valid_title: str
    source: tuple[str, ...]
    option: str
    missing: Mapping[int, tuple[str, ...]]
    compared: pd.DataFrame

    @property
    def compared_seeds(self) -> list[int]:
        """The seeds that can be compared, ascending."""
        if "seed" not in self.compared:
            return list(self.tables)
        return sorted({int(seed) for seed in self.compared["seed"]})


def list_curves(workspace: Workspace, view: View) -> dict[str, str]:
    """Return the labels of all curves by their keys: those of the split in view first."""
    labels = {}
    for row in _families(workspace, view).to_dict("records"):
        known = f"{row['searches']} of {row['wanted']} searches"
        parts = [row["label"], *([] if row["searches"] == row["wanted"] else [known])]
        labels[str(row["family"])] = " · ".join(parts)
    for name in imported_curves(workspace.data_dir):
        labels[f"{FILE}{name}"] = f"{name} · imported"
    return labels


def open_curves_in_view(workspace: Workspace, view: View, key: str) -> CurvesInView:
    """Return curves that ``list_curves`` lists.

    Raises:
        FewshotError: If they cannot be read.
    """
    if key.startswith(FILE):
        return _open_imported(workspace, key.removeprefix(FILE))
    return _open_recorded(workspace, view, key)


def _open_imported(workspace: Workspace, name: str) -> CurvesInView:
    about = describe_curves(name, workspace.data_dir)
    stamp = f"{workspace.data_dir} {name} {about.fingerprint}"
    frame, tables = _imported(workspace, stamp, name)
    return CurvesInView(
        key=f"{FILE}{name}",
        stamp=stamp,
        frame=frame,
        tables=tables,
        found_title="test accuracy of the architecture found, %",
        valid_title="validation accuracy of the supernet, %",
        source=(f"curves {name}", f"imported from {about.source}", about.created[:10]),
        option=f"--curves {name}",
        missing={},
        compared=comparable(frame),
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _imported(
    _workspace: Workspace, stamp: str, name: str
) -> tuple[pd.DataFrame, dict[int, Curves]]:
    frame = open_curves(name, _workspace.data_dir)
    return frame, curves_by_seed(frame)


def _families(workspace: Workspace, view: View) -> pd.DataFrame:
    """Return the families of searches in the split in view, with a label that no other one has."""
    searches = workspace.store.searches(view.dataset)
    leaves = view.split.leaves if view.split is not None and view.table is not None else ()
    families = search_families(leaves, searches)
    labels = {str(row["family"]): _label(row) for row in families.to_dict("records")}
    distinct = with_ends(labels, {family: family[:_SHORT] for family in labels})
    return families.assign(label=families["family"].map(distinct))


def _label(row: Mapping[Hashable, Any]) -> str:
    try:
        return search_label(_read_request(row["request"]), row["synthetic"])
    except FewshotError:  # of an algorithm that is not installed any more
        return f"{row['algorithm']} · {row['epochs']} epochs"


@lru_cache(maxsize=20_000)
def _read_request(text: str) -> SearchRequest:
    return SearchRequest.from_dict(json.loads(text))


def _open_recorded(workspace: Workspace, view: View, family: str) -> CurvesInView:
    if view.split is None or view.table is None:
        raise FewshotError(
            "expected a split and an accuracy table in view: choose them at the left"
        )
    searches = workspace.store.searches(view.dataset)
    searches = searches[searches["family"] == family]
    [row] = _families(workspace, view).query("family == @family").to_dict("records")
    runs = [
        [str(run), float(at)]
        for run, at in zip(searches["run_id"], searches["finished"], strict=True)
    ]
    table = [view.table.name, view.table.fingerprint, view.table.created, view.kind]
    leaves = [leaf.rows for leaf in view.split.leaves]
    stamp = text_fingerprint(canonical_json([str(workspace.data_dir), runs, table, leaves]))
    frame, tables, missing = _recorded(workspace, view, stamp, searches)
    return CurvesInView(
        key=family,
        stamp=stamp,
        frame=frame,
        tables=tables,
        found_title=f"{view.kind} accuracy of the architecture found, %",
        valid_title="validation accuracy of the supernet, %",
        source=(
            f"{row['label']} on {view.split.label}",
            *(["made-up images"] if row["synthetic"] else []),
            *accuracy_source(view),
        ),
        option=f"--split {view.split.key.removeprefix('file-')} --family {family} "
        f"--accuracy {view.kind} --table {view.table.name}",
        missing=missing,
        compared=comparable(frame),
    )


Recorded = tuple[pd.DataFrame, dict[int, Curves], dict[int, tuple[str, ...]]]


@st.cache_resource(show_spinner="Reading recorded searches", max_entries=16)
def _recorded(_workspace: Workspace, _view: View, stamp: str, _searches: pd.DataFrame) -> Recorded:
    records = _workspace.store.search_records(list(_searches["run_id"]))
    leaves = _view.split.leaves if _view.split else ()
    accuracy = load_accuracy(_workspace, _view)
    joined = recorded_curves(leaves, _searches, records, accuracy)
    return joined.frame, curves_by_seed(joined.frame), dict(joined.missing)


def show_curve_files(workspace: Workspace, expanded: bool = False) -> None:
    """Offer to import curves, and to remove imported ones."""
    with st.expander("Import curves", icon=":material/upload_file:", expanded=expanded):
        _show_import(workspace)
        names = imported_curves(workspace.data_dir)
        if names:
            offer_removal(
                "curves", "curves", names, lambda name: remove_curves(name, workspace.data_dir)
            )


def _show_import(workspace: Workspace) -> None:
    st.markdown(
        "A CSV file with one row for each sub-space and epoch: `sub_space`, `epoch`, "
        "`valid_accuracy` (the supernet's) and `test_accuracy` (of the architecture found then), "
        "both in percent; if you like `valid_loss`, `seed` and `architecture`. Epoch 0 is the "
        "state before training. Every line is checked before anything is stored."
    )
    file = st.file_uploader(
        "File", type=["csv"], key="curves_file", max_upload_size=LARGEST // 1_000_000
    )
    if file is None or not st.button("Import", key="import_curves", type="primary"):
        return
    try:
        with TemporaryDirectory(prefix="fewshot-curves-") as folder:
            path = Path(folder) / Path(file.name).name
            path.write_bytes(file.getvalue())
            about = store_curves(path, workspace.data_dir)
    except (FewshotError, OSError) as error:
        st.error(f"Nothing was imported. {error}", icon=":material/error:")
        return
    st.session_state[JUST_IMPORTED] = f"{FILE}{about.name}"
    st.toast(f"Imported {about.name}", icon=":material/check:")
    st.rerun()
