"""All images of a split, for tests."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from fewshot_core.images import Provenance, find_source
from fewshot_core.images.sources import open_reader, provenance_of


class Images(NamedTuple):
    pixels: np.ndarray
    labels: np.ndarray
    provenance: Provenance


def load_images(
    dataset: str,
    split: str = "train",
    source: Path | str | None = None,
    data_dir: Path | str | None = None,
) -> Images:
    found = find_source(dataset, source, data_dir)
    reader = open_reader(found, split)
    count = len(reader.labels)
    pixels = reader.read(np.arange(count))
    return Images(pixels, reader.labels, provenance_of(found, split, count))
