"""Section 4.1: what splitting brings, and what the choice of the metric does."""

from collections.abc import Iterator, Sequence

import pandas as pd

from fewshot_core.reproduction.claims import Claim, Evidence, Grid, Verdict
from fewshot_core.reproduction.material import (
    RANDOM,
    Material,
    SearchedSplit,
    SearchKind,
    WholeSearch,
)
from fewshot_core.reproduction.printed import (
    best_metrics,
    printed_deviation,
    random_as_good,
    splitting_better,
    splitting_not_worse,
)
from fewshot_core.reproduction.rules import Mean, Tally

GRID = "fewshot grid docs/paper-grid.toml"
"""What makes all of the paper's searches."""

_WHOLE = "fewshot search --no-splitting --algorithm snas --preset paper --seeds 777,888,999"


def impact_claims(material: Material) -> list[Claim]:
    """Return the claims on the impact of splitting and of the metric."""
    return [
        Claim(
            "Splitting finds better architectures, whatever the metric",
            "4.1, Tables 1 to 3",
            "For most algorithms the best architecture found by all sub-supernets together is "
            "better than what a search without splitting finds, with any metric.",
            "A case is a split (random ones too) with an algorithm and a seed; it counts where its "
            "best architecture is better than that of the same search in the whole space: the best "
            "of eight searches beside one, as in the paper. Share rule.",
            (*_beside_whole(material, strict=True), splitting_better()),
            _whole_command(material),
        ),
        Claim(
            "SNAS is seldom worse after splitting",
            "4.1, Tables 1 to 3",
            "SNAS finds a good architecture without splitting, which splitting seldom makes worse.",
            "As before, of SNAS alone; a case counts where the best architecture is as good as "
            "without splitting, or better. Share rule.",
            (*_beside_whole(material, strict=False), splitting_not_worse()),
            _whole_command(material),
        ),
        Claim(
            "Random splits are as good as those of metrics",
            "4.1, Tables 1 to 3",
            "Grouping operations by chance gives similar or better results than the metrics.",
            "A case is a split by a metric beside a random split of the same searches and seed; it "
            "counts where the best architecture of the random split is not worse by more than the "
            "largest deviation over seeds that the paper prints for the data set. Share rule.",
            (*_beside_random(material), random_as_good()),
            GRID,
        ),
        Claim(
            "The best metric varies with data set and algorithm",
            "4.1, Tables 1 to 3",
            "No metric is the best for all data sets and algorithms.",
            "It holds where no metric is among the best of every cell (data set, algorithm and "
            "kind of searches) and does not hold where one is; one cell cannot tell.",
            (*_varying(material), _printed_varying()),
            GRID,
        ),
    ]


def _whole_command(material: Material) -> str:
    kinds = material.kinds()
    return kinds[0].command if kinds else _WHOLE


def _beside_whole(material: Material, strict: bool) -> Iterator[Evidence]:
    """Compare searches in all sub-spaces with those of the same kind and seed in the whole."""
    for kind in material.kinds():
        if not strict and kind.algorithm != "snas":
            continue
        whole = {one.seed: one for one in material.whole if one.kind == kind}
        pairs = [
            (cell, whole[cell.seed]) for cell in material.searched_by(kind) if cell.seed in whole
        ]
        if pairs:
            yield _whole_evidence(material, kind, pairs, strict)


def _whole_evidence(
    material: Material,
    kind: SearchKind,
    pairs: Sequence[tuple[SearchedSplit, WholeSearch]],
    strict: bool,
) -> Evidence:
    gains = [cell.best - one.found for cell, one in pairs]
    tally = Tally.count(gain > 0 if strict else gain >= 0 for gain in gains)
    lines = tuple(
        (cell.name, str(cell.seed), f"{cell.best:.2f}", f"{one.found:.2f}", f"{gain:+.2f}")
        for (cell, one), gain in zip(pairs, gains, strict=True)
    )
    word = "Better" if strict else "As good or better"
    mean = Mean.over(gains)
    return Evidence(
        material=f"{len(pairs)} searched splits beside the whole space",
        scale=material.search_scale(kind),
        measured=f"{word} in {tally.text}; on average by {mean.text()} points.",
        verdict=tally.verdict,
        reason=tally.reason,
        grid=Grid(("metric", "seed", "best found, %", "without splitting, %", "difference"), lines),
        runs=tuple(dict.fromkeys(run for cell, one in pairs for run in (*cell.runs, one.run_id))),
    )


def _beside_random(material: Material) -> Iterator[Evidence]:
    for kind in material.kinds():
        cells = material.searched_by(kind)
        chance = [cell for cell in cells if RANDOM in cell.metrics]
        others = [cell for cell in cells if RANDOM not in cell.metrics]
        pairs = [(one, two) for one in chance for two in others if one.seed == two.seed]
        if pairs:
            yield _random_evidence(material, kind, cells, pairs)


def _random_evidence(
    material: Material,
    kind: SearchKind,
    cells: Sequence[SearchedSplit],
    pairs: Sequence[tuple[SearchedSplit, SearchedSplit]],
) -> Evidence:
    margin = printed_deviation(kind.dataset)
    tally = Tally.count(one.best >= two.best - margin for one, two in pairs)
    best = Mean.over([one.best - two.best for one, two in pairs])
    mean = Mean.over([float(one.found.mean() - two.found.mean()) for one, two in pairs])
    seeds = {cell.seed for cell in cells}
    return Evidence(
        material=f"{len(cells)} searched splits, {_counted(len(seeds), 'seed')}",
        scale=material.search_scale(kind),
        measured=f"Random is similar or better (within {margin:.2f} points) in {tally.text}. "
        f"Random less metric, best found: {best.text()} points; mean over sub-supernets: "
        f"{mean.text()} points.",
        verdict=tally.verdict,
        reason=tally.reason,
        grid=Grid(_FOUND, tuple(_found_line(cell) for cell in cells)),
        runs=_runs(cells),
    )


_FOUND = ("metric", "seed", "best found, %", "in", "mean of all found, %", "lowest found, %")


def _found_line(cell: SearchedSplit) -> tuple[str, ...]:
    found = cell.found
    places = [str(name) for name in found.index[found == cell.best]]
    return (
        cell.name,
        str(cell.seed),
        f"{cell.best:.2f}",
        ", ".join(places),
        f"{found.mean():.2f}",
        f"{found.min():.2f}",
    )


def _varying(material: Material) -> Iterator[Evidence]:
    """Look at which metric is the best in every cell with two searched splits or more."""
    rows = []
    for kind in material.kinds():
        cells = material.searched_by(kind)
        means = pd.Series(
            {name: _mean_best(cells, name) for name in dict.fromkeys(c.name for c in cells)}
        )
        if len(means) > 1:
            best = frozenset(means.index[means.round(2) == means.round(2).max()])
            rows.append((f"{kind.dataset}, {kind.scale}", best, cells))
    if rows:
        runs = tuple(dict.fromkeys(run for _, _, cells in rows for run in _runs(cells)))
        kinds = "; ".join(dict.fromkeys(material.search_scale(kind) for kind in material.kinds()))
        yield _best_evidence(
            f"{_counted(len(rows), 'cell')} of recorded searches",
            kinds,
            [(label, best) for label, best, _ in rows],
            runs,
        )


def _mean_best(cells: Sequence[SearchedSplit], name: str) -> float:
    return float(pd.Series([cell.best for cell in cells if cell.name == name]).mean())


def _printed_varying() -> Evidence:
    rows = [
        (f"{row['dataset']}, {row['algorithm']}", row["metrics"])
        for row in best_metrics().to_dict("records")
    ]
    return _best_evidence(
        "the paper's Tables 1 to 3, as printed", "counted, not measured here", rows, ()
    )


def _best_evidence(
    material: str, scale: str, rows: Sequence[tuple[str, frozenset[str]]], runs: tuple[str, ...]
) -> Evidence:
    always = frozenset.intersection(*(best for _, best in rows))
    different = sorted(frozenset.union(*(best for _, best in rows)))
    if len(rows) < 2:
        verdict, reason = Verdict.UNKNOWN, "there is one cell only, and nothing to vary over"
    elif always:
        verdict, reason = Verdict.FAILS, f"always among the best: {', '.join(sorted(always))}"
    else:
        verdict, reason = Verdict.HOLDS, "no metric is among the best of every cell"
    return Evidence(
        material=material,
        scale=scale,
        measured=f"{len(different)} different metrics are the best in {len(rows)} "
        f"{'cell' if len(rows) == 1 else 'cells'}: {', '.join(different)}.",
        verdict=verdict,
        reason=reason,
        grid=Grid(
            ("cell", "best"), tuple((label, ", ".join(sorted(best))) for label, best in rows)
        ),
        runs=runs,
    )


def _runs(cells: Sequence[SearchedSplit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(run for cell in cells for run in cell.runs))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
