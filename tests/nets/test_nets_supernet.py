import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.errors import SpaceError
from fewshot_core.nets import Supernet, count_parameters, probed_weights, weight_layer_count
from fewshot_core.space import EDGES, SubSpace

patient = settings(max_examples=15, deadline=None)
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
    assert weight_layer_count(supernet) == 188
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
    assert weight_layer_count(supernet) == 8 + 3 * cells * convolutions


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


def test_a_network_knows_what_it_was_built_for(mixed):
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
