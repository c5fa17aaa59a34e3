from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, norm
from textbook_trees import Textbook, all_trees, random_table

from fewshot_core.analysis import information_gain, random_percentile, random_trees
from fewshot_core.errors import SplittingError
from fewshot_core.space import SubSpace
from fewshot_core.splitting import set_partitions

MEANS = {"cifar10": 0.0055, "cifar100": 0.0063, "ImageNet16-120": 0.0066}


@pytest.mark.parametrize("dataset", MEANS)
def test_what_chance_tells_about_the_benchmark(dataset, tables):
    gains = random_trees(tables[dataset])
    assert gains.shape == (10_000,)
    assert gains.mean() == pytest.approx(MEANS[dataset], abs=1e-4)


def test_every_grouping_is_drawn_equally_often():
    table = random_table(1)
    by_gain = {
        round(information_gain([SubSpace.full().keep(3, group) for group in grouping], table), 12)
        for grouping in set_partitions(5, 2)
    }
    drawn = Counter(random_trees(table, 15_000, [3], 2, seed=5).round(12).tolist())
    assert set(drawn) == by_gain and len(by_gain) == 15
    assert chisquare(list(drawn.values())).pvalue > 0.01


@pytest.mark.parametrize(("edges", "groups"), [((2, 5), (2, 2)), ((1, 0, 4), (2, 4, 5))])
def test_all_trees_of_a_shape_are_drawn_equally_often(edges, groups):
    table = random_table(2)
    textbook = Textbook(table, 0.01)
    exact = np.array([textbook.gain(leaves) for leaves in all_trees(edges, groups)])
    drawn = random_trees(table, 40_000, edges, groups, seed=3)
    assert np.isin(drawn.round(9), exact.round(9)).all()
    assert drawn.mean() == pytest.approx(exact.mean(), abs=4 * exact.std() / 200)
    for quantile in (0.1, 0.5, 0.9):
        gain = float(np.quantile(exact, quantile))
        below = (exact < gain - 1e-12).mean() + (np.abs(exact - gain) <= 1e-12).mean() / 2
        stands = random_percentile(gain, drawn, 0.9999)
        assert stands.low <= 100 * below <= stands.high


def test_the_seed_decides():
    table = random_table(3)
    first = random_trees(table, 2500, seed=7)
    assert (first == random_trees(table, 2500, seed=7)).all()
    assert (first != random_trees(table, 2500, seed=8)).any()


def test_incomplete_tables_have_random_trees_too():
    table = random_table(4, 40)
    gains = random_trees(table, 500, [0, 1, 2, 3, 4, 5], 2, 0.1)
    assert (gains >= 0).all() and gains.max() <= Textbook(table, 0.1).gain([]) + 1e-12


def test_ties_count_half():
    stands = random_percentile(0.5, [0.1, 0.5, 0.5 + 1e-14, 0.9])
    assert stands.percent == 50
    assert random_percentile(0.0, np.zeros(100)).percent == 50


@settings(deadline=None)
@given(st.integers(1, 20_000), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_is_where_a_normal_test_would_not_object(count, data, confidence):
    less = data.draw(st.integers(0, count))
    gains = np.repeat([0.0, 1.0], [less, count - less])
    stands = random_percentile(0.5, gains, confidence)
    share, z = less / count, norm.ppf((1 + confidence) / 2)
    assert stands.percent == pytest.approx(100 * share)
    assert 0 <= stands.low <= stands.percent <= stands.high <= 100
    for end in (stands.low / 100, stands.high / 100):
        deviation = z * (end * (1 - end) / count) ** 0.5
        assert abs(share - end) == pytest.approx(deviation, abs=1e-7)


def test_the_interval_has_a_width_at_the_ends():
    best, worst = random_percentile(1, np.zeros(10_000)), random_percentile(-1, np.zeros(10_000))
    assert (best.percent, best.high) == (100, 100) and 99.9 < best.low < 100
    assert (worst.percent, worst.low) == (0, 0) and 0 < worst.high < 0.1


def test_what_cannot_be_drawn_is_refused():
    table = random_table(0, 10)
    with pytest.raises(SplittingError, match="at least 1 random tree"):
        random_trees(table, 0)
    with pytest.raises(SplittingError, match="got 0 trees"):
        random_percentile(1, [])
    with pytest.raises(SplittingError, match="between 0 and 1"):
        random_percentile(1, [1.0], 1)
