"""Batches of images as tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import ImagesError
from fewshot_core.images.loading import Provenance, open_reader, provenance_of
from fewshot_core.images.sources import find_source


@dataclass(frozen=True)
class Batch:
    """Images with their labels.

    Attributes:
        images: float32, (B, 3, H, W), normalised.
        labels: int64, (B,).
        provenance: Where they are from.
    """

    images: Tensor
    labels: Tensor
    provenance: Provenance

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


def load_batch(
    dataset: str,
    size: int,
    seed: int = 0,
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
) -> Batch:
    """Load a random batch of training images, normalised by the data set's channel statistics.

    Args:
        dataset: The data set's name.
        size: Number of images, drawn without replacement.
        seed: Seed of the draw.
        source: An image source's name, a path, or None for the first real one.
        data_dir: The data folder.

    Raises:
        ImagesError: If there are no such images, or too few.
    """
    info = DATASETS.get(dataset)
    found = find_source(dataset, source, data_dir)
    reader = open_reader(found, "train")
    available = reader.count
    if not 1 <= size <= available:
        raise ImagesError(
            f"expected a batch of 1 to {available:,} images of {info.label} ({found.label}), "
            f"got {size:,}"
        )
    rows = np.random.default_rng(seed).choice(available, size, replace=False)
    pixels, labels = reader.read(rows)
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (info.mean, info.std))
    images = (torch.from_numpy(pixels).float() / 255 - mean) / std
    return Batch(images, torch.from_numpy(labels), provenance_of(found, "train", size, seed))
