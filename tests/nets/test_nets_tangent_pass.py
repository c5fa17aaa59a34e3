"""The gradient and the Hessian times the weights in one pass, against differentiating twice."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from fewshot_core.nets import Supernet, composing, probed_weights
from fewshot_core.nets.tangent_pass import gradient_tangent
from fewshot_core.space import SubSpace

NETWORKS = {
    "everything": ["11111"] * 6,
    "no convolution in the cells": ["11001"] * 6,
    "cells that are the identity": ["01000", "10000", "10000", "10000", "10000", "01000"],
    "cells that lead nowhere": ["00010", "10000", "10000", "10000", "10000", "10000"],
    "a convolution beside the way": ["00010", "10000", "10000", "00100", "10000", "10000"],
    "a node that nothing leads to": ["10000", "01010", "00111", "00100", "00111", "11000"],
}
rows = st.text("01", min_size=5, max_size=5).filter(lambda row: "1" in row)
sub_spaces = st.lists(rows, min_size=6, max_size=6).map(SubSpace.from_rows)


def make_network(sub_space, batch_norm, channels=3):
    """Return a network in which nothing is zero or one."""
    supernet = Supernet(sub_space, 4, channels, cells_per_stage=1, seed=3).double()
    supernet.batch_norm = batch_norm
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, tensor in supernet.state_dict().items():
            if tensor.is_floating_point() and ("norm" in name or "bias" in name):
                tensor.add_(torch.rand(tensor.shape, generator=generator) - 0.3)
    return supernet


def make_batch(size=(5, 3, 12, 8)):
    generator = torch.Generator().manual_seed(4)
    images = torch.randn(size, generator=generator, dtype=torch.float64)
    return images, torch.randint(0, 4, size[:1], generator=generator)


def by_differentiating_twice(supernet, images, labels):
    weights = list(probed_weights(supernet).values())
    options = {"allow_unused": True, "materialize_grads": True}
    with composing(supernet):
        loss = functional.cross_entropy(supernet(images), labels)
        gradients = torch.autograd.grad(loss, weights, create_graph=True, **options)
        along = sum(
            (one * weight.detach()).sum() for one, weight in zip(gradients, weights, strict=True)
        )
        return gradients, torch.autograd.grad(along, weights, **options)


def compare(supernet, images, labels):
    found, along = gradient_tangent(supernet, images, labels)
    gradients, tangents = by_differentiating_twice(supernet, images, labels)
    for name, gradient, tangent in zip(found, gradients, tangents, strict=True):
        torch.testing.assert_close(found[name], gradient.detach(), rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(along[name], tangent.detach(), rtol=1e-7, atol=1e-9)
    return gradients, tangents


@pytest.mark.parametrize("batch_norm", ["batch", "running"])
@pytest.mark.parametrize("sub_space", NETWORKS.values(), ids=NETWORKS)
def test_both_are_those_of_differentiating_twice(sub_space, batch_norm):
    supernet = make_network(SubSpace.from_rows(sub_space), batch_norm)
    gradients, tangents = compare(supernet, *make_batch())
    assert any(gradient.any() for gradient in gradients)
    assert any(tangent.any() for tangent in tangents)


@pytest.mark.parametrize("batch_norm", ["batch", "running"])
@settings(max_examples=8)
@given(sub_spaces)
def test_so_they_are_in_any_sub_space(batch_norm, sub_space):
    compare(make_network(sub_space, batch_norm, channels=2), *make_batch((3, 3, 8, 8)))


def test_the_hessian_is_symmetric():
    """Weights times (H g) is g times (H weights)."""
    supernet = make_network(SubSpace.full(), "batch")
    images, labels = make_batch()
    weights = list(probed_weights(supernet).values())
    with composing(supernet):
        loss = functional.cross_entropy(supernet(images), labels)
        gradients = torch.autograd.grad(loss, weights, create_graph=True)
        squares = sum((one * one.detach()).sum() for one in gradients)
        products = torch.autograd.grad(squares, weights)
    expected = sum(
        (weight * product).sum() for weight, product in zip(weights, products, strict=True)
    )
    found, along = gradient_tangent(supernet, images, labels)
    total = sum((found[name] * along[name]).sum() for name in found)
    torch.testing.assert_close(total, expected.detach(), rtol=1e-9, atol=1e-12)


def test_nothing_of_the_network_is_changed():
    supernet = make_network(SubSpace.full(), "batch")
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    gradient_tangent(supernet, *make_batch())
    assert all(torch.equal(before[name], tensor) for name, tensor in supernet.state_dict().items())
    assert all(parameter.grad is None for parameter in supernet.parameters())
