"""Random crops and flips of a whole batch at once, on its device."""

import torch
from torch import Tensor

from fewshot_core.search.data import Examples, Images

_SHARE = 8
"""A crop moves an image by up to this part of its size: 4 pixels of 32, 2 of 16."""


def augment(images: Images, rows: Tensor, generator: torch.Generator) -> Examples:
    """Return a batch of randomly cropped and flipped images.

    As for NAS-Bench-201 (Dong and Yang, 2020): the images are padded by black pixels, 4 on every
    side where they are 32 pixels wide, and cropped to their size; half of them are mirrored.

    Args:
        images: The images to draw from.
        rows: Which of them, int64 (B,).
        generator: On the CPU, so that the same is drawn for every device.
    """
    batch = images.take(rows)
    pixels, labels = batch
    padding = pixels.shape[-1] // _SHARE
    offsets = torch.randint(2 * padding + 1, (2, len(rows)), generator=generator)
    mirrored = torch.randint(2, (len(rows),), generator=generator).bool()
    return Examples(crop_and_flip(pixels, images.black, padding, offsets, mirrored), labels)


def crop_and_flip(
    pixels: Tensor, black: Tensor, padding: int, offsets: Tensor, mirrored: Tensor
) -> Tensor:
    """Return padded, cropped and flipped images.

    Args:
        pixels: (B, 3, H, W).
        black: The value of the padding, (3,).
        padding: Pixels added on every side.
        offsets: Where the crop starts in the padded image, rows and columns, int64 (2, B).
        mirrored: Which images are flipped left to right, bool (B,).

    Returns:
        (B, 3, H, W).
    """
    count, channels, height, width = pixels.shape
    padded = black.reshape(1, channels, 1, 1).repeat(
        count, 1, height + 2 * padding, width + 2 * padding
    )
    padded[:, :, padding : padding + height, padding : padding + width] = pixels
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    numbers = torch.arange(count, device=pixels.device)
    down, right = offsets.to(pixels.device)
    cropped = windows[numbers, :, down, right]
    chosen = mirrored.to(pixels.device).reshape(count, 1, 1, 1)
    return torch.where(chosen, cropped.flip(3), cropped)
