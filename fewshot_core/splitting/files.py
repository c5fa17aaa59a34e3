"""Splits in files: splitting trees, masks, and imported splits of the data folder.

A document of masks is ``{"splits": {METRIC: {DATASET: [sub-space, ...]}}}``. A sub-space is a
string for each decision; character j is 1 where operation j is enabled. ``meta.space`` names the
search space, which is NAS-Bench-201 where it is missing. A partition that is no split into products
of operation sets is stored as the label and the group of each architecture.
"""

import io
import os
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from fewshot_core import limits
from fewshot_core.data_folder import locked, natural_order, safe_name, write_json
from fewshot_core.documents import (
    DAMAGE,
    DamageError,
    describe_damage,
    read_document,
    read_limited,
    refusing,
)
from fewshot_core.errors import FewshotError, SpaceError, SplittingError, UnknownNameError
from fewshot_core.space import (
    NAS_BENCH_201,
    OPERATIONS,
    ArchitectureSet,
    Part,
    SearchSpace,
    SubSpace,
    get_space,
    group_labels,
    group_numbers,
    is_partition,
    partition_of_lists,
    read_partition,
    sub_spaces_of,
)
from fewshot_core.splitting.search_configs import split_from_search_configs
from fewshot_core.splitting.tree import NamedSplit, SplitTree

PARTITION = "fewshot-partition/1"

_YAML, _CSV, _LISTS = (".yml", ".yaml"), (".csv", ".csv.gz"), (".txt",)
_FORMS = (
    "a JSON file of masks or of a splitting tree, a CSV file with columns arch and label, or a "
    "folder of search configurations (YAML) or of lists of architectures (TXT)"
)
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
            if not isinstance(masks, list) or not 1 <= len(masks) <= limits.LEAVES:
                raise SplittingError(
                    f"{metric} on {dataset} has no sub-spaces, or too many: {_MASKS}"
                )
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
        of_metric[split.dataset] = [leaf.rows for leaf in split.sub_spaces]
    [space] = spaces
    decisions = {decision.name: list(decision.operations) for decision in space.decisions}
    meta: dict[str, Any] = {"space": space.name, "decisions": decisions}
    if space == NAS_BENCH_201:
        meta = {"space": space.label, "operations": list(OPERATIONS), "edges": list(decisions)}
    return {"meta": meta, "splits": written}


def read_splits(
    path: Path, space: SearchSpace | None = NAS_BENCH_201, data_dir: Path | None = None
) -> list[NamedSplit]:
    """Read the splits of a file or folder; all as for ``survey_splits``."""
    return survey_splits(path, space, data_dir)[0]


def survey_splits(
    path: Path, space: SearchSpace | None = NAS_BENCH_201, data_dir: Path | None = None
) -> tuple[list[NamedSplit], dict[str, str]]:
    """Read the splits of a file or folder; space and data_dir as for ``splits_from_masks``.

    It is a JSON file of masks (see ``splits_from_masks``) or of a splitting tree (see
    ``SplitTree.to_json``); a CSV file of a partition (see ``read_partition``); or a folder. The
    YAML search configurations of a folder are one split, and so are its lists of architectures (see
    ``partition_of_lists``); folders inside it are read, too, but no links that lead out of it.
    Equal splits of one name and data set count once.

    Returns:
        The splits, and the folders inside that cannot be read, with the reason.

    Raises:
        SplittingError: If nothing can be read, or a split does not cover all architectures once.
            The message names the file and counts the architectures.
    """
    try:
        if path.name.lower().endswith(_CSV):
            parts = read_partition(path, space or NAS_BENCH_201)
            stem = path.name.partition(".")[0]
            return [NamedSplit(stem, None, _simplified(parts), source=path.name)], {}
        with refusing(SplittingError, str(path), _MASKS):
            if not path.is_dir():
                return parse_splits(_read_files([path]), str(path), space, data_dir), {}
            folders = _walk(path)
        found: dict[object, NamedSplit] = {}
        left_out: dict[str, str] = {}
        for folder, files in folders.items():
            name = folder.resolve().name
            try:
                with refusing(SplittingError, str(folder)):
                    for split in parse_splits(_read_files(files), name, space, data_dir):
                        found.setdefault((split.name, split.dataset, split.leaves), split)
            except FewshotError as error:
                if len(folders) == 1:
                    raise
                left_out[folder.relative_to(path).as_posix()] = str(error)
        if not found:
            why = "".join(f"; {name}: {reason}" for name, reason in list(left_out.items())[:1])
            raise SplittingError(f"{path} has no search configurations: expected {_FORMS}{why}")
        return list(found.values()), left_out
    except SpaceError as error:
        raise SplittingError(str(error)) from error


def _walk(root: Path) -> dict[Path, list[Path]]:
    """The files of splits in a folder and those inside it, by their folder."""
    found: dict[Path, list[Path]] = {}
    count = 0
    inside = root.resolve()
    for folder, folders, names in os.walk(root):
        folders.sort(key=natural_order)
        count += len(names)
        if count > limits.FILES:
            raise DamageError(f"it has more than {limits.FILES:,} files")
        for suffixes in (_YAML, _LISTS):
            files = [Path(folder, name) for name in names if name.lower().endswith(suffixes)]
            files = [file for file in files if file.resolve().is_relative_to(inside)]
            if files:
                found[Path(folder)] = files
                break
    return found


def _simplified(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The sub-spaces of a partition where it is a split into products of operation sets."""
    try:
        return sub_spaces_of(parts)
    except SpaceError:
        return tuple(parts)


def parse_splits(
    files: Mapping[str, str],
    source: str,
    space: SearchSpace | None = NAS_BENCH_201,
    data_dir: Path | None = None,
) -> list[NamedSplit]:
    """Read the splits of one JSON file, or of the files of a split, given as contents by name.

    ``source`` is the folder's name, or how messages call the JSON file. Raises as ``read_splits``.
    """
    suffixes = {PurePath(name).suffix.lower() for name in files}
    if files and suffixes <= set(_LISTS):
        lists = {PurePath(name).stem: text for name, text in files.items()}
        parts = partition_of_lists(lists, space or NAS_BENCH_201, source)
        return [NamedSplit(source, None, _simplified(parts), source=source)]
    if files and suffixes <= set(_YAML) and space in (None, NAS_BENCH_201):
        return [split_from_search_configs(files, source)]
    if len(files) != 1:
        raise SplittingError(f"{source}: expected {_FORMS}, got {len(files)} files")
    with refusing(SplittingError, source, f"expected {_FORMS}"):
        [text] = files.values()
        document = read_document(text, limits.SPLIT_BYTES)
    try:
        if not isinstance(document, dict) or "format" not in document:
            return splits_from_masks(document, space, data_dir)
        if document["format"] == PARTITION:
            return [_partition_from(document, data_dir)]
        tree = SplitTree.from_dict(document, data_dir)
        if space not in (None, tree.space):
            raise SplittingError(f"expected a tree of {space.name}, got one of {tree.space.name}")
        dataset = tree.details.get("dataset")
        known = dataset if isinstance(dataset, str) else None
        return [NamedSplit(tree.metric, known, tuple(tree.leaves), tree)]
    except SplittingError as error:
        raise SplittingError(f"{source}: {error}") from error


def _partition_from(document: Mapping[str, Any], data_dir: Path | None) -> NamedSplit:
    try:
        space = get_space(str(document["space"]), data_dir)
        labels, numbers = list(map(str, document["labels"])), np.array(document["numbers"])
        if numbers.shape != (space.size,) or numbers.dtype != np.int64:
            raise DamageError(f"expected a number for each of {space.size:,} architectures")
        groups = tuple(
            ArchitectureSet(label, np.flatnonzero(numbers == number), space)
            for number, label in enumerate(labels)
        )
        known = str(document["name"]), str(document["dataset"])
        return NamedSplit(*known, groups, source=str(document["source"]))
    except (*DAMAGE, FewshotError) as error:
        raise SplittingError(f"the partition is damaged: {describe_damage(error)}") from error


def _partition_document(split: NamedSplit) -> dict[str, Any]:
    return {
        "format": PARTITION,
        "space": split.space.name,
        "name": split.name,
        "dataset": split.dataset,
        "source": split.source,
        "labels": group_labels(split.leaves),
        "numbers": group_numbers(split.leaves).tolist(),
    }


def _read_files(paths: Iterable[Path]) -> dict[str, str]:
    """Read the content of files by name, up to ``limits.SPLIT_BYTES`` together."""
    files: dict[str, str] = {}
    total, most = 0, limits.SPLIT_BYTES
    for path in paths:
        content = read_limited(path, most)
        total += len(content)
        if total > most or len(files) >= limits.LEAVES:
            raise DamageError(
                f"its files hold more than {most / 1e6:,.0f} MB together, or are more than "
                f"{limits.LEAVES:,}"
            )
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


def of_datasets(splits: Iterable[NamedSplit], dataset: str | None = None) -> list[NamedSplit]:
    """Give splits of no known data set the one that is named, or each of their space.

    The latter only to those that depend on none: a partition by labels, lists or a rule, which has
    a ``source``. A split by a metric was made for one data set.
    """
    found = []
    for split in splits:
        names = [split.dataset or dataset]
        if names == [None] and split.source:
            names = [task.name for task in split.space.datasets]
        found += [replace(split, dataset=name) for name in names]
    return found


def store_splits(splits: list[NamedSplit], source: str, data_dir: Path) -> list[str]:
    """Import splits or partitions into the data folder, one file each; return their names.

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
    end = "partition" if is_partition(split.leaves) else safe_name(Path(source).stem, "file")
    parts = [safe_name(split.name, "split"), split.dataset, end]
    if split.space != NAS_BENCH_201:
        parts.insert(0, split.space.name)
    wanted = name = "-".join(map(str, parts))[:90]
    for number in count(2):
        path = _folder(data_dir) / f"{name}.json"
        if not path.exists():
            if is_partition(split.leaves):
                write_json(path, _partition_document(split))
            else:
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
