"""The gradient of a supernet's loss, and how it changes as the weights grow, in one pass.

The tangent of the gradient along the weights themselves is the Hessian times the weights. It is
computed forward over reverse (Pearlmutter, 1994), layer by layer, without a graph.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.nets.blocks import ReductionBlock
from fewshot_core.nets.cell import Cell
from fewshot_core.nets.counting import probed_weights
from fewshot_core.nets.fast_forward import per_channel
from fewshot_core.nets.pooling import pooled, pooled_backward
from fewshot_core.nets.supernet import Supernet
from fewshot_core.nets.tangent_layers import (
    Convolution,
    Normalisation,
    NormalisedConvolution,
    Pair,
    Record,
    Relu,
    Sum,
)
from fewshot_core.nets.wiring import Link, wiring_of

_pool_backward = torch.ops.aten.avg_pool2d_backward.default


@dataclass(frozen=True)
class GradientTangent:
    """What differentiating the loss twice along the weights gives, for every probed weight by name.

    Attributes:
        gradient: The gradient of the mean cross-entropy.
        tangent: The Hessian times the weights.
    """

    gradient: dict[str, Tensor]
    tangent: dict[str, Tensor]


@torch.no_grad()
def gradient_tangent(supernet: Supernet, images: Tensor, labels: Tensor) -> GradientTangent:
    """Return the gradient of a batch's loss and its Hessian times the weights.

    Args:
        supernet: The network; its batch norm may use the statistics of the batch, through which
            is then differentiated, or the stored ones.
        images: Shape (B, 3, H, W).
        labels: Shape (B,), int64.
    """
    weights = probed_weights(supernet)
    gradients = {id(weight): (torch.zeros_like(weight),) * 2 for weight in weights.values()}

    def record(weight: Tensor, gradient: Tensor, tangent: Tensor) -> None:
        gradients[id(weight)] = gradient, tangent

    _pass(supernet, images, labels, record)
    found = {name: gradients[id(weight)] for name, weight in weights.items()}
    return GradientTangent(
        {name: gradient for name, (gradient, _) in found.items()},
        {name: tangent for name, (_, tangent) in found.items()},
    )


def _pass(supernet: Supernet, images: Tensor, labels: Tensor, record: Record) -> None:
    """Go forward and back through a supernet and record the gradient of each weight."""
    images = images.contiguous(memory_format=torch.channels_last)
    stem = NormalisedConvolution(supernet.stem, Pair(images, torch.zeros_like(images)), record)
    features = stem.outputs()
    blocks: list[_Cell | _Reduction] = []
    for block in supernet.blocks:
        if isinstance(block, Cell):
            blocks.append(_Cell(block, features, record))
        else:
            assert isinstance(block, ReductionBlock)
            blocks.append(_Reduction(block, features, record))
        features = blocks[-1].outputs
    gradient = _head(supernet, features, labels, record)
    while blocks:  # what a block kept is given back once it has been passed
        gradient = blocks.pop().backward(gradient)
    stem.backward(stem.norm.centred(gradient), of_inputs=False)


class _Cell:
    """A pass through a cell."""

    def __init__(self, cell: Cell, features: Pair, record: Record) -> None:
        self.wiring = wiring_of(cell.sub_space)
        self.rectified: list[Relu] = []
        self.layers: list[NormalisedConvolution] = []
        nodes = [features]
        averages: dict[int, Pair] = {}
        pooling = {link.source for link in self.wiring.links if link.pool is not None}
        for target in (1, 2, 3):
            source = target - 1
            self._read(cell, source, nodes[source], record)
            if source in pooling:
                averages[source] = nodes[source].map(pooled)
            nodes.append(self._gather(target, nodes, averages))
        self.outputs = nodes[-1]

    def _read(self, cell: Cell, source: int, node: Pair, record: Record) -> None:
        """Go through all convolutions that read a node."""
        self.rectified.append(Relu(node))
        for number in self.wiring.reading(source):
            layer = cell.layer(self.wiring.convolutions[number])
            self.layers.append(NormalisedConvolution(layer, self.rectified[-1].outputs, record))

    def _gather(self, target: int, nodes: list[Pair], averages: dict[int, Pair]) -> Pair:
        """Return the features of a node: the mean of each edge that leads to it, added up."""
        total = Sum(nodes[0])
        for link in self.wiring.into(target):
            if link.skip is not None:
                total.add(nodes[link.source], self.wiring.uniform[link.skip])
            if link.pool is not None:
                total.add(averages[link.source], self.wiring.uniform[link.pool])
            for number in link.convolutions:
                self.layers[number].norm.add_to(total, self._share(number))
        return total.pair

    def _share(self, number: int) -> float:
        return self.wiring.uniform[self.wiring.positions[number]]

    def backward(self, gradient: Pair) -> Pair:
        """Map the gradient of the outputs to that of the inputs."""
        skipped, averaged, convolved = ([Sum(gradient) for _ in range(3)] for _ in range(3))
        for target in (3, 2, 1):
            links = self.wiring.into(target)
            for link in links:
                if link.skip is not None:
                    skipped[link.source].add(gradient, self.wiring.uniform[link.skip])
                if link.pool is not None:
                    averaged[link.source].add(gradient, self.wiring.uniform[link.pool])
            self._convolve(links, gradient, convolved)
            source = target - 1
            if convolved[source].begun:
                skipped[source].add(self.rectified[source].backward(convolved[source].pair))
            if averaged[source].begun:
                skipped[source].add(averaged[source].pair.map(pooled_backward))
            gradient = skipped[source].pair
        return gradient

    def _convolve(self, links: list[Link], gradient: Pair, convolved: list[Sum]) -> None:
        """Send the gradient of a node back through the convolutions that lead to it."""
        numbers = [(number, link.source) for link in links for number in link.convolutions]
        if not numbers:
            return
        centred = self.layers[numbers[0][0]].norm.centred(gradient)
        for number, source in numbers:
            found = self.layers[number].backward(centred, self._share(number))
            assert found is not None
            convolved[source].add(found)


class _Reduction:
    """A pass through the residual block between two stages."""

    def __init__(self, block: ReductionBlock, features: Pair, record: Record) -> None:
        self.before = features
        self.first = Relu(features)
        self.conv_a = NormalisedConvolution(block.conv_a, self.first.outputs, record)
        self.second = Relu(self.conv_a.outputs())
        self.conv_b = NormalisedConvolution(block.conv_b, self.second.outputs, record)
        halved = features.map(lambda part: functional.avg_pool2d(part, 2, 2))
        self.shortcut = Convolution(block.shortcut, halved, record)
        short = self.shortcut.outputs()
        total = Sum(short)
        total.add(short)
        total.add_to_tangent(short.value, torch.ones_like(short.value[:1, :, :1, :1]))
        self.conv_b.norm.add_to(total)
        self.outputs = total.pair

    def backward(self, gradient: Pair) -> Pair:
        """Map the gradient of the outputs to that of the inputs."""
        found = self.conv_b.backward(self.conv_b.norm.centred(gradient))
        assert found is not None
        found = self.conv_a.backward(self.conv_a.norm.centred(self.second.backward(found)))
        assert found is not None
        total = Sum(self.before)
        total.add(self.first.backward(found))
        short = self.shortcut.backward(Pair(gradient.value, gradient.tangent + gradient.value))
        assert short is not None
        total.add(short.map(self._spread))
        return total.pair

    def _spread(self, gradient: Tensor) -> Tensor:
        """Map the gradient of 2x2 means to that of the pixels."""
        inputs = self.before.value
        spread: Tensor = _pool_backward(gradient, inputs, [2, 2], [2, 2], [0, 0], False, True, None)
        return spread


def _head(supernet: Supernet, features: Pair, labels: Tensor, record: Record) -> Pair:
    """Return the gradient of the loss at the last block, and record that of the classifier."""
    norm = Normalisation(supernet.norm, features, grows=False)
    total = Sum(features)
    norm.add_to(total)
    relu = Relu(total.pair)
    means = relu.outputs.map(lambda part: part.mean((2, 3)))
    at_means = _classify(supernet, means, labels, record)
    shape = features.value.shape
    pixels = shape[2] * shape[3]
    spread = at_means.map(lambda part: (part / pixels)[..., None, None].expand(shape))
    gradient = relu.backward(spread)
    through = norm.backward(norm.centred(gradient))
    return through.map(lambda part: part * per_channel(norm.factors))


def _classify(supernet: Supernet, means: Pair, labels: Tensor, record: Record) -> Pair:
    """Return the gradient of the mean cross-entropy at the classifier's inputs, (B, C)."""
    weight, bias = supernet.classifier.weight, supernet.classifier.bias
    outputs = means.value @ weight.T
    rates = means.tangent @ weight.T + outputs
    chances = torch.softmax(outputs + bias, dim=1)
    truth = functional.one_hot(labels, outputs.shape[1]).to(chances.dtype)
    gradient = (chances - truth) / len(labels)
    changes = chances * (rates - (chances * rates).sum(1, keepdim=True)) / len(labels)
    record(
        weight,
        gradient.T @ means.value,
        changes.T @ means.value + gradient.T @ means.tangent,
    )
    return Pair(gradient @ weight, (changes + gradient) @ weight)
