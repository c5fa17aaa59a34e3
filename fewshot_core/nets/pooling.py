"""Average pooling over 3x3 pixels, those outside the image not counted, as two passes.

PyTorch's own is slow on a CPU where the channels of a pixel lie together. A convolution that adds
up nine pixels, and then one multiplication for each pixel, are not.
"""

from functools import lru_cache

import torch
from torch import Tensor


def pixel_shares(features: Tensor) -> Tensor:
    """Return one over the number of pixels around each one that lie inside the image.

    Args:
        features: Shape (B, C, H, W).

    Returns:
        Shape (1, C, H, W): written out for all channels, which is faster to multiply by. It is
        remembered; do not change it.
    """
    return _pixel_shares(features.shape[1:], features.dtype, features.device)


@lru_cache(maxsize=32)
def _pixel_shares(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    _, height, width = shape
    with torch.inference_mode(False):
        counts = _counts(height, dtype, device).view(-1, 1) * _counts(width, dtype, device)
        return counts.reciprocal().expand(1, *shape).contiguous(memory_format=torch.channels_last)


def pooled(features: Tensor) -> Tensor:
    """Return the mean of the 3x3 pixels around each one, (B, C, H, W)."""
    return pixel_sums(features).mul_(pixel_shares(features))


def pooled_backward(gradient: Tensor, scratch: Tensor | None = None) -> Tensor:
    """Map the gradient of what ``pooled`` returns to that of its features.

    Args:
        gradient: Shape (B, C, H, W).
        scratch: A tensor of the same shape that may be written to, or None.
    """
    return pixel_sums(torch.mul(gradient, pixel_shares(gradient), out=scratch))


def pixel_sums(features: Tensor) -> Tensor:
    """Return the sum of the 3x3 pixels around each one, zeros outside the image."""
    channels = features.shape[1]
    ones = features.new_ones(channels, 1, 3, 3)
    sums: Tensor = torch.ops.aten.convolution.default(
        features, ones, None, [1, 1], [1, 1], [1, 1], False, [0, 0], channels
    )
    return sums


def _counts(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return how many pixels lie next to each one in a row of pixels, itself included."""
    places = torch.arange(size, dtype=dtype, device=device)
    return 1 + (places > 0).to(dtype) + (places < size - 1).to(dtype)
