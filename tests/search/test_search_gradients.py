"""The gradients of every algorithm against plain forms written down from the papers."""

import pytest
import torch
from slow_search import slow_logits, slow_loss, slow_softmax

from fewshot_core.search import ALGORITHMS, SearchOptions
from fewshot_core.search.compute import Compute
from fewshot_core.search.loop import weight_step
from fewshot_core.space import SubSpace

CPU = Compute(torch.device("cpu"))
TEMPERATURE = 0.4


@pytest.fixture
def make_algorithm(double_alphas):
    def make(name, sub_space):
        options = SearchOptions(temperature=TEMPERATURE)
        return ALGORITHMS.get(name).create(double_alphas(sub_space), options)

    return make


def drawn_noise(generator, alphas):
    """Return the Gumbel noise of each edge, by its textbook formula."""
    noise = [torch.zeros(1)] * 6
    for edge in alphas.open_edges:
        uniform = torch.rand(len(alphas.logits[edge]), generator=generator)
        noise[edge] = -torch.log(-torch.log(uniform)).double()
    return noise


def slow_weights(name, alphas, generator):
    """Return what each operation counts, as a function of the logits."""
    if name == "snas":
        noise = drawn_noise(generator, alphas)
        return [
            slow_softmax((logits + noise[edge]) / TEMPERATURE)
            for edge, logits in enumerate(alphas.logits)
        ]
    return [slow_softmax(logits) for logits in alphas.logits]


@pytest.mark.parametrize("name", ["darts-1st", "snas"])
def test_the_architecture_gradient_is_that_of_the_plain_form(
    name, mixed, double_net, make_step, make_algorithm
):
    network, algorithm = double_net(mixed), make_algorithm(name, mixed)
    step = make_step(network, seed=5)
    found = algorithm.gradients(step)
    tensors = dict(network.supernet.named_parameters())
    rows = slow_weights(name, algorithm.alphas, torch.Generator().manual_seed(5))
    loss = slow_loss(slow_logits(tensors, mixed, step.valid.images, rows), step.valid.labels)
    expected = torch.autograd.grad(loss, algorithm.alphas.open_logits())
    assert [len(gradient) for gradient in found] == [3, 2, 5, 2]
    assert max(float(gradient.abs().max()) for gradient in expected) > 1e-3
    torch.testing.assert_close(found, list(expected), rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("name", ["darts-1st", "darts-2nd", "snas", "dsnas"])
def test_the_weight_gradient_is_that_of_the_plain_form(
    name, mixed, double_net, make_step, make_algorithm
):
    network, algorithm = double_net(mixed), make_algorithm(name, mixed)
    step = make_step(network)
    named = network.supernet.named_parameters()
    tensors = {key: tensor.detach().clone().requires_grad_() for key, tensor in named}
    with torch.no_grad():
        weights = algorithm.weights(torch.Generator().manual_seed(9))
    if name == "dsnas":
        rows = weights.values
        assert [row.tolist().count(1) for row in rows] == [1] * 6
    else:
        rows = slow_weights(name, algorithm.alphas, torch.Generator().manual_seed(9))
    loss = slow_loss(slow_logits(tensors, mixed, step.train.images, rows), step.train.labels)
    expected = torch.autograd.grad(
        loss, list(tensors.values()), allow_unused=True, materialize_grads=True
    )
    found, _ = weight_step(network, weights, step.train, step.optimiser, CPU)
    torch.testing.assert_close(found, loss, rtol=1e-9, atol=0)
    for (key, parameter), gradient in zip(
        network.supernet.named_parameters(), expected, strict=True
    ):
        actual = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(actual, gradient, rtol=1e-8, atol=1e-11, msg=key)


@pytest.mark.parametrize("name", ["darts-1st", "darts-2nd", "snas", "dsnas"])
def test_architecture_and_weight_steps_do_not_mix(
    name, mixed, double_net, make_step, make_algorithm
):
    network, algorithm = double_net(mixed), make_algorithm(name, mixed)
    step = make_step(network)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    algorithm.gradients(step)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(logits.grad is None for logits in algorithm.alphas.logits)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    with torch.no_grad():
        weights = algorithm.weights(torch.Generator().manual_seed(9))
    logits = [tensor.detach().clone() for tensor in algorithm.alphas.logits]
    weight_step(network, weights, step.train, step.optimiser, CPU)
    assert all(tensor.grad is None for tensor in algorithm.alphas.logits)
    assert all(map(torch.equal, logits, algorithm.alphas.logits))


def test_gradients_of_an_earlier_step_are_not_added(double_net, mixed, make_step, make_algorithm):
    network, algorithm = double_net(mixed), make_algorithm("darts-1st", mixed)
    step = make_step(network)
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 1e6)
    weights = algorithm.weights(torch.Generator())
    frozen = type(weights)(tuple(row.detach() for row in weights.values))
    weight_step(network, frozen, step.train, step.optimiser, CPU)
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert max(float(gradient.abs().max()) for gradient in gradients) < 1e3


def test_the_gradient_is_clipped_as_a_whole(double_net, mixed, make_step, make_algorithm):
    network, algorithm = double_net(mixed), make_algorithm("darts-1st", mixed)
    step = make_step(network)
    with torch.no_grad():
        weights = algorithm.weights(torch.Generator())
    weight_step(network, weights, step.train, step.optimiser, CPU, clip=0.01)
    squares = sum(float((p.grad**2).sum()) for p in network.parameters() if p.grad is not None)
    assert squares**0.5 == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("name", ["darts-1st", "darts-2nd", "snas", "dsnas"])
def test_choices_that_lead_nowhere_have_no_gradient(name, double_net, make_step, make_algorithm):
    dead_end = SubSpace.from_rows(["11111", "11111", "11111", "10000", "10000", "10000"])
    algorithm = make_algorithm(name, dead_end)
    found = algorithm.gradients(make_step(double_net(dead_end)))
    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in found)
