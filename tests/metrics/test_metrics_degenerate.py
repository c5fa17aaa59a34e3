"""Scores that say nothing, and how that is said."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fewshot_core.metrics import METRICS, score_operations
from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.space import SubSpace

OF_GRADIENTS = [
    (name, variant)
    for name in ("gradientmatching", "gradnorm", "jacobcov", "snip", "grasp", "synflow", "ntk")
    for variant in METRICS.get(name).variants
]
OF_WEIGHTS = [*OF_GRADIENTS, ("linear_regions", "batch")]

every_gradient = pytest.mark.parametrize(("metric", "variant"), OF_GRADIENTS)


@pytest.fixture
def untrained():
    """A network with fresh batch norms, which makes nothing of nothing."""
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
