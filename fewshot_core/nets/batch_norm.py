"""Batch normalisation that never changes behind one's back."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional


class BatchNorm(nn.BatchNorm2d):
    """Batch norm with an explicit mode instead of ``train()`` and ``eval()``.

    In both modes the stored statistics stay as they are.

    Attributes:
        mode: ``"batch"`` uses the statistics of the batch, ``"running"`` the stored ones.
        held: Whether the statistics of the batch count as constants, through which no gradient
            flows; see ``held_statistics``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.mode = "batch"
        self.held = False

    def forward(self, features: Tensor) -> Tensor:
        """Normalise features of shape (B, C, H, W).

        PyTorch's statistics are less precise where the channels of a pixel lie together: it then
        adds up all pixels one after the other. Such features are laid out anew before.
        """
        features = features.contiguous()
        mean, variance = self._constants(features)
        return functional.batch_norm(
            features,
            mean,
            variance,
            self.weight,
            self.bias,
            training=mean is None,
            eps=self.eps,
        )

    def _constants(self, features: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return mean and variance where they are constants, each of shape (C,)."""
        if self.mode == "running":
            return self.running_mean, self.running_var
        if self.held:
            variance, mean = torch.var_mean(features.detach(), dim=(0, 2, 3), correction=0)
            return mean, variance
        return None, None


def normalisations(module: nn.Module) -> list[BatchNorm]:
    """Return all batch-norm layers inside a module."""
    return [layer for layer in module.modules() if isinstance(layer, BatchNorm)]


@contextmanager
def held_statistics(network: nn.Module) -> Iterator[None]:
    """Let the statistics of a batch count as constants in all layers of a network.

    No sample then depends on another one, so that each has a gradient of its own. With stored
    statistics this is so anyway, and nothing changes.
    """
    layers = normalisations(network)
    before = [layer.held for layer in layers]
    try:
        for layer in layers:
            layer.held = True
        yield
    finally:
        for layer, held in zip(layers, before, strict=True):
            layer.held = held


def reset_statistics(layer: BatchNorm) -> None:
    """Set the stored statistics to the identity and the affine part to one and zero."""
    with torch.no_grad():
        layer.reset_running_stats()
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
