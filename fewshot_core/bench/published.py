"""Importers of published files: the archives of NATS-Bench and NAS-Bench-201, and JSON files.

The archives hold the same records. The numbers that they give architectures are their own, not the
index of the search space. ``fewshot_core.archives`` reads them in a process of its own.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core import limits
from fewshot_core.archives import EPOCHS, SHORT, Results, read_apart
from fewshot_core.bench.table import (
    COSTS,
    PREVIEW_ROWS,
    TableColumn,
    TableContent,
    TablePreview,
    check_complete,
    make_content,
    with_columns,
    with_costs,
)
from fewshot_core.documents import DAMAGE, describe_damage, read_document
from fewshot_core.errors import TableError
from fewshot_core.space import NAS_BENCH_201, SearchSpace, get_space

_META = "meta.pickle.pbz2"
_NATS_FILE = re.compile(r"(\d{1,9})\.pickle\.pbz2")
_TOGETHER = 50
"""Files of NATS-Bench that one process reads."""

USUAL_EPOCHS = (1, 5, 10, 25, 50, 100)
"""The epochs after which accuracies become estimates, if no others are asked for."""

ALL_EPOCHS = "all"


def parse_epochs(text: str) -> tuple[int, ...]:
    """Read epochs like ``1,5,10``, or "all" of them before the last; may raise TableError."""
    if text.strip() == ALL_EPOCHS:
        return tuple(range(1, EPOCHS))
    parts = text.replace(",", " ").split()
    if not parts or not all(re.fullmatch(r"\d{1,3}", part) for part in parts):
        raise TableError(f"expected epochs like 1,5,10, or {ALL_EPOCHS}, got {text[:100]!r}")
    epochs = sorted(set(map(int, parts)))
    if not 1 <= epochs[0] <= epochs[-1] < EPOCHS:
        wrong = epochs[0] if epochs[0] < 1 else epochs[-1]
        raise TableError(f"expected epochs from 1 to {EPOCHS - 1}, got {wrong}")
    return tuple(epochs)


def read_nasbench201_file(path: Path, epochs: Sequence[int] = USUAL_EPOCHS) -> TablePreview:
    """Read a file of NAS-Bench-201, with as many architectures as it has.

    Accuracies after some ``epochs`` are estimates. Raises TableError if the file is damaged, too
    large, holds something else, or names something that could run code.
    """
    limit = limits.NAS_BENCH_201_BYTES
    options: Any = {"largest": limit, "limit": limit, "epochs": list(epochs)}
    found = read_apart("nas-bench-201", [path], TableError, **options)
    return _preview(found, f"{path.name}, a file of NAS-Bench-201", epochs)


def read_nats_folder(path: Path, epochs: Sequence[int] = USUAL_EPOCHS) -> TablePreview:
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
        options: Any = {"largest": limit, "limit": limit, "epochs": list(epochs), "names": own}
        found = read_apart("nats", some, TableError, **options)
        for part, own_rows in rows.items():
            own_rows += found[part]
    return _preview(rows, f"{path.name}, a folder of NATS-Bench", epochs)


def _preview(rows: Results, source: str, epochs: Sequence[int]) -> TablePreview:
    """Make a table of accuracies, costs and early accuracies whose architectures are strings."""
    columns = ["dataset", "kind", "architecture", "seed", "accuracy", "place"]
    accuracy = pd.DataFrame(rows["accuracy"], columns=columns)
    indices = NAS_BENCH_201.parse_many(accuracy["architecture"].tolist())
    if (indices < 0).any():
        first = accuracy.iloc[int((indices < 0).argmax())]
        raise TableError(
            f"{first['place']}: expected an architecture of NAS-Bench-201, got "
            f"{first['architecture']:.100}; get the file again from where it came from"
        )
    content = make_content(accuracy.assign(architecture=indices), source, EPOCHS)
    of_costs = pd.DataFrame(rows["costs"], columns=["dataset", "architecture", *COSTS])
    of_costs["architecture"] = NAS_BENCH_201.parse_many(of_costs["architecture"].tolist())
    content = _with_early(with_costs(content, of_costs), rows["early"], epochs)
    return TablePreview(content, content.accuracy.head(PREVIEW_ROWS))


def _with_early(
    content: TableContent, early: list[list[Any]], epochs: Sequence[int]
) -> TableContent:
    """Add accuracies at an epoch, an estimate each, beside the costs."""
    parts, columns = list[pd.DataFrame](), []
    rows = pd.DataFrame(early, columns=["dataset", "what", "total", "architecture", "values"])
    for (dataset, what, total), part in rows.groupby(["dataset", "what", "total"], sort=False):
        at = [SHORT] if total == SHORT else epochs
        names = [f"{dataset}_{what}_epoch_{epoch}_of_{total}" for epoch in at]
        indices = NAS_BENCH_201.parse_many(part["architecture"].tolist())
        index = pd.Index(indices, name="architecture")
        wide = pd.DataFrame(np.stack(part["values"].to_list()), index, names)
        parts.append(wide.dropna(axis="columns", how="all"))
        columns += [TableColumn(str(name), "estimate", str(dataset), "%") for name in parts[-1]]
    if not parts:
        return content
    frame = pd.concat(parts, axis="columns").sort_index().reset_index()
    frame = frame if content.columns is None else content.columns.merge(frame, "outer")
    return with_columns(content, frame, [*content.others, *columns])


def read_json(path: Path) -> TablePreview:
    """Read the published file of NAS-Bench-Macro or TransNAS-Bench-101 micro.

    NAS-Bench-Macro has ``{architecture: {"test_acc": [three numbers], "params": ..., "flops":
    ...}}``; NASLib's file of zero-cost proxies has ``{task: {architecture: {"val_accuracy":
    ...}}}``. Raises TableError if it is damaged or another one.
    """
    try:
        document = read_document(path, limits.TABLE_BYTES)
        macro = "test_acc" in next(iter(document.values()))
        space = get_space("nas-bench-macro" if macro else "trans-nas-bench-101-micro")
        found = list(_macro(document) if macro else _tasks(document, space))
        columns = ["dataset", "kind", "text", "seed", "accuracy", "params", "flops"]
        rows = pd.DataFrame(found, columns=columns)
    except DAMAGE as error:
        raise TableError(
            f"{path.name}: expected the JSON file of NAS-Bench-Macro, or NASLib's of TransNAS-"
            f"Bench-101 micro ({describe_damage(error)})"
        ) from error
    rows["architecture"] = space.parse_many(rows["text"].tolist(), "digits")
    rows["place"] = [f"{path.name}, {text}" for text in rows["text"]]
    if (rows["architecture"] < 0).any():
        raise TableError(
            f"{rows['place'][rows['architecture'] < 0].iloc[0]}: expected {len(space.shape)} "
            "digits, one for each operation; get the file again from where it came from"
        )
    accuracy = rows if macro else rows.drop(columns="seed")
    content = make_content(accuracy, path.name, None, space)
    if macro:
        costs = [TableColumn(name, "cost") for name in ("params", "flops")]
        known = rows.drop_duplicates("architecture")[["architecture", "params", "flops"]]
        content = with_columns(content, known, costs)
    check_complete(rows, path.name, space)
    return TablePreview(content, content.accuracy.head(PREVIEW_ROWS))


def _macro(document: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for text, entry in document.items():
        costs = float(entry["params"]), float(entry["flops"])
        for seed, accuracy in enumerate(entry["test_acc"]):
            yield "cifar10", "test", text, seed, float(accuracy), *costs


def _tasks(document: dict[str, Any], space: SearchSpace) -> Iterator[tuple[Any, ...]]:
    for task, entries in document.items():
        space.dataset(task)
        for key, entry in entries.items():
            digits = "".join(filter(str.isdigit, key))  # "(0, 1, 2, 3, 0, 1)" or "012301"
            yield task, "validation", digits, 0, float(entry["val_accuracy"]), None, None
