"""The evidence of claims: accuracy tables, splits and searches, and how they are read."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fewshot_core.analysis import SplitEvaluator, describe_sub_spaces, top_threshold
from fewshot_core.bench import KINDS, load_accuracy, resolve_table
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError
from fewshot_core.metrics import METRICS
from fewshot_core.runs import SearchRequest, SplitRequest, plan_command
from fewshot_core.search import PRESETS
from fewshot_core.search.options import as_text, changed
from fewshot_core.selection import recorded_curves, search_families
from fewshot_core.space import EDGES, OPERATIONS, SubSpace
from fewshot_core.splitting import TreeOptions
from fewshot_core.splitting.files import read_splits
from fewshot_core.store import Store

RANDOM = "random"
"""The metric that groups operations at random."""

_WHOLE = "whole space"
_SKIP = OPERATIONS.index("skip_connect")
_WITH_SEED = re.compile(r"(?P<metric>\w+?)_(?P<seed>\d+)")
"""The name of a published split that was made with a seed: "random_777"."""

FACTS = (
    "data set | accuracies | best | all-skip | top 1% from | top 1% | best tree, bits | "
    "its top 1% by sub-space | random trees: mean, 5% to 95%, bits"
)
"""The headings of what an accuracy table says without any run."""


@dataclass(frozen=True, eq=False)
class Accuracies:
    """The validation or test accuracies of one data set, as ``load_accuracy`` returns them."""

    dataset: str
    kind: str
    table: str
    fingerprint: str
    frame: pd.DataFrame
    evaluator: SplitEvaluator

    @property
    def text(self) -> str:
        """The kind of accuracy and the table, in words."""
        return f"{self.kind} accuracy, table {self.table}"

    def facts(self) -> str:
        """The cells of ``FACTS``: the top 1% of the table, the best tree, random trees."""
        values = self.frame["accuracy_mean"].to_numpy()
        chance = self.evaluator.baseline(TreeOptions())
        tops = describe_sub_spaces(chance.best.leaves, self.frame)["top_count"]
        low, high = np.quantile(chance.gains, [0.05, 0.95])
        skips = SubSpace(((_SKIP,),) * len(EDGES)).architecture_indices()
        all_skip = self.frame[self.frame["architecture"].isin(skips)]["accuracy_mean"].max()
        return (
            f"{self.dataset} | {self.kind}, {_cell(self.table)} | {np.nanmax(values):.4f} | "
            f"{all_skip:.4f} | {top_threshold(values):.4f} | {tops.sum()} | "
            f"{chance.best.gain_bits:.4f} | {', '.join(map(str, tops))} | "
            f"{chance.gains.mean():.4f}, {low:.4f} to {high:.4f}"
        )


class Source(NamedTuple):
    """What evidence is based on: what was examined, at which scale, in which runs."""

    material: str
    scale: str
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """A split and how it was made, in words; a published one has no run and no known network.

    Attributes:
        images: The images, or None for a metric without images.
        seeds: Seeds of the metric, the batch and the weights; empty if unknown.
        ties: The number of nodes whose grouping is an arbitrary choice; None if unknown.
    """

    metric: str
    dataset: str
    leaves: tuple[SubSpace, ...]
    run_id: str = ""
    network: str = ""
    images: str | None = None
    seeds: tuple[int, ...] = ()
    ties: int | None = None

    @property
    def label(self) -> str:
        """The first cells of its row in a table: metric, data set, seed and ties."""
        seeds = ", ".join(map(str, sorted(set(self.seeds)))) or "–"
        ties = "–" if self.ties is None else self.ties
        return f"{_cell(self.metric)} | {self.dataset} | {seeds} | {ties}"


@dataclass(frozen=True)
class SplitGroup:
    """Splits that may be counted together: same network and tree, same kind of images."""

    origin: str
    scale: str
    splits: tuple[Split, ...]

    @property
    def material(self) -> str:
        """Their number and origin: "12 recorded splits"."""
        return f"{len(self.splits)} {self.origin} splits"

    def source(self, material: str = "", splits: Iterable[Split] | None = None) -> Source:
        """Describe all of the splits, or some of them."""
        chosen = self.splits if splits is None else splits
        runs = tuple(split.run_id for split in chosen if split.run_id)
        return Source(material or self.material, self.scale, runs)


@dataclass(frozen=True)
class SearchKind:
    """What searches that may be counted together have in common; see ``Store.searches``."""

    dataset: str
    algorithm: str
    family: str
    scale: str
    command: str


@dataclass(frozen=True, eq=False)
class SearchedSplit:
    """Searches of one kind and seed in all sub-spaces of a split, or in the whole space.

    Attributes:
        metrics: The metrics that give this split.
        curves: Columns sub_space, epoch, valid_accuracy, test_accuracy (that of the architecture
            found, percent, from the accuracy table).
    """

    metrics: tuple[str, ...]
    kind: SearchKind
    seed: int
    curves: pd.DataFrame
    runs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The metrics in words."""
        return ", ".join(self.metrics)

    @property
    def label(self) -> str:
        """The first cells of its row in a table: metric and seed."""
        return f"{_cell(self.name)} | {self.seed}"

    @property
    def is_random(self) -> bool:
        """Whether a random grouping gives this split."""
        return any(name.split()[0] == RANDOM for name in self.metrics)

    @property
    def end(self) -> int:
        """The last epoch."""
        return int(self.curves["epoch"].max())

    @property
    def found(self) -> "pd.Series[float]":
        """The accuracy of the architecture each sub-supernet found at the end, percent."""
        last = self.curves[self.curves["epoch"] == self.end]
        return last.set_index("sub_space")["test_accuracy"]

    @property
    def best(self) -> float:
        """The best accuracy that any of them found, percent."""
        return float(self.found.max())


@dataclass(frozen=True, eq=False)
class Material:
    """The evidence of all claims.

    Attributes:
        accuracies: Accuracies by data set.
        splits: Recorded splits.
        searched: Splits with a finished search in every sub-space.
        incomplete: Descriptions of searches that do not cover all sub-spaces.
    """

    accuracies: Mapping[str, Accuracies]
    splits: tuple[Split, ...] = ()
    published: tuple[Split, ...] = ()
    searched: tuple[SearchedSplit, ...] = ()
    whole: tuple[SearchedSplit, ...] = ()
    incomplete: tuple[str, ...] = ()

    def groups(self) -> list[SplitGroup]:
        """Group recorded splits by scale, and published ones; only those with accuracies.

        Splits by a metric without images belong to every group of their network.
        """
        known = [split for split in self.splits if split.dataset in self.accuracies]
        pairs = [(split.network, split.images) for split in known]
        with_images = {network for network, images in pairs if images is not None}
        keys = dict.fromkeys(
            pair for pair in pairs if pair[1] is not None or pair[0] not in with_images
        )
        groups = [self._recorded(known, network, images) for network, images in keys]
        published = tuple(split for split in self.published if split.dataset in self.accuracies)
        if published:
            scale = f"as published, {self._accuracy_text(published)}"
            groups.append(SplitGroup("published", scale, published))
        return groups

    def searched_by_kind(self) -> dict[SearchKind, list[SearchedSplit]]:
        """Group the searched splits by what their searches have in common."""
        found: dict[SearchKind, list[SearchedSplit]] = {}
        for cell in self.searched:
            found.setdefault(cell.kind, []).append(cell)
        return found

    def search_source(self, material: str, cells: Iterable[SearchedSplit]) -> Source:
        """Describe searches, of one or several kinds, with the accuracy table."""
        listed = list(cells)
        kinds = dict.fromkeys(cell.kind for cell in listed)
        scales = (f"{kind.scale}; {self.accuracies[kind.dataset].text}" for kind in kinds)
        runs = tuple(dict.fromkeys(run for cell in listed for run in cell.runs))
        return Source(material, "; ".join(scales), runs)

    def _recorded(self, known: list[Split], network: str, images: str | None) -> SplitGroup:
        inside = tuple(
            split for split in known if split.network == network and split.images in (images, None)
        )
        names = [(split.metric, split.dataset) for split in inside if split.metric != RANDOM]
        sets = len({split.seeds for split in inside})
        seeds = f"{sets} sets of seeds" if len(set(names)) < len(names) else "one seed per metric"
        parts = (network, images, seeds, self._accuracy_text(inside))
        return SplitGroup("recorded", "; ".join(part for part in parts if part), inside)

    def _accuracy_text(self, splits: tuple[Split, ...]) -> str:
        return "; ".join(dict.fromkeys(self.accuracies[split.dataset].text for split in splits))


def read_material(
    store: Store,
    data_dir: Path,
    kind: str | None = None,
    table: str | None = None,
    published: Path | None = None,
) -> Material:
    """Read the evidence of claims.

    Args:
        store: The recorded runs, synced.
        data_dir: The folder of accuracy tables.
        kind: The kind of accuracy; by default test accuracies where available.
        table: The table, or a CSV file.
        published: A file of published splits, or None.

    Raises:
        FewshotError: If no table has the accuracies of any data set, or a file cannot be read.
    """
    accuracies = _read_accuracies(kind, table, data_dir)
    splits = tuple(sorted(_recorded_splits(store), key=_order))
    material = Material(accuracies, splits, () if published is None else read_published(published))
    for one in accuracies.values():
        material = _with_searches(material, store, one)
    return material


def _read_accuracies(kind: str | None, table: str | None, data_dir: Path) -> dict[str, Accuracies]:
    found = {}
    problem: TableError | None = None
    for name in DATASETS.names():
        for wanted in [kind] if kind else reversed(KINDS):
            try:
                info = resolve_table(name, wanted, table, data_dir)
            except TableError as error:
                problem = error
                continue
            frame = load_accuracy(name, wanted, table, data_dir)
            evaluator = SplitEvaluator(frame)
            found[name] = Accuracies(name, wanted, info.name, info.fingerprint, frame, evaluator)
            break
    if problem is not None and not found:
        raise problem
    return found


def read_published(path: Path) -> tuple[Split, ...]:
    """Read published splits; a seed at the end of a name is told apart from the metric."""
    by_label = {metric.label: metric.name for metric in METRICS}
    splits = []
    for split in read_splits(path):
        name, match = by_label.get(split.name, split.name), _WITH_SEED.fullmatch(split.name)
        known = match is not None and match["metric"] in METRICS.names()
        metric, seeds = (match["metric"], (int(match["seed"]),)) if match and known else (name, ())
        if split.dataset is not None:
            splits.append(Split(metric, split.dataset, split.leaves, seeds=seeds))
    return tuple(splits)


def _recorded_splits(store: Store) -> Iterator[Split]:
    for row in store.splits().to_dict("records"):
        request = SplitRequest.from_dict(json.loads(str(row["request"])))
        seeds = (request.seed, request.network.seed)
        yield Split(
            metric=_metric(request),
            dataset=request.dataset,
            leaves=tuple(store.split_tree(str(row["run_id"])).leaves),
            run_id=str(row["run_id"]),
            network=_network(request),
            images=_images(request, row) if request.needs_images else None,
            seeds=(seeds[0], request.batch_seed, seeds[1]) if request.needs_images else seeds,
            ties=int(row["degenerate_nodes"]),
        )


def _metric(request: SplitRequest) -> str:
    own = [request.variant] if request.variant != "paper" else []
    if request.needs_images and request.batch_norm != "batch":
        own.append(f"{request.batch_norm} statistics")
    return f"{request.metric} ({', '.join(own)})" if own else request.metric


def _network(request: SplitRequest) -> str:
    network = replace(request.network, seed=0).describe().replace(" (seed 0)", "")
    differing = [
        f"{name.replace('_', ' ')} {as_text(value)}"
        for name, value in vars(request.tree).items()
        if value != getattr(TreeOptions(), name)
    ]
    return ", ".join([network, *differing])


def _images(request: SplitRequest, row: Mapping[Any, Any]) -> str:
    synthetic = json.loads(str(row["details"])).get("synthetic", False)
    batches = f"{request.batches} x " if request.batches > 1 else ""
    return f"{batches}{request.batch_size} {'synthetic' if synthetic else 'real'} images"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _order(split: Split) -> tuple[int, int, str, tuple[int, ...], str]:
    names, datasets = METRICS.names(), DATASETS.names()
    known = split.metric.split(" ")[0]
    place = names.index(known) if known in names else len(names)
    return datasets.index(split.dataset), place, split.metric, split.seeds, split.run_id


def _with_searches(material: Material, store: Store, accuracies: Accuracies) -> Material:
    """Add the finished searches of a data set: in all sub-spaces, and in the whole space."""
    rows = store.searches(accuracies.dataset)
    records = store.search_records(list(rows["run_id"]))
    families = {str(name): part for name, part in rows.groupby("family")}
    kinds = {name: _kind(name, part) for name, part in families.items()}
    searched, whole = list(material.searched), list(material.whole)
    incomplete = dict.fromkeys(material.incomplete)
    for leaves, metrics in _distinct_splits(material, accuracies.dataset).items():
        for family in search_families(leaves, rows).to_dict("records"):
            part, kind = families[family["family"]], kinds[family["family"]]
            joined = recorded_curves(leaves, part, records, accuracies.frame)
            for seed, missing in sorted(joined.missing.items()):
                if len(missing) > len(leaves) // 2:  # searches of another split that shares some
                    continue
                curves = joined.frame[joined.frame["seed"] == seed].reset_index(drop=True)
                last = curves[curves["epoch"] == family["epochs"]]
                if missing or last["test_accuracy"].isna().any():
                    reason = f"not searched: {', '.join(missing)}" if missing else "no accuracies"
                    text = f"{', '.join(metrics)}, {kind.scale}, seed {seed}: {reason}"
                    incomplete[text] = None
                    continue
                run_ids = part[part["seed"] == seed].set_index("sub_space")["run_id"]
                runs = tuple(str(run_ids[" ".join(leaf.rows)]) for leaf in leaves)
                cell = SearchedSplit(metrics, kind, seed, curves, runs)
                (whole if len(leaves) == 1 else searched).append(cell)
    return replace(
        material, searched=tuple(searched), whole=tuple(whole), incomplete=tuple(incomplete)
    )


def _distinct_splits(
    material: Material, dataset: str
) -> dict[tuple[SubSpace, ...], tuple[str, ...]]:
    """Collect the distinct splits of a data set with the metrics that give each, and no split."""
    found: dict[tuple[SubSpace, ...], tuple[str, ...]] = {}
    for split in (*material.splits, *material.published):
        if split.dataset == dataset:
            own = split.metric if split.run_id else f"{split.metric} as published"
            others = found.get(split.leaves, ())
            found[split.leaves] = others if own in others else (*others, own)
    return found | {(SubSpace.full(),): (_WHOLE,)}


def _kind(family: str, rows: pd.DataFrame) -> SearchKind:
    row = rows.iloc[0]
    request = SearchRequest.from_dict(json.loads(str(row["request"])))
    seeds = sorted({int(seed) for seed in rows["seed"]})
    scale = _search_scale(request, bool(row["synthetic"]))
    command = plan_command(request, None, seeds)
    return SearchKind(request.dataset, request.algorithm, family, scale, command)


def _search_scale(request: SearchRequest, synthetic: bool) -> str:
    options = request.options
    preset = min(PRESETS, key=lambda preset: len(changed(options, preset.search)))
    differing = ", ".join(
        f"{name} {as_text(value)}" for name, value in changed(options, preset.search).items()
    )
    images = "all" if options.images is None else f"{options.images:,}"
    cells = "cell" if options.cells_per_stage == 1 else "cells"
    weights = ", inherited weights" if request.checkpoint else ""
    return (
        f"{request.method_label}, preset {preset.name}"
        f"{f' with {differing}' if differing else ''} ({options.epochs} epochs, "
        f"{options.channels} channels, {options.cells_per_stage} {cells} per stage, {images} "
        f"{'synthetic' if synthetic else 'real'} images, half of them held out{weights})"
    )
