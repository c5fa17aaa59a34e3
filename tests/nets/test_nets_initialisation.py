import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.nets.layers import normalisations
from fewshot_core.space import SubSpace

edge_sets = st.sets(st.integers(0, 4), min_size=1).map(lambda chosen: tuple(sorted(chosen)))
sub_spaces = st.tuples(*[edge_sets] * 6).map(SubSpace)


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


@settings(max_examples=10, deadline=None)
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
