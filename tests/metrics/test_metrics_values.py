"""Scores that can be worked out by hand."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from fewshot_core.metrics import score_operations
from fewshot_core.metrics.gradientmatching import cosines
from fewshot_core.metrics.gradients import dot, loss_gradients, saliency
from fewshot_core.metrics.jacobcov import correlation, spread
from fewshot_core.metrics.per_sample import GradientProducts
from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.space import SubSpace
from fewshot_core.splitting.partition import partition, set_partitions

FULL = SubSpace.full()


def of_rows(rows):
    """The products of gradients that are given."""
    rows = np.array(rows, dtype=np.float64)
    return GradientProducts(rows @ rows.T, rows.sum(axis=1), rows.shape[1])


def test_correlation_of_samples():
    rows = [[1, 2, 3, 4], [2, 4, 6, 8.5], [1, -1, 1, -1]]
    assert_allclose(correlation(of_rows(rows)), np.corrcoef(rows), rtol=1e-12)


def test_samples_without_correlation():
    """All eigenvalues are one: three times -(log(1 + e) + 1 / (1 + e))."""
    found = spread(of_rows([[1, -1, 0, 0, 0, 0], [0, 0, 2, -2, 0, 0], [0, 0, 0, 0, 3, -3]]))
    assert found.value == pytest.approx(-3 * (math.log(1 + 1e-5) + 1 / (1 + 1e-5)), rel=1e-12)


def test_samples_that_are_all_alike():
    """One eigenvalue is two, the other zero."""
    found = spread(of_rows([[1, 2, 4], [10, 20, 40]]))
    expected = -(math.log(2 + 1e-5) + 1 / (2 + 1e-5) + math.log(1e-5) + 1e5)
    assert found.value == pytest.approx(expected, rel=1e-6)


def test_a_sample_without_variance_has_no_correlation():
    assert math.isnan(spread(of_rows([[1, 2], [3, 3]])).value)
    assert spread(of_rows([[1, 2], [0, 0]])).flaw == "the gradient is zero"


def test_products_and_saliency_are_exact_in_double_precision():
    large = {"a": torch.tensor([1e8, 1.0]), "b": torch.tensor([3.0])}
    small = {"a": torch.tensor([1.0, 1.0]), "c": torch.tensor([5.0])}
    assert dot(large, small) == 100000001.0
    assert saliency({"a": torch.tensor([1.0, -1.0])}, large) == 100000001.0


def test_gradients_of_weights_only(small, tiny_batch):
    gradients = loss_gradients(small, tiny_batch)
    assert set(gradients) == set(probed_weights(small))
    assert not any(".norm." in name or name.endswith("bias") for name in gradients)
    assert all(
        gradients[name].shape == weight.shape
        for name, weight in small.named_parameters()
        if name in gradients
    )


def test_a_small_step_down_the_gradient_lowers_the_loss_by_its_square(small, tiny_batch):
    """What ``gradnorm`` measures: the slope of the loss."""
    small.double()
    batch = replace(tiny_batch, images=tiny_batch.images.double())
    alone = small.restrict(FULL.keep(0, [2]))
    norm = score_operations("gradnorm", alone, 0, batch).values[0]
    gradients = loss_gradients(alone, batch)

    def loss():
        return torch.nn.functional.cross_entropy(alone(batch.images), batch.labels).item()

    before, step = loss(), 1e-6
    with torch.no_grad():
        for name, weight in probed_weights(alone).items():
            weight -= step * gradients[name]
    assert before - loss() == pytest.approx(step * norm**2, rel=1e-3)


@pytest.fixture
def chain():
    """Cells that are the identity, residual blocks of which only the shortcut is left."""
    rows = ["01000", "10000", "10000", "01000", "10000", "10000"]
    supernet = Supernet(SubSpace.from_rows(rows), channels=1, cells_per_stage=1)
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            parameter.fill_(0.0 if "conv_b.conv" in name else -1.0)  # norms and biases, too
    return supernet


def test_synaptic_flow_by_hand(chain, tiny_batch):
    """Of 8x8 pixels, 36 see 27 weights, 24 see 18 and 4 see 12. Poolings keep the mean of that;
    the shortcuts make 2 channels of 1 and 4 of 2, the classifier 10 logits of 4. R is linear in
    each of the four layers, so that it counts four times."""
    batch = replace(tiny_batch, images=tiny_batch.images[:, :, :8, :8])
    mean = (36 * 27 + 24 * 18 + 4 * 12) / 64
    for batch_norm in ("batch", "running"):
        scores = score_operations("synflow", chain, 0, batch, batch_norm=batch_norm)
        assert scores.values[0] == pytest.approx(4 * (mean * 1 * 2 * 4 * 10), rel=1e-12)


def test_synaptic_flow_depends_on_the_size_of_images_and_on_nothing_else_of_them(small, tiny_batch):
    values = score_operations("synflow", small, 0, tiny_batch).values
    other = replace(tiny_batch, images=torch.randn(2, 3, 12, 12))
    assert score_operations("synflow", small, 0, other).values == values
    larger = replace(tiny_batch, images=torch.randn(2, 3, 16, 16))
    assert score_operations("synflow", small, 0, larger).values != values


def test_synaptic_flow_beyond_single_precision(full_net, real_batch):
    """On the network of full size the score is larger than any float32."""
    alone = full_net.restrict(FULL.keep(0, [3]))
    scores = score_operations("synflow", alone, 0, real_batch(1))
    assert np.isfinite(scores.values[0])
    assert scores.values[0] > torch.finfo(torch.float32).max


def test_parameters_by_hand(small):
    """In each stage of 4, 8 and 16 channels one convolution and its batch norm more."""
    scores = score_operations("params", small, 1, None)
    none, skip, conv1, conv3, pool = scores.values
    assert none == skip == pool
    assert conv1 - none == sum(width**2 + 2 * width for width in (4, 8, 16))
    assert conv3 - none == sum(9 * width**2 + 2 * width for width in (4, 8, 16))


def test_parameters_that_do_not_matter_are_ties(small):
    """Nothing tells none, skip and pool apart, but a 3x3 convolution is unlike all others."""
    chosen = partition(score_operations("params", small, 0, None).similarity)
    assert chosen.groups == ((3,), (0, 1, 2, 4))


def test_cosines_by_hand():
    """A weight that one network lacks counts as zero, and so does a gradient of zero."""
    first = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([4.0])}
    second = {"a": torch.tensor([1.0, 0.0])}
    third = {"c": torch.tensor([2.0])}
    fourth = {"a": torch.tensor([0.0, 0.0])}
    expected = [[1, 0.6, 0, 0], [0.6, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert_allclose(cosines([first, second, third, fourth]), expected, rtol=1e-12)


def drawn(supernet, seed, edge=0, groups=2, balanced=False):
    """The grouping that ``random`` draws."""
    scores = score_operations(
        "random", supernet, edge, None, seed=seed, groups=groups, balanced=balanced
    )
    assert not scores.degenerate
    chosen = partition(scores.similarity, groups, balanced)
    assert not chosen.ties
    return chosen.groups


@pytest.mark.parametrize(
    ("groups", "balanced", "count"), [(2, False, 15), (2, True, 10), (3, False, 25), (5, False, 1)]
)
def test_chance_draws_every_grouping_about_as_often(small, groups, balanced, count):
    draws = 40 * count
    found = Counter(drawn(small, seed, 0, groups, balanced) for seed in range(draws))
    assert set(found) == set(set_partitions(5, groups, balanced))
    assert len(found) == count
    assert max(found.values()) < 80
    assert min(found.values()) > 15


def test_chance_differs_between_nodes(small):
    edges = {tuple(drawn(small, seed, edge) for seed in range(8)) for edge in range(6)}
    assert len(edges) == 6
    halves = [small.restrict(FULL.keep(1, part)) for part in ([0, 1], [2, 3, 4])]
    assert [drawn(halves[0], seed) for seed in range(8)] != [
        drawn(halves[1], seed) for seed in range(8)
    ]
