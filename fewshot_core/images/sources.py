"""Where images are: found in the data folder, registered, or made up."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fewshot_core.data_folder import (
    data_dir as find_data_dir,
)
from fewshot_core.data_folder import (
    file_fingerprint,
    text_fingerprint,
    write_json,
)
from fewshot_core.datasets import DATASETS, Dataset
from fewshot_core.errors import ImagesError, UnknownNameError
from fewshot_core.images import formats, synthetic

_ARCHIVES = {
    "cifar10": "cifar-10-python.tar.gz, its folder cifar-10-batches-py, or train-*.parquet",
    "cifar100": "cifar-100-python.tar.gz, its folder cifar-100-python, or train-*.parquet",
    "ImageNet16-120": "train_data_batch_1 to train_data_batch_10 and val_data",
}

NOT_FREE = (
    "ImageNet16-120 cannot be downloaded freely: register at image-net.org, take the 16x16 "
    "downsampled ImageNet (Chrabaszcz et al., 2017) in its Python format"
)


def how_to_get(dataset: Dataset) -> str:
    """Return a text that names every way to come by images of a data set."""
    name = dataset.name
    choices = [
        f"put {_ARCHIVES[name]} into images/{name}/ of the data folder",
        f"name a folder that has them: fewshot images register {name} PATH",
    ]
    if name == "ImageNet16-120":
        choices.insert(0, NOT_FREE)
    else:
        choices.append(f"download them: fewshot images download {name}")
    choices.append("use 'synthetic', made-up images")
    return "You can " + "; or ".join(choices) + "."


SYNTHETIC = synthetic.NAME
"""The name of the source of made-up images."""

FOUND = "data-folder"
"""The name of the source that is under ``images/`` in the data folder."""


@dataclass(frozen=True)
class ImageSource:
    """Images of a data set somewhere.

    Attributes:
        dataset: The data set's name.
        name: The name to choose the source by.
        label: The source in words.
        kind: Its layout, a name in ``FORMATS``.
        path: Where it is; the current folder for synthetic images.
        problem: Why it cannot be used, or None.
    """

    dataset: str
    name: str
    label: str
    kind: str
    path: Path
    problem: str | None = None

    @property
    def synthetic(self) -> bool:
        """Whether the images are made up."""
        return self.kind == SYNTHETIC

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return "synthetic images" if self.synthetic else str(self.path)


def list_sources(
    dataset: str | None = None, data_dir: Path | str | None = None
) -> list[ImageSource]:
    """Return all sources, the preferred ones first and ``synthetic`` always last.

    A registered path that has vanished is listed with its problem.
    """
    names = DATASETS.names() if dataset is None else [DATASETS.get(dataset).name]
    return [source for name in names for source in _sources_of(name, find_data_dir(data_dir))]


def find_source(
    dataset: str, source: Path | str | None = None, data_dir: Path | str | None = None
) -> ImageSource:
    """Return the source that a name or a path means, or the first real one.

    Raises:
        ImagesError: If there is none; the message names every choice.
    """
    info = DATASETS.get(dataset)
    known = list_sources(dataset, data_dir)
    if source is None:
        real = [item for item in known if not item.synthetic and item.problem is None]
        if not real:
            raise ImagesError(f"there are no images of {info.label} here. {how_to_get(info)}")
        return real[0]
    for item in known:
        if item.name == str(source):
            if item.problem:
                raise ImagesError(f"{item.problem}. {how_to_get(info)}")
            return item
    if not Path(source).expanduser().exists():
        names = ", ".join(item.name for item in known)
        raise ImagesError(
            f"unknown images {str(source)!r}: expected one of {names}, or a path that exists. "
            f"{how_to_get(info)}"
        )
    return _recognise(dataset, str(source), Path(source).expanduser().resolve())


def source_fingerprint(
    dataset: str, source: Path | str | None = None, data_dir: Path | str | None = None
) -> str:
    """Return the SHA-256 of a source's training files, or of the recipe of synthetic images.

    Raises:
        ImagesError: As ``find_source``, or if a file is missing.
    """
    return fingerprint_of(find_source(dataset, source, data_dir))


def fingerprint_of(source: ImageSource) -> str:
    """Return the SHA-256 of a source that was found; see ``source_fingerprint``."""
    info = DATASETS.get(source.dataset)
    if source.synthetic:
        return synthetic.fingerprint(info)
    paths = formats.FORMATS.get(source.kind).files(info, source.path)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ImagesError(f"expected the file {missing[0]} of {info.label}, found none")
    stats = [path.stat() for path in paths]
    return text_fingerprint(
        "/".join(
            _content_fingerprint(path, stat.st_size, stat.st_mtime_ns)
            for path, stat in zip(paths, stats, strict=True)
        )
    )


def register_source(
    dataset: str, path: Path | str, name: str | None = None, data_dir: Path | str | None = None
) -> ImageSource:
    """Remember a path with images, after a look into it.

    Raises:
        ImagesError: If the path does not hold the data set, or the name is taken.
    """
    place = Path(path).expanduser().resolve()
    source = _recognise(dataset, name or place.name, place)
    _check_name(source, list_sources(dataset, data_dir))
    _check_content(source)
    folder = find_data_dir(data_dir)
    entries = [item for item in _registered(folder) if item != _entry(source)]
    _write(folder, [*entries, _entry(source)])
    return source


def unregister_source(dataset: str, name: str, data_dir: Path | str | None = None) -> None:
    """Forget a registered path; its files stay.

    Raises:
        UnknownNameError: If no path of that name is registered.
    """
    folder = find_data_dir(data_dir)
    entries = _registered(folder)
    kept = [item for item in entries if (item["dataset"], item["name"]) != (dataset, name)]
    if len(kept) == len(entries):
        names = [item["name"] for item in entries if item["dataset"] == dataset]
        known = ", ".join(names) or "none"
        raise UnknownNameError(f"unknown images {name!r} of {dataset}: registered are {known}")
    _write(folder, kept)


def _check_name(source: ImageSource, known: list[ImageSource]) -> None:
    taken = {FOUND: "the images in the data folder", SYNTHETIC: "synthetic images"}
    taken |= {item.name: item.place for item in known if item.path != source.path}
    if source.name in taken:
        raise ImagesError(
            f"the name {source.name!r} is taken by {taken[source.name]}: choose another with --name"
        )


def _check_content(source: ImageSource) -> None:
    """Open both splits, and see that the training images are of all classes."""
    info = DATASETS.get(source.dataset)
    layout = formats.FORMATS.get(source.kind)
    layout.open(info, source.path, "test")
    classes = len(np.unique(layout.open(info, source.path, "train").labels))
    if classes != info.classes:
        raise ImagesError(
            f"{source.place}: expected training images of all {info.classes} classes of "
            f"{info.label}, got {classes}; is it another data set, or a part of one?"
        )


def _sources_of(dataset: str, folder: Path) -> list[ImageSource]:
    sources = []
    own = folder / "images" / dataset
    if _layout(dataset, own) is not None:
        sources.append(_recognise(dataset, FOUND, own))
    for entry in _registered(folder):
        if entry["dataset"] == dataset:
            sources.append(_from_entry(entry))
    sources.append(ImageSource(dataset, SYNTHETIC, "synthetic images (made up)", SYNTHETIC, Path()))
    return sources


def _from_entry(entry: dict[str, str]) -> ImageSource:
    path = Path(entry["path"])
    if _layout(entry["dataset"], path) is None:
        problem = f"the registered images {entry['name']!r} are no longer at {path}"
        return ImageSource(entry["dataset"], entry["name"], entry["name"], "missing", path, problem)
    return _recognise(entry["dataset"], entry["name"], path)


def _layout(dataset: str, place: Path) -> tuple[str, Path] | None:
    """Return the layout of a place and where in it the data set is."""
    for item in formats.FORMATS:
        located = item.locate(DATASETS.get(dataset), place)
        if located is not None:
            return item.name, located
    return None


def _recognise(dataset: str, name: str, place: Path) -> ImageSource:
    found = _layout(dataset, place)
    info = DATASETS.get(dataset)
    if found is None:
        raise ImagesError(
            f"{place} holds no {info.label} in a layout known here. {how_to_get(info)}"
        )
    kind, path = found
    label = formats.FORMATS.get(kind).label
    return ImageSource(dataset, name, label, kind, path)


def _entry(source: ImageSource) -> dict[str, str]:
    return {"dataset": source.dataset, "name": source.name, "path": str(source.path)}


def _registered(folder: Path) -> list[dict[str, str]]:
    path = folder / "images" / "registered.json"
    if not path.exists():
        return []
    try:
        entries: Any = json.loads(path.read_text(encoding="utf-8"))
        return [{key: str(item[key]) for key in ("dataset", "name", "path")} for item in entries]
    except (ValueError, TypeError, KeyError) as error:
        raise ImagesError(f"{path} is damaged ({error!r}): mend or delete it") from error


def _write(folder: Path, entries: list[dict[str, str]]) -> None:
    write_json(folder / "images" / "registered.json", entries)


@lru_cache(maxsize=64)
def _content_fingerprint(path: Path, size: int, modified: int) -> str:
    """Return a file's SHA-256, computed once as long as its size and time stay."""
    return file_fingerprint(path)
