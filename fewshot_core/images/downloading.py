"""Downloading the official archives, with their checksums."""

from pathlib import Path
from typing import Any

import pooch
import requests

from fewshot_core.data_folder import data_dir as find_data_dir
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import ImagesError
from fewshot_core.images.cifar import ARCHIVES
from fewshot_core.images.sources import NOT_FREE, ImageSource, find_source, how_to_get

_BASE = "https://www.cs.toronto.edu/~kriz/"
_CHECKSUMS = {
    "cifar10": "md5:c58f30108f718f92721af3b95e74349a",
    "cifar100": "md5:eb9058c3a382ffc7106e4002c42a8d85",
}


def download(
    dataset: str, data_dir: Path | str | None = None, progress: Any = False
) -> ImageSource:
    """Download an official archive; see ``fewshot_core.images.download``."""
    info = DATASETS.get(dataset)
    if dataset not in ARCHIVES:
        raise ImagesError(f"{NOT_FREE}. {how_to_get(info)}")
    folder = find_data_dir(data_dir) / "images" / dataset
    name = ARCHIVES[dataset]
    try:
        pooch.retrieve(
            _BASE + name,
            known_hash=_CHECKSUMS[dataset],
            fname=name,
            path=folder,
            downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30),
        )
    except (requests.RequestException, OSError, ValueError) as error:
        raise ImagesError(
            f"{info.label} could not be downloaded from {_BASE}{name} ({error}). {how_to_get(info)}"
        ) from error
    return find_source(dataset, "data-folder", data_dir)
