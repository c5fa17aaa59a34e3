"""Splits as search configurations of the paper's authors: a YAML file for each sub-supernet.

Its ``oneshot_search.py`` looks for all of these keys. Their values are those of Appendix A of the
paper; the names of networks and schedulers are those of its code
(https://github.com/brain-bzh/metric_driven_few_shot_nas).

The key ``default.arch`` is a 6x5 matrix of 0 and 1, a row for each edge and a column for each
operation; the key ``dataset`` names the data set.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

import yaml

from fewshot_core import limits
from fewshot_core.data_folder import natural_order
from fewshot_core.datasets import DATASETS
from fewshot_core.documents import DamageError, read_document, refusing, shown
from fewshot_core.errors import SpaceError, SplittingError
from fewshot_core.space import EDGES, NAS_BENCH_201, OPERATIONS, SubSpace
from fewshot_core.splitting.tree import NamedSplit

EPOCHS = 50

_FILE_NAME = re.compile(r"nb201_(?P<seed>\d*)(?P<metric>[a-z]+)\d+_")
_ABBREVIATED = {
    "gm": "gradientmatching",
    "gn": "gradnorm",
    "jc": "jacobcov",
    "lr": "linear_regions",
}

_LOSS = {"name": "cross_entropy", "config": {"label_smoothing": 0}}

_DATA = {"subset": 1, "valid_split": 0.5, "workers": 4, "batch_size": 64}

_SETTINGS: Mapping[str, Any] = {
    "seed": 0,
    "disable_tdqm": True,
    "fast": False,
    "multi-gpu": False,
    "test": False,
    "profiling": False,
    "base_config": {
        "network": {
            "name": "NetworkDarts",
            "config": {
                "C": 16,
                "N": 5,
                "max_nodes": 4,
                "space": list(OPERATIONS),
                "affine": False,
                "track_running_stats": True,
            },
        },
        "optimizer": {
            "name": "SGD",
            "config": {"lr": 0.025, "momentum": 0.9, "weight_decay": 0.0003, "nesterov": True},
        },
        "scheduler": {
            "name": "CosineAnnealingWarmRestarts",
            "config": {"T_0": EPOCHS, "eta_min": 0.001},
        },
        "loss": _LOSS,
        "architecture": {
            "name": "Architecture",
            "config": {
                "optimizer": {
                    "name": "Adam",
                    "config": {"lr": 0.0003, "betas": [0.5, 0.999], "weight_decay": 0.001},
                },
                "loss": _LOSS,
                "second_order": False,
            },
        },
    },
    "default": {"dataloader": _DATA},
    "warmup": None,
    "splitting": None,
    "training": {"epochs": EPOCHS, "dataloader": _DATA},
}
"""Everything that is the same for all sub-supernets: a search with first-order DARTS."""


def split_from_search_configs(files: Mapping[str, str], name: str) -> NamedSplit:
    """Read the search configurations of one split: the content of each YAML file by its name.

    S1, S2, ... follow the files' names, with numbers in them in the order of their values. ``name``
    is for a split whose files do not say its own, neither in them nor, as the authors do, by their
    names. Raises SplittingError if
    a file is no search configuration, they disagree on what they belong to, or the sub-spaces do
    not cover all architectures once.
    """
    documents = {file: _load(file, files[file]) for file in sorted(files, key=natural_order)}
    leaves = tuple(_sub_space(file, document) for file, document in documents.items())
    names = {_text(document.get("metric")) for document in documents.values()}
    datasets = {  # the authors have the data set in either place
        _text(document.get("dataset", document["default"].get("dataset")))
        for document in documents.values()
    }
    for what, found in (("data set", datasets), ("metric", names)):
        if len(found) > 1:
            listed = ", ".join(sorted(shown(item) for item in found))
            raise SplittingError(
                f"{name}: expected search configurations of one {what}, got {listed}; put those of "
                "each split into its own folder"
            )
    return NamedSplit(names.pop() or _name_of(documents) or name, datasets.pop(), leaves)


def _name_of(files: Iterable[str]) -> str | None:
    """The metric in the authors' names of files: "nb201_gm0_darts_cifar10.yml"."""
    matches = [_FILE_NAME.match(file) for file in files]
    found = {(match["metric"], match["seed"]) for match in matches if match}
    if len(found) != 1 or None in matches:
        return None
    [(metric, seed)] = found
    return "_".join(filter(None, [_ABBREVIATED.get(metric, metric), seed]))


def search_configs(split: NamedSplit) -> dict[str, str]:
    """Write a split as the authors' search can run it: the content of each YAML file by its name.

    They are in tree order. The names are safe as names of files whatever the split is called.
    Beside the authors' keys there is ``metric``, with the split's name.

    Raises:
        SplittingError: If the split has no data set, or is of another space than NAS-Bench-201.
        UnknownNameError: If there is no such data set.
    """
    if split.dataset is None:
        raise SplittingError(f"{split.name}: expected a data set to write configurations for")
    if split.space != NAS_BENCH_201:
        raise SplittingError(
            f"{split.name}: expected a split of {NAS_BENCH_201.label} to write configurations for, "
            f"got one of {split.space.label}"
        )
    DATASETS.get(split.dataset)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", split.name)[:60].strip("-") or "split"
    files = {}
    for number, leaf in enumerate(split.sub_spaces):
        stem = f"nb201_{slug}{number}_darts_{split.dataset}"
        document = {"output": stem, "metric": split.name, "dataset": split.dataset, **_SETTINGS}
        # The masks are floating point numbers, which the authors' networks compute with.
        matrix = [[float(mark) for mark in row] for row in leaf.rows]
        document["default"] = {"arch": matrix, **_SETTINGS["default"]}
        files[f"{stem}.yml"] = yaml.dump(
            document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100
        )
    return files


class _Dumper(yaml.SafeDumper):
    """Writes equal values out instead of referring to the first one."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _load(file: str, text: str) -> dict[Any, Any]:
    with refusing(SplittingError, file, "expected a search configuration in YAML"):
        document = read_document(text, limits.YAML_BYTES, _parse_yaml)
    if not isinstance(document, dict):
        raise SplittingError(f"{file}: expected keys like default and dataset, got none")
    return document


class _Loader(yaml.SafeLoader):
    """Loads YAML without merged keys, by which a small file can be a very large value."""

    def flatten_mapping(self, node: Any) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise DamageError("it merges keys of other mappings, which is not supported")
        super().flatten_mapping(node)


def _parse_yaml(content: bytes) -> Any:
    try:
        return yaml.load(content.decode("utf-8"), _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DamageError(f"{place}this is no YAML") from error


def _sub_space(file: str, document: Mapping[Any, Any]) -> SubSpace:
    default = document.get("default")
    matrix = default.get("arch") if isinstance(default, dict) else None
    if not _is_matrix(matrix):
        raise SplittingError(
            f"{file}: expected default.arch with {len(EDGES)} rows of {len(OPERATIONS)} numbers 0 "
            f"or 1, got {shown(matrix)}"
        )
    try:
        return SubSpace.from_rows(["".join(str(int(cell)) for cell in row) for row in matrix])
    except SpaceError as error:
        raise SplittingError(f"{file}: {error}") from error


def _is_matrix(matrix: Any) -> TypeGuard[list[list[float]]]:
    """Whether this is a matrix of 0 and 1 with a row for each edge."""
    return (
        isinstance(matrix, list)
        and len(matrix) == len(EDGES)
        and all(isinstance(row, list) and len(row) == len(OPERATIONS) for row in matrix)
        and all(isinstance(cell, int | float) and cell in (0, 1) for row in matrix for cell in row)
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
