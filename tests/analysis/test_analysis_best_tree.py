import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_trees import Textbook, all_trees, convolution_tree, grow, random_table

from fewshot_core.analysis import (
    best_tree,
    binary_entropy,
    information_gain,
    random_trees,
    tree_shape,
)
from fewshot_core.errors import SplittingError, TableError
from fewshot_core.space import SubSpace, check_partition
from fewshot_core.splitting import set_partitions

BEST = {"cifar10": 0.0163, "cifar100": 0.0179, "ImageNet16-120": 0.0206}
OURS = {"cifar10": 0.99, "cifar100": 0.92, "ImageNet16-120": 0.74}


def fewest(textbook, sub_space, edges, groups):
    """Return the fewest bits that remain below a node, by trying everything."""
    if not edges:
        return textbook.remaining(sub_space)
    return min(
        sum(
            fewest(textbook, sub_space.keep(edges[0], group), edges[1:], groups[1:])
            for group in grouping
        )
        for grouping in set_partitions(5, groups[0])
    )


@pytest.mark.parametrize("dataset", BEST)
def test_the_best_trees_of_the_benchmark(dataset, tables):
    best = best_tree(tables[dataset])
    assert round(best.gain_bits, 4) == BEST[dataset]
    assert information_gain(best.leaves, tables[dataset]) == pytest.approx(best.gain_bits)
    shape = tree_shape(best.leaves)
    assert (shape.edges, shape.groups) == ((0, 1, 2), (2, 2, 2))
    ours = information_gain(convolution_tree(), tables[dataset])
    assert round(ours / best.gain_bits, 2) == OURS[dataset]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.1]), st.integers(200, 15625))
def test_no_tree_of_two_levels_is_better(seed, threshold, known):
    table = random_table(seed, known)
    textbook = Textbook(table, threshold)
    gains = [textbook.gain(leaves) for leaves in all_trees((4, 1), (2, 2))]
    assert len(gains) == 15**3
    assert best_tree(table, (4, 1), 2, threshold).gain_bits == pytest.approx(max(gains), abs=1e-12)


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.permutations(range(6)),
    st.sampled_from([(3,), (2, 3), (4, 2), (5, 5, 2), (5, 4, 5), (5, 5, 5, 2)]),
)
def test_no_tree_of_other_shapes_is_better(seed, order, groups):
    table, edges = random_table(seed, 3000), tuple(order[: len(groups)])
    textbook = Textbook(table, 0.05)
    remaining = fewest(textbook, SubSpace.full(), edges, groups)
    expected = textbook.gain([SubSpace.full()]) + (
        textbook.remaining(SubSpace.full()) - remaining
    ) / len(table)
    best = best_tree(table, edges, groups, 0.05)
    assert best.gain_bits == pytest.approx(expected, abs=1e-12)
    assert textbook.gain(best.leaves) == pytest.approx(expected, abs=1e-12)
    check_partition(best.leaves)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.005, 0.01, 0.1]))
def test_no_random_tree_is_better(seed, threshold):
    table = random_table(seed)
    best = best_tree(table, threshold=threshold).gain_bits
    assert random_trees(table, 2000, threshold=threshold).max() <= best + 1e-12


def test_a_perfect_tree_is_found():
    leaves = grow([(edge, ((1, 2), (0, 3, 4))) for edge in (5, 0, 3)])
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 0.0})
    table.loc[leaves[0].architecture_indices(), "accuracy_mean"] = 1.0
    best = best_tree(table, (5, 0, 3), 2, leaves[0].size / 15625)
    assert best.gain_bits == pytest.approx(float(binary_entropy(leaves[0].size / 15625)))
    assert best.leaves[0] == leaves[0]


def test_equal_trees_are_decided_by_the_order_of_groupings():
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 1.0})
    best = best_tree(table)
    assert best.gain_bits == 0
    assert list(best.leaves) == grow([(edge, ((0,), (1, 2, 3, 4))) for edge in range(3)])
    assert best_tree(table, threshold=1).gain_bits == 0


def test_what_is_no_shape_is_refused():
    table = random_table(0)
    for edges, groups in [((0, 0), 2), ((), 2), ((0, 6), 2), ((0,), 6), ((0, 1), (2,))]:
        with pytest.raises(SplittingError, match="expected"):
            best_tree(table, edges, groups)
    with pytest.raises(TableError, match="got none"):
        best_tree(table.assign(accuracy_mean=np.nan))
