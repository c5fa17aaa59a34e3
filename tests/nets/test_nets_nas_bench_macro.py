"""The supernet of NAS-Bench-Macro: its parameters, and what sub-supernets and shares compute."""

import csv
from pathlib import Path

import pytest
import torch

from fewshot_core.errors import MetricError, SpaceError
from fewshot_core.nets import Choice, Supernet, count_parameters
from fewshot_core.space import SearchSpace, SubSpace, get_space

MACRO = get_space("nas-bench-macro")
TABLE = Path(__file__).parents[3] / "shared" / "data" / "spaces" / "nas_bench_macro.csv"
MIXED = SubSpace.from_rows(["111", "011", "101", "110", "100", "111", "010", "001"], MACRO)


def single(digits):
    return SubSpace(tuple((int(digit),) for digit in digits), MACRO)


@pytest.fixture(scope="module")
def small():
    return Supernet(SubSpace.full(MACRO), channels=1).double()


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 3, 16, 16, generator=generator, dtype=torch.float64)


# Stem 3*32*9 + 64; head 256*1280 + 2560; classifier 1280*10 + 10; three 1x1 convolutions with batch
# norm. A block of expansion E and kernel K from C to D channels adds C*E*C + 2EC (expansion),
# K*K*EC + 2EC (depthwise) and EC*D + 2D (projection), and replaces a 1x1 convolution.
BY_HAND = {
    "00000000": 928 + 330_240 + 12_810 + (2_048 + 128) + (8_192 + 256) + (32_768 + 512),
    "00000001": 387_882 + (196_608 + 1_536) + (6_912 + 1_536) + (196_608 + 512),
    "20000000": 387_882 - 2_176 + (6_144 + 384) + (4_800 + 384) + (12_288 + 128),
    "22222222": 2_932_586,
}


@pytest.mark.parametrize("digits", BY_HAND)
def test_parameters_by_hand(digits):
    with torch.device("meta"):
        assert count_parameters(Supernet(single(digits))) == BY_HAND[digits]


def test_parameters_of_all_networks_in_the_table():
    """Parameters are a sum over layers: the network of the first operations, and differences."""
    if not TABLE.exists():
        pytest.skip("needs data/spaces/nas_bench_macro.csv in the folder `shared`")
    with torch.device("meta"):
        base = count_parameters(Supernet(single("0" * 8)))
        parts = [
            [
                count_parameters(Supernet(single("0" * layer + str(number) + "0" * (7 - layer))))
                for number in range(3)
            ]
            for layer in range(8)
        ]
    with TABLE.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == MACRO.size == 6561
    for row in rows:
        digits = [int(digit) for digit in row["arch"]]
        count = base + sum(parts[layer][number] - base for layer, number in enumerate(digits))
        assert count == int(row["params"]), row["arch"]


def test_a_restricted_supernet_has_the_same_weights_and_no_others(small):
    restricted = small.restrict(MIXED)
    whole = dict(small.named_parameters())
    assert all(parameter is whole[name] for name, parameter in restricted.named_parameters())
    found = {name: module.operations for name, module in restricted.choices().items()}
    assert found["layers.1"] == ["mb3_k3", "mb6_k5"] and found["layers.4"] == ["identity"]
    built = Supernet(MIXED, channels=1).double()
    assert list(built.state_dict()) == list(restricted.state_dict())
    assert all(torch.equal(one, whole[name]) for name, one in built.named_parameters())
    assert small.choices()["layers.1"].operations == ["identity", "mb3_k3", "mb6_k5"]
    with pytest.raises(SpaceError, match="expected a sub-space of"):
        restricted.restrict(SubSpace.full(MACRO))


def test_a_path_computes_the_network_of_an_architecture(small, images):
    """Shares of zero and one give it too; without shares it is the mean."""
    choices = (2, 0, 1, 1, 0, 2, 2, 1)
    alone = small.restrict(single("".join(map(str, choices))))(images)
    shares = torch.zeros(8, 3, dtype=torch.float64)
    shares[range(8), choices] = 1
    ones = torch.ones(24, dtype=torch.float64)
    torch.testing.assert_close(small(images, ones, choices), alone)
    torch.testing.assert_close(small(images, shares.flatten()), alone)
    torch.testing.assert_close(small(images, ones / 3), small(images))


def test_only_the_path_is_computed(small, images):
    called = []
    blocks = [name for name, _ in small.named_modules() if name.endswith(("mb3_k3", "mb6_k5"))]
    hooks = [
        small.get_submodule(name).register_forward_hook(lambda *_, name=name: called.append(name))
        for name in blocks
    ]
    small(images, torch.ones(24, dtype=torch.float64), (0, 1, 2, 0, 0, 0, 0, 0))
    for hook in hooks:
        hook.remove()
    assert len(blocks) == 16 and called == ["layers.1.mb3_k3", "layers.2.mb6_k5"]


def test_the_width_scales_all_but_the_number_of_layers():
    with torch.device("meta"):
        narrow, wide = (Supernet(SubSpace.full(MACRO), channels=width) for width in (4, 16))
    shapes = [
        [tuple(one.shape) for one in net.parameters() if one.dim() == 4] for net in (narrow, wide)
    ]
    assert len(narrow.layers) == len(wide.layers) == 8
    for small_shape, large_shape in zip(*shapes, strict=True):
        assert large_shape[0] == 4 * small_shape[0]


def test_a_space_without_a_supernet_is_refused():
    space = SearchSpace("toy", "Toy", MACRO.decisions)
    with pytest.raises(SpaceError, match="Toy has no supernet"):
        Supernet(SubSpace.full(space))
    with pytest.raises(MetricError, match="Toy has no thin network"):
        Supernet.thin(SubSpace.full(space), 0)


def test_the_cells_of_trans_nas_bench_are_those_of_nas_bench_201():
    sub_space = SubSpace.full("trans-nas-bench-101-micro")
    same = SubSpace.from_rows(["11110"] * 6)
    sizes = {"channels": 2, "cells_per_stage": 1}
    one, other = Supernet(sub_space, **sizes), Supernet(same, **sizes)
    batch = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(one(batch), other(batch))
    assert all(isinstance(choice, Choice) for choice in one.choices().values())
