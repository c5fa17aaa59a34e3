"""A disabled operation must cost nothing."""

from collections import Counter

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from fewshot_core.nets import Supernet, composing
from fewshot_core.space import EDGES, SubSpace

ALL_NONE = SubSpace.from_rows(["10000"] * 6)
CONVOLUTIONS = {2: 1, 3: 9}
POOLING = 4


class Calls(TorchFunctionMode):
    """Counts the functions of PyTorch that run inside it, by name."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.counts[getattr(func, "__name__", "")] += 1
        return func(*args, **(kwargs or {}))


def calls(network, images):
    with Calls() as counter:
        network(images)
    return counter.counts


def flops(network, images):
    with FlopCounterMode(display=False) as counter:
        network(images)
    return counter.get_total_flops()


def cell_flops(sub_space, images, channels):
    """Multiply and add once for each weight, pixel and image, and for each node that is pooled."""
    kernels = sum(
        CONVOLUTIONS.get(operation, 0) for enabled in sub_space.enabled for operation in enabled
    )
    edges = zip(EDGES, sub_space.enabled, strict=True)
    pooled = {source for (_, source), enabled in edges if POOLING in enabled}
    pixels = images.shape[0] * images.shape[2] * images.shape[3]
    total = 0
    for stage in range(3):
        width = channels * 2**stage
        total += 2 * (kernels * width**2 + 9 * len(pooled) * width) * (pixels // 4**stage)
    return total


@pytest.mark.parametrize(
    "rows",
    [
        ["11111"] * 6,
        ["01110", "10000", "00011", "11111", "10010", "01001"],
        ["11101", "11111", "11111", "11111", "11111", "11111"],
        ["11001"] * 6,
    ],
)
def test_only_enabled_convolutions_are_computed(rows, small, images):
    sub_space = SubSpace.from_rows(rows)
    rest = flops(small.restrict(ALL_NONE), images)
    spent = flops(small.restrict(sub_space), images) - rest
    assert spent == cell_flops(sub_space, images, channels=4)


def test_each_enabled_convolution_runs_once(small, mixed, images):
    counts = calls(small.restrict(mixed), images)
    per_cell = sum(operation in CONVOLUTIONS for edge in mixed.enabled for operation in edge)
    outside = 1 + 2 * 3
    assert counts["conv2d"] == outside + 3 * per_cell
    assert calls(small.restrict(ALL_NONE), images)["conv2d"] == outside


@pytest.mark.parametrize(("row", "pools_per_cell"), [("11110", 0), ("11111", 3)])
def test_pooling_is_shared_by_the_edges_of_a_node_and_skipped_where_disabled(
    row, pools_per_cell, small, images
):
    network = small.restrict(SubSpace.from_rows([row] * 6))
    with composing(network):
        counts = calls(network, images)
    in_reductions = 2
    assert counts["avg_pool2d"] == in_reductions + 3 * pools_per_cell


def test_an_edge_with_only_none_computes_nothing(small, images):
    without = small.restrict(SubSpace.from_rows(["01000", "10000", *["01000"] * 4]))
    alone = small.restrict(SubSpace.from_rows(["01000"] * 6))
    kinds = ("conv2d", "avg_pool2d", "batch_norm", "linear")
    fewer, more = calls(without, images), calls(alone, images)
    assert [fewer[kind] for kind in kinds] == [more[kind] for kind in kinds]
    assert fewer.total() < more.total()


def test_without_any_operation_the_logits_are_the_biases(images):
    network = Supernet(ALL_NONE, channels=2, cells_per_stage=1)
    biases = torch.arange(10.0)
    with torch.no_grad():
        network.classifier.bias.copy_(biases)
    torch.testing.assert_close(network(images), biases.expand(4, 10))
