"""SNAS: the concrete distribution and its temperature."""

import pytest
import torch

from fewshot_core.search import SearchOptions
from fewshot_core.search.algorithms.snas import Snas, concrete, gumbel
from fewshot_core.search.network import Alphas
from fewshot_core.space import SubSpace


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
