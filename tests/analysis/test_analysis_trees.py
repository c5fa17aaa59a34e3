import math
import random
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import chisquare, norm
from textbook_trees import (
    CONVOLUTION,
    Textbook,
    all_trees,
    convolution_tree,
    entropy,
    grow,
    random_table,
)

from fewshot_core.analysis import (
    best_tree,
    branchings,
    information_gain,
    random_trees,
    top_mask,
    tree_shape,
    wilson_interval,
)
from fewshot_core.analysis.sub_spaces import binary_entropy
from fewshot_core.analysis.trees import count_table, random_percentile, remaining_bits
from fewshot_core.errors import SplittingError, TableError
from fewshot_core.space import Architecture, SubSpace, check_partition
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


@given(trees())
def test_the_shape_of_a_tree_is_found_again(tree):
    edges, groups, leaves = tree
    shape = tree_shape(leaves)
    assert (shape.edges, shape.groups) == (edges, groups)


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
def test_other_sub_spaces_have_no_shape(leaves):
    assert tree_shape(leaves) is None
    assert branchings(leaves) is None


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


@settings(max_examples=20)
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
    assert (found == expected).all()
    assert found[..., 0].sum() == known


@given(st.integers(0, 15625), st.data())
def test_remaining_bits_are_size_times_entropy(known, data):
    top = data.draw(st.integers(0, known))
    found = remaining_bits(np.array(known), np.array(top))
    assert found == pytest.approx(known * entropy(top, known), abs=1e-8)


def test_missing_accuracies_do_not_count():
    table = pd.DataFrame({"architecture": [0, 1, 2], "accuracy_mean": [1.0, np.nan, 2.0]})
    assert count_table(table, [5]).tolist() == [[1, 0], [0, 0], [1, 1], [0, 0], [0, 0]]


def test_counting_nothing_is_refused():
    with pytest.raises(TableError, match="got none"):
        count_table(random_table(0, 0))
    with pytest.raises(TableError, match="above 0"):
        count_table(random_table(0), threshold=0)


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


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.1]), st.integers(200, 15625))
def test_no_tree_of_two_levels_is_better(seed, threshold, known):
    table = random_table(seed, known)
    textbook = Textbook(table, threshold)
    gains = [textbook.gain(leaves) for leaves in all_trees((4, 1), (2, 2))]
    assert len(gains) == 15**3
    assert best_tree(table, (4, 1), 2, threshold).gain_bits == pytest.approx(max(gains), abs=1e-12)


@settings(max_examples=10)
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


@settings(max_examples=10)
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


def test_ties_are_broken_by_the_order_of_groupings():
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 1.0})
    best = best_tree(table)
    assert best.gain_bits == 0
    assert list(best.leaves) == grow([(edge, ((0,), (1, 2, 3, 4))) for edge in range(3)])
    assert best_tree(table, threshold=1).gain_bits == 0


def test_invalid_shapes_are_refused():
    table = random_table(0)
    for edges, groups in [((0, 0), 2), ((), 2), ((0, 6), 2), ((0,), 6), ((0, 1), (2,))]:
        with pytest.raises(SplittingError, match="expected"):
            best_tree(table, edges, groups)
    with pytest.raises(TableError, match="got none"):
        best_tree(table.assign(accuracy_mean=np.nan))


MEANS = {"cifar10": 0.0055, "cifar100": 0.0063, "ImageNet16-120": 0.0066}


@pytest.mark.parametrize("dataset", MEANS)
def test_random_trees_on_the_benchmark(dataset, tables):
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


@given(st.integers(1, 20_000), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_inverts_a_normal_test(count, data, confidence):
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


def test_invalid_random_trees_are_refused():
    table = random_table(0, 10)
    with pytest.raises(SplittingError, match="at least 1 random tree"):
        random_trees(table, 0)
    with pytest.raises(SplittingError, match="got 0 trees"):
        random_percentile(1, [])
    with pytest.raises(SplittingError, match="between 0 and 1"):
        random_percentile(1, [1.0], 1)


@pytest.mark.parametrize(("hits", "count"), [(0, 4), (1, 7), (5, 5), (60, 108)])
def test_wilson_intervals_equal_scipys(hits, count):
    found = stats.binomtest(hits, count).proportion_ci(0.95, "wilson")
    np.testing.assert_allclose(wilson_interval(hits / count, count), found, atol=1e-12)


def test_four_of_four_are_most_and_three_of_three_are_not_yet():
    assert wilson_interval(1.0, 4)[0] > 0.5 > wilson_interval(1.0, 3)[0]
