"""The splits a reader can look at, and labels that tell runs apart."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import streamlit as st

from fewshot_core.dashboard.shared.page import Workspace
from fewshot_core.errors import FewshotError
from fewshot_core.metrics import METRICS
from fewshot_core.runs import Request, SearchRequest, SplitRequest
from fewshot_core.runs.folder import FileCache
from fewshot_core.search import PRESETS, SearchOptions, TrainingOptions, preset_of
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitTree
from fewshot_core.splitting.files import imported_names, imported_path, read_imported
from fewshot_core.store import Store

_SEPARATOR = " · "
_SHORT = 6


def request_label(request: Request, run_id: str) -> str:
    """Return the short name of any request."""
    if isinstance(request, SplitRequest):
        return split_label(request, run_id)
    if isinstance(request, SearchRequest):
        parts = [search_label(request), f"{request.sub_space.size:,} architectures"]
    else:
        parts = ["Supernet", options_label(request.options)]
    return _SEPARATOR.join([*parts, f"seed {request.seed}", *_images(request.images)])


def search_label(request: SearchRequest, synthetic: bool = False) -> str:
    """Return what searches have in common that differ by sub-space and seed only."""
    parts = [request.method_label, options_label(request.options)]
    if request.checkpoint is not None:
        parts.append("inherited weights")
    return _SEPARATOR.join([*parts, *(["synthetic"] if synthetic else [])])


def split_label(request: SplitRequest, run_id: str) -> str:
    """Return the short name of a split; the end of its run's name tells it from others."""
    network = request.network
    parts = [request.method_label]
    if request.variant != "paper":
        parts.append(request.variant)
    parts.append(_network(network.channels, network.cells_per_stage))
    if network.checkpoint is not None:
        parts.append("trained")
    if request.needs_images:
        parts += _images(request.images)
    parts.append(f"seed {request.seed}")
    return _SEPARATOR.join([*parts, run_id.rpartition("-")[2][:_SHORT]])


def distinct_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels that ``split_label`` gave without what none needs to be told apart.

    "snip · 16 channels, 5 cells · d20ce9" becomes "snip" where no other one is of this metric;
    among several of one metric, what all of them have in common is left out. The end of a run's
    name is kept only where two would otherwise be named alike.
    """
    parts = {key: label.split(_SEPARATOR) for key, label in labels.items()}
    families: dict[str, list[list[str]]] = {}
    for row in parts.values():
        families.setdefault(row[0], []).append(row)
    short = {}
    for key, (first, *rest, _) in parts.items():
        family = families[first]
        told = [part for part in rest if not all(part in row for row in family)]
        short[key] = _SEPARATOR.join([first, *told])
    return with_ends(short, {key: row[-1] for key, row in parts.items()})


def with_ends(labels: Mapping[str, str], ends: Mapping[str, str]) -> dict[str, str]:
    """Return labels with what tells apart those of the same name, and no other."""
    alike = Counter(labels.values())
    return {
        key: f"{label}{_SEPARATOR}{ends[key]}" if alike[label] > 1 else label
        for key, label in labels.items()
    }


def options_label(options: SearchOptions | TrainingOptions) -> str:
    """Return the name of the preset that options are of, or what is most told of others."""
    preset = preset_of(options)
    if preset is not None:
        return PRESETS.get(preset).label
    return f"{_network(options.channels, options.cells_per_stage)}, {options.epochs} epochs"


def _network(channels: int, cells: int) -> str:
    return f"{channels} channels, {cells} cell{'s' * (cells > 1)}"


def _images(name: str | None) -> list[str]:
    return ["synthetic"] if name == "synthetic" else []


_FILE = "file-"
_DEMO = " · demo"
_KEPT = 256


@dataclass(frozen=True, eq=False)
class SplitInView:
    """A split, the same object for as long as it stays the same.

    Attributes:
        key: What it is called in the URL: its run, or "file-" and the name of an imported one.
        label: Its short name; among several in view, as short as tells it from the others.
        name: What decided: a metric's label, or what its file calls it.
        dataset: The data set it was made for.
        leaves: Its sub-spaces, in tree order.
        details: What else is known, in words.
        tree: Its tree with scores, or None for an imported one.
        request: What was asked, or None for an imported one.
        finished: When its run ended, in seconds since the epoch.
        seconds: How long scoring took.
        demo: Whether it came with the project.
    """

    key: str
    label: str
    name: str
    dataset: str
    leaves: tuple[SubSpace, ...]
    details: tuple[str, ...] = ()
    tree: SplitTree | None = None
    request: SplitRequest | None = None
    finished: float | None = None
    seconds: float | None = None
    demo: bool = False

    @property
    def synthetic(self) -> bool:
        """Whether made-up images decided."""
        return self.tree is not None and bool(self.tree.details.get("synthetic"))

    @property
    def trained(self) -> bool:
        """Whether a trained network was probed."""
        return self.request is not None and self.request.network.checkpoint is not None

    @property
    def arbitrary(self) -> int:
        """How many of its nodes were decided arbitrarily, as far as is known."""
        return sum(node.degenerate for node in self.tree.nodes) if self.tree else 0


@lru_cache(maxsize=20_000)
def read_request(text: str) -> SplitRequest:
    """Return the request of a finished split, from its text in the store."""
    return SplitRequest.from_dict(json.loads(text))


def list_splits(workspace: Workspace, dataset: str) -> dict[str, str]:
    """Return the labels of all splits of a data set by their keys.

    One's own come first, the latest run first; then those from files, then those that came with the
    project, in the order of the metrics, untrained networks before trained ones.
    """
    imported = tuple(
        name for name, split_dataset in _imported(workspace).items() if split_dataset == dataset
    )
    store = workspace.store
    return dict(_labels(store, store.revision, dataset, imported))


@lru_cache(maxsize=_KEPT)
def _labels(
    store: Store, revision: int, dataset: str, imported: tuple[str, ...]
) -> Mapping[str, str]:
    own, demo = {}, {}
    rows = store.splits(dataset)
    for run_id, text, is_demo in zip(rows["run_id"], rows["request"], rows["demo"], strict=True):
        request = read_request(text)
        if is_demo:
            demo[run_id] = request
        else:
            own[run_id] = split_label(request, run_id)
    for name in imported:
        own[f"{_FILE}{name}"] = _imported_label(name, dataset)
    order = {name: number for number, name in enumerate(METRICS.names())}

    def place(item: tuple[str, SplitRequest]) -> tuple[int, bool, int]:
        request = item[1]
        return (
            order.get(request.metric, len(order)),
            request.network.checkpoint is not None,
            request.seed,
        )

    ordered = sorted(demo.items(), key=place)
    return own | {run_id: _demo_label(request, run_id) for run_id, request in ordered}


def open_split(workspace: Workspace, key: str) -> SplitInView:
    """Return a split that ``list_splits`` lists.

    Raises:
        UnknownNameError: If there is no such split.
    """
    if key.startswith(_FILE):
        return _IMPORTED.read(imported_path(key.removeprefix(_FILE), workspace.data_dir))
    return _open_finished(workspace.store, workspace.store.revision, key)


@lru_cache(maxsize=_KEPT)
def _open_finished(store: Store, revision: int, key: str) -> SplitInView:
    tree = store.split_tree(key)
    [row] = store.splits(run_id=key).to_dict("records")
    request = read_request(row["request"])
    return SplitInView(
        key=key,
        label=_demo_label(request, key) if row["demo"] else split_label(request, key),
        name=METRICS.label(tree.metric),
        dataset=request.dataset,
        leaves=tuple(tree.leaves),
        details=_details(tree),
        tree=tree,
        request=request,
        finished=float(row["finished"]),
        seconds=float(row["seconds"]),
        demo=bool(row["demo"]),
    )


def shortened(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels that ``list_splits`` gave, only as long as tells them apart.

    A split from a file keeps the name of its file, one that came with the project its mark.
    """
    made = {
        key: label.removesuffix(_DEMO) for key, label in labels.items() if not key.startswith(_FILE)
    }
    short = distinct_labels(made)
    return {
        key: short[key] + _DEMO * label.endswith(_DEMO) if key in short else label
        for key, label in labels.items()
    }


def open_splits(workspace: Workspace, keys: Sequence[str]) -> list[SplitInView]:
    """Return splits that are looked at together, with labels that tell them apart.

    Those that came with the project say so beside others.
    """
    splits = [open_split(workspace, key) for key in keys]
    labels = shortened({split.key: split.label for split in splits})
    if all(split.demo for split in splits):
        labels = {key: label.removesuffix(_DEMO) for key, label in labels.items()}
    return [labelled(split, labels[split.key]) for split in splits]


@lru_cache(maxsize=_KEPT)
def labelled(split: SplitInView, label: str) -> SplitInView:
    """Return a split with another label, the same object for the same split and label."""
    return replace(split, label=label)


def _demo_label(request: SplitRequest, run_id: str) -> str:
    """Return the name of a split that came with the project."""
    return split_label(request, run_id) + _DEMO


def _details(tree: SplitTree) -> tuple[str, ...]:
    parts = [tree.details.get("network"), tree.details.get("images")]
    return tuple(str(part) for part in parts if part)


def _imported(workspace: Workspace) -> dict[str, str | None]:
    """Return the data sets of imported splits; a damaged one is named on the page."""
    found: dict[str, str | None] = {}
    for name in imported_names(workspace.data_dir):
        try:
            path = imported_path(name, workspace.data_dir)
            found[name] = _IMPORTED.read(path).dataset
        except FewshotError as error:
            st.warning(f"An imported split cannot be read: {error}", icon=":material/warning:")
    return found


def _imported_label(name: str, dataset: str) -> str:
    """Return "params · published": the name of the file without the data set in it."""
    return " · ".join(part for part in name.split(f"-{dataset}-", 1) if part)


def _open_imported(path: Path) -> SplitInView:
    name = path.stem
    split = read_imported(path)
    dataset = split.dataset or ""
    return SplitInView(
        key=f"{_FILE}{name}",
        label=_imported_label(name, dataset),
        name=split.name,
        dataset=dataset,
        leaves=split.leaves,
        details=("imported from a file",),
    )


_IMPORTED = FileCache(_open_imported)
