from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_trees import CONVOLUTION, convolution_tree, grow

from fewshot_core.analysis import (
    adjusted_rand_index,
    agreement,
    agreement_matrix,
    node_agreement,
    sub_space_numbers,
)
from fewshot_core.errors import SpaceError
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitNode, SplitTree

NONE = ((0,), (1, 2, 3, 4))


def textbook_index(first, second):
    """Count pairs one by one."""
    pairs = list(combinations(range(len(first)), 2))
    in_first = [first[a] == first[b] for a, b in pairs]
    in_second = [second[a] == second[b] for a, b in pairs]
    both = sum(map(min, in_first, in_second))
    expected = sum(in_first) * sum(in_second) / len(pairs)
    most = (sum(in_first) + sum(in_second)) / 2
    return (both - expected) / (most - expected) if most != expected else 1.0


labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=20)


@settings(deadline=None)
@given(labels)
def test_pairs_are_counted(items):
    first, second = zip(*items, strict=True)
    found = adjusted_rand_index(first, second)
    assert found == pytest.approx(textbook_index(first, second))
    assert found == pytest.approx(adjusted_rand_index(second, first))
    assert found <= 1


@settings(deadline=None)
@given(labels, st.permutations(range(5)))
def test_the_numbers_of_groups_do_not_matter(items, numbers):
    first, second = map(np.array, zip(*items, strict=True))
    renumbered = np.array(numbers)[first]
    assert adjusted_rand_index(renumbered, second) == adjusted_rand_index(first, second)
    assert adjusted_rand_index(first, renumbered) == 1


def test_groupings_that_cannot_differ_agree():
    assert adjusted_rand_index([0, 0, 0], [0, 0, 0]) == 1
    assert adjusted_rand_index([0, 1, 2], [2, 0, 1]) == 1
    assert adjusted_rand_index([0], [0]) == 1
    assert adjusted_rand_index([0, 1, 2], [0, 0, 0]) == 0


def test_splits_agree_on_all_architectures():
    ours, other = convolution_tree(), grow([(edge, NONE) for edge in (3, 4, 5)])
    assert agreement(ours, list(reversed(ours))) == 1
    assert agreement(ours, other) == pytest.approx(0, abs=1e-3)
    half = grow([(0, CONVOLUTION), (1, CONVOLUTION), (2, NONE)])
    assert 0.4 < agreement(ours, half) < 1
    a, b = sub_space_numbers(ours), sub_space_numbers(half)
    sample = np.random.default_rng(0).choice(15625, 300, replace=False)
    near = textbook_index(a[sample].tolist(), b[sample].tolist())
    assert agreement(ours, half) == pytest.approx(near, abs=0.1)
    with pytest.raises(SpaceError, match="12,500 are missing"):
        agreement(ours, grow([(0, CONVOLUTION)])[:1])


def test_all_pairs_are_compared():
    splits = {"a": convolution_tree(), "b": grow([(0, NONE)]), "c": convolution_tree()}
    matrix = agreement_matrix(splits)
    assert list(matrix.index) == list(matrix.columns) == ["a", "b", "c"]
    assert (matrix.to_numpy() == matrix.to_numpy().T).all()
    assert matrix.loc["a", "c"] == 1 and matrix.loc["a", "b"] < 1
    assert agreement_matrix({}).empty


def node(path, edge, sub_space, groups):
    count = len(sub_space.enabled[edge])
    similarity = ((0.0,) * count,) * count
    operations = sub_space.enabled[edge]
    return SplitNode(path, edge, sub_space, operations, (None,) * count, similarity, groups, 0.0)


def test_nodes_are_compared_by_their_paths():
    ours = grow([(0, CONVOLUTION), (1, CONVOLUTION)])
    root = node((), 0, SubSpace.full(), CONVOLUTION)
    left, right = root.children
    tree = SplitTree("x", (root, node((0,), 1, left, NONE), node((1,), 2, right, CONVOLUTION)))
    rows = node_agreement(ours, tree)
    assert rows["path"].tolist() == [(), (0,), (1,)]
    assert rows["edge_a"].tolist() == [0, 1, 1] and rows["edge_b"].tolist() == [0, 1, 2]
    assert rows["groups_a"].tolist() == [CONVOLUTION] * 3
    assert rows["groups_b"].tolist() == [CONVOLUTION, NONE, CONVOLUTION]
    assert rows["same_sub_space"].tolist() == [True, True, True]
    assert rows["same_grouping"].tolist() == [True, False, False]
    assert rows["rand_index"].iloc[:2].tolist() == pytest.approx([1, -0.25])
    assert np.isnan(rows["rand_index"].iloc[2])


def test_the_order_of_groups_is_no_difference_but_its_paths_are():
    rows = node_agreement(
        grow([(0, CONVOLUTION), (1, CONVOLUTION)]),
        grow([(0, CONVOLUTION[::-1]), (1, CONVOLUTION[::-1])]),
    )
    assert rows["same_grouping"].all() and (rows["rand_index"] == 1).all()
    assert rows["same_sub_space"].tolist() == [True, False, False]


def test_what_one_tree_lacks_is_missing():
    rows = node_agreement(grow([(0, CONVOLUTION)]), grow([(0, CONVOLUTION), (1, NONE)]))
    assert rows["path"].tolist() == [(), (0,), (1,)]
    assert rows["edge_a"].isna().tolist() == [False, True, True]
    assert rows["groups_a"].isna().tolist() == [False, True, True]
    assert not rows["same_grouping"].iloc[1:].any()


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(6)))
def test_a_tree_agrees_with_itself(order):
    leaves = grow([(edge, CONVOLUTION) for edge in order[:3]])
    rows = node_agreement(leaves, leaves)
    assert len(rows) == 7
    assert rows["same_grouping"].all() and (rows["rand_index"] == 1).all()


def test_a_tree_without_nodes_has_no_rows():
    rows = node_agreement(SplitTree("x", ()), SplitTree("x", ()))
    assert isinstance(rows, pd.DataFrame) and rows.empty and "rand_index" in rows


def test_sub_spaces_without_a_shape_are_refused():
    with pytest.raises(SpaceError, match="one edge at each level"):
        node_agreement([SubSpace.full()], convolution_tree())
