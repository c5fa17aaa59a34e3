"""Questions beyond the paper, in the form of its claims: a rule, evidence and a verdict."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core.analysis import CONFIDENCE
from fewshot_core.analysis.trees import branchings
from fewshot_core.data_folder import natural_order
from fewshot_core.reproduction.material import (
    MOST_PARAMETERS,
    ONE_AT_RANDOM,
    RANDOM,
    Group,
    Material,
    Row,
    count_text,
    differences,
)
from fewshot_core.reproduction.reading import BOUND_TREES, DIVISIONS, PAPER_DECISIONS, POSITION
from fewshot_core.reproduction.rules import LEAST_SEEDS, Claim, Finding, Mean, Verdict, by_share
from fewshot_core.search.proxy import Correlation
from fewshot_core.selection import default_choices, read_frame
from fewshot_core.space import Part

NEAR = 0.9
"""The position from which a tree is called near the best one."""

NEGLIGIBLE = 0.1
"""Changes of a position that are smaller than this do not matter."""

_SEEDLESS = "params"
_INFORMATIVE = {Verdict.HOLDS: "yes", Verdict.FAILS: "no", Verdict.UNKNOWN: "inconclusive"}
_PLACE = ["space", "dataset", "kind"]
_SHOWN_SCHEDULES = 8
_MARKED = {"one_at_random": "one at random", "most_parameters": "most parameters"}


def _grouped(cases: pd.DataFrame, keys: list[str]) -> Iterable[tuple[Any, pd.DataFrame]]:
    """Group cases by columns, which a frame without cases does not have."""
    return () if cases.empty else cases.groupby(keys, sort=False)


def _bounds(material: Material) -> Iterator[Group]:
    """Select the trees over the paper's decisions, over other sets of as many, and over more."""
    if material.bounds.empty:
        return
    cases = material.bounds
    size = cases["decisions"].map(len)
    usual = cases["decisions"] == PAPER_DECISIONS
    few = size == len(PAPER_DECISIONS)
    parts = {
        "trees over the paper's three decisions": usual,
        "trees over other sets of three decisions": few & ~usual,
        "trees over the first four decisions or more": ~few,
    }
    for title, chosen in parts.items():
        tables = ", ".join(cases.loc[chosen, "table"].unique())
        if tables:
            yield Group(title, f"no network, no images; tables {tables}", cases[chosen])


def _near_everywhere(cases: pd.DataFrame) -> Finding:
    near, (low, high) = cases["position"] >= NEAR, cases["position"].agg(["min", "max"])
    same_size = cases["decisions"].map(len).nunique() == 1
    cases = cases.assign(place=cases["space"] + ": " + cases["dataset"] + ", " + cases["kind"])
    first = cases["decisions"].iloc[0] == PAPER_DECISIONS
    three = "the paper's three" if first else "other three"
    series = three if same_size else cases["decisions"].map(lambda one: f"first {len(one)}")
    rows: list[Row] = []
    points = []
    for (place, name), part in cases.assign(series=series).groupby(["place", "series"], sort=False):
        row: Row = {
            "scores": place,
            "decisions": name,
            "trees": len(part),
            "position of params": _range(part["position"], ".2f"),
            "best tree, bits": _range(part["best_bits"], ".4f"),
            "random trees, bits": _range(part["random_bits"], ".4f"),
            "percentile of params": _range(part["percentile"], ".1f"),
        }
        rows.append(row)
        points.append((place, str(name), *part["position"].agg(["mean", "min", "max"])))
    measured = (
        f"Near the best tree in {near.sum()} of {len(cases)}; the position of counting parameters "
        f"is {low:.2f} to {high:.2f}."
    )
    verdict = Verdict.HOLDS if near.all() else Verdict.FAILS
    reason = "all are near" if near.all() else f"{(~near).sum()} of {len(cases)} are not near"
    return Finding(measured, verdict, reason, rows, _points(points))


def _points(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["label", "series", "value", "low", "high"])


def _range(values: "pd.Series[float]", form: str) -> str:
    """Format one value, or the mean of several with the smallest and the largest."""
    mean, low, high = (format(f(values), form) for f in (np.mean, min, max))
    return mean if len(values) == 1 else f"{mean} ({low} to {high})"


def _cell(mean: Mean) -> str:
    """Format a mean with its interval for a table, a single measurement without."""
    return f"{mean.value:.2f}" + (f" ({mean.ends()})" if mean.interval else "")


def _splits(material: Material, repeated: bool = False) -> Iterator[Group]:
    """Select the splits of each data set and evidence, or those that are repeated over seeds."""
    seen = set()
    places = _grouped(material.across, ["space", "dataset"])
    own = {place: differences(cases["evidence"]) for place, cases in places}
    for names, cases in _grouped(material.across, [*_PLACE, "table", "tree", "evidence"]):
        space, dataset, kind, table, tree, evidence = names
        metrics = cases[cases["metric"] != RANDOM].groupby("metric")["seed"].nunique()
        if metrics.empty or (repeated and (metrics > 1).sum() < 2):
            continue
        scale = f"{evidence}; {kind} scores, table {table}"
        title = f"{count_text(cases, 'split')} of {space} on {dataset}"
        title = ", ".join([title, *own[space, dataset][evidence]])
        weaker = (space, dataset, tree) in seen
        seen.add((space, dataset, tree))
        yield Group(title, scale, cases, (), bool(cases["conclusive"].all()), weaker)


def _informativeness(cases: pd.DataFrame) -> Finding:
    rows: list[Row] = []
    informative: list[str] = []
    distinct, points = {}, []
    for metric, found in cases.groupby("metric", sort=False):
        first = found.iloc[0]
        mean = interval = Mean.over(found["percentile"], (0, 100))
        if len(found) == 1 and (metric == _SEEDLESS or not first["runs"]):
            interval = Mean(mean.value, (first["percentile_low"], first["percentile_high"]))
        verdict, _ = interval.compare(50)
        if metric != RANDOM:
            distinct[tuple(found["leaves"])] = mean.value
            informative += [str(metric)] * (verdict is Verdict.HOLDS)
        position = Mean.over(found["position"])
        points.append((str(metric), "", position.value, *position.span))
        row: Row = {
            "metric": metric,
            "seeds": len(found),
            "position": _cell(position),
            "share of the best tree": _range(found["share_of_best"], ".0%"),
            "percentile among random trees": _range(found["percentile"], ".2f"),
            "interval": interval.ends(),
            "informative": _INFORMATIVE[verdict],
            "tied nodes": _range(found["ties"], ".0f") if found["ties"].notna().all() else "–",
        }
        rows.append(row)
    known = cases[cases["metric"] != RANDOM]
    overall = Mean.over(distinct.values(), (0, 100))
    measured = (
        f"Mean percentile of {len(distinct)} metrics with different splits: "
        f"{overall.text(1)}. Informative by the rule: {', '.join(informative) or 'none'}. "
        f"{_gap(known)}"
    )
    verdict, reason = overall.compare(50, 1)
    if known["seed"].nunique() < LEAST_SEEDS and verdict is not Verdict.UNKNOWN:
        verdict, reason = Verdict.UNKNOWN, f"{reason}, but there are fewer than {LEAST_SEEDS} seeds"
    return Finding(measured, verdict, reason, rows, _points(points))


def _gap(known: pd.DataFrame) -> str:
    """Say how close the best metric comes to the best tree, and what none reaches."""
    means = known.groupby("metric", sort=False)[["position", "share_of_best", "gain_bits"]].mean()
    closest = means[means["position"] >= means["position"].max() - 1e-9]
    share, gain = closest[["share_of_best", "gain_bits"]].iloc[0]
    best = (known["gain_bits"] / known["share_of_best"]).max()
    left = f"no metric reaches the other {best - gain:.4f}"
    return (
        f"Closest to the best tree: {', '.join(map(str, closest.index))}, with {share:.0%} of its "
        f"{best:.4f} bits; {left if best - gain >= 5e-5 else 'less than 0.0001 is left'}."
    )


def _batches(material: Material) -> Iterator[Group]:
    """Select the splits that differ in batch size or mode of batch norm, but not in network."""
    several = [
        (names, cases)
        for names, cases in _grouped(material.across, [*_PLACE, "table", "network"])
        if cases["batch"].nunique() > 1
    ]
    own = differences(names[-1] for names, _ in several)
    for (space, dataset, kind, table, network), cases in several:
        scale = f"{network}; {kind} scores, table {table}"
        title = f"{cases['batch'].nunique()} kinds of batches, {space} on {dataset}"
        title = ", ".join([title, *own[network]])
        yield Group(title, scale, cases, conclusive=bool(cases["conclusive"].all()))


def _parts(batch: str) -> tuple[str, str]:
    """Split "batch of 16, running statistics" into the size and the mode of batch norm."""
    size, _, mode = batch.partition(", ")
    return size, mode or "batch statistics"


def _by_batch(cases: pd.DataFrame) -> Finding:
    kinds = sorted(cases["batch"].unique(), key=lambda one: natural_order("/".join(_parts(one))))
    own = {
        key: part.groupby("seed")["position"].mean()
        for key, part in cases.groupby(["metric", "batch"], sort=False)
    }
    rows: list[Row] = []
    for metric in dict.fromkeys(cases["metric"]):
        row: Row = {"metric": metric}
        for batch in kinds:
            known = own.get((metric, batch))
            text = "–" if known is None else f"{_cell(Mean.over(known))}; {len(known)}"
            row[", ".join(_parts(batch))] = text
        rows.append(row)
    without_images = set(cases.loc[cases["split"].duplicated(keep=False), "metric"])
    changes: dict[str, dict[str, pd.Series[float]]] = {}
    for one, other in combinations(kinds, 2):
        (size, mode), (new_size, new_mode) = _parts(one), _parts(other)
        if (size == new_size) != (mode == new_mode):
            same = size == new_size
            text = f"{mode} to {new_mode} ({size})" if same else f"{size} to {new_size} ({mode})"
            changes[text] = {
                str(row["metric"]): (own[row["metric"], other] - own[row["metric"], one]).dropna()
                for row in rows
                if {(row["metric"], one), (row["metric"], other)} <= set(own)
                and row["metric"] not in without_images
            }
    return _changes(changes, rows)


def _changes(changes: Mapping[str, Mapping[str, "pd.Series[float]"]], rows: list[Row]) -> Finding:
    """Judge the changes of the positions of metrics by seed, for each change of the batch."""
    every = [one for own in changes.values() for one in own.values()]
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(every))
    sentences, ends = [], []
    for text, own in changes.items():
        means = {metric: Mean.over(one, confidence=confidence) for metric, one in own.items()}
        if not means:
            continue
        certain = [
            f"{metric} ({mean.value:+.2f})"
            for metric, mean in means.items()
            if mean.compare(0)[0] is not Verdict.UNKNOWN
        ]
        overall = Mean.over(mean.value for mean in means.values())
        sentences.append(
            f"From {text} the position changes by {overall} on average over "
            f"{count_text(means, 'metric')}, "
            f"by more than seeds explain for {', '.join(certain) or 'none of them'}."
        )
        ends += [mean.interval or (-np.inf, np.inf) for mean in means.values()]
    measured = " ".join(sentences) or "No metric has splits of the same seeds in two of them."
    if not ends or min(map(len, every)) < LEAST_SEEDS:
        reason = f"there are fewer than {LEAST_SEEDS} seeds in common"
        return Finding(measured, Verdict.UNKNOWN, reason, rows)
    if any(low > 0 or high < 0 for low, high in ends):
        reason = f"the interval of a metric's change ({confidence:.2%}) does not contain 0"
        return Finding(measured, Verdict.HOLDS, reason, rows)
    if all(low > -NEGLIGIBLE and high < NEGLIGIBLE for low, high in ends):
        reason = f"all changes are smaller than {NEGLIGIBLE:g}"
        return Finding(measured, Verdict.FAILS, reason, rows)
    reason = f"all intervals contain 0, and some reach further than {NEGLIGIBLE:g}"
    return Finding(measured, Verdict.UNKNOWN, reason, rows)


def _tie_breaks(material: Material) -> Iterator[Group]:
    """Select the recorded splits with the strongest evidence, and imported ones, of each space."""
    if material.across.empty:
        return
    across = material.across.assign(imported=~material.across["runs"].astype(bool))
    shown = across[across["imported"] | (across["strongest"] & across["float32_ties"].notna())]
    for space, cases in shown.groupby("space", sort=False):
        imported = cases["imported"].sum()
        parts = [f"{imported} imported"] * bool(imported) + [
            count_text(cases[~cases["imported"]], "recorded split")
        ]
        scale = "; ".join(cases.loc[~cases["imported"], "evidence"].unique())
        title = f"{' and '.join(parts)} of {space}"
        yield Group(title, f"recorded: {scale or 'none'}", cases)


def _first_alone(leaves: Sequence[Part]) -> tuple[int, int]:
    """Count the nodes that separate the first operation from all others, and all nodes."""
    nodes = branchings(leaves) or []
    groups = [sorted(node.groups, key=len) for node in nodes]
    return sum(len(parts) == 2 and parts[0] == (0,) for parts in groups), len(nodes)


def _of_ties(cases: pd.DataFrame) -> Finding:
    alone = {leaves: _first_alone(leaves) for leaves in cases["leaves"].unique()}
    cases = cases.assign(first=cases["leaves"].map(alone))
    rows: list[Row] = []
    names: dict[str, list[str]] = {}
    for metric, part in cases.groupby("metric", sort=False):
        published, own = part[part["imported"]], part[~part["imported"]]
        first, nodes = (sum(one) for one in zip(*own["first"], strict=True)) if len(own) else (0, 0)
        ties = {name: int(own[name].sum()) for name in ("ties", "float32_ties")}
        many = any(2 * count > total for count, total in published["first"])
        if many:
            verdict = "supported" if sum(ties.values()) else "by its form only"
        else:
            verdict = "ties recorded" if sum(ties.values()) else "no"
        names.setdefault(verdict, []).append(str(metric))
        row: Row = {
            "metric": metric,
            "imported: first operation alone": ", ".join(
                f"{count} of {total}" for count, total in published["first"]
            )
            or "–",
            "recorded: first operation alone": f"{first} of {nodes}" if nodes else "–",
            "recorded: tied nodes": f"{ties['ties']} of {nodes}" if nodes else "–",
            "recorded: tied in float32": f"{ties['float32_ties']} of {nodes}" if nodes else "–",
            "tie-breaks": verdict,
        }
        rows.append(row)
    texts = {
        "supported": "Imported splits that are tie-breaks by their form, with ties among recorded "
        "scores of the metric",
        "by its form only": "Imported splits that are so by their form only",
        "ties recorded": "Ties among recorded scores",
    }
    parts = [f"{text}: {', '.join(names[key])}" for key, text in texts.items() if key in names]
    measured = f"{'. '.join(parts)}." if parts else "No node is tied."
    if {"supported", "ties recorded"} & set(names):
        return Finding(measured, Verdict.HOLDS, "some recorded scores are tied", rows)
    if "by its form only" in names:
        return Finding(measured, Verdict.UNKNOWN, "the form of a split is no proof", rows)
    return Finding(measured, Verdict.FAILS, "no node is tied", rows)


def variance_share(
    values: "pd.Series[float]", groups: "pd.Series[str]"
) -> tuple[float, float, float]:
    """Estimate the share of variance that is between groups, with its 95% interval.

    It is the intraclass correlation of a one-way analysis of variance with random groups, its
    interval from the F distribution (Searle, 1971, Section 9.9), exact for groups of one size and
    normal values; shares below 0 are set to 0. There are two groups or more, and more values.
    """
    from scipy.special import fdtri

    parts = values.groupby(groups)
    count, total = parts.ngroups, len(values)
    sizes = parts.size().to_numpy()
    size = (total - (sizes**2).sum() / total) / (count - 1)
    within = ((values - parts.transform("mean")) ** 2).sum() / (total - count)
    between = (sizes * (parts.mean().to_numpy() - values.mean()) ** 2).sum() / (count - 1)
    if within == 0:
        return 1.0, 1.0, 1.0
    ratio = between / within
    quantiles = (1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2
    bounds = [fdtri(count - 1, total - count, quantile) for quantile in quantiles]
    share, low, high = (
        max(0.0, float((one - 1) / (one + size - 1)))
        for one in (ratio, *(ratio / bound for bound in bounds))
    )
    return share, low, high


def _chance(cases: pd.DataFrame) -> Finding:
    known = cases[cases["metric"] != RANDOM]
    several = known.groupby("metric")["position"].transform("nunique") > 1
    groups = {"all metrics": known, "metrics whose split varies with the seed": known[several]}
    rows: list[Row] = []
    shares = {}
    for name, part in groups.items():
        if part["metric"].nunique() < 2 or len(part) <= part["metric"].nunique():
            continue
        shares[name] = share, low, high = variance_share(part["position"], part["metric"])
        deviation = part.groupby("metric")["position"].std()
        row: Row = {
            "metrics": f"{name} ({part['metric'].nunique()})",
            "splits": len(part),
            "share of variance between metrics": f"{share:.0%}",
            "interval": f"{low:.0%} to {high:.0%}",
            "deviation over seeds (mean)": deviation.mean(),
            "deviation of metrics' means": part.groupby("metric")["position"].mean().std(),
        }
        rows.append(row)
    if not shares:
        return Finding("No metric is repeated.", Verdict.UNKNOWN, "there are too few seeds")
    name, (share, low, high) = list(shares.items())[-1]
    measured = (
        f"Of the variance of positions among {name}, {share:.0%} (interval {low:.0%} to {high:.0%})"
        " is between metrics; the rest is between seeds of one metric."
    )
    if low <= 0.5 <= high:
        return Finding(measured, Verdict.UNKNOWN, "the interval contains one half", rows)
    verdict = Verdict.HOLDS if low > 0.5 else Verdict.FAILS
    return Finding(measured, verdict, "the interval does not contain one half", rows)


def _estimates(material: Material) -> Iterator[Group]:
    for names, cases in _grouped(material.estimates, [*_PLACE, "table", "estimate"]):
        space, dataset, kind, table, estimate = names
        scale = f"estimates of table {cases['source'].iloc[0]}; {kind} scores, table {table}"
        tau, top, pick = cases[["tau", "top", "pick"]].iloc[0]
        scale += f"; tau over the space {_tau(tau)}, among the top 1% {_tau(top)}, regret of its "
        scale += f"best architecture {pick:.2f}"
        yield Group(f"estimate {estimate} of {space} on {dataset}", scale, cases)


def _tau(found: Correlation | None) -> str:
    """Format a correlation with its interval (Fieller, Hartley and Pearson, 1957)."""
    if found is None or found.value is None or found.low is None:
        return "not defined"
    return f"{found.value:.4f} ({found.low:.4f} to {found.high:.4f})"


def _chosen_by_estimate(cases: pd.DataFrame) -> Finding:
    splits = cases[~cases["metric"].isin([*DIVISIONS, RANDOM])]
    rows: list[Row] = [
        {
            "sub-spaces": metric,
            "splits": len(part),
            "tau within": _cell(Mean.over(part["within"])),
            "tau between": _cell(Mean.over(part["between"])),
            "regret of the sub-space": _cell(Mean.over(part["regret"])),
            "best found": f"{(part['regret'] == 0).sum()} of {len(part)}",
        }
        for metric, part in cases.groupby("metric", sort=False)
    ]
    found = by_share(
        "regret == 0",
        "The sub-space with the highest estimate has the best architecture in {share}; on "
        "average its best is {regret} points worse, tau is {within} within "
        "sub-spaces and {between} between them.",
    )(splits)
    return found._replace(table=rows)


def _against_random(cases: pd.DataFrame) -> Finding:
    gain = Mean.by_seed(cases, cases["random_regret"] - cases["regret"])
    names = list(dict.fromkeys(name for schedules in cases["schedules"] for name in schedules))
    measured = f"Regret of one at random minus that of halving, in points: {gain}."
    rows, points = [], []
    for name in names:
        known = cases[cases["schedules"].map(lambda one, name=name: name in one)]
        results = pd.DataFrame([vars(one[name]) for one in known["schedules"]], known.index)
        regret = Mean.by_seed(known, results["regret"])
        fewer = Mean.by_seed(known, known["random_regret"] - results["regret"])
        expected = name == ONE_AT_RANDOM
        cost = results["cost"].mean()
        row: Row = {
            "schedule": name,
            "searched splits": len(results),
            "cost, runs": cost,
            "regret, points": _cell(regret),
            "less than random by": "–" if expected else _cell(fewer),
            "loses the best": (
                "–" if expected else f"{(results['regret'] > 0).sum()} of {len(results)}"
            ),
        }
        rows.append(row)
        low, high = regret.span
        points.append((f"{name} ({cost:.1f} runs)", "", regret.value, max(0.0, low), high))
    return Finding(measured, *gain.compare(0.0), rows, _points(points))


def _by_parameters(cases: pd.DataFrame) -> Finding:
    cases = cases[cases["schedules"].map(lambda one: MOST_PARAMETERS in one)]
    if cases.empty:
        reason = "no table here has the parameters of architectures"
        return Finding("Nothing could be chosen by parameters.", Verdict.UNKNOWN, reason)
    chosen = cases["schedules"].map(lambda one: one[MOST_PARAMETERS].regret)
    compared = {"at random": cases["random_regret"], "halving": cases["regret"]}
    gain, ahead = (Mean.by_seed(cases, regret - chosen) for regret in compared.values())
    measured = (
        f"Regret of one at random minus that of this choice, in points: {gain}; that of halving, "
        f"which costs {cases['cost'].mean():.2f} times as much, minus that of this choice: {ahead}."
    )
    rows: list[Row] = [
        {
            "split by": metric,
            "searched splits": len(part),
            "regret, points": _cell(Mean.by_seed(part, chosen[part.index])),
            **{
                name: _cell(Mean.by_seed(part, regret[part.index]))
                for name, regret in compared.items()
            },
            "loses the best": f"{(chosen[part.index] > 0).sum()} of {len(part)}",
        }
        for metric, part in cases.groupby("metric", sort=False)
    ]
    return Finding(measured, *gain.compare(0.0), rows)


def _better_schedule(cases: pd.DataFrame) -> Finding:
    curves = {number: read_frame(one) for number, one in enumerate(cases["curves"])}
    schedules = {
        choice: [choice.apply(one) for one in curves.values()]
        for choice in default_choices(curves)
        if choice.strategy != "oracle"
    }
    costs = {one: float(np.mean([found.cost for found in schedules[one]])) for one in schedules}
    limit = cases["cost"].mean() + 1e-9
    rivals = [
        choice
        for choice, found in schedules.items()
        if costs[choice] <= limit
        and choice.strategy != "one_at_random"
        and any(one != other for one, other in zip(found, cases["halving"], strict=True))
    ]
    corrected = 1 - (1 - CONFIDENCE) / max(1, len(rivals))
    rows = []
    for choice in rivals:
        better = cases["regret"] - [one.regret for one in schedules[choice]]
        mean = Mean.by_seed(cases, better, confidence=corrected)
        rows.append((choice.label, costs[choice], mean, bool((better >= 0).all())))
    rows.sort(key=lambda row: -row[2].value)
    verdicts = [mean.compare(0.0)[0] for _, _, mean, _ in rows]
    won = [row[0] for row, one in zip(rows, verdicts, strict=True) if one is Verdict.HOLDS]
    measured = (
        f"Of {len(rivals)} schedules that cost no more than halving, {len(won)} have a lower "
        f"regret with an interval above 0 ({corrected:.2%}, corrected for their number), and "
        f"{sum(row[3] for row in rows)} are never worse in the recorded searches."
    )
    seeds = cases["seed"].nunique()
    if won:
        verdict, reason = Verdict.HOLDS, f"better: {', '.join(won)}"
    elif rows and all(one is Verdict.FAILS for one in verdicts):
        verdict, reason = Verdict.FAILS, "all intervals lie below 0"
    elif seeds < LEAST_SEEDS:
        reason = f"{seeds} seed{'s' * (seeds > 1)}: a difference has no useful interval"
        verdict = Verdict.UNKNOWN
    else:
        verdict, reason = Verdict.UNKNOWN, "no interval lies above 0: a negative result so far"
    table: list[Row] = [
        {
            "schedule": name,
            "cost, runs": cost,
            "regret less than halving by": _cell(mean),
            "never worse": "yes" if never else "no",
        }
        for name, cost, mean, never in rows[:_SHOWN_SCHEDULES]
    ]
    points = []
    for choice, found in schedules.items():
        regret = Mean.by_seed(cases, pd.Series([one.regret for one in found], cases.index))
        low, high = regret.span
        same = found == list(cases["halving"])
        series = "halving (paper)" if same else _MARKED.get(choice.strategy, "others")
        points.append((choice.label, series, regret.value, max(0.0, low), high, costs[choice]))
    columns = [*_points([]).columns, "cost"]
    drawn = pd.DataFrame(sorted(points, key=lambda one: one[1] != "others"), columns=columns)
    return Finding(measured, verdict, reason, table, drawn)


_SPLIT = "fewshot split --metric all --batch-size 64 --repeats 5"
_TABLE = "fewshot import-table FILE"
_searches = partial(Claim, groups=attrgetter("search_groups"), command="{searches}")

FINDINGS = (
    Claim(
        "Counting parameters splits nearly as well as the best tree",
        "without training",
        "Is there any need for a metric that looks at gradients or images?",
        "A tree separates, at every node of a decision, the operations by their number of "
        "parameters (which needs no network), and is placed between random trees of its shape and "
        f"the best one: {POSITION}. The best tree is exact; {BOUND_TREES:,} trees are "
        f"random. A tree is near the best from {NEAR:g} on. The claim holds if it is near for "
        "every table and set of decisions, and does not hold otherwise.",
        _bounds,
        _near_everywhere,
        _TABLE,
        changes="A table, or a rule to choose the decisions, for which counting parameters is near "
        "the best tree over all of them.",
        axis="position of params: 0 random trees, 1 best tree; bar lowest to highest",
    ),
    Claim(
        "Metrics, computed as defined, are informative about the top 1%",
        "without training",
        "For every metric: is its split more informative about the place of the top 1% than random "
        "trees of the same shape?",
        "A metric is informative if its percentile among random trees (the share of them with a "
        "lower information gain) lies above 50 with all of its 95% interval: Student's over seeds; "
        "Wilson's over random trees where no seed can change the split (params, and imported "
        "splits as they are); a single seed of any other metric is inconclusive. For all metrics "
        "together (one mean percentile each, without random; metrics with the same splits count "
        "once) the claim holds if Student's interval over metrics lies above 50, does not hold if "
        f"it lies below, and is inconclusive otherwise, or with fewer than {LEAST_SEEDS} "
        f"seeds. Position: {POSITION}.",
        _splits,
        _informativeness,
        _SPLIT,
        changes="More seeds, other batches and other supernets, which move the intervals.",
        axis="position: 0 random trees, 1 best tree (mean and 95% interval over seeds)",
    ),
    Claim(
        "The choice of the metric matters more than the seed",
        "without training",
        "How much of the informativeness of a metric's split is chance?",
        "One-way analysis of variance of the positions, metrics as random groups and seeds (of "
        "weights and batch) as repetitions: the intraclass correlation is the share of variance "
        "between metrics. Metrics that give the same split from every seed are left out, since "
        "they have no chance. The claim holds if the 95% interval of the share (F distribution) "
        "lies above one half, does not hold if it lies below, and is inconclusive otherwise.",
        partial(_splits, repeated=True),
        _chance,
        _SPLIT,
        changes="More seeds of each metric: the interval is wide with few.",
    ),
    Claim(
        "Batch size and mode of batch norm change how informative a split is",
        "without training",
        "Splits by other batches are separate evidence: does it matter which one is used?",
        "For each metric that uses images, the change of the position from one kind of batch to "
        "another that differs in size or in mode (statistics of the batch, or stored ones), paired "
        "by seed, with Student's interval over seeds, corrected for their number (Bonferroni). The "
        "claim holds if an interval does not contain 0, does not hold if all lie within "
        f"{NEGLIGIBLE:g} of 0, and is inconclusive otherwise, or with fewer than {LEAST_SEEDS} "
        "seeds in common. In the table: the mean position, its 95% interval over seeds, and their "
        "number.",
        _batches,
        _by_batch,
        "fewshot split --metric all --batch-size 16 --batch-norm running --repeats 5",
        changes="More seeds, other sizes and other networks.",
    ),
    Claim(
        "Some splits are tie-breaks",
        "without training",
        "Where several groupings of a node have the same smallest cut, the choice between them is "
        "arbitrary: which splits were chosen so?",
        "Of recorded splits a node is tied if several groupings have the smallest cut, as computed "
        "or with scores in float32, whose largest number is 3e38. Imported splits, such as those "
        "that the paper's authors published, have no scores: where all cuts are equal, the first "
        "grouping separates the first operation from all others. Where it does so at more than "
        "half of the nodes of a data set, the split is a tie-break by its form, and supported if "
        "recorded scores of the same metric are tied. The claim holds if recorded scores are tied, "
        "is inconclusive if ties are known by form only, and does not hold otherwise.",
        _tie_breaks,
        _of_ties,
        "fewshot import-split FILE",
        changes="The scores of the published splits, or their seeds.",
    ),
    Claim(
        "The estimate of a supernet finds the best sub-space",
        "with published supernets",
        "Would choosing the sub-space with the highest estimate have found the best architecture, "
        "and does an estimate rank better within sub-spaces or between them?",
        "Estimates are columns of imported tables. A case is a split by a metric; "
        "it counts if the sub-space with the highest estimate has the best architecture. Tau "
        "within is the mean over sub-spaces, weighted by their sizes; between, of the highest "
        "estimate in each with the accuracy of its architecture; both, and the regret, as means "
        "with Student's interval over splits from several seeds. Share rule.",
        _estimates,
        _chosen_by_estimate,
        f"{_TABLE} --architecture arch --map one_shot=estimate:cifar10",
        changes="Estimates by other supernets, or of splits that they were trained for.",
    ),
    _searches(
        "Halving by validation accuracy is better than one at random",
        "selection",
        "The paper leaves open: halving costs 2.5 runs, and training one sub-supernet at random "
        "costs one; is halving worth it?",
        "For each searched split, the expected regret of one at random minus that of halving, in "
        "percentage points, as means over the splits of a seed. The claim holds if Student's 95% "
        "interval over seeds lies above 0, does not hold if it lies below, and is inconclusive "
        "otherwise.",
        evaluate=_against_random,
        changes="Searches with other seeds, algorithms and lengths.",
        axis="regret, percentage points (mean and 95% interval over seeds, if there are several)",
    ),
    _searches(
        "The sub-space with the most parameters is better than one at random",
        "selection",
        "Selecting by the mean number of parameters in each sub-space needs no training "
        "before the choice, and costs one run: is it worth it?",
        "For each searched split, the expected regret of one at random minus that of the sub-space "
        "whose architectures have the most parameters, in percentage points, as means over the "
        "splits of a seed. The claim holds if Student's 95% interval over seeds lies above 0, does "
        "not hold if it lies below, and is inconclusive otherwise. The comparison with halving is "
        "shown, and does not count.",
        evaluate=_by_parameters,
        changes="Searches in other splits, since a seed repeats searches, not splits. This "
        "question was asked after the searches that come with the project: they suggest the "
        "answer, and only others can confirm it.",
    ),
    _searches(
        "Another schedule is better than halving at the same cost",
        "selection",
        "Is there a way to select that is better than halving and costs no more?",
        "All schedules of the Halving page are replayed on the recorded searches: halvings by "
        "validation accuracy, its averages or the loss, the top k of an epoch, and the sub-space "
        "whose architectures have the most parameters, chosen before training. Of those that cost "
        "no more than halving, the regret of halving minus theirs, as means over the splits of a "
        "seed, has Student's interval over seeds, corrected for their number (Bonferroni). The "
        "claim holds if one lies above 0, and does not hold if all lie below.",
        evaluate=_better_schedule,
        changes="More seeds: a schedule chosen after the fact has to win on searches it has not "
        "seen.",
        axis="regret, percentage points (mean and 95% interval over seeds, if there are several)",
    ),
)
