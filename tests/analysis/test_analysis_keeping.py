from itertools import combinations, pairwise, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_trees import convolution_tree, grow, random_table

from fewshot_core.analysis import KEEP_STRATEGIES, describe_sub_spaces, keep_k
from fewshot_core.errors import TableError
from fewshot_core.space import SubSpace

FIVE = [SubSpace.full().keep(2, [operation]) for operation in range(5)]


def expected_best(bests, order, k):
    """Try every order of the sub-spaces that has the higher ones first."""
    fitting = [
        [bests[place] for place in places[:k]]
        for places in permutations(range(len(bests)))
        if all(order[a] >= order[b] for a, b in pairwise(places))
    ]
    return sum(map(max, fitting)) / len(fitting)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.sampled_from([2, 4, 1000]))
def test_all_orders_of_equal_sub_spaces_count(seed, known, values):
    table = random_table(seed, known, values)
    described = describe_sub_spaces(FIVE, table).query("known > 0")
    bests = described["best"].tolist()
    orders = {
        "oracle": bests,
        "mean": described["mean"].round(9).tolist(),
        "size": [1] * len(bests),
        "random": [1] * len(bests),
    }
    kept = keep_k(FIVE, table)
    assert list(kept.columns) == ["k", "strategy", "best", "regret"]
    assert list(kept["strategy"].unique()) == list(KEEP_STRATEGIES) == list(orders)
    for strategy, order in orders.items():
        rows = kept[kept["strategy"] == strategy]
        assert rows["k"].tolist() == list(range(1, len(bests) + 1))
        expected = [expected_best(bests, order, k) for k in rows["k"]]
        assert rows["best"].tolist() == pytest.approx(expected)
        assert rows["regret"].tolist() == pytest.approx([max(bests) - best for best in expected])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_random_is_the_mean_over_all_choices(seed, k):
    table, leaves = random_table(seed), convolution_tree()
    bests = describe_sub_spaces(leaves, table)["best"].tolist()
    expected = np.mean([max(chosen) for chosen in combinations(bests, k)])
    kept = keep_k(leaves, table).set_index(["strategy", "k"])["best"]
    assert kept["random", k] == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_keeping_more_never_loses_and_nobody_beats_the_oracle(seed):
    kept = keep_k(convolution_tree(), random_table(seed)).pivot(
        index="k", columns="strategy", values="regret"
    )
    assert (kept.diff().dropna() <= 1e-9).all(axis=None)
    assert (kept.ge(kept["oracle"] - 1e-9, axis=0)).all(axis=None)
    assert kept.loc[8].tolist() == [0] * 4
    assert (kept["oracle"] == 0).all()


def test_larger_sub_spaces_are_kept_first():
    leaves = grow([(0, ((3,), (0, 1, 2, 4)))])
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 10.0})
    table.loc[leaves[0].architecture_indices(), "accuracy_mean"] = 90.0
    kept = keep_k(leaves, table).set_index(["strategy", "k"])
    assert kept.loc[("size", 1), "regret"] == 80
    assert kept.loc[("mean", 1), "regret"] == 0
    assert kept.loc[("random", 1), "regret"] == 40


def test_sub_spaces_of_which_nothing_is_known_are_not_kept():
    table = pd.DataFrame({"architecture": [0, 1], "accuracy_mean": [1.0, 2.0]})
    kept = keep_k(convolution_tree(), table)
    assert kept["k"].tolist() == [1] * 4
    assert kept["best"].tolist() == [2.0] * 4
    with pytest.raises(TableError, match="got none"):
        keep_k(convolution_tree(), table[:0])


def test_a_published_split_loses_its_optimum(splits, tables):
    kept = keep_k(splits["params"]["ImageNet16-120"], tables["ImageNet16-120"])
    kept = kept.set_index(["strategy", "k"])["best"].round(4)
    assert kept["oracle", 1] == 47.3111
    assert kept["mean", 1] < kept["mean", 4] < kept["mean", 8] == 47.3111
