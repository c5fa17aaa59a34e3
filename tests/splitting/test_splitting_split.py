"""Growing trees: their shape, edges, ties, random groups, and training between levels."""

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from fewshot_core.errors import MetricError, SplittingError, UnknownNameError
from fewshot_core.metrics import METRICS, MetricInfo, ScoreCache, score_operations
from fewshot_core.metrics.base import MetricOutput
from fewshot_core.nets import Supernet
from fewshot_core.space import SubSpace, check_partition
from fewshot_core.splitting import SplitTree, TreeOptions, partition, set_partitions, split
from fewshot_core.splitting.split import random_groups

FULL = SubSpace.full()

OTHERS_THAN_3X3 = ((3,), (0, 1, 2, 4))


def without_time(tree):
    document = tree.to_dict()
    for node in document["nodes"]:
        del node["seconds"]
    return document


def test_three_edges_give_eight_leaves_that_cover_the_space(random_tree):
    check_partition(random_tree.leaves)
    assert len(random_tree.leaves) == 8
    assert [node.path for node in random_tree.nodes] == [
        (),
        (0,),
        (1,),
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert [node.edge for node in random_tree.nodes] == [0, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("edges", "groups", "leaves"),
    [((4,), 2, 2), ((5, 3), 3, 9), ((2, 0), (4, 2), 8), ((1, 3), (5, 5), 25)],
)
def test_any_shape_of_tree_covers_the_space(edges, groups, leaves, small):
    tree = split("random", small, None, edges, groups)
    check_partition(tree.leaves)
    assert len(tree.leaves) == leaves
    assert [node.edge for node in tree.nodes] == [edges[len(node.path)] for node in tree.nodes]
    assert not tree.degenerate


def test_each_node_continues_the_groups_above_it(random_tree):
    for node in random_tree.nodes:
        sub_space = FULL
        for level, number in enumerate(node.path):
            parent = random_tree.node(node.path[:level])
            sub_space = sub_space.keep(parent.edge, parent.groups[number])
        assert node.sub_space == sub_space


def test_five_groups_on_one_edge_are_the_original_few_shot_search(small):
    tree = split("params", small, None, (0,), groups=5)
    assert tree.leaves == [FULL.keep(0, [operation]) for operation in range(5)]
    assert [leaf.size for leaf in tree.leaves] == [3125] * 5
    assert not tree.degenerate


def test_params_separates_the_large_convolution_at_every_node(small):
    tree = split("params", small, None)
    assert {node.groups for node in tree.nodes} == {OTHERS_THAN_3X3}
    assert not tree.degenerate
    check_partition(tree.leaves)
    assert tree.leaves[0].rows == ["00010"] * 3 + ["11111"] * 3
    assert [leaf.size for leaf in tree.leaves] == [125, 500, 500, 2000, 500, 2000, 2000, 8000]


# With k parameters in a 1x1 convolution and its batch norm and m in a 3x3 convolution, {3x3} alone
# cuts distances of m + m + m + (m - k); any other group cuts less.
@pytest.mark.parametrize(("channels", "cells"), [(1, 1), (5, 2), (16, 5)])
def test_params_does_so_at_any_size(channels, cells):
    supernet = Supernet(FULL, channels=channels, cells_per_stage=cells)
    (node,) = split("params", supernet, None, (2,)).nodes
    widths = [channels, 2 * channels, 4 * channels]
    one, three = (
        cells * sum(pixels * width**2 + 2 * width for width in widths) for pixels in (1, 9)
    )
    base = node.values[0]
    assert node.values == (base, base, base + one, base + three, base)
    assert node.groups == OTHERS_THAN_3X3
    assert node.cut == -(4 * three - one)
    assert not node.degenerate and node.reason is None


def test_a_metric_of_images_scores_the_network_that_arrives(small, batch):
    tree = split("gradnorm", small, batch, (3, 0), seed=1)
    check_partition(tree.leaves)
    for node in tree.nodes:
        arriving = small.restrict(node.sub_space)
        scores = score_operations("gradnorm", arriving, node.edge, batch, seed=1)
        assert node.operations == scores.operations
        assert node.values == pytest.approx(scores.values)
        chosen = partition(scores.similarity)
        assert node.groups == chosen.groups
        assert node.cut == pytest.approx(chosen.cut)
        assert node.seconds > 0


def test_the_variant_and_the_batch_norm_reach_the_metric(small, batch):
    settings = {"variant": "shared", "batch_norm": "running"}
    (node,) = split("gradientmatching", small, batch, (1,), **settings).nodes
    scores = score_operations("gradientmatching", small, 1, batch, **settings)
    usual = score_operations("gradientmatching", small, 1, batch)
    assert node.similarity == pytest.approx(scores.similarity)
    assert node.similarity != pytest.approx(usual.similarity)
    assert node.values == (None,) * 5


def test_several_batches_are_averaged(small, batch):
    flipped = type(batch)(batch.images.flip(3), batch.labels.flip(0), batch.provenance)
    one, two, both = (
        split("gradnorm", small, given, (0,)).nodes[0].values
        for given in (batch, flipped, [batch, flipped])
    )
    assert both == pytest.approx([(x + y) / 2 for x, y in zip(one, two, strict=True)])
    assert one != pytest.approx(two)


def test_the_same_request_gives_the_same_tree(small, batch):
    one, two = (split("gradientmatching", small, batch, (0, 5)) for _ in range(2))
    assert without_time(one) == without_time(two)


@pytest.mark.parametrize("order", [["grasp", "snip", "params"], ["snip", "params", "grasp"]])
def test_trees_are_the_same_with_and_without_a_cache(order, small, batch, tmp_path):
    cache = ScoreCache(tmp_path, pytest.fail)
    for metric in order:
        alone = split(metric, small, batch, (0, 1))
        first = split(metric, small, batch, (0, 1), cache=cache)
        assert [node.groups for node in first.nodes] == [node.groups for node in alone.nodes]
        for node, other in zip(first.nodes, alone.nodes, strict=True):
            if None not in other.values:
                assert node.values == pytest.approx(other.values, rel=1e-6)
        made = cache.computed
        again = split(metric, small, batch, (0, 1), cache=cache)
        assert without_time(again) == without_time(first)
        assert cache.computed == made
    shared = 5 if order[0] == "grasp" else 0  # at least the root of the tree by snip
    assert cache.hits >= 3 * 15 + shared


def test_progress_counts_every_batch(small, batch):
    seen = []
    split("gradnorm", small, [batch, batch], (0,), progress=seen.append)
    assert [(step.done, step.total) for step in seen] == [(done, 10) for done in range(10)]
    seen.clear()
    split("params", small, [batch, batch], (0,), progress=seen.append)
    assert [(step.done, step.total) for step in seen] == [(done, 5) for done in range(5)]


def test_groups_may_be_balanced(small):
    tree = split("params", small, None, (0, 1), balanced=True)
    assert {tuple(map(len, node.groups)) for node in tree.nodes} == {(2, 3)}
    for node in tree.nodes:
        chosen = partition(node.similarity, balanced=True)
        assert (node.groups, node.ties) == (chosen.groups, chosen.ties)
    drawn = [split("random", small, None, (0, 1), seed=seed, balanced=True) for seed in range(4)]
    assert not any(tree.degenerate for tree in drawn)


def test_the_supernet_is_left_as_it_was(batch):
    supernet = Supernet(FULL, channels=2, cells_per_stage=1)
    supernet.stem.conv.weight.requires_grad_(False)
    supernet.batch_norm = "running"
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    split("gradnorm", supernet, batch, (0,))
    after = supernet.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert supernet.batch_norm == "running" and supernet.training
    assert not supernet.stem.conv.weight.requires_grad
    assert all(parameter.grad is None for parameter in supernet.parameters())


def test_a_tree_records_how_it_was_computed(small):
    details = {"network": "small", "images": None}
    tree = split("random", small, None, (3,), 4, seed=7, balanced=True, details=details)
    assert tree.metric == "random"
    assert tree.details == {
        "variant": "paper",
        "batch_norm": "batch",
        "seed": 7,
        "edges": [3],
        "groups": [4],
        "balanced": True,
        "policy": "fixed",
        "network": "small",
        "images": None,
    }
    assert SplitTree.from_json(tree.to_json()) == tree


def test_progress_is_reported_before_each_operation(small):
    reports = []
    tree = split("params", small, None, (2, 4), (2, 3), progress=reports.append)
    total = 5 + 2 * 5
    assert [report.done for report in reports] == list(range(total))
    assert {report.total for report in reports} == {total}
    assert [report.operation for report in reports] == [0, 1, 2, 3, 4] * 3
    assert [report.edge for report in reports] == [2] * 5 + [4] * 10
    assert [report.path for report in reports] == [()] * 5 + [(0,)] * 5 + [(1,)] * 5
    decided = [report.tree.nodes for report in reports]
    assert decided == [tree.nodes[:known] for known in (0, 1, 2) for _ in range(5)]


def test_a_metric_without_images_reports_its_progress_too(small):
    reports = []
    split("random", small, None, (0,), progress=reports.append)
    assert [(report.operation, report.done) for report in reports] == [
        (operation, operation) for operation in range(5)
    ]


def test_an_error_in_a_report_stops_the_split(small):
    def stop(progress):
        raise InterruptedError("stopped")

    with pytest.raises(InterruptedError, match="stopped"):
        split("params", small, None, progress=stop)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metric": "magic"}, UnknownNameError, "unknown metric 'magic': expected one of"),
        ({"variant": "other"}, MetricError, "unknown variant 'other' of params"),
        ({"metric": "gradnorm"}, MetricError, "gradnorm needs a batch of images, got none"),
        ({"batch_norm": "eval"}, MetricError, "unknown batch norm 'eval'"),
        ({"policy": "best"}, SplittingError, "unknown edge policy 'best'"),
        ({"edges": (0, 0)}, SplittingError, "expected one or more distinct edges"),
        ({"groups": 6}, SplittingError, "expected 2 to 5 groups"),
    ],
)
def test_invalid_options_of_a_split_are_refused(options, error, message, small):
    with pytest.raises(error, match=message):
        split(**{"metric": "params", "supernet": small, "batch": None, **options})


def test_only_the_full_supernet_can_be_split(small):
    part = small.restrict(FULL.keep(5, [0, 1]))
    with pytest.raises(SplittingError, match="expected the supernet of the full space"):
        split("params", part, None)


def test_every_grouping_of_a_split_is_one_of_the_candidates(random_tree):
    assert {node.groups for node in random_tree.nodes} <= set(set_partitions(5, 2))


SCRIPT = {}


def follow_script(metric_input):
    """Return the five scores written for the edge, or what is computed from the input."""
    scripted = SCRIPT[metric_input.edge]
    output = scripted(metric_input) if callable(scripted) else scripted
    for operation in metric_input.operations:
        metric_input.on_operation(operation)
    return output if isinstance(output, MetricOutput) else MetricOutput(tuple(output))


@pytest.fixture
def script(monkeypatch):
    """Register the metric ``scripted`` for one test, which fills in its outputs."""
    info = MetricInfo("scripted", "scripted", "", "", "", "", follow_script, needs_images=False)
    monkeypatch.setitem(METRICS._records, info.name, info)
    SCRIPT.clear()
    return SCRIPT


def spread(size, alone=4):
    """Return scores of which one is far from all the others: the cut is -4 * size."""
    return [float(size) if operation == alone else 0.0 for operation in range(5)]


def test_the_gradient_policy_splits_the_most_separable_edge_first(script, small):
    script.update({edge: spread(size) for edge, size in enumerate([3, 1, 6, 2, 5, 4])})
    tree = split("scripted", small, None, policy="gradient")
    check_partition(tree.leaves)
    assert [node.edge for node in tree.nodes] == [2, 4, 4, 5, 5, 5, 5]
    assert [node.cut for node in tree.nodes] == [-24.0, -20.0, -20.0] + [-16.0] * 4
    assert not tree.degenerate


def test_branches_may_be_split_on_different_edges(script, small):
    def in_the_first_branch(metric_input):
        return spread(9 if metric_input.supernet.sub_space.enabled[0] == (4,) else 1, alone=1)

    script.update({edge: spread(2) for edge in range(6)})
    script.update({0: spread(5), 1: in_the_first_branch, 3: spread(3)})
    tree = split("scripted", small, None, (0, 1), policy="gradient")
    assert [(node.path, node.edge) for node in tree.nodes] == [((), 0), ((0,), 1), ((1,), 3)]
    assert tree.node((0,)).groups == ((1,), (0, 2, 3, 4))
    check_partition(tree.leaves)


def test_the_gradient_policy_agrees_with_scoring_every_edge(small, batch):
    (node,) = split("gradnorm", small, batch, (0,), policy="gradient").nodes
    cuts = [
        partition(score_operations("gradnorm", small, edge, batch).similarity).cut
        for edge in range(6)
    ]
    assert node.edge == cuts.index(min(cuts))
    assert node.cut == pytest.approx(min(cuts))


def test_the_gradient_policy_reports_every_operation_of_every_edge(script, small):
    script.update({edge: spread(edge) for edge in range(1, 6)} | {0: spread(9)})
    reports = []
    split("scripted", small, None, (0, 1), policy="gradient", progress=reports.append)
    total = 5 * (6 + 2 * 5)
    assert [report.done for report in reports] == list(range(total))
    assert {report.total for report in reports} == {total}
    root = [report.edge for report in reports if report.path == ()]
    assert root == [edge for edge in range(6) for _ in range(5)]


def test_tied_edges_are_reported_and_the_first_is_split(script, small):
    script.update({edge: spread(size) for edge, size in enumerate([1, 7, 2, 7, 3, 7])})
    root, *below = split("scripted", small, None, (0, 1), policy="gradient").nodes
    assert root.edge == 1
    assert root.degenerate and not root.ties
    assert root.reason == "the edges 2<-0, 3<-0, 3<-2 have the same smallest cut"
    assert {node.reason for node in below} == {"the edges 3<-0, 3<-2 have the same smallest cut"}


def test_an_edge_whose_scores_are_not_finite_is_split_last(script, small):
    script.update({edge: [math.nan, 0.0, 0.0, 0.0, 100.0] for edge in range(6)})
    similarity = np.ones((5, 5))
    similarity[2, :] = similarity[:, 2] = 0.5
    script[4] = MetricOutput((None,) * 5, similarity)
    (node,) = split("scripted", small, None, (0,), policy="gradient").nodes
    assert (node.edge, node.groups, node.cut) == (4, ((2,), (0, 1, 3, 4)), 2.0)
    assert not node.degenerate


def test_where_no_edge_says_anything_the_first_is_split(script, small):
    script.update({edge: [math.nan] * 5 for edge in range(6)})
    (node,) = split("scripted", small, None, (0,), policy="gradient").nodes
    assert node.edge == 0 and math.isnan(node.cut)
    assert node.reason == "5 of 5 scores are not finite"


def test_the_random_policy_never_splits_an_edge_twice(small):
    orders = set()
    for seed in range(4):
        tree = split("random", small, None, seed=seed, policy="random")
        check_partition(tree.leaves)
        assert len(tree.leaves) == 8
        for path, _ in tree.open_paths():
            above = [tree.node(path[:level]).edge for level in range(3)]
            assert len(set(above)) == 3
        orders.add(tuple(node.edge for node in tree.nodes))
    assert len(orders) == 4


def test_the_random_policy_is_decided_by_the_seed(small):
    one, two = (split("random", small, None, (0, 1), seed=5, policy="random") for _ in range(2))
    assert [node.edge for node in one.nodes] == [node.edge for node in two.nodes]
    assert one.leaves == two.leaves


def test_only_the_number_of_edges_counts_for_the_random_policy(small):
    one, two = (split("random", small, None, edges, policy="random") for edges in ((0, 1), (4, 5)))
    assert one.leaves == two.leaves
    deep = split("random", small, None, range(4), policy="random")
    check_partition(deep.leaves)
    assert len(deep.leaves) == 16


# Edge 0 alone decides here; every output but the last leaves a choice that is arbitrary.
@pytest.mark.parametrize(
    ("output", "groups", "ties", "reason"),
    [
        ([2.0] * 5, ((0,), (1, 2, 3, 4)), 14, "all operations have the same score"),
        ([0.0] * 5, ((0,), (1, 2, 3, 4)), 14, "all operations have the same score"),
        ([1.0, math.nan, 2.0, 3.0, 9.0], ((0,), (1, 2, 3, 4)), 14, "1 of 5 scores are not finite"),
        (
            [1.0, math.inf, -math.inf, 3.0, 9.0],
            ((0,), (1, 2, 3, 4)),
            14,
            "2 of 5 scores are not finite",
        ),
        (
            MetricOutput((None,) * 5, np.full((5, 5), 0.5)),
            ((0,), (1, 2, 3, 4)),
            4,
            "5 groupings have the same smallest cut",
        ),
        (
            MetricOutput((None,) * 5, np.full((5, 5), np.nan)),
            ((0,), (1, 2, 3, 4)),
            14,
            "a similarity is not finite",
        ),
        (
            MetricOutput(tuple(spread(8)), reason="the count is saturated"),
            ((4,), (0, 1, 2, 3)),
            0,
            "the count is saturated",
        ),
        (spread(8), ((4,), (0, 1, 2, 3)), 0, None),
    ],
)
def test_an_arbitrary_choice_is_marked_with_its_reason(output, groups, ties, reason, script, small):
    script[0] = output
    tree = split("scripted", small, None, (0,))
    (node,) = tree.nodes
    assert (node.groups, len(node.ties)) == (groups, ties)
    assert node.degenerate == tree.degenerate == (reason is not None)
    assert node.reason == reason
    check_partition(tree.leaves)


DRAWS = 300


def draw(supernet, edge, seed, groups=2, balanced=False):
    scores = random_groups(supernet.sub_space, edge, groups, balanced, seed)
    chosen = partition(scores.similarity, groups, balanced)
    assert not scores.degenerate and chosen.ties == () and chosen.cut == 0
    return chosen.groups


def surprise(counts, draws):
    """Return the probability of counts at least this uneven, were all kinds equally likely."""
    expected = draws / len(counts)
    statistic = sum((count - expected) ** 2 / expected for count in counts)
    return float(chi2.sf(statistic, len(counts) - 1))


@pytest.mark.parametrize(
    ("edge", "groups", "balanced", "kinds"),
    [(0, 2, False, 15), (5, 2, True, 10), (1, 3, False, 25)],
)
def test_all_groupings_are_equally_likely(edge, groups, balanced, kinds, small):
    counts = Counter(draw(small, edge, seed, groups, balanced) for seed in range(DRAWS))
    assert set(counts) == set(set_partitions(5, groups, balanced))
    assert len(counts) == kinds
    assert surprise(counts.values(), DRAWS) > 1e-4


def test_as_many_groups_as_operations_leave_no_choice(small):
    assert draw(small, 2, 7, groups=5) == ((0,), (1,), (2,), (3,), (4,))


def test_the_nodes_of_a_tree_draw_independently(small):
    below = small.restrict(FULL.keep(0, [1, 3]))
    drawn = Counter((draw(small, 0, seed), draw(below, 1, seed)) for seed in range(DRAWS))
    pairs = list(product(set_partitions(5, 2), repeat=2))
    assert surprise([drawn[pair] for pair in pairs], DRAWS) > 1e-4


def test_edges_and_sub_spaces_draw_differently(small):
    edges = {tuple(draw(small, edge, seed) for seed in range(8)) for edge in range(6)}
    assert len(edges) == 6
    halves = [small.restrict(FULL.keep(1, part)) for part in ([0, 1], [2, 3, 4])]
    assert len({tuple(draw(half, 0, seed) for seed in range(8)) for half in halves}) == 2


def test_a_seed_decides_the_tree(small):
    one, two, other = (split("random", small, None, seed=seed) for seed in (3, 3, 4))
    assert one.leaves == two.leaves
    assert one.leaves != other.leaves
    assert not one.degenerate


class Scaling:
    """Doubles the classifier's weights in place of training."""

    def __init__(self):
        self.seen = []
        self.weights = []

    def __call__(self, supernet):
        self.seen.append(supernet.sub_space)
        with torch.no_grad():
            supernet.classifier.weight.mul_(2)
        self.weights.append(supernet.classifier.weight)


def test_every_sub_supernet_is_trained_once_before_it_is_split_further(small, batch):
    scaling = Scaling()
    tree = split("gradnorm", small, batch, (0, 1, 2), warm_up=scaling)
    assert scaling.seen == [node.sub_space for node in tree.nodes[1:]]
    assert TreeOptions(warm_up_epochs=1).warm_ups == len(scaling.seen) == 6


def test_weights_are_inherited_as_copies(small, batch):
    before = small.classifier.weight.clone()
    scaling = Scaling()
    split("gradnorm", small, batch, (0, 1, 2), warm_up=scaling)
    assert torch.equal(small.classifier.weight, before)
    factors = [2, 2, 4, 4, 4, 4]
    for weight, factor in zip(scaling.weights, factors, strict=True):
        assert torch.equal(weight, factor * before)


def test_the_trained_weights_are_scored(small, batch):
    plain = split("gradnorm", small, batch, (0, 1))
    tree = split("gradnorm", small, batch, (0, 1), warm_up=Scaling())
    assert tree.nodes[0].values == plain.nodes[0].values
    for node in tree.nodes[1:]:
        trained = small.restrict(node.sub_space)
        with torch.no_grad():
            trained.classifier.weight.mul_(2)
        expected = score_operations("gradnorm", trained, 1, batch).values
        with torch.no_grad():
            trained.classifier.weight.div_(2)
        assert node.values == pytest.approx(expected, rel=1e-6)


def test_a_tree_of_one_level_is_not_trained(small, batch):
    scaling = Scaling()
    split("gradnorm", small, batch, (0,), 5, warm_up=scaling)
    assert scaling.seen == []
    assert TreeOptions.create((0,), 5, warm_up_epochs=1).warm_ups == 0


def test_trained_weights_are_another_question_to_the_memory(small, batch, tmp_path):
    cache = ScoreCache(tmp_path, pytest.fail)
    split("gradnorm", small, batch, (0, 1), cache=cache)
    split("gradnorm", small, batch, (0, 1), cache=cache, warm_up=Scaling())
    assert (cache.hits, cache.computed) == (5, 15 + 10)


def test_without_warm_up_nothing_will_be_trained():
    assert TreeOptions().warm_ups == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"warm_up_epochs": -1}, "expected warm_up_epochs of at least 0, got -1"),
        ({"warm_up_images": 1}, "expected warm_up_images of at least 2, got 1"),
    ],
)
def test_impossible_warm_ups_are_refused(change, message):
    with pytest.raises(SplittingError, match=message):
        TreeOptions(**change)
