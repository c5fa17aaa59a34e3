"""Splits as search configurations of the paper's authors: a YAML file for each sub-supernet.

Its ``oneshot_search.py`` looks for all of these keys. Their values are those of Appendix A of the
paper; the names of networks and schedulers are those of its code
(https://github.com/brain-bzh/metric_driven_few_shot_nas).

The key ``default.arch`` is a 6x5 matrix of 0 and 1, a row for each edge and a column for each
operation; the key ``dataset`` names the data set.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from reprlib import Repr
from typing import Any, TypeGuard

import yaml

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import SpaceError, SplittingError
from fewshot_core.registry import Registry
from fewshot_core.space import EDGES, OPERATIONS, SubSpace
from fewshot_core.splitting.tree import NamedSplit

_LOSS = {"name": "cross_entropy", "config": {"label_smoothing": 0}}

_DATA = {"subset": 1, "valid_split": 0.5, "workers": 4, "batch_size": 64}


@dataclass(frozen=True)
class AlgorithmSettings:
    """What distinguishes an algorithm from the others.

    Attributes:
        name: Its name.
        label: What the authors' files call it.
        network: The network's name.
        scheduler: The scheduler's name, and its name for the number of epochs.
        network_options: The network's options beside those that all networks have.
        architecture: The name of what trains the architecture.
        architecture_options: Its options beside the optimiser, the loss and ``second_order``.
        second_order: Whether the architecture's gradient is of second order.
    """

    name: str
    label: str
    network: str
    scheduler: tuple[str, str] = ("CosineAnnealingWarmRestarts", "T_0")
    network_options: Mapping[str, Any] = field(default_factory=dict)
    architecture: str = "Architecture"
    architecture_options: Mapping[str, Any] = field(default_factory=dict)
    second_order: bool = False


SEARCH_SETTINGS: Registry[AlgorithmSettings] = Registry("search algorithm")
"""The algorithms for which there are settings."""

_TEMPERATURE = {"lam_min": 0.1, "lam_max": 1.0, "curr_lam": 1.0}
"""How SNAS cools down, over as many epochs as the search trains."""

for _settings in (
    AlgorithmSettings("darts-1st", "darts", "NetworkDarts"),
    AlgorithmSettings("darts-2nd", "darts2", "NetworkDarts", second_order=True),
    AlgorithmSettings(
        "snas",
        "snas",
        "NetworkSnas",
        ("CosineAnnealingLR", "T_max"),
        {"forward_samples": 1, "temperature": {"name": "TempScheduler", "config": _TEMPERATURE}},
    ),
    AlgorithmSettings(
        "dsnas",
        "dsnas",
        "NetworkRP",
        ("CosineAnnealingLR", "T_max"),
        {"forward_samples": 5, "independence": True},
        "SamplingArchitecture",
        {"train_or_valid": "valid", "threshold": 0.8, "method": "_reinforce_loo"},
    ),
):
    SEARCH_SETTINGS.add(_settings)


def _settings_of(chosen: AlgorithmSettings, epochs: int) -> dict[str, Any]:
    """Write out everything that is the same for all sub-supernets."""
    if epochs < 1:
        raise SplittingError(f"expected at least 1 epoch of search, got {epochs}")
    network: dict[str, Any] = {"C": 16, "N": 5, "max_nodes": 4, "space": list(OPERATIONS)}
    network |= {"affine": False, "track_running_stats": True, **chosen.network_options}
    if "temperature" in network:
        temperature = network["temperature"]
        config = {**temperature["config"], "total_epochs": epochs}
        network["temperature"] = {**temperature, "config": config}
    architecture = {
        "optimizer": {
            "name": "Adam",
            "config": {"lr": 0.0003, "betas": [0.5, 0.999], "weight_decay": 0.001},
        },
        "loss": _LOSS,
        "second_order": chosen.second_order,
        **chosen.architecture_options,
    }
    scheduler, length = chosen.scheduler
    base_config = {
        "network": {"name": chosen.network, "config": network},
        "optimizer": {
            "name": "SGD",
            "config": {"lr": 0.025, "momentum": 0.9, "weight_decay": 0.0003, "nesterov": True},
        },
        "scheduler": {"name": scheduler, "config": {length: epochs, "eta_min": 0.001}},
        "loss": _LOSS,
        "architecture": {"name": chosen.architecture, "config": architecture},
    }
    return {
        "disable_tdqm": True,
        "fast": False,
        "multi-gpu": False,
        "test": False,
        "profiling": False,
        "base_config": base_config,
        "default": {"dataloader": _DATA},
        "warmup": None,
        "splitting": None,
        "training": {"epochs": epochs, "dataloader": _DATA},
    }


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
    names = {_text(document.get("metric")) for document in documents.values()}
    datasets = {  # the authors have the data set in either place
        _text(document.get("dataset", document["default"].get("dataset")))
        for document in documents.values()
    }
    for what, found in (("data set", datasets), ("metric", names)):
        if len(found) > 1:
            listed = ", ".join(sorted(_shown(item) for item in found))
            raise SplittingError(
                f"{name}: expected search configurations of one {what}, got {listed}; put those of "
                "each split into its own folder"
            )
    return NamedSplit(names.pop() or name, datasets.pop(), leaves)


def search_configs(
    split: NamedSplit, algorithm: str = "darts-1st", epochs: int = 50, seed: int = 0
) -> dict[str, str]:
    """Write a split as search configurations that the authors' search can run.

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
    chosen = SEARCH_SETTINGS.get(algorithm)
    settings = _settings_of(chosen, epochs)
    files = {}
    for number, leaf in enumerate(split.leaves):
        stem = f"nb201_{_slug(split.name)}{number}_{chosen.label}_{split.dataset}"
        document = {"output": stem, "metric": split.name, "dataset": split.dataset, "seed": seed}
        document |= settings
        # The masks are floating point numbers, which the authors' networks compute with.
        matrix = [[float(mark) for mark in row] for row in leaf.rows]
        document["default"] = {"arch": matrix, **settings["default"]}
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
    if not _is_matrix(matrix):
        raise SplittingError(
            f"{file}: expected default.arch with {len(EDGES)} rows of {len(OPERATIONS)} numbers 0 "
            f"or 1, got {_shown(matrix)}"
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


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key that orders numbers in names by their values: 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def _slug(name: str) -> str:
    """Replace everything but letters and digits by single hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name)[:60].strip("-") or "split"


def _shown(value: Any) -> str:
    """Shorten a value for a message: references can make a small file a very large value."""
    short = Repr()
    short.maxlevel = 2
    return short.repr(value)
