import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_trees import CONVOLUTION, convolution_tree, grow

from fewshot_core.analysis import branchings, tree_shape
from fewshot_core.space import SubSpace
from fewshot_core.splitting import set_partitions


@st.composite
def trees(draw):
    """Edges, groups and leaves of a tree of one to four levels."""
    edges = draw(st.permutations(range(6)))[: draw(st.integers(1, 3))]
    groups = [draw(st.integers(2, 5)) for _ in edges]
    leaves = [SubSpace.full()]
    for edge, count in zip(edges, groups, strict=True):
        split = [(leaf, draw(st.sampled_from(set_partitions(5, count)))) for leaf in leaves]
        leaves = [leaf.keep(edge, group) for leaf, grouping in split for group in grouping]
    return tuple(edges), tuple(groups), leaves


@settings(deadline=None)
@given(trees())
def test_the_shape_of_a_tree_is_found_again(tree):
    edges, groups, leaves = tree
    shape = tree_shape(leaves)
    assert (shape.edges, shape.groups) == (edges, groups)


@settings(deadline=None)
@given(trees(), st.integers(0, 2**32 - 1))
def test_leaves_out_of_order_have_a_shape_too(tree, seed):
    edges, _, leaves = tree
    random.Random(seed).shuffle(leaves)
    shape = tree_shape(leaves)
    assert sorted(shape.edges) == sorted(edges)
    assert math.prod(shape.groups) == len(leaves)


def test_the_order_of_leaves_decides_between_orders_of_edges():
    forward = grow([(0, CONVOLUTION), (1, CONVOLUTION)])
    backward = grow([(1, CONVOLUTION), (0, CONVOLUTION)])
    assert set(forward) == set(backward)
    assert tree_shape(forward).edges == (0, 1)
    assert tree_shape(backward).edges == (1, 0)
    neither = [forward[place] for place in (0, 3, 1, 2)]
    assert tree_shape(neither).edges == (0, 1)


def test_published_splits_have_the_shape_of_the_paper(splits):
    for of_metric in splits.values():
        for leaves in of_metric.values():
            shape = tree_shape(leaves)
            assert (shape.edges, shape.groups) == ((0, 1, 2), (2, 2, 2))


def cut(sub_space, edge, group):
    rest = set(range(5)) - set(group)
    return [sub_space.keep(edge, group), sub_space.keep(edge, rest)]


LEFT, RIGHT = cut(SubSpace.full(), 0, [3])


@pytest.mark.parametrize(
    "leaves",
    [
        [],
        [SubSpace.full()],
        [LEFT],
        [LEFT, LEFT],
        [LEFT, RIGHT, RIGHT],
        [LEFT, *cut(RIGHT, 1, [0])],
        [*cut(LEFT, 1, [0]), *cut(RIGHT, 2, [0])],
        [*cut(LEFT, 1, [0]), *(RIGHT.keep(1, [operation]) for operation in range(5))],
        [LEFT, SubSpace.full().keep(0, [3, 4])],
    ],
    ids=[
        "nothing",
        "no split",
        "one branch",
        "the same twice",
        "three leaves of two",
        "one branch goes on",
        "other edges at one level",
        "other numbers of groups",
        "branches overlap",
    ],
)
def test_what_no_such_tree_has_is_given_no_shape(leaves):
    assert tree_shape(leaves) is None
    assert branchings(leaves) is None


@settings(deadline=None)
@given(trees())
def test_branchings_lead_to_the_leaves(tree):
    edges, groups, leaves = tree
    nodes = branchings(leaves)
    reached = {(): SubSpace.full()}
    for node in nodes:
        assert reached.pop(node.path) == node.sub_space
        assert (node.edge, len(node.groups)) == (edges[len(node.path)], groups[len(node.path)])
        children = [node.sub_space.keep(node.edge, group) for group in node.groups]
        reached |= {(*node.path, number): child for number, child in enumerate(children)}
    assert [reached[path] for path in sorted(reached)] == leaves


def test_branchings_keep_the_order_of_groups():
    root = branchings(convolution_tree())[0]
    assert (root.path, root.edge, root.groups) == ((), 0, CONVOLUTION)
