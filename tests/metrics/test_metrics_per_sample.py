"""Per-sample gradients, against one backward pass for each sample."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.nn import functional

from fewshot_core.metrics.per_sample import image_gradient_products, weight_gradient_products
from fewshot_core.nets import BatchNorm, Supernet, held_statistics, probed_weights
from fewshot_core.nets.cell import Cell
from fewshot_core.nets.layers import normalisations
from fewshot_core.space import SubSpace


def images(count=5, channels=3, size=9):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, channels, size, size, generator=generator, dtype=torch.float64)


def squares(outputs):
    return (outputs**2).sum(dim=1)


def rows_one_by_one(network, batch, leaves=None):
    """The gradient of every sample, computed from all of the batch, one after the other."""
    if leaves is None:
        leaves = list(probed_weights(network).values())
    with held_statistics(network):
        numbers = squares(network(batch))
    rows = [
        torch.autograd.grad(
            number, leaves, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for number in numbers
    ]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows]).numpy()


def check(network, batch):
    found = weight_gradient_products(network, batch, squares)
    rows = rows_one_by_one(network, batch)
    assert found.length == rows.shape[1]
    assert_allclose(found.products, rows @ rows.T, rtol=1e-10, atol=1e-12)
    assert_allclose(found.sums, rows.sum(axis=1), rtol=1e-9, atol=1e-12)


class Layers(nn.Sequential):
    """Layers one after the other, then a mean over the pixels."""

    def forward(self, batch):
        return super().forward(batch).mean(dim=(2, 3))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 1},
        {"kernel_size": 3},
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": (1, 3), "padding": (0, 1), "stride": (3, 2)},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": (4, 3), "padding": "same", "dilation": (1, 2)},
        {"kernel_size": 2, "padding": "valid", "stride": 2},
        {"kernel_size": 2, "padding": 1, "dilation": (3, 1), "stride": (1, 2), "bias": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_convolutions_of_every_form(options, size):
    torch.manual_seed(0)
    first = nn.Conv2d(3, 4, **{"bias": False} | options)
    network = Layers(first, nn.ReLU(), nn.Conv2d(4, 2, 1)).double()
    check(network, images(size=size))


class Called(nn.Module):
    """A network that calls its layers by PyTorch's functions, with arguments by name."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4, 2)

    def forward(self, batch):
        features = functional.conv2d(batch, stride=2, weight=self.conv.weight, bias=self.conv.bias)
        pooled = features.relu().mean(dim=(2, 3))
        return functional.linear(weight=self.linear.weight, input=pooled)


def test_layers_that_are_called_as_functions():
    torch.manual_seed(0)
    check(Called().double(), images())


class Joined(nn.Module):
    """Three convolutions that read the same features, joined to one, a 1x1 inside a 3x3 kernel."""

    def __init__(self):
        super().__init__()
        self.small = nn.Conv2d(3, 2, 1, bias=False)
        self.large = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.other = nn.Conv2d(3, 1, 3, padding=1, bias=False)
        self.linear = nn.Linear(7, 3)

    def forward(self, batch):
        padded = functional.pad(self.small.weight, (1, 1, 1, 1))
        weight = torch.cat([padded, self.large.weight, self.other.weight / 2])
        weight = weight.contiguous(memory_format=torch.channels_last)
        features = functional.conv2d(batch.to(memory_format=torch.channels_last), weight, padding=1)
        return self.linear(features.relu().mean(dim=(2, 3)))


def test_convolutions_that_are_joined_to_one():
    torch.manual_seed(0)
    check(Joined().double(), images())


class Disconnected(nn.Module):
    """A network that forgets its images halfway, and has a layer that it never uses."""

    def __init__(self):
        super().__init__()
        self.before = nn.Conv2d(3, 2, 3)
        self.after = nn.Conv2d(2, 3, 1)
        self.unused = nn.Linear(5, 5)

    def forward(self, batch):
        features = torch.ones_like(self.before(batch))
        return self.after(features).mean(dim=(2, 3))


def test_weights_that_do_not_see_the_images_have_gradients_too():
    torch.manual_seed(0)
    network = Disconnected().double()
    check(network, images())
    found = weight_gradient_products(network, images(), squares)
    assert (found.products > 0).all()
    assert image_gradient_products(network, images(), squares).products.sum() == 0


class Twice(nn.Module):
    """A network that uses one convolution and one batch norm twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = BatchNorm(3)

    def forward(self, batch):
        for _ in range(2):
            batch = self.norm(self.conv(batch).relu())
        return (batch**2).mean(dim=(2, 3))


def test_layers_that_are_used_twice():
    torch.manual_seed(0)
    check(Twice().double(), images())


def test_a_weight_that_two_layers_share_counts_once():
    torch.manual_seed(0)
    network = Layers(nn.Conv2d(3, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1)).double()
    network[2].weight = network[0].weight
    found = weight_gradient_products(network, images(), squares)
    rows = rows_one_by_one(network, images(), leaves=[network[0].weight])
    assert found.length == 3 * 3 * 3 * 3
    assert_allclose(found.products, rows @ rows.T, rtol=1e-10)


@pytest.mark.parametrize("groups", [2, 4])
def test_grouped_convolutions(groups):
    torch.manual_seed(0)
    layers = nn.Conv2d(4, 8, 3, groups=groups), BatchNorm(8), nn.ReLU(), nn.Conv2d(8, 2, 1)
    check(Layers(*layers).double(), images(channels=4))


@pytest.mark.parametrize("count", [1, 16, 35])
def test_statistics_are_those_of_the_whole_batch(supernet, count):
    supernet.batch_norm = "batch"
    check(supernet, images(count, size=8))


@pytest.fixture(scope="module")
def supernet():
    sub_space = SubSpace.from_rows(["01111", "00011", "10100", "11111", "00101", "00010"])
    return Supernet(sub_space, channels=2, cells_per_stage=1).double()


@pytest.mark.parametrize("batch_norm", ["batch", "running"])
def test_a_supernet(supernet, batch_norm):
    supernet.batch_norm = batch_norm
    check(supernet, images(size=8))


@pytest.mark.parametrize("batch_norm", ["batch", "running"])
def test_gradients_with_respect_to_the_images(supernet, batch_norm):
    supernet.batch_norm = batch_norm
    batch = images(size=8)
    found = image_gradient_products(supernet, batch, squares)
    leaf = batch.clone().requires_grad_()
    everything = rows_one_by_one(supernet, leaf, leaves=[leaf])
    blocks = everything.reshape(len(batch), len(batch), -1)
    rows = np.stack([blocks[number, number] for number in range(len(batch))])
    assert found.length == 3 * 8 * 8
    assert_allclose(found.products, rows @ rows.T, rtol=1e-10)
    assert_allclose(found.sums, rows.sum(axis=1), rtol=1e-9, atol=1e-12)
    assert not batch.requires_grad


def test_nothing_of_the_network_is_changed(supernet):
    before = [weight.clone() for weight in supernet.state_dict().values()]
    weight_gradient_products(supernet, images(size=8), squares)
    for weight, same in zip(supernet.state_dict().values(), before, strict=True):
        assert torch.equal(weight, same)
    assert all(parameter.grad is None for parameter in supernet.parameters())
    assert not any(layer.held for layer in normalisations(supernet))
    assert not any(cell.composed for cell in supernet.modules() if isinstance(cell, Cell))


def test_samples_depend_on_one_another_only_through_the_statistics(supernet):
    supernet.batch_norm = "batch"
    batch = images(size=8).requires_grad_()
    with held_statistics(supernet):
        held = supernet(batch)
    assert_allclose(held.detach(), supernet(batch).detach(), rtol=1e-10)
    (apart,) = torch.autograd.grad(held[0].sum(), batch)
    (mixed,) = torch.autograd.grad(supernet(batch)[0].sum(), batch)
    assert apart[0].any()
    assert not apart[1:].any()
    assert mixed[1:].any()


def test_statistics_are_let_go_after_an_error(supernet):
    with pytest.raises(ZeroDivisionError), held_statistics(supernet):
        assert all(layer.held for layer in normalisations(supernet))
        raise ZeroDivisionError
    assert not any(layer.held for layer in normalisations(supernet))
