"""Importer of the published JSON files of NAS-Bench-Macro and TransNAS-Bench-101 micro.

NAS-Bench-Macro has ``{architecture: {"test_acc": [three numbers], "params": ..., "flops": ...}}``;
NASLib's file of zero-cost proxies has ``{task: {architecture: {"val_accuracy": ...}}}``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_core import limits
from fewshot_core.bench.table import (
    PREVIEW_ROWS,
    TableColumn,
    TablePreview,
    check_complete,
    make_content,
    with_columns,
)
from fewshot_core.documents import DAMAGE, describe_damage, read_document
from fewshot_core.errors import TableError
from fewshot_core.space import SearchSpace, get_space


def read_json(path: Path) -> TablePreview:
    """Read one of the published files; raises TableError if it is damaged or another one."""
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
