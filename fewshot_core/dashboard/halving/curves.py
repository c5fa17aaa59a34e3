"""Curves to which a selection can be applied: recorded searches, and imported files."""

import json
import shlex
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core import limits
from fewshot_core.bench import load_parameters
from fewshot_core.dashboard.shared.controls import (
    notify,
    offer_removal,
    plain,
    show_errors,
    stored_uploads,
)
from fewshot_core.dashboard.shared.sidebar import View
from fewshot_core.dashboard.shared.splits import FILE, record_label
from fewshot_core.errors import FewshotError
from fewshot_core.runs import SearchRequest
from fewshot_core.search import ALGORITHMS
from fewshot_core.selection import (
    Curves,
    comparable,
    curves_by_seed,
    describe_curves,
    imported_curves,
    open_curves,
    recorded_curves,
    remove_curves,
    search_groups,
    store_curves,
)
from fewshot_core.selection.imported import ImportedCurves
from fewshot_core.space import SubSpace, sub_spaces_of

JUST_IMPORTED = "curves_just_imported"
"""Session key: the curves to show next, since they were just imported."""


@dataclass(frozen=True, eq=False)
class CurvesInView:
    """Curves of one search in every sub-space, for one or more seeds.

    The same curves are the same object, so that results can be cached by it. ``source`` says in
    parts where they come from, ``option`` selects them in ``fewshot halve``, and ``missing`` names
    the sub-spaces without a search, ``tables`` has the curves, of each seed. Only the seeds with
    the most sub-spaces are compared. What is found beyond the limit of the cost in view is
    infeasible; see ``Curves.within``.
    """

    found_title: str  # axis title of the accuracies of the architectures found
    source: tuple[str, ...]
    option: str
    missing: Mapping[int, tuple[str, ...]]
    tables: Mapping[int, Curves]

    @property
    def unit(self) -> str:
        """The unit of what is found."""
        return next(iter(self.tables.values())).unit

    @cached_property
    def compared(self) -> Mapping[int, Curves]:
        """The curves of the seeds that can be compared, ascending."""
        return comparable(self.tables)


def list_curves(view: View) -> dict[str, str]:
    """Return the labels of all curves by key: recorded ones of the split in view first."""
    leaves: tuple[SubSpace, ...] = ()
    if view.split is not None and view.table is not None and not view.split.is_partition:
        leaves = sub_spaces_of(view.split.leaves)
    searches = view.workspace.store.searches(view.dataset, view.space.name)
    labels = {}
    for row in search_groups(leaves, searches).to_dict("records"):
        labels[str(row["group"])] = _label(row)
        if row["searches"] < row["wanted"]:
            labels[str(row["group"])] += f" · {row['searches']} of {row['wanted']} searches"
    return labels | {f"{FILE}{name}": f"{name} · imported" for name in _imported(view)}


def _imported(view: View) -> list[str]:
    """List the imported curves of the space and data set in view, and damaged ones."""
    found = []
    for name in imported_curves(view.workspace.data_dir):
        try:
            about = describe_curves(name, view.workspace.data_dir)
        except FewshotError:  # said when they are opened
            found.append(name)
        else:
            found += [name] if about.is_of(view.space, view.dataset) else []
    return found


def _label(row: Mapping[Hashable, Any]) -> str:
    try:
        request = SearchRequest.from_dict(json.loads(row["request"]))
    except FewshotError:  # of an algorithm that is not installed any more
        return f"{row['algorithm']} · {row['epochs']} epochs"
    return f"{record_label(ALGORITHMS, request.algorithm)} · {request.evidence.label}"


def open_curves_in_view(view: View, key: str, label: str) -> CurvesInView:
    """Return curves that ``list_curves`` lists.

    Raises:
        FewshotError: If they cannot be read.
    """
    if key.startswith(FILE):
        about = describe_curves(key.removeprefix(FILE), view.workspace.data_dir)
        return _open_imported(view, about, repr((view.workspace.data_dir, view.limit)))
    if view.split is None or view.table is None:
        raise FewshotError("expected a split and an accuracy table: choose them in the sidebar")
    searches = view.workspace.store.searches(view.dataset, view.space.name)
    searches = searches[searches["group"] == key]
    runs = searches[["run_id", "finished"]].to_numpy().tolist()
    split = view.split.label, view.split.leaves
    stamp = repr((view.workspace.data_dir, runs, view.table, view.kind, split, view.limit))
    return _open_recorded(view, searches, key, label, stamp)


def _within(view: View, tables: Mapping[int, Curves]) -> Mapping[int, Curves]:
    """Apply the limit of the cost in view, if any."""
    allowed = view.allowed()
    if allowed is None:
        return tables
    return {seed: table.within(allowed, view.space) for seed, table in tables.items()}


@st.cache_resource(show_spinner="Reading curves", max_entries=16)
def _open_imported(_view: View, about: ImportedCurves, stamp: str) -> CurvesInView:
    task = _view.task
    return CurvesInView(
        found_title=f"test {task.score} of the architecture found, {task.stored_unit}",
        source=(f"curves {about.name}", f"imported from {about.source}", about.created[:10]),
        option=f"--curves {about.name}{_at_most(_view)}",
        missing={},
        tables=_within(_view, open_curves(about.name, _view.workspace.data_dir)),
    )


@st.cache_resource(show_spinner="Reading recorded searches", max_entries=16)
def _open_recorded(
    _view: View, _searches: pd.DataFrame, group: str, label: str, stamp: str
) -> CurvesInView:
    if _view.split is None or _view.table is None:
        raise ValueError("expected a split and a table in view")
    records = _view.workspace.store.search_records(list(_searches["run_id"]))
    accuracy = _view.accuracy()
    algorithm = _searches["algorithm"].iloc[0]
    leaves = sub_spaces_of(_view.split.leaves)
    parameters = load_parameters(_view.workspace.data_dir, _view.space)
    joined = recorded_curves(leaves, _searches, records, accuracy, parameters)
    task = _view.task
    return CurvesInView(
        found_title=f"{_view.kind} {task.score} of the architecture found, {task.stored_unit}",
        source=(
            f"{label} on {_view.split.label}",
            *_view.source,
        ),
        option=f"--split {_view.split.key.removeprefix(FILE)} --algorithm {algorithm} "
        f"--evidence {group.removeprefix(f'{algorithm}-')} --accuracy {_view.kind} "
        f"--table {_view.table.name}{_at_most(_view)}",
        missing=joined.missing,
        tables=_within(_view, curves_by_seed(joined.frame, task.stored_unit)),
    )


def _at_most(view: View) -> str:
    return f" --at-most {shlex.quote(view.limit.option)}" if view.limit else ""


def show_curve_files(view: View) -> None:
    """Offer to import curves of the space and data set in view, and to remove imported ones."""
    _show_import(view)
    if names := _imported(view):
        data_dir = view.workspace.data_dir
        offer_removal("curves", "curves", names, lambda name: remove_curves(name, data_dir))


def _show_import(view: View) -> None:
    unit = "percent" if view.task.percent else plain(view.task.unit)
    st.markdown(
        "A CSV file with one row for each sub-space and epoch. Columns: `sub_space`, `epoch`, "
        "`valid_accuracy` (of the supernet) and `test_accuracy` (of the architecture found at that "
        f"epoch), both in {unit}; optionally `valid_loss`, `parameters` (the mean of "
        "the sub-space), `seed` and `architecture`. Epoch 0 is "
        "the state before training. The whole file is checked before anything is stored, as "
        f"curves of {plain(view.space.label)} on {plain(view.task.label)}."
    )
    file = st.file_uploader(
        "File",
        type=["csv"],
        key="curves_file",
        max_upload_size=limits.CURVES_BYTES // limits.MEGABYTE,
    )
    if file is None or not st.button("Import", key="import_curves", type="primary"):
        return
    with show_errors("Nothing was imported. "):
        [path] = stored_uploads([file])
        about = store_curves(path, view.workspace.data_dir, space=view.space, dataset=view.dataset)
        st.session_state[JUST_IMPORTED] = f"{FILE}{about.name}"
        notify(f"Imported the curves {plain(about.name)}")
        st.rerun()
