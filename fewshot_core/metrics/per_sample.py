"""Inner products of the gradients that single samples have, without holding those gradients.

Where no sample depends on another, one backward pass over the sum of all samples reaches every
layer with the gradient of each sample's own output. Times the layer's input, that is the sample's
gradient of the layer's weight. It is formed for one layer at a time, and only inner products and
sums are kept: for 64 samples of 1.7 million weights a few kilobytes instead of 435 megabytes.

A layer is any call of a convolution or of a linear map during the forward pass, whichever module
makes it. Its weight may be put together from several weights, each of which gets its share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from fewshot_core.errors import MetricError
from fewshot_core.metrics.layers import Convolution, Layer, Linear
from fewshot_core.metrics.precision import precise
from fewshot_core.nets import held_statistics, probed_weights

Quantity = Callable[[Tensor], Tensor]
"""Maps logits (B, classes) to one number for each sample, (B,)."""


@dataclass(frozen=True)
class GradientProducts:
    """What is kept of the gradients of B samples, each a vector of ``length`` numbers.

    Attributes:
        products: float64, (B, B): the inner product of every two gradients (their Gram matrix).
        sums: float64, (B,): the sum of the elements of each gradient.
        length: How many elements a gradient has.
    """

    products: npt.NDArray[np.float64]
    sums: npt.NDArray[np.float64]
    length: int


def weight_gradient_products(
    network: nn.Module, images: Tensor, quantity: Quantity
) -> GradientProducts:
    """Return the products of the per-sample gradients with respect to all probed weights.

    Statistics of the batch count as constants, so that each sample has a gradient of its own.

    Args:
        network: A network whose weights are differentiable.
        images: Shape (B, C, H, W).
        quantity: What is differentiated.

    Raises:
        MetricError: If a weight is used by two layers, or a layer is a grouped convolution.
    """
    weights = list(probed_weights(network).values())
    ledger = _Ledger(weights, _Accumulator(len(images)))
    anchor = torch.zeros((), device=images.device, requires_grad=True)
    with held_statistics(network), _LayerTap(ledger, anchor):
        total = quantity(network(images)).sum()
    torch.autograd.grad(total, anchor, allow_unused=True)
    return ledger.accumulator.result(sum(weight.numel() for weight in weights))


def image_gradient_products(
    network: nn.Module, images: Tensor, quantity: Quantity
) -> GradientProducts:
    """Return the products of the per-sample gradients with respect to the images themselves.

    The arguments are those of ``weight_gradient_products``.
    """
    leaf = images.detach().requires_grad_(True)
    with held_statistics(network):
        total = quantity(network(leaf)).sum()
    (gradients,) = torch.autograd.grad(total, leaf, allow_unused=True, materialize_grads=True)
    accumulator = _Accumulator(len(images))
    accumulator.add(gradients)
    return accumulator.result(images[0].numel())


class _Accumulator:
    """Adds up the products of pieces of gradients, in float64."""

    def __init__(self, samples: int) -> None:
        self.products = torch.zeros(samples, samples, dtype=torch.float64)
        self.sums = torch.zeros(samples, dtype=torch.float64)

    def add(self, gradients: Tensor) -> None:
        """Add pieces of the gradients, (B, ...)."""
        rows = precise(gradients).flatten(1)
        self.products = self.products.to(rows.device) + rows @ rows.T
        self.sums = self.sums.to(rows.device) + rows.sum(1)

    def result(self, length: int) -> GradientProducts:
        """Return what was added up; elements that were never added are zero."""
        return GradientProducts(self.products.cpu().numpy(), self.sums.cpu().numpy(), length)


class _Ledger:
    """Knows which weights' gradients were accounted for."""

    def __init__(self, weights: list[Tensor], accumulator: _Accumulator) -> None:
        self.weights = weights
        self.accumulator = accumulator
        self._open = set(map(id, weights))

    def add(self, weight: Tensor, gradients: Tensor) -> None:
        """Add the gradients, (B, *weight.shape), of a layer's weight."""
        if weight.is_leaf:
            self._add_once(weight, gradients)
            return
        parts = torch.autograd.grad(
            weight,
            self.weights,
            gradients,
            is_grads_batched=True,
            retain_graph=True,
            allow_unused=True,
        )
        for part, gradient in zip(self.weights, parts, strict=True):
            if gradient is not None:
                self._add_once(part, gradient)

    def _add_once(self, weight: Tensor, gradients: Tensor) -> None:
        if id(weight) not in self._open:
            raise MetricError(
                "expected each weight to be used by one layer, got one that is used by two: "
                "its per-sample gradients cannot be added up layer by layer"
            )
        self._open.remove(id(weight))
        self.accumulator.add(gradients)


class _LayerTap(TorchFunctionMode):
    """Lets a ledger see the gradients of every layer that is called."""

    def __init__(self, ledger: _Ledger, anchor: Tensor) -> None:
        super().__init__()
        self.ledger = ledger
        self.anchor = anchor

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of PyTorch; tap its output if it is a layer."""
        named = kwargs or {}
        if func is torch.conv2d:
            return self._tapped(Convolution(*args, **named))
        if func is functional.linear:
            return self._tapped(Linear(*args, **named))
        return func(*args, **named)

    def _tapped(self, layer: Layer) -> Tensor:
        def account(gradient: Tensor) -> None:
            self.ledger.add(layer.weight, layer.weight_gradients(gradient))

        return _tap(layer.output(), self.anchor, account)


class _Tap(torch.autograd.Function):
    """The identity, whose backward pass shows the gradient that comes by.

    The anchor is a leaf that every tap hangs on, so that asking for its gradient sends the
    backward pass through all of them, also where nothing depends on the images.
    """

    @staticmethod
    def forward(
        ctx: Any, output: Tensor, anchor: Tensor, account: Callable[[Tensor], None]
    ) -> Tensor:
        ctx.account = account
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        ctx.account(gradient)
        return gradient, None, None


_tap: Callable[[Tensor, Tensor, Callable[[Tensor], None]], Tensor] = cast(Any, _Tap).apply
