"""The images of a search: on the device, normalised once, one half held out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fewshot_core.datasets import DATASETS, Dataset
from fewshot_core.images import Provenance, find_source
from fewshot_core.images.sources import open_reader, provenance_of
from fewshot_core.search.options import SearchError


class Examples(NamedTuple):
    """A batch: normalised images, float32 (B, 3, H, W), and labels, int64 (B,)."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Images:
    """Images on a device.

    Attributes:
        pixels: float32, (N, 3, H, W), normalised.
        labels: int64, (N,).
        black: The normalised value of a black pixel, float32, (3,).
    """

    pixels: Tensor
    labels: Tensor
    black: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor) -> Examples:
        """Take the images of some rows, int64 (B,)."""
        rows = rows.to(self.labels.device)
        return Examples(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True)
class SearchData:
    """The images of a search.

    Attributes:
        whole: All images.
        train: The first half of them, for the weight step.
        valid: The others, held out for the architecture step and the validation accuracy.
    """

    whole: Images
    train: Images
    valid: Images
    dataset: Dataset
    provenance: Provenance


def load_data(
    dataset: str,
    count: int | None = None,
    split_seed: int = 0,
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
    device: torch.device | str = "cpu",
) -> SearchData:
    """Load training images, normalise them, and hold out half of them.

    ``count`` images are sampled without replacement, by default all of a source, which is as for
    ``load_batch``; ``split_seed`` is also that of the half held out. Raises ImagesError if there
    are no such images, and SearchError if there are too few.
    """
    info = DATASETS.get(dataset)
    found = find_source(dataset, source, data_dir)
    reader = open_reader(found, "train")
    available = len(reader.labels)
    size = available if count is None else count
    if size > available:
        raise SearchError(
            f"expected at most the {available:,} images of {info.label} ({found.label}), "
            f"got {size:,}"
        )
    rows = np.random.default_rng(split_seed).permutation(available)[:size]
    pixels, labels = reader.read(rows), reader.labels[rows]
    provenance = provenance_of(found, "train", size, None if count is None else split_seed)
    whole = normalise(torch.from_numpy(pixels), torch.from_numpy(labels), info, device)
    return halved(whole, info, provenance)


def normalise(
    pixels: Tensor, labels: Tensor, info: Dataset, device: torch.device | str = "cpu"
) -> Images:
    """Normalise pixels, uint8 (N, 3, H, W), on a device."""
    mean, std = (torch.tensor(values, device=device) for values in (info.mean, info.std))
    normalised = pixels.to(device).to(torch.float32).div_(255)
    normalised.sub_(mean.reshape(3, 1, 1)).div_(std.reshape(3, 1, 1))
    return Images(normalised, labels.to(device), -mean / std)


def halved(whole: Images, dataset: Dataset, provenance: Provenance) -> SearchData:
    """Hold out the second half of images, without copying."""
    train, valid = (
        Images(whole.pixels[rows], whole.labels[rows], whole.black)
        for rows in (slice(len(whole) // 2), slice(len(whole) // 2, None))
    )
    return SearchData(whole, train, valid, dataset, provenance)


def training_batches(
    images: Images, batch_size: int, augmented: bool, generator: torch.Generator
) -> Iterator[Examples]:
    """Yield all images once, in random batches, cropped and flipped where they are augmented."""
    order = torch.randperm(len(images), generator=generator)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield augment(images, rows, generator) if augmented else images.take(rows)


def in_order(size: int, batch_size: int) -> Iterator[Tensor]:
    """Yield all rows in order, in batches whose sizes differ by at most one.

    Batch norm normalises a batch as a whole, so a small last batch would score worse.
    """
    yield from torch.arange(size).tensor_split(-(-size // batch_size))


_SHARE = 8
"""Crops shift images by up to this part of their size: 4 pixels of 32, 2 of 16."""


def augment(images: Images, rows: Tensor, generator: torch.Generator) -> Examples:
    """Crop and flip a batch of images at random.

    As for NAS-Bench-201 (Dong and Yang, 2020): the images are padded by black pixels, 4 on every
    side where they are 32 pixels wide, and cropped to their size; half of them are mirrored. The
    generator is on the CPU, so that the same is sampled for every device.
    """
    pixels, labels = images.take(rows)
    padding = pixels.shape[-1] // _SHARE
    offsets = torch.randint(2 * padding + 1, (2, len(rows)), generator=generator)
    mirrored = torch.randint(2, (len(rows),), generator=generator).bool()
    return Examples(crop_and_flip(pixels, images.black, padding, offsets, mirrored), labels)


def crop_and_flip(
    pixels: Tensor, black: Tensor, padding: int, offsets: Tensor, mirrored: Tensor
) -> Tensor:
    """Pad, crop and flip images.

    Args:
        pixels: (B, 3, H, W).
        black: The value of the padding, (3,).
        padding: Pixels added on every side.
        offsets: Where the crop starts in the padded image, rows and columns, int64 (2, B).
        mirrored: Mask of the images that are flipped left to right, bool (B,).
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
