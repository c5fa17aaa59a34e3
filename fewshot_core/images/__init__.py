"""Images: where they are, how they are read, and batches of them.

Importing this package imports neither PyTorch nor what downloads need.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewshot_core.images.loading import ImageArrays, Provenance, load_images
from fewshot_core.images.sources import (
    ImageSource,
    download,
    find_source,
    list_sources,
    register_source,
    source_fingerprint,
    unregister_source,
)
from fewshot_core.images.synthetic import SYNTHETIC

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


def load_batch(
    dataset: str,
    size: int,
    seed: int = 0,
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
) -> Batch:
    """Load a random batch of training images; see ``fewshot_core.images.batches.load_batch``."""
    from fewshot_core.images import batches

    return batches.load_batch(dataset, size, seed, source, data_dir)
