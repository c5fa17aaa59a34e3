"""Second-order DARTS against the exact second derivative, on a network without kinks."""

import pytest
import torch
from slow_search import slow_loss, slow_softmax
from torch import nn

from fewshot_core.search import ALGORITHMS, SearchOptions
from fewshot_core.search.algorithms.base import ArchitectureStep
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import Examples
from fewshot_core.search.loop import weight_step
from fewshot_core.search.network import Alphas
from fewshot_core.space import SubSpace

SPACE = SubSpace.from_rows(["11100", "10000", "00011", "10000", "10000", "10000"])
RATE, MOMENTUM, DECAY = 0.3, 0.9, 0.02
CPU = Compute(torch.device("cpu"))


class Toy(nn.Module):
    """Two edges one after the other, each a weighted sum of matrices; tanh between them."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.first, self.second = (
            nn.Parameter(torch.randn(count, 4, 4, generator=generator, dtype=torch.float64) / 2)
            for count in (3, 2)
        )

    def forward(self, images, weights):
        return self.logits(images, weights.values[0], weights.values[2], self.first, self.second)

    @staticmethod
    def logits(images, row_1, row_2, first, second):
        hidden = torch.tanh(images @ torch.einsum("o,oij->ij", row_1, first))
        return torch.tanh(hidden @ torch.einsum("o,oij->ij", row_2, second))


@pytest.fixture
def network():
    return Toy()


@pytest.fixture
def alphas():
    made = Alphas(SPACE, torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        made.logits[0].copy_(torch.tensor([0.3, -0.5, 0.9]))
        made.logits[2].copy_(torch.tensor([-0.2, 0.4]))
    return made


@pytest.fixture
def step(network, alphas):
    """An architecture step when there is a large momentum."""
    generator = torch.Generator().manual_seed(4)
    train, valid, earlier = (
        Examples(
            torch.randn(6, 4, generator=generator, dtype=torch.float64),
            torch.randint(4, (6,), generator=generator),
        )
        for _ in range(3)
    )
    optimiser = torch.optim.SGD(
        network.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True
    )
    algorithm = make("darts-1st", alphas)
    with torch.no_grad():
        weights = algorithm.weights(torch.Generator())
    weight_step(network, weights, earlier, optimiser, CPU)
    for state in optimiser.state.values():
        state["momentum_buffer"].mul_(50)
    return ArchitectureStep(network, train, valid, optimiser, torch.Generator(), CPU)


def make(name, alphas):
    return ALGORITHMS.get(name).create(alphas, SearchOptions())


def exact(step, alphas, momentum=MOMENTUM):
    """Differentiate the validation loss through the virtual step (Eq. 6 of DARTS)."""
    rows = [slow_softmax(alphas.logits[edge]) for edge in (0, 2)]
    weights = [p.detach().clone().requires_grad_() for p in step.network.parameters()]
    train = slow_loss(Toy.logits(step.train.images, *rows, *weights), step.train.labels)
    gradients = torch.autograd.grad(train, weights, create_graph=True)
    buffers = [step.optimiser.state[p]["momentum_buffer"] for p in step.network.parameters()]
    ahead = [
        weight - RATE * (gradient + DECAY * weight.detach() + momentum * buffer)
        for weight, gradient, buffer in zip(weights, gradients, buffers, strict=True)
    ]
    valid = slow_loss(Toy.logits(step.valid.images, *rows, *ahead), step.valid.labels)
    return list(torch.autograd.grad(valid, [alphas.logits[0], alphas.logits[2]]))


def test_it_is_the_exact_gradient_up_to_the_finite_difference(step, alphas):
    found = make("darts-2nd", alphas).gradients(step)
    torch.testing.assert_close(found, exact(step, alphas), rtol=2e-4, atol=1e-7)


def test_the_momentum_factor_is_applied(step, alphas):
    found = make("darts-2nd", alphas).gradients(step)
    difference = max(
        float((one - other).abs().max())
        for one, other in zip(found, exact(step, alphas, momentum=1.0), strict=True)
    )
    assert difference > 1e-4


def test_the_second_term_counts(step, alphas):
    second = make("darts-2nd", alphas).gradients(step)
    first = make("darts-1st", alphas).gradients(step)
    assert max(float((a - b).abs().max()) for a, b in zip(first, second, strict=True)) > 1e-3


def test_without_a_virtual_step_it_is_the_first_order(step, alphas):
    step.optimiser.param_groups[0]["lr"] = 0.0
    second = make("darts-2nd", alphas).gradients(step)
    torch.testing.assert_close(second, make("darts-1st", alphas).gradients(step))


def test_the_weights_are_put_back_to_the_last_bit(step, alphas):
    before = [parameter.detach().clone() for parameter in step.network.parameters()]
    buffers = [s["momentum_buffer"].clone() for s in step.optimiser.state.values()]
    make("darts-2nd", alphas).gradients(step)
    assert all(map(torch.equal, before, step.network.parameters()))
    after = [s["momentum_buffer"] for s in step.optimiser.state.values()]
    assert all(map(torch.equal, buffers, after))


def test_a_flat_loss_gives_no_gradient(step, alphas):
    flat = Examples(torch.zeros_like(step.valid.images), step.valid.labels)
    still = ArchitectureStep(step.network, flat, flat, step.optimiser, step.generator, CPU)
    found = make("darts-2nd", alphas).gradients(still)
    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in found)
