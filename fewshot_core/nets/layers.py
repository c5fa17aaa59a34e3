"""Layers of networks: batch norm, convolution blocks, pooling, initial weights.

PyTorch's own is slow on a CPU where the channels of a pixel lie together. A convolution that adds
up nine pixels, and then one multiplication for each pixel, are not.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_weight


class BatchNorm(nn.BatchNorm2d):
    """Batch norm with an explicit mode instead of ``train()`` and ``eval()``.

    The mode ``"batch"`` uses the statistics of the batch, ``"running"`` the stored ones, which stay
    as they are in both, and ``"identity"`` passes features on as they are; for ``held`` see
    ``held_statistics``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.mode = "batch"
        self.held = False

    def forward(self, features: Tensor) -> Tensor:
        """Normalise features of shape (B, C, H, W).

        PyTorch's statistics are less precise on a CPU where the channels of a pixel lie together:
        it then adds up all pixels one after the other. Such features are copied before.
        """
        if self.mode == "identity":
            return features
        if features.device.type == "cpu":
            features = features.contiguous()
        mean, variance = None, None
        if self.mode == "running":
            mean, variance = self.running_mean, self.running_var
        elif self.held:
            variance, mean = torch.var_mean(features.detach(), dim=(0, 2, 3), correction=0)
        training, scale, shift = mean is None, self.weight, self.bias
        return functional.batch_norm(
            features, mean, variance, scale, shift, training=training, eps=self.eps
        )


def normalisations(module: nn.Module) -> list[BatchNorm]:
    """List all batch-norm layers inside a module."""
    return [layer for layer in module.modules() if isinstance(layer, BatchNorm)]


@contextmanager
def temporarily(objects: Iterable[object], name: str, value: object) -> Iterator[None]:
    """Give an attribute of some objects another value, and restore that of each afterwards."""
    before = [(one, getattr(one, name)) for one in objects]
    try:
        for one, _ in before:
            setattr(one, name, value)
        yield
    finally:
        for one, own in before:
            setattr(one, name, own)


def held_statistics(network: nn.Module) -> AbstractContextManager[None]:
    """Treat the statistics of a batch as constants in all layers of a network.

    No sample then depends on another one, so that each has its own gradient. With stored
    statistics this is so anyway, and nothing changes.
    """
    return temporarily(normalisations(network), "held", True)


def per_sample_gradients(
    gradient: Tensor,
    features: Tensor,
    shape: Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Map gradients at a convolution's output to those of its weight for each sample.

    The samples become groups of one convolution.

    Args:
        gradient: Shape (B, O, H, W).
        features: What is convolved, (B, I, H, W).
        shape: The shape of the weight.
        stride: As in ``conv2d``, like all others.

    Returns:
        Shape (B, *shape).
    """
    samples, outputs = gradient.shape[:2]
    found: Tensor = conv2d_weight(
        features.reshape(1, -1, *features.shape[2:]),
        (samples * outputs, *shape[1:]),
        gradient.reshape(1, -1, *gradient.shape[2:]),
        stride,
        padding,
        dilation,
        samples * groups,
    )
    return found.view(samples, *shape)


class ConvNorm(nn.Module):
    """A convolution without bias, then batch norm. The ReLU before it is its caller's."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        padding = kernel // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, 1, groups, bias=False)
        self.norm = BatchNorm(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        normalised: Tensor = self.norm(self.conv(features))
        return normalised


class ReductionBlock(nn.Module):
    """The residual block between two stages: half the size, twice the channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_a = ConvNorm(inputs, outputs, 3, stride=2)
        self.conv_b = ConvNorm(outputs, outputs, 3)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        main: Tensor = self.conv_b(torch.relu(self.conv_a(torch.relu(features))))
        short: Tensor = self.shortcut(functional.avg_pool2d(features, 2, 2))
        return short + main


def pixel_shares(features: Tensor) -> Tensor:
    """Compute one over the number of pixels around each one that lie inside the image.

    For (B, C, H, W) it is (1, C, H, W): written out for all channels, which is faster to multiply
    by. It is cached; do not change it.
    """
    return _pixel_shares(features.shape[1:], features.dtype, features.device)


@lru_cache(maxsize=32)
def _pixel_shares(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    _, height, width = shape
    with torch.inference_mode(False):
        counts = _counts(height, dtype, device).view(-1, 1) * _counts(width, dtype, device)
        return counts.reciprocal().expand(1, *shape).contiguous(memory_format=torch.channels_last)


def pooled(features: Tensor) -> Tensor:
    """Average the 3x3 pixels around each one, (B, C, H, W)."""
    return pixel_sums(features).mul_(pixel_shares(features))


def pooled_backward(gradient: Tensor, scratch: Tensor | None = None) -> Tensor:
    """Map the gradient of what ``pooled`` returns to that of its features.

    ``scratch`` is a tensor of the same shape that may be written to.
    """
    return pixel_sums(torch.mul(gradient, pixel_shares(gradient), out=scratch))


def pixel_sums(features: Tensor) -> Tensor:
    """Add up the 3x3 pixels around each one, zeros outside the image."""
    channels = features.shape[1]
    ones = features.new_ones(channels, 1, 3, 3)
    sums: Tensor = torch.ops.aten.convolution.default(
        features, ones, None, [1, 1], [1, 1], [1, 1], False, [0, 0], channels
    )
    return sums


def _counts(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Number of neighbours of each pixel in a row of pixels, itself included."""
    places = torch.arange(size, dtype=dtype, device=device)
    return 1 + (places > 0).to(dtype) + (places < size - 1).to(dtype)


@contextmanager
def fresh_weights(device: torch.device) -> Iterator[None]:
    """Build layers whose weights are set afterwards, by ``initialise``.

    PyTorch draws their first weights from its global generator, which is left as it was. They are
    on the CPU, as ``initialise`` expects, or have no numbers at all where the device is ``meta``.
    """
    place = torch.device("meta" if device.type == "meta" else "cpu")
    with torch.random.fork_rng(devices=[]), place:
        yield


def initialise(network: nn.Module, seed: int) -> None:
    """Give a network its initial weights: Kaiming normal, fan-out, biases zero.

    Each weight has its own generator, seeded by ``seed`` and the weight's name. A network
    built for a sub-space has therefore the same weights as the full one restricted to it, and
    nothing depends on, or changes, the global random state.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for layer in normalisations(network):
        layer.reset_parameters()
