"""Blocks that compute their features again: the same numbers, and less to keep."""

import copy

import pytest
import torch
from numpy.testing import assert_allclose

from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.nets.recompute import recomputing
from fewshot_core.space import SubSpace

NETWORKS = {
    "everything": ["11111"] * 6,
    "no convolution in the cells": ["11001"] * 6,
    "cells that are the identity": ["01000", "10000", "10000", "10000", "10000", "01000"],
    "cells that lead nowhere": ["00010", "10000", "10000", "10000", "10000", "10000"],
    "a convolution beside the way": ["00010", "10000", "10000", "00100", "10000", "10000"],
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def network(request):
    supernet = Supernet(SubSpace.from_rows(request.param), channels=2, cells_per_stage=1)
    with torch.no_grad():
        supernet.norm.bias.fill_(0.3)  # else nothing is left of a cell that leads nowhere
    return supernet.double()


@pytest.fixture
def batch():
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def derivatives(network, batch):
    """Logits, the gradient of their squares, and the gradient of that one's squares."""
    weights = list(probed_weights(network).values())
    options = {"allow_unused": True, "materialize_grads": True}
    logits = network(batch)
    first = torch.autograd.grad((logits**2).sum(), weights, create_graph=True, **options)
    second = torch.autograd.grad(sum((each**2).sum() for each in first), weights, **options)
    return [logits, *first, *second]


@pytest.mark.parametrize("batch_norm", ["batch", "running"])
def test_first_and_second_derivatives_are_the_same(network, batch, batch_norm):
    network.batch_norm = batch_norm
    plain = derivatives(network, batch)
    with recomputing(network):
        again = derivatives(network, batch)
    for one, other in zip(plain, again, strict=True):
        assert_allclose(other.detach(), one.detach(), rtol=1e-8, atol=1e-10)


def test_weights_that_are_not_differentiated(network, batch):
    network.requires_grad_(False)
    expected = network(batch)
    with recomputing(network):
        assert torch.equal(network(batch), expected)


def test_the_network_is_put_together_again(network, batch):
    before = copy.deepcopy(network)
    modules = list(network.modules())
    with pytest.raises(ZeroDivisionError), recomputing(network):
        network(batch)
        raise ZeroDivisionError
    assert list(network.modules()) == modules
    assert list(network.state_dict()) == list(before.state_dict())
    assert torch.equal(network(batch), before(batch))


def bytes_kept(network, images):
    """How much is kept for the backward pass."""
    sizes = []

    def keep(tensor):
        sizes.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(images)
    return sum(sizes)


def test_less_is_kept():
    network = Supernet(SubSpace.full(), channels=2, cells_per_stage=1)
    images = torch.zeros(8, 3, 16, 16)
    plain = bytes_kept(network, images)
    with recomputing(network):
        assert bytes_kept(network, images) < plain / 3
