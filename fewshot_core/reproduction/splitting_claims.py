"""Sections 4.1 and 4.2: the effect of splitting and of the metric, and the contents of splits."""

from collections.abc import Iterator, Mapping, Sequence, Sized
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from fewshot_core.analysis import (
    NO_SPLITTING,
    describe_sub_spaces,
    published_results,
    report_frame,
)
from fewshot_core.reproduction.claims import Claim, Decision, Finding, Mean, Row, Tally, Verdict
from fewshot_core.reproduction.evidence import RANDOM, Material, SearchedSplit, Source, Split
from fewshot_core.space import ARCHITECTURE_COUNT, OPERATIONS

BALANCED = ("gradnorm", "jacobcov", "snip", "grasp", "ntk")
"""The metrics that, by the paper, give sub-spaces of similar sizes."""

IMBALANCED = ("gradientmatching", "synflow", "linear_regions", "params")
"""The metrics that, by the paper, put about half of the space into one sub-space."""


Pairs = Sequence[tuple[SearchedSplit, SearchedSplit]]


def _beside_whole(material: Material, only_snas: bool = False) -> Iterator[tuple[Pairs, Source]]:
    """Pair searches in all sub-spaces with the same search in the whole space."""
    for kind, cells in material.searched_by_kind().items():
        whole = {one.seed: one for one in material.whole if one.kind == kind}
        pairs = [(cell, whole[cell.seed]) for cell in cells if cell.seed in whole]
        if pairs and (kind.algorithm == "snas" or not only_snas):
            text = f"{len(pairs)} searched splits and the whole space"
            yield pairs, material.search_source(text, [one for pair in pairs for one in pair])


def _gain_over_whole(pairs: Pairs, strict: bool) -> Finding:
    gains = [cell.best - one.best for cell, one in pairs]
    tally = Tally.count(gain > 0 if strict else gain >= 0 for gain in gains)
    word = "Better" if strict else "As good or better"
    rows = [
        cell.row
        | {"best found, %": f"{cell.best:.2f}", "without splitting, %": f"{one.best:.2f}"}
        | {"difference": f"{cell.best - one.best:+.2f}"}
        for cell, one in pairs
    ]
    measured = f"{word} in {tally}; on average by {Mean.over(gains)} points."
    return Finding(measured, tally.decision, rows)


def _beside_random(
    material: Material,
) -> Iterator[tuple[tuple[list[SearchedSplit], Pairs], Source]]:
    """Pair random splits with those by metrics in searches of the same kind and seed."""
    for cells in material.searched_by_kind().values():
        pairs = [
            (one, two)
            for one in cells
            for two in cells
            if one.is_random and not two.is_random and one.seed == two.seed
        ]
        if pairs:
            text = f"{len(cells)} searched splits, {_count({cell.seed for cell in cells}, 'seed')}"
            yield (cells, pairs), material.search_source(text, cells)


def _random_is_similar(cases: tuple[list[SearchedSplit], Pairs]) -> Finding:
    cells, pairs = cases
    margin = printed_deviation(cells[0].kind.dataset)
    tally = Tally.count(one.best >= two.best - margin for one, two in pairs)
    best = Mean.over([one.best - two.best for one, two in pairs])
    mean = Mean.over([float(one.found.mean() - two.found.mean()) for one, two in pairs])
    measured = (
        f"Random is similar or better (within {margin:.2f} points) in {tally}. Random minus "
        f"metric, best found: {best} points; mean over sub-supernets: {mean} points."
    )
    rows = [
        cell.row
        | {
            "best found, %": f"{cell.best:.2f}",
            "in": ", ".join(map(str, cell.found.index[cell.found == cell.best])),
            "mean of all found, %": f"{cell.found.mean():.2f}",
            "lowest found, %": f"{cell.found.min():.2f}",
        }
        for cell in cells
    ]
    return Finding(measured, tally.decision, rows)


BestMetrics = Mapping[str, frozenset[str]]
"""The best metrics of each cell: a data set with an algorithm or a kind of searches."""


def _best_by_cell(material: Material) -> Iterator[tuple[BestMetrics, Source]]:
    """Find the best metrics of all cells with two searched splits or more."""
    best: dict[str, frozenset[str]] = {}
    used: list[SearchedSplit] = []
    for kind, cells in material.searched_by_kind().items():
        frame = pd.DataFrame({"name": cell.name, "best": cell.best} for cell in cells)
        means = frame.groupby("name")["best"].mean().round(2)
        if len(means) > 1:
            best[f"{kind.dataset}, {kind.scale}"] = frozenset(means.index[means == means.max()])
            used += cells
    if best:
        yield best, material.search_source(f"{_count(best, 'cell')} of recorded searches", used)


def _varies(best: BestMetrics) -> Finding:
    always = sorted(frozenset.intersection(*best.values()))
    distinct = sorted(frozenset.union(*best.values()))
    if len(best) < 2:
        decision = Decision(Verdict.UNKNOWN, "there is only one cell to compare")
    elif always:
        decision = Decision(Verdict.FAILS, f"always among the best: {', '.join(always)}")
    else:
        decision = Decision(Verdict.HOLDS, "no metric is among the best of every cell")
    cells, metrics = _count(best, "cell"), _count(distinct, "metric")
    measured = f"Best in {cells}: {metrics} ({', '.join(distinct)})."
    rows: list[Row] = [{"cell": cell, "best": ", ".join(sorted(best[cell]))} for cell in best]
    return Finding(measured, decision, rows)


def printed_deviation(dataset: str) -> float:
    """Look up the largest standard deviation printed for a data set, in percentage points."""
    table = published_results()
    return float(table[table["dataset"] == dataset]["std"].max())


def best_metrics() -> BestMetrics:
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


def _printed_splitting() -> Finding:
    rows = _printed_gains(NO_SPLITTING)
    heading = "better than without splitting"
    return _printed(rows["gain"] > 0, rows["algorithm"], heading, "Better in {} results.")


def _printed_snas() -> Finding:
    rows = _printed_gains(NO_SPLITTING).query("algorithm == 'snas'")
    heading = "as good as without splitting, or better"
    text = "As good or better in {} results of SNAS."
    return _printed(rows["gain"] >= 0, rows["dataset"].rename("data set"), heading, text)


def _printed_random() -> Finding:
    """Count printed results of metrics that random splits reach, within the deviation."""
    rows = _printed_gains(RANDOM)
    similar = rows["gain"] <= rows["dataset"].map(printed_deviation)
    strict = Tally.count(rows["gain"] <= 0)
    text = f"Similar or better in {{}} comparisons; without allowing for the deviation in {strict}."
    return _printed(similar, rows["algorithm"], "random similar or better", text)


def _printed(cases: "pd.Series[bool]", by: "pd.Series[str]", heading: str, text: str) -> Finding:
    tally = Tally.count(cases)
    rows: list[Row] = [
        {str(by.name): name, heading: f"{part.sum()} of {len(part)}"}
        for name, part in cases.groupby(by, sort=False)
    ]
    return Finding(text.format(tally), tally.decision, rows)


class Contents:
    """What the sub-spaces of a split contain.

    Attributes:
        sizes: The number of architectures in each, in tree order.
        tops: The number of architectures of the top 1% in each.
        largest_share: The share of the space in the largest.
        extreme_shares: That share if all groupings are even, and if one operation is set apart.
        shape: "imbalanced" if the largest share is closer to the latter, else "balanced".
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
        middle = sum(self.extreme_shares) / 2
        self.shape = "imbalanced" if self.largest_share > middle else "balanced"
        self.with_top = int((tops > 0).sum())
        self.for_most = int(np.argmax(np.cumsum(np.sort(tops)[::-1]) >= 0.9 * tops.sum())) + 1
        self.richest_share = float(tops.max() / tops.sum())
        self.tau = float(stats.kendalltau(sizes, tops).statistic)
        self.top_in_largest = int(tops[sizes == sizes.max()].max())

    @property
    def largest_has_most(self) -> bool:
        """Whether a largest sub-space has as much of the top as any other."""
        return bool(self.top_in_largest == max(self.tops))


def _contents(
    material: Material, metrics: Sequence[str] = ()
) -> Iterator[tuple[list[Contents], Source]]:
    """Describe the contents of the splits of each scale: of all of them, or by some metrics."""
    for group in material.groups():
        splits = [s for s in group.splits if not metrics or s.metric in metrics]
        if splits:
            some = f"{len(splits)} of the {group.material}" if metrics else group.material
            yield [Contents(split, material) for split in splits], group.source(some, splits)


def _sizes(found: Sequence[Contents], shape: str) -> Finding:
    tally = Tally.count(one.shape == shape for one in found)
    others = dict.fromkeys(one.split.metric for one in found if one.shape != shape)
    otherwise = f" Otherwise: {', '.join(others)}." if others else ""
    rows = [
        one.split.row
        | {
            "sizes, S1 to S8": ", ".join(map(str, one.sizes)),
            "largest": f"{one.largest_share:.1%}",
            "shape": one.shape,
        }
        for one in found
    ]
    return Finding(f"{tally} are {shape}.{otherwise}", tally.decision, rows)


def _top_is_spread(found: Sequence[Contents]) -> Finding:
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
    rows = [
        one.split.row
        | {
            "top 1%, S1 to S8": ", ".join(map(str, one.tops)),
            "sub-spaces with some": one.with_top,
            "with 90% of it": one.for_most,
            "most in one": f"{one.richest_share:.0%}",
        }
        for one in found
    ]
    return Finding(measured, tally.decision, rows)


def _larger_hold_more(found: Sequence[Contents]) -> Finding:
    counted = [one for one in found if one.split.metric != RANDOM]
    tally = Tally.count(one.tau > 0 for one in counted)
    most = sum(one.largest_has_most for one in counted)
    measured = (
        f"Tau is above 0 in {tally}. The largest sub-space holds the most of the top in {most} of "
        f"{len(counted)}."
    )
    rows = [
        one.split.row
        | {
            "tau of size and top": f"{one.tau:.2f}",
            "of the space in the largest": f"{one.largest_share:.0%}",
            "of the top in it": f"{one.top_in_largest / sum(one.tops):.0%}",
        }
        for one in found
    ]
    return Finding(measured, tally.decision, rows)


_SEEDLESS = "params"
_INFORMATIVE = {Verdict.HOLDS: "yes", Verdict.FAILS: "no", Verdict.UNKNOWN: "inconclusive"}


def _reports(material: Material) -> Iterator[tuple[pd.DataFrame, Source]]:
    """Compare the splits of each scale and data set with random trees, a row for each split."""
    for group in material.groups():
        for dataset in dict.fromkeys(split.dataset for split in group.splits):
            inside = [split for split in group.splits if split.dataset == dataset]
            leaves = {str(number): split.leaves for number, split in enumerate(inside)}
            frame = report_frame(leaves, material.accuracies[dataset].evaluator).set_index("split")
            reports = frame.loc[list(leaves)].assign(
                metric=[split.metric for split in inside],
                leaves=pd.Series(leaves),
                recorded=[bool(split.run_id) for split in inside],
            )
            reports = reports.dropna(subset="percentile")
            if (reports["metric"] != RANDOM).any():
                text = f"{len(inside)} {group.origin} splits on {dataset}"
                yield reports, group.source(text, inside)


def _informativeness(reports: pd.DataFrame) -> Finding:
    rows: list[Row] = []
    informative: list[str] = []
    distinct = {}
    for name, found in reports.groupby("metric", sort=False):
        metric, first = str(name), found.iloc[0]
        mean = interval = Mean.over(found["percentile"].to_list(), (0, 100))
        if len(found) == 1 and (metric == _SEEDLESS or not first["recorded"]):
            interval = Mean(mean.value, (first["percentile_low"], first["percentile_high"]))
        verdict = interval.compare(50).verdict
        if metric != RANDOM:
            distinct[tuple(found["leaves"])] = mean.value
            informative += [metric] * (verdict is Verdict.HOLDS)
        rows.append(
            {
                "metric": metric,
                "seeds": len(found),
                "information gain, bits": _range(found["gain_bits"], ".4f"),
                "share of the best tree": _range(found["share_of_best"].fillna(0), ".0%"),
                "percentile among random trees": _range(found["percentile"], ".2f"),
                "interval": interval.ends(),
                "informative": _INFORMATIVE[verdict],
            }
        )
    overall = Mean.over(list(distinct.values()), (0, 100))
    measured = (
        f"Mean percentile of {len(distinct)} distinct splits or sets of splits: "
        f"{overall.text(1)}. Informative by the rule: {', '.join(informative) or 'none'}."
    )
    return Finding(measured, overall.compare(50, 1), rows)


def _range(values: "pd.Series[float]", form: str) -> str:
    """Format one value, or the mean of several with the smallest and the largest."""
    mean, low, high = (format(f(values), form) for f in (np.mean, min, max))
    return mean if len(values) == 1 else f"{mean} ({low} to {high})"


def _count(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}{'s' * (len(things) != 1)}"


_GRID = "fewshot grid docs/paper-grid.toml"
_SPLIT = "fewshot split --metric all --batch-size 64"


def _size_rule(shape: str) -> str:
    return (
        "A split is *imbalanced* if the share of its largest sub-space is closer to that of a tree "
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
        _beside_whole,
        partial(_gain_over_whole, strict=True),
        "{whole}",
        _printed_splitting,
    ),
    Claim(
        "SNAS is seldom worse after splitting",
        "4.1, Tables 1 to 3",
        "SNAS finds a good architecture without splitting, and splitting seldom makes it worse.",
        "As before, for SNAS alone; a case counts if the best architecture is as good as without "
        "splitting, or better. Share rule.",
        partial(_beside_whole, only_snas=True),
        partial(_gain_over_whole, strict=False),
        "{whole}",
        _printed_snas,
    ),
    Claim(
        "Random splits are as good as those of metrics",
        "4.1, Tables 1 to 3",
        "Random grouping of operations gives similar or better results than the metrics.",
        "A case is a split by a metric and a random split of the same searches and seed; it counts "
        "if the best architecture of the random split is not worse by more than the largest "
        "standard deviation over seeds that the paper prints for the data set. Share rule.",
        _beside_random,
        _random_is_similar,
        _GRID,
        _printed_random,
    ),
    Claim(
        "The best metric varies with data set and algorithm",
        "4.1, Tables 1 to 3",
        "No metric is the best for all data sets and algorithms.",
        "The claim holds if no metric is among the best of every cell (data set, algorithm and "
        "kind of searches) and does not hold if one is; a single cell is inconclusive.",
        _best_by_cell,
        _varies,
        _GRID,
        lambda: _varies(best_metrics()),
    ),
)

CONTENT_CLAIMS = (
    Claim(
        "Five metrics split into sub-spaces of similar sizes",
        "4.2, Figure 3 and Appendix D",
        f"Splits by {', '.join(BALANCED)} have balanced sub-spaces.",
        _size_rule("balanced"),
        partial(_contents, metrics=BALANCED),
        partial(_sizes, shape="balanced"),
        _SPLIT,
    ),
    Claim(
        "Four metrics put about half of the space into one sub-space",
        "4.2, Figure 3 and Appendix D",
        f"Splits by {', '.join(IMBALANCED)} have some small sub-spaces and one with about half of "
        "all architectures.",
        _size_rule("imbalanced"),
        partial(_contents, metrics=IMBALANCED),
        partial(_sizes, shape="imbalanced"),
        _SPLIT,
    ),
    Claim(
        "The top 1% lies in several sub-spaces",
        "4.2, Figure 3 and Appendix D",
        "With every metric, the best 1% of the architectures are in more than one sub-space.",
        "A case is a split by a metric (random ones are shown, not counted); it counts if two "
        "sub-spaces or more hold some of the top 1%. Share rule.",
        _contents,
        _top_is_spread,
        _SPLIT,
    ),
    Claim(
        "Larger sub-spaces hold more of the top 1%",
        "4.2",
        "A sub-space with more architectures also has more of the top 1%.",
        "A case is a split by a metric; it counts if Kendall's tau between the sizes of its "
        "sub-spaces and their counts of the top 1% is above 0. Share rule.",
        _contents,
        _larger_hold_more,
        _SPLIT,
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
    _reports,
    _informativeness,
    f"{_SPLIT} --repeats 5",
)
