"""Importance of edges and operations, against hand-worked tables and a textbook definition."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from fewshot_core.analysis import importance, operation_effects
from fewshot_core.errors import TableError

GRID = np.array(list(product(range(5), repeat=6)))


def table(values):
    return pd.DataFrame({"architecture": np.arange(len(values)), "accuracy_mean": values})


def shares(values):
    found = importance(table(values))
    return {(row.first, row.second): row.share for row in found.itertuples()}


def test_additive_accuracies_have_main_effects_only():
    slopes = np.array([3.0, 0, 1, 0, 0, 2])
    found = shares(50 + GRID @ slopes)
    for edge, slope in enumerate(slopes):
        assert found[edge, edge] == pytest.approx(slope**2 / (slopes**2).sum())
    assert sum(found.values()) == pytest.approx(1)


def test_a_product_of_centred_effects_is_an_interaction_only():
    found = shares((GRID[:, 1] - 2) * (GRID[:, 4] - 2.0))
    assert found.pop((1, 4)) == pytest.approx(1)
    assert_allclose(list(found.values()), 0, atol=1e-12)


def test_interactions_of_three_edges_are_what_is_missing():
    assert sum(shares(np.prod(GRID[:, :3] - 2.0, axis=1)).values()) == pytest.approx(0, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_shares_are_those_of_group_means(seed):
    values = np.random.default_rng(seed).normal(size=len(GRID))
    frame = pd.DataFrame(GRID).assign(value=values - values.mean())
    first = frame.groupby(0)["value"].transform("mean")
    second = frame.groupby(3)["value"].transform("mean")
    both = frame.groupby([0, 3])["value"].transform("mean")
    found = shares(values)
    variance = values.var()
    assert found[0, 0] == pytest.approx((first**2).mean() / variance)
    assert found[0, 3] == pytest.approx(((both - first - second) ** 2).mean() / variance)
    assert len(found) == 6 + 15
    assert 0 <= sum(found.values()) <= 1 + 1e-9


def test_the_largest_share_is_first_and_equal_accuracies_have_none():
    assert importance(table(GRID[:, 2] * 1.0)).iloc[0].tolist() == [2, 2, 1]
    assert set(shares(np.full(len(GRID), 70.0)).values()) == {0}


def test_effects_of_operations():
    found = operation_effects(table(60 + 4.0 * (GRID[:, 1] == 3))).set_index(["edge", "operation"])
    assert found.loc[(1, 3), "mean"] == pytest.approx(64)
    assert found.loc[(1, 3), "effect"] == pytest.approx(3.2)
    assert found.loc[(1, 0), "effect"] == pytest.approx(-0.8)
    assert found.loc[(1, 3), "top_share"] == pytest.approx(1)
    assert found.loc[(0, 2), "top_share"] == pytest.approx(0.2)
    assert_allclose(found.groupby("edge")["top_share"].sum(), 1)


def test_incomplete_tables_are_refused():
    with pytest.raises(TableError, match="expected the accuracies of all 15,625 architectures"):
        importance(table(np.arange(len(GRID)) * 1.0).iloc[1:])
