"""The two rules, the claims of Sections 4.1 and 4.2, and the reading of published splits."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from fewshot_core.analysis import published_results
from fewshot_core.reproduction import CLAIMS, Material, Split, Verdict, report_markdown
from fewshot_core.reproduction.claims import (
    BALANCED,
    IMBALANCED,
    best_metrics,
    printed_deviation,
)
from fewshot_core.reproduction.material import extreme_shares
from fewshot_core.reproduction.reading import read_published
from fewshot_core.reproduction.rules import Mean, by_share
from fewshot_core.space import SubSpace

IMPACT_CLAIMS, CONTENT_CLAIMS = CLAIMS[:4], CLAIMS[4:8]
SEEDS = range(3)
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.parametrize(
    ("yes", "of", "verdict"),
    [
        (4, 4, Verdict.HOLDS),
        (7, 8, Verdict.HOLDS),
        (3, 3, Verdict.UNKNOWN),
        (5, 6, Verdict.UNKNOWN),
        (1, 4, Verdict.UNKNOWN),
        (0, 4, Verdict.FAILS),
        (0, 0, Verdict.MISSING),
    ],
)
def test_a_share_against_one_half(yes, of, verdict):
    found = share(yes, of)
    assert found.verdict is verdict
    assert found.measured.startswith(f"{yes} of {of}")


def share(yes, of):
    cases = pd.DataFrame({"value": [1.0] * yes + [0.0] * (of - yes)})
    return by_share("value > 0", "{share}")(cases)


def test_a_share_gives_a_reason():
    assert share(4, 4).reason.endswith("lies above one half")
    assert share(0, 4).reason.endswith("lies below one half")
    assert "3 cases are too few" in share(3, 3).reason


def test_a_mean_has_students_interval():
    mean = Mean.over([1.0, 2.0, 3.0])
    # t of 97.5% with two degrees of freedom is 4.3027, the standard error 1 / sqrt(3).
    reach = 4.302653 / math.sqrt(3)
    assert mean.interval == pytest.approx((2 - reach, 2 + reach), abs=1e-5)
    assert Mean.over([1.0, 2.0, 3.0], within=(0.0, 2.5)).interval == (0.0, 2.5)


@pytest.mark.parametrize(
    ("values", "limit", "above", "below"),
    [
        ([5.0, 5.1, 5.2], 1.0, Verdict.HOLDS, Verdict.FAILS),
        ([5.0, 5.1, 5.2], 9.0, Verdict.FAILS, Verdict.HOLDS),
        ([0.0, 10.0], 5.0, Verdict.UNKNOWN, Verdict.UNKNOWN),
        ([7.0], 5.0, Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_a_mean_against_a_limit(values, limit, above, below):
    mean = Mean.over(values)
    assert mean.compare(limit)[0] is above
    assert mean.compare(limit, holds_above=False)[0] is below


def test_a_single_measurement_has_no_interval():
    mean = Mean.over([7.0])
    assert str(mean) == "7.00 (one measurement, no interval)"
    assert "repeat" in mean.compare(5.0)[1]


def printed(claim):
    """Evidence of a claim where nothing is recorded: the tables of the paper."""
    [(finding, source)] = claim.evidence(Material({}))
    assert source.runs == ()
    return finding


def cells():
    rows = published_results().to_dict("records")
    return {(row["dataset"], row["metric"], row["algorithm"]): row["mean"] for row in rows}


def test_splitting_is_counted_against_the_same_column():
    means = cells()
    better = [
        mean > means[dataset, "no splitting", algorithm]
        for (dataset, metric, algorithm), mean in means.items()
        if metric != "no splitting"
    ]
    assert len(better) == 120
    evidence = printed(IMPACT_CLAIMS[0])
    assert f"{sum(better)} of 120" in evidence.measured
    assert evidence.verdict is Verdict.HOLDS


def test_snas_is_counted_separately():
    means = cells()
    kept = [
        mean >= means[dataset, "no splitting", "snas"]
        for (dataset, metric, algorithm), mean in means.items()
        if metric != "no splitting" and algorithm == "snas"
    ]
    assert len(kept) == 30
    assert f"{sum(kept)} of 30" in printed(IMPACT_CLAIMS[1]).measured


def test_random_is_compared_with_the_nine_metrics():
    means = cells()
    distances = [
        (dataset, means[dataset, "random", algorithm] - mean)
        for (dataset, metric, algorithm), mean in means.items()
        if metric not in ("no splitting", "random")
    ]
    similar = sum(distance >= -printed_deviation(dataset) for dataset, distance in distances)
    strict = sum(distance >= 0 for _, distance in distances)
    assert len(distances) == 108
    measured = printed(IMPACT_CLAIMS[2]).measured
    assert f"{similar} of 108" in measured and f"{strict} of 108" in measured


def test_deviations_and_the_best_are_those_printed():
    assert [printed_deviation(name) for name in ("cifar10", "cifar100", "ImageNet16-120")] == [
        0.34,
        1.25,
        1.76,
    ]
    best = best_metrics()
    assert len(best) == 12
    assert best["cifar10, darts-1st"] == frozenset({"snip", "grasp"})


@pytest.mark.parametrize(("tree", "shape"), [("alone", "imbalanced"), ("even", "balanced")])
def test_a_split_is_imbalanced_by_its_largest_sub_space(material, split, trees, tree, shape):
    found = contents(split("params", trees[tree]), material)
    assert found["shape"] == shape
    assert extreme_shares(trees[tree]) == pytest.approx((27 / 125, 64 / 125))
    assert sum(found["sizes"]) == 15_625
    assert sum(found["tops"]) == 157


def contents(split, material):
    return split.numbers(material().accuracies["cifar10"].evaluator)


def test_the_top_is_where_the_last_operations_are(material, split, trees):
    found = contents(split("params", trees["even"]), material)
    # Accuracy grows with the index, and 157 is 125 with 4, 4, 4 on the edges and 32 with 4, 4, 3.
    assert found["tops"] == (0, 0, 0, 0, 0, 0, 32, 125)
    assert (found["with_top"], found["for_most"], found["largest_has_most"]) == (2, 2, True)
    assert found["richest"] == 125 / 157


def evidence(claim, material):
    return [finding for finding, _ in claim.evidence(material)]


def sources(claim, material):
    return [source for _, source in claim.evidence(material)]


def test_the_two_behaviours_hold_where_every_metric_behaves_so(material, split, trees):
    splits = tuple(split(name, trees["even"], seed) for name in BALANCED for seed in SEEDS)
    splits += tuple(split(name, trees["alone"], seed) for name in IMBALANCED for seed in SEEDS)
    [five], [four] = (evidence(claim, material(splits=splits)) for claim in CONTENT_CLAIMS[:2])
    assert five.verdict is four.verdict is Verdict.HOLDS
    [source] = sources(CONTENT_CLAIMS[0], material(splits=splits))
    assert len(source.runs) == 15
    assert "15 of 15" in five.measured


def test_they_do_not_hold_the_other_way_round(material, split, trees):
    splits = tuple(split(name, trees["alone"], seed) for name in BALANCED for seed in SEEDS)
    splits += tuple(split(name, trees["even"], seed) for name in IMBALANCED for seed in SEEDS)
    [five], [four] = (evidence(claim, material(splits=splits)) for claim in CONTENT_CLAIMS[:2])
    assert five.verdict is four.verdict is Verdict.FAILS
    assert "Otherwise: gradnorm" in five.measured


def test_one_metric_is_inconclusive_and_random_is_not_counted(material, split, trees):
    splits = (split("params"), *(split("random", trees["even"], seed) for seed in range(5)))
    there = material(splits=splits)
    [found] = evidence(CONTENT_CLAIMS[2], there)
    assert found.verdict is Verdict.UNKNOWN
    assert "1 of 1" in found.measured
    assert len(there.split_groups[0].cases) == 6


def test_scales_are_reported_separately(material, split, trees):
    small = split("snip", trees["even"], 1, channels=2)
    few = split("snip", trees["even"], 2, batch="batch of 8")
    plain = split("params", trees["even"], 3, batch="")
    found = sources(CONTENT_CLAIMS[2], material(splits=(small, split("snip"), few, plain)))
    assert [source.runs for source in found] == [
        ("split-snip-0", "split-params-3"),
        ("split-snip-2", "split-params-3"),
        ("split-snip-1",),
    ]


def test_nothing_is_measured_without_runs(material):
    runs = [source.runs for claim in CLAIMS for source in sources(claim, material())]
    assert not any(runs)


def published_file(tmp_path, *names, dataset="cifar10", leaves):
    masks = {name: {dataset: [leaf.rows for leaf in leaves]} for name in names}
    path = tmp_path / "published.json"
    path.write_text(json.dumps({"splits": masks}))
    return path


def test_published_random_splits_have_their_seed_in_their_name(tmp_path, material, trees):
    names = ("linear_regions", "random_777", "random_888", "own_5")
    path = published_file(tmp_path, *names, leaves=trees["alone"])
    splits = read_published(path)
    assert [(split.metric, split.seeds) for split in splits] == [
        ("linear_regions", ()),
        ("random", (777,)),
        ("random", (888,)),
        ("own_5", ()),
    ]
    there = material(published=splits)
    [several] = evidence(CONTENT_CLAIMS[2], there)
    assert "2 of 2" in several.measured and len(there.split_groups[0].cases) == 4
    assert "| random | cifar10 | 777 | – |" in report_markdown(there, "fewshot reproduce")


@pytest.mark.parametrize(
    ("name", "metrics", "random"),
    [("published_splits.json", 3, 0), ("published_splits_all.json", 9, 3)],
)
def test_the_published_splits_as_they_are_known(material, name, metrics, random):
    if not SHARED.exists():
        pytest.skip("needs the folder `shared` beside the project")
    splits = read_published(SHARED / name)
    assert len(splits) == 3 * (metrics + random)
    assert len({split.metric for split in splits} - {"random"}) == metrics
    assert sum(split.metric == "random" for split in splits) == 3 * random
    masks = json.loads((SHARED / name).read_text())["splits"]
    rows = masks["gradientmatching"]["ImageNet16-120"]
    leaves = tuple(SubSpace.from_rows(one) for one in rows)
    published = Split("gradientmatching", "cifar10", leaves)
    assert contents(published, material)["sizes"] == (125, 500, 500, 2000, 500, 2000, 2000, 8000)
    [source] = sources(CONTENT_CLAIMS[1], material(published=(published,)))
    assert source.title == "1 published split"
    assert source.runs == ()
