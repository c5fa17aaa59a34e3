"""Images: where they are, how they are read, and batches of them.

Importing this package imports neither PyTorch nor what downloads need.
"""

from fewshot_core.images.formats import SYNTHETIC
from fewshot_core.images.sources import (
    Batch,
    ImageSource,
    Provenance,
    download,
    find_source,
    list_sources,
    load_batch,
    register_source,
    source_fingerprint,
    unregister_source,
)

__all__ = [
    "SYNTHETIC",
    "Batch",
    "ImageSource",
    "Provenance",
    "download",
    "find_source",
    "list_sources",
    "load_batch",
    "register_source",
    "source_fingerprint",
    "unregister_source",
]
