"""The importer of NAS-Bench-201's own file, ``NAS-Bench-201-v1_1-096897.pth`` and the like."""

import re
import struct
from collections import OrderedDict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nas_201_api import ArchResults
from numpy._core import multiarray

from fewshot_core.bench.arch_results import DAMAGE, Collector
from fewshot_core.bench.content import Reading
from fewshot_core.bench.mapping import ColumnMapping
from fewshot_core.datafolder import check_size
from fewshot_core.errors import TableError
from fewshot_core.safe_pickle import DAMAGE as PICKLE_DAMAGE

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
