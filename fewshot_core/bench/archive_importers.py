"""Importers of the archives of NATS-Bench and NAS-Bench-201.

The two packages have a class of this name each, with the same methods.

The number in a file's name is NATS-Bench's own; it is not the index of the architecture.
"""

import bz2
import math
import re
import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from nas_201_api import ArchResults
from nats_bench import ArchResults as ArchResults_from_nats_bench
from numpy._core import multiarray

from fewshot_core.bench.table import (
    ColumnMapping,
    Reading,
    TableContent,
    architecture_codes,
    content_from_seeds,
)
from fewshot_core.data_folder import check_size, read_limited
from fewshot_core.errors import TableError
from fewshot_core.safe_pickle import DAMAGE as PICKLE_DAMAGE
from fewshot_core.safe_pickle import NUMPY_SCALARS, load_pickle

EPOCHS = 200

DAMAGE = (ValueError, TypeError, LookupError, AttributeError, AssertionError, ZeroDivisionError)
"""What the packages raise when a record lacks something."""

_SETS = (
    # data set, kind, what the network was trained on, what it was evaluated on
    ("cifar10", "validation", "cifar10-valid", "x-valid"),
    ("cifar10", "test", "cifar10", "ori-test"),
    ("cifar100", "validation", "cifar100", "x-valid"),
    ("cifar100", "test", "cifar100", "x-test"),
    ("ImageNet16-120", "validation", "ImageNet16-120", "x-valid"),
    ("ImageNet16-120", "test", "ImageNet16-120", "x-test"),
)


@dataclass
class Collector:
    """Gathers the results of one architecture after the other.

    CIFAR-10 was trained on twice. Its validation accuracies and its costs are of the networks that
    saw half of the training images, its test accuracies of those that saw all.
    """

    _rows: list[tuple[Any, ...]] = field(default_factory=list)
    _costs: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, results: Any, name: str, place: str) -> None:
        """Add an architecture.

        Args:
            results: Its ``ArchResults`` of the training over 200 epochs.
            name: The architecture string that the input's list of architectures has for it.
            place: Where it was found, for messages.

        Raises:
            TableError: If the results are of another architecture or another training, or lack
                something.
        """
        try:
            if results.arch_str != name:
                raise TableError(
                    f"{place}: expected results of {name}, got results of {results.arch_str}; get "
                    "the file again from where it came from"
                )
            if results.get_total_epoch() != EPOCHS:
                raise ValueError(f"{results.get_total_epoch()} epochs instead of {EPOCHS}")
            architecture = architecture_codes("string")[name]
            self._rows += _read_accuracies(results, architecture, place)
            self._costs += _read_costs(results, architecture)
        except DAMAGE as error:
            raise TableError(
                f"{place}: expected the results of one architecture after {EPOCHS} epochs, got "
                f"something else ({type(error).__name__}: {error}); get the file again from where "
                "it came from"
            ) from error

    def content(self, source: str) -> TableContent:
        """Return all that was added.

        Raises:
            TableError: If nothing was, or an accuracy cannot be one, or is there twice.
        """
        columns = ["dataset", "kind", "architecture", "seed", "accuracy", "place"]
        rows = pd.DataFrame(self._rows, columns=columns)
        columns = ["dataset", "architecture", "parameters", "latency", "train_time"]
        costs = pd.DataFrame(self._costs, columns=columns)
        return content_from_seeds(rows, costs, source, EPOCHS)


def _read_accuracies(results: Any, architecture: int, place: str) -> Iterator[tuple[Any, ...]]:
    trained = results.get_dataset_names()
    for dataset, kind, training, evaluation in _SETS:
        if training in trained:
            for seed, trial in results.query(training).items():
                accuracy = float(trial.get_eval(evaluation)["accuracy"])
                yield dataset, kind, architecture, int(seed), accuracy, place


def _read_costs(results: Any, architecture: int) -> Iterator[tuple[Any, ...]]:
    """Yield the costs for each data set; the packages count parameters in millions."""
    trained = results.get_dataset_names()
    for dataset, kind, training, _ in _SETS:
        if kind == "validation" and training in trained:
            costs = results.get_compute_costs(training)
            parameters = float(round(costs["params"] * 1e6))
            latency, train_time = (
                math.nan if costs[name] is None else float(costs[name])
                for name in ("latency", "T-train@total")
            )
            yield dataset, architecture, parameters, latency, train_time


LARGEST = 10_000_000_000
"""The most bytes of a file; the largest published one has about half as many."""

_PREVIEW_ROWS = 5
_ALLOWED: list[Any] = [
    OrderedDict,
    np.dtype,
    type(np.dtype(np.float64)),
    type(np.dtype(np.float32)),
    type(np.dtype(np.int64)),
    (multiarray.scalar, "numpy.core.multiarray.scalar"),  # as NumPy 1 wrote it
    (multiarray.scalar, "numpy._core.multiarray.scalar"),
]
"""What the file may name beside plain values and tensors."""

_REFUSED = re.compile(r"GLOBAL ([\w.]+)")
"""How PyTorch reports a name that is not allowed."""


def read_nasbench201_file(path: Path, mapping: ColumnMapping | None = None) -> Reading:
    """Read a file of NAS-Bench-201, as much of it as is there.

    The package's ``NASBench201API`` would copy the whole file in memory, several gigabytes; its
    ``ArchResults``, which the API itself reads with, are made for one architecture at a time.

    Args:
        path: The file.
        mapping: Not used: the file says what it holds.

    Raises:
        TableError: If the file is damaged, too large, holds something else, or asks for a name
            that could run code.
    """
    try:
        check_size(path, LARGEST)
    except ValueError as error:
        raise TableError(str(error)) from error
    names, records = _check(path.name, _load(path))
    collector = Collector()
    for number, record in sorted(records.items()):
        place = f"{path.name}, architecture {number}"
        collector.add(_read_results(record, place), names[number], place)
    content = collector.content(f"{path.name}, read with nas-bench-201 {version('nas-bench-201')}")
    return Reading(content, content.accuracy.head(_PREVIEW_ROWS))


def _load(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (*PICKLE_DAMAGE, RuntimeError, AssertionError, struct.error) as error:
        name = _REFUSED.search(str(error))
        reason = f"asks for {name[1]}, which could run code" if name else "is damaged"
        raise TableError(
            f"{path.name} {reason}; expected a PyTorch file of plain values and numbers. Nothing "
            "of it was run; get the file from a source you trust"
        ) from error


def _check(name: str, content: Any) -> tuple[dict[int, str], dict[int, Any]]:
    """Return the architecture string and the record of every number."""
    try:
        names, records = dict(enumerate(content["meta_archs"])), dict(content["arch2infos"])
    except DAMAGE as error:
        raise TableError(
            f"{name}: expected a dictionary with 'meta_archs' and 'arch2infos', got a "
            f"{type(content).__name__}; get the file again from where it came from"
        ) from error
    unknown = [number for number in records if number not in names]
    if unknown:
        raise TableError(
            f"{name}: expected architectures from 0 to {len(names) - 1}, got {unknown[0]!r}"
        )
    return names, records


def _read_results(record: Any, place: str) -> Any:
    """Return the results after 200 epochs, which NAS-Bench-201 calls the full ones."""
    try:
        return ArchResults.create_from_state_dict(record["full"])
    except DAMAGE as error:
        raise TableError(
            f"{place}: expected results under the key 'full' ({type(error).__name__}: {error}); "
            "get the file again from where it came from"
        ) from error


_NAME = re.compile(r"(\d+)\.pickle\.pbz2")
LARGEST_NATS = 200_000_000
"""The most bytes of a file, unpacked; those of the published archive are far smaller."""

_META = "meta.pickle.pbz2"
_PREVIEW_ROWS_of_nats_folder = 5


def read_nats_folder(path: Path, mapping: ColumnMapping | None = None) -> Reading:
    """Read a folder of NATS-Bench, as much of it as is there.

    Args:
        path: The folder, with files like ``000011.pickle.pbz2`` and, as a rule, the meta file.
        mapping: Not used: the files say what they hold.

    Raises:
        TableError: If the folder has no such file, or one is damaged; the message names it.
    """
    names = _read_meta(path / _META)
    collector = Collector()
    for file in sorted(path.glob("*.pickle.pbz2")):
        match = _NAME.fullmatch(file.name)
        if match is not None:
            results = _read_results_of_nats_folder(file)
            name = names.get(int(match[1]), results.arch_str)
            collector.add(results, name, file.name)
    content = collector.content(f"{path.name}, read with nats-bench {version('nats-bench')}")
    return Reading(content, content.accuracy.head(_PREVIEW_ROWS_of_nats_folder))


def _read_meta(path: Path) -> dict[int, str]:
    """Return the architecture string of every number; nothing where there is no meta file."""
    if not path.exists():
        return {}
    meta = _load_of_nats_folder(path)
    names = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(names, list):
        raise TableError(
            f"{path.name}: expected a list of architectures under 'meta_archs'; get the file again "
            "from where it came from"
        )
    return dict(enumerate(names))


def _read_results_of_nats_folder(path: Path) -> Any:
    records = _load_of_nats_folder(path)
    try:
        return ArchResults_from_nats_bench.create_from_state_dict(records[str(EPOCHS)])
    except DAMAGE as error:
        raise TableError(
            f"{path.name}: expected results under the key '{EPOCHS}' ({type(error).__name__}: "
            f"{error}); get the file again from where it came from"
        ) from error


def _load_of_nats_folder(path: Path) -> Any:
    try:
        data = read_limited(path, LARGEST_NATS, bz2.open)
    except (OSError, EOFError, ValueError) as error:
        raise TableError(
            f"{path.name} cannot be decompressed ({error}); get the file again from where it came "
            "from"
        ) from error
    return load_pickle(data, path.name, NUMPY_SCALARS)
