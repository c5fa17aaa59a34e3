"""Importers of the archives of NATS-Bench and NAS-Bench-201.

The archives hold the same records. The numbers that they give architectures are their own, not the
index of the search space. ``fewshot_core.archives`` reads them in a process of its own.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_core import limits
from fewshot_core.archives import EPOCHS, Results, read_apart
from fewshot_core.bench.table import (
    COSTS,
    PREVIEW_ROWS,
    TableColumn,
    TableContent,
    TablePreview,
    architecture_codes,
    make_content,
    with_columns,
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
    return _preview(found, f"{path.name}, a file of NAS-Bench-201")


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
    rows: Results = {"accuracy": [], "costs": [], "early": []}
    for start in range(0, len(files), _TOGETHER):
        some = files[start : start + _TOGETHER]
        numbers = {str(int(file.name.split(".")[0])) for file in some}
        own = {number: known[number] for number in numbers & known.keys()}
        found = read_apart("nats", some, TableError, largest=limit, names=own, limit=limit)
        for part, own_rows in rows.items():
            own_rows += found[part]
    return _preview(rows, f"{path.name}, a folder of NATS-Bench")


def _preview(rows: Results, source: str) -> TablePreview:
    """Make a table of accuracies, costs and early accuracies whose architectures are strings."""
    columns = ["dataset", "kind", "architecture", "seed", "accuracy", "place"]
    accuracy = pd.DataFrame(rows["accuracy"], columns=columns)
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
    of_costs = pd.DataFrame(rows["costs"], columns=["dataset", "architecture", *COSTS])
    of_costs["architecture"] = of_costs["architecture"].map(codes)
    content = _with_early(with_costs(content, of_costs), rows["early"])
    return TablePreview(content, content.accuracy.head(PREVIEW_ROWS))


def _with_early(content: TableContent, early: list[list[Any]]) -> TableContent:
    """Add accuracies at an epoch, an estimate each, beside the costs."""
    rows = pd.DataFrame(early, columns=["dataset", "column", "architecture", "accuracy"])
    rows["architecture"] = rows["architecture"].map(architecture_codes("string"))
    wide = rows.pivot(index="architecture", columns="column", values="accuracy").reset_index()
    named = rows[["dataset", "column"]].drop_duplicates().itertuples(index=False)
    columns = [TableColumn(column, "estimate", dataset, "%") for dataset, column in named]
    frame = wide if content.columns is None else content.columns.merge(wide, "outer")
    return with_columns(content, frame, [*content.others, *columns])
