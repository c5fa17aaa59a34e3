"""Splits as search configurations of the paper's authors: a YAML file for each sub-supernet.

The key ``default.arch`` is a 6x5 matrix of 0 and 1, a row for each edge and a column for each
operation; the key ``dataset`` names the data set.
"""

import re
from collections.abc import Mapping
from reprlib import Repr
from typing import Any

import yaml

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import SpaceError, SplittingError
from fewshot_core.space import EDGES, OPERATIONS, SubSpace
from fewshot_core.splitting.named_split import NamedSplit
from fewshot_core.splitting.search_settings import SEARCH_SETTINGS, search_settings

_LONGEST_NAME = 60


def split_from_search_configs(files: Mapping[str, str], name: str) -> NamedSplit:
    """Read the search configurations of one split.

    Args:
        files: The content of each YAML file by its name. S1, S2, ... follow the names, with
            numbers in them in the order of their values.
        name: What to call the split where the files do not say, as those of the authors do not.

    Raises:
        SplittingError: If a file is no search configuration, they disagree on what they belong to,
            or the sub-spaces do not cover all architectures once.
    """
    documents = {file: _load(file, files[file]) for file in sorted(files, key=_natural)}
    leaves = tuple(_sub_space(file, document) for file, document in documents.items())
    datasets = {_text(_dataset(document)) for document in documents.values()}
    names = {_text(document.get("metric")) for document in documents.values()}
    for what, found in (("data set", datasets), ("metric", names)):
        if len(found) > 1:
            listed = ", ".join(sorted(_shown(item) for item in found))
            raise SplittingError(
                f"{name}: expected search configurations of one {what}, got {listed}; put those of "
                "each split into a folder of their own"
            )
    return NamedSplit(names.pop() or name, datasets.pop(), leaves)


def search_configs(
    split: NamedSplit, algorithm: str = "darts-1st", epochs: int = 50, seed: int = 0
) -> dict[str, str]:
    """Return a split as search configurations that the authors' search can run.

    Args:
        split: A split that knows its data set.
        algorithm: One of ``SEARCH_SETTINGS``.
        epochs: How long the search trains.
        seed: The seed of the search.

    Returns:
        The content of each YAML file by its name, in tree order. The names are safe as names of
        files whatever the split is called. Beside the authors' keys there is ``metric``, with the
        split's name.

    Raises:
        SplittingError: If the split has no data set, or there is no epoch.
        UnknownNameError: If there is no such data set or algorithm.
    """
    if split.dataset is None:
        raise SplittingError(f"{split.name}: expected a data set to write configurations for")
    DATASETS.get(split.dataset)
    settings = search_settings(algorithm, epochs)
    label = SEARCH_SETTINGS.get(algorithm).label
    files = {}
    for number, leaf in enumerate(split.leaves):
        stem = f"nb201_{_slug(split.name)}{number}_{label}_{split.dataset}"
        document = {"output": stem, "metric": split.name, "dataset": split.dataset, "seed": seed}
        document |= settings
        document["default"] = {"arch": _matrix(leaf), **settings["default"]}
        files[f"{stem}.yml"] = yaml.dump(
            document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100
        )
    return files


class _Dumper(yaml.SafeDumper):
    """Writes equal values out instead of referring to the first one."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _load(file: str, text: str) -> dict[Any, Any]:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise SplittingError(
            f"{file}: expected a search configuration in YAML: {problem}"
        ) from error
    if not isinstance(document, dict):
        raise SplittingError(f"{file}: expected keys like default and dataset, got none")
    return document


def _sub_space(file: str, document: Mapping[Any, Any]) -> SubSpace:
    default = document.get("default")
    matrix = default.get("arch") if isinstance(default, dict) else None
    rows = _rows(matrix)
    if rows is None:
        raise SplittingError(
            f"{file}: expected default.arch with {len(EDGES)} rows of {len(OPERATIONS)} numbers 0 "
            f"or 1, got {_shown(matrix)}"
        )
    try:
        return SubSpace.from_rows(rows)
    except SpaceError as error:
        raise SplittingError(f"{file}: {error}") from error


def _rows(matrix: Any) -> list[str] | None:
    """Return a matrix of 0 and 1 as rows of a sub-space, or None for anything else."""

    def is_row(row: Any) -> bool:
        return isinstance(row, list) and len(row) == len(OPERATIONS) and all(map(is_cell, row))

    def is_cell(cell: Any) -> bool:
        return isinstance(cell, int | float) and cell in (0, 1)

    if not isinstance(matrix, list) or len(matrix) != len(EDGES) or not all(map(is_row, matrix)):
        return None
    return ["".join(str(int(cell)) for cell in row) for row in matrix]


def _dataset(document: Mapping[Any, Any]) -> Any:
    """Return the data set where the authors have it or, failing that, below default."""
    if "dataset" in document:
        return document["dataset"]
    default = document["default"]
    return default.get("dataset")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _matrix(leaf: SubSpace) -> list[list[float]]:
    """Return the mask in floating point numbers, which the authors' networks compute with."""
    return [[float(mark) for mark in row] for row in leaf.rows]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in names by their values: 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def _slug(name: str) -> str:
    """Return a name of which nothing but letters, digits and single hyphens is left."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name)[:_LONGEST_NAME].strip("-") or "split"


def _shown(value: Any) -> str:
    """Return what was found, cut short: references can make a small file a very large value."""
    short = Repr()
    short.maxlevel = 2
    return short.repr(value)
