"""A cell as one function of its input and weights, with its own derivative, for the CPU.

The mean of a convolution's output is a weighted sum of means of its input, one for each element of
the kernel. It is known beforehand, for the price of one pass over the input, and subtracted as the
convolution's bias, for nothing. What batch norm does then is one pass for the variance, and a
factor for each channel, with which the output is added to the node it leads to.

All convolutions that lead to a node meet the same gradient there, g. With y a convolution's output
without its mean, s what it is multiplied by and i one over its deviation, batch norm makes of it::

    s * (g - mean(g) - y * i**2 * mean(g * y))

The factor s is one number for each channel and is left to the convolution's weight, so that what
remains is one addition and one multiplication for each pixel.

What a cell costs beside its convolutions is going through memory. As one function, its forward and
backward pass go through it about half as often as they would operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from fewshot_core.nets.layers import per_sample_gradients, pixel_shares, pixel_sums, pooled_backward

if TYPE_CHECKING:
    from fewshot_core.nets.cell import Link, Wiring

PIXELS = (2, 3)

Tap = Callable[[Tensor], None]
"""Takes the gradients of a convolution's weight for each sample, (B, *weight.shape)."""


@dataclass(frozen=True)
class Saved:
    """What the backward pass needs of the forward pass, for K convolutions.

    Attributes:
        nodes: The features of nodes 0, 1 and 2, each None if no gradient of shares is wanted.
        pooled: The same features pooled, None where no link does, or likewise.
        rectified: Their ReLU, or None where no convolution reads it.
        inverses: One over the standard deviations of the convolutions' outputs, (K, C).
        centred: The outputs of the convolutions, without their means; none where statistics are
            constants.
    """

    nodes: Sequence[Tensor | None]
    pooled: Sequence[Tensor | None]
    rectified: Sequence[Tensor | None]
    inverses: Tensor
    centred: Sequence[Tensor]

    def flat(self) -> tuple[Tensor | None, ...]:
        """Return everything in one row."""
        return *self.nodes, *self.pooled, *self.rectified, self.inverses, *self.centred

    @classmethod
    def from_flat(cls, row: Sequence[Tensor]) -> Saved:
        """Take what ``flat`` returned."""
        return cls(row[:3], row[3:6], row[6:9], row[9], row[10:])


@dataclass
class ForwardPass:
    """A forward pass.

    Attributes:
        wiring: The edges.
        shares: The weight of each operation.
        tensors: Of all K convolutions the weights, then batch norm's weights, then its biases.
        epsilon: What batch norm adds to variances.
        of_shares: Whether the gradient of shares will be wanted.
        held: Whether statistics are constants in the backward pass.
    """

    wiring: Wiring
    shares: Sequence[float]
    tensors: Sequence[Tensor]
    epsilon: float
    of_shares: bool
    held: bool = False

    def __call__(self, features: Tensor) -> tuple[Tensor, Saved]:
        """Map (B, C, H, W), channels last, to the same shape, and to what is saved."""
        self._scratch = torch.empty_like(features)
        norms = stacked(self.wiring, self.tensors, features)
        norms *= own_shares(self.wiring, self.shares, features)
        self._scales, self._shifts = norms
        self._factors, self._inverses = torch.empty_like(norms)
        self._pooled: dict[tuple[str, int], Tensor] = {}
        self._centred: list[Tensor] = []
        self._nodes = [features]
        rectified = []
        for target in (1, 2, 3):
            rectified.append(self._convolve(target - 1))
            self._nodes.append(self._gather(target))
        output = self._nodes.pop()
        nodes: list[Tensor | None] = [None] * 3
        pooled: list[Tensor | None] = [None] * 3
        if self.of_shares:
            nodes[:] = self._nodes
            pooled = [self._pooled.get(("pool", source)) for source in range(3)]
        centred = [] if self.held else self._centred
        return output, Saved(nodes, pooled, rectified, self._inverses, centred)

    def _convolve(self, source: int) -> Tensor | None:
        """Convolve a node's ReLU by all that read it; return it, or None where nothing does."""
        numbers = self.wiring.reading(source)
        if not numbers:
            return None
        rectified = torch.relu(self._nodes[source])
        means = _means_under_kernel(rectified)
        squares = rectified.new_empty(len(numbers), *rectified.shape[:2])
        for number, row in zip(numbers, squares.unbind(), strict=True):
            weight = self.tensors[number]
            met = means if weight.shape[-1] == 3 else means[:, 1, 1]
            shift = torch.mv(weight.flatten(1), met.flatten()).neg_()
            output = functional.conv2d(rectified, weight, shift, padding=weight.shape[-1] // 2)
            torch.mean(torch.mul(output, output, out=self._scratch), PIXELS, out=row)
            self._centred.append(output)
        here = slice(numbers.start, numbers.stop)
        inverses = self._inverses[here]
        torch.rsqrt(squares.mean(1).add_(self.epsilon), out=inverses)
        torch.mul(inverses, self._scales[here], out=self._factors[here])
        return rectified

    def _gather(self, target: int) -> Tensor:
        """Features of a node: the weighted sum of all that leads to it."""
        links = self.wiring.into(target)
        features = self._nodes[0]
        numbers = [number for link in links for number in link.convolutions]
        total = per_channel(self._shifts[numbers].sum(0))
        for link in links:
            for kind, share in linear_parts(link, self.shares, merged=not self.of_shares):
                total = _plus(total, self._passed_on(kind, link.source), share)
        for number in numbers:
            factors = per_channel(self._factors[number])
            total = _plus_scaled(total, self._centred[number], factors)
        if total.shape == features.shape:
            return total
        return total.expand_as(features).contiguous(memory_format=torch.channels_last)

    def _passed_on(self, kind: str, source: int) -> Tensor:
        """Features of a node as they leave it without a convolution; see ``linear_parts``."""
        features = self._nodes[source]
        if kind == "skip":
            return features
        if (kind, source) not in self._pooled:
            sums = pixel_sums(features)
            if kind == "both":
                torch.addcmul(features, sums, pixel_shares(features), out=sums)
            else:
                sums.mul_(pixel_shares(features))
            self._pooled[kind, source] = sums
        return self._pooled[kind, source]


def linear_parts(
    link: Link, shares: Sequence[float], merged: bool = True
) -> list[tuple[str, float]]:
    """List what a link passes on without convolving it, ``skip`` and ``pool``, with its weight.

    Two of the same weight are ``merged`` into one part, ``both``.
    """
    weights = [
        (kind, shares[position])
        for kind, position in (("skip", link.skip), ("pool", link.pool))
        if position is not None
    ]
    if merged and len(weights) == 2 and weights[0][1] == weights[1][1]:
        return [("both", weights[0][1])]
    return weights


def own_shares(wiring: Wiring, shares: Sequence[float], like: Tensor) -> Tensor:
    """Weights of the convolutions, (K, 1)."""
    return like.new_tensor([shares[position] for position in wiring.positions]).view(-1, 1)


def stacked(wiring: Wiring, tensors: Sequence[Tensor], like: Tensor) -> Tensor:
    """Stack batch norm's K weights and K biases, (2, K, C)."""
    norms = list(tensors[len(wiring.convolutions) :])
    if not norms:
        return like.new_empty(2, 0, like.shape[1])
    return torch.stack(norms).view(2, -1, like.shape[1])


def per_channel(values: Tensor) -> Tensor:
    """View (C,) as (1, C, 1, 1)."""
    return values.view(1, -1, 1, 1)


def _means_under_kernel(features: Tensor) -> Tensor:
    """Map (B, C, H, W) to the means of the pixels under each element of a 3x3 kernel, (C, 3, 3).

    Zeros outside the image are included.
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


_convolution_backward = torch.ops.aten.convolution_backward.default
_relu_backward_into = torch.ops.aten.threshold_backward.grad_input
_norm_backward = torch.ops.aten.native_batch_norm_backward.default


@dataclass
class BackwardPass:
    """A backward pass.

    Attributes:
        wiring, shares, tensors: As in the forward pass.
        saved: What the forward pass left.
        needed: Whether gradients are wanted: of the features, of the shares, of each tensor.
        taps: Where statistics are constants: what takes the per-sample gradients of each weight.
    """

    wiring: Wiring
    shares: Sequence[float]
    tensors: Sequence[Tensor]
    saved: Saved
    needed: Sequence[bool]
    taps: Sequence[Tap] | None = None

    def __call__(self, gradient: Tensor) -> list[Tensor | None]:
        """Map the gradient of the cell's output to those of its input, shares and tensors.

        That of a tensor which the output does not depend on is None.
        """
        self._prepare(gradient)
        found: Tensor | None = gradient
        for target in (3, 2, 1):
            if found is not None:
                self._spread(target, found)
            found = self._arrived(target - 1) if target > 1 or self.of_features else None
        sums = self._stacked_sums()
        weights = zip(self._found, self._factors, strict=True)
        of_weights = [None if one is None else one.mul_(factors) for one, factors in weights]
        return [found, self._of_shares(*sums), *of_weights, *self._of_norms(*sums)]

    def _prepare(self, gradient: Tensor) -> None:
        """Make room for what is computed on the way."""
        self.of_features, self.of_shares, *self.of_tensors = self.needed
        self._count = len(self.wiring.convolutions)
        size = gradient.numel() // gradient.shape[1]
        self._own = own_shares(self.wiring, self.shares, gradient)
        self._scales, self._shifts = stacked(self.wiring, self.tensors, gradient)
        self._factors = (self._scales * self.saved.inverses * self._own)[..., None, None, None]
        weights = zip(self.tensors[: self._count], self._factors, strict=True)
        self._kernels = [kernel * factors for kernel, factors in weights]
        self._slopes = self.saved.inverses.square().div_(-size)
        self._nothing = gradient.new_zeros(gradient.shape[1])
        self._ones = torch.ones_like(self._nothing)
        self._sums: dict[int, tuple[Tensor, Tensor]] = {}
        self._found: list[Tensor | None] = [None] * self._count
        self._scratch = torch.empty_like(gradient)
        self._centred = torch.empty_like(gradient)
        self._convolved: list[Tensor | None] = [None] * 3
        self._passed: list[dict[str, Tensor]] = [{}, {}, {}]
        self._linear_shares = gradient.new_zeros(len(self.shares))

    def _spread(self, target: int, gradient: Tensor) -> None:
        """Send the gradient of a node back along its links."""
        links = self.wiring.into(target)
        for link in links:
            self._pass_on(link, gradient)
        numbers = [number for link in links for number in link.convolutions]
        if not numbers:
            return
        if self.taps is not None:
            self._spread_held(links, gradient, self.taps)
            return
        for number in numbers:
            self._sums[number] = self._summed(gradient, self.saved.centred[number])
        means = self._sums[numbers[0]][0] / (gradient.numel() // gradient.shape[1])
        centred = torch.sub(gradient, per_channel(means), out=self._centred)
        for link in links:
            for number in link.convolutions:
                self._convolve(number, link.source, centred)

    def _spread_held(self, links: Sequence[Link], gradient: Tensor, taps: Sequence[Tap]) -> None:
        """Do so with constant statistics, through which batch norm is a factor per channel.

        All convolutions of a link then meet the same features and the same gradient. They act as
        one with the sum of their kernels, and the gradients of a smaller kernel are the middle of
        those of a larger one.
        """
        for link in links:
            if not link.convolutions:
                continue
            features = self.saved.rectified[link.source]
            assert features is not None
            sizes = [self._kernels[number].shape[-1] for number in link.convolutions]
            padding = max(sizes) // 2
            kernels = [
                functional.pad(self._kernels[number], (padding - size // 2,) * 4)
                for number, size in zip(link.convolutions, sizes, strict=True)
            ]
            kernel = torch.stack(kernels).sum(0)
            self._through(kernel, link.source, gradient, [True, False, False])
            found = per_sample_gradients(gradient, features, kernel.shape, padding=padding)
            for number, size in zip(link.convolutions, sizes, strict=True):
                here = slice(padding - size // 2, padding + size // 2 + 1)
                taps[number](found[..., here, here] * self._factors[number])

    def _summed(self, gradient: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of a gradient and of its products with an output, each (C,)."""
        _, products, totals = _norm_backward(
            gradient, output, None, None, None, self._nothing, self._ones,
            True, 0.0, [False, True, True],
        )  # fmt: skip
        return totals, products

    def _convolve(self, number: int, source: int, gradient: Tensor) -> None:
        """Send a gradient without mean back through batch norm and convolution."""
        mask = [source > 0 or self.of_features, self.of_tensors[number], False]
        if not any(mask):
            return
        slopes = per_channel(self._sums[number][1] * self._slopes[number])
        through = torch.addcmul(gradient, self.saved.centred[number], slopes, out=self._scratch)
        self._found[number] = self._through(self._kernels[number], source, through, mask)

    def _through(
        self, kernel: Tensor, source: int, gradient: Tensor, mask: list[bool]
    ) -> Tensor | None:
        """Send a gradient back through a convolution of a node; return that of the kernel."""
        padding = [kernel.shape[-1] // 2] * 2
        inputs, of_kernel, _ = _convolution_backward(
            gradient, self.saved.rectified[source], kernel, None,
            [1, 1], padding, [1, 1], False, [0, 0], 1, mask,
        )  # fmt: skip
        before = self._convolved[source]
        self._convolved[source] = inputs if before is None else before.add_(inputs)
        found: Tensor | None = of_kernel
        return found

    def _pass_on(self, link: Link, gradient: Tensor) -> None:
        """Take to a link's source the gradient of what it passes on without convolving it."""
        if self.of_shares:
            self._linear_gradients(link, gradient)
        if link.source == 0 and not self.of_features:
            return
        passed = self._passed[link.source]
        for kind, share in linear_parts(link, self.shares):
            if kind in passed:
                passed[kind].add_(gradient, alpha=share)
            else:
                passed[kind] = gradient * share

    def _linear_gradients(self, link: Link, gradient: Tensor) -> None:
        """Compute the gradients of the weights of skip connection and pooling."""
        features, pooled = self.saved.nodes[link.source], self.saved.pooled[link.source]
        if link.skip is not None and features is not None:
            self._linear_shares[link.skip] = _dot(gradient, features)
        if link.pool is not None and pooled is not None:
            self._linear_shares[link.pool] = _dot(gradient, pooled)

    def _arrived(self, source: int) -> Tensor | None:
        """Gradient of a node's features; None where nothing depends on them."""
        passed = self._passed[source]
        parts = [passed[kind] for kind in ("skip", "both") if kind in passed]
        pooled = [passed[kind] for kind in ("pool", "both") if kind in passed]
        parts += [pooled_backward(gradient, self._scratch) for gradient in pooled]
        convolved = self._convolved[source]
        if convolved is not None:
            rectified = self.saved.rectified[source]
            parts.insert(0, _relu_backward_into(convolved, rectified, 0, grad_input=convolved))
        if not parts:
            return None
        total = parts[0]
        for part in parts[1:]:
            total.add_(part)
        return total

    def _of_shares(self, totals: Tensor, products: Tensor) -> Tensor | None:
        """Gradient of the weights of operations, by position."""
        if not self.of_shares:
            return None
        of_convolutions = self._scales * self.saved.inverses * products
        of_convolutions += self._shifts * totals
        found = self._linear_shares
        found[list(self.wiring.positions)] = of_convolutions.sum(1)
        return found

    def _stacked_sums(self) -> tuple[Tensor, Tensor]:
        """Sums of ``_summed`` for all convolutions, each (K, C)."""
        if not self._count:
            return self._scales, self._scales
        none = self._nothing, self._nothing
        sums = [self._sums.get(number, none) for number in range(self._count)]
        totals, products = zip(*sums, strict=True)
        return torch.stack(totals), torch.stack(products)

    def _of_norms(self, totals: Tensor, products: Tensor) -> list[Tensor | None]:
        """Gradients of batch norm's weights, then of its biases."""
        of_scales = products * self.saved.inverses * self._own
        of_shifts = totals * self._own
        rows = [*of_scales.unbind(), *of_shifts.unbind()]
        reached = [number in self._sums for number in range(self._count)] * 2
        return [row if there else None for row, there in zip(rows, reached, strict=True)]


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Inner product of two tensors, (B, C, H, W), channels last."""
    return torch.dot(one.permute(0, 2, 3, 1).flatten(), other.permute(0, 2, 3, 1).flatten())


Compose = Callable[[Tensor, Tensor | None, Sequence[Tensor]], Tensor]
"""The same cell operation by operation, of features, shares and tensors."""


class _FastCell(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        wiring: Wiring,
        compose: Compose,
        epsilon: float,
        taps: Sequence[Tap] | None,
        features: Tensor,
        shares: Tensor | None,
        *tensors: Tensor,
    ) -> Tensor:
        ctx.wiring, ctx.compose, ctx.taps = wiring, compose, taps
        ctx.shares = wiring.uniform if shares is None else shares.tolist()
        held, of_shares = taps is not None, ctx.needs_input_grad[5]
        run = ForwardPass(wiring, ctx.shares, tensors, epsilon, of_shares, held)
        output, saved = run(features.contiguous(memory_format=torch.channels_last))
        ctx.save_for_backward(features, shares, *tensors, *saved.flat())
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        count = 3 * len(ctx.wiring.convolutions)
        features, shares, *others = ctx.saved_tensors
        tensors, saved = others[:count], Saved.from_flat(others[count:])
        needed = ctx.needs_input_grad[4:]  # the first four inputs are no tensors
        if torch.is_grad_enabled():  # a derivative of this derivative is wanted
            inputs = [features, shares, *tensors]
            found = _differentiable(ctx.compose, gradient, inputs, needed)
        else:
            run = BackwardPass(ctx.wiring, ctx.shares, tensors, saved, needed, ctx.taps)
            found = run(gradient.contiguous(memory_format=torch.channels_last))
        return None, None, None, None, *found


fast_cell: Callable[..., Tensor] = cast(Any, _FastCell).apply
"""Compute a cell whose batch norm uses the statistics of the batch.

Its arguments are the edges, a ``Wiring``; the same cell operation by operation, a ``Compose``, for
second derivatives; what batch norm adds to variances; a ``Tap`` of each convolution, or None, with
which statistics are constants and there are no other gradients of weights; the features,
(B, C, H, W); the weight of each operation by position, or None for ``wiring.uniform``; then, of all
convolutions, the weights, batch norm's weights and batch norm's biases.
"""


def _differentiable(
    compose: Compose, gradient: Tensor, inputs: list[Tensor], needed: Sequence[bool]
) -> list[Tensor | None]:
    """Compute the gradients of a cell's inputs so that they can be differentiated."""
    features, shares, *tensors = inputs
    output = compose(features, shares, tensors)
    if not output.requires_grad:  # it is connected to nothing
        return [None] * len(inputs)
    leaves = [tensor for tensor, wanted in zip(inputs, needed, strict=True) if wanted]
    found = iter(
        torch.autograd.grad(output, leaves, gradient, create_graph=True, allow_unused=True)
    )
    return [next(found) if wanted else None for wanted in needed]
