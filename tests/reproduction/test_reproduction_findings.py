"""Questions beyond the paper, the bounds of trees, and the figures of the page."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import best_tree, information_gain, random_trees
from fewshot_core.analysis.trees import count_table, product_gain
from fewshot_core.bench import load_accuracy
from fewshot_core.plots import dots_figure, dots_svg
from fewshot_core.reproduction import FINDINGS, Verdict, findings_markdown, read_bounds
from fewshot_core.reproduction.findings import variance_share
from fewshot_core.reproduction.material import MOST_PARAMETERS
from fewshot_core.space import SubSpace

NEAR, INFORMATIVE, CHANCE, ESTIMATE, _, BETTER = FINDINGS


@pytest.fixture
def across(split, accuracies, trees):
    """Rows of ``read_across`` of splits by metric and seed, each at a position."""

    def make(positions):
        numbers = split("params", trees["alone"]).numbers(accuracies.evaluator)
        rows = [
            {
                **{"space": "A", "dataset": "B", "kind": "test", "table": "T", "evidence": "E"},
                **{"metric": metric, "seed": str(seed), "position": value, "conclusive": True},
                **{name: numbers[name] for name in ("share_of_best", "percentile_low", "ties")},
                "percentile_high": 99.0,
                "percentile": 50 + 40 * value,
                "leaves": (metric, seed),
                "runs": (f"split-{metric}-{seed}",),
            }
            for metric, values in positions.items()
            for seed, value in enumerate(values)
        ]
        return pd.DataFrame(rows)

    return make


def one(claim, material):
    [(finding, _)] = claim.evidence(material)
    return finding


def test_the_gain_of_equal_groups_is_that_of_their_tree(accuracies, trees):
    table = count_table(accuracies.evaluator.accuracy)
    groups = [((3,), (0, 1, 2, 4))] * 3
    expected = information_gain(trees["alone"], accuracies.evaluator.accuracy)
    assert product_gain(table, groups) == pytest.approx(expected, abs=1e-12)


def test_counting_parameters_is_placed_without_a_network(tmp_path):
    bounds = read_bounds(tmp_path)
    assert set(bounds["space"]) == {"NAS-Bench-201"} and set(bounds["kind"]) == {"validation"}
    sizes = bounds[bounds["dataset"] == "CIFAR-10"]["decisions"].map(len).value_counts()
    assert sizes.to_dict() == {3: 20, 4: 1, 5: 1}
    row = bounds[bounds["decisions"] == (0, 2, 5)].iloc[0]
    accuracy = load_accuracy("cifar10", data_dir=tmp_path)
    parts = [SubSpace.full()]
    for edge in (0, 2, 5):
        parts = [part.keep(edge, g) for part in parts for g in ([3], [0, 1, 2, 4])]
    chance = random_trees(accuracy, 1_000, (0, 2, 5)).mean()
    best = best_tree(accuracy, (0, 2, 5)).gain_bits
    gain = information_gain(parts, accuracy)
    assert row["position"] == pytest.approx((gain - chance) / (best - chance))


def test_near_everywhere_or_not(material):
    rows = [
        {"space": "A", "dataset": "B", "kind": "test", "table": "T", "decisions": decisions}
        | {"position": value, "percentile": 99.0, "best_bits": 0.1, "random_bits": 0.05}
        for decisions, value in [((0, 1, 2), 0.95), ((0, 1, 3), 0.9), ((0, 1, 4), 0.2)]
    ]
    found = [finding for finding, _ in NEAR.evidence(material(bounds=pd.DataFrame(rows[:2])))]
    assert [finding.verdict for finding in found] == [Verdict.HOLDS] * 2
    others = list(NEAR.evidence(material(bounds=pd.DataFrame(rows))))[1][0]
    assert others.verdict is Verdict.FAILS and others.measured.startswith("Near the best tree in 1")


def test_a_metric_is_informative_over_seeds_only(material, across):
    found = one(INFORMATIVE, material(across=across({"snip": [0.5, 0.6, 0.7], "ntk": [0.5]})))
    assert {row["metric"]: row["informative"] for row in found.table} == {
        "snip": "yes",
        "ntk": "inconclusive",
    }
    alone = one(INFORMATIVE, material(across=across({"snip": [0.5], "ntk": [0.6]})))
    assert alone.verdict is Verdict.UNKNOWN


def test_the_share_of_variance_between_groups():
    values = pd.Series([1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 6.0, 7.0, 8.0])
    groups = pd.Series(list("aaabbbccc"))
    # Means squares between and within are 21 and 1: (21 - 1) / (21 + 2).
    share, low, high = variance_share(values, groups)
    assert share == pytest.approx(20 / 23)
    # F of 97.5% with 2 and 6 degrees of freedom is 7.2599, its 2.5% is 1 / 39.3315.
    assert low == pytest.approx((21 / 7.2599 - 1) / (21 / 7.2599 + 2), abs=1e-4)
    assert high == pytest.approx((21 * 39.3315 - 1) / (21 * 39.3315 + 2), abs=1e-4)


@pytest.mark.parametrize(("spread", "verdict"), [(1.0, Verdict.HOLDS), (0.0, Verdict.FAILS)])
def test_chance_is_told_from_metrics(material, across, spread, verdict):
    noise = np.random.default_rng(0).normal(0, 0.05, (8, 30))
    positions = {f"m{n}": list(spread * n + noise[n]) for n in range(8)}
    assert one(CHANCE, material(across=across(positions))).verdict is verdict


def test_choosing_by_estimate_is_judged_over_seeds(material):
    rows = [
        {"space": "A", "dataset": "B", "kind": "test", "table": "T", "source": "S", "runs": ()}
        | {
            "estimate": "E",
            "metric": metric,
            "seed": str(seed),
            "tau": None,
            "top": None,
            "pick": 1.0,
        }
        | {"within": 0.4, "between": 0.1, "regret": 0.5 * (metric == "snip")}
        for metric, seed in product(("snip", "ntk", "random"), range(3))
    ]
    found = one(ESTIMATE, material(estimates=pd.DataFrame(rows)))
    assert "3 of 6" in found.measured and found.verdict is Verdict.UNKNOWN
    assert len(found.table) == 3


def test_a_schedule_that_wins_on_every_seed_is_found(material, searched):
    generator = np.random.default_rng(0)
    found = (90.0, 91.0, 92.0, 93.0, 94.0, 88.0, 87.0, 86.0)
    cells = []
    for seed, metric in product(range(12), ("params", "snip")):
        worst = tuple(100 - value for value in found)
        some = tuple(value + generator.normal(0, 0.5) for value in found)
        curves = dict.fromkeys(range(61), worst)
        cell = searched(curves, some, metric, seed)
        cells.append(replace(cell, largest="S5"))
    better = one(BETTER, material(searched=tuple(cells)))
    assert better.verdict is Verdict.HOLDS and MOST_PARAMETERS in better.reason
    assert one(BETTER, material(searched=tuple(cells[:2]))).verdict is Verdict.UNKNOWN


def test_the_page_says_what_is_missing_and_draws_figures(material, across):
    there = material(
        across=across({"snip": [0.5, 0.6, 0.7], "ntk": [0.5, 0.2, 0.1]}),
        bounds=pd.DataFrame({"space": [], "kind": pd.Series([], dtype=str), "decisions": []}),
    )
    page, figures = findings_markdown(there, "fewshot findings", "page")
    assert "* Test scores of NAS-Bench-201" in page and "* Estimates of architectures" in page
    assert "* Searches in every sub-space of a split." in page
    assert list(figures) == ["page-2.svg"] and "](page-2.svg)" in page
    assert "split-snip-0" in page.split("## Runs")[1]


def test_dots_have_their_intervals():
    points = pd.DataFrame(
        [("a & b", "one", 0.25, 0.0, 0.5), ("c", "two", 1.0, 1.0, 1.0)],
        columns=["label", "series", "value", "low", "high"],
    )
    svg = dots_svg(points, "Title", "bits")
    assert svg.count("<circle") == 4 and "a &amp; b" in svg and ">bits</text>" in svg
    assert svg == dots_svg(points, "Title", "bits")
    figure = dots_figure(points, "Title", "bits")
    assert list(figure.data[0].error_x.arrayminus) == [0.25]
    assert dots_figure(points[:0], "Title", "bits").data == ()
