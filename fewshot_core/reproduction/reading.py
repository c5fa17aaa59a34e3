"""Reading of what claims and findings rest on: tables, runs and published splits.

``read_material`` is about the claims of the paper; ``read_across``, ``read_bounds`` and
``read_estimates`` say the same of every search space with a table.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fewshot_core.analysis import SplitEvaluator, join_estimate, judge_estimate, judge_in_split
from fewshot_core.analysis.trees import count_table, product_gain, random_percentile
from fewshot_core.bench import (
    KINDS,
    TableInfo,
    list_columns,
    load_accuracy,
    load_column,
    load_parameters,
    resolve_table,
)
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError, TableError
from fewshot_core.metrics import METRICS
from fewshot_core.reproduction.material import (
    RANDOM,
    Accuracies,
    Material,
    SearchedSplit,
    SearchKind,
    Split,
    seeds_text,
    split_parts,
)
from fewshot_core.runs import SearchRequest, SplitRequest, plan_command
from fewshot_core.selection import recorded_curves, search_groups
from fewshot_core.space import (
    NAS_BENCH_201,
    SPACES,
    Part,
    SearchSpace,
    SubSpace,
    Task,
    get_space,
    list_spaces,
    partition_by_rule,
)
from fewshot_core.splitting import SplitTree, TreeOptions, partition
from fewshot_core.splitting.files import read_splits
from fewshot_core.store import Store, known_splits

POSITION = "0 is the mean of random trees of the same shape, 1 the best tree"
"""The scale on which splits of different spaces are compared."""

PAPER_DECISIONS = (0, 1, 2)
"""The decisions that the paper splits, in their order."""

BOUND_TREES = 1_000
"""Random trees of each shape in ``read_bounds``."""

_MOST_BLOCKS = 1_000_000
"""Combinations of groups up to which finding a best tree takes no more than seconds."""

_MOST_SETS = 60
"""Sets of decisions at most: more than a chain of eight has."""

_COLUMNS = [
    *["space", "dataset", "kind", "table", "evidence", "network", "tree", "batch", "strongest"],
    *["metric", "split", "seed", "ties", "float32_ties", "leaves", "gain_bits", "share_of_best"],
    *["position", "percentile", "percentile_low", "percentile_high", "runs", "conclusive"],
]

_WHOLE = "whole space"


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
    splits = recorded_splits(store)
    published_splits = () if published is None else read_published(published)
    searched: list[SearchedSplit] = []
    incomplete: dict[tuple[str, str, str], list[int]] = {}
    parameters = load_parameters(data_dir)
    for one in accuracies.values():
        for cell, problem in _searches((*splits, *published_splits), store, one, parameters):
            if problem:
                names = ", ".join(cell.metrics)
                incomplete.setdefault((names, cell.kind.scale, problem), []).append(cell.seed)
            else:
                searched.append(cell)
    missing: dict[str, list[str]] = {}
    for (names, scale, problem), seeds in incomplete.items():
        missing.setdefault(f"{scale}, {seeds_text(seeds)}", []).append(f"{names}: {problem}")
    return Material(
        accuracies,
        splits,
        published_splits,
        searched=tuple(cell for cell in searched if cell.metrics != (_WHOLE,)),
        whole=tuple(cell for cell in searched if cell.metrics == (_WHOLE,)),
        incomplete=missing,
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
    """Read published splits."""
    splits = []
    for split in read_splits(path):
        metric, seeds = published_name(split.name)
        if split.dataset is not None:
            splits.append(Split(metric, split.dataset, split.sub_spaces, seeds=seeds))
    return tuple(splits)


def published_name(name: str) -> tuple[str, tuple[int, ...]]:
    """Tell the metric and the seed of a split apart, which is at the end of some names."""
    metric, _, seed = name.rpartition("_")
    if metric in METRICS.names() and seed.isdecimal():
        return metric, (int(seed),)
    return {one.label: one.name for one in METRICS}.get(name, name), ()


def recorded_splits(store: Store, space: SearchSpace = NAS_BENCH_201) -> tuple[Split, ...]:
    """Read the recorded splits of a space, in the order of its data sets and of the metrics."""
    return tuple(sorted(_recorded_splits(store, space), key=partial(_order, space)))


def _recorded_splits(store: Store, space: SearchSpace) -> Iterator[Split]:
    splits = store.splits(space=space.name)
    trees = store.split_trees(list(splits["run_id"]))
    for row, found in zip(splits.to_dict("records"), trees, strict=True):
        request = SplitRequest.from_dict(json.loads(str(row["request"])))
        own = [request.variant] if request.variant != "paper" else []
        seeds = {request.seed, request.network.seed}
        if request.needs_images:
            seeds.add(request.batch_seed)
        yield Split(
            metric=f"{request.metric} ({', '.join(own)})" if own else request.metric,
            dataset=request.dataset,
            leaves=tuple(found.leaves),
            run_id=str(row["run_id"]),
            seeds=tuple(sorted(seeds)),
            ties=int(row["degenerate_nodes"]),
            float32_ties=None if request.metric == RANDOM else _float32_ties(found),
            evidence=replace(request.evidence, dataset="", batch=""),
            batch=request.batch_label,
        )


def _float32_ties(tree: SplitTree) -> int:
    """Count the nodes that are tied when similarities are rounded to float32, or overflow it."""
    balanced = bool(tree.details.get("balanced"))
    with np.errstate(over="ignore"):
        return sum(
            bool(
                partition(np.asarray(node.similarity, np.float32), len(node.groups), balanced).ties
            )
            for node in tree.nodes
        )


def _order(space: SearchSpace, split: Split) -> tuple[int, int, str, tuple[int, ...], str]:
    names, datasets = METRICS.names(), [task.name for task in space.datasets]
    known = split.metric.split(" ")[0]
    place = names.index(known) if known in names else len(names)
    return datasets.index(split.dataset), place, split.metric, split.seeds, split.run_id


def _searches(
    splits: Sequence[Split],
    store: Store,
    accuracies: Accuracies,
    parameters: "pd.Series[float] | None",
) -> Iterator[tuple[SearchedSplit, str]]:
    """Read the searches in each split and in the whole space, and say what is missing of them."""
    rows = store.searches(accuracies.dataset)
    records = store.search_records(list(rows["run_id"]))
    families = {str(name): part for name, part in rows.groupby("family")}
    kinds = {name: _kind(name, part) for name, part in families.items()}
    distinct: dict[tuple[SubSpace, ...], dict[str, None]] = {}
    for split in splits:
        if split.dataset == accuracies.dataset:
            metric = split.metric if split.run_id else f"{split.metric} as published"
            distinct.setdefault(split.leaves, {})[metric] = None
    distinct[(SubSpace.full(),)] = {_WHOLE: None}
    for leaves, metrics in distinct.items():
        for family in search_groups(leaves, rows, "family").to_dict("records"):
            part, kind = families[family["family"]], kinds[family["family"]]
            accuracy = accuracies.evaluator.accuracy
            joined = recorded_curves(leaves, part, records, accuracy, parameters)
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
                cell = SearchedSplit((*metrics,), kind, seed, curves, tuple(map(str, own)))
                yield cell, problem


def _kind(family: str, rows: pd.DataFrame) -> SearchKind:
    request = SearchRequest.from_dict(json.loads(str(rows["request"].iloc[0])))
    command = plan_command(request, None, sorted({int(seed) for seed in rows["seed"]}))
    scale = f"{request.method_label} · {request.evidence.label}"
    conclusive = request.evidence.conclusive
    name = f"{request.method_label}, {request.evidence.protocol}"
    return SearchKind(request.dataset, request.algorithm, family, name, scale, command, conclusive)


class _Scores(NamedTuple):
    """The scores of a table for a data set of a space."""

    space: SearchSpace
    task: Task
    kind: str
    table: TableInfo
    accuracy: pd.DataFrame

    @property
    def about(self) -> dict[str, Any]:
        """The columns that say which scores these are."""
        names = self.space.label, self.task.label, self.kind, self.table.name
        return dict(zip(("space", "dataset", "kind", "table"), names, strict=True))


def read_findings(store: Store, data_dir: Path) -> Material:
    """Read all that findings rest on: of the claims, and of every space with a table.

    The store must be in sync.
    """
    return replace(
        read_material(store, data_dir),
        across=read_across(store, data_dir),
        bounds=read_bounds(data_dir),
        estimates=read_estimates(store, data_dir),
    )


def read_across(store: Store, data_dir: Path) -> pd.DataFrame:
    """Compare the splits of every space, data set and task that has a table with random trees.

    The store must be in sync. Scores are test scores, where available.

    Returns:
        One row for each split and evidence that it may stand beside: space and dataset (labels),
        kind and table of the scores, evidence (in words), network, tree and batch (parts of the
        evidence; the network's has the tree, too), strongest (whether no other evidence there is
        stronger), metric (name), split (its key), seed, ties, float32_ties (see ``Split``), leaves,
        gain_bits, share_of_best, position (see ``POSITION``; below 0 where it is less informative
        than chance), percentile and its interval, runs, and conclusive (no smoke test).
        Rows of different evidence are not to be averaged.
    """
    rows = [
        row for scores, splits in _with_splits(store, data_dir) for row in _rows(scores, splits)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _with_splits(store: Store, data_dir: Path) -> Iterator[tuple[_Scores, list[Split]]]:
    """Yield the preferred scores of each data set that has some, and splits."""
    for space in _spaces(data_dir):
        recorded = recorded_splits(store, space)
        for task in space.datasets:
            splits = [split for split in recorded if split.dataset == task.name]
            for one in known_splits(store, data_dir, task.name, space):
                if one.key.startswith("file-"):
                    metric, seeds = published_name(one.metric)
                    named = metric, task.name, one.leaves, one.key, seeds
                    splits.append(Split(*named, evidence=one.evidence))
            scores = next(_scores(data_dir, space, task), None) if splits else None
            if scores is not None:
                yield scores, splits


def _spaces(data_dir: Path) -> Iterator[SearchSpace]:
    for name in list_spaces(data_dir):
        try:
            yield get_space(name, data_dir)
        except FewshotError:  # a damaged declaration is named elsewhere
            continue


def _scores(data_dir: Path, space: SearchSpace, task: Task) -> Iterator[_Scores]:
    """Yield the scores of a data set, test before validation, from complete tables."""
    for kind in reversed(KINDS):
        if kind in task.kinds:
            try:
                table = resolve_table(task.name, kind, None, data_dir, space)
            except TableError:
                continue
            accuracy = load_accuracy(task.name, kind, table.name, data_dir, space)
            yield _Scores(space, task, kind, table, accuracy)


def _rows(scores: _Scores, splits: Sequence[Split]) -> Iterator[dict[str, Any]]:
    evaluator = SplitEvaluator(scores.accuracy)
    for number, (evidence, batch, members) in enumerate(split_parts(splits)):
        label = evidence.label.removeprefix(f"{evidence.space} · ")
        about = {
            **scores.about,
            "evidence": " · ".join(filter(None, [label, batch])),
            "network": label,
            "tree": evidence.tree,
            "batch": batch,
            "strongest": number == 0,
            "conclusive": evidence.conclusive,
        }
        yield from ({**about, **row} for split in members for row in _place(split, evaluator))


def _place(split: Split, evaluator: SplitEvaluator) -> Iterator[dict[str, Any]]:
    """Yield where a split is between random trees and the best one, if it can be compared."""
    report = evaluator.report(split.leaves)
    compared = report.comparison
    if compared is None or compared.best_bits <= compared.random_mean_bits:
        return
    reach = compared.best_bits - compared.random_mean_bits
    yield {
        "metric": split.metric,
        "split": split.run_id,
        "seed": str(split.seeds),
        "ties": split.ties,
        "float32_ties": split.float32_ties,
        "leaves": split.leaves,
        "runs": split.runs,
        "gain_bits": report.gain_bits,
        "share_of_best": compared.share_of_best,
        "position": (report.gain_bits - compared.random_mean_bits) / reach,
        "percentile": compared.percentile,
        "percentile_low": compared.percentile_low,
        "percentile_high": compared.percentile_high,
    }


def read_bounds(data_dir: Path) -> pd.DataFrame:
    """Compare counting parameters with random trees and the best tree, in the published spaces.

    Trees are of two groups, over every set of as many decisions as the paper splits, and over the
    first four and more, as far as the best one takes no more than seconds.

    Returns:
        One row for each table and shape: space, dataset, kind, table, decisions (numbers), position
        of counting parameters (see ``POSITION``), percentile among ``BOUND_TREES`` random trees,
        best_bits and random_bits (their mean).
    """
    rows = []
    for space in map(get_space, SPACES.names()):
        groups = _parameter_groups(data_dir, space)
        for task in space.datasets if groups else ():
            for scores in _scores(data_dir, space, task):
                evaluator = SplitEvaluator(scores.accuracy, random_trees=BOUND_TREES)
                for decisions in _shapes(space):
                    shape = TreeOptions.create(decisions, space=space)
                    baseline = evaluator.baseline(shape, space)
                    counts = count_table(scores.accuracy, decisions, space=space)
                    gain = product_gain(counts, [groups[number] for number in decisions])
                    best, chance = baseline.best.gain_bits, float(baseline.gains.mean())
                    row = {
                        **scores.about,
                        "decisions": decisions,
                        "position": (gain - chance) / (best - chance) if best > chance else 0.0,
                        "percentile": random_percentile(gain, baseline.gains).percent,
                        "best_bits": best,
                        "random_bits": chance,
                    }
                    rows.append(row)
    return pd.DataFrame(rows)


def _shapes(space: SearchSpace) -> Iterator[tuple[int, ...]]:
    count, usual = len(space.shape), len(PAPER_DECISIONS)
    yield from islice(combinations(range(count), usual), _MOST_SETS)
    for depth in range(usual + 1, count + 1):
        if np.prod([2**size - 2 for size in space.shape[: depth - 1]]) <= _MOST_BLOCKS:
            yield tuple(range(depth))


def _parameter_groups(data_dir: Path, space: SearchSpace) -> list[tuple[tuple[int, ...], ...]]:
    """Group the operations of each decision by their parameters, without building a network.

    The parameters of a network are a sum over its operations, so that the means of a column of
    parameters differ by those of the operations. Without such a column, operations are taken to
    have those of the same name in NAS-Bench-201; empty where there are other operations.
    """
    own = _operation_parameters(data_dir, space)
    if own is None:
        known = _operation_parameters(data_dir, NAS_BENCH_201) or []
        usual = dict(zip(NAS_BENCH_201.decisions[0].operations, known[0], strict=True))
        if any(name not in usual for one in space.decisions for name in one.operations):
            return []
        own = [np.array([usual[name] for name in one.operations]) for one in space.decisions]
    return [partition(-np.abs(np.subtract.outer(one, one))).groups for one in own]


def _operation_parameters(data_dir: Path, space: SearchSpace) -> list[Any] | None:
    parameters = load_parameters(data_dir, space)
    if parameters is None:
        return None
    choices = np.array([space.decode(number) for number in parameters.index])
    return [parameters.groupby(one).mean().to_numpy() for one in choices.T]


DIVISIONS: Mapping[str, tuple[Part, ...]] = {
    "division by the operation on edge 1<-0": tuple(
        SubSpace.full().keep(0, [number]) for number in range(NAS_BENCH_201.shape[0])
    ),
    "division by the number of convolutions": partition_by_rule("convolutions"),
}
"""How published supernets were split: the first by few-shot NAS, the second decomposed."""


def read_estimates(store: Store, data_dir: Path) -> pd.DataFrame:
    """Compare the estimates of architectures in a data folder with accuracies, in each split.

    Splits are those with the strongest evidence; in NAS-Bench-201 also ``DIVISIONS``.

    Returns:
        One row for each estimate and split: space, dataset, kind, table, estimate, source (its
        table), metric, seed, runs, tau (over the space) and top (among the top 1%, each with its
        interval), pick (regret of the architecture with the
        highest estimate), within (mean tau of the sub-spaces, weighted by their sizes), between and
        regret (of the sub-space with the highest estimate).
    """
    rows = []
    for scores, splits in _with_splits(store, data_dir):
        space, task = scores.space, scores.task
        columns = list_columns("estimate", task.name, data_dir, space)
        strongest = next(split_parts(splits), (None, "", []))[2] if columns else []
        parts: list[tuple[str, str, Sequence[Part], tuple[str, ...]]] = [
            (one.metric, str(one.seeds), one.leaves, one.runs) for one in strongest
        ]
        if space == NAS_BENCH_201:
            parts += [(name, "", leaves, ()) for name, leaves in DIVISIONS.items()]
        for info, column in columns:
            found = load_column(info.name, column.name, data_dir, space, task.name)
            found = found.rename(columns={column.name: "estimate"})
            joined = join_estimate(found, scores.accuracy)
            overall = judge_estimate(joined)
            about = {"estimate": column.name, "source": info.name, "pick": overall.regret}
            about |= {**scores.about, "tau": overall.overall.kendall}
            about |= {"top": overall.top.kendall if overall.top else None}
            for metric, seed, leaves, runs in parts:
                inside = judge_in_split(joined, leaves)
                known = inside.sub_spaces.dropna(subset=["tau"])
                row = {
                    **about,
                    "metric": metric,
                    "seed": seed,
                    "runs": runs,
                    "within": (known["tau"] * known["known"]).sum() / known["known"].sum(),
                    "between": inside.between.kendall.value if inside.between else np.nan,
                    "regret": inside.regret,
                }
                rows.append(row)
    return pd.DataFrame(rows)
