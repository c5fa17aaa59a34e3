"""The supernet: its size, initial weights, restriction and probing."""

import itertools
import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from fewshot_core.errors import MetricError, SpaceError
from fewshot_core.nets import (
    BatchNorm,
    Supernet,
    count_parameters,
    probed_weights,
)
from fewshot_core.nets.layers import normalisations
from fewshot_core.space import EDGES, SubSpace

patient = settings(max_examples=15)

edge_sets = st.sets(st.integers(0, 4), min_size=1).map(lambda chosen: tuple(sorted(chosen)))

sub_spaces = st.tuples(*[edge_sets] * 6).map(SubSpace)


def parameters_by_hand(sub_space, classes, channels, cells):
    """Add up what Appendix A lists; a convolution has no bias, batch norm two numbers a channel."""
    enabled = [operation for operations in sub_space.enabled for operation in operations]
    total = 3 * 9 * channels + 2 * channels
    for width in (channels, 2 * channels, 4 * channels):
        one = enabled.count(2) * (width**2 + 2 * width)
        three = enabled.count(3) * (9 * width**2 + 2 * width)
        total += cells * (one + three)
    for width in (channels, 2 * channels):
        wide = 2 * width
        total += 9 * width * wide + 9 * wide**2 + width * wide + 2 * 2 * wide
    return total + 2 * 4 * channels + (4 * channels + 1) * classes


def test_the_full_supernet_has_the_known_size():
    supernet = Supernet(SubSpace.full())
    assert count_parameters(supernet) == 1_699_546
    assert len(probed_weights(supernet)) == 188
    assert parameters_by_hand(SubSpace.full(), 10, 16, 5) == 1_699_546


@pytest.mark.parametrize(("classes", "more"), [(100, 90), (120, 110)])
def test_more_classes_only_widen_the_classifier(classes, more):
    with torch.device("meta"):
        supernet = Supernet(SubSpace.full(), num_classes=classes)
    assert count_parameters(supernet) == 1_699_546 + more * (64 + 1)


@patient
@given(sub_spaces, st.integers(1, 12), st.integers(1, 4), st.integers(1, 3))
def test_a_disabled_operation_has_no_parameters(sub_space, classes, channels, cells):
    with torch.device("meta"):
        supernet = Supernet(sub_space, classes, channels, cells)
    assert count_parameters(supernet) == parameters_by_hand(sub_space, classes, channels, cells)
    convolutions = sum(operation in (2, 3) for edge in sub_space.enabled for operation in edge)
    assert len(probed_weights(supernet)) == 8 + 3 * cells * convolutions


def test_every_convolution_of_a_cell_is_named_by_cell_edge_and_operation():
    supernet = Supernet(SubSpace.full(), channels=2, cells_per_stage=2)
    pattern = re.compile(r"stage(\d)_cell(\d)\.edge_(\d)_(\d)\.(nor_conv_[13]x[13])\.conv\.weight")
    found = [match.groups() for match in map(pattern.fullmatch, probed_weights(supernet)) if match]
    assert found == [
        (str(stage), str(cell), str(target), str(source), operation)
        for stage in (1, 2, 3)
        for cell in (1, 2)
        for target, source in EDGES
        for operation in ("nor_conv_1x1", "nor_conv_3x3")
    ]


@pytest.mark.parametrize(("batch", "pixels", "classes"), [(1, 32, 10), (3, 16, 120)])
def test_images_become_logits(batch, pixels, classes, mixed):
    supernet = Supernet(mixed, classes, channels=2, cells_per_stage=1)
    logits = supernet(torch.randn(batch, 3, pixels, pixels))
    assert logits.shape == (batch, classes)
    assert torch.isfinite(logits).all()


def test_each_stage_has_half_the_pixels_and_twice_the_channels(small, images):
    shapes = {}
    for stage in (1, 2, 3):
        name = f"stage{stage}_cell1"
        small.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: shapes.update({name: output.shape})
        )
    small(images)
    assert shapes == {
        "stage1_cell1": (4, 4, 16, 16),
        "stage2_cell1": (4, 8, 8, 8),
        "stage3_cell1": (4, 16, 4, 4),
    }


def test_a_network_records_what_it_was_built_for(mixed):
    supernet = Supernet(mixed, 7, 3, 2, seed=5)
    assert supernet.sub_space == mixed
    assert (supernet.num_classes, supernet.channels, supernet.cells_per_stage) == (7, 3, 2)
    assert (supernet.seed, supernet.weights, supernet.batch_norm) == (
        5,
        "untrained, seed 5",
        "batch",
    )


@pytest.mark.parametrize("name", ["num_classes", "channels", "cells_per_stage"])
@pytest.mark.parametrize("value", [0, -3])
def test_an_impossible_size_is_refused(name, value):
    with pytest.raises(SpaceError, match=f"expected {name} of at least 1, got {value}"):
        Supernet(SubSpace.full(), **{name: value})


def tiny():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), BatchNorm(4), nn.Flatten(), nn.Linear(4, 2)
    )


def test_trainable_parameters_are_counted_by_hand():
    network = tiny()
    assert count_parameters(network) == 3 * 4 * 9 + 2 * 4 + (4 * 2 + 2)
    network[0].weight.requires_grad_(False)
    assert count_parameters(network) == 2 * 4 + (4 * 2 + 2)


def test_only_convolution_and_linear_weights_are_probed():
    network = tiny()
    weights = probed_weights(network)
    assert list(weights) == ["0.weight", "3.weight"]
    assert weights["0.weight"] is network[0].weight and weights["3.weight"] is network[3].weight


def test_the_probed_weights_of_a_supernet_have_more_than_one_dimension(small):
    weights = probed_weights(small)
    others = {name: tensor for name, tensor in small.named_parameters() if name not in weights}
    assert all(weight.dim() in (2, 4) for weight in weights.values())
    assert all(tensor.dim() == 1 for tensor in others.values())
    assert all(weight is small.get_parameter(name) for name, weight in weights.items())
    assert len(weights) + len(others) == len(list(small.parameters()))


def test_a_network_without_weights_has_none():
    network = nn.Sequential(nn.ReLU(), nn.Flatten())
    assert count_parameters(network) == len(probed_weights(network)) == 0


def build(sub_space=None, seed=0, channels=2):
    return Supernet(sub_space or SubSpace.full(), channels=channels, cells_per_stage=1, seed=seed)


def test_the_same_seed_gives_the_same_weights():
    one, two = build(seed=3).state_dict(), build(seed=3).state_dict()
    assert one.keys() == two.keys()
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_another_seed_changes_every_weight():
    one, two = probed_weights(build(seed=0)), probed_weights(build(seed=1))
    assert not any(torch.equal(weight, two[name]) for name, weight in one.items())


def test_no_two_layers_share_their_weights():
    weights = probed_weights(build()).values()
    assert not any(
        one.shape == two.shape and torch.equal(one, two)
        for one, two in itertools.combinations(weights, 2)
    )


@settings(max_examples=10)
@given(sub_spaces, st.integers(0, 3))
def test_a_sub_space_has_the_weights_of_the_full_network(sub_space, seed):
    own = build(sub_space, seed).state_dict()
    whole = build(seed=seed).state_dict()
    assert own.keys() <= whole.keys()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in own.items())


def test_the_global_random_state_neither_matters_nor_changes(mixed):
    torch.manual_seed(1)
    first = build()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = build()
    second.restrict(mixed)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.stem.conv.weight, second.stem.conv.weight)


def test_weights_are_kaiming_normal_by_fan_out():
    units = []
    for weight in probed_weights(build(channels=16)).values():
        fan_out = weight.shape[0] * math.prod(weight.shape[2:])
        unit = weight.detach().double() / math.sqrt(2 / fan_out)
        error = 1 / math.sqrt(unit.numel())
        assert abs(float(unit.mean())) < 5 * error
        assert float(unit.std()) == pytest.approx(1, abs=5 * error)
        units.append(unit.flatten())
    together = torch.cat(units)
    inside = [float((together.abs() < bound).double().mean()) for bound in (1, 2, 3)]
    assert inside == pytest.approx([0.6827, 0.9545, 0.9973], abs=0.005)


def test_everything_else_starts_as_the_identity(small):
    assert not small.classifier.bias.any()
    layers = normalisations(small)
    assert len(layers) == 1 + 3 * 12 + 2 * 2 + 1
    for layer in layers:
        assert (layer.weight == 1).all() and not layer.bias.any()
        assert not layer.running_mean.any() and (layer.running_var == 1).all()
        assert layer.num_batches_tracked == 0


IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(2))

brief = settings(max_examples=10)


def small_supernet(sub_space):
    return Supernet(sub_space, channels=2, cells_per_stage=1)


@brief
@given(sub_spaces)
def test_the_restricted_network_is_the_one_built_for_the_sub_space(sub_space):
    restricted = small_supernet(SubSpace.full()).restrict(sub_space)
    built = small_supernet(sub_space)
    assert restricted.state_dict().keys() == built.state_dict().keys()
    assert torch.equal(restricted(IMAGES), built(IMAGES))


@brief
@given(sub_spaces, st.data())
def test_restricting_twice_is_restricting_once(sub_space, data):
    smaller = SubSpace(
        tuple(
            tuple(sorted(data.draw(st.sets(st.sampled_from(operations), min_size=1))))
            for operations in sub_space.enabled
        )
    )
    supernet = small_supernet(SubSpace.full())
    twice, once = supernet.restrict(sub_space).restrict(smaller), supernet.restrict(smaller)
    assert dict(twice.named_parameters()).keys() == dict(once.named_parameters()).keys()
    for name, parameter in twice.named_parameters():
        assert parameter is once.get_parameter(name)


def test_parameters_and_buffers_are_the_same_objects(small, mixed):
    restricted = small.restrict(mixed)
    for name, parameter in restricted.named_parameters():
        assert parameter is small.get_parameter(name)
    for name, buffer in restricted.named_buffers():
        assert buffer is small.get_buffer(name)
    assert not any(tensor.is_meta for tensor in restricted.state_dict().values())


def test_a_change_of_one_is_a_change_of_both(small, mixed, images):
    restricted = small.restrict(mixed)
    before = restricted(images)
    with torch.no_grad():
        small.stem.conv.weight.mul_(-1)
    assert not torch.equal(restricted(images), before)


def test_only_enabled_operations_have_gradients(small, mixed, images):
    restricted = small.restrict(mixed)
    functional.cross_entropy(restricted(images), torch.arange(4)).backward()
    enabled = dict(restricted.named_parameters())
    for name, parameter in small.named_parameters():
        assert (parameter.grad is not None) == (name in enabled), name


def test_the_supernet_stays_as_it_was(small, mixed, images):
    names, logits = list(small.state_dict()), small(images)
    restricted = small.restrict(mixed)
    restricted.batch_norm = "running"
    restricted.eval()
    assert small.sub_space == SubSpace.full()
    assert list(small.state_dict()) == names
    assert small.batch_norm == "batch" and small.training
    assert torch.equal(small(images), logits)


def test_the_restricted_network_keeps_how_it_is_set(small, mixed):
    small.weights, small.batch_norm = "checkpoint a.pt", "running"
    restricted = small.eval().restrict(mixed)
    assert restricted.sub_space == mixed
    assert restricted.weights == "checkpoint a.pt"
    assert {layer.mode for layer in normalisations(restricted)} == {"running"}
    assert not any(module.training for module in restricted.modules())
    sizes = ("num_classes", "channels", "cells_per_stage", "seed")
    assert all(getattr(restricted, name) == getattr(small, name) for name in sizes)


def test_it_works_in_another_precision(small, mixed, images):
    restricted = small.double().restrict(mixed)
    assert restricted(images.double()).dtype == torch.float64


@pytest.mark.parametrize("group", [[1, 2], [4]])
def test_restricting_to_disabled_operations_is_an_error(group, small, mixed):
    restricted = small.restrict(mixed.keep(0, [2, 3]))
    other = SubSpace.full().keep(0, group)
    with pytest.raises(SpaceError) as caught:
        restricted.restrict(other)
    assert f"expected a sub-space of {['00110', *mixed.rows[1:]]}" in str(caught.value)
    assert str(caught.value).endswith(f"got {other.rows}")


def settings_of(network):
    """Return everything that probing may touch, and what it must not."""
    return {
        "needed": [parameter.requires_grad for parameter in network.parameters()],
        "modes": [layer.mode for layer in normalisations(network)],
        "training": [module.training for module in network.modules()],
        "gradients": [parameter.grad for parameter in network.parameters()],
    }


@pytest.fixture
def frozen(small):
    """A network with some weights frozen, in evaluation mode, with stored statistics."""
    for number, parameter in enumerate(small.parameters()):
        parameter.requires_grad_(number % 3 == 0)
    small.batch_norm = "running"
    return small.eval()


def test_inside_every_weight_is_differentiable_and_the_batch_norm_set(frozen):
    with frozen.probing("batch"):
        assert all(parameter.requires_grad for parameter in frozen.parameters())
        assert {layer.mode for layer in normalisations(frozen)} == {"batch"}


def test_afterwards_all_is_as_before(frozen, images):
    before = settings_of(frozen)
    weights = {name: tensor.clone() for name, tensor in frozen.state_dict().items()}
    with frozen.probing("batch"):
        loss = frozen(images).sum()
        torch.autograd.grad(loss, frozen.stem.conv.weight)
    assert settings_of(frozen) == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in frozen.state_dict().items())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_inside_puts_all_back_and_gets_out(error, frozen):
    before = settings_of(frozen)
    with pytest.raises(error, match="inside"), frozen.probing("batch"):
        raise error("inside")
    assert settings_of(frozen) == before


def test_an_unknown_mode_is_refused_and_changes_nothing(frozen):
    before = settings_of(frozen)
    reached = []
    with pytest.raises(MetricError, match="unknown batch norm 'none'"), frozen.probing("none"):
        reached.append("inside")
    assert settings_of(frozen) == before and not reached


def test_probing_may_be_nested(frozen):
    before = settings_of(frozen)
    with frozen.probing("batch"):
        outer = settings_of(frozen)
        with frozen.probing("running"):
            assert frozen.batch_norm == "running"
        assert settings_of(frozen) == outer
    assert settings_of(frozen) == before


def test_a_network_restricted_inside_is_set_in_the_same_way(frozen, mixed):
    with frozen.probing("batch"):
        probe = frozen.restrict(mixed)
        assert probe.batch_norm == "batch"
        assert all(parameter.requires_grad for parameter in probe.parameters())
