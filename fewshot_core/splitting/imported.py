"""Splits from elsewhere, kept in the data folder: ``splits/<name>.json``."""

import re
from pathlib import Path

from fewshot_core.datafolder import locked
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import SplittingError, UnknownNameError
from fewshot_core.splitting.files import read_splits, write_masks
from fewshot_core.splitting.named_split import NamedSplit

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def store_splits(splits: list[NamedSplit], source: str, data_dir: Path) -> list[str]:
    """Keep splits, each in a file of its own; return their names.

    A split that is kept already, under the same name and with the same sub-spaces, is left as it
    is; another one under that name gets a number.

    Args:
        splits: The splits.
        source: What they come from; it becomes part of their names.
        data_dir: The data folder.

    Raises:
        SplittingError: If it is not known for which data set a split was made.
    """
    unknown = [split.name for split in splits if split.dataset not in DATASETS.names()]
    if unknown:
        known = ", ".join(DATASETS.names())
        raise SplittingError(
            f"expected splits for one of {known}; it is not said for which data set these were "
            f"made: {', '.join(unknown)}"
        )
    with locked(_folder(data_dir)):
        return [_store(split, source, data_dir) for split in splits]


def imported_names(data_dir: Path) -> list[str]:
    """Return the names of the splits that are kept, in alphabetical order."""
    return sorted(path.stem for path in _folder(data_dir).glob("*.json") if path.name[0] != ".")


def open_imported(name: str, data_dir: Path) -> NamedSplit:
    """Return a split that is kept.

    Raises:
        UnknownNameError: If there is none of that name.
        SplittingError: If its file is damaged.
    """
    return read_imported(imported_path(name, data_dir))


def read_imported(path: Path) -> NamedSplit:
    """Return the split in a file that ``imported_path`` names; raises as ``open_imported``."""
    splits = read_splits(path)
    if len(splits) != 1:
        raise SplittingError(f"{path}: expected one split, got {len(splits)}")
    return splits[0]


def remove_imported(name: str, data_dir: Path) -> None:
    """Delete a split that is kept; the file it was imported from stays.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    imported_path(name, data_dir).unlink()


def _store(split: NamedSplit, source: str, data_dir: Path) -> str:
    origin = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source).stem).strip("._-") or "file"
    metric = re.sub(r"[^A-Za-z0-9._-]+", "-", split.name).strip("._-") or "split"
    wanted = f"{metric}-{split.dataset}-{origin}"[:90]
    number = 1
    while True:
        name = wanted if number == 1 else f"{wanted}-{number}"
        path = _folder(data_dir) / f"{name}.json"
        if not path.exists():
            write_masks(path, [split])
            return name
        if open_imported(name, data_dir) == split:
            return name
        number += 1


def imported_path(name: str, data_dir: Path) -> Path:
    """Return the file of a split that is kept.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    path = _folder(data_dir) / f"{name}.json"
    if not _NAME.fullmatch(name) or not path.is_file():
        known = ", ".join(imported_names(data_dir)) or "none"
        raise UnknownNameError(f"unknown imported split {name!r}: expected one of {known}")
    return path


def _folder(data_dir: Path) -> Path:
    return data_dir / "splits"
