"""The contract of metrics: what they are given and return, and what holds for every one of them."""

import copy
import math
import random
from dataclasses import replace
from functools import lru_cache
from threading import Barrier

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from fewshot_core.errors import FewshotError, MetricError, SpaceError, UnknownNameError
from fewshot_core.metrics import (
    METRICS,
    MetricInfo,
    OperationScores,
    ScoreCache,
    list_metrics,
    score_operations,
)
from fewshot_core.metrics.base import MetricOutput, Score, minus_distance, score_each
from fewshot_core.metrics.gradients import loss_gradients
from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.space import SubSpace

ALL = [(info.name, variant) for info in METRICS if not info.baseline for variant in info.variants]
ROWS = ["01000", "10011", "00100", "01010", "00001", "10010"]
EDGE = 1
ENABLED = (0, 3, 4)

every_metric = pytest.mark.parametrize(("metric", "variant"), ALL)
NEED_IMAGES = {info.name for info in METRICS if info.needs_images}
with_images = pytest.mark.parametrize("metric", sorted(NEED_IMAGES))


@pytest.fixture
def supernet(small):
    """The trained small network, restricted to a sub-space."""
    return small.restrict(SubSpace.from_rows(ROWS))


@pytest.fixture
def score(supernet, tiny_batch):
    """Score an edge of the small network with synthetic images, unless told otherwise."""

    def run(metric, variant="paper", **options):
        arguments = {"supernet": supernet, "edge": EDGE, "batch": tiny_batch} | options
        return score_operations(metric, variant=variant, **arguments)

    return run


@pytest.fixture(scope="module")
def usual(small_net, tiny_batch):
    """Score as ``score`` does without options, each metric once."""
    network = small_net.restrict(SubSpace.from_rows(ROWS))

    @lru_cache
    def run(metric, variant="paper"):
        return score_operations(metric, network, EDGE, tiny_batch, variant)

    return run


def same(left, right):
    assert left.operations == right.operations
    assert left.values == right.values
    assert_array_equal(left.similarity, right.similarity)
    assert (left.degenerate, left.reason) == (right.degenerate, right.reason)


@every_metric
def test_scores_are_of_the_enabled_operations_in_order(metric, variant, usual):
    found = usual(metric, variant)
    assert found.operations == ENABLED
    assert len(found.values) == 3
    assert found.similarity.shape == (3, 3)
    assert found.similarity.dtype == np.float64
    assert_array_equal(found.similarity, found.similarity.T)
    assert found.degenerate == (found.reason is not None)


@every_metric
def test_similarity_is_minus_the_distance_of_the_scores(metric, variant, usual):
    found = usual(metric, variant)
    if None in found.values:
        assert found.values == (None,) * 3
        assert_allclose(np.diag(found.similarity), 1, rtol=1e-6)
        assert (np.abs(found.similarity) <= 1 + 1e-6).all()
    else:
        assert all(isinstance(value, float) for value in found.values)
        assert_array_equal(found.similarity, minus_distance(found.values))


@every_metric
@pytest.mark.parametrize("batch_norm", ["batch", "running"])
def test_the_network_is_left_as_it_was(metric, variant, batch_norm, score, supernet):
    supernet.batch_norm = "running"
    supernet.train(batch_norm == "batch")
    for number, parameter in enumerate(supernet.parameters()):
        parameter.requires_grad_(number % 2 == 0)
        parameter.grad = torch.full_like(parameter, float(number))
    objects = list(map(id, supernet.state_dict(keep_vars=True).values()))
    before = copy.deepcopy(supernet)
    gradients = [parameter.grad.clone() for parameter in supernet.parameters()]
    score(metric, variant, batch_norm=batch_norm)
    assert list(map(id, supernet.state_dict(keep_vars=True).values())) == objects
    assert supernet.batch_norm == "running"
    assert [type(module) for module in supernet.modules()] == [
        type(module) for module in before.modules()
    ]
    assert [module.training for module in supernet.modules()] == [
        module.training for module in before.modules()
    ]
    for name, tensor in before.state_dict().items():
        assert_array_equal(supernet.state_dict()[name], tensor, err_msg=name)
    for number, parameter in enumerate(supernet.parameters()):
        assert parameter.requires_grad == (number % 2 == 0)
        assert_array_equal(parameter.grad, gradients[number])


@every_metric
def test_the_network_is_left_as_it_was_when_scoring_fails(metric, variant, score, supernet):
    class Stop(Exception):
        pass

    def stop(operation):
        if operation == 4:
            raise Stop

    before = copy.deepcopy(supernet)
    with pytest.raises(Stop):
        score(metric, variant, batch_norm="running", on_operation=stop)
    assert supernet.batch_norm == before.batch_norm
    for name, tensor in before.state_dict().items():
        assert_array_equal(supernet.state_dict()[name], tensor, err_msg=name)


@every_metric
def test_the_same_input_has_the_same_output_and_random_numbers_are_left_alone(
    metric, variant, score, usual
):
    first = usual(metric, variant)
    torch.manual_seed(2)
    ours, theirs = torch.get_rng_state(), random.getstate()
    same(first, score(metric, variant))
    assert torch.equal(torch.get_rng_state(), ours)
    assert random.getstate() == theirs


@every_metric
def test_a_restricted_network_scores_like_one_built_for_the_sub_space(
    metric, variant, small, score
):
    sub_space = SubSpace.from_rows(ROWS)
    restricted = small.restrict(sub_space)
    built = Supernet(sub_space, channels=4, cells_per_stage=1)
    built.load_state_dict(restricted.state_dict())
    same(
        score(metric, variant, supernet=restricted, batch_norm="running"),
        score(metric, variant, supernet=built, batch_norm="running"),
    )


@every_metric
def test_an_operation_scores_the_same_whichever_others_compete(
    metric, variant, small, score, usual
):
    whole = SubSpace.from_rows(ROWS)
    pair = score(metric, variant, supernet=small.restrict(whole.keep(EDGE, [3, 4])))
    found = usual(metric, variant)
    assert (pair.values[0], pair.values[1]) == (found.values[1], found.values[2])
    assert pair.similarity[0, 1] == pytest.approx(found.similarity[1, 2], rel=1e-12)


@every_metric
def test_each_operation_is_reported_once_for_each_batch(metric, variant, score, tiny_batch):
    reported = []
    score(metric, variant, batch=[tiny_batch, tiny_batch], on_operation=reported.append)
    batches = 2 if METRICS.get(metric).needs_images else 1
    assert reported == batches * list(ENABLED)


@pytest.mark.parametrize("metric", ["gradnorm", "gradientmatching", "grasp", "jacobcov"])
def test_scores_do_not_depend_on_the_number_of_threads(metric, usual, score):
    expected, operations = usual(metric), []
    torch.set_num_threads(4)
    scores = score(metric, on_operation=operations.append)
    assert_allclose(scores.similarity, expected.similarity, rtol=1e-4, atol=1e-5)
    assert operations == list(ENABLED)
    assert torch.get_num_threads() == 4


def test_two_passes_are_computed_at_a_time(score, monkeypatch):
    """Each of two waits for the other one; of three operations, the last is on all threads."""
    both, threads = Barrier(2), []

    def gradients(supernet, batch):
        threads.append(torch.get_num_threads())
        if len(threads) < 3:
            both.wait(timeout=60)
        return loss_gradients(supernet, batch)

    monkeypatch.setattr("fewshot_core.metrics.base.loss_gradients", gradients)
    torch.set_num_threads(4)
    score("gradnorm")
    assert threads == [2, 2, 4]


def test_a_pass_that_fails_ends_the_others(score, monkeypatch):
    def fails(supernet, batch):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("fewshot_core.metrics.base.loss_gradients", fails)
    torch.set_num_threads(4)
    with pytest.raises(RuntimeError, match="out of memory"):
        score("gradnorm")
    assert torch.get_num_threads() == 4


@with_images
def test_batches_are_averaged(metric, score, usual, tiny_batch):
    other = replace(tiny_batch, images=tiny_batch.images.flip(3).roll(1, 2))
    first, second = usual(metric), score(metric, batch=other)
    both = score(metric, batch=[tiny_batch, other])
    if both.values[0] is None:
        assert_allclose(both.similarity, (first.similarity + second.similarity) / 2, rtol=1e-9)
    else:
        assert_allclose(both.values, (np.array(first.values) + second.values) / 2, rtol=1e-9)


@with_images
@pytest.mark.parametrize("nothing", [None, []])
def test_images_that_are_needed_and_missing_are_an_error(metric, nothing, score):
    with pytest.raises(MetricError, match=r"images, got none"):
        score(metric, batch=nothing)


@pytest.mark.parametrize("metric", sorted({name for name, _ in ALL} - NEED_IMAGES))
def test_other_metrics_need_none(metric, score, usual, tiny_batch):
    without = score(metric, batch=None, image_size=tiny_batch.images.shape[-1])
    same(without, usual(metric))


@every_metric
def test_only_sampled_values_depend_on_the_seed(metric, variant, score, usual):
    found = [score(metric, variant, seed=seed).similarity for seed in (1, -3)]
    differ = any((other != usual(metric, variant).similarity).any() for other in found)
    assert differ == ((metric, variant) == ("linear_regions", "paper"))


@every_metric
def test_an_edge_with_one_operation_can_be_scored(metric, variant, small, score):
    alone = small.restrict(SubSpace.from_rows(ROWS).keep(EDGE, [3]))
    assert score(metric, variant, supernet=alone).operations == (3,)


@every_metric
def test_frozen_weights_can_be_scored(metric, variant, supernet, score, usual):
    supernet.requires_grad_(False)
    same(score(metric, variant), usual(metric, variant))
    assert not any(parameter.requires_grad for parameter in supernet.parameters())


@pytest.mark.parametrize("metric", list_metrics())
def test_an_unknown_variant_is_refused(metric, score):
    with pytest.raises(MetricError, match=r"unknown variant 'fast' of .*: expected one of paper"):
        score(metric, "fast")


@pytest.mark.parametrize("edge", [-1, 6, "0"])
def test_an_unknown_edge_is_refused(edge, score):
    with pytest.raises(SpaceError, match="expected an edge from 0 to 5"):
        score("params", edge=edge)


def test_an_unknown_batch_norm_is_refused(score):
    with pytest.raises(MetricError, match="expected one of batch, running"):
        score("gradnorm", batch_norm="none")


def test_an_unknown_metric_is_refused(score):
    with pytest.raises(UnknownNameError, match="expected one of gradientmatching, gradnorm"):
        score("accuracy")


def test_metrics_are_in_the_order_of_the_tables_of_the_paper():
    labels = [info.label for info in METRICS if METRICS.origin(info.name) is None]
    assert labels == [
        "gradientmatching",
        "gradnorm",
        "jacobcov",
        "snip",
        "grasp",
        "synflow",
        "ntk",
        "#lr",
        "#params",
        "random",
    ]


@pytest.mark.parametrize("info", METRICS, ids=lambda info: info.name)
def test_every_record_is_complete(info):
    texts = (info.label, info.description, info.equation, info.source, info.cost)
    assert all(texts)
    assert info.description.endswith(".")
    assert next(iter(info.variants)) == "paper"
    assert all(info.variants.values())


def test_the_baseline_scores_no_operations(score, tmp_path):
    assert [info.name for info in METRICS if info.baseline] == ["random"]
    for cache in (None, ScoreCache(tmp_path, pytest.fail)):
        with pytest.raises(MetricError, match="random is a baseline that groups operations at"):
            score("random", cache=cache)


def test_records_cannot_be_changed():
    info = METRICS.get("snip")
    assert isinstance(info, MetricInfo)
    with pytest.raises(AttributeError):
        info.name = "other"


def test_metric_errors_are_errors_of_the_workbench():
    assert issubclass(MetricError, FewshotError)


# Metrics of the test.


@pytest.fixture
def scored_by(monkeypatch, small, tiny_batch):
    """Score edge 0 with a metric of the given function."""

    def score(function, **options):
        info = MetricInfo("temporary", "", "", "", "", "", function)
        monkeypatch.setitem(METRICS._records, info.name, info)
        return score_operations(info.name, small, 0, options.pop("batch", tiny_batch), **options)

    return score


def by_operation(numbers):
    """A value function that knows each operation's number."""

    def value(probe):
        return numbers[probe.supernet.sub_space.enabled[0][0]]

    return lambda metric_input: score_each(metric_input, value)


def test_a_metric_is_given_the_edge_the_batch_and_the_options(scored_by, tiny_batch):
    inputs = []

    def record(metric_input):
        inputs.append(metric_input)
        return MetricOutput((0.0, 1.0, 2.0, 3.0, 4.0))

    scored_by(record, seed=3)
    (metric_input,) = inputs
    assert (metric_input.edge, metric_input.variant, metric_input.seed) == (0, "paper", 3)
    assert metric_input.operations == (0, 1, 2, 3, 4)
    assert metric_input.image_size == 12
    probes = list(metric_input.probes())
    enabled = [probe.supernet.sub_space.enabled[0] for probe in probes]
    assert enabled == [(0,), (1,), (2,), (3,), (4,)]
    for probe in probes:
        assert_array_equal(probe.batch.images, tiny_batch.images)
    assert list(metric_input.probes()) == probes


def test_a_metric_with_a_missing_import_is_an_error(scored_by):
    def score(metric_input):
        from not_installed import number

        return score_each(metric_input, number)

    with pytest.raises(MetricError, match="the metric temporary cannot be imported: No module"):
        scored_by(score)


def test_one_number_for_each_operation(scored_by):
    scores = scored_by(by_operation([3.0, 1.0, 4.0, 1.5, 9.0]))
    assert scores.values == (3.0, 1.0, 4.0, 1.5, 9.0)
    assert scores.similarity[0].tolist() == [0.0, -2.0, -1.0, -1.5, -6.0]
    assert not scores.degenerate


def test_numbers_are_averaged_over_the_batches(scored_by, tiny_batch):
    seen = iter([1.0, 0.0, 0.0, 0.0, 0.0, 3.0, 10.0, 0.0, 0.0, 0.0])
    scores = scored_by(
        lambda metric_input: score_each(metric_input, lambda probe: next(seen)),
        batch=[tiny_batch, tiny_batch],
    )
    assert scores.values == (2.0, 5.0, 0.0, 0.0, 0.0)


def test_a_reason_names_its_operations(scored_by):
    odd, also_odd, five = Score(1.0, "it is odd"), Score(3.0, "it is odd"), Score(5.0, "it is five")
    scores = scored_by(by_operation([odd, 2.0, also_odd, 4.0, five]))
    assert scores.values == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert scores.degenerate
    assert scores.reason == (
        "it is odd with only none, 1x1 on the edge; it is five with only pool on the edge"
    )


def test_a_reason_in_one_of_the_batches_counts(scored_by, tiny_batch):
    seen = iter([Score(1.0), *range(4), Score(3.0, "it is odd"), *range(4)])
    scores = scored_by(
        lambda metric_input: score_each(metric_input, lambda probe: next(seen)),
        batch=[tiny_batch, tiny_batch],
    )
    assert scores.reason == "it is odd with only none on the edge"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([2.0] * 5, "all operations have the same score"),
        ([0.0] * 5, "all operations have the same score"),
        ([1e9, 1e9 + 1, 1e9, 1e9, 1e9], "all operations have the same score"),
        ([-1e-30] * 5, "all operations have the same score"),
        ([1.0, 1.0 + 1e-5, 1.0, 1.0, 1.0], None),
        ([1e-30, 2e-30, 1e-30, 1e-30, 1e-30], None),
        ([1.0, math.inf, 2.0, math.nan, 3.0], "2 of 5 scores are not finite"),
        ([-math.inf, 1.0, 2.0, 3.0, 4.0], "1 of 5 scores are not finite"),
    ],
)
def test_numbers_that_are_not_informative(values, reason, scored_by):
    scores = scored_by(by_operation(values))
    assert scores.reason == reason
    assert scores.degenerate == (reason is not None)
    finite = np.isfinite(values)
    assert_array_equal(np.isnan(scores.similarity), ~(finite[:, None] & finite[None, :]))


def test_a_similarity_that_is_not_finite_is_not_informative(scored_by):
    similarity = np.eye(5)
    similarity[0, 1] = similarity[1, 0] = np.nan
    scores = scored_by(lambda metric_input: MetricOutput((None,) * 5, similarity))
    assert scores.reason == "a similarity is not finite"


def test_a_metric_s_own_similarity_is_used(scored_by):
    similarity = np.arange(25.0).reshape(5, 5)
    similarity += similarity.T
    scores = scored_by(lambda metric_input: MetricOutput((None,) * 5, similarity))
    assert_array_equal(scores.similarity, similarity)
    assert not scores.degenerate


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (MetricOutput((1.0, 2.0)), r"expected 5 scores.* got 2 scores and None"),
        (MetricOutput((None,) * 5, np.eye(4)), r"shape \(5, 5\) or none; got 5 .* \(4, 4\)"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], "expected a MetricOutput from temporary, got list"),
    ],
)
def test_an_output_of_another_shape_is_refused(wrong, message, scored_by):
    with pytest.raises(MetricError, match=message):
        scored_by(lambda metric_input: wrong)


def test_one_operation_cannot_be_degenerate():
    scores = OperationScores.from_output((3,), MetricOutput((1.0,)))
    assert not scores.degenerate
    assert scores.similarity.tolist() == [[0.0]]


def test_distance_of_scores():
    assert minus_distance([1.0, -2.0]).tolist() == [[0.0, -3.0], [-3.0, 0.0]]
    assert np.isnan(minus_distance([1.0, None])[0, 1])


# Scores that are not informative.

OF_GRADIENTS = [
    (name, variant)
    for name in ("gradientmatching", "gradnorm", "jacobcov", "snip", "grasp", "synflow", "ntk")
    for variant in METRICS.get(name).variants
]
OF_WEIGHTS = [*OF_GRADIENTS, ("linear_regions", "batch")]

every_gradient = pytest.mark.parametrize(("metric", "variant"), OF_GRADIENTS)


@pytest.fixture
def untrained():
    """A untrained network: zero weights give zero features."""
    rows = ["10011", "01000", "00100", "01000", "00001", "00010"]
    return Supernet(SubSpace.from_rows(rows), channels=2, cells_per_stage=1)


@every_gradient
@pytest.mark.parametrize("batch_norm", ["batch", "running"])
def test_without_weights_the_gradient_is_zero(metric, variant, batch_norm, untrained, tiny_batch):
    with torch.no_grad():
        for weight in probed_weights(untrained).values():
            weight.zero_()
    scores = score_operations(metric, untrained, 0, tiny_batch, variant, batch_norm)
    assert scores.degenerate
    assert scores.reason == "the gradient is zero with only none, 3x3, pool on the edge"


@every_gradient
def test_the_operations_whose_gradient_is_zero_are_named(metric, variant, tiny_batch):
    """Nothing but edge 3<-0 leads to the last node: with none there, the network is cut off."""
    rows = ["01000", "01000", "01000", "10010", "10000", "10000"]
    supernet = Supernet(SubSpace.from_rows(rows), channels=2, cells_per_stage=1)
    scores = score_operations(metric, supernet, 3, tiny_batch, variant)
    assert scores.degenerate
    assert scores.reason == "the gradient is zero with only none on the edge"


@pytest.mark.parametrize(("metric", "variant"), OF_WEIGHTS)
@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(metric, variant, broken, small, tiny_batch):
    with torch.no_grad():
        small.get_parameter("stem.conv.weight")[0, 0, 0, 0] = broken
    pair = small.restrict(SubSpace.full().keep(1, [0, 3]))
    scores = score_operations(metric, pair, 1, tiny_batch, variant)
    assert scores.degenerate
    assert "not finite" in scores.reason
    assert np.isnan(scores.similarity).any()


def test_one_score_that_is_not_finite_is_enough(small, tiny_batch):
    with torch.no_grad():
        small.get_parameter("stage1_cell1.edge_1_0.nor_conv_3x3.conv.weight").fill_(float("nan"))
    scores = score_operations("gradnorm", small, 0, tiny_batch)
    assert [np.isfinite(value) for value in scores.values] == [True, True, True, False, True]
    assert scores.reason == "1 of 5 scores are not finite"


def test_images_that_are_all_the_same_make_the_kernel_singular(small, tiny_batch):
    same = replace(tiny_batch, images=tiny_batch.images[:1].repeat(4, 1, 1, 1))
    same = replace(same, labels=torch.zeros(4, dtype=torch.int64))
    scores = score_operations("ntk", small, 2, same)
    assert scores.values == (float("inf"),) * 5
    assert scores.reason.startswith("the kernel is singular with only none, skip")


def test_two_images_that_are_the_same_make_the_kernel_singular(small, tiny_batch):
    images = torch.cat([tiny_batch.images, tiny_batch.images[:1]])
    twins = replace(tiny_batch, images=images, labels=tiny_batch.labels[[0, 1, 2, 3, 0]])
    for batch_norm in ("batch", "running"):
        scores = score_operations("ntk", small, 2, twins, "paper", batch_norm)
        assert scores.values == (float("inf"),) * 5


def test_images_that_are_all_the_same_cannot_be_correlated_differently(small, tiny_batch):
    same = replace(tiny_batch, images=tiny_batch.images[:1].repeat(4, 1, 1, 1))
    same = replace(same, labels=torch.zeros(4, dtype=torch.int64))
    scores = score_operations("jacobcov", small, 2, same)
    expected = -(np.log(4 + 1e-5) + 1 / (4 + 1e-5) + 3 * (np.log(1e-5) + 1e5))
    assert scores.values == pytest.approx((expected,) * 5, rel=1e-6)
    assert scores.reason == "all operations have the same score"


@pytest.mark.parametrize("metric", ["gradnorm", "snip", "grasp", "synflow", "jacobcov", "params"])
def test_an_edge_that_leads_nowhere_makes_all_operations_equal(metric, tiny_batch):
    """Nothing leaves node 2, so that what is on edge 2<-0 does not matter, nor has it a weight."""
    rows = ["01010", "11001", "01000", "01010", "01000", "10000"]
    supernet = Supernet(SubSpace.from_rows(rows), channels=2, cells_per_stage=1)
    scores = score_operations(metric, supernet, 1, tiny_batch)
    assert scores.reason == "all operations have the same score"


def test_the_largest_eigenvalue_of_a_single_image_is_the_smallest(small, tiny_batch):
    alone = replace(tiny_batch, images=tiny_batch.images[:1], labels=tiny_batch.labels[:1])
    scores = score_operations("ntk", small, 0, alone)
    assert scores.values == (1.0,) * 5
    assert scores.reason == "all operations have the same score"


def test_sound_scores_have_no_reason(small, tiny_batch):
    pair = small.restrict(SubSpace.full().keep(2, [1, 3]))
    for metric, variant in OF_GRADIENTS:
        scores = score_operations(metric, pair, 2, tiny_batch, variant)
        assert (scores.degenerate, scores.reason) == (False, None)
