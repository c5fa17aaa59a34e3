"""Inner products of per-sample gradients.

The gradients are computed by ``torch.func``, as ``vmap`` of ``grad`` over a few samples at a time,
with the statistics of the whole batch held constant, so that no sample depends on another one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from fewshot_core.metrics.gradients import precise
from fewshot_core.nets import composing, probed_weights

Quantity = Callable[[Tensor], Tensor]
"""Maps logits (B, classes) to one number per sample, (B,), each of that sample's logits only."""

CHUNK = 16
"""Samples whose gradients are computed at the same time; memory grows with it."""


@dataclass(frozen=True)
class GradientProducts:
    """Inner products and sums of the gradients of B samples, each a vector of ``length`` numbers.

    Attributes:
        products: float64, (B, B): the inner product of every two gradients (their Gram matrix).
        sums: float64, (B,): the sum of the elements of each gradient.
        length: Number of elements of a gradient.
    """

    products: npt.NDArray[np.float64]
    sums: npt.NDArray[np.float64]
    length: int


def weight_gradient_products(
    network: nn.Module, images: Tensor, quantity: Quantity
) -> GradientProducts:
    """Compute the products of the per-sample gradients with respect to all probed weights.

    Batch statistics count as constants, so that each sample has its own gradient. A weight
    that several layers share has one gradient, the sum over these layers.

    Args:
        network: Any network that ``torch.func.vmap`` can transform; it is not changed.
        images: Shape (B, C, H, W).
        quantity: What is differentiated.
    """
    probed = probed_weights(network)
    names = {id(weight): name for name, weight in probed.items()}
    weights = {name: probed[name].detach() for name in names.values()}
    gradients = {name: one.new_empty(len(images), *one.shape) for name, one in weights.items()}
    # Without no_grad, the chunks' graphs would be kept for derivatives by batch norm and biases.
    with torch.no_grad(), composing(network), _ConstantStatistics() as statistics:
        slopes = _slopes(quantity, network(images))

        def linearised(weights: dict[str, Tensor], image: Tensor, slope: Tensor) -> Tensor:
            """Logits times the slopes of the quantity, which has the quantity's gradient."""
            statistics.replay()
            outputs: Tensor = functional_call(network, weights, (image[None],))
            return (outputs[0] * slope).sum()

        per_sample = vmap(grad(linearised), in_dims=(None, 0, 0))
        for start in range(0, len(images), CHUNK):
            chunk = slice(start, start + CHUNK)
            for name, found in per_sample(weights, images[chunk], slopes[chunk]).items():
                gradients[name][chunk] = found
    return _products(gradients.values())


def image_gradient_products(
    network: nn.Module, images: Tensor, quantity: Quantity
) -> GradientProducts:
    """Compute the products of the per-sample gradients with respect to the images themselves.

    The arguments are those of ``weight_gradient_products``.
    """
    leaf = images.detach().requires_grad_()
    with composing(network), _ConstantStatistics():
        total = quantity(network(leaf)).sum()
    return _products(torch.autograd.grad(total, leaf, allow_unused=True, materialize_grads=True))


def _slopes(quantity: Quantity, logits: Tensor) -> Tensor:
    """Differentiate the quantity of each sample with respect to its logits, (B, classes)."""
    leaf = logits.detach().requires_grad_()
    with torch.enable_grad():
        (slopes,) = torch.autograd.grad(quantity(leaf).sum(), leaf)
    return slopes


def _products(gradients: Iterable[Tensor]) -> GradientProducts:
    """Multiply gradients in float64, given in pieces of shape (B, ...)."""
    products, sums, length = np.zeros(()), np.zeros(()), 0
    for piece in gradients:
        rows = precise(piece).flatten(1)
        products = products + (rows @ rows.T).cpu().numpy()
        sums = sums + rows.sum(1).cpu().numpy()
        length += rows.shape[1]
    return GradientProducts(products, sums, length)


class _ConstantStatistics(TorchFunctionMode):
    """Makes batch statistics constants: those of the first pass, also in passes that replay it.

    It intercepts ``functional.batch_norm`` call by call, so that a layer may be used twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self._recorded: list[tuple[Tensor, Tensor]] = []
        self._replayed: Iterator[tuple[Tensor, Tensor]] | None = None

    def replay(self) -> None:
        """Use the recorded statistics, from the first call on, for another pass."""
        self._replayed = iter(self._recorded)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of PyTorch, whose batch norm always names its option ``training``."""
        # vmap refuses memory formats, which change no number.
        named = {name: one for name, one in (kwargs or {}).items() if name != "memory_format"}
        if func is functional.batch_norm and named["training"]:
            args = (args[0], *self._statistics(args[0].detach()))
            named["training"] = False
        return func(*args, **named)

    def _statistics(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Get mean and variance for the next call, each of shape (C,)."""
        if self._replayed is not None:
            return next(self._replayed)
        dimensions = (0, *range(2, features.dim()))
        variance, mean = torch.var_mean(features, dim=dimensions, correction=0)
        self._recorded.append((mean, variance))
        return mean, variance
