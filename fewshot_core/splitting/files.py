"""Splits in files: splitting trees, masks, and imported splits of the data folder.

A document of masks is ``{"splits": {METRIC: {DATASET: [sub-space, ...]}}}``. A sub-space is a
string for each decision; character j is 1 where operation j is enabled. ``meta.space`` names the
search space, which is NAS-Bench-201 where it is missing.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path, PurePath
from typing import Any

from fewshot_core.data_folder import locked, read_limited, safe_name, write_json
from fewshot_core.errors import FewshotError, SpaceError, SplittingError, UnknownNameError
from fewshot_core.space import NAS_BENCH_201, OPERATIONS, SearchSpace, SubSpace, get_space
from fewshot_core.splitting.search_configs import split_from_search_configs
from fewshot_core.splitting.tree import NamedSplit, SplitTree

LARGEST = 16_000_000
"""The most bytes of the files of a split together; no split comes near."""

_YAML = (".yml", ".yaml")
_FORMS = "a JSON file of masks or of a splitting tree, or a folder of search configurations (YAML)"
_MASKS = (
    'expected {"splits": {METRIC: {DATASET: [[rows like "01110"], ...]}}}, '
    "as in a file of published splits"
)


def splits_from_masks(
    document: Any, space: SearchSpace | None = NAS_BENCH_201, data_dir: Path | None = None
) -> list[NamedSplit]:
    """Read the splits of a document of masks of a space, in its order.

    With the space None, it is the one that the document names, or else NAS-Bench-201; one that is
    declared is looked up in the data folder.

    Raises:
        SplittingError: If it is no such document or one of another space than ``space``, or a split
            does not cover all architectures once.
    """
    splits = document.get("splits") if isinstance(document, dict) else None
    if not isinstance(splits, dict) or not all(isinstance(one, dict) for one in splits.values()):
        raise SplittingError(_MASKS)
    named = _space_in(document.get("meta"), data_dir)
    if named is not None and space not in (None, named):
        raise SplittingError(f"expected splits of {space.name}, got some of {named.name}")
    of_space = named or space or NAS_BENCH_201
    found = []
    for metric, of_metric in splits.items():
        for dataset, masks in of_metric.items():
            if not isinstance(masks, list) or not masks:
                raise SplittingError(f"{metric} on {dataset} has no sub-spaces: {_MASKS}")
            try:
                leaves = tuple(SubSpace.from_rows(rows, of_space) for rows in masks)
            except SpaceError as error:
                raise SplittingError(f"{metric} on {dataset}: {error}") from error
            found.append(NamedSplit(str(metric), str(dataset), leaves))
    return found


def _space_in(meta: Any, data_dir: Path | None) -> SearchSpace | None:
    """Return the space that a document names by name or label; None where it names none."""
    name = meta.get("space") if isinstance(meta, dict) else None
    if not isinstance(name, str):
        return None
    if re.sub(r"[^a-z0-9]", "", name.lower()) == "nasbench201":
        return NAS_BENCH_201
    try:
        return get_space(name, data_dir)
    except FewshotError as error:
        raise SplittingError(f"meta.space: {error}") from error


def masks_of_splits(splits: Iterable[NamedSplit]) -> dict[str, Any]:
    """Make the document of masks of some splits of one space.

    Raises SplittingError if a split has no data set, two have the same name and data set, or the
    spaces differ.
    """
    splits = list(splits)
    spaces = list(dict.fromkeys(split.space for split in splits)) or [NAS_BENCH_201]
    if len(spaces) > 1:
        names = ", ".join(space.name for space in spaces)
        raise SplittingError(f"expected splits of one search space, got {names}")
    written: dict[str, dict[str, list[list[str]]]] = {}
    for split in splits:
        if split.dataset is None:
            raise SplittingError(
                f"{split.name}: expected a data set to write the masks of, got none"
            )
        of_metric = written.setdefault(split.name, {})
        if split.dataset in of_metric:
            raise SplittingError(f"expected one split {split.title}, got two: rename one of them")
        of_metric[split.dataset] = [leaf.rows for leaf in split.leaves]
    [space] = spaces
    decisions = {decision.name: list(decision.operations) for decision in space.decisions}
    meta: dict[str, Any] = {"space": space.name, "decisions": decisions}
    if space == NAS_BENCH_201:
        meta = {"space": space.label, "operations": list(OPERATIONS), "edges": list(decisions)}
    return {"meta": meta, "splits": written}


def read_splits(
    path: Path, space: SearchSpace | None = NAS_BENCH_201, data_dir: Path | None = None
) -> list[NamedSplit]:
    """Read the splits of a file or folder; space and data_dir as for ``splits_from_masks``.

    It is a JSON file of masks (see ``splits_from_masks``) or of a splitting tree (see
    ``SplitTree.to_json``), or a folder of YAML search configurations, which are one split; other
    files in the folder are ignored. Raises SplittingError if it cannot be read, is none of these,
    or a split does not cover all architectures once. The message names the file and counts the
    architectures.
    """
    try:
        if not path.is_dir():
            return parse_splits(_read_files([path]), str(path), space, data_dir)
        inside = [file for file in path.iterdir() if file.suffix.lower() in _YAML]
        if not inside:
            raise SplittingError(f"{path} has no search configurations: expected {_FORMS}")
        return parse_splits(_read_files(inside), path.resolve().name, space, data_dir)
    except (OSError, ValueError) as error:
        raise SplittingError(f"{path} cannot be read ({error}): {_MASKS}") from error


def parse_splits(
    files: Mapping[str, str],
    source: str,
    space: SearchSpace | None = NAS_BENCH_201,
    data_dir: Path | None = None,
) -> list[NamedSplit]:
    """Read the splits of one JSON file or of search configurations, given as contents by name.

    ``source`` is the folder's name, or how messages call the JSON file. Raises as ``read_splits``.
    """
    suffixes = {PurePath(name).suffix.lower() for name in files}
    if files and suffixes <= set(_YAML) and space in (None, NAS_BENCH_201):
        return [split_from_search_configs(files, source)]
    if len(files) != 1:
        raise SplittingError(f"{source}: expected {_FORMS}, got {len(files)} files")
    try:
        document = json.loads(*files.values())
    except (ValueError, RecursionError) as error:
        raise SplittingError(f"{source} cannot be read ({error}): expected {_FORMS}") from error
    try:
        if not isinstance(document, dict) or "format" not in document:
            return splits_from_masks(document, space, data_dir)
        tree = SplitTree.from_dict(document, data_dir)
        if space not in (None, tree.space):
            raise SplittingError(f"expected a tree of {space.name}, got one of {tree.space.name}")
        dataset = tree.details.get("dataset")
        known = dataset if isinstance(dataset, str) else None
        return [NamedSplit(tree.metric, known, tuple(tree.leaves), tree)]
    except SplittingError as error:
        raise SplittingError(f"{source}: {error}") from error


def _read_files(paths: Iterable[Path]) -> dict[str, str]:
    """Read the content of files by name, up to ``LARGEST`` bytes together."""
    files, total = {}, 0
    for path in paths:
        content = read_limited(path, LARGEST)
        total += len(content)
        if total > LARGEST:
            raise ValueError(f"its files hold more than {LARGEST / 1e6:,.0f} MB together")
        files[path.name] = content.decode("utf-8")
    return files


def write_masks(path: Path, splits: Iterable[NamedSplit]) -> None:
    """Write splits as masks into a JSON file; raises as ``masks_of_splits``."""
    write_json(path, masks_of_splits(splits))


def zip_archive(files: Mapping[str, str]) -> bytes:
    """Pack files into one ZIP archive, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            # An entry without a date has the date 1980, whenever it is written.
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def store_splits(splits: list[NamedSplit], source: str, data_dir: Path) -> list[str]:
    """Import splits into the data folder, one file each; return their names.

    A split that was imported already, under the same name and with the same sub-spaces, is left as
    it is; another one under that name gets a number. ``source`` becomes part of their names. Raises
    SplittingError if a split is of no known data set.
    """
    for space in {split.space for split in splits}:
        names = [task.name for task in space.datasets]
        of_space = [split for split in splits if split.space == space]
        unknown = [split.name for split in of_space if split.dataset not in names]
        if unknown:
            raise SplittingError(
                f"expected splits for one of {', '.join(names)}; it is not said for which data set "
                f"these were made: {', '.join(unknown)}"
            )
    with locked(_folder(data_dir)):
        return [_store(split, source, data_dir) for split in splits]


def _store(split: NamedSplit, source: str, data_dir: Path) -> str:
    parts = [safe_name(split.name, "split"), split.dataset, safe_name(Path(source).stem, "file")]
    if split.space != NAS_BENCH_201:
        parts.insert(0, split.space.name)
    wanted = name = "-".join(map(str, parts))[:90]
    for number in count(2):
        path = _folder(data_dir) / f"{name}.json"
        if not path.exists():
            write_masks(path, [split])
            break
        if read_imported(path) == split:
            break
        name = f"{wanted}-{number}"
    return name


def imported_names(data_dir: Path) -> list[str]:
    """Names of the imported splits, in alphabetical order."""
    return sorted(path.stem for path in _folder(data_dir).glob("*.json") if path.name[0] != ".")


def imported_path(name: str, data_dir: Path) -> Path:
    """Find the file of an imported split; raises UnknownNameError if there is none."""
    path = _folder(data_dir) / f"{name}.json"
    if not _NAME.fullmatch(name) or not path.is_file():
        known = ", ".join(imported_names(data_dir)) or "none"
        raise UnknownNameError(f"unknown imported split {name!r}: expected one of {known}")
    return path


def read_imported(path: Path) -> NamedSplit:
    """Read the file of an imported split; raises SplittingError if it is damaged."""
    splits = read_splits(path, None, path.parents[1])
    if len(splits) != 1:
        raise SplittingError(f"{path}: expected one split, got {len(splits)}")
    return splits[0]


def open_imported(name: str, data_dir: Path) -> NamedSplit:
    """Read an imported split; raises as ``imported_path`` and ``read_imported``."""
    return read_imported(imported_path(name, data_dir))


def remove_imported(name: str, data_dir: Path) -> None:
    """Delete an imported split, not what it was imported from; raises as ``imported_path``."""
    imported_path(name, data_dir).unlink()


def _folder(data_dir: Path) -> Path:
    return data_dir / "splits"
