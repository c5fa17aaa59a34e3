"""Passes on other devices: nothing waits inside them, and the layout of features is kept."""

import numpy as np
import pytest
import torch

from fewshot_core.metrics import METRICS, list_metrics, per_sample, score_operations
from fewshot_core.metrics.gradients import losses
from fewshot_core.nets import BatchNorm, Supernet, probed_weights
from fewshot_core.search.compute import Compute
from fewshot_core.space import SubSpace, get_space

SPACES = ("nas-bench-201", "nas-bench-macro")


@pytest.fixture(params=SPACES)
def without_numbers(request):
    """A supernet on the device ``meta``, where whoever asks for a number gets an error."""
    with torch.device("meta"):
        return Supernet(SubSpace.full(get_space(request.param)), 10, 4, 1)


@pytest.fixture
def empty_batch(tiny_batch):
    return tiny_batch.to(torch.device("meta"))


@pytest.mark.parametrize("mode", ["batch", "running"])
@pytest.mark.parametrize("held", [False, True])
def test_batch_norm_keeps_the_channels_of_a_pixel_together(mode, held):
    layer = BatchNorm(8).to("meta")
    layer.mode, layer.held = mode, held
    features = torch.empty(4, 8, 6, 6, device="meta").contiguous(memory_format=torch.channels_last)
    assert layer(features).is_contiguous(memory_format=torch.channels_last)


def test_no_pass_waits_for_the_device(without_numbers, empty_batch, monkeypatch):
    gradient, tangent = without_numbers.gradient_tangent(empty_batch.images, empty_batch.labels)
    assert gradient.keys() == tangent.keys() == probed_weights(without_numbers).keys()
    monkeypatch.setattr(per_sample._Sums, "result", lambda self, length: self)
    found = per_sample.weight_gradient_products(
        without_numbers, empty_batch.images, losses(empty_batch)
    )
    assert found._products.shape == (len(empty_batch.images),) * 2


def test_elements_of_gradients_are_multiplied_in_chunks(small, tiny_batch, monkeypatch):
    def products():
        return per_sample.weight_gradient_products(small, tiny_batch.images, losses(tiny_batch))

    whole = products()
    monkeypatch.setattr(per_sample, "CHUNK_BYTES", 8 * len(tiny_batch.images) * 7)
    np.testing.assert_allclose(products().products, whole.products, rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("metric", list_metrics())
def test_cuda_scores_like_the_cpu(name, metric, tiny_batch):
    if METRICS.get(metric).baseline:
        pytest.skip("it scores nothing")
    found = []
    for device in ("cpu", "cuda"):
        network = Supernet(SubSpace.full(get_space(name)), 10, 4, 1)
        network = Compute.create(device).place(network)
        scores = score_operations(metric, network, 0, tiny_batch)
        found.append(scores.similarity)
    np.testing.assert_allclose(*found, rtol=1e-2, atol=1e-6)
