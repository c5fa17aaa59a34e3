import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_trees import entropy, random_table

from fewshot_core.analysis import count_table, top_mask
from fewshot_core.analysis.trees import remaining_bits
from fewshot_core.errors import TableError
from fewshot_core.space import Architecture


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 400),
    st.permutations(range(6)),
    st.integers(1, 4),
    st.sampled_from([0.01, 0.2, 1.0]),
)
def test_architectures_are_counted_by_their_operations(seed, known, order, depth, threshold):
    table, edges = random_table(seed, known, values=20), order[:depth]
    expected = np.zeros((5,) * depth + (2,), dtype=np.int64)
    top = top_mask(table["accuracy_mean"], threshold)
    for index, is_top in zip(table["architecture"], top, strict=True):
        operations = Architecture.from_index(index).operations
        expected[(*(operations[edge] for edge in edges), 0)] += 1
        expected[(*(operations[edge] for edge in edges), 1)] += is_top
    found = count_table(table, edges, threshold)
    assert (found.counts == expected).all()
    assert found.known == known
    assert found.top_entropy_bits == pytest.approx(entropy(int(top.sum()), known))


@settings(deadline=None)
@given(st.integers(0, 15625), st.data())
def test_what_remains_unknown_is_size_times_entropy(known, data):
    top = data.draw(st.integers(0, known))
    found = remaining_bits(np.array(known), np.array(top))
    assert found == pytest.approx(known * entropy(top, known), abs=1e-8)


def test_missing_accuracies_do_not_count():
    table = pd.DataFrame({"architecture": [0, 1, 2], "accuracy_mean": [1.0, np.nan, 2.0]})
    assert count_table(table, [5]).counts.tolist() == [[1, 0], [0, 0], [1, 1], [0, 0], [0, 0]]


def test_nothing_to_count_is_refused():
    with pytest.raises(TableError, match="got none"):
        count_table(random_table(0, 0))
    with pytest.raises(TableError, match="above 0"):
        count_table(random_table(0), threshold=0)
