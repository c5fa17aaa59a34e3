"""The backward pass of a cell with the statistics of the batch, in few passes over memory.

All convolutions that lead to a node meet the same gradient there, g. With y a convolution's output
without its mean, s what it is multiplied by and i one over its deviation, batch norm makes of it::

    s * (g - mean(g) - y * i**2 * mean(g * y))

The factor s is one number for each channel and is left to the convolution's weight, so that what
remains is one addition and one multiplication for each pixel.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from fewshot_core.nets.fast_forward import Kept, alike, own_shares, per_channel, stacked
from fewshot_core.nets.pooling import pooled_backward
from fewshot_core.nets.wiring import Link, Wiring

_convolution_backward = torch.ops.aten.convolution_backward.default
_relu_backward_into = torch.ops.aten.threshold_backward.grad_input
_norm_backward = torch.ops.aten.native_batch_norm_backward.default


class BackwardPass:
    """A backward pass.

    Args:
        wiring: The edges.
        shares: What each operation counts.
        tensors: What the forward pass got.
        kept: What the forward pass left.
        needed: Whether gradients are wanted: of the features, of the shares, of each tensor.
    """

    def __init__(
        self,
        wiring: Wiring,
        shares: Sequence[float],
        tensors: Sequence[Tensor],
        kept: Kept,
        needed: Sequence[bool],
    ) -> None:
        count = len(wiring.convolutions)
        self.wiring = wiring
        self.shares = shares
        self.weights, self.norms = tensors[:count], tensors[count:]
        self.kept = kept
        self.of_features, self.of_shares = needed[:2]
        self.of_weights = needed[2 : 2 + count]

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
        return [found, self._of_shares(*sums), *self._of_weights(), *self._of_norms(*sums)]

    def _prepare(self, gradient: Tensor) -> None:
        """Make room for what is computed on the way."""
        count, size = len(self.weights), gradient.numel() // gradient.shape[1]
        self._own = own_shares(self.wiring, self.shares, gradient)
        self._scales, self._shifts = stacked(self.norms, gradient)
        self._factors = (self._scales * self.kept.inverses * self._own)[..., None, None, None]
        self._kernels = _products(self.weights, self._factors)
        self._slopes = self.kept.inverses.square().div_(-size)
        self._nothing = gradient.new_zeros(gradient.shape[1])
        self._ones = torch.ones_like(self._nothing)
        self._sums: dict[int, tuple[Tensor, Tensor]] = {}
        self._found: list[Tensor | None] = [None] * count
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
        for number in numbers:
            self._sums[number] = self._summed(gradient, self.kept.centred[number])
        means = self._sums[numbers[0]][0] / (gradient.numel() // gradient.shape[1])
        centred = torch.sub(gradient, per_channel(means), out=self._centred)
        for link in links:
            for number in link.convolutions:
                self._convolve(number, link.source, centred)

    def _summed(self, gradient: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sums of a gradient and of its products with an output, each (C,)."""
        _, products, totals = _norm_backward(
            gradient, output, None, None, None, self._nothing, self._ones,
            True, 0.0, [False, True, True],
        )  # fmt: skip
        return totals, products

    def _convolve(self, number: int, source: int, gradient: Tensor) -> None:
        """Send a gradient without mean back through batch norm and convolution."""
        mask = [source > 0 or self.of_features, self.of_weights[number], False]
        if not any(mask):
            return
        slopes = per_channel(self._sums[number][1] * self._slopes[number])
        through = torch.addcmul(gradient, self.kept.centred[number], slopes, out=self._scratch)
        kernel = self._kernels[number]
        padding = [kernel.shape[-1] // 2] * 2
        inputs, self._found[number], _ = _convolution_backward(
            through, self.kept.rectified[source], kernel, None,
            [1, 1], padding, [1, 1], False, [0, 0], 1, mask,
        )  # fmt: skip
        before = self._convolved[source]
        self._convolved[source] = inputs if before is None else before.add_(inputs)

    def _pass_on(self, link: Link, gradient: Tensor) -> None:
        """Take to a link's source the gradient of what it passes on without convolving it."""
        if self.of_shares:
            self._note_shares(link, gradient)
        if link.source == 0 and not self.of_features:
            return
        if link.skip is not None:
            kind = "both" if alike(link, self.shares) else "skip"
            self._add(kind, link.source, gradient, self.shares[link.skip])
        if link.pool is not None and not alike(link, self.shares):
            self._add("pool", link.source, gradient, self.shares[link.pool])

    def _add(self, kind: str, source: int, gradient: Tensor, share: float) -> None:
        passed = self._passed[source]
        if kind in passed:
            passed[kind].add_(gradient, alpha=share)
        else:
            passed[kind] = gradient * share

    def _note_shares(self, link: Link, gradient: Tensor) -> None:
        """Note the gradients of what skip connection and pooling count on a link."""
        features = self.kept.nodes[link.source]
        if link.skip is not None:
            self._linear_shares[link.skip] = _dot(gradient, features)
        pooled = self.kept.pooled[link.source]
        if link.pool is not None and pooled is not None:
            self._linear_shares[link.pool] = _dot(gradient, pooled)

    def _arrived(self, source: int) -> Tensor | None:
        """Return the gradient of a node's features; None where nothing depends on them."""
        passed = self._passed[source]
        parts = [passed[kind] for kind in ("skip", "both") if kind in passed]
        pooled = [passed[kind] for kind in ("pool", "both") if kind in passed]
        parts += [pooled_backward(gradient, self._scratch) for gradient in pooled]
        convolved = self._convolved[source]
        if convolved is not None:
            rectified = self.kept.rectified[source]
            parts.insert(0, _relu_backward_into(convolved, rectified, 0, grad_input=convolved))
        if not parts:
            return None
        total = parts[0]
        for part in parts[1:]:
            total.add_(part)
        return total

    def _of_shares(self, totals: Tensor, products: Tensor) -> Tensor | None:
        """Return the gradient of what operations count, by position."""
        if not self.of_shares:
            return None
        of_convolutions = self._scales * self.kept.inverses * products
        of_convolutions += self._shifts * totals
        found = self._linear_shares
        found[list(self.wiring.positions)] = of_convolutions.sum(1)
        return found

    def _stacked_sums(self) -> tuple[Tensor, Tensor]:
        """Return what ``_summed`` found for all convolutions, each (K, C)."""
        if not self.weights:
            return self._scales, self._scales
        none = self._nothing, self._nothing
        sums = [self._sums.get(number, none) for number in range(len(self.weights))]
        totals, products = zip(*sums, strict=True)
        return torch.stack(totals), torch.stack(products)

    def _of_weights(self) -> list[Tensor | None]:
        """Return the gradients of the convolutions' weights."""
        return [
            None if gradient is None else gradient.mul_(factors)
            for gradient, factors in zip(self._found, self._factors.unbind(), strict=True)
        ]

    def _of_norms(self, totals: Tensor, products: Tensor) -> list[Tensor | None]:
        """Return the gradients of batch norm's weights, then of its biases."""
        of_scales = products * self.kept.inverses * self._own
        of_shifts = totals * self._own
        rows = [*of_scales.unbind(), *of_shifts.unbind()]
        reached = [number in self._sums for number in range(len(self.weights))] * 2
        return [row if there else None for row, there in zip(rows, reached, strict=True)]


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the sum of the products of two tensors, (B, C, H, W), channels last."""
    return torch.dot(one.permute(0, 2, 3, 1).flatten(), other.permute(0, 2, 3, 1).flatten())


def _products(weights: Sequence[Tensor], factors: Tensor) -> list[Tensor]:
    """Return each weight times its factors, (C, 1, 1, 1)."""
    return [weight * factor for weight, factor in zip(weights, factors.unbind(), strict=True)]
