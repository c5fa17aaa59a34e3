"""Importers of the archives of NATS-Bench and NAS-Bench-201.

The archives hold the same records, which ``ArchResults`` of the package nas-bench-201 reads. The
numbers that they give architectures are their own, not the index of the search space.
"""

import bz2
import math
import re
import struct
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core.bench.table import (
    COSTS,
    PREVIEW_ROWS,
    TablePreview,
    architecture_codes,
    make_content,
    with_costs,
)
from fewshot_core.data_folder import check_size, read_limited
from fewshot_core.errors import TableError
from fewshot_core.safe_pickle import DAMAGE as PICKLE_DAMAGE
from fewshot_core.safe_pickle import NUMPY_SCALARS, load_pickle

EPOCHS = 200

LARGEST = 10_000_000_000
"""The largest NAS-Bench-201 file in bytes; the largest published one has about half as many."""

LARGEST_NATS = 200_000_000
"""The largest file of a NATS-Bench folder, decompressed, in bytes; published ones are smaller."""

_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, AssertionError, ZeroDivisionError)
"""Exceptions that the package raises for an incomplete record."""

_AGAIN = "get the file again from where it came from"

# CIFAR-10 was trained on twice. Its validation accuracies and its costs are of the networks that
# saw half of the training images, its test accuracies of those that saw all.
_SETS = (
    # data set, kind, what the network was trained on, what it was evaluated on
    ("cifar10", "validation", "cifar10-valid", "x-valid"),
    ("cifar10", "test", "cifar10", "ori-test"),
    ("cifar100", "validation", "cifar100", "x-valid"),
    ("cifar100", "test", "cifar100", "x-test"),
    ("ImageNet16-120", "validation", "ImageNet16-120", "x-valid"),
    ("ImageNet16-120", "test", "ImageNet16-120", "x-test"),
)

_ALLOWED: list[Any] = [
    *((value, ".".join(name)) for name, value in NUMPY_SCALARS.items()),
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64")),
]
"""Names that a PyTorch file may contain in addition to plain values and tensors."""

_REFUSED = re.compile(r"GLOBAL ([\w.]+)")
"""PyTorch's message about a name that is not allowed."""

_META = "meta.pickle.pbz2"
_NATS_FILE = re.compile(r"(\d+)\.pickle\.pbz2")


def read_nasbench201_file(path: Path) -> TablePreview:
    """Read a file of NAS-Bench-201, with as many architectures as it has.

    The package's ``NASBench201API`` would copy the whole file in memory, several gigabytes;
    ``ArchResults`` is made for one architecture at a time. Raises TableError if the file is
    damaged, too large, holds something else, or names something that could run code.
    """
    names, records = _meta_and_records(path)
    places = {number: f"{path.name}, architecture {number}" for number in sorted(records)}
    results = (
        (place, names[number], _results(records[number], "full", place))
        for number, place in places.items()
    )
    return _read(results, path)


def read_nats_folder(path: Path) -> TablePreview:
    """Read a folder of NATS-Bench, with as many of its files like ``000011.pickle.pbz2`` as it has.

    Raises TableError if the folder has no such file, or one is damaged; the message names it.
    """
    names = _nats_names(path / _META)
    results = (
        (file.name, names.get(int(match[1])), _results(_load_nats(file), str(EPOCHS), file.name))
        for file in sorted(path.glob("*.pickle.pbz2"))
        if (match := _NATS_FILE.fullmatch(file.name))
    )
    return _read(results, path)


def _read(results: Iterator[tuple[str, str | None, Any]], path: Path) -> TablePreview:
    """Collect accuracies and costs.

    ``results`` are the place of each architecture, its string in the archive's list (None without a
    list), and its ``ArchResults``.
    """
    rows: list[tuple[Any, ...]] = []
    costs: list[tuple[Any, ...]] = []
    for place, name, result in results:
        try:
            if name not in (None, result.arch_str):
                raise TableError(
                    f"{place}: expected results of {name}, got results of {result.arch_str}; "
                    f"{_AGAIN}"
                )
            if result.get_total_epoch() != EPOCHS:
                raise ValueError(f"{result.get_total_epoch()} epochs instead of {EPOCHS}")
            architecture = architecture_codes("string")[result.arch_str]
            rows += _accuracies(result, architecture, place)
            costs += _costs(result, architecture)
        except _DAMAGE as error:
            raise TableError(
                f"{place}: expected the results of one architecture after {EPOCHS} epochs, got "
                f"something else ({type(error).__name__}: {error}); {_AGAIN}"
            ) from error
    columns = ["dataset", "kind", "architecture", "seed", "accuracy", "place"]
    content = make_content(
        pd.DataFrame(rows, columns=columns),
        f"{path.name}, read with nas-bench-201 {version('nas-bench-201')}",
        EPOCHS,
    )
    content = with_costs(content, pd.DataFrame(costs, columns=["dataset", "architecture", *COSTS]))
    return TablePreview(content, content.accuracy.head(PREVIEW_ROWS))


def _accuracies(result: Any, architecture: int, place: str) -> Iterator[tuple[Any, ...]]:
    trained = result.get_dataset_names()
    for dataset, kind, training, evaluation in _SETS:
        if training in trained:
            for seed, trial in result.query(training).items():
                accuracy = float(trial.get_eval(evaluation)["accuracy"])
                yield dataset, kind, architecture, int(seed), accuracy, place


def _costs(result: Any, architecture: int) -> Iterator[tuple[Any, ...]]:
    """Costs on each data set, means over seeds."""
    trained = result.get_dataset_names()
    for dataset, kind, training, _ in _SETS:
        if kind == "validation" and training in trained:
            costs = result.get_compute_costs(training)
            latency, train_time = (
                math.nan if costs[name] is None else float(costs[name])
                for name in ("latency", "T-train@total")
            )
            yield dataset, architecture, _parameters(result, training), latency, train_time


def _parameters(result: Any, training: str) -> float:
    """Number of parameters, which trials hold in millions.

    Where trials of an architecture disagree, that of seed 888 is right: so NATS-Bench's own API.
    """
    millions = {seed: trial.params for seed, trial in result.query(training).items()}
    agree = len({f"{value:.5f}" for value in millions.values()}) == 1
    return float(round((np.mean(list(millions.values())) if agree else millions[888]) * 1e6))


def _results(records: Any, key: str, place: str) -> Any:
    """The results under a key of a record: those after 200 epochs."""
    from nas_201_api import ArchResults

    try:
        return ArchResults.create_from_state_dict(records[key])
    except _DAMAGE as error:
        raise TableError(
            f"{place}: expected results under the key {key!r} ({type(error).__name__}: {error}); "
            f"{_AGAIN}"
        ) from error


def _meta_and_records(path: Path) -> tuple[dict[int, str], dict[int, Any]]:
    """The architecture string and the record of every number in a file of NAS-Bench-201."""
    content = _load_nasbench201(path)
    try:
        names, records = dict(enumerate(content["meta_archs"])), dict(content["arch2infos"])
    except _DAMAGE as error:
        raise TableError(
            f"{path.name}: expected a dictionary with 'meta_archs' and 'arch2infos', got a "
            f"{type(content).__name__}; {_AGAIN}"
        ) from error
    unknown = [number for number in records if number not in names]
    if unknown:
        raise TableError(
            f"{path.name}: expected architectures from 0 to {len(names) - 1}, got {unknown[0]!r}"
        )
    return names, records


def _load_nasbench201(path: Path) -> Any:
    import torch

    try:
        check_size(path, LARGEST)
    except ValueError as error:
        raise TableError(str(error)) from error
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


def _nats_names(path: Path) -> dict[int, str]:
    """The architecture string of every number; empty without a meta file."""
    if not path.exists():
        return {}
    meta = _load_nats(path)
    names = meta.get("meta_archs") if isinstance(meta, Mapping) else None
    if not isinstance(names, list):
        raise TableError(
            f"{path.name}: expected a list of architectures under 'meta_archs'; {_AGAIN}"
        )
    return dict(enumerate(names))


def _load_nats(path: Path) -> Any:
    try:
        data = read_limited(path, LARGEST_NATS, bz2.open)
    except (OSError, EOFError, ValueError) as error:
        raise TableError(f"{path.name} cannot be decompressed ({error}); {_AGAIN}") from error
    return load_pickle(data, path.name, NUMPY_SCALARS)
