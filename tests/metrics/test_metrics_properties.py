"""What holds for every metric there is, whatever it measures."""

import copy
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from fewshot_core.errors import FewshotError, MetricError, SpaceError, UnknownNameError
from fewshot_core.metrics import METRICS, MetricInfo, list_metrics, score_operations
from fewshot_core.metrics.base import minus_distance
from fewshot_core.nets import Supernet
from fewshot_core.space import SubSpace

ALL = [(info.name, variant) for info in METRICS for variant in info.variants]
ROWS = ["01000", "10011", "00100", "01010", "00001", "10010"]
EDGE = 1
ENABLED = (0, 3, 4)

every_metric = pytest.mark.parametrize(("metric", "variant"), ALL)
with_images = pytest.mark.parametrize(
    "metric", [info.name for info in METRICS if info.needs_images]
)


@pytest.fixture
def supernet(small):
    """The trained small network, restricted to a sub-space."""
    return small.restrict(SubSpace.from_rows(ROWS))


@pytest.fixture
def score(supernet, tiny_batch):
    """Score an edge of the small network with made-up images, unless told otherwise."""

    def run(metric, variant="paper", **options):
        arguments = {"supernet": supernet, "edge": EDGE, "batch": tiny_batch} | options
        return score_operations(metric, variant=variant, **arguments)

    return run


def same(left, right):
    assert left.operations == right.operations
    assert left.values == right.values
    assert_array_equal(left.similarity, right.similarity)
    assert (left.degenerate, left.reason) == (right.degenerate, right.reason)


@every_metric
def test_scores_are_of_the_enabled_operations_in_order(metric, variant, score):
    found = score(metric, variant)
    assert found.operations == ENABLED
    assert len(found.values) == 3
    assert found.similarity.shape == (3, 3)
    assert found.similarity.dtype == np.float64
    assert_array_equal(found.similarity, found.similarity.T)
    assert found.degenerate == (found.reason is not None)


@every_metric
def test_similarity_is_minus_the_distance_of_the_scores(metric, variant, score):
    found = score(metric, variant)
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
def test_the_same_question_has_the_same_answer(metric, variant, score):
    torch.manual_seed(1)
    first = score(metric, variant)
    torch.manual_seed(2)
    same(first, score(metric, variant))


@every_metric
def test_random_numbers_of_others_are_left_alone(metric, variant, score):
    ours, theirs = torch.get_rng_state(), random.getstate()
    score(metric, variant)
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


@pytest.mark.parametrize(("metric", "variant"), [pair for pair in ALL if pair[0] != "random"])
def test_an_operation_scores_the_same_whichever_others_compete(metric, variant, small, score):
    whole = SubSpace.from_rows(ROWS)
    pair = score(metric, variant, supernet=small.restrict(whole.keep(EDGE, [3, 4])))
    found = score(metric, variant)
    assert (pair.values[0], pair.values[1]) == (found.values[1], found.values[2])
    assert pair.similarity[0, 1] == pytest.approx(found.similarity[1, 2], rel=1e-12)


@every_metric
def test_each_operation_is_reported_once_for_each_batch(metric, variant, score, tiny_batch):
    reported = []
    score(metric, variant, batch=[tiny_batch, tiny_batch], on_operation=reported.append)
    batches = 2 if METRICS.get(metric).needs_images else 1
    assert reported == batches * list(ENABLED)


@with_images
def test_batches_are_averaged(metric, score, tiny_batch):
    other = replace(tiny_batch, images=tiny_batch.images.flip(3).roll(1, 2))
    first, second = score(metric), score(metric, batch=other)
    both = score(metric, batch=[tiny_batch, other])
    if both.values[0] is None:
        assert_allclose(both.similarity, (first.similarity + second.similarity) / 2, rtol=1e-9)
    else:
        assert_allclose(both.values, (np.array(first.values) + second.values) / 2, rtol=1e-9)


@with_images
@pytest.mark.parametrize("nothing", [None, []])
def test_a_metric_of_images_asks_for_them(metric, nothing, score):
    with pytest.raises(MetricError, match=r"images, got none"):
        score(metric, batch=nothing)


@pytest.mark.parametrize("metric", [info.name for info in METRICS if not info.needs_images])
def test_other_metrics_need_none(metric, score, tiny_batch):
    without = score(metric, batch=None, image_size=tiny_batch.images.shape[-1])
    same(without, score(metric, batch=tiny_batch))


@every_metric
def test_only_what_is_drawn_depends_on_the_seed(metric, variant, score):
    answers = [score(metric, variant, seed=seed).similarity for seed in (0, 1, -3)]
    differ = any((other != answers[0]).any() for other in answers[1:])
    assert differ == ((metric, variant) in {("random", "paper"), ("linear_regions", "paper")})


@every_metric
def test_an_edge_with_one_operation_can_be_scored(metric, variant, small, score):
    alone = small.restrict(SubSpace.from_rows(ROWS).keep(EDGE, [3]))
    assert score(metric, variant, supernet=alone).operations == (3,)


@every_metric
def test_frozen_weights_can_be_scored(metric, variant, supernet, score):
    expected = score(metric, variant)
    supernet.requires_grad_(False)
    same(score(metric, variant), expected)
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
    labels = [info.label for info in METRICS if info.implementation.startswith("fewshot_core.")]
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
def test_every_record_says_what_a_reader_asks(info):
    texts = (info.label, info.description, info.equation, info.source, info.cost)
    assert all(texts)
    assert info.description.endswith(".")
    assert next(iter(info.variants)) == "paper"
    assert all(info.variants.values())


@pytest.mark.parametrize(
    "place", ["fewshot_core.metrics.nowhere:score", "fewshot_core.metrics.snip:nothing", "score"]
)
def test_a_score_function_that_is_not_there(place, score, monkeypatch):
    info = replace(METRICS.get("snip"), name="lost", implementation=place)
    monkeypatch.setitem(METRICS._records, "lost", info)
    with pytest.raises(MetricError, match="score function of lost at"):
        score("lost")


def test_records_cannot_be_changed():
    info = METRICS.get("snip")
    assert isinstance(info, MetricInfo)
    with pytest.raises(AttributeError):
        info.name = "other"


def test_errors_are_the_workbench_s_own():
    assert issubclass(MetricError, FewshotError)
