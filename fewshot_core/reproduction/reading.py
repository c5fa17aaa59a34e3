"""Reading of the material of claims: accuracy tables, runs, and published splits."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.bench import KINDS, load_accuracy, load_parameters, resolve_table
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError
from fewshot_core.metrics import METRICS
from fewshot_core.reproduction.material import (
    RANDOM,
    Accuracies,
    Material,
    SearchedSplit,
    SearchKind,
    Split,
)
from fewshot_core.runs import SearchRequest, SplitRequest, plan_command
from fewshot_core.search.options import as_text
from fewshot_core.selection import recorded_curves, search_groups
from fewshot_core.space import NAS_BENCH_201, SearchSpace, SubSpace
from fewshot_core.splitting import SplitTree, TreeOptions, partition
from fewshot_core.splitting.files import read_splits
from fewshot_core.store import Store

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
    incomplete: dict[str, None] = {}
    parameters = load_parameters(data_dir)
    for one in accuracies.values():
        for cell, problem in _searches((*splits, *published_splits), store, one, parameters):
            if problem:
                names = ", ".join(cell.metrics)
                incomplete[f"{names}, {cell.kind.scale}, seed {cell.seed}: {problem}"] = None
            else:
                searched.append(cell)
    return Material(
        accuracies,
        splits,
        published_splits,
        searched=tuple(cell for cell in searched if cell.metrics != (_WHOLE,)),
        whole=tuple(cell for cell in searched if cell.metrics == (_WHOLE,)),
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
        seeds, batch = {request.seed, request.network.seed}, ""
        if request.needs_images:
            seeds.add(request.batch_seed)
            batches = f"{request.batches} batches" if request.batches > 1 else "batch"
            batch = f"{batches} of {request.batch_size}"
            batch += f", {request.batch_norm} statistics" * (request.batch_norm != "batch")
        tree = [
            f"{name.replace('_', ' ')} {as_text(value)}"
            for name, value in vars(request.tree).items()
            if not name.startswith("warm_up") and value != getattr(TreeOptions(), name)
        ]
        protocol = ", ".join(filter(None, [request.evidence.protocol, *tree]))
        yield Split(
            metric=f"{request.metric} ({', '.join(own)})" if own else request.metric,
            dataset=request.dataset,
            leaves=tuple(found.leaves),
            run_id=str(row["run_id"]),
            seeds=tuple(sorted(seeds)),
            ties=int(row["degenerate_nodes"]),
            float32_ties=None if request.metric == RANDOM else _float32_ties(found),
            evidence=replace(request.evidence, dataset="", protocol=protocol),
            batch=batch,
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
    return SearchKind(request.dataset, request.algorithm, family, scale, command, conclusive)
