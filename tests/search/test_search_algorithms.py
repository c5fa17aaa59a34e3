"""Search algorithms: their registry, and gradients compared with slow, plain forms."""

from dataclasses import fields
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from slow_search import slow_logits, slow_loss, slow_softmax
from torch import nn

from fewshot_core.errors import UnknownNameError
from fewshot_core.search import ALGORITHMS, SearchOptions, list_algorithms
from fewshot_core.search.algorithms.base import Algorithm, ArchitectureStep, gradients_of
from fewshot_core.search.algorithms.dsnas import Dsnas
from fewshot_core.search.algorithms.snas import Snas, concrete, gumbel
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import Examples
from fewshot_core.search.loop import weight_step
from fewshot_core.search.network import Alphas
from fewshot_core.space import SubSpace


def test_the_algorithms_of_the_paper_are_there():
    assert list_algorithms() == ["darts-1st", "darts-2nd", "snas", "dsnas"]


@pytest.mark.parametrize("info", ALGORITHMS, ids=lambda info: info.name)
def test_a_record_contains_all_fields(info):
    assert info.label
    assert info.description.endswith(".")
    assert "paper" in info.source
    assert set(info.options) <= {field.name for field in fields(SearchOptions)}


@pytest.mark.parametrize("info", ALGORITHMS, ids=lambda info: info.name)
def test_a_factory_makes_an_algorithm(info):
    alphas = Alphas(SubSpace.full(), torch.Generator())
    made = info.create(alphas, SearchOptions())
    assert isinstance(made, Algorithm)
    made.start_epoch(0)
    assert (made.temperature is not None) == (info.name == "snas")
    weights = made.weights(torch.Generator())
    assert [len(row) for row in weights.values] == [5] * 6
    assert (weights.path is not None) == (info.name == "dsnas")


def test_an_unknown_algorithm_is_an_error():
    with pytest.raises(UnknownNameError, match="unknown search algorithm 'enas': expected one of"):
        ALGORITHMS.get("enas")


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
    """Make the function that maps logits to the weight of each operation."""
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


SPACE = SubSpace.from_rows(["11100", "10000", "00011", "10000", "10000", "10000"])
RATE, MOMENTUM, DECAY = 0.3, 0.9, 0.02


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


def algorithm(sub_space, **options):
    return Snas(Alphas(sub_space, torch.Generator().manual_seed(1)), SearchOptions(**options))


def test_the_temperature_falls_by_cosine_from_the_first_epoch_to_the_last():
    snas = algorithm(SubSpace.full(), epochs=5)
    found = []
    for epoch in range(5):
        snas.start_epoch(epoch)
        found.append(snas.temperature)
    half = 2**-0.5
    expected = [1.0, 0.55 + 0.45 * half, 0.55, 0.55 - 0.45 * half, 0.1]
    assert found == pytest.approx(expected)


def test_the_temperature_can_fall_on_a_line():
    snas = algorithm(SubSpace.full(), epochs=4, temperature_schedule="linear")
    found = []
    for epoch in range(4):
        snas.start_epoch(epoch)
        found.append(snas.temperature)
    assert found == pytest.approx([1.0, 0.7, 0.4, 0.1])


def test_a_draw_is_a_distribution_over_the_enabled_operations(mixed):
    weights = algorithm(mixed).weights(torch.Generator().manual_seed(2))
    assert [len(row) for row in weights.values] == [3, 1, 2, 5, 1, 2]
    assert [float(row.detach().sum()) for row in weights.values] == pytest.approx([1.0] * 6)
    assert weights.path is None


def test_edges_are_drawn_independently():
    snas = algorithm(SubSpace.full())
    rows = snas.weights(torch.Generator().manual_seed(2)).values
    assert len({tuple(row.tolist()) for row in rows}) == 6


def test_the_same_generator_draws_the_same(mixed):
    snas = algorithm(mixed)
    one, two = (snas.weights(torch.Generator().manual_seed(2)) for _ in range(2))
    assert all(map(torch.equal, one.values, two.values))


def test_an_edge_without_a_choice_has_weight_one_and_no_gradient(mixed):
    row = algorithm(mixed).weights(torch.Generator().manual_seed(2)).values[1]
    assert row.tolist() == [1.0]
    assert not row.requires_grad


def test_the_colder_the_closer_to_a_choice_with_the_softmax_as_its_probability():
    logits = torch.tensor([1.0, 0.0, -1.0])
    generator = torch.Generator().manual_seed(3)
    draws = torch.stack([concrete(logits, gumbel(3, generator), 0.01) for _ in range(4000)])
    assert float(draws.max(dim=1).values.mean()) > 0.99
    torch.testing.assert_close(draws.mean(dim=0), torch.softmax(logits, dim=0), atol=0.02, rtol=0)


def test_gumbel_noise_is_standard_and_finite():
    noise = gumbel(100_000, torch.Generator().manual_seed(0))
    assert bool(noise.isfinite().all())
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.02)
    assert float(noise.var()) == pytest.approx(1.6449, abs=0.05)


TINY = SubSpace.from_rows(["01010", "00010", "10110", "01000", "00001", "10010"])


@pytest.fixture
def dsnas(double_alphas):
    return Dsnas(double_alphas(TINY), SearchOptions())


def paths(sub_space):
    return list(product(*[range(len(row)) for row in sub_space.enabled]))


def probability(alphas, path):
    rows = [slow_softmax(logits.detach()) for logits in alphas.logits]
    return float(torch.stack([row[k] for row, k in zip(rows, path, strict=True)]).prod())


def slow_estimate(network, alphas, step, path):
    """Return c_e (one-hot - p) of each open edge, with a dummy factor of one on every edge."""
    ones = [torch.ones((), dtype=torch.float64, requires_grad=True) for _ in range(6)]
    rows = []
    for edge, position in enumerate(path):
        row = torch.zeros(len(TINY.enabled[edge]), dtype=torch.float64)
        row[position] = 1
        rows.append(row)
    tensors = dict(network.supernet.named_parameters())
    logits = slow_logits(tensors, TINY, step.valid.images, rows, ones)
    costs = torch.autograd.grad(slow_loss(logits, step.valid.labels), ones)
    return [
        costs[edge] * (rows[edge] - slow_softmax(alphas.logits[edge].detach()))
        for edge in (0, 2, 5)
    ]


def test_the_expected_gradient_is_that_of_going_through_all_paths(dsnas, double_net, make_step):
    network = double_net(TINY)
    step = make_step(network)
    assert len(paths(TINY)) == 12
    found = [torch.zeros(n, dtype=torch.float64) for n in (2, 3, 2)]
    expected = [torch.zeros(n, dtype=torch.float64) for n in (2, 3, 2)]
    for path in paths(TINY):
        share = probability(dsnas.alphas, path)
        slow = slow_estimate(network, dsnas.alphas, step, path)
        for total, part in zip(expected, slow, strict=True):
            total += share * part
        for total, part in zip(found, dsnas.estimate(step, path), strict=True):
            total += share * part
    assert max(float(gradient.abs().max()) for gradient in expected) > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-11)


def additive_step(values, seed=0):
    """Return a step whose loss is a sum over edges of what their choice costs."""

    def gradients(weights, tensors):
        rows = zip(weights.values, values, strict=True)
        loss = torch.stack([(row * value).sum() for row, value in rows]).sum()
        return gradients_of(loss, tensors)

    return SimpleNamespace(gradients=gradients, generator=torch.Generator().manual_seed(seed))


def test_for_an_additive_loss_draws_average_to_the_gradient_of_the_expected_loss(dsnas):
    generator = torch.Generator().manual_seed(6)
    values = [torch.randn(len(row), generator=generator).double() for row in TINY.enabled]
    rows = [slow_softmax(logits) for logits in dsnas.alphas.logits]
    expected_loss = sum((row * value).sum() for row, value in zip(rows, values, strict=True))
    exact = torch.autograd.grad(expected_loss, dsnas.alphas.open_logits())
    step = additive_step(values)
    draws = [torch.cat(dsnas.gradients(step)) for _ in range(3000)]
    mean, error = torch.stack(draws).mean(dim=0), torch.stack(draws).std(dim=0) / 3000**0.5
    assert bool(((mean - torch.cat(exact)).abs() < 4 * error + 1e-12).all())


def test_paths_are_drawn_with_the_softmax_as_their_probability(dsnas):
    generator = torch.Generator().manual_seed(1)
    drawn = [dsnas.weights(generator).path for _ in range(4000)]
    for path in paths(TINY):
        share = probability(dsnas.alphas, path)
        assert drawn.count(path) / 4000 == pytest.approx(share, abs=0.03)


def test_a_path_counts_one_operation_of_each_edge(dsnas):
    weights = dsnas.weights(torch.Generator().manual_seed(1))
    for position, row in zip(weights.path, weights.values, strict=True):
        assert row.tolist() == [float(k == position) for k in range(len(row))]


def test_a_path_of_nothing_costs_nothing(double_alphas, double_net, make_step):
    space = SubSpace.from_rows(["11000"] * 6)
    dsnas = Dsnas(double_alphas(space), SearchOptions())
    found = dsnas.estimate(make_step(double_net(space)), (0,) * 6)
    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in found)


def with_probabilities(*rows, **options):
    """Return DSNAS in the full space with given probabilities on the first edges."""
    alphas = Alphas(SubSpace.full(), torch.Generator().manual_seed(0))
    dsnas = Dsnas(alphas, SearchOptions(**options))
    with torch.no_grad():
        for edge, row in enumerate(rows):
            dsnas.alphas.logits[edge].copy_(torch.tensor(row).log())
    return dsnas


def test_an_edge_is_decided_when_one_operation_is_ahead_by_the_threshold():
    dsnas = with_probabilities([0.02, 0.86, 0.04, 0.05, 0.03], [0.02, 0.84, 0.04, 0.06, 0.04])
    dsnas.end_epoch()
    assert dsnas.alphas.decided == {0: 1}
    assert dsnas.alphas.open_edges == [1, 2, 3, 4, 5]


def test_the_threshold_is_on_the_lead_and_not_on_the_probability():
    dsnas = with_probabilities([0.15, 0.85, 1e-9, 1e-9, 1e-9], stopping_threshold=0.69)
    dsnas.end_epoch()
    assert dsnas.alphas.decided == {0: 1}
    dsnas = with_probabilities([0.15, 0.85, 1e-9, 1e-9, 1e-9], stopping_threshold=0.71)
    dsnas.end_epoch()
    assert dsnas.alphas.decided == {}


def test_a_decided_edge_stays_decided_is_always_drawn_and_learns_nothing():
    dsnas = with_probabilities([0.01, 0.01, 0.01, 0.96, 0.01])
    dsnas.end_epoch()
    with torch.no_grad():
        dsnas.alphas.logits[0].copy_(torch.tensor([0.96, 0.01, 0.01, 0.01, 0.01]).log())
    dsnas.end_epoch()
    generator = torch.Generator().manual_seed(0)
    assert {dsnas.weights(generator).path[0] for _ in range(50)} == {3}
    step = additive_step([torch.ones(5)] * 6)
    assert len(dsnas.gradients(step)) == 5
    assert dsnas.alphas.table()[0] == (0, 0, 0, 1, 0)
    assert dsnas.alphas.entropy()[0] == 0
    assert dsnas.alphas.architecture().operations[0] == 3
