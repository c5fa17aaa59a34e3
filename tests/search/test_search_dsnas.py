"""DSNAS: single paths, the estimator, and early stopping."""

from itertools import product
from types import SimpleNamespace

import pytest
import torch
from slow_search import slow_logits, slow_loss, slow_softmax

from fewshot_core.search import SearchOptions
from fewshot_core.search.algorithms.base import gradients_of
from fewshot_core.search.algorithms.dsnas import Dsnas
from fewshot_core.search.network import Alphas
from fewshot_core.space import SubSpace

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
