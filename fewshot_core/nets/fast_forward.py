"""The forward pass of a cell with the statistics of the batch, in few passes over memory.

The mean of a convolution's output is a weighted sum of means of its input, one for each element of
the kernel. It is known beforehand, for the price of one pass over the input, and subtracted as the
convolution's bias, for nothing. What batch norm does then is one pass for the variance, and a
factor for each channel, with which the output is added to the node it leads to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.nets.pooling import pixel_shares, pixel_sums, pooled
from fewshot_core.nets.wiring import Link, Wiring

PIXELS = (2, 3)


@dataclass(frozen=True)
class Kept:
    """What the backward pass needs to know of the forward pass, for K convolutions.

    Attributes:
        nodes: The features of nodes 0, 1 and 2; empty if no gradient of shares is wanted.
        pooled: The same features pooled, None where no link does; empty likewise.
        rectified: Their ReLU, or None where no convolution reads it.
        inverses: One over the standard deviations of the convolutions' outputs, (K, C).
        centred: The outputs of the convolutions, without their means.
    """

    nodes: list[Tensor]
    pooled: list[Tensor | None]
    rectified: list[Tensor | None]
    inverses: Tensor
    centred: list[Tensor]

    def flat(self) -> tuple[Tensor | None, ...]:
        """Return everything in one row."""
        nodes = self.nodes or (None, None, None)
        pooled = self.pooled or (None, None, None)
        return *nodes, *pooled, *self.rectified, self.inverses, *self.centred

    @classmethod
    def from_flat(cls, row: Sequence[Tensor]) -> "Kept":
        """Take what ``flat`` returned."""
        return cls(list(row[:3]), list(row[3:6]), list(row[6:9]), row[9], list(row[10:]))


class ForwardPass:
    """A forward pass; afterwards ``kept`` says what the backward pass needs.

    Args:
        wiring: The edges.
        shares: What each operation counts.
        tensors: Of all K convolutions the weights, then batch norm's weights, then its biases.
        epsilon: What batch norm adds to variances.
        of_shares: Whether the gradient of shares will be wanted.
    """

    kept: Kept

    def __init__(
        self,
        wiring: Wiring,
        shares: Sequence[float],
        tensors: Sequence[Tensor],
        epsilon: float,
        of_shares: bool,
    ) -> None:
        self.wiring = wiring
        self.shares = shares
        self.of_shares = of_shares
        self.weights, self.norms = tensors[: len(tensors) // 3], tensors[len(tensors) // 3 :]
        self.epsilon = epsilon

    def __call__(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W), channels last, to the same shape."""
        self._scratch = torch.empty_like(features)
        norms = stacked(self.norms, features) * own_shares(self.wiring, self.shares, features)
        self._scales, self._shifts = norms
        self._factors = torch.empty_like(self._scales)
        self._passed_on: dict[tuple[int, bool], Tensor] = {}
        rectified: list[Tensor | None] = []
        self.kept = Kept([features], [], rectified, torch.empty_like(self._scales), [])
        for target in (1, 2, 3):
            rectified.append(self._convolve(target - 1))
            self.kept.nodes.append(self._gather(target))
        output = self.kept.nodes.pop()
        if self.of_shares:
            self.kept.pooled.extend(self._passed_on.get((source, False)) for source in range(3))
        else:
            self.kept.nodes.clear()
        return output

    def _convolve(self, source: int) -> Tensor | None:
        """Convolve a node's ReLU by all that read it; return it, or None where nothing does."""
        numbers = self.wiring.reading(source)
        if not numbers:
            return None
        rectified = torch.relu(self.kept.nodes[source])
        means = _means_under_kernel(rectified)
        squares = rectified.new_empty(len(numbers), *rectified.shape[:2])
        for number, row in zip(numbers, squares.unbind(), strict=True):
            weight = self.weights[number]
            met = means if weight.shape[-1] == 3 else means[:, 1, 1]
            shift = torch.mv(weight.flatten(1), met.flatten()).neg_()
            output = functional.conv2d(rectified, weight, shift, padding=weight.shape[-1] // 2)
            torch.mean(torch.mul(output, output, out=self._scratch), PIXELS, out=row)
            self.kept.centred.append(output)
        here = slice(numbers.start, numbers.stop)
        inverses = self.kept.inverses[here]
        torch.rsqrt(squares.mean(1).add_(self.epsilon), out=inverses)
        torch.mul(inverses, self._scales[here], out=self._factors[here])
        return rectified

    def _gather(self, target: int) -> Tensor:
        """Return the features of a node: the weighted sum of all that leads to it."""
        links = self.wiring.into(target)
        features = self.kept.nodes[0]
        numbers = [number for link in links for number in link.convolutions]
        total = per_channel(self._shifts[numbers].sum(0))
        for link in links:
            for share, output in self._linear(link):
                total = _plus(total, output, share)
        for number in numbers:
            factors = per_channel(self._factors[number])
            total = _plus_scaled(total, self.kept.centred[number], factors)
        if total.shape == features.shape:
            return total
        return total.expand_as(features).contiguous(memory_format=torch.channels_last)

    def _linear(self, link: Link) -> Iterator[tuple[float, Tensor]]:
        """Yield what a link passes on without convolving it, and what that counts."""
        if not self.of_shares and link.skip is not None and alike(link, self.shares):
            yield self.shares[link.skip], self._pooled(link.source, with_itself=True)
            return
        if link.skip is not None:
            yield self.shares[link.skip], self.kept.nodes[link.source]
        if link.pool is not None:
            yield self.shares[link.pool], self._pooled(link.source)

    def _pooled(self, source: int, with_itself: bool = False) -> Tensor:
        """Return the pooled features of a node, plus the features themselves if asked for."""
        found = self._passed_on.get((source, with_itself))
        if found is None:
            features = self.kept.nodes[source]
            if with_itself:
                sums = pixel_sums(features)
                found = torch.addcmul(features, sums, pixel_shares(features), out=sums)
            else:
                found = pooled(features)
            self._passed_on[source, with_itself] = found
        return found


def alike(link: Link, shares: Sequence[float]) -> bool:
    """Return whether a link has both skip connection and pooling, and both count the same."""
    if link.skip is None or link.pool is None:
        return False
    return shares[link.skip] == shares[link.pool]


def own_shares(wiring: Wiring, shares: Sequence[float], like: Tensor) -> Tensor:
    """Return what each convolution counts, (K, 1)."""
    return like.new_tensor([shares[position] for position in wiring.positions]).view(-1, 1)


def stacked(norms: Sequence[Tensor], like: Tensor) -> Tensor:
    """Return batch norm's K weights and K biases, (2, K, C)."""
    if not norms:
        return like.new_empty(2, 0, like.shape[1])
    return torch.stack(list(norms)).view(2, -1, like.shape[1])


def per_channel(values: Tensor) -> Tensor:
    """Return (C,) as (1, C, 1, 1)."""
    return values.view(1, -1, 1, 1)


def _means_under_kernel(features: Tensor) -> Tensor:
    """Return the mean of what each element of a 3x3 kernel meets, zeros outside the image included.

    Args:
        features: Shape (B, C, H, W).

    Returns:
        Shape (C, 3, 3).
    """
    images, channels, height, width = features.shape
    pixels = features.permute(0, 2, 3, 1).reshape(images, -1).sum(0).view(height, width, channels)
    rows = pixels.sum(0)
    by_row = torch.stack([rows - pixels[-1], rows, rows - pixels[0]])
    columns = by_row.sum(1)
    sums = torch.stack([columns - by_row[:, -1], columns, columns - by_row[:, 0]], dim=1)
    return sums.div_(images * height * width).permute(2, 0, 1)


def _plus(total: Tensor, features: Tensor, share: float) -> Tensor:
    """Add to a total; in place as soon as it is more than one number for each channel."""
    if total.shape == features.shape:
        return total.add_(features, alpha=share)
    return torch.add(total, features, alpha=share)


def _plus_scaled(total: Tensor, features: Tensor, factors: Tensor) -> Tensor:
    """Add features times factors, (1, C, 1, 1), to a total."""
    if total.shape == features.shape:
        return total.addcmul_(features, factors)
    return torch.addcmul(total, features, factors)
