"""Splitting and analysis in random search spaces, compared with definitions and brute force."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.analysis import (
    SplitEvaluator,
    agreement,
    architectures_of,
    best_tree,
    branchings,
    describe_sub_spaces,
    distribution_frame,
    importance,
    information_gain,
    operation_effects,
    random_trees,
    top_architectures,
    top_mask,
    tree_shape,
)
from fewshot_core.analysis.informativeness import seed_values
from fewshot_core.analysis.trees import count_table
from fewshot_core.errors import SpaceError, SplittingError
from fewshot_core.space import SubSpace, check_partition, get_space
from fewshot_core.splitting import SplitTree, TreeOptions, partition, set_partitions, split
from fewshot_core.splitting.files import masks_of_splits, splits_from_masks
from fewshot_core.splitting.search_configs import search_configs
from fewshot_core.splitting.tree import NamedSplit
from tests.random_spaces import make_space, random_accuracies, search_spaces

SEEDS = st.integers(0, 2**32 - 1)
some = settings(max_examples=15)


@st.composite
def shapes(draw, spaces, depth=3):
    """Draw a space, and the edges and numbers of groups of a tree in it, in any order."""
    space = draw(spaces)
    edges = draw(st.permutations(range(len(space.shape))))[: draw(st.integers(1, depth))]
    groups = [draw(st.integers(2, min(3, space.shape[edge]))) for edge in edges]
    return space, tuple(edges), tuple(groups)


@some
@given(shapes(search_spaces(10_000)), SEEDS)
def test_the_leaves_of_a_tree_cover_the_space_once(shape, seed):
    space, edges, groups = shape
    tree = split("random", None, None, edges, groups, seed=seed, space=space)
    assert tree.space == space
    assert sum(leaf.size for leaf in tree.leaves) == space.size
    check_partition(tree.leaves)
    assert tree_shape(tree.leaves) == TreeOptions(edges, groups)
    assert [node.edge for node in branchings(tree.leaves)] == [node.edge for node in tree.nodes]
    counts = np.zeros(space.size, dtype=int)
    for leaf in tree.leaves:
        for choices in itertools.product(*leaf.enabled):
            counts[space.encode(choices)] += 1
    assert (counts == 1).all()


def every_tree(space, edges, groups, node=None):
    """Yield the leaves of every tree of a shape."""
    node = node or SubSpace.full(space)
    if not edges:
        yield (node,)
        return
    for grouping in set_partitions(space.shape[edges[0]], groups[0]):
        children = [node.keep(edges[0], group) for group in grouping]
        below = [list(every_tree(space, edges[1:], groups[1:], child)) for child in children]
        for parts in itertools.product(*below):
            yield tuple(leaf for part in parts for leaf in part)


def entropy(share):
    return -sum(p * math.log2(p) for p in (share, 1 - share) if p > 0)


def gain_by_definition(leaves, table, threshold):
    top = top_mask(table["accuracy_mean"], threshold)
    inside = [top[leaf.architecture_indices()] for leaf in leaves]
    return entropy(top.mean()) - sum(len(of) / len(top) * entropy(of.mean()) for of in inside)


@some
@given(shapes(search_spaces(3_000, (2, 4), (2, 5)), depth=2), SEEDS, st.sampled_from([0.05, 0.3]))
def test_the_best_tree_equals_brute_force(shape, seed, threshold):
    space, edges, groups = shape
    table = random_accuracies(space, seed)
    trees = list(itertools.islice(every_tree(space, edges, groups), 201))
    gains = [gain_by_definition(leaves, table, threshold) for leaves in trees]
    best = best_tree(table, edges, groups, threshold, space)
    assert best.gain_bits == pytest.approx(gain_by_definition(best.leaves, table, threshold))
    assert max(gains) <= best.gain_bits + 1e-9
    if len(trees) <= 200:
        assert max(gains) == pytest.approx(best.gain_bits, abs=1e-9)
    drawn = random_trees(table, 50, edges, groups, threshold, seed, space)
    assert drawn.max() <= best.gain_bits + 1e-9
    if len(trees) <= 200:
        assert all(min(abs(gain - other) for other in gains) < 1e-9 for gain in drawn)


@pytest.mark.parametrize(("operations", "groups"), [(8, 2), (8, 3), (7, 4), (6, 6)])
def test_the_best_grouping_of_many_operations_equals_brute_force(operations, groups):
    space = make_space([operations, 2, 5])
    for seed in range(5):
        table = random_accuracies(space, seed)
        table.loc[table["architecture"] < 20 * (seed % 2), "accuracy_mean"] = None  # incomplete
        counts = count_table(table, (1, 0), 0.2, space)
        known, top = counts.sum(axis=(0, 1))
        remaining = sum(
            min(
                sum(_remaining(*half[list(group)].sum(axis=0)) for group in grouping)
                for grouping in set_partitions(operations, groups)
            )
            for half in counts
        )
        best = best_tree(table, (1, 0), (2, groups), 0.2, space)
        assert best.gain_bits == pytest.approx(entropy(top / known) - remaining / known, abs=1e-9)


def _remaining(known, top):
    return known * entropy(top / known) if known else 0.0


def test_eight_operations_have_127_bipartitions():
    groupings = set_partitions(8, 2)
    assert len(groupings) == len(set(groupings)) == 127
    with pytest.raises(SplittingError, match="at most 10 operations to group, got 11"):
        set_partitions(11, 2)
    values = np.random.default_rng(0).normal(size=8)
    similarity = -np.abs(values[:, None] - values)

    def cut(groups):
        return sum(similarity[a, b] for a in groups[0] for b in groups[1])

    found = partition(similarity)
    assert found.groups == min(groupings, key=cut)
    assert found.cut == pytest.approx(cut(found.groups))


@some
@given(shapes(search_spaces(5_000)), SEEDS)
def test_the_information_gain_is_that_of_the_definition(shape, seed):
    space, edges, groups = shape
    leaves = split("random", None, None, edges, groups, seed=seed, space=space).leaves
    table = random_accuracies(space, seed)
    expected = gain_by_definition(leaves, table, 0.1)
    assert information_gain(leaves, table, 0.1) == pytest.approx(expected, abs=1e-12)
    report = SplitEvaluator(table, 0.1, random_trees=20).report(leaves)
    assert report.gain_bits == pytest.approx(expected, abs=1e-12)
    assert report.comparison.best_bits >= expected - 1e-9
    described = describe_sub_spaces(leaves, table, 0.1)
    values = table["accuracy_mean"].to_numpy()
    means = [values[leaf.architecture_indices()].mean() for leaf in leaves]
    assert described["mean"].to_numpy() == pytest.approx(means)
    assert described["top_count"].sum() == top_mask(values, 0.1).sum()
    assert described["share"].sum() == pytest.approx(1)


def test_every_part_of_the_analysis_takes_the_space_of_the_split():
    space = make_space([2, 3, 8, 5])
    table = random_accuracies(space, 0)
    leaves = split("random", None, None, (2, 0), 2, space=space).leaves
    names = {"all", "S1", "S2", "S3", "S4"}
    assert set(distribution_frame(leaves, table)["sub_space"]) == names
    assert set(distribution_frame([], table)["sub_space"]) == {"all"}
    listed = architectures_of(leaves[0], table)
    assert len(listed) == leaves[0].size
    assert [space.parse(text) for text in listed["string"]] == listed["architecture"].tolist()
    top = top_architectures(leaves, table, 0.1)
    assert len(top) == 24 and set(top["sub_space"]) <= names
    assert top_architectures([], table, 0.1, space)["string"].tolist() == top["string"].tolist()
    assert agreement(leaves, leaves) == 1
    with pytest.raises(SpaceError, match="of one search space"):
        agreement(leaves, [SubSpace.full()])
    assert seed_values(leaves, [table])["gain_bits"].item() == information_gain(leaves, table)
    shares = importance(table, space)
    assert len(shares) == 4 + 6 and 0 < shares["share"].sum() <= 1
    assert len(operation_effects(table, space=space)) == 2 + 3 + 8 + 5


def test_scores_far_below_one_have_a_density():
    space = make_space([5, 6])
    table = random_accuracies(space, 0).assign(accuracy_mean=np.linspace(-2e-4, -1e-4, 30))
    frame = distribution_frame([SubSpace.full(space)], table, limits=(-2e-4, -1e-4))
    assert frame["accuracy"].min() == -2e-4 and (frame["density"] > 0).all()


def test_a_tree_of_another_space_names_it_in_its_json():
    macro = get_space("nas-bench-macro")
    tree = split("random", None, None, (7, 0, 3), seed=1, space="nas-bench-macro")
    document = json.loads(tree.to_json())
    assert document["space"] == "nas-bench-macro"
    assert [len(row) for row in document["leaves"][0]] == [3] * 8
    assert SplitTree.from_json(tree.to_json()) == tree
    assert "space" not in split("random", None, None).to_dict()  # the default adds nothing
    with pytest.raises(SplittingError, match="unknown search space 'gone'"):
        SplitTree.from_dict(document | {"space": "gone"})
    named = NamedSplit("random", "cifar10", tuple(tree.leaves))
    with pytest.raises(SplittingError, match="got one of NAS-Bench-Macro"):
        search_configs(named)
    masks = masks_of_splits([named])
    assert masks["meta"]["space"] == "nas-bench-macro" and len(masks["meta"]["decisions"]) == 8
    assert splits_from_masks(masks, None) == [named]
    assert splits_from_masks({"splits": masks["splits"]}, macro) == [named]
    with pytest.raises(SplittingError, match="expected splits of nas-bench-201, got some of nas-b"):
        splits_from_masks(masks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edges": (8,)}, "distinct decisions from 0 to 7"),
        ({"edges": (0, 1), "groups": 4}, "expected 2 to 3 groups for each of 2 levels"),
        ({"metric": "params"}, "expected a supernet of NAS-Bench-Macro for params, got none"),
        (
            {"edges": (0, 1), "groups": 3, "policy": "random", "space": make_space([2, 3])},
            "level",
        ),
    ],
)
def test_impossible_splits_are_refused(options, message):
    with pytest.raises(SplittingError, match=message):
        split(
            **{"metric": "random", "supernet": None, "batch": None, "space": "nas-bench-macro"}
            | options
        )


@pytest.mark.parametrize("policy", ["random", "gradient"])
def test_other_edge_policies_split_any_space(policy):
    space = make_space([2, 3, 8, 5])
    tree = split("random", None, None, (0, 1, 2), policy=policy, space=space)
    check_partition(tree.leaves)
    assert len(tree.leaves) == 8


def test_a_million_architectures_are_analysed():
    space = make_space([4] * 10)
    table = random_accuracies(space, 0, decimals=3)
    best = best_tree(table, (9, 0, 4), space=space)
    assert information_gain(best.leaves, table) == pytest.approx(best.gain_bits, abs=1e-12)
    drawn = random_trees(table, 1_000, (9, 0, 4), space=space)
    assert drawn.max() <= best.gain_bits
