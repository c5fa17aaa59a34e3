"""The splits that can be shown, and short labels of runs."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fewshot_core.dashboard.shared.controls import SEPARATOR, plain
from fewshot_core.errors import FewshotError, RunError
from fewshot_core.evidence import Evidence, size_label
from fewshot_core.metrics import METRICS
from fewshot_core.registry import Registry
from fewshot_core.runs import (
    EstimateRequest,
    Network,
    Request,
    SearchRequest,
    SplitRequest,
    TrainingRequest,
)
from fewshot_core.runs.folder import FileCache
from fewshot_core.runs.overview import read_notes
from fewshot_core.runs.requests import MetricRequest
from fewshot_core.search import ALGORITHMS, PRESETS, SearchOptions, TrainingOptions, preset_of
from fewshot_core.search.options import as_text
from fewshot_core.search.records import CHECKPOINT
from fewshot_core.space import (
    NAS_BENCH_201,
    Part,
    SearchSpace,
    SubSpace,
    get_space,
    is_partition,
    space_label,
)
from fewshot_core.splitting import SplitTree, TreeOptions
from fewshot_core.splitting.files import imported_names, imported_path, read_imported
from fewshot_core.store import Store

FILE = "file-"
"""Prefix of the keys of imported splits and curves."""

_DEMO = f"{SEPARATOR}demo"
_QUOTE = "“"
_CACHED = 64
_LISTS = 16
"""Cached lists of all splits, which are of one revision of the store each."""
_TRAINED, _WEIGHT_SEED, _BATCH_SEED = "trained", "weight seed ", "batch seed "


def record_label(registry: Registry[Any], name: str) -> str:
    """Return the label of a metric or an algorithm, also of a plug-in that is not installed."""
    return registry.label(name) if name in registry else f"{name} (not installed)"


def metric_option(name: str) -> str:
    """Return the label of a metric where one is chosen: the baseline is marked."""
    info = METRICS.get(name)
    return f"{info.label} (baseline)" if info.baseline else info.label


def request_label(request: Request, run_id: str, store: Store | None = None) -> str:
    """Return the label of any request; a store names the sub-space of a search."""
    if isinstance(request, SplitRequest):
        return split_label(request, run_id)
    if isinstance(request, SearchRequest):
        part = request.sub_space
        where = _place(store, store.revision, request.dataset, part) if store else ""
        parts = [
            record_label(ALGORITHMS, request.algorithm),
            options_label(request.options, request.fixed_depth),
        ]
        if request.checkpoint is not None:
            parts.append(f"inherited weights ({_weights(request.checkpoint)})")
        parts += ["compiled"] * request.compiled + [request.device] * (request.device != "cpu")
        parts.append(where or f"{part.size:,} architectures")
    elif isinstance(request, TrainingRequest):
        parts = ["Supernet", options_label(request.options, request.fixed_depth)]
    elif isinstance(request, EstimateRequest):
        metric, *network = _parts(request)[0]
        sample = f"{request.sample:,} architectures" if request.sample else "all architectures"
        return SEPARATOR.join([f"Estimate by {metric}", sample, *network, f"seed {request.seed}"])
    else:
        return SEPARATOR.join([f"Proxy quality of {request.run}", f"seed {request.seed}"])
    return SEPARATOR.join([*parts, f"seed {request.seed}", *_synthetic(request.images)])


@lru_cache(maxsize=4096)
def _place(store: Store, revision: int, dataset: str, part: SubSpace) -> str:
    """Return a sub-space in a word, with the split that it is from."""
    space = part.space
    if part == SubSpace.full(space):
        return "whole space"
    key = store.split_with(dataset, part)
    if key is None:
        kept = enumerate(zip(part.rows, SubSpace.full(space).rows, strict=True))
        masks = [f"{space.noun} {number} {row}" for number, (row, all_on) in kept if row != all_on]
        return ", ".join(masks)
    label = distinct_labels(list_splits(store, dataset, space.name))[key]
    return f"S{open_split(store, key).leaves.index(part) + 1} of {label}"


def dataset_label(request: Request) -> str:
    """Return the label of a request's data set, with the search space unless it is the default."""
    return task_label(request.dataset, request.space)


def task_label(dataset: str, space: str) -> str:
    """Return the label of a data set of a space; both may be unknown here."""
    label, space_label = dataset, space
    with suppress(FewshotError):
        found = get_space(space)
        space_label = found.label
        label = found.dataset(dataset).label
    return label if space == NAS_BENCH_201.name else f"{label} ({space_label})"


def _weights(checkpoint: str) -> str:
    """Return the short name of a checkpoint: that of its run, or of its file."""
    path = Path(checkpoint)
    return path.parent.name if path.name == CHECKPOINT else path.stem


def split_label(request: SplitRequest, run_id: str) -> str:
    """Return the label of a split in a list of any runs: it leaves out what is as by default."""
    main, details = _parts(request)
    seed = request.seed
    usual = replace(request, variant="paper", batch_norm="batch", batch_size=64, batches=1)
    usual = replace(usual, batch_seed=seed, network=Network(seed=seed), tree=TreeOptions())
    unsaid = _parts(usual)[1]
    details = [part for part in details if part not in unsaid]
    return SEPARATOR.join([*main, *details, f"seed {request.seed}", _end(run_id)])


def full_label(request: SplitRequest, run_id: str, name: str = "") -> str:
    """Return all in which splits can differ, with the user's name; see ``distinct_labels``."""
    (metric, *main), details = _parts(request)
    quoted = [f"{_QUOTE}{name.replace(SEPARATOR, ' ')}”"] if name else []
    parts = [metric, *quoted, *main, *details, f"seed {request.seed}", _end(run_id)]
    return SEPARATOR.join(parts)


def _names(store: Store) -> dict[str, str]:
    """Return the names that the user gave to runs; none if the file of notes is damaged."""
    with suppress(RunError):
        notes = read_notes(store.data_dir)
        return {run_id: each.name for run_id, each in notes.items() if each.name}
    return {}


def _end(run_id: str) -> str:
    return run_id.rpartition("-")[2][:6]


def _parts(request: MetricRequest) -> tuple[list[str], list[str]]:
    """Return the main parts of a split's label and the others, but for its seed and its end."""
    network = request.network
    main = [record_label(METRICS, request.metric)]
    details = [f"variant {request.variant}"]
    if request.has_network:
        main.append(_network(network.channels, network.cells_per_stage, request.fixed_depth))
        if network.checkpoint is None:
            main.append("untrained")
            details.append(f"{_WEIGHT_SEED}{network.seed}")
        else:
            main.append(f"{_TRAINED} ({_weights(network.checkpoint)})")
    if request.needs_images:
        synthetic = _synthetic(request.images)
        main += synthetic or [f"images {Path(request.images).name}" if request.images else "real"]
        details += [request.batch_label, f"{_BATCH_SEED}{request.batch_seed}"]
    if not isinstance(request, SplitRequest):
        return main, [*details, request.device]
    own = filter(None, [request.tree_label, request.warm_up_label])
    return main, [*details, *own, request.device]


def options_label(options: SearchOptions | TrainingOptions, fixed_depth: bool = False) -> str:
    """Return the preset that options are from, or all that differs from the nearest one."""
    preset = preset_of(options)
    if preset is not None:
        return PRESETS.get(preset).label
    of_kind = [p.search if isinstance(options, SearchOptions) else p.training for p in PRESETS]
    changes = min((_changes(options, each) for each in of_kind), key=len)
    size = _network(options.channels, options.cells_per_stage, fixed_depth)
    parts = [size, f"{options.epochs} epochs"]
    return ", ".join([*parts, *changes])


def _changes(options: SearchOptions | TrainingOptions, usual: object) -> list[str]:
    """Return the options that differ from usual ones, but for those that are named anyway."""
    named = ("channels", "cells_per_stage", "epochs")
    return [
        f"{name.replace('_', ' ')} {as_text(value)}"
        for name, value in vars(options).items()
        if name not in named and value != getattr(usual, name)
    ]


def _network(channels: int, cells: int, fixed_depth: bool) -> str:
    return size_label(channels, 0 if fixed_depth else cells)


def _synthetic(images: str | None) -> list[str]:
    return ["synthetic"] if images == "synthetic" else []


def distinct_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Shorten full labels of splits, by key, to what distinguishes them.

    "snip · 16 channels, 5 cells · d20ce9" becomes "snip" where it is the only split by this metric;
    of several by one metric, what they have in common is left out. The end of a run's name stays
    only where two labels would be the same. Seeds that go together are named once. Labels of
    imported splits stay as they are, and those of demo splits keep their mark.
    """
    return dict(_distinct(tuple(labels.items())))


@lru_cache(maxsize=_LISTS)
def _distinct(items: tuple[tuple[str, str], ...]) -> dict[str, str]:
    labels = dict(items)
    made = {key: label for key, label in items if not key.startswith(FILE)}
    parts = {key: label.removesuffix(_DEMO).split(SEPARATOR) for key, label in made.items()}
    by_metric: dict[str, dict[str, list[str]]] = {}
    for key, (metric, *rest, _) in parts.items():
        by_metric.setdefault(metric, {})[key] = rest
    short = {
        key: SEPARATOR.join([metric, *differing])
        for metric, rows in by_metric.items()
        for key, differing in zip(rows, _differing([*rows.values()]), strict=True)
    }
    counts = Counter(short.values())
    for key, label in short.items():
        end = f"{SEPARATOR}{parts[key][-1]}" if counts[label] > 1 else ""
        labels[key] = label + end + _DEMO * made[key].endswith(_DEMO)
    return labels


def _differing(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the parts in which labels of one metric differ; seeds that go together count once."""
    seeds = [{part.rpartition(" ")[2] for part in row if "seed " in part} for row in rows]
    one_seed = all(len(found) < 2 for found in seeds)
    trained = {part for row in rows for part in row if part.startswith(_TRAINED)}
    common = set(rows[0]).intersection(*rows)
    return [
        [
            _TRAINED if part in trained and len(trained) == 1 else part
            for part in row
            if (part not in common or part.startswith(_QUOTE))
            and not (one_seed and part.startswith((_WEIGHT_SEED, _BATCH_SEED)))
        ]
        for row in rows
    ]


def first_of_each_metric(labels: Mapping[str, str], most: int = 1) -> list[str]:
    """Return the keys of the first splits by each metric, given their labels."""
    found: dict[str, list[str]] = {}
    for key, label in labels.items():
        found.setdefault(label.partition(SEPARATOR)[0], []).append(key)
    return [key for keys in found.values() for key in keys[:most]]


@dataclass(frozen=True)
class SplitInView:
    """A split; two are equal if they are the same split, however they are labelled.

    ``key`` is its name in the URL: its run, or "file-" and the name of an imported one, which has
    neither tree nor request. ``leaves`` are in tree order, or the groups of a partition,
    ``details`` its network and images in words, ``finished`` seconds since the epoch; a demo split
    came with the project.
    """

    key: str
    leaves: tuple[Part, ...]
    finished: float | None = None
    label: str = field(default="", compare=False)
    name: str = field(default="", compare=False)
    dataset: str = field(default="", compare=False)
    details: tuple[str, ...] = field(default=(), compare=False)
    tree: SplitTree | None = field(default=None, compare=False)
    request: SplitRequest | None = field(default=None, compare=False)
    demo: bool = field(default=False, compare=False)

    @property
    def evidence(self) -> Evidence:
        """What it rests on; an imported one on a network that is not known."""
        if self.request is not None:
            return self.request.evidence
        return Evidence(self.dataset, space=space_label(self.space))

    @property
    def space(self) -> SearchSpace:
        """Its search space."""
        return self.leaves[0].space

    @property
    def is_partition(self) -> bool:
        """Whether it is a partition that has no supernets."""
        return is_partition(self.leaves)

    def notes(self, one_seed: bool = False) -> tuple[str, ...]:
        """What a reader must know of it; a partition rests on no network."""
        if self.is_partition:
            return ("partition",)
        return self.evidence.notes(self.demo, one_seed)

    @property
    def synthetic(self) -> bool:
        """Whether it was made with synthetic images."""
        return self.tree is not None and bool(self.tree.details.get("synthetic"))

    @property
    def by_chance(self) -> bool:
        """Whether it is one of the random splits that metrics are compared with."""
        metric = METRICS.find(self.request.metric) if self.request else None
        return metric is not None and metric.baseline

    @property
    def ties(self) -> int:
        """The number of tied nodes, as far as is known."""
        return sum(node.degenerate for node in self.tree.nodes) if self.tree else 0


@lru_cache(maxsize=20_000)
def read_request(text: str) -> SplitRequest:
    """Read the request of a finished split from its text in the store."""
    return SplitRequest.from_dict(json.loads(text))


def list_splits(store: Store, dataset: str, space: str) -> dict[str, str]:
    """Return the full labels of all splits of a data set of a search space, by their keys.

    The reader's own come first, the latest run first; then imported ones; then those that came with
    the project, in the order of the metrics, untrained networks before trained ones, the usual
    batch before others.
    """
    imported = tuple(key for key, of in imported_splits(store).items() if of == (space, dataset))
    names = tuple(_names(store).items())
    return dict(_labels(store, store.revision, dataset, space, imported, names))


@lru_cache(maxsize=_LISTS)
def _labels(
    store: Store,
    revision: int,
    dataset: str,
    space: str,
    imported: tuple[str, ...],
    named: tuple[tuple[str, str], ...],
) -> Mapping[str, str]:
    names = dict(named)
    own: dict[str, SplitRequest] = {}
    demo: dict[str, SplitRequest] = {}
    rows = store.splits(dataset, space=space)
    for run_id, text, is_demo in zip(rows["run_id"], rows["request"], rows["demo"], strict=True):
        (demo if is_demo else own)[run_id] = read_request(text)
    order = METRICS.names()

    def place(item: tuple[str, SplitRequest]) -> tuple[int, bool, str, int]:
        request = item[1]
        position = order.index(request.metric) if request.metric in order else len(order)
        trained = request.network.checkpoint is not None
        return position, trained, request.evidence.batch, request.seed

    demo = dict(sorted(demo.items(), key=place))
    return {
        **{key: full_label(request, key, names.get(key, "")) for key, request in own.items()},
        **{key: _imported_label(key.removeprefix(FILE), dataset, space) for key in imported},
        **{key: full_label(each, key, names.get(key, "")) + _DEMO for key, each in demo.items()},
    }


def open_split(store: Store, key: str) -> SplitInView:
    """Return a split that ``list_splits`` lists.

    Raises:
        UnknownNameError: If there is no such split.
    """
    [split] = _open_all(store, [key])
    return split


def _open_all(store: Store, keys: Sequence[str]) -> list[SplitInView]:
    finished = tuple(key for key in keys if not key.startswith(FILE))
    names = _names(store)
    found = _open_finished(
        store, store.revision, finished, tuple(names.get(key, "") for key in finished)
    )
    return [
        found[key]
        if key in found
        else _IMPORTED.read(imported_path(key.removeprefix(FILE), store.data_dir))
        for key in keys
    ]


def open_splits(store: Store, keys: Sequence[str]) -> list[SplitInView]:
    """Return splits shown together, by labels that differ; demo ones are marked beside others."""
    splits = _open_all(store, keys)
    labels = distinct_labels({split.key: split.label for split in splits})
    if all(split.demo for split in splits):
        labels = {key: label.removesuffix(_DEMO) for key, label in labels.items()}
    return [replace(split, label=labels[split.key]) for split in splits]


def split_table(store: Store, labels: Mapping[str, str]) -> pd.DataFrame:
    """List splits, by key, with what they rest on; ``labels`` are those of ``distinct_labels``."""
    rows = []
    for split, label in zip(_open_all(store, list(labels)), labels.values(), strict=True):
        evidence, request = split.evidence, split.request
        rows.append(
            {
                "metric": split.name,
                "network": evidence.network,
                "weights": evidence.weights or "none",
                "images": evidence.images or "none",
                "seed": request.seed if request else None,
                "notes": ", ".join(split.notes()),
                "made": split.finished,
                "differs in": label.partition(SEPARATOR)[2].removesuffix(_DEMO),
            }
        )
    return pd.DataFrame(rows, list(labels))


@lru_cache(maxsize=_CACHED)
def _open_finished(
    store: Store, revision: int, keys: tuple[str, ...], names: tuple[str, ...]
) -> Mapping[str, SplitInView]:
    """Open splits of runs by two queries in all."""
    trees = store.split_trees(keys)
    rows = {row["run_id"]: row for row in store.splits(run_ids=keys, space=None).to_dict("records")}
    found = {}
    for key, name, tree in zip(keys, names, trees, strict=True):
        row, request = rows[key], read_request(rows[key]["request"])
        details = [str(tree.details.get(what) or "") for what in ("network", "images")]
        found[key] = SplitInView(
            key=key,
            leaves=tuple(tree.leaves),
            finished=float(row["finished"]),
            label=full_label(request, key, name) + _DEMO * bool(row["demo"]),
            name=record_label(METRICS, tree.metric),
            dataset=request.dataset,
            details=tuple(text for text in details if text not in ("", "none")),
            tree=tree,
            request=request,
            demo=bool(row["demo"]),
        )
    return found


def imported_splits(store: Store) -> dict[str, tuple[str, str]]:
    """Return space and data set of imported splits by key; damaged ones are named on the page."""
    found = {}
    for name in imported_names(store.data_dir):
        try:
            split = _IMPORTED.read(imported_path(name, store.data_dir))
            found[split.key] = split.space.name, split.dataset
        except FewshotError as error:
            st.warning(
                f"An imported split cannot be read: {plain(error)}", icon=":material/warning:"
            )
    return found


def _imported_label(name: str, dataset: str, space: str) -> str:
    """Return "params · published": the name of the file without space and data set in it."""
    parts = name.removeprefix(f"{space}-").split(f"-{dataset}-", 1)
    return SEPARATOR.join(part for part in parts if part)


def _open_imported(path: Path) -> SplitInView:
    split = read_imported(path)
    dataset = split.dataset or ""
    kind = "a partition" if is_partition(split.leaves) else "imported from a file"
    return SplitInView(
        key=f"{FILE}{path.stem}",
        leaves=split.leaves,
        label=_imported_label(path.stem, dataset, split.space.name),
        name=split.name,
        dataset=dataset,
        details=tuple(filter(None, [kind, split.source])),
    )


_IMPORTED = FileCache(_open_imported)
