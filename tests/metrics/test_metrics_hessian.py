"""The product of Hessian and gradient in ``grasp``, against the Hessian itself."""

import copy
from dataclasses import replace

import pytest
import torch
from metrics_plain_net import PlainNet
from metrics_textbook import gradient, loss

from fewshot_core.metrics import score_operations
from fewshot_core.nets import Supernet
from fewshot_core.space import SubSpace

ROWS = ["00100", "01000", "10000", "00001", "01000", "00100"]


@pytest.fixture(scope="module")
def batch(real_batch):
    """Real images, shrunk to 8x8 pixels."""
    whole = real_batch(4)
    return replace(whole, images=whole.images.double().unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5)))


@pytest.fixture(scope="module")
def tiny():
    """A network with two hundred weights."""
    return Supernet(SubSpace.from_rows(ROWS), channels=1, cells_per_stage=1).double()


def flat_gradient(net, batch, create_graph=False):
    """The gradient as a vector."""
    gradients = gradient(
        loss(net(batch.images), batch.labels), net.weights, create_graph=create_graph
    )
    return torch.cat([each.flatten() for each in gradients.values()])


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_against_the_hessian_of_a_tiny_network(statistics, tiny, batch):
    net = PlainNet(tiny, tiny.sub_space, statistics)
    slope = flat_gradient(net, batch, create_graph=True)
    hessian = torch.stack(
        [
            torch.cat(
                [row.flatten() for row in gradient(one, net.weights, retain_graph=True).values()]
            )
            for one in slope
        ]
    )
    assert torch.allclose(hessian, hessian.T, atol=1e-10)
    weights = torch.cat([weight.detach().flatten() for weight in net.weights.values()])
    expected = -float(weights @ hessian @ slope.detach())
    found = score_operations("grasp", tiny, 0, batch, batch_norm=statistics)
    assert found.values[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_against_a_difference_of_gradients(statistics, small_net, batch):
    """H g is how the gradient changes on a small step along itself."""
    supernet = copy.deepcopy(small_net).double()
    sub_space = supernet.sub_space.keep(3, [3])
    net = PlainNet(supernet, sub_space, statistics)
    slope = flat_gradient(net, batch)
    step = 1e-6 / float(slope.norm())
    weights = torch.cat([weight.detach().flatten() for weight in net.weights.values()])
    ends = [gradient_at(net, batch, weights + sign * step * slope) for sign in (1, -1)]
    expected = -float(weights @ (ends[0] - ends[1])) / (2 * step)
    found = score_operations("grasp", supernet.restrict(sub_space), 3, batch, "paper", statistics)
    assert found.values[0] == pytest.approx(expected, rel=1e-5)


def gradient_at(net, batch, place):
    """The gradient where the weights are these, in one vector."""
    start = 0
    for weight in net.weights.values():
        weight.data = place[start : start + weight.numel()].reshape(weight.shape)
        start += weight.numel()
    return flat_gradient(net, batch)
