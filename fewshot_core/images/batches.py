"""Images of a source with their provenance, and batches of them as tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import ImagesError
from fewshot_core.images.sources import FORMATS, ImageSource, Reader, find_source, fingerprint_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Provenance:
    """Where images are from: a source by its name and label, and how they were drawn.

    ``split`` is ``"train"`` or ``"test"``, ``fingerprint`` the SHA-256 of the files' content, and
    ``seed`` the one they were drawn with, or None for all of them.
    """

    dataset: str
    source: str
    label: str
    synthetic: bool
    split: str
    fingerprint: str
    size: int
    seed: int | None = None

    def describe(self) -> str:
        """One line: "64 CIFAR-10 training images, Parquet files, seed 0"."""
        label = DATASETS.get(self.dataset).label
        drawn = "" if self.seed is None else f", seed {self.seed}"
        if self.synthetic:
            return f"{self.size:,} synthetic images (not {label}){drawn}"
        part = "training" if self.split == "train" else "test"
        return f"{self.size:,} {label} {part} images, {self.label}{drawn}"


def provenance_of(
    source: ImageSource, split: str, size: int, seed: int | None = None
) -> Provenance:
    """Provenance of some images of a source."""
    made_of = (source.dataset, source.name, source.label, source.synthetic)
    return Provenance(*made_of, split, fingerprint_of(source), size, seed)


def open_reader(source: ImageSource, split: str) -> Reader:
    """Reader of a split of a source; raises ``ImagesError`` if files are missing or damaged."""
    if split not in ("train", "test"):
        raise ImagesError(f"expected the split 'train' or 'test', got {split!r}")
    return FORMATS.get(source.kind).open(DATASETS.get(source.dataset), source.path, split)


@dataclass(frozen=True)
class Batch:
    """Normalised images, float32 (B, 3, H, W), and their labels, int64 (B,)."""

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
    """Load training images, drawn without replacement, normalised by the channels' statistics.

    ``source`` is the name of an image source, a path, or None for the first real one. Raises
    ImagesError if there are no such images, or too few.
    """
    import torch

    info = DATASETS.get(dataset)
    found = find_source(dataset, source, data_dir)
    reader = open_reader(found, "train")
    available = len(reader.labels)
    if not 1 <= size <= available:
        raise ImagesError(
            f"expected a batch of 1 to {available:,} images of {info.label} ({found.label}), "
            f"got {size:,}"
        )
    rows = np.random.default_rng(seed).choice(available, size, replace=False)
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (info.mean, info.std))
    images = (torch.from_numpy(reader.read(rows)).float() / 255 - mean) / std
    labels = torch.from_numpy(reader.labels[rows])
    return Batch(images, labels, provenance_of(found, "train", size, seed))
