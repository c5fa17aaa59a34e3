import pytest
import torch

from fewshot_core.errors import MetricError, SplittingError, UnknownNameError
from fewshot_core.metrics import ScoreCache, score_operations
from fewshot_core.nets import Supernet
from fewshot_core.space import SubSpace, check_partition
from fewshot_core.splitting import SplitTree, partition, set_partitions, split

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


def test_the_same_question_has_the_same_answer(small, batch):
    one, two = (split("gradientmatching", small, batch, (0, 5)) for _ in range(2))
    assert without_time(one) == without_time(two)


@pytest.mark.parametrize("order", [["grasp", "snip", "random"], ["snip", "random", "grasp"]])
def test_trees_are_the_same_with_and_without_memory(order, small, batch, tmp_path):
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


def test_a_tree_tells_how_it_was_made(small):
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
def test_what_cannot_be_split_is_refused(options, error, message, small):
    with pytest.raises(error, match=message):
        split(**{"metric": "params", "supernet": small, "batch": None, **options})


def test_only_the_full_supernet_can_be_split(small):
    part = small.restrict(FULL.keep(5, [0, 1]))
    with pytest.raises(SplittingError, match="expected the supernet of the full space"):
        split("params", part, None)


def test_every_grouping_of_a_split_is_one_of_the_candidates(random_tree):
    assert {node.groups for node in random_tree.nodes} <= set(set_partitions(5, 2))
