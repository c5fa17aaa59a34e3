"""Importers of the archives of NATS-Bench and NAS-Bench-201.

The archives hold the same records. The numbers that they give architectures are their own, not the
index of the search space. ``fewshot_core.archives`` reads them in a process of its own.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_core import limits
from fewshot_core.archives import EPOCHS, read_apart
from fewshot_core.bench.table import (
    COSTS,
    PREVIEW_ROWS,
    TablePreview,
    architecture_codes,
    make_content,
    with_costs,
)
from fewshot_core.errors import TableError

_META = "meta.pickle.pbz2"
_NATS_FILE = re.compile(r"(\d{1,9})\.pickle\.pbz2")
_TOGETHER = 50
"""Files of NATS-Bench that one process reads."""


def read_nasbench201_file(path: Path) -> TablePreview:
    """Read a file of NAS-Bench-201, with as many architectures as it has.

    Raises TableError if the file is damaged, too large, holds something else, or names something
    that could run code.
    """
    limit = limits.NAS_BENCH_201_BYTES
    found = read_apart("nas-bench-201", [path], TableError, largest=limit, limit=limit)
    return _preview(found["accuracy"], found["costs"], f"{path.name}, a file of NAS-Bench-201")


def read_nats_folder(path: Path) -> TablePreview:
    """Read a folder of NATS-Bench, with as many of its files like ``000011.pickle.pbz2`` as it has.

    Raises TableError if the folder has no such file, or one is damaged; the message names it.
    """
    limit = limits.NATS_BYTES
    files = sorted(file for file in path.iterdir() if _NATS_FILE.fullmatch(file.name))
    if len(files) > limits.FILES:
        raise TableError(f"{path} has {len(files):,} files, expected at most {limits.FILES:,}")
    names: list[str] = []
    if (path / _META).exists():
        names = read_apart("nats-names", [path / _META], TableError, largest=limit, limit=limit)
    known = {str(number): name for number, name in enumerate(names)}
    rows, costs = [], []
    for start in range(0, len(files), _TOGETHER):
        some = files[start : start + _TOGETHER]
        numbers = {str(int(file.name.split(".")[0])) for file in some}
        own = {number: known[number] for number in numbers & known.keys()}
        found = read_apart("nats", some, TableError, largest=limit, names=own, limit=limit)
        rows += found["accuracy"]
        costs += found["costs"]
    return _preview(rows, costs, f"{path.name}, a folder of NATS-Bench")


def _preview(rows: list[Any], costs: list[Any], source: str) -> TablePreview:
    """Make a table of accuracies and costs whose architectures are strings."""
    columns = ["dataset", "kind", "architecture", "seed", "accuracy", "place"]
    accuracy = pd.DataFrame(rows, columns=columns)
    codes = architecture_codes("string")
    unknown = accuracy[~accuracy["architecture"].isin(list(codes))]
    if len(unknown):
        first = unknown.iloc[0]
        raise TableError(
            f"{first['place']}: expected an architecture of NAS-Bench-201, got "
            f"{first['architecture']:.100}; get the file again from where it came from"
        )
    content = make_content(
        accuracy.assign(architecture=accuracy["architecture"].map(codes)),
        source,
        EPOCHS,
    )
    of_costs = pd.DataFrame(costs, columns=["dataset", "architecture", *COSTS])
    of_costs["architecture"] = of_costs["architecture"].map(codes)
    content = with_costs(content, of_costs)
    return TablePreview(content, content.accuracy.head(PREVIEW_ROWS))
