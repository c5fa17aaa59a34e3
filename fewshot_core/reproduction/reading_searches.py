"""Taking finished searches from the runs: in all sub-spaces of splits, and in the whole space."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from fewshot_core.reproduction.material import (
    Accuracies,
    Material,
    SearchedSplit,
    SearchKind,
    Split,
    WholeSearch,
)
from fewshot_core.runs.commands import plan_command
from fewshot_core.search import ALGORITHMS, PRESETS, SearchRequest
from fewshot_core.search.options import as_text, changed
from fewshot_core.selection import recorded_curves, search_families
from fewshot_core.space import SubSpace
from fewshot_core.store import Store


@dataclass(frozen=True, eq=False)
class _Searches:
    """The finished searches of a data set, with what they recorded.

    Attributes:
        rows: What ``Store.searches`` returns.
        records: What ``Store.search_records`` returns for them.
        accuracies: Those of the data set.
    """

    rows: pd.DataFrame
    records: pd.DataFrame
    accuracies: Accuracies


def with_searches(material: Material, store: Store, dataset: str) -> Material:
    """Return material with the finished searches of a data set that has accuracies."""
    rows = store.searches(dataset)
    records = store.search_records(list(rows["run_id"]))
    searches = _Searches(rows, records, material.accuracies[dataset])
    searched, incomplete = list(material.searched), list(material.incomplete)
    named = _different([*material.splits, *material.published], dataset)
    for leaves, metrics in named.items():
        for family in search_families(leaves, rows).to_dict("records"):
            complete, missing = _of_family(leaves, metrics, family, searches)
            searched += complete
            incomplete += missing
    whole = (*material.whole, *_whole(searches))
    once = tuple(dict.fromkeys(incomplete))
    return replace(material, searched=tuple(searched), incomplete=once, whole=whole)


def _different(
    splits: Sequence[Split], dataset: str
) -> dict[tuple[SubSpace, ...], tuple[str, ...]]:
    """Return the different splits of a data set, with the metrics that give each."""
    found: dict[tuple[SubSpace, ...], tuple[str, ...]] = {}
    for split in splits:
        if split.dataset == dataset:
            own = split.metric if split.run_id else f"{split.metric} as published"
            others = found.get(split.leaves, ())
            found[split.leaves] = others if own in others else (*others, own)
    return found


def _of_family(
    leaves: tuple[SubSpace, ...],
    metrics: tuple[str, ...],
    family: Mapping[Any, Any],
    searches: _Searches,
) -> tuple[list[SearchedSplit], list[str]]:
    """Return the seeds that are searched in all sub-spaces, and what the others lack, in words."""
    rows = searches.rows[searches.rows["family"] == family["family"]]
    joined = recorded_curves(leaves, rows, searches.records, searches.accuracies.frame)
    kind = _kind(rows)
    complete, incomplete = [], []
    for seed, missing in sorted(joined.missing.items()):
        curves = joined.frame[joined.frame["seed"] == seed].reset_index(drop=True)
        unknown = curves[curves["epoch"] == family["epochs"]]["test_accuracy"].isna()
        if len(missing) > len(leaves) // 2:  # they share some sub-spaces with another split
            continue
        if missing or unknown.any():
            lack = f"not searched: {', '.join(missing)}" if missing else "accuracies are unknown"
            incomplete.append(f"{', '.join(metrics)}, {kind.scale}, seed {seed}: {lack}")
            continue
        complete.append(SearchedSplit(metrics, kind, seed, curves, _runs(rows, leaves, seed)))
    return complete, incomplete


def _runs(rows: pd.DataFrame, leaves: Sequence[SubSpace], seed: int) -> tuple[str, ...]:
    of_seed = rows[rows["seed"] == seed].set_index("sub_space")["run_id"]
    return tuple(str(of_seed[" ".join(leaf.rows)]) for leaf in leaves)


def _kind(rows: pd.DataFrame) -> SearchKind:
    """Return what the searches of a family have in common."""
    row = rows.iloc[0]
    request = SearchRequest.from_dict(json.loads(str(row["request"])))
    seeds = sorted({int(seed) for seed in rows["seed"]})
    return SearchKind(
        dataset=request.dataset,
        algorithm=request.algorithm,
        family=str(row["family"]),
        scale=_search_scale(request, bool(row["synthetic"])),
        command=plan_command(request, None, seeds),
    )


def _search_scale(request: SearchRequest, made_up: bool) -> str:
    options = request.options
    preset = min(PRESETS, key=lambda preset: len(changed(options, preset.search)))
    differing = ", ".join(
        f"{name} {as_text(value)}" for name, value in changed(options, preset.search).items()
    )
    images = "all" if options.images is None else f"{options.images:,}"
    cells = "cell" if options.cells_per_stage == 1 else "cells"
    weights = ", inherited weights" if request.checkpoint else ""
    return (
        f"{ALGORITHMS.get(request.algorithm).label}, preset {preset.name}"
        f"{f' with {differing}' if differing else ''} ({options.epochs} epochs, "
        f"{options.channels} channels, {options.cells_per_stage} {cells} per stage, {images} "
        f"{'made-up' if made_up else 'real'} images, half of them held out{weights})"
    )


def _whole(searches: _Searches) -> Iterator[WholeSearch]:
    """Yield the searches in the whole space whose result has an accuracy."""
    full = (SubSpace.full(),)
    rows = searches.rows[searches.rows["sub_space"] == " ".join(full[0].rows)]
    for _, family in rows.groupby("family", sort=True):
        kind = _kind(searches.rows[searches.rows["family"] == family["family"].iloc[0]])
        joined = recorded_curves(full, family, searches.records, searches.accuracies.frame)
        last = joined.frame[joined.frame["epoch"] == family["epochs"].iloc[0]]
        found = last.dropna(subset=["test_accuracy"]).set_index("seed")["test_accuracy"]
        for row in family.sort_values("seed").to_dict("records"):
            if row["seed"] in found.index:
                yield WholeSearch(
                    kind, int(row["seed"]), float(found[row["seed"]]), str(row["run_id"])
                )
