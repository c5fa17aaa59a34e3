"""Which edge is split, and when a choice is arbitrary, with a metric that says what it is told."""

import math

import numpy as np
import pytest

from fewshot_core.metrics import METRICS, MetricInfo, score_operations
from fewshot_core.metrics.base import MetricOutput
from fewshot_core.space import SubSpace, check_partition
from fewshot_core.splitting import partition, split

FULL = SubSpace.full()
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


def test_edges_that_tie_are_said_to_and_the_first_is_split(script, small):
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
