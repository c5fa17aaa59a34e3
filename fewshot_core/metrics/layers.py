"""Layers as they are called, and what single samples contribute to the gradient of a weight."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.errors import MetricError

Option = int | Sequence[int]


class Layer(Protocol):
    """A call of a layer."""

    @property
    def weight(self) -> Tensor:
        """Its weight."""

    def output(self) -> Tensor:
        """Return its output, with the weight counting as a constant."""

    def weight_gradients(self, gradient: Tensor) -> Tensor:
        """Map the gradients (B, ...) of the output to those of the weight, (B, *weight.shape)."""


@dataclass(frozen=True)
class Linear:
    """A call of ``linear``; its arguments under its names."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None = None

    def output(self) -> Tensor:
        """Return the output, (B, O)."""
        return functional.linear(self.input, self.weight.detach(), self.bias)

    def weight_gradients(self, gradient: Tensor) -> Tensor:
        """Map (B, O) to (B, O, I)."""
        return gradient[:, :, None] * self.input.detach()[:, None, :]


@dataclass(frozen=True)
class Convolution:
    """A call of ``conv2d``; its arguments under its names."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None = None
    stride: Option = 1
    padding: Option = 0
    dilation: Option = 1
    groups: int = 1

    def output(self) -> Tensor:
        """Return the output, (B, O, H, W)."""
        return torch.conv2d(
            self.input,
            self.weight.detach(),
            self.bias,
            _pair(self.stride),
            _pair(self.padding),
            _pair(self.dilation),
            self.groups,
        )

    def weight_gradients(self, gradient: Tensor) -> Tensor:
        """Map (B, O, H, W) to (B, O, I, kernel height, kernel width)."""
        if self.groups != 1:
            raise MetricError(
                f"expected convolutions of one group for per-sample gradients, got {self.groups}"
            )
        rows = gradient.flatten(2)
        columns = [torch.bmm(rows, met.flatten(2).mT) for met in self._met(gradient.shape[2:])]
        return torch.stack(columns, dim=-1).reshape(len(gradient), *self.weight.shape)

    def _met(self, size: Sequence[int]) -> Iterator[Tensor]:
        """Yield, for each element of the kernel, the input pixels that it meets, (B, I, H, W)."""
        (up, left), (down, right) = _pair(self.padding), _pair(self.stride)
        padded = functional.pad(self.input.detach(), (left, left, up, up))
        step_y, step_x = _pair(self.dilation)
        height, width = (size[0] - 1) * down + 1, (size[1] - 1) * right + 1
        for y in range(0, self.weight.shape[2] * step_y, step_y):
            for x in range(0, self.weight.shape[3] * step_x, step_x):
                yield padded[:, :, y : y + height : down, x : x + width : right]


def _pair(option: Option) -> tuple[int, int]:
    """Return an option of a convolution for both dimensions."""
    if isinstance(option, int):
        return option, option
    first, *others = option
    return first, others[0] if others else first
