"""The gradient of a supernet's loss, and how it changes as the weights grow, in one pass.

A tangent says how fast something changes while every convolution and linear weight grows at the
rate of its own size. What a convolution with weight w makes of features x then changes by
``w * dx + w * x``. The second part is what it made of x itself: it is left to the layer that
follows, so that a tangent costs one more convolution and not two.

The tangent of the gradient along the weights themselves is the Hessian times the weights. It is
computed forward over reverse (Pearlmutter, 1994), layer by layer, without a graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from fewshot_core.nets.cell import Cell, Link, wiring_of
from fewshot_core.nets.fast_cell import PIXELS, per_channel
from fewshot_core.nets.layers import BatchNorm, ConvNorm, ReductionBlock, pooled, pooled_backward
from fewshot_core.nets.supernet import probed_weights

if TYPE_CHECKING:
    from fewshot_core.nets.nas_bench_201 import CellSupernet

_convolution_backward = torch.ops.aten.convolution_backward.default
_relu_backward = torch.ops.aten.threshold_backward.default

Record = Callable[[Tensor, Tensor, Tensor], None]
"""Takes a weight, its gradient and the tangent of that."""


@dataclass(frozen=True)
class Pair:
    """Features, or a gradient, and the tangent of it; both (B, C, H, W)."""

    value: Tensor
    tangent: Tensor

    def map(self, linear: Callable[[Tensor], Tensor]) -> Pair:
        """Apply a linear function to both."""
        return Pair(linear(self.value), linear(self.tangent))

    def centre(self) -> None:
        """Take the means of its channels from the pair."""
        for part in (self.value, self.tangent):
            part.sub_(_means(part))


class Sum:
    """A sum of pairs of the shape of ``like``, in place once it has begun."""

    def __init__(self, like: Pair) -> None:
        self._like = like
        self._value: Tensor | None = None
        self._tangent: Tensor | None = None

    def add(self, pair: Pair, share: float | Tensor = 1.0) -> None:
        """Add a pair times a number, or times one for each channel, (1, C, 1, 1)."""
        self._value = _plus(self._value, pair.value, share)
        self._tangent = _plus(self._tangent, pair.tangent, share)

    def add_to_tangent(self, features: Tensor, factors: Tensor) -> None:
        """Add features times factors, (1, C, 1, 1), to the tangent alone."""
        self._tangent = _plus(self._tangent, features, factors)

    def shift(self, shifts: Tensor) -> None:
        """Add a number to each channel, (1, C, 1, 1), of the value alone."""
        value = torch.zeros_like(self._like.value) if self._value is None else self._value
        self._value = value.add_(shifts)

    @property
    def begun(self) -> bool:
        """Whether anything was added."""
        return self._tangent is not None

    @property
    def pair(self) -> Pair:
        """The sum; zero if nothing was added."""
        parts = (self._value, self._like.value), (self._tangent, self._like.tangent)
        return Pair(*(torch.zeros_like(like) if part is None else part for part, like in parts))


class Relu:
    """ReLU; ``outputs`` are its outputs."""

    def __init__(self, features: Pair) -> None:
        value = torch.relu(features.value)
        self.outputs = Pair(value, _relu_backward(features.tangent, value, 0))

    def backward(self, gradient: Pair) -> Pair:
        """Map the gradient of the outputs to that of the inputs."""
        return gradient.map(lambda part: _relu_backward(part, self.outputs.value, 0))


@dataclass(frozen=True)
class Convolution:
    """A convolution."""

    layer: nn.Conv2d
    inputs: Pair
    record: Record

    def outputs(self) -> Pair:
        """Outputs; to their tangents the outputs themselves are still to be added."""
        return self.inputs.map(self.layer)

    def backward(self, gradient: Pair, factors: Tensor | None = None) -> Pair:
        """Record the gradient of the weight and return that of the inputs.

        Args:
            gradient: The gradient of the outputs, and its tangent plus itself.
            factors: What it is still to be multiplied by, (C,), None for one.
        """
        weight, inputs = self.layer.weight, self.inputs
        scale = 1.0 if factors is None else factors.view(-1, 1, 1, 1)
        kernel = weight * scale
        of_value, own = self._back(gradient.value, inputs.value, kernel)
        of_tangent, along_gradient = self._back(gradient.tangent, inputs.value, kernel)
        _, along_inputs = self._back(gradient.value, inputs.tangent, kernel, of_inputs=False)
        own.mul_(scale)
        self.record(weight, own, along_gradient.add_(along_inputs).mul_(scale).sub_(own))
        return Pair(of_value, of_tangent)

    def _back(
        self, gradient: Tensor, inputs: Tensor, kernel: Tensor, of_inputs: bool = True
    ) -> tuple[Tensor, Tensor]:
        layer = self.layer
        of_features, of_weight, _ = _convolution_backward(
            gradient, inputs, kernel, None, layer.stride, layer.padding, layer.dilation,
            False, [0, 0], layer.groups, [of_inputs, True, False],
        )  # fmt: skip
        return of_features, of_weight


class Normalisation:
    """Batch norm.

    With y its inputs without their means, i**2 one over their variance and p the mean of g * y,
    it makes of a gradient g without mean ``factors * (g - i**2 * p * y)``; the tangent of that
    follows by the rules of calculus. ``turn`` is by how much of itself an output changes.

    Args:
        layer: The layer.
        inputs: Its inputs; they are centred in place where the statistics of the batch are used.
        grows: Whether the tangents of the inputs lack the inputs themselves.
    """

    def __init__(self, layer: BatchNorm, inputs: Pair, grows: bool) -> None:
        self.inputs = inputs
        self.by_batch = layer.mode == "batch"
        if self.by_batch:
            inputs.centre()
            variance = _mean_product(inputs.value, inputs.value)
            self.inverse = (variance + layer.eps).reciprocal()
            growth = layer.eps if grows else 0.0
            self.turn = (growth - _mean_product(inputs.value, inputs.tangent)) * self.inverse
            self.factors = layer.weight * self.inverse.sqrt()
            self.shifts: Tensor = layer.bias
        else:
            assert layer.running_mean is not None and layer.running_var is not None
            mean, variance = layer.running_mean, layer.running_var
            self.inverse = torch.zeros_like(variance)
            self.turn = torch.full_like(variance, float(grows))
            self.factors = layer.weight * (variance + layer.eps).rsqrt()
            self.shifts = layer.bias - self.factors * mean

    def add_to(self, total: Sum, share: float = 1.0) -> None:
        """Add the outputs times a number to a sum."""
        factors = per_channel(self.factors * share)
        total.add(self.inputs, factors)
        total.add_to_tangent(self.inputs.value, factors * per_channel(self.turn))
        total.shift(per_channel(self.shifts * share))

    def centred(self, gradient: Pair) -> Pair:
        """Prepare a gradient for ``backward``: without means where batch statistics are used."""
        return gradient.map(lambda part: part - _means(part)) if self.by_batch else gradient

    def backward(self, gradient: Pair) -> Pair:
        """Map the gradient of the outputs, ``centred``, to that of the inputs without ``factors``.

        Where the inputs grow, what is returned is ready for ``Convolution``: the tangent has the
        gradient itself added to it.
        """
        value, tangent = self.inputs.value, self.inputs.tangent
        slope = -self.inverse * _mean_product(gradient.value, value)
        mixed = _mean_product(gradient.tangent, value) + _mean_product(gradient.value, tangent)
        bend = 3 * slope * self.turn - self.inverse * mixed
        of_tangent = torch.addcmul(gradient.tangent, gradient.value, per_channel(self.turn))
        of_tangent.addcmul_(value, per_channel(bend))
        of_tangent.addcmul_(tangent, per_channel(slope))
        return Pair(torch.addcmul(gradient.value, value, per_channel(slope)), of_tangent)


class NormalisedConvolution:
    """A convolution and the batch norm after it."""

    def __init__(self, layer: ConvNorm, inputs: Pair, record: Record) -> None:
        self.convolution = Convolution(layer.conv, inputs, record)
        self.norm = Normalisation(layer.norm, self.convolution.outputs(), grows=True)

    def outputs(self) -> Pair:
        """Outputs."""
        total = Sum(self.norm.inputs)
        self.norm.add_to(total)
        return total.pair

    def backward(self, gradient: Pair, share: float = 1.0) -> Pair:
        """Map the gradient of the outputs to that of the inputs.

        Args:
            gradient: The gradient of what the outputs are part of, ``norm.centred``: several
                layers that lead to one node share it.
            share: What they count in it.
        """
        return self.convolution.backward(self.norm.backward(gradient), self.norm.factors * share)


def _mean_product(one: Tensor, other: Tensor) -> Tensor:
    """Means of the channels of a product, (C,)."""
    return _means(one * other).flatten()


def _means(features: Tensor) -> Tensor:
    """Means of channels, (1, C, 1, 1); of each image first, for precision."""
    return features.mean(PIXELS, keepdim=True).mean(0, keepdim=True)


def _plus(total: Tensor | None, features: Tensor, share: float | Tensor) -> Tensor:
    if total is None:
        return features * share
    if isinstance(share, Tensor):
        return total.addcmul_(features, share)
    return total.add_(features, alpha=share)


_pool_backward = torch.ops.aten.avg_pool2d_backward.default


@torch.no_grad()
def gradient_tangent(
    supernet: CellSupernet, images: Tensor, labels: Tensor
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Compute the gradient of a batch's mean cross-entropy, and its Hessian times the weights.

    Args:
        supernet: The network; its batch norm may use the statistics of the batch, through which
            is then differentiated, or the stored ones.
        images: Shape (B, 3, H, W).
        labels: Shape (B,), int64.

    Returns:
        Both for every probed weight by name.
    """
    weights = probed_weights(supernet)
    names = {id(weight): name for name, weight in weights.items()}
    gradients = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    tangents = dict(gradients)

    def record(weight: Tensor, gradient: Tensor, tangent: Tensor) -> None:
        name = names[id(weight)]
        gradients[name], tangents[name] = gradient, tangent

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
    while blocks:  # frees the memory of each block once it has been passed
        gradient = blocks.pop().backward(gradient)
    stem.backward(stem.norm.centred(gradient))
    return gradients, tangents


class _Cell:
    """A pass through a cell."""

    def __init__(self, cell: Cell, features: Pair, record: Record) -> None:
        self.wiring = wiring_of(cell.sub_space)
        self.rectified: list[Relu] = []
        self.layers: list[NormalisedConvolution] = []
        nodes = [features]
        averages: dict[int, Pair] = {}
        for target in (1, 2, 3):
            source = target - 1
            self._read(cell, source, nodes[source], record)
            if self.wiring.pools(source):
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
        """Features of a node: the mean of each edge that leads to it, added up."""
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
            convolved[source].add(self.layers[number].backward(centred, self._share(number)))


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
        found = self.conv_a.backward(self.conv_a.norm.centred(self.second.backward(found)))
        total = Sum(self.before)
        total.add(self.first.backward(found))
        short = self.shortcut.backward(Pair(gradient.value, gradient.tangent + gradient.value))
        total.add(short.map(self._spread))
        return total.pair

    def _spread(self, gradient: Tensor) -> Tensor:
        """Map the gradient of 2x2 means to that of the pixels."""
        inputs = self.before.value
        spread: Tensor = _pool_backward(gradient, inputs, [2, 2], [2, 2], [0, 0], False, True, None)
        return spread


def _head(supernet: CellSupernet, features: Pair, labels: Tensor, record: Record) -> Pair:
    """Compute the gradient of the loss at the last block; record that of the classifier."""
    norm = Normalisation(supernet.norm, features, grows=False)
    total = Sum(features)
    norm.add_to(total)
    relu = Relu(total.pair)
    means = relu.outputs.map(lambda part: part.mean((2, 3)))
    at_means = _classify(supernet, means, labels, record)
    shape = features.value.shape
    pixels = shape[2] * shape[3]
    spread = at_means.map(lambda part: (part / pixels)[..., None, None].expand(shape))
    through = norm.backward(norm.centred(relu.backward(spread)))
    return through.map(lambda part: part * per_channel(norm.factors))


def _classify(supernet: CellSupernet, means: Pair, labels: Tensor, record: Record) -> Pair:
    """Gradient of the mean cross-entropy at the classifier's inputs, (B, C)."""
    weight, bias = supernet.classifier.weight, supernet.classifier.bias
    outputs = means.value @ weight.T
    rates = means.tangent @ weight.T + outputs
    probabilities = torch.softmax(outputs + bias, dim=1)
    truth = functional.one_hot(labels, outputs.shape[1]).to(probabilities.dtype)
    gradient = (probabilities - truth) / len(labels)
    changes = probabilities * (rates - (probabilities * rates).sum(1, keepdim=True)) / len(labels)
    tangent = changes.T @ means.value + gradient.T @ means.tangent
    record(weight, gradient.T @ means.value, tangent)
    return Pair(gradient @ weight, (changes + gradient) @ weight)
