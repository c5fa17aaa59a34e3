"""How often decisions recur, worked by hand on trees of one and two levels."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textbook_trees import CONVOLUTION, convolution_tree, grow

from fewshot_core.analysis import adjusted_rand_index, agreement, agreement_matrix
from fewshot_core.analysis.agreement import score_spread, stability
from fewshot_core.errors import SpaceError
from fewshot_core.space import SubSpace, group_numbers
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


@given(labels)
def test_pairs_are_counted(items):
    first, second = zip(*items, strict=True)
    found = adjusted_rand_index(first, second)
    assert found == pytest.approx(textbook_index(first, second))
    assert found == pytest.approx(adjusted_rand_index(second, first))
    assert found <= 1


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
    a, b = group_numbers(ours), group_numbers(half)
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


FULL = SubSpace.full()
CONVOLUTIONS = ((2, 3), (0, 1, 4))
THREE = ((3,), (0, 1, 2, 4))


def node(path, sub_space, groups, values=(1.0, 2.0, 3.0, 4.0, 5.0)):
    edge = len(path)
    operations = sub_space.enabled[edge]
    similarity = tuple((0.0,) * len(operations) for _ in operations)
    return SplitNode(path, edge, sub_space, operations, values, similarity, groups, -1.0)


def tree(root, *below):
    """Make a tree of a root and, for each of its branches, the groups of the next edge."""
    nodes = [node((), FULL, root)]
    nodes += [
        node((number,), FULL.keep(0, root[number]), groups) for number, groups in enumerate(below)
    ]
    return SplitTree("gradnorm", tuple(nodes))


def test_no_tree_has_no_decisions():
    assert stability([]).empty


def test_one_tree_agrees_with_itself():
    table = stability([tree(THREE, CONVOLUTIONS, THREE)])
    assert list(table["arrived"]) == list(table["same"]) == list(table["groupings"]) == [1, 1, 1]


def test_a_node_is_compared_with_the_trees_that_reach_its_sub_space():
    trees = [
        tree(THREE, CONVOLUTIONS, THREE),
        tree(THREE, THREE, THREE),
        tree(CONVOLUTIONS, THREE, THREE),
    ]
    table = stability(trees)
    assert list(table["path"]) == [(), (0,), (1,)]
    assert list(table["arrived"]) == [3, 2, 2]
    assert list(table["same"]) == [2, 1, 2]
    assert list(table["groupings"]) == [2, 2, 1]
    assert table["commonest"][0] == THREE
    assert list(table["count"]) == [2, 1, 2]


def test_the_same_sub_space_on_another_branch_counts():
    last_change = tree((THREE[1], THREE[0]), THREE, CONVOLUTIONS)
    table = stability([tree(THREE, CONVOLUTIONS, THREE), last_change])
    assert list(table["arrived"]) == [2, 2, 2]
    assert list(table["same"]) == [1, 2, 2]


def test_scores_are_summarised_over_trees_that_split_the_same():
    low = SplitTree("gradnorm", (node((), FULL, THREE, (1.0, 2.0, 3.0, 4.0, 5.0)),))
    high = SplitTree("gradnorm", (node((), FULL, THREE, (3.0, 2.0, float("nan"), None, 5.0)),))
    table = score_spread([low, high], low.nodes[0]).set_index("operation")
    assert list(table["scores"]) == [2, 2, 1, 1, 2]
    assert table.loc[0, "mean"] == 2.0
    assert table.loc[0, "std"] == 2.0**0.5
    assert table.loc[0, ["minimum", "maximum"]].tolist() == [1.0, 3.0]
    assert table["std"].isna().tolist() == [False, False, True, True, False]


def test_a_metric_without_scores_has_no_spread():
    pairs = SplitTree("gradientmatching", (node((), FULL, THREE, (None,) * 5),))
    table = score_spread([pairs], pairs.nodes[0])
    assert list(table["scores"]) == [0] * 5
    assert table["mean"].isna().all()
