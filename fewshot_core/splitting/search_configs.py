"""Splits as search configurations of the paper's authors: a YAML file for each sub-supernet.

Its ``oneshot_search.py`` looks for all of these keys. Their values are those of Appendix A of the
paper; the names of networks and schedulers are those of its code
(https://github.com/brain-bzh/metric_driven_few_shot_nas).

The key ``default.arch`` is a 6x5 matrix of 0 and 1, a row for each edge and a column for each
operation; the key ``dataset`` names the data set.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from reprlib import Repr
from typing import Any

import yaml

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import SpaceError, SplittingError
from fewshot_core.registry import Registry
from fewshot_core.space import EDGES, OPERATIONS, SubSpace
from fewshot_core.splitting.tree import NamedSplit

_LOSS = {"name": "cross_entropy", "config": {"label_smoothing": 0}}

_DATA = {"subset": 1, "valid_split": 0.5, "workers": 4, "batch_size": 64}

_WARM_RESTARTS = ("CosineAnnealingWarmRestarts", "T_0")
_ONE_DESCENT = ("CosineAnnealingLR", "T_max")


@dataclass(frozen=True)
class AlgorithmSettings:
    """What sets an algorithm apart from the others.

    Attributes:
        name: Its name.
        label: How the authors' files call it.
        network: The network's name.
        network_options: Its options beside those that all networks have, given the epochs.
        scheduler: The scheduler's name, and how it calls the epochs.
        architecture: The name of what trains the architecture.
        architecture_options: Its options beside the optimiser and the loss.
    """

    name: str
    label: str
    network: str
    network_options: Callable[[int], dict[str, Any]]
    scheduler: tuple[str, str]
    architecture: str
    architecture_options: dict[str, Any]


def _temperature(epochs: int) -> dict[str, Any]:
    annealed = {"lam_min": 0.1, "lam_max": 1.0, "curr_lam": 1.0, "total_epochs": epochs}
    return {
        "forward_samples": 1,
        "temperature": {"name": "TempScheduler", "config": annealed},
    }


SEARCH_SETTINGS: Registry[AlgorithmSettings] = Registry("search algorithm")
"""The algorithms for which there are settings."""

SEARCH_SETTINGS.add(
    AlgorithmSettings(
        "darts-1st",
        "darts",
        "NetworkDarts",
        lambda epochs: {},
        _WARM_RESTARTS,
        "Architecture",
        {"second_order": False},
    )
)
SEARCH_SETTINGS.add(
    AlgorithmSettings(
        "darts-2nd",
        "darts2",
        "NetworkDarts",
        lambda epochs: {},
        _WARM_RESTARTS,
        "Architecture",
        {"second_order": True},
    )
)
SEARCH_SETTINGS.add(
    AlgorithmSettings(
        "snas",
        "snas",
        "NetworkSnas",
        _temperature,
        _ONE_DESCENT,
        "Architecture",
        {"second_order": False},
    )
)
SEARCH_SETTINGS.add(
    AlgorithmSettings(
        "dsnas",
        "dsnas",
        "NetworkRP",
        lambda epochs: {"forward_samples": 5, "independence": True},
        _ONE_DESCENT,
        "SamplingArchitecture",
        {
            "second_order": False,
            "train_or_valid": "valid",
            "threshold": 0.8,
            "method": "_reinforce_loo",
        },
    )
)


def search_settings(algorithm: str, epochs: int) -> dict[str, Any]:
    """Return everything of a search configuration that is the same for all sub-supernets.

    Args:
        algorithm: One of ``SEARCH_SETTINGS``.
        epochs: How long the search trains.

    Raises:
        UnknownNameError: If there is no such algorithm.
        SplittingError: If there is no epoch.
    """
    if epochs < 1:
        raise SplittingError(f"expected at least 1 epoch of search, got {epochs}")
    return {
        "disable_tdqm": True,
        "fast": False,
        "multi-gpu": False,
        "test": False,
        "profiling": False,
        "base_config": _base_config(SEARCH_SETTINGS.get(algorithm), epochs),
        "default": {"dataloader": _DATA},
        "warmup": None,
        "splitting": None,
        "training": {"epochs": epochs, "dataloader": _DATA},
    }


def _base_config(chosen: AlgorithmSettings, epochs: int) -> dict[str, Any]:
    """Return the network, and how its weights and its architecture are trained."""
    scheduler, length = chosen.scheduler
    architecture = {
        "optimizer": {
            "name": "Adam",
            "config": {"lr": 0.0003, "betas": [0.5, 0.999], "weight_decay": 0.001},
        },
        "loss": _LOSS,
        **chosen.architecture_options,
    }
    return {
        "network": {"name": chosen.network, "config": _network(chosen.network_options(epochs))},
        "optimizer": {
            "name": "SGD",
            "config": {"lr": 0.025, "momentum": 0.9, "weight_decay": 0.0003, "nesterov": True},
        },
        "scheduler": {"name": scheduler, "config": {length: epochs, "eta_min": 0.001}},
        "loss": _LOSS,
        "architecture": {"name": chosen.architecture, "config": architecture},
    }


def _network(options: dict[str, Any]) -> dict[str, Any]:
    common = {"C": 16, "N": 5, "max_nodes": 4, "space": list(OPERATIONS)}
    return {**common, "affine": False, "track_running_stats": True, **options}


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
