"""Estimates of accuracy, compared with slow definitions and worked out by hand."""

from itertools import combinations
from math import sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.analysis import (
    SplitEvaluator,
    join_estimate,
    judge_estimate,
    judge_in_split,
    report_split,
)
from fewshot_core.errors import TableError
from fewshot_core.space import SubSpace, partition_by_rule, partition_of
from tests.random_spaces import make_space

SPACE = make_space((2, 3))
HALVES = [SubSpace.full(SPACE).keep(0, [0]), SubSpace.full(SPACE).keep(0, [1])]


def slow_tau(first, second) -> float:
    """Kendall's tau-b from its definition: all pairs."""
    pairs = list(combinations(zip(first, second, strict=True), 2))
    signs = [(np.sign(a[0] - b[0]), np.sign(a[1] - b[1])) for a, b in pairs]
    untied = [sum(sign[side] != 0 for sign in signs) for side in (0, 1)]
    return sum(one * two for one, two in signs) / sqrt(untied[0] * untied[1])


def joined(estimates, accuracies) -> pd.DataFrame:
    estimate = pd.DataFrame({"architecture": range(len(estimates)), "estimate": estimates})
    table = pd.DataFrame({"architecture": range(len(accuracies)), "accuracy_mean": accuracies})
    return join_estimate(estimate, table)


def test_a_small_space_by_hand():
    # 00, 01, 02 are in the first half, 10, 11, 12 in the second.
    frame = joined([10.0, 30.0, 20.0, 40.0, 5.0, 25.0], [80.0, 85.0, 90.0, 70.0, 95.0, 75.0])
    report = judge_estimate(frame, 0.5)
    assert (report.known, report.picked, report.regret) == (6, (3,), 25.0)
    assert report.overall.kendall.value == pytest.approx((3 - 12) / 15)
    assert report.top is not None  # 85, 90 and 95
    assert report.top.kendall.value == pytest.approx(-1.0)
    found = judge_in_split(frame, HALVES)
    rows = found.sub_spaces
    assert rows["sub_space"].tolist() == ["S1", "S2"]
    assert rows["tau"].tolist() == pytest.approx([1 / 3, -1.0])
    assert rows["estimate"].tolist() == [30.0, 40.0]
    assert rows["offered"].tolist() == [85.0, 70.0] and rows["best"].tolist() == [90.0, 95.0]
    assert rows["regret"].tolist() == [5.0, 25.0]
    assert found.between is not None and found.between.kendall.value == -1.0
    assert found.regret == 0.0  # the second half has the highest estimate, and the best accuracy


def test_a_tie_of_the_highest_estimates_is_the_mean_over_it():
    frame = joined([9.0, 9.0, 1.0, 9.0, 2.0, 3.0], [80.0, 90.0, 10.0, 70.0, 95.0, 20.0])
    report = judge_estimate(frame)
    assert report.picked == (0, 1, 3) and report.regret == 95 - 80
    assert report.top is None  # only one is in the top 1%
    found = judge_in_split(frame, HALVES)
    assert found.sub_spaces["offered"].tolist() == [85.0, 70.0]
    assert found.regret == pytest.approx(95 - (90 + 95) / 2)
    assert found.between is not None and found.between.kendall.value is None


def test_an_estimate_of_some_architectures():
    frame = joined([1.0, 2.0, 3.0], [80.0, 70.0, 90.0, 99.0, 98.0, 97.0])
    assert judge_estimate(frame).regret == 0.0  # among those with an estimate
    found = judge_in_split(frame, HALVES).sub_spaces
    assert found["known"].tolist() == [3, 0]
    assert found.loc[1, ["tau", "rho", "estimate", "offered", "best", "regret"]].isna().all()
    with pytest.raises(TableError, match=r"expected two or more architectures .* got 1"):
        joined([1.0], [80.0])


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=6, max_size=6))
def test_tau_within_and_overall_equals_all_pairs(pairs):
    estimates, accuracies = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    frame = joined(estimates, accuracies)
    parts = [slice(0, 6), slice(0, 3), slice(3, 6)]
    values = [
        judge_estimate(frame).overall.kendall.value,
        *judge_in_split(frame, HALVES).sub_spaces["tau"],
    ]
    for part, value in zip(parts, values, strict=True):
        one, two = estimates[part], accuracies[part]
        if np.ptp(one) == 0 or np.ptp(two) == 0:
            assert value is None or np.isnan(value)
        else:
            assert value == pytest.approx(slow_tau(one, two))


def slow_between(estimates, accuracies, groups) -> float | None:
    """Kendall's tau of what each group offers: its highest estimate, and the accuracy of that."""
    offers = []
    for group in groups:
        highest = max(estimates[i] for i in group)
        taken = [accuracies[i] for i in group if estimates[i] == highest]
        offers.append((highest, sum(taken) / len(taken)))
    one, two = zip(*offers, strict=True)
    return None if len(set(one)) == 1 or len(set(two)) == 1 else slow_tau(one, two)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=12, max_size=12))
def test_tau_between_and_regret_equal_slow_definitions(pairs):
    estimates, accuracies = (list(map(float, side)) for side in zip(*pairs, strict=True))
    space = make_space((3, 4))
    leaves = [SubSpace.full(space).keep(0, [number]) for number in range(3)]
    groups = [range(0, 4), range(4, 8), range(8, 12)]
    found = judge_in_split(joined(estimates, accuracies), leaves)
    assert found.between is not None
    assert found.between.kendall.value == pytest.approx(slow_between(estimates, accuracies, groups))
    chosen = [g for g in groups if max(estimates[i] for i in g) == max(estimates)]
    best = sum(max(accuracies[i] for i in group) for group in chosen) / len(chosen)
    assert found.regret == pytest.approx(max(accuracies) - best)


def test_a_partition_is_reported_beside_the_best_tree_and_the_bound():
    accuracy = pd.DataFrame({"architecture": range(6), "accuracy_mean": [9.0, 1, 2, 3, 4, 5]})
    evaluator = SplitEvaluator(accuracy, 0.3)  # 9 and 5 are the top two
    whole = partition_of(["top", "rest", "rest", "rest", "rest", "top"], SPACE)
    report = report_split("by hand", SPACE.datasets[0].name, "test", "t", whole, evaluator)
    assert report["information_gain_bits"] == pytest.approx(report["top_entropy_bits"])
    assert report["information_gain_bits"] >= report["best_tree_bits"] > 0
    assert report["random_percentile"] is None
    assert [(part["label"], part["size"], part["top_count"]) for part in report["sub_spaces"]] == [
        ("rest", 4, 0),
        ("top", 2, 2),
    ]


def test_the_groups_of_a_rule_have_estimates():
    choice = np.random.default_rng(0)
    frame = joined(choice.random(15_625), choice.random(15_625))
    found = judge_in_split(frame, partition_by_rule("active-convolutions"))
    assert found.sub_spaces["known"].sum() == 15_625
    assert found.sub_spaces["tau"].abs().max() < 0.3
