import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from fewshot_core.errors import SpaceError
from fewshot_core.nets import Supernet
from fewshot_core.nets.layers import normalisations
from fewshot_core.space import SubSpace

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(2))

patient = settings(max_examples=10, deadline=None)
edge_sets = st.sets(st.integers(0, 4), min_size=1).map(lambda chosen: tuple(sorted(chosen)))
sub_spaces = st.tuples(*[edge_sets] * 6).map(SubSpace)


def build(sub_space):
    return Supernet(sub_space, channels=2, cells_per_stage=1)


@patient
@given(sub_spaces)
def test_the_restricted_network_is_the_one_built_for_the_sub_space(sub_space):
    restricted, built = build(SubSpace.full()).restrict(sub_space), build(sub_space)
    assert restricted.state_dict().keys() == built.state_dict().keys()
    assert torch.equal(restricted(IMAGES), built(IMAGES))


@patient
@given(sub_spaces, st.data())
def test_restricting_twice_is_restricting_once(sub_space, data):
    smaller = SubSpace(
        tuple(
            tuple(sorted(data.draw(st.sets(st.sampled_from(operations), min_size=1))))
            for operations in sub_space.enabled
        )
    )
    supernet = build(SubSpace.full())
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


def test_gradients_reach_what_is_enabled_and_nothing_else(small, mixed, images):
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
def test_what_is_not_enabled_cannot_be_restricted_to(group, small, mixed):
    restricted = small.restrict(mixed.keep(0, [2, 3]))
    other = SubSpace.full().keep(0, group)
    with pytest.raises(SpaceError) as caught:
        restricted.restrict(other)
    assert f"expected a sub-space of {['00110', *mixed.rows[1:]]}" in str(caught.value)
    assert str(caught.value).endswith(f"got {other.rows}")
