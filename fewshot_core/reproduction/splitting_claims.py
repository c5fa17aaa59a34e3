"""Sections 4.1 and 4.2: the effect of splitting and of the metric, and the contents of splits."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from fewshot_core.analysis import (
    NO_SPLITTING,
    SplitReport,
    describe_sub_spaces,
    published_results,
)
from fewshot_core.reproduction.claims import (
    Claim,
    Evidence,
    Judgement,
    Mean,
    Tally,
    Verdict,
)
from fewshot_core.reproduction.evidence import (
    RANDOM,
    Material,
    SearchedSplit,
    Source,
    Split,
)
from fewshot_core.space import ARCHITECTURE_COUNT, OPERATIONS

BALANCED = ("gradnorm", "jacobcov", "snip", "grasp", "ntk")
"""The metrics that, by the paper, give sub-spaces of similar sizes."""

LOPSIDED = ("gradientmatching", "synflow", "linear_regions", "params")
"""The metrics that, by the paper, put about half of the space into one sub-space."""

_PRINTED = Source("the paper's Tables 1 to 3, as printed", "counted, not measured here")


def _beside_whole(material: Material, strict: bool) -> Iterator[Evidence]:
    """Compare searches in all sub-spaces with the same search in the whole space."""
    for kind, cells in material.searched_by_kind().items():
        whole = {one.seed: one for one in material.whole if one.kind == kind}
        pairs = [(cell, whole[cell.seed]) for cell in cells if cell.seed in whole]
        if not pairs or not (strict or kind.algorithm == "snas"):
            continue
        gains = [cell.best - one.best for cell, one in pairs]
        tally = Tally.count(gain > 0 if strict else gain >= 0 for gain in gains)
        word = "Better" if strict else "As good or better"
        rows = (
            f"{cell.label} | {cell.best:.2f} | {one.best:.2f} | {cell.best - one.best:+.2f}"
            for cell, one in pairs
        )
        yield Evidence(
            f"{word} in {tally}; on average by {Mean.over(gains)} points.",
            tally.judgement,
            ("metric | seed | best found, % | without splitting, % | difference", *rows),
            material.search_source(
                f"{len(pairs)} searched splits and the whole space",
                (one for pair in pairs for one in pair),
            ),
        )
    yield printed_splitting(strict)


def _beside_random(material: Material) -> Iterator[Evidence]:
    """Compare random splits with those by metrics, in searches of the same kind and seed."""
    for kind, cells in material.searched_by_kind().items():
        others = [cell for cell in cells if not cell.is_random]
        pairs = [
            (one, two) for one in cells for two in others if one.is_random and one.seed == two.seed
        ]
        if not pairs:
            continue
        margin = printed_deviation(kind.dataset)
        tally = Tally.count(one.best >= two.best - margin for one, two in pairs)
        best = Mean.over([one.best - two.best for one, two in pairs])
        mean = Mean.over([float(one.found.mean() - two.found.mean()) for one, two in pairs])
        headings = "best found, % | in | mean of all found, % | lowest found, %"
        yield Evidence(
            f"Random is similar or better (within {margin:.2f} points) in {tally}. Random minus "
            f"metric, best found: {best} points; mean over sub-supernets: {mean} points.",
            tally.judgement,
            (f"metric | seed | {headings}", *map(_found_row, cells)),
            material.search_source(
                f"{len(cells)} searched splits, {_counted({cell.seed for cell in cells}, 'seed')}",
                cells,
            ),
        )
    yield printed_random()


def _found_row(cell: SearchedSplit) -> str:
    found = cell.found
    places = ", ".join(map(str, found.index[found == cell.best]))
    return f"{cell.label} | {cell.best:.2f} | {places} | {found.mean():.2f} | {found.min():.2f}"


def _best_metric_varies(material: Material) -> Iterator[Evidence]:
    """Compare the best metrics of all cells with two searched splits or more."""
    best: dict[str, frozenset[str]] = {}
    used: list[SearchedSplit] = []
    for kind, cells in material.searched_by_kind().items():
        frame = pd.DataFrame({"name": cell.name, "best": cell.best} for cell in cells)
        means = frame.groupby("name")["best"].mean().round(2)
        if len(means) > 1:
            best[f"{kind.dataset}, {kind.scale}"] = frozenset(means.index[means == means.max()])
            used += cells
    if best:
        text = f"{_counted(best, 'cell')} of recorded searches"
        yield _varies(best, material.search_source(text, used))
    yield _varies(best_metrics(), _PRINTED)


def _varies(best: dict[str, frozenset[str]], source: Source) -> Evidence:
    always = sorted(frozenset.intersection(*best.values()))
    distinct = sorted(frozenset.union(*best.values()))
    if len(best) < 2:
        judgement = Judgement(Verdict.UNKNOWN, "there is only one cell to compare")
    elif always:
        judgement = Judgement(Verdict.FAILS, f"always among the best: {', '.join(always)}")
    else:
        judgement = Judgement(Verdict.HOLDS, "no metric is among the best of every cell")
    cells, metrics = _counted(best, "cell"), _counted(distinct, "metric")
    measured = f"Best in {cells}: {metrics} ({', '.join(distinct)})."
    rows = (f"{cell} | {', '.join(sorted(names))}" for cell, names in best.items())
    return Evidence(measured, judgement, ("cell | best", *rows), source)


def printed_deviation(dataset: str) -> float:
    """Look up the largest standard deviation printed for a data set, in percentage points."""
    table = published_results()
    return float(table[table["dataset"] == dataset]["std"].max())


def printed_splitting(strict: bool) -> Evidence:
    """Count printed results with splitting that are better than those without.

    Args:
        strict: Whether they must be better; otherwise SNAS alone, as good or better.
    """
    rows = _printed_gains(NO_SPLITTING)
    if strict:
        heading, text = "better than without splitting", "Better in {} results."
        return _printed(rows, rows["gain"] > 0, "algorithm", heading, text)
    rows = rows[rows["algorithm"] == "snas"]
    heading = "as good as without splitting, or better"
    text = "As good or better in {} results of SNAS."
    return _printed(rows, rows["gain"] >= 0, "dataset", heading, text)


def printed_random() -> Evidence:
    """Count printed results of metrics that random splits reach, within the deviation."""
    rows = _printed_gains(RANDOM)
    similar = rows["gain"] <= rows["dataset"].map(printed_deviation)
    strict = Tally.count(rows["gain"] <= 0)
    text = f"Similar or better in {{}} comparisons; without allowing for the deviation in {strict}."
    return _printed(rows, similar, "algorithm", "random similar or better", text)


def best_metrics() -> dict[str, frozenset[str]]:
    """Collect the metrics printed as best by data set and algorithm; random counts as one."""
    table = published_results()
    best = table[table["best"] & (table["metric"] != NO_SPLITTING)]
    grouped = best.groupby(["dataset", "algorithm"], sort=False)["metric"]
    return {f"{dataset}, {algorithm}": frozenset(part) for (dataset, algorithm), part in grouped}


def _printed_gains(reference: str) -> pd.DataFrame:
    """Add to printed results their gain over a reference in the same column of the same table."""
    table = published_results()
    own = table[table["metric"] == reference][["dataset", "algorithm", "mean"]]
    rows = table[~table["metric"].isin([reference, NO_SPLITTING])]
    joined = rows.merge(own, on=["dataset", "algorithm"], suffixes=("", "_reference"))
    return joined.assign(gain=joined["mean"] - joined["mean_reference"])


def _printed(
    rows: pd.DataFrame, cases: "pd.Series[bool]", by: str, heading: str, text: str
) -> Evidence:
    tally = Tally.count(cases)
    parts = cases.groupby(rows[by], sort=False)
    lines = (f"{name} | {part.sum()} of {len(part)}" for name, part in parts)
    headings = f"{by.replace('dataset', 'data set')} | {heading}"
    return Evidence(text.format(tally), tally.judgement, (headings, *lines), _PRINTED)


class Contents:
    """What the sub-spaces of a split hold, in tree order.

    Attributes:
        sizes: The number of architectures in each.
        tops: The number of architectures of the top 1% in each.
        largest_share: The share of the space in the largest.
        extreme_shares: That share if all groupings are even, and if one operation is set apart.
        lopsided: Whether the largest share is closer to the latter.
        with_top: The number of sub-spaces with some of the top.
        for_most: The smallest number of sub-spaces with nine tenths of the top.
        richest_share: The largest share of the top in one.
        tau: Kendall's tau between sizes and tops; NaN if one is constant.
        top_in_largest: The most top architectures in one of the largest size.
    """

    def __init__(self, split: Split, material: Material) -> None:
        table = describe_sub_spaces(split.leaves, material.accuracies[split.dataset].frame)
        sizes, tops = (table[name].to_numpy() for name in ("size", "top_count"))
        count = len(OPERATIONS)
        enabled = np.array([[len(edge) for edge in leaf.enabled] for leaf in split.leaves])
        edges = int((enabled < count).any(axis=0).sum())
        self.split = split
        self.sizes, self.tops = tuple(sizes.tolist()), tuple(tops.tolist())
        self.largest_share = float(sizes.max() / ARCHITECTURE_COUNT)
        self.extreme_shares = ((count + 1) // 2 / count) ** edges, ((count - 1) / count) ** edges
        self.lopsided = self.largest_share > sum(self.extreme_shares) / 2
        self.with_top = int((tops > 0).sum())
        self.for_most = int(np.argmax(np.cumsum(np.sort(tops)[::-1]) >= 0.9 * tops.sum())) + 1
        self.richest_share = float(tops.max() / tops.sum())
        self.tau = float(stats.kendalltau(sizes, tops).statistic)
        self.top_in_largest = int(tops[sizes == sizes.max()].max())

    @property
    def largest_has_most(self) -> bool:
        """Whether a largest sub-space holds as much of the top as any other."""
        return bool(self.top_in_largest == max(self.tops))


def _sizes(material: Material, metrics: Sequence[str], lopsided: bool) -> Iterator[Evidence]:
    """Count the splits by some metrics that are lopsided, or balanced."""
    for group in material.groups():
        splits = [split for split in group.splits if split.metric in metrics]
        if not splits:
            continue
        found = [Contents(split, material) for split in splits]
        tally = Tally.count(one.lopsided is lopsided for one in found)
        others = dict.fromkeys(one.split.metric for one in found if one.lopsided is not lopsided)
        otherwise = f" Otherwise: {', '.join(others)}." if others else ""
        rows = (
            f"{one.split.label} | {_numbers(one.sizes)} | {one.largest_share:.1%} | "
            f"{_shape(one.lopsided)}"
            for one in found
        )
        yield Evidence(
            f"{tally} are {_shape(lopsided)}.{otherwise}",
            tally.judgement,
            (f"{_SPLIT} | sizes, S1 to S8 | largest | shape", *rows),
            group.source(f"{len(found)} of the {group.material}", splits),
        )


_SPLIT = "metric | data set | seed | ties"


def _shape(lopsided: bool) -> str:
    return "lopsided" if lopsided else "balanced"


def _numbers(values: Iterable[int]) -> str:
    return ", ".join(map(str, values))


def _top_is_spread(material: Material) -> Iterator[Evidence]:
    """Count the splits whose top 1% lies in several sub-spaces."""
    for group in material.groups():
        found = [Contents(split, material) for split in group.splits]
        counted = [one for one in found if one.split.metric != RANDOM]
        tally = Tally.count(one.with_top > 1 for one in counted)
        measured = f"In several in {tally}."
        if counted:
            numbers = [one.with_top for one in counted]
            most = max(counted, key=lambda one: one.richest_share)
            measured += (
                f" {min(numbers)} to {max(numbers)} sub-spaces hold some of it; the largest share "
                f"in one is {most.richest_share:.0%} ({most.split.metric})."
            )
        headings = "top 1%, S1 to S8 | sub-spaces with some | with 90% of it | most in one"
        rows = (
            f"{one.split.label} | {_numbers(one.tops)} | {one.with_top} | {one.for_most} | "
            f"{one.richest_share:.0%}"
            for one in found
        )
        table = (f"{_SPLIT} | {headings}", *rows)
        yield Evidence(measured, tally.judgement, table, group.source())


def _larger_hold_more(material: Material) -> Iterator[Evidence]:
    """Count the splits whose larger sub-spaces hold more of the top 1%."""
    for group in material.groups():
        found = [Contents(split, material) for split in group.splits]
        counted = [one for one in found if one.split.metric != RANDOM]
        tally = Tally.count(one.tau > 0 for one in counted)
        most = sum(one.largest_has_most for one in counted)
        measured = (
            f"Tau is above 0 in {tally}. The largest sub-space holds the most of the top in "
            f"{most} of {len(counted)}."
        )
        headings = "tau of size and top | of the space in the largest | of the top in it"
        rows = (
            f"{one.split.label} | {one.tau:.2f} | {one.largest_share:.0%} | "
            f"{one.top_in_largest / sum(one.tops):.0%}"
            for one in found
        )
        table = (f"{_SPLIT} | {headings}", *rows)
        yield Evidence(measured, tally.judgement, table, group.source())


_PERCENTILES = 0.0, 100.0
_MEDIAN = 50.0
_SEEDLESS = frozenset({"params"})
_INFORMATIVE = {Verdict.HOLDS: "yes", Verdict.FAILS: "no", Verdict.UNKNOWN: "inconclusive"}


class _OfMetric:
    """The splits of a data set by one metric, compared with random trees.

    Attributes:
        mean: The mean percentile.
        deciding: The same with the interval that decides: over seeds, or over random trees.
    """

    def __init__(self, metric: str, found: Sequence[tuple[Split, SplitReport]]) -> None:
        standings = [report.comparison for _, report in found if report.comparison is not None]
        percentiles = [one.percentile for one in standings]
        self.metric = metric
        self.leaves = tuple(split.leaves for split, _ in found)
        self.mean = self.deciding = Mean.over(percentiles, _PERCENTILES)
        if len(found) == 1 and (metric in _SEEDLESS or not found[0][0].run_id):
            [one] = standings
            self.deciding = Mean(one.percentile, (one.percentile_low, one.percentile_high))
        self.verdict = self.deciding.above(_MEDIAN).verdict
        interval = self.deciding.interval
        self.row = " | ".join(
            [
                metric,
                str(len(found)),
                _range([report.gain_bits for _, report in found], ".4f"),
                _range([one.share_of_best or 0.0 for one in standings], ".0%"),
                _range(percentiles, ".2f"),
                f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else "–",
                _INFORMATIVE[self.verdict],
            ]
        )


def _range(values: Sequence[float], form: str) -> str:
    """Format one value, or the mean of several with the smallest and the largest."""
    mean, low, high = (format(f(values), form) for f in (np.mean, min, max))
    return mean if len(values) == 1 else f"{mean} ({low} to {high})"


def _informativeness(material: Material) -> Iterator[Evidence]:
    """Compare the splits of each scale and data set with random trees."""
    for group in material.groups():
        for dataset in dict.fromkeys(split.dataset for split in group.splits):
            inside = [split for split in group.splits if split.dataset == dataset]
            evaluator = material.accuracies[dataset].evaluator
            reports = [(split, evaluator.report(split.leaves)) for split in inside]
            names = dict.fromkeys(split.metric for split, one in reports if one.comparison)
            found = [
                _OfMetric(
                    name,
                    [pair for pair in reports if pair[0].metric == name and pair[1].comparison],
                )
                for name in names
            ]
            metrics = [one for one in found if one.metric != RANDOM]
            if not metrics:
                continue
            distinct = {one.leaves: one.mean.value for one in metrics}
            overall = Mean.over(list(distinct.values()), _PERCENTILES)
            informative = [one.metric for one in metrics if one.verdict is Verdict.HOLDS]
            headings = (
                "metric | seeds | information gain, bits | share of the best tree | "
                "percentile among random trees | interval | informative"
            )
            yield Evidence(
                f"Mean percentile of {len(distinct)} distinct splits or sets of splits: "
                f"{overall.text(1)}. Informative by the rule: {', '.join(informative) or 'none'}.",
                overall.above(_MEDIAN, 1),
                (headings, *(one.row for one in found)),
                group.source(f"{len(inside)} {group.origin} splits on {dataset}", inside),
            )


def _counted(things: Iterable[object], noun: str) -> str:
    count = len(list(things))
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _grid(_: Material) -> str:
    return "fewshot grid docs/paper-grid.toml"


def _whole(material: Material) -> str:
    usual = "fewshot search --no-splitting --algorithm snas --preset paper --seeds 777,888,999"
    return next((kind.command for kind in material.searched_by_kind()), usual)


def _split(_: Material) -> str:
    return "fewshot split --metric all --batch-size 64"


def _split_repeatedly(_: Material) -> str:
    return "fewshot split --metric all --batch-size 64 --repeats 5"


def _size_rule(shape: str) -> str:
    return (
        "A split is *lopsided* if the share of its largest sub-space is closer to that of a tree "
        "with one operation against four at all nodes (51.2% for three edges) than to that of one "
        "with two against three (21.6%), and *balanced* otherwise. A case is a split by one of "
        f"these metrics; it counts if it is {shape}. Share rule."
    )


IMPACT_CLAIMS = (
    Claim(
        "Splitting finds better architectures, whatever the metric",
        "4.1, Tables 1 to 3",
        "For most algorithms, the best architecture found by all sub-supernets together is better "
        "than the result of a search without splitting, with any metric.",
        "A case is a split (random ones included) with an algorithm and a seed; it counts if its "
        "best architecture is better than that of the same search in the whole space: the best of "
        "eight searches against one, as in the paper. Share rule.",
        partial(_beside_whole, strict=True),
        _whole,
    ),
    Claim(
        "SNAS is seldom worse after splitting",
        "4.1, Tables 1 to 3",
        "SNAS finds a good architecture without splitting, and splitting seldom makes it worse.",
        "As before, for SNAS alone; a case counts if the best architecture is as good as without "
        "splitting, or better. Share rule.",
        partial(_beside_whole, strict=False),
        _whole,
    ),
    Claim(
        "Random splits are as good as those of metrics",
        "4.1, Tables 1 to 3",
        "Random grouping of operations gives similar or better results than the metrics.",
        "A case is a split by a metric and a random split of the same searches and seed; it counts "
        "if the best architecture of the random split is not worse by more than the largest "
        "standard deviation over seeds that the paper prints for the data set. Share rule.",
        _beside_random,
        _grid,
    ),
    Claim(
        "The best metric varies with data set and algorithm",
        "4.1, Tables 1 to 3",
        "No metric is the best for all data sets and algorithms.",
        "The claim holds if no metric is among the best of every cell (data set, algorithm and "
        "kind of searches) and does not hold if one is; a single cell is inconclusive.",
        _best_metric_varies,
        _grid,
    ),
)

CONTENT_CLAIMS = (
    Claim(
        "Five metrics split into sub-spaces of similar sizes",
        "4.2, Figure 3 and Appendix D",
        f"Splits by {', '.join(BALANCED)} have balanced sub-spaces.",
        _size_rule("balanced"),
        partial(_sizes, metrics=BALANCED, lopsided=False),
        _split,
    ),
    Claim(
        "Four metrics put about half of the space into one sub-space",
        "4.2, Figure 3 and Appendix D",
        f"Splits by {', '.join(LOPSIDED)} have some small sub-spaces and one with about half of "
        "all architectures.",
        _size_rule("lopsided"),
        partial(_sizes, metrics=LOPSIDED, lopsided=True),
        _split,
    ),
    Claim(
        "The top 1% lies in several sub-spaces",
        "4.2, Figure 3 and Appendix D",
        "With every metric, the best 1% of the architectures are in more than one sub-space.",
        "A case is a split by a metric (random ones are shown, not counted); it counts if two "
        "sub-spaces or more hold some of the top 1%. Share rule.",
        _top_is_spread,
        _split,
    ),
    Claim(
        "Larger sub-spaces hold more of the top 1%",
        "4.2",
        "A sub-space with more architectures also has more of the top 1%.",
        "A case is a split by a metric; it counts if Kendall's tau between the sizes of its "
        "sub-spaces and their counts of the top 1% is above 0. Share rule.",
        _larger_hold_more,
        _split,
    ),
)

INFORMATIVE_CLAIM = Claim(
    "Metrics, computed as defined, are informative about the top 1%",
    "beyond the paper",
    "For every metric: is its split more informative about the place of the top 1% than random "
    "trees of the same shape? For many seeds of one metric see "
    "[the published splits](published-splits.md).",
    "A metric is informative if its percentile among random trees (the share of them with a lower "
    "information gain) lies above 50 with all of its 95% interval: Student's over seeds; Wilson's "
    "over random trees where no seed can change the split (params, and published splits as they "
    "are); a single seed of any other metric is inconclusive. For all metrics together (one mean "
    "percentile each, without random; metrics with the same splits count once) the claim holds if "
    "Student's interval over metrics lies above 50, does not hold if it lies below, and is "
    "inconclusive otherwise.",
    _informativeness,
    _split_repeatedly,
)
