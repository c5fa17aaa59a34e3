"""Images: where they are, how they are read, and batches of them.

Importing this package imports neither torch nor what downloads need; asking for them does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewshot_core.images.loading import ImageArrays, Provenance, load_images
from fewshot_core.images.sources import (
    SYNTHETIC,
    ImageSource,
    find_source,
    list_sources,
    register_source,
    source_fingerprint,
    unregister_source,
)
from fewshot_core.resolve import resolve

if TYPE_CHECKING:
    from fewshot_core.images.batches import Batch

__all__ = [
    "SYNTHETIC",
    "ImageArrays",
    "ImageSource",
    "Provenance",
    "download",
    "find_source",
    "list_sources",
    "load_batch",
    "load_images",
    "register_source",
    "source_fingerprint",
    "unregister_source",
]


def download(
    dataset: str, data_dir: Path | str | None = None, progress: Any = False
) -> ImageSource:
    """Download the official archive of CIFAR-10 or CIFAR-100 into the data folder.

    Args:
        dataset: The data set's name.
        data_dir: The data folder.
        progress: A progress bar as pooch takes it, with ``total``, ``update``, ``reset`` and
            ``close``; False for none.

    Raises:
        ImagesError: If the archive cannot be fetched, its checksum is wrong, or the data set
            cannot be downloaded freely.
    """
    source: ImageSource = resolve("fewshot_core.images.downloading:download")(
        dataset, data_dir, progress
    )
    return source


def load_batch(
    dataset: str,
    size: int,
    seed: int = 0,
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
) -> Batch:
    """Return a random batch of training images.

    Args:
        dataset: The data set's name.
        size: How many images, drawn without replacement.
        seed: Which images.
        source: An image source's name, a path, or None for the first real one.
        data_dir: The data folder; see ``fewshot_core.data_folder.data_dir``.

    Returns:
        ``images`` float32 (size, 3, H, W), normalised by the data set's channel statistics,
        ``labels`` int64 (size,), and ``provenance``.

    Raises:
        ImagesError: If there are no such images, or fewer than asked.
    """
    batch: Batch = resolve("fewshot_core.images.batches:load_batch")(
        dataset, size, seed, source, data_dir
    )
    return batch
