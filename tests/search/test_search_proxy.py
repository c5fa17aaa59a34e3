"""Rank correlations of accuracies with shared weights."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.nets import Supernet
from fewshot_core.search import SearchError
from fewshot_core.search.compute import Compute
from fewshot_core.search.evaluation import evaluate, shared_accuracies
from fewshot_core.search.network import WeightedSupernet
from fewshot_core.search.proxy import (
    FILE,
    Correlation,
    SharedAccuracies,
    compare,
    correlation_text,
    draw,
    rank_correlation,
    read_shared,
    write_shared,
)
from fewshot_core.space import Architecture, SubSpace

numbers = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=12).filter(
    lambda pairs: all(len({pair[k] for pair in pairs}) > 1 for k in (0, 1))
)


def slow_tau(one, two):
    """Kendall's tau-b by going through all pairs of pairs."""
    pairs = [(i, j) for i in range(len(one)) for j in range(i)]
    signs = [(np.sign(one[i] - one[j]), np.sign(two[i] - two[j])) for i, j in pairs]
    total = sum(a * b for a, b in signs)
    return total / math.sqrt(sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs))


def slow_rho(one, two):
    """Spearman's rho: Pearson's correlation of the ranks, ties having their mean rank."""
    ranks = [pd.Series(values).rank().to_numpy() for values in (one, two)]
    return float(np.corrcoef(*ranks)[0, 1])


@given(numbers)
def test_the_correlations_are_those_of_the_textbook(pairs):
    one, two = np.array(pairs, dtype=float).T
    found = rank_correlation(one, two)
    assert found.kendall.value == pytest.approx(slow_tau(one, two), abs=1e-12)
    assert found.spearman.value == pytest.approx(slow_rho(one, two), abs=1e-12)
    assert found.pairs == len(pairs)


def test_an_interval_worked_by_hand():
    one = np.arange(10)
    two = np.array([1, 0, 3, 2, 5, 4, 7, 6, 9, 8])
    found = rank_correlation(one, two)
    assert found.kendall.value == pytest.approx(35 / 45)
    reach = 1.959964 * math.sqrt(0.437 / 6)
    assert found.kendall.low == pytest.approx(math.tanh(math.atanh(35 / 45) - reach), rel=1e-5)
    assert found.kendall.high == pytest.approx(math.tanh(math.atanh(35 / 45) + reach), rel=1e-5)
    rho = 1 - 6 * 10 / 990
    reach = 1.959964 * math.sqrt((1 + rho**2 / 2) / 7)
    assert found.spearman.value == pytest.approx(rho)
    assert found.spearman.low == pytest.approx(math.tanh(math.atanh(rho) - reach), rel=1e-5)


def test_few_pairs_have_no_interval_and_a_single_tie_no_correlation():
    assert rank_correlation([1, 2, 3], [1, 3, 2]).kendall.low is None
    tied = rank_correlation([1, 1, 1], [1, 3, 2])
    assert (tied.kendall.value, tied.spearman.value) == (None, None)


def test_the_same_order_is_one():
    found = rank_correlation(range(8), range(8))
    ends = [found.kendall.low, found.kendall.high, found.spearman.low, found.spearman.value]
    assert ends == pytest.approx([1] * 4)


@pytest.mark.parametrize(("one", "two"), [([1], [2]), ([1, 2], [1, 2, 3]), ([1, math.nan], [1, 2])])
def test_invalid_arguments_of_a_correlation_are_errors(one, two):
    with pytest.raises(SearchError, match=r"expected|got"):
        rank_correlation(one, two)


@pytest.fixture
def supernet(mixed):
    return Supernet(mixed, 4, 2, 1)


def test_shared_accuracy_is_that_of_the_architecture_with_the_supernets_weights(
    supernet, tiny_data, mixed
):
    compute = Compute(torch.device("cpu"))
    drawn = draw(mixed.architecture_indices(), 5, 0)
    found = shared_accuracies(supernet, drawn, tiny_data.valid, 8, compute)
    for index, shared in zip(drawn, found, strict=True):
        operations = Architecture.from_index(index).operations
        single = supernet.restrict(SubSpace(tuple((number,) for number in operations)))
        assert evaluate(WeightedSupernet(single), tiny_data.valid, 8, compute).accuracy == shared


SHARED = SharedAccuracies(2, 0, 32, True, (3, 5, 8, 9), (10.0, 30.0, 20.0, 40.0))


def test_measurements_are_stored(tmp_path):
    with pytest.raises(SearchError, match="cannot be read"):
        read_shared(tmp_path)
    write_shared(tmp_path, SHARED)
    assert read_shared(tmp_path) == SHARED


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"architectures": [1], "accuracies": []}'])
def test_a_damaged_file_is_an_error(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SearchError):
        read_shared(tmp_path)


def test_each_architecture_has_one_accuracy():
    with pytest.raises(SearchError, match="for each of 4 architectures, got 1"):
        replace(SHARED, accuracies=(1.0,))


def test_only_architectures_of_the_table_are_compared():
    table = pd.DataFrame({"architecture": [3, 5, 8], "accuracy_mean": [80.0, 90.0, 91.0]})
    correlation, frame = compare(SHARED, table)
    assert frame["architecture"].tolist() == [3, 5, 8]
    assert correlation == rank_correlation([10.0, 30.0, 20.0], [80.0, 90.0, 91.0])
    assert compare(SHARED, table.head(1))[0] is None


def test_a_sample_is_drawn_without_replacement():
    known = np.arange(100, 150)
    drawn = draw(known, 20, 1)
    assert drawn == sorted(set(drawn)) and len(drawn) == 20 and set(drawn) <= set(known.tolist())
    assert draw(known, 20, 1) == drawn != draw(known, 20, 2)
    assert draw(known, 999, 0) == known.tolist()


def test_a_correlation_is_described_with_its_interval():
    assert correlation_text(Correlation(0.5, 0.2, 0.7)) == "0.500 (interval 0.200 to 0.700)"
    assert correlation_text(Correlation(0.5, None, None)) == "0.500"
    assert "single tie" in correlation_text(Correlation(None, None, None))
