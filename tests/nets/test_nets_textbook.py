"""The supernet against a slow one, written from Appendix A; disabled operations cost nothing.

The slow one computes every operation of every edge by itself, convolves by going through the
pixels of the kernel, and takes the mean over the enabled operations, ``none`` being zero.
"""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from fewshot_core.nets import Supernet, composing, probed_weights
from fewshot_core.space import EDGES, OPERATIONS, SubSpace

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(4)).double()

LABELS = torch.tensor([0, 3, 1])

CELLS = 2

patient = settings(max_examples=10)

edge_sets = st.sets(st.integers(0, 4), min_size=1).map(lambda chosen: tuple(sorted(chosen)))

sub_spaces = st.tuples(*[edge_sets] * 6).map(SubSpace)


class Textbook:
    """The network of a sub-space, with tensors by the names that the supernet gives them."""

    def __init__(self, tensors, sub_space, batch_norm):
        self.tensors = tensors
        self.sub_space = sub_space
        self.batch_norm = batch_norm

    def __call__(self, images):
        features = self.convolve_and_norm("stem", images)
        for stage in (1, 2, 3):
            if stage > 1:
                features = self.reduce(f"reduction{stage - 1}", features)
            for number in range(1, CELLS + 1):
                features = self.cell(f"stage{stage}_cell{number}", features)
        features = self.norm("norm", features).clamp(min=0).mean(dim=(2, 3))
        return features @ self.tensors["classifier.weight"].T + self.tensors["classifier.bias"]

    def reduce(self, name, features):
        main = self.convolve_and_norm(f"{name}.conv_a", features.clamp(min=0), stride=2)
        main = self.convolve_and_norm(f"{name}.conv_b", main.clamp(min=0))
        quarters = [features[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
        shortcut = convolve(sum(quarters) / 4, self.tensors[f"{name}.shortcut.weight"])
        return main + shortcut

    def cell(self, name, features):
        nodes = [features]
        for target in (1, 2, 3):
            incoming = [
                self.edge(f"{name}.edge_{target}_{source}", edge, nodes[source])
                for edge, (end, source) in enumerate(EDGES)
                if end == target
            ]
            nodes.append(sum(incoming))
        return nodes[3]

    def edge(self, name, edge, features):
        operations = {
            "none": lambda: torch.zeros_like(features),
            "skip_connect": lambda: features,
            "nor_conv_1x1": lambda: self.convolve_and_norm(
                f"{name}.nor_conv_1x1", features.clamp(min=0)
            ),
            "nor_conv_3x3": lambda: self.convolve_and_norm(
                f"{name}.nor_conv_3x3", features.clamp(min=0)
            ),
            "avg_pool_3x3": lambda: pool(features),
        }
        enabled = [OPERATIONS[number] for number in self.sub_space.enabled[edge]]
        return torch.stack([operations[operation]() for operation in enabled]).mean(dim=0)

    def convolve_and_norm(self, name, features, stride=1):
        weight = self.tensors[f"{name}.conv.weight"]
        return self.norm(f"{name}.norm", convolve(features, weight, stride))

    def norm(self, name, features):
        mean, variance = (
            self.tensors[f"{name}.running_{which}"].reshape(1, -1, 1, 1)
            for which in ("mean", "var")
        )
        if self.batch_norm == "batch":
            mean = features.mean(dim=(0, 2, 3), keepdim=True)
            variance = ((features - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        scale, shift = (
            self.tensors[f"{name}.{which}"].reshape(1, -1, 1, 1) for which in ("weight", "bias")
        )
        return (features - mean) / torch.sqrt(variance + 1e-5) * scale + shift


def shifted(features, reach):
    """Yield the image as each pixel of a kernel sees it, with zeros outside."""
    padded = functional.pad(features, (reach,) * 4)
    height, width = features.shape[2:]
    for row in range(2 * reach + 1):
        for column in range(2 * reach + 1):
            yield row, column, padded[:, :, row : row + height, column : column + width]


def convolve(features, weight, stride=1):
    result = sum(
        torch.einsum("bihw,oi->bohw", seen, weight[:, :, row, column])
        for row, column, seen in shifted(features, weight.shape[2] // 2)
    )
    return result[:, :, ::stride, ::stride]


def pool(features):
    total = sum(seen for _, _, seen in shifted(features, 1))
    counted = sum(seen for _, _, seen in shifted(torch.ones_like(features), 1))
    return total / counted


def trained(seed=0):
    """Return a supernet in which nothing is zero or one any more, in float64."""
    supernet = Supernet(SubSpace.full(), 5, channels=2, cells_per_stage=CELLS).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in supernet.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
                tensor.add_(noise if "var" in name else noise - 0.5)
    return supernet


@pytest.mark.parametrize("batch_norm", ["batch", "running"])
@patient
@given(sub_spaces)
def test_the_logits_are_those_of_the_textbook(batch_norm, sub_space):
    supernet = trained().restrict(sub_space)
    supernet.batch_norm = batch_norm
    expected = Textbook(supernet.state_dict(), sub_space, batch_norm)(IMAGES)
    torch.testing.assert_close(supernet(IMAGES), expected, rtol=1e-9, atol=1e-9)


def test_the_full_supernet_agrees_too():
    supernet = trained()
    expected = Textbook(supernet.state_dict(), SubSpace.full(), "batch")(IMAGES)
    torch.testing.assert_close(supernet(IMAGES), expected, rtol=1e-9, atol=1e-9)


def test_the_gradients_are_those_of_the_textbook(mixed):
    supernet = trained().restrict(mixed)
    weights = probed_weights(supernet)
    copies = {name: weight.detach().clone().requires_grad_() for name, weight in weights.items()}
    textbook = Textbook({**supernet.state_dict(), **copies}, mixed, "batch")
    found = gradients(supernet(IMAGES), weights)
    expected = gradients(textbook(IMAGES), copies)
    assert any(gradient.abs().max() > 1e-3 for gradient in expected)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


def gradients(logits, weights):
    loss = functional.cross_entropy(logits, LABELS)
    return torch.autograd.grad(
        loss, list(weights.values()), allow_unused=True, materialize_grads=True
    )


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
