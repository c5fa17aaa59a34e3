"""Sources of images: found in the data folder, registered by the user, downloaded, or synthetic.

The formats in which they are stored are records in ``FORMATS``. Batches of their images are tensors
with a provenance.

In all functions ``data_dir`` is the data folder, by default ``fewshot_core.data_folder.data_dir``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from fewshot_core.data_folder import data_dir as find_data_dir
from fewshot_core.data_folder import file_fingerprint, text_fingerprint, typed_path, write_json
from fewshot_core.datasets import DATASETS, Dataset
from fewshot_core.documents import DamageError, read_document, refusing
from fewshot_core.errors import ImagesError, UnknownNameError
from fewshot_core.images import formats
from fewshot_core.images.formats import RECIPE, SYNTHETIC, SyntheticReader
from fewshot_core.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DATA_FOLDER = "data-folder"
"""Name of the source that is under ``images/`` in the data folder."""

_NOT_FREE = (
    "ImageNet16-120 cannot be downloaded freely: register at image-net.org, take the 16x16 "
    "downsampled ImageNet (Chrabaszcz et al., 2017) in its Python format"
)
_FILES = {
    "cifar10": "cifar-10-python.tar.gz, its folder cifar-10-batches-py, or train-*.parquet",
    "cifar100": "cifar-100-python.tar.gz, its folder cifar-100-python, or train-*.parquet",
    "ImageNet16-120": "train_data_batch_1 to train_data_batch_10 and val_data",
}
_DOWNLOADS = "https://www.cs.toronto.edu/~kriz/"
_CHECKSUMS = {
    "cifar10": "md5:c58f30108f718f92721af3b95e74349a",
    "cifar100": "md5:eb9058c3a382ffc7106e4002c42a8d85",
}


class Reader(Protocol):
    """One split of a data set."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of every image, (N,)."""

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Pixels (n, 3, H, W) of some rows, in their order."""


@dataclass(frozen=True)
class ImageFormat:
    """A format: ``locate`` finds a data set inside a folder or file, or returns None.

    ``files`` lists the files of the training images; ``open`` opens a split, "train" or "test".
    """

    name: str
    label: str
    locate: Callable[[Dataset, Path], Path | None]
    files: Callable[[Dataset, Path], list[Path]]
    open: Callable[[Dataset, Path, str], Reader]


def _locate_parquet(dataset: Dataset, place: Path) -> Path | None:
    folders = (place, place / "data", place / "plain_text") if place.is_dir() else ()
    return next((folder for folder in folders if _shards(folder, "train")), None)


def _shards(folder: Path, split: str) -> list[Path]:
    return sorted(folder.glob(f"{split}*.parquet"))


FORMATS = Registry(
    "image format",
    ImageFormat("archive", "official archive", formats.locate, formats.files, formats.open_split),
    ImageFormat(
        "parquet",
        "Parquet files",
        _locate_parquet,
        lambda dataset, place: _shards(place, "train"),
        lambda dataset, place, split: formats.open_shards(
            dataset, place, split, _shards(place, split)
        ),
    ),
    ImageFormat(
        SYNTHETIC,
        "synthetic images",
        lambda dataset, place: None,
        lambda dataset, place: [],
        lambda dataset, place, split: SyntheticReader(dataset, split),
    ),
)


@dataclass(frozen=True)
class ImageSource:
    """Images of a data set, in a format (``kind``, a name in ``FORMATS``).

    ``path`` is the current folder for synthetic images; ``problem`` says why it cannot be used.
    """

    dataset: str
    name: str
    label: str
    kind: str
    path: Path
    problem: str | None = None

    @property
    def synthetic(self) -> bool:
        """Whether the images are synthetic."""
        return self.kind == SYNTHETIC

    def training_files(self) -> list[Path]:
        """The files that hold the training images; none for synthetic images."""
        return FORMATS.get(self.kind).files(DATASETS.get(self.dataset), self.path)


def list_sources(
    dataset: str | None = None, data_dir: Path | str | None = None
) -> list[ImageSource]:
    """All sources, the preferred ones first and ``synthetic`` always last.

    A registered path that no longer exists is listed with its problem.
    """
    folder = find_data_dir(data_dir)
    sources = []
    for name in DATASETS.names() if dataset is None else [DATASETS.get(dataset).name]:
        own = folder / "images" / name
        found = _recognise(name, DATA_FOLDER, own)
        sources += [] if found is None else [found]
        sources += [_from_entry(entry) for entry in _registered(folder) if entry["dataset"] == name]
        sources.append(ImageSource(name, SYNTHETIC, "synthetic images", SYNTHETIC, Path()))
    return sources


def find_source(
    dataset: str, source: Path | str | None = None, data_dir: Path | str | None = None
) -> ImageSource:
    """The source of a name or a path, or the first real one; may raise ImagesError."""
    info = DATASETS.get(dataset)
    known = list_sources(dataset, data_dir)
    if source is None:
        real = [item for item in known if not item.synthetic and item.problem is None]
        if not real:
            raise _missing(f"there are no images of {info.label} here", info)
        return real[0]
    for item in known:
        if item.name == str(source):
            if item.problem:
                raise _missing(item.problem, info)
            return item
    place = typed_path(source)
    if not place.exists():
        names = ", ".join(item.name for item in known)
        text = f"unknown images {str(source)!r}: expected one of {names}, or a path that exists"
        raise _missing(text, info)
    return _recognise_or_raise(dataset, str(source), Path(os.path.realpath(place)))


def source_fingerprint(
    dataset: str, source: Path | str | None = None, data_dir: Path | str | None = None
) -> str:
    """SHA-256 of a source's training files, or of the recipe of synthetic images."""
    return fingerprint_of(find_source(dataset, source, data_dir))


def fingerprint_of(source: ImageSource) -> str:
    """``source_fingerprint`` of a source that was found."""
    if source.synthetic:
        return text_fingerprint(f"{RECIPE}/{source.dataset}")
    found = []
    for path in source.training_files():
        if not path.is_file():
            label = DATASETS.get(source.dataset).label
            raise ImagesError(f"expected the file {path} of {label}, found none")
        stat = path.stat()
        found.append(_content_fingerprint(path, stat.st_size, stat.st_mtime_ns))
    return text_fingerprint("/".join(found))


def register_source(
    dataset: str, path: Path | str, name: str | None = None, data_dir: Path | str | None = None
) -> ImageSource:
    """Add a path with images to the sources, after checking its content; may raise ImagesError."""
    place = Path(os.path.realpath(typed_path(path)))
    source = _recognise_or_raise(dataset, name or place.name, place)
    taken = {DATA_FOLDER: "the images in the data folder", SYNTHETIC: "synthetic images"}
    for item in list_sources(dataset, data_dir):
        if item.path != source.path:
            taken[item.name] = "synthetic images" if item.synthetic else str(item.path)
    if source.name in taken:
        raise ImagesError(
            f"the name {source.name!r} is taken by {taken[source.name]}: choose another name"
        )
    _check_content(source)
    folder = find_data_dir(data_dir)
    new = {"dataset": source.dataset, "name": source.name, "path": str(source.path)}
    entries = [item for item in _registered(folder) if item != new]
    write_json(_register(folder), [*entries, new])
    return source


def unregister_source(dataset: str, name: str, data_dir: Path | str | None = None) -> None:
    """Remove a registered path from the sources; its files stay. Unknown names are refused."""
    folder = find_data_dir(data_dir)
    entries = _registered(folder)
    others = [item for item in entries if (item["dataset"], item["name"]) != (dataset, name)]
    if len(others) == len(entries):
        names = [item["name"] for item in entries if item["dataset"] == dataset]
        known = ", ".join(names) or "none"
        raise UnknownNameError(f"unknown images {name!r} of {dataset}: registered are {known}")
    write_json(_register(folder), others)


def download(
    dataset: str, data_dir: Path | str | None = None, progress: Any = False
) -> ImageSource:
    """Download the official archive of CIFAR-10 or CIFAR-100 into the data folder.

    ``progress`` is a progress bar as pooch takes it, or False for none. Raises ImagesError if the
    archive cannot be fetched, its checksum is wrong, or the data set cannot be downloaded freely.
    """
    import pooch
    import requests

    info = DATASETS.get(dataset)
    name = formats.LAYOUTS[dataset].archive
    if name is None:
        raise _missing(_NOT_FREE, info)
    try:
        pooch.retrieve(
            _DOWNLOADS + name,
            known_hash=_CHECKSUMS[dataset],
            fname=name,
            path=find_data_dir(data_dir) / "images" / dataset,
            downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30),
        )
    except (requests.RequestException, OSError, ValueError) as error:
        text = f"{info.label} could not be downloaded from {_DOWNLOADS}{name} ({error})"
        raise _missing(text, info) from error
    return find_source(dataset, DATA_FOLDER, data_dir)


def _missing(problem: str, dataset: Dataset) -> ImagesError:
    """Build an error with every way to get images, and with their commands as a note."""
    name = dataset.name
    choices = [
        f"put {_FILES[name]} into images/{name}/ of the data folder",
        "register a folder that has them",
    ]
    commands = f"Commands: fewshot images register {name} PATH"
    if formats.LAYOUTS[name].archive is None:
        choices.insert(0, _NOT_FREE)
    else:
        choices.append("download them")
        commands += f", fewshot images download {name}"
    choices.append("use 'synthetic' images")
    error = ImagesError(f"{problem}. You can {'; or '.join(choices)}.")
    error.add_note(commands)  # the command line prints it, the app does not
    return error


def _check_content(source: ImageSource) -> None:
    """Open both splits, and check that the training images are of all classes."""
    info = DATASETS.get(source.dataset)
    layout = FORMATS.get(source.kind)
    layout.open(info, source.path, "test")
    classes = len(np.unique(layout.open(info, source.path, "train").labels))
    if classes != info.classes:
        raise ImagesError(
            f"{source.path}: expected training images of all {info.classes} classes of "
            f"{info.label}, got {classes}; is it another data set, or a part of one?"
        )


def _recognise(dataset: str, name: str, place: Path) -> ImageSource | None:
    """The data set in a place, if it is there in a known format."""
    for item in FORMATS:
        located = item.locate(DATASETS.get(dataset), place)
        if located is not None:
            return ImageSource(dataset, name, item.label, item.name, located)
    return None


def _recognise_or_raise(dataset: str, name: str, place: Path) -> ImageSource:
    found = _recognise(dataset, name, place)
    if found is None:
        info = DATASETS.get(dataset)
        raise _missing(f"{place} holds no {info.label} in a known format", info)
    return found


def _from_entry(entry: dict[str, str]) -> ImageSource:
    dataset, name, path = entry["dataset"], entry["name"], Path(entry["path"])
    problem = f"the registered images {name!r} are no longer at {path}"
    missing = ImageSource(dataset, name, name, "missing", path, problem)
    return _recognise(dataset, name, path) or missing


def _register(folder: Path) -> Path:
    return folder / "images" / "registered.json"


def _registered(folder: Path) -> list[dict[str, str]]:
    path = _register(folder)
    if not path.exists():
        return []
    with refusing(ImagesError, str(path), "repair or delete it"):
        entries: Any = read_document(path)
        found = [{key: str(item[key]) for key in ("dataset", "name", "path")} for item in entries]
        if any("\0" in entry["path"] for entry in found):
            raise DamageError("expected paths of files")
        return found


@lru_cache(maxsize=64)
def _content_fingerprint(path: Path, size: int, modified: int) -> str:
    """SHA-256 of a file, computed once as long as its size and time stay."""
    return file_fingerprint(path)


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
