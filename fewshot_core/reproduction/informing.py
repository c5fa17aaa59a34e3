"""Beyond the paper: which metrics tell where the best architectures are, over seeds."""

from collections.abc import Iterator, Sequence

import numpy as np

from fewshot_core.analysis import (
    BaselineComparison,
    SplitReport,
    describe_sub_spaces,
    top_threshold,
)
from fewshot_core.reproduction.claims import Claim, Evidence, Grid, Verdict
from fewshot_core.reproduction.material import (
    RANDOM,
    Accuracies,
    Material,
    Split,
    SplitGroup,
)
from fewshot_core.reproduction.rules import Mean
from fewshot_core.space import EDGES, OPERATIONS, SubSpace
from fewshot_core.splitting import TreeOptions

SUPPLY = "fewshot split --metric all --batch-size 64 --repeats 5"
"""What makes the splits with several seeds."""

_SEEDLESS = frozenset({"params"})
"""Metrics that give the same split whatever the seeds: counting weights draws nothing."""

_PERCENTILES = 0.0, 100.0

_CHANCE = 50.0
"""The percentile of a split that tells as much as the median random tree."""


def informing_claim(material: Material) -> Claim:
    """Return which metrics inform, for every scale and data set."""
    return Claim(
        "Metrics, computed as defined, tell where the top 1% lies",
        "beyond the paper",
        "Asked of every metric: does its split tell more about where the top 1% lies than random "
        "trees of the same shape? Over many seeds of one metric see "
        "[the published splits](published-splits.md).",
        "A metric informs where its percentile among random trees (the share of them with a lower "
        "information gain) lies above 50 with all of its 95% interval: Student's over seeds; "
        "Wilson's over random trees where no seed can change the split (params, and published "
        "splits as they are); one seed of any other metric cannot tell. For all metrics together "
        "(one mean percentile each, without random; metrics with the same splits count once) it "
        "holds where Student's interval over metrics lies above 50, does not hold where it lies "
        "below, and cannot be told in between.",
        tuple(_evidence(material)),
        SUPPLY,
    )


def table_facts(material: Material) -> Grid:
    """Return what accuracy tables alone say: the top 1%, the best tree, random trees."""
    headings = (
        "data set",
        "accuracies",
        "best",
        "all-skip",
        "top 1% from",
        "top 1%",
        "best tree, bits",
        "its top 1% by sub-space",
        "random trees: mean, 5% to 95%, bits",
    )
    return Grid(headings, tuple(_facts(one) for one in material.accuracies.values()))


def _facts(accuracies: Accuracies) -> tuple[str, ...]:
    frame = accuracies.frame
    values = frame["accuracy_mean"].to_numpy()
    chance = accuracies.evaluator.chance(TreeOptions())
    inside = describe_sub_spaces(chance.best.leaves, frame)
    low, high = np.quantile(chance.gains, [0.05, 0.95])
    return (
        accuracies.dataset,
        f"{accuracies.kind}, {accuracies.table}",
        f"{np.nanmax(values):.4f}",
        f"{_all_skip(accuracies):.4f}",
        f"{top_threshold(values):.4f}",
        str(int(inside["top_count"].sum())),
        f"{chance.best.gain_bits:.4f}",
        ", ".join(map(str, inside["top_count"])),
        f"{chance.gains.mean():.4f}, {low:.4f} to {high:.4f}",
    )


def _all_skip(accuracies: Accuracies) -> float:
    everywhere = SubSpace(((_SKIP,),) * len(EDGES)).architecture_indices()
    rows = accuracies.frame[accuracies.frame["architecture"].isin(everywhere)]
    return float(rows["accuracy_mean"].max())


def _evidence(material: Material) -> Iterator[Evidence]:
    for group in material.groups():
        for dataset in dict.fromkeys(split.dataset for split in group.splits):
            inside = tuple(split for split in group.splits if split.dataset == dataset)
            part = SplitGroup(group.origin, group.scale, inside)
            found = _of_group(part, material.accuracies[dataset])
            if found is not None:
                yield found


def _of_group(group: SplitGroup, accuracies: Accuracies) -> Evidence | None:
    by_metric: dict[str, list[tuple[Split, SplitReport, BaselineComparison]]] = {}
    for split in group.splits:
        report = accuracies.evaluator.report(split.leaves)
        if report.comparison is not None:
            by_metric.setdefault(split.metric, []).append((split, report, report.comparison))
    metrics = {name: rows for name, rows in by_metric.items() if name != RANDOM}
    if not metrics:
        return None
    different = {tuple(split.leaves for split, _, _ in rows): rows for rows in metrics.values()}
    overall = Mean.over([_percentile(rows).value for rows in different.values()], _PERCENTILES)
    lines = tuple(_line(name, rows) for name, rows in by_metric.items())
    told = [name for name, rows in metrics.items() if _informs(name, rows) is Verdict.HOLDS]
    return Evidence(
        material=f"{group.material} on {accuracies.dataset}",
        scale=group.scale,
        measured=f"Mean percentile of {len(different)} different splits or sets of them: "
        f"{overall.text(1)}. By the rule these inform: {', '.join(told) or 'none'}.",
        verdict=overall.above(_CHANCE),
        reason=overall.reason(_CHANCE, 1),
        grid=Grid(_HEADINGS, lines),
        runs=group.runs,
    )


_HEADINGS = (
    "metric",
    "seeds",
    "information gain, bits",
    "share of the best tree",
    "percentile among random trees",
    "interval",
    "informs",
)

_ANSWERS = {Verdict.HOLDS: "yes", Verdict.FAILS: "no", Verdict.UNKNOWN: "cannot be told"}

_SKIP = OPERATIONS.index("skip_connect")


def _line(
    name: str, rows: Sequence[tuple[Split, SplitReport, BaselineComparison]]
) -> tuple[str, ...]:
    gains = [report.gain_bits for _, report, _ in rows]
    shares = [comparison.share_of_best or 0.0 for _, _, comparison in rows]
    low, high = _interval(name, rows) or (None, None)
    return (
        name,
        str(len(rows)),
        _spread(gains, "{:.4f}"),
        _spread(shares, "{:.0%}"),
        _spread([comparison.percentile for _, _, comparison in rows], "{:.2f}"),
        "–" if low is None or high is None else f"{low:.2f} to {high:.2f}",
        _ANSWERS[_informs(name, rows)],
    )


def _spread(values: Sequence[float], form: str) -> str:
    """Return one value, or the mean of several with the least and the largest."""
    mean = form.format(float(np.mean(values)))
    if len(values) == 1:
        return mean
    return f"{mean} ({form.format(min(values))} to {form.format(max(values))})"


def _percentile(rows: Sequence[tuple[Split, SplitReport, BaselineComparison]]) -> Mean:
    return Mean.over([comparison.percentile for _, _, comparison in rows], _PERCENTILES)


def _interval(
    name: str, rows: Sequence[tuple[Split, SplitReport, BaselineComparison]]
) -> tuple[float, float] | None:
    """Return the interval that decides whether a metric informs, or None where there is none."""
    if _fixed(name, rows):
        comparison = rows[0][2]
        return comparison.percentile_low, comparison.percentile_high
    return _percentile(rows).interval


def _informs(name: str, rows: Sequence[tuple[Split, SplitReport, BaselineComparison]]) -> Verdict:
    interval = _interval(name, rows)
    return Mean(0.0, interval, len(rows)).above(_CHANCE)


def _fixed(name: str, rows: Sequence[tuple[Split, SplitReport, BaselineComparison]]) -> bool:
    """Whether no seed could have given another split than the one there is."""
    published = not any(split.run_id for split, _, _ in rows)
    return len(rows) == 1 and (published or name in _SEEDLESS)
