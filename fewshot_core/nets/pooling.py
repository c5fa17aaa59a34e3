"""Average pooling over 3x3 pixels, those outside the image not counted, as two passes.

PyTorch's own is slow on a CPU where the channels of a pixel lie together. A convolution that adds
up nine pixels, and then one multiplication for each pixel, are not.
"""

import torch
from torch import Tensor


def pixel_shares(features: Tensor) -> Tensor:
    """Return one over the number of pixels around each one that lie inside the image.

    Args:
        features: Shape (B, C, H, W).

    Returns:
        Shape (1, C, H, W): written out for all channels, which is faster to multiply by.
    """
    rows, columns = (_counts(features, dimension) for dimension in (2, 3))
    shares = (rows.view(-1, 1) * columns).reciprocal()
    spread = shares.expand(1, *features.shape[1:])
    return spread.contiguous(memory_format=torch.channels_last)


def pixel_sums(features: Tensor) -> Tensor:
    """Return the sum of the 3x3 pixels around each one, zeros outside the image."""
    channels = features.shape[1]
    ones = features.new_ones(channels, 1, 3, 3)
    sums: Tensor = torch.ops.aten.convolution.default(
        features, ones, None, [1, 1], [1, 1], [1, 1], False, [0, 0], channels
    )
    return sums


def _counts(features: Tensor, dimension: int) -> Tensor:
    """Return how many pixels lie next to each one in a row or column, itself included."""
    size = features.shape[dimension]
    places = torch.arange(size, dtype=features.dtype)
    return 1 + (places > 0).to(features.dtype) + (places < size - 1).to(features.dtype)
