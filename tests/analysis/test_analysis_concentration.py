import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_trees import convolution_tree, grow

from fewshot_core.analysis import gini
from fewshot_core.analysis.sub_spaces import gini_of_counts
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.space import SubSpace


def textbook_gini(known, top):
    """Half the mean difference between two architectures' densities, relative to their mean."""
    density = [part / whole for whole, part in zip(known, top, strict=True)]
    size, mean = sum(known), sum(top) / sum(known)
    difference = sum(
        first * second * abs(a - b)
        for first, a in zip(known, density, strict=True)
        for second, b in zip(known, density, strict=True)
    )
    return difference / size**2 / (2 * mean)


@settings(deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=12), st.data())
def test_it_is_the_mean_difference_of_densities(known, data):
    top = [data.draw(st.integers(0, whole)) for whole in known]
    top[0] = max(top[0], 1)
    found = gini_of_counts(np.array(known), np.array(top))
    assert found == pytest.approx(textbook_gini(known, top), abs=1e-12)
    assert 0 <= found <= 1 - sum(top) / sum(known) + 1e-12


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 5))
def test_equal_densities_say_nothing_whatever_the_sizes(top, factor):
    assert gini_of_counts(np.array(top) * factor, np.array(top)) == pytest.approx(0, abs=1e-12)


def test_sub_spaces_of_nothing_but_the_top_say_all():
    leaves = grow([(0, ((3,), (0, 1, 2, 4)))])
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 0.0})
    table.loc[leaves[0].architecture_indices(), "accuracy_mean"] = 1.0
    assert gini(leaves, table, 0.2) == pytest.approx(0.8)
    assert gini([SubSpace.full()], table, 0.2) == 0


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)))
def test_the_order_of_sub_spaces_does_not_matter(order):
    known, top = np.array([10, 500, 3, 70]), np.array([9, 30, 0, 14])
    assert gini_of_counts(known[order], top[order]) == pytest.approx(gini_of_counts(known, top))


def test_sub_spaces_without_accuracies_do_not_count():
    table = pd.DataFrame({"architecture": [0, 15624], "accuracy_mean": [1.0, 2.0]})
    assert gini(convolution_tree(), table, 0.5) == 0


def test_what_cannot_be_told_is_refused():
    table = pd.DataFrame({"architecture": [0, 15624], "accuracy_mean": [1.0, 2.0]})
    with pytest.raises(TableError, match="got none"):
        gini(convolution_tree(), table[:0])
    with pytest.raises(SpaceError, match="is in none"):
        gini(convolution_tree()[:2], table)
