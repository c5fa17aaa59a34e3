"""The evidence of claims: accuracy tables, splits and searches, and how they are read."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

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

_WHOLE = ("whole space",)
_SKIP = OPERATIONS.index("skip_connect")


@dataclass(frozen=True, eq=False)
class Accuracies:
    """The validation or test accuracies of one data set, as ``load_accuracy`` returns them."""

    dataset: str
    kind: str
    table: str
    fingerprint: str
    evaluator: SplitEvaluator

    @property
    def frame(self) -> pd.DataFrame:
        """Columns architecture (index) and accuracy_mean (percent)."""
        return self.evaluator.accuracy

    @property
    def text(self) -> str:
        """The kind of accuracy and the table, in words."""
        return f"{self.kind} accuracy, table {self.table}"

    def facts(self) -> dict[str, object]:
        """What the table says without any run: the top 1%, the best tree, random trees."""
        values = self.frame["accuracy_mean"].to_numpy()
        baseline = self.evaluator.baseline(TreeOptions())
        tops = describe_sub_spaces(baseline.best.leaves, self.frame)["top_count"]
        low, high = np.quantile(baseline.gains, [0.05, 0.95])
        skips = SubSpace(((_SKIP,),) * len(EDGES)).architecture_indices()
        all_skip = self.frame[self.frame["architecture"].isin(skips)]["accuracy_mean"].max()
        return {
            "data set": self.dataset,
            "accuracies": f"{self.kind}, {self.table}",
            "best": f"{np.nanmax(values):.4f}",
            "all-skip": f"{all_skip:.4f}",
            "top 1% from": f"{top_threshold(values):.4f}",
            "top 1%": tops.sum(),
            "best tree, bits": f"{baseline.best.gain_bits:.4f}",
            "its top 1% by sub-space": ", ".join(map(str, tops)),
            "random trees: mean, 5% to 95%, bits": (
                f"{baseline.gains.mean():.4f}, {low:.4f} to {high:.4f}"
            ),
        }


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
    def row(self) -> dict[str, object]:
        """The first cells of its row in a table."""
        seeds = ", ".join(map(str, sorted(set(self.seeds)))) or "–"
        ties = "–" if self.ties is None else self.ties
        return {"metric": self.metric, "data set": self.dataset, "seed": seeds, "ties": ties}


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

    def source(self, material: str, splits: Iterable[Split]) -> Source:
        """Describe some of the splits."""
        return Source(material, self.scale, tuple(s.run_id for s in splits if s.run_id))


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
    def row(self) -> dict[str, object]:
        """The first cells of its row in a table."""
        return {"metric": self.name, "seed": self.seed}

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
    """The evidence of all claims: accuracies by data set, splits, and finished searches.

    ``searched`` are splits with a search in every sub-space, ``whole`` searches in the whole space;
    ``incomplete`` describes searches that do not cover all sub-spaces.
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
        keys = dict.fromkeys((split.network, split.images) for split in known)
        with_images = {network for network, images in keys if images is not None}
        groups = []
        for network, images in keys:
            if images is None and network in with_images:
                continue
            inside = [s for s in known if s.network == network and s.images in (images, None)]
            names = [(split.metric, split.dataset) for split in inside if split.metric != RANDOM]
            sets = len({split.seeds for split in inside})
            repeated = len(set(names)) < len(names)
            seeds = f"{sets} sets of seeds" if repeated else "one seed per metric"
            parts = (network, images, seeds, self._tables(inside))
            scale = "; ".join(part for part in parts if part)
            groups.append(SplitGroup("recorded", scale, tuple(inside)))
        published = [split for split in self.published if split.dataset in self.accuracies]
        if published:
            scale = f"as published, {self._tables(published)}"
            groups.append(SplitGroup("published", scale, tuple(published)))
        return groups

    def searched_by_kind(self) -> dict[SearchKind, list[SearchedSplit]]:
        """Group the searched splits by what their searches have in common."""
        found: dict[SearchKind, list[SearchedSplit]] = {}
        for cell in self.searched:
            found.setdefault(cell.kind, []).append(cell)
        return found

    def commands(self) -> dict[str, str]:
        """Build the commands of missing searches: in the whole space, and as in Section 4.3."""
        paper = "--algorithm snas --preset paper"
        whole = f"fewshot search --no-splitting {paper} --seeds 777,888,999"
        runs = [s.run_id for s in self.splits if s.metric == "gradientmatching" and s.run_id]
        split = f"fewshot search --split {runs[0] if runs else 'RUN'} {paper}"
        return {
            "whole": self.searched[0].kind.command if self.searched else whole,
            "searches": f"{split} --set epochs=600 --seeds 777,888,999",
        }

    def search_source(self, material: str, cells: Sequence[SearchedSplit]) -> Source:
        """Describe searches, of one or several kinds, with the accuracy table."""
        kinds = dict.fromkeys(cell.kind for cell in cells)
        scales = (f"{kind.scale}; {self.accuracies[kind.dataset].text}" for kind in kinds)
        runs = tuple(dict.fromkeys(run for cell in cells for run in cell.runs))
        return Source(material, "; ".join(scales), runs)

    def _tables(self, splits: Iterable[Split]) -> str:
        return "; ".join(dict.fromkeys(self.accuracies[split.dataset].text for split in splits))


def read_material(
    store: Store,
    data_dir: Path,
    kind: str | None = None,
    table: str | None = None,
    published: Path | None = None,
) -> Material:
    """Read the evidence of claims from a synced store, tables and a file of published splits.

    The default kind of accuracy is test accuracy, where available.

    Raises:
        FewshotError: If no table has the accuracies of any data set, or a file cannot be read.
    """
    accuracies = _read_accuracies(kind, table, data_dir)
    splits = tuple(sorted(_recorded_splits(store), key=_order))
    published_splits = () if published is None else read_published(published)
    searched: list[SearchedSplit] = []
    incomplete: dict[str, None] = {}
    for one in accuracies.values():
        for cell, problem in _searches((*splits, *published_splits), store, one):
            if problem:
                incomplete[f"{cell.name}, {cell.kind.scale}, seed {cell.seed}: {problem}"] = None
            else:
                searched.append(cell)
    return Material(
        accuracies,
        splits,
        published_splits,
        searched=tuple(cell for cell in searched if cell.metrics != _WHOLE),
        whole=tuple(cell for cell in searched if cell.metrics == _WHOLE),
        incomplete=tuple(incomplete),
    )


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
            evaluator = SplitEvaluator(load_accuracy(name, wanted, table, data_dir))
            found[name] = Accuracies(name, wanted, info.name, info.fingerprint, evaluator)
            break
    if problem is not None and not found:
        raise problem
    return found


def read_published(path: Path) -> tuple[Split, ...]:
    """Read published splits; a seed at the end of a name is told apart from the metric."""
    by_label = {metric.label: metric.name for metric in METRICS}
    splits = []
    for split in read_splits(path):
        name, _, seed = split.name.rpartition("_")
        seeded = name in METRICS.names() and seed.isdecimal()
        metric = name if seeded else by_label.get(split.name, split.name)
        if split.dataset is not None:
            seeds = (int(seed),) if seeded else ()
            splits.append(Split(metric, split.dataset, split.leaves, seeds=seeds))
    return tuple(splits)


def _recorded_splits(store: Store) -> Iterator[Split]:
    for row in store.splits().to_dict("records"):
        request = SplitRequest.from_dict(json.loads(str(row["request"])))
        own = [request.variant] if request.variant != "paper" else []
        images = None
        seeds: tuple[int, ...] = (request.seed, request.network.seed)
        if request.needs_images:
            if request.batch_norm != "batch":
                own.append(f"{request.batch_norm} statistics")
            synthetic = json.loads(str(row["details"])).get("synthetic", False)
            batches = f"{request.batches} x " if request.batches > 1 else ""
            kind = "synthetic" if synthetic else "real"
            images = f"{batches}{request.batch_size} {kind} images"
            seeds = (request.seed, request.batch_seed, request.network.seed)
        yield Split(
            metric=f"{request.metric} ({', '.join(own)})" if own else request.metric,
            dataset=request.dataset,
            leaves=tuple(store.split_tree(str(row["run_id"])).leaves),
            run_id=str(row["run_id"]),
            network=_network(request),
            images=images,
            seeds=seeds,
            ties=int(row["degenerate_nodes"]),
        )


def _network(request: SplitRequest) -> str:
    network = replace(request.network, seed=0).describe().replace(" (seed 0)", "")
    differing = [
        f"{name.replace('_', ' ')} {as_text(value)}"
        for name, value in vars(request.tree).items()
        if value != getattr(TreeOptions(), name)
    ]
    return ", ".join([network, *differing])


def _order(split: Split) -> tuple[int, int, str, tuple[int, ...], str]:
    names, datasets = METRICS.names(), DATASETS.names()
    known = split.metric.split(" ")[0]
    place = names.index(known) if known in names else len(names)
    return datasets.index(split.dataset), place, split.metric, split.seeds, split.run_id


def _searches(
    splits: Sequence[Split], store: Store, accuracies: Accuracies
) -> Iterator[tuple[SearchedSplit, str]]:
    """Read the searches in each split and in the whole space, and say what is missing of them."""
    rows = store.searches(accuracies.dataset)
    records = store.search_records(list(rows["run_id"]))
    families = {str(name): part for name, part in rows.groupby("family")}
    kinds = {name: _kind(name, part) for name, part in families.items()}
    for leaves, metrics in _distinct_splits(splits, accuracies.dataset).items():
        for family in search_families(leaves, rows).to_dict("records"):
            part, kind = families[family["family"]], kinds[family["family"]]
            joined = recorded_curves(leaves, part, records, accuracies.frame)
            for seed, missing in sorted(joined.missing.items()):
                if len(missing) > len(leaves) // 2:  # searches of another split that shares some
                    continue
                curves = joined.frame[joined.frame["seed"] == seed].reset_index(drop=True)
                last = curves[curves["epoch"] == family["epochs"]]
                run_ids = part[part["seed"] == seed].set_index("sub_space")["run_id"]
                own = run_ids.reindex([" ".join(leaf.rows) for leaf in leaves]).dropna()
                problem = f"not searched: {', '.join(missing)}" if missing else ""
                if not missing and last["test_accuracy"].isna().any():
                    problem = "no accuracies"
                yield SearchedSplit(metrics, kind, seed, curves, tuple(map(str, own))), problem


def _distinct_splits(
    splits: Sequence[Split], dataset: str
) -> dict[tuple[SubSpace, ...], tuple[str, ...]]:
    """Collect the distinct splits of a data set with the metrics that give each, and no split."""
    found: dict[tuple[SubSpace, ...], dict[str, None]] = {}
    for split in splits:
        if split.dataset == dataset:
            own = split.metric if split.run_id else f"{split.metric} as published"
            found.setdefault(split.leaves, {})[own] = None
    return {leaves: tuple(metrics) for leaves, metrics in found.items()} | {
        (SubSpace.full(),): _WHOLE
    }


def _kind(family: str, rows: pd.DataFrame) -> SearchKind:
    row = rows.iloc[0]
    request = SearchRequest.from_dict(json.loads(str(row["request"])))
    options = request.options
    preset, own = min(
        ((preset, changed(options, preset.search)) for preset in PRESETS),
        key=lambda pair: len(pair[1]),
    )
    differing = ", ".join(f"{name} {as_text(value)}" for name, value in own.items())
    images = "all" if options.images is None else f"{options.images:,}"
    cells = "cell" if options.cells_per_stage == 1 else "cells"
    scale = (
        f"{request.method_label}, preset {preset.name}"
        f"{f' with {differing}' if own else ''} ({options.epochs} epochs, "
        f"{options.channels} channels, {options.cells_per_stage} {cells} per stage, {images} "
        f"{'synthetic' if row['synthetic'] else 'real'} images, half of them held out"
        f"{', inherited weights' if request.checkpoint else ''})"
    )
    command = plan_command(request, None, sorted({int(seed) for seed in rows["seed"]}))
    return SearchKind(request.dataset, request.algorithm, family, scale, command)
