"""The fast form of a cell against the one that computes operation by operation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.nets import Supernet, composing, held_statistics
from fewshot_core.nets import cell as cells
from fewshot_core.nets.cell import Cell
from fewshot_core.nets.layers import initialise
from fewshot_core.space import SubSpace

patient = settings(max_examples=12)
edge_sets = st.sets(st.integers(0, 4), min_size=1).map(lambda chosen: tuple(sorted(chosen)))
sub_spaces = st.tuples(*[edge_sets] * 6).map(SubSpace)
TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}


def make_cell(sub_space, channels, dtype, seed=0):
    """Return a cell in which nothing is zero or one."""
    cell = Cell(channels, sub_space)
    initialise(cell, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            if "norm" in name:
                parameter.add_(torch.rand(parameter.shape, generator=generator) - 0.5)
    return cell.to(dtype)


def inputs_of(cell, shares, dtype, size=(6, 4, 7, 5)):
    generator = torch.Generator().manual_seed(5)
    features = torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)
    leaves = [features + 0.3, *([] if shares is None else [shares.to(dtype)])]
    return [*(leaf.detach().requires_grad_() for leaf in leaves), *cell.parameters()]


def draw_shares(sub_space, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(sum(map(len, sub_space.enabled)), generator=generator, dtype=torch.float64)


def outputs_and_gradients(cell, leaves, shares, path=None):
    """Return the output and all gradients of a function of it that nothing is symmetric in."""
    output = cell(leaves[0], None if shares is None else leaves[1], path)
    slopes = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view_as(output)
    if not output.requires_grad:  # nothing is connected
        return [output, *(None for _ in leaves)]
    gradients = torch.autograd.grad(
        (output * slopes.cos()).sum() + output.square().mean(), leaves, allow_unused=True
    )
    return [output, *gradients]


def assert_same(found, expected, tolerance):
    """Compare up to a share of the largest number in all of the tensors; none is zero.

    A gradient of a weight that batch norm follows is a difference of larger numbers.
    """
    tensors = [tensor.detach() for tensor in expected if tensor is not None]
    scale = max([1.0, *(float(tensor.abs().max()) for tensor in tensors)])
    for one, other in zip(found, expected, strict=True):
        if one is None or other is None:
            assert not any(item is not None and item.any() for item in (one, other))
        else:
            torch.testing.assert_close(one / scale, other / scale, rtol=0, atol=tolerance)


def fed(sub_space):
    """Return a sub-space in which nodes 1 and 2 see the images: no deviation is then zero.

    To normalise something constant is to magnify rounding errors by 300.
    """
    first, second, *others = (set(row) for row in sub_space.enabled)
    return SubSpace(tuple(tuple(sorted(row)) for row in (first | {1}, second | {1}, *others)))


def compare(sub_space, dtype, weighted, path=None):
    sub_space = fed(sub_space) if dtype == torch.float32 else sub_space
    cell = make_cell(sub_space, 4, dtype)
    shares = draw_shares(sub_space) if weighted else None
    leaves = inputs_of(cell, shares, dtype)
    found = outputs_and_gradients(cell, leaves, shares, path)
    with composing(cell):
        expected = outputs_and_gradients(cell, leaves, shares, path)
    assert_same(found[:1], expected[:1], TOLERANCES[dtype])
    assert_same(found[1:], expected[1:], TOLERANCES[dtype])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCES)
@patient
@given(sub_spaces)
def test_outputs_and_gradients_are_those_of_the_slow_form(dtype, weighted, sub_space):
    compare(sub_space, dtype, weighted)


@pytest.mark.parametrize("dtype", TOLERANCES)
@patient
@given(st.tuples(*[st.integers(0, 4)] * 6))
def test_so_they_are_on_a_path(dtype, path):
    if dtype == torch.float32:
        path = (path[0] or 1, path[1] or 1, *path[2:])
    compare(SubSpace.full(), dtype, True, path)


@patient
@given(sub_spaces)
def test_second_derivatives_are_those_of_the_slow_form(sub_space):
    cell = make_cell(sub_space, 3, torch.float64)
    shares = draw_shares(sub_space)
    leaves = inputs_of(cell, shares, torch.float64, (4, 3, 4, 4))

    def second():
        output = cell(leaves[0], leaves[1])
        if not output.requires_grad:  # nothing is connected
            return [torch.zeros_like(leaf) for leaf in leaves]
        first = torch.autograd.grad(
            output.sin().sum(), leaves, create_graph=True, allow_unused=True, materialize_grads=True
        )
        total = sum((gradient * gradient).sum() for gradient in first)
        if not total.requires_grad:
            return [torch.zeros_like(leaf) for leaf in leaves]
        return list(torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True))

    found = second()
    with composing(cell):
        expected = second()
    assert_same(found, expected, 1e-9)


@pytest.mark.parametrize("wanted", range(3))
def test_gradients_that_are_not_requested_are_not_computed(wanted):
    """Only features, only shares, or only tensors need a gradient."""
    sub_space = SubSpace.full()
    cell = make_cell(sub_space, 4, torch.float64)
    shares = draw_shares(sub_space)
    leaves = inputs_of(cell, shares, torch.float64)
    groups = [leaves[:1], leaves[1:2], leaves[2:]]
    for number, group in enumerate(groups):
        for leaf in group:
            leaf.requires_grad_(number == wanted)

    def gradients():
        output = cell(leaves[0], leaves[1])
        return list(torch.autograd.grad(output.square().sum(), groups[wanted]))

    found = gradients()
    with composing(cell):
        expected = gradients()
    assert_same(found, expected, 1e-10)


def test_the_whole_network_agrees(images, mixed):
    supernet = Supernet(SubSpace.full(), channels=4, cells_per_stage=2).double()
    for network in (supernet, supernet.restrict(mixed)):
        found = logits_and_gradients(network, images.double())
        with composing(network):
            expected = logits_and_gradients(network, images.double())
        assert_same(found, expected, 1e-9)


def logits_and_gradients(network, images):
    logits = network(images)
    return [logits, *torch.autograd.grad(logits.square().sum(), list(network.parameters()))]


@pytest.fixture
def fast_calls(monkeypatch):
    """Count how often the fast form is used."""
    calls = []
    usual = cells.fast_cell

    def counted(*arguments):
        calls.append(arguments)
        return usual(*arguments)

    monkeypatch.setattr(cells, "fast_cell", counted)
    return calls


def test_the_fast_form_is_used_with_statistics_of_the_batch(small, images, fast_calls):
    small(images)
    assert len(fast_calls) == 3


def test_it_is_not_used_where_it_would_be_wrong(small, images, fast_calls):
    with held_statistics(small):
        small(images)
    small.batch_norm = "running"
    small(images)
    small.batch_norm = "batch"
    with composing(small):
        small(images)
    with torch.autocast("cpu", torch.bfloat16):
        small(images)
    small.to("meta")(images.to("meta"))
    assert not fast_calls


def test_a_forgotten_network_is_as_before(small):
    cell = small.stage1_cell1
    with pytest.raises(ValueError, match="inside"), composing(small):
        assert cell.composed
        raise ValueError("inside")
    assert not cell.composed


def test_inputs_are_not_changed(small, images):
    cell = make_cell(SubSpace.full(), 4, torch.float32)
    leaves = inputs_of(cell, None, torch.float32)
    before = [leaf.detach().clone() for leaf in leaves]
    output = cell(leaves[0])
    gradient = torch.ones_like(output)
    torch.autograd.grad(output, leaves, gradient)
    assert all(torch.equal(leaf, was) for leaf, was in zip(leaves, before, strict=True))
    assert torch.equal(gradient, torch.ones_like(output))
