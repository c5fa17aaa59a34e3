"""Splits in files: splitting trees, masks, and the search configurations of the paper's authors."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from fewshot_core.datafolder import atomic_folder, read_limited, write_json
from fewshot_core.errors import SplittingError
from fewshot_core.splitting.masks import EXPECTED, masks_of_splits, splits_from_masks
from fewshot_core.splitting.named_split import NamedSplit
from fewshot_core.splitting.search_configs import search_configs, split_from_search_configs
from fewshot_core.splitting.tree import SplitTree

_YAML = (".yml", ".yaml")
LARGEST = 16_000_000
"""The most bytes of the files of a split together; no split comes near."""

_FORMS = "a JSON file of masks or of a splitting tree, or a folder of search configurations (YAML)"


def read_splits(path: Path) -> list[NamedSplit]:
    """Read the splits of a file or folder.

    Args:
        path: A JSON file of masks (see ``splits_from_masks``) or of a splitting tree (see
            ``SplitTree.to_json``), or a folder of YAML search configurations, which are one split;
            what else is in the folder does not count.

    Raises:
        SplittingError: If it cannot be read, is none of these, or a split does not cover all
            architectures once. The message names the file and counts the architectures.
    """
    try:
        if path.is_dir():
            inside = [file for file in path.iterdir() if file.suffix.lower() in _YAML]
            if not inside:
                raise SplittingError(f"{path} has no search configurations: expected {_FORMS}")
            files = _read(inside)
        else:
            files = _read([path])
    except (OSError, ValueError) as error:
        raise SplittingError(f"{path} cannot be read ({error}): {EXPECTED}") from error
    return parse_splits(files, path.resolve().name if path.is_dir() else str(path))


def parse_splits(files: Mapping[str, str], source: str) -> list[NamedSplit]:
    """Read the splits of files whose content is at hand.

    Args:
        files: The content of each file by its name: one JSON file, or search configurations.
        source: What they are together: a folder's name, or how messages call the JSON file.

    Raises:
        SplittingError: As ``read_splits``.
    """
    suffixes = {PurePath(name).suffix.lower() for name in files}
    if files and suffixes <= set(_YAML):
        return [split_from_search_configs(files, source)]
    if len(files) != 1:
        raise SplittingError(f"{source}: expected {_FORMS}, got {len(files)} files")
    [text] = files.values()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SplittingError(f"{source} cannot be read ({error}): expected {_FORMS}") from error
    try:
        return [_from_tree(document)] if _is_tree(document) else splits_from_masks(document)
    except SplittingError as error:
        raise SplittingError(f"{source}: {error}") from error


def write_masks(path: Path, splits: Iterable[NamedSplit]) -> None:
    """Write splits as masks into a JSON file.

    Raises:
        SplittingError: If a split has no data set, or two have the same name and data set.
    """
    write_json(path, masks_of_splits(splits))


def write_search_configs(
    folder: Path, split: NamedSplit, algorithm: str = "darts-1st", epochs: int = 50, seed: int = 0
) -> list[Path]:
    """Write a split as search configurations into a new folder; see ``search_configs``.

    Returns:
        The files, in tree order; all directly in the folder.

    Raises:
        SplittingError: If the folder has something in it, or the split has no data set.
        UnknownNameError: If there is no such data set or algorithm.
    """
    files = search_configs(split, algorithm, epochs, seed)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SplittingError(f"expected a new or an empty folder to write to, got {folder}")
    with atomic_folder(folder) as temporary:
        for name, text in files.items():
            (temporary / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def zip_archive(files: Mapping[str, str]) -> bytes:
    """Return files as one ZIP archive, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            # Without a date of its own an entry is of 1980, whenever it is written.
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _read(paths: Iterable[Path]) -> dict[str, str]:
    """Return the content of files by name."""
    files = {}
    total = 0
    for path in paths:
        content = read_limited(path, LARGEST)
        total += len(content)
        if total > LARGEST:
            raise ValueError(f"its files hold more than {LARGEST / 1e6:,.0f} MB together")
        files[path.name] = content.decode("utf-8")
    return files


def _is_tree(document: Any) -> bool:
    return isinstance(document, dict) and "format" in document


def _from_tree(document: Any) -> NamedSplit:
    tree = SplitTree.from_dict(document)
    dataset = tree.details.get("dataset")
    known = dataset if isinstance(dataset, str) else None
    return NamedSplit(tree.metric, known, tuple(tree.leaves), tree)
