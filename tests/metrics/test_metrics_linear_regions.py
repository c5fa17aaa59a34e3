"""Counting linear regions: on networks whose regions are known, and on the thin network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from metrics_textbook import PlainMacro, PlainNet
from torch import nn
from torch.nn import functional

from fewshot_core.metrics import score_operations
from fewshot_core.metrics.linear_regions import (
    count_patterns,
    draw_crops,
    regions_of_thin_net,
    thin_net,
)
from fewshot_core.nets import Supernet
from fewshot_core.space import SubSpace


class Hinges(nn.Module):
    """ReLUs that bend at 0, 1 and 2, in all the ways that they can be called."""

    def forward(self, numbers):
        first = torch.relu(numbers)
        second = functional.relu(numbers - 1)
        third = nn.ReLU(inplace=True)(numbers - 2)
        return first + second.relu() + third.relu_()


@pytest.mark.parametrize(
    ("points", "regions"),
    [([5], 1), ([-1, -2], 1), ([-1, 0, 0.5], 2), ([-1, 0.5, 1.5, 3], 4), ([2.5, 9, 0.1, 0.9], 2)],
)
def test_pieces_of_a_line(points, regions):
    assert count_patterns(Hinges(), torch.tensor(points)[:, None]) == regions


def test_pieces_of_a_plane():
    """Two lines cut the plane into four quadrants; nine by nine points lie in all of them."""
    side = torch.linspace(-1, 1.1, 9)
    points = torch.cartesian_prod(side, side)
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 2.0], [1.0, -1.0]]))
    assert count_patterns(network, points) == 4


def test_a_network_without_relus_has_one_region():
    assert count_patterns(nn.Linear(2, 1), torch.randn(5, 2)) == 1


def test_many_units_are_distinguished():
    """Each of 20 samples switches another of 1,000 units on."""
    inputs = torch.zeros(20, 1000)
    inputs[range(20), range(0, 1000, 50)] = 1
    assert count_patterns(nn.ReLU(), inputs) == 20
    assert count_patterns(nn.ReLU(), inputs.repeat(3, 1)) == 20


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_units_that_are_not_finite_give_no_number(broken):
    assert np.isnan(count_patterns(Hinges(), torch.tensor([[1.0], [broken]])))


SUB_SPACES = {
    "everything": ["11111"] * 6,
    "some": ["01010", "10100", "00011", "11000", "00010", "01100"],
    "no convolution": ["11001"] * 6,
}


@pytest.mark.parametrize("rows", SUB_SPACES.values(), ids=SUB_SPACES)
@pytest.mark.parametrize("batch_norm", ["batch", "running"])
def test_the_thin_network_is_one_cell_of_one_channel(rows, batch_norm, image_batch):
    sub_space = SubSpace.from_rows(rows)
    thin = thin_net(sub_space, seed=3, batch_norm=batch_norm)
    plain = PlainNet(Supernet(sub_space, channels=1, cells_per_stage=1), sub_space, batch_norm)
    plain.tensors = {name: tensor.double() for name, tensor in thin.state_dict().items()}
    crops = draw_crops(image_batch(16).images, [0, 0])
    features = plain.relu(plain.norm("norm", plain.cell("cell", crops.double())))
    torch.testing.assert_close(thin(crops).double(), features, rtol=1e-4, atol=1e-5)
    patterns = {tuple(torch.cat(bits).tolist()) for bits in zip(*plain.active, strict=True)}
    assert count_patterns(thin, crops) == pytest.approx(len(patterns), abs=2)  # float32 at zero


@pytest.mark.parametrize("batch_norm", ["batch", "running"])
def test_the_thin_network_of_a_chain_is_the_probed_layer(batch_norm, small_macro, image_batch):
    sub_space = small_macro.sub_space.keep(1, [0, 2])
    thin = thin_net(sub_space, 3, batch_norm, edge=1)
    plain = PlainMacro(small_macro, sub_space, batch_norm)
    state = {name.replace("layer1", "layers.1"): one for name, one in thin.state_dict().items()}
    plain.tensors = {name: tensor.double() for name, tensor in state.items()}
    crops = draw_crops(image_batch(16).images, [0, 0])
    features = plain.relu(plain.norm("norm", plain.layer(1, crops.double(), stride=1)))
    torch.testing.assert_close(thin(crops).double(), features, rtol=1e-4, atol=1e-5)
    patterns = {tuple(torch.cat(bits).tolist()) for bits in zip(*plain.active, strict=True)}
    assert count_patterns(thin, crops) == pytest.approx(len(patterns), abs=2)  # float32 at zero


@pytest.mark.parametrize("edge", [0, 7])
def test_counts_distinguish_the_operations_of_a_chain(edge, small_macro, image_batch):
    scores = score_operations("linear_regions", small_macro, edge, image_batch(64))
    assert len(set(scores.values)) == 3 and not scores.degenerate
    assert all(100 < value < 1000 for value in scores.values)


def test_thin_networks_of_sub_spaces_share_their_weights():
    whole = dict(thin_net(SubSpace.full(), seed=2).named_parameters())
    part = dict(thin_net(SubSpace.full().keep(0, [2]), seed=2).named_parameters())
    assert set(part) < set(whole)
    assert all(torch.equal(part[name], whole[name]) for name in part)
    other = dict(thin_net(SubSpace.full(), seed=3).named_parameters())
    name = "cell.edge_1_0.nor_conv_3x3.conv.weight"
    assert not torch.equal(other[name], whole[name])


def test_crops_are_windows_of_the_images_at_different_places(image_batch):
    images = image_batch(2).images
    crops = draw_crops(images, [1])
    assert crops.shape == (1000, 1, 3, 3)
    windows = {
        images[image, channel, y : y + 3, x : x + 3].numpy().tobytes()
        for image in range(2)
        for channel in range(3)
        for y in range(30)
        for x in range(30)
    }
    assert {crop.numpy().tobytes() for crop in crops} <= windows
    counter = torch.arange(2 * 3 * 32 * 32.0).reshape(2, 3, 32, 32)
    assert len({float(crop[0, 0, 0]) for crop in draw_crops(counter, [1])}) == 1000


def test_crops_are_drawn_by_the_seed(image_batch):
    images = image_batch(4).images
    assert torch.equal(draw_crops(images, [0, 1]), draw_crops(images, [0, 1]))
    assert not torch.equal(draw_crops(images, [0, 1]), draw_crops(images, [1, 0]))


def test_small_batches_have_fewer_crops():
    assert len(draw_crops(torch.randn(1, 3, 8, 8), [0])) == 3 * 6 * 6


def test_a_count_is_the_mean_of_three(small, image_batch):
    batch = image_batch(16)
    sub_space = small.sub_space.keep(1, [3])
    found = regions_of_thin_net(small.restrict(sub_space), batch, seed=4)
    counts = [
        count_patterns(
            thin_net(sub_space, 3 * small.seed + repeat), draw_crops(batch.images, [4, repeat])
        )
        for repeat in range(3)
    ]
    assert len(set(counts)) > 1
    assert found.value == pytest.approx(np.mean(counts), rel=1e-12)
    assert found.reason is None


def test_counts_come_from_the_supernet_s_seed_and_not_from_its_weights(small, image_batch):
    batch = image_batch(16)
    scores = score_operations("linear_regions", small, 0, batch)
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.zero_()
    assert score_operations("linear_regions", small, 0, batch).values == scores.values
    other = Supernet(SubSpace.full(), channels=4, cells_per_stage=1, seed=1)
    assert score_operations("linear_regions", other, 0, batch).values != scores.values


@pytest.mark.parametrize("batch_norm", ["batch", "running"])
def test_counts_on_the_thin_network_distinguish_operations(batch_norm, small, image_batch):
    scores = score_operations("linear_regions", small, 0, image_batch(64), "paper", batch_norm)
    assert len(set(scores.values)) == 5
    assert all(100 < value < 1000 for value in scores.values)
    assert not scores.degenerate


def test_counts_on_the_supernet_are_saturated(small, image_batch):
    scores = score_operations("linear_regions", small, 0, image_batch(8), "batch")
    assert scores.values == (8.0,) * 5
    assert scores.reason == (
        "the count is saturated (all 8 inputs are in different regions) "
        "with only none, skip, 1x1, 3x3, pool on the edge"
    )


def test_counts_below_the_batch_size_are_not_saturated(small, tiny_batch):
    twins = replace(tiny_batch, images=tiny_batch.images[[0, 0, 1, 1]])
    scores = score_operations("linear_regions", small, 0, twins, "batch")
    assert scores.values == (2.0,) * 5
    assert scores.reason == "all operations have the same score"
