"""The claims of Section 4 of the paper in its order; see ``findings`` for questions beyond it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter

import pandas as pd

from fewshot_core.analysis import NO_SPLITTING, published_results
from fewshot_core.reproduction.material import RANDOM, Group, Material, Row, count_text
from fewshot_core.reproduction.rules import (
    LEAST_SEEDS,
    Claim,
    Finding,
    Mean,
    Verdict,
    by_share,
    satisfies,
    share_of,
)
from fewshot_core.selection import PAPER_END, PAPER_MILESTONES, random_kendall_interval

BALANCED = ("gradnorm", "jacobcov", "snip", "grasp", "ntk")
"""The metrics that, by the paper, give sub-spaces of similar sizes."""

IMBALANCED = ("gradientmatching", "synflow", "linear_regions", "params")
"""The metrics that, by the paper, put about half of the space into one sub-space."""

USEFUL = 0.5
"""The Kendall tau from which validation accuracy is called a proxy: 3 of 4 pairs in order."""


def _beside_whole(material: Material, only_snas: bool = False) -> Iterator[Group]:
    """Select the splits whose search was also run in the whole space."""
    for group in material.search_groups:
        snas = (group.cases["algorithm"] == "snas") | (not only_snas)
        beside = group.part(group.cases["whole"].notna() & snas, ", and the whole space")
        if len(beside.cases):
            runs = beside.cases["runs"] + beside.cases["whole_runs"]
            yield replace(beside, cases=beside.cases.assign(runs=runs))


def _random_pairs(cases: pd.DataFrame) -> pd.DataFrame:
    """Pair random splits with those by metrics in searches of the same seed."""
    pairs = cases[cases["random"]].merge(
        cases[~cases["random"]], on="seed", suffixes=("", "_metric")
    )
    best, mean = (pairs[name] - pairs[f"{name}_metric"] for name in ("best", "mean"))
    return pairs.assign(best_difference=best, mean_difference=mean)


def _beside_random(material: Material) -> Iterator[Group]:
    return (group for group in material.search_groups if len(_random_pairs(group.cases)))


def _random_is_similar(cases: pd.DataFrame) -> Finding:
    margin = printed_deviation(cases["dataset"].iloc[0])
    return by_share(
        f"best_difference >= -{margin}",
        f"Random is similar or better (within {margin:.2f} points) in {{share}}. Random minus "
        "metric, best found: {best_difference} points; mean over sub-supernets: {mean_difference} "
        "points.",
    )(_random_pairs(cases))


BestMetrics = Mapping[str, frozenset[str]]
"""The best metrics of each cell: a data set with an algorithm or a kind of searches."""


def _all_searches(material: Material) -> Iterator[Group]:
    """Join the groups of searches with two searched splits or more."""
    groups = [one for one in material.search_groups if one.cases["metric"].nunique() > 1]
    if groups:
        yield Group(
            f"{count_text(groups, 'cell')} of recorded searches",
            "; ".join(dict.fromkeys(group.scale for group in groups)),
            pd.concat([group.cases for group in groups]),
            tuple(name for group in groups for name in group.tables),
            all(group.conclusive for group in groups),
        )


def _best_varies(cases: pd.DataFrame) -> Finding:
    best = {}
    for (dataset, scale), part in cases.groupby(["dataset", "scale"], sort=False):
        means = part.groupby("metric")["best"].mean().round(2)
        best[f"{dataset}, {scale}"] = frozenset(means.index[means == means.max()])
    found, seeds = _varies(best), cases.groupby(["dataset", "scale"])["seed"].nunique().min()
    if seeds < LEAST_SEEDS and found.verdict is not Verdict.UNKNOWN:
        reason = f"{found.reason}, but a cell has fewer than {LEAST_SEEDS} seeds"
        found = found._replace(verdict=Verdict.UNKNOWN, reason=reason)
    return found


def _varies(best: BestMetrics) -> Finding:
    always = sorted(frozenset.intersection(*best.values()))
    distinct = sorted(frozenset.union(*best.values()))
    if len(best) < 2:
        verdict, reason = Verdict.UNKNOWN, "there is only one cell to compare"
    elif always:
        verdict, reason = Verdict.FAILS, f"always among the best: {', '.join(always)}"
    else:
        verdict, reason = Verdict.HOLDS, "no metric is among the best of every cell"
    cells, metrics = count_text(best, "cell"), count_text(distinct, "metric")
    measured = f"Best in {cells}: {metrics} ({', '.join(distinct)})."
    rows: list[Row] = [{"cell": cell, "best": ", ".join(sorted(best[cell]))} for cell in best]
    return Finding(measured, verdict, reason, rows)


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


def _printed_random() -> Finding:
    """Count printed results of metrics that random splits reach, within the deviation."""
    rows = _printed_gains(RANDOM)
    rows["deviation"] = rows["dataset"].map(printed_deviation)
    strict, _ = share_of(rows["gain"] <= 0)
    text = f"{{share}} comparisons; without allowing for the deviation in {strict}."
    return _printed(
        rows,
        "gain <= deviation",
        "algorithm",
        "random similar or better",
        f"Similar or better in {text}",
    )


def _printed(rows: pd.DataFrame, condition: str, by: str, heading: str, text: str) -> Finding:
    """Count printed results that satisfy a condition, also by a column."""
    counts = satisfies(rows, condition).groupby(rows[by], sort=False)
    table: list[Row] = [
        {by.replace("dataset", "data set"): name, heading: f"{part.sum()} of {len(part)}"}
        for name, part in counts
    ]
    return by_share(condition, text)(rows)._replace(table=table)


def _by_metrics(material: Material, metrics: Sequence[str]) -> Iterator[Group]:
    for group in material.split_groups:
        part = group.part(group.cases["metric"].isin(metrics))
        if len(part.cases):
            yield part


def _shapes(cases: pd.DataFrame, shape: str) -> Finding:
    others = cases[cases["shape"] != shape]["metric"].unique()
    otherwise = f" Otherwise: {', '.join(others)}." if len(others) else ""
    return by_share(f"shape == {shape!r}", f"{{share}} are {shape}.{otherwise}")(cases)


def _top_is_spread(cases: pd.DataFrame) -> Finding:
    counted = cases[~cases["random"]]
    measured = "In several in {share}."
    if len(counted):
        most = counted.sort_values("richest", ascending=False, kind="stable").iloc[0]
        measured += (
            f" {counted['with_top'].min()} to {counted['with_top'].max()} sub-spaces hold some of "
            f"it; the largest share in one is {most['richest']:.0%} ({most['metric']})."
        )
    return by_share("with_top > 1", measured)(counted)


def _larger_hold_more(cases: pd.DataFrame) -> Finding:
    counted = cases[~cases["random"]]
    most = f"{counted['largest_has_most'].sum()} of {len(counted)}"
    measured = (
        f"Tau is above 0 in {{share}}. The largest sub-space holds the most of the top in {most}."
    )
    return by_share("tau > 0", measured)(counted)


def _correlated(cases: pd.DataFrame) -> Finding:
    joined = pd.concat(cases["taus"].to_list())
    rows = [_tau_row(epoch, joined.loc[[epoch]].dropna()) for epoch in _shown_epochs(cases)]
    known = cases.dropna(subset=["late"])
    if known.empty:
        reason = "in every searched split all sub-supernets found the same"
        return Finding("No correlation is defined.", Verdict.UNKNOWN, reason, rows)
    mean = Mean.by_seed(known, known["late"], (-1, 1))
    measured = f"Tau at the end: {mean}."
    count = cases["count"].iloc[0]
    limit = random_kendall_interval(count)
    if limit is not None:
        measured += (
            f" Two random orders of {count} reach {limit:.2f} in absolute value with a "
            "probability of at most 5%."
        )
    return Finding(measured, *mean.compare(USEFUL, holds_above=False), rows)


def _tau_row(epoch: int, correlations: pd.DataFrame) -> Row:
    taus = correlations["kendall"]
    return {
        "epoch": epoch,
        "mean tau": taus.mean(),
        "interval": Mean.over(taus, (-1, 1)).ends() if len(taus) else "–",
        "lowest": taus.min(),
        "highest": taus.max(),
        "mean rho": correlations["spearman"].mean(),
    }


def _shown_epochs(cases: pd.DataFrame) -> list[int]:
    """The first epoch, the milestones, quarters and the end, as far as all have them."""
    shared = set.intersection(*(set(taus.index) for taus in cases["taus"]))
    end = max(shared)
    quarters = {end * quarter // 4 for quarter in range(5)}
    return sorted(quarters.union(*cases["milestones"]) & shared)


def _early(cases: pd.DataFrame) -> Finding:
    known = cases.dropna(subset=["early", "late"])
    if known.empty:
        reason = "no searched split has a tau at both epochs"
        return Finding("Nothing to compare.", Verdict.UNKNOWN, reason)
    measured = "Lower in {share}; from there to the end tau changes by {change}."
    return by_share("change > 0", measured)(known.assign(change=known["late"] - known["early"]))


_GRID = "fewshot grid docs/paper-grid.toml"
_SPLIT = "fewshot split --metric all --batch-size 64"


def _size_rule(shape: str) -> str:
    return (
        "A split is *imbalanced* if the share of its largest sub-space is closer to that of a tree "
        "with one operation against four at all nodes (51.2% for three edges) than to that of one "
        "with two against three (21.6%), and *balanced* otherwise. A case is a split by one of "
        f"these metrics; it counts if it is {shape}. Share rule."
    )


_search_claim = partial(Claim, groups=attrgetter("search_groups"), command="{searches}")

CLAIMS = (
    Claim(
        "Splitting finds better architectures, whatever the metric",
        "4.1, Tables 1 to 3",
        "For most algorithms, the best architecture found by all sub-supernets together is better "
        "than the result of a search without splitting, with any metric.",
        "A case is a split (random ones included) with an algorithm and a seed; it counts if its "
        "best architecture is better than that of the same search in the whole space: the best of "
        "eight searches against one, as in the paper. Share rule.",
        _beside_whole,
        by_share("gain > 0", "Better in {share}; on average by {gain} points."),
        "{whole}",
        lambda: _printed(
            _printed_gains(NO_SPLITTING),
            "gain > 0",
            "algorithm",
            "better than without splitting",
            "Better in {share} results.",
        ),
    ),
    Claim(
        "SNAS is seldom worse after splitting",
        "4.1, Tables 1 to 3",
        "SNAS finds a good architecture without splitting, and splitting seldom makes it worse.",
        "As before, for SNAS alone; a case counts if the best architecture is as good as without "
        "splitting, or better. Share rule.",
        partial(_beside_whole, only_snas=True),
        by_share("gain >= 0", "As good or better in {share}; on average by {gain} points."),
        "{whole}",
        lambda: _printed(
            _printed_gains(NO_SPLITTING).query("algorithm == 'snas'"),
            "gain >= 0",
            "dataset",
            "as good as without splitting, or better",
            "As good or better in {share} results of SNAS.",
        ),
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
        "kind of searches) and does not hold if one is; a single cell, or one of fewer than three "
        "seeds, is inconclusive.",
        _all_searches,
        _best_varies,
        _GRID,
        lambda: _varies(best_metrics()),
    ),
    Claim(
        "Five metrics split into sub-spaces of similar sizes",
        "4.2, Figure 3 and Appendix D",
        f"Splits by {', '.join(BALANCED)} have balanced sub-spaces.",
        _size_rule("balanced"),
        partial(_by_metrics, metrics=BALANCED),
        partial(_shapes, shape="balanced"),
        _SPLIT,
    ),
    Claim(
        "Four metrics put about half of the space into one sub-space",
        "4.2, Figure 3 and Appendix D",
        f"Splits by {', '.join(IMBALANCED)} have some small sub-spaces and one with about half of "
        "all architectures.",
        _size_rule("imbalanced"),
        partial(_by_metrics, metrics=IMBALANCED),
        partial(_shapes, shape="imbalanced"),
        _SPLIT,
    ),
    Claim(
        "The top 1% lies in several sub-spaces",
        "4.2, Figure 3 and Appendix D",
        "With every metric, the best 1% of the architectures are in more than one sub-space.",
        "A case is a split by a metric (random ones are shown, not counted); it counts if two "
        "sub-spaces or more hold some of the top 1%. Share rule.",
        attrgetter("split_groups"),
        _top_is_spread,
        _SPLIT,
    ),
    Claim(
        "Larger sub-spaces hold more of the top 1%",
        "4.2",
        "A sub-space with more architectures also has more of the top 1%.",
        "A case is a split by a metric; it counts if Kendall's tau between the sizes of its "
        "sub-spaces and their counts of the top 1% is above 0. Share rule.",
        attrgetter("split_groups"),
        _larger_hold_more,
        _SPLIT,
    ),
    _search_claim(
        "At the end, the leader by validation accuracy is not the best sub-supernet",
        "4.3, Figures 4 to 8",
        "After the last epoch, the sub-supernet with the highest validation accuracy is not the "
        "one that finds the best architecture.",
        "A case is a searched split with a seed; it counts if another sub-supernet found a better "
        "architecture than the leader did. Share rule. (One of eight drawn at random is not the "
        "best in 7 of 8 cases.)",
        evaluate=by_share(
            "leader_regret > 0",
            "Not the best in {share}; mean regret of the leader {leader_regret} points.",
        ),
    ),
    _search_claim(
        "For most of the training the leader is not the best",
        "4.3, Figure 4 (left)",
        "At most epochs, the sub-supernet with the highest validation accuracy is not the one that "
        "finds the best architecture at that epoch.",
        "A case is a searched split with a seed; it counts if this is so at more than half of the "
        "epochs from 1 on. Share rule.",
        evaluate=by_share(
            "wrong > 0.5",
            "At most epochs in {share}; overall at {wrong:.0%} of the epochs, against {drawn:.0%} "
            "for a random choice.",
        ),
    ),
    _search_claim(
        "Validation accuracy is no suitable proxy",
        "4.3",
        "The validation accuracy of sub-supernets does not predict the quality of the "
        "architectures that they find.",
        "Kendall's tau between the validation accuracies and the accuracies of the architectures "
        "found, both at the end, as means over the splits of a seed. The claim holds if Student's "
        f"95% interval over seeds lies below {USEFUL:g} (three of four pairs in order), "
        "does not hold if it lies above, and is inconclusive otherwise.",
        evaluate=_correlated,
    ),
    _search_claim(
        "Validation accuracy is worst as a proxy early in training",
        "4.3, Figure 4 (right)",
        "Supernet accuracy is especially inaccurate as a proxy in the early stages.",
        "A case is a searched split with a seed; it counts if Kendall's tau with the final result "
        "is lower at the first milestone than at the end. Share rule.",
        evaluate=_early,
    ),
    _search_claim(
        "Successive halving discards the best sub-supernet early",
        "4.3, Figure 4 (right)",
        "If the lower half by validation accuracy is discarded at epochs 30 and 100 of 600, the "
        "sub-space with the best architecture is lost early.",
        f"Milestones at {PAPER_MILESTONES[0]}/{PAPER_END} and {PAPER_MILESTONES[1]}/{PAPER_END} of "
        "the recorded epochs (the default of the Halving page and of `fewshot halve`). A case is a "
        "searched split with a seed; it counts if every sub-supernet that finds the best was "
        "discarded before the end. Share rule. (At random, a single best one of eight is discarded "
        "in 6 of 8 cases.)",
        evaluate=by_share(
            "discarded != 'kept'",
            "Discarded in {share}; random discarding loses the best in {lost_at_random:.0%}.",
        ),
    ),
    _search_claim(
        "Selection by validation accuracy degrades what is found",
        "4.3",
        "A sub-supernet chosen by validation accuracy finds less than all of them together.",
        "The same schedule. A case is a searched split with a seed; it counts if the chosen "
        "architecture is worse than the best that any sub-supernet found. Share rule.",
        evaluate=by_share(
            "regret > 0",
            "Worse in {share}; mean regret {regret} points at a cost of {cost:.2f} runs instead of "
            "{count:.0f}.",
        ),
    ),
)
