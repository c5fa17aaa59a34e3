"""Published or own splits in the plain form of masks, described as plain numbers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_core.analysis.sub_spaces import describe_sub_spaces
from fewshot_core.errors import SpaceError
from fewshot_core.space import SubSpace, check_partition

_EXPECTED = (
    'expected {"splits": {METRIC: {DATASET: [[six rows like "01110"], ...]}}}, '
    "as in a file of published splits"
)


def read_masks(path: Path) -> dict[str, dict[str, list[SubSpace]]]:
    """Read a file of splits as masks: sub-spaces by metric and data set.

    Raises:
        SpaceError: If the file is missing or damaged, or a split does not cover all architectures
            once; the message says which.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpaceError(f"{path} cannot be read ({error}): {_EXPECTED}") from error
    splits = document.get("splits") if isinstance(document, dict) else None
    if not isinstance(splits, dict):
        raise SpaceError(f"{path}: {_EXPECTED}")
    return {
        str(metric): {
            str(name): _read_split(path, metric, name, masks) for name, masks in of.items()
        }
        for metric, of in splits.items()
        if _is_mapping(path, of)
    }


def report_split(
    metric: str,
    dataset: str,
    kind: str,
    table: str,
    leaves: Sequence[SubSpace],
    accuracy: pd.DataFrame,
    threshold: float,
) -> dict[str, Any]:
    """Return a split's sub-spaces with their sizes, top counts, best and mean, in their order."""
    described = describe_sub_spaces(leaves, accuracy, threshold)
    return {
        "metric": metric,
        "dataset": dataset,
        "accuracy": kind,
        "table": table,
        "threshold": threshold,
        "sub_spaces": [
            {
                "rows": leaf.rows,
                "size": int(row["size"]),
                "top_count": int(row["top_count"]),
                "best": None if pd.isna(row["best"]) else float(row["best"]),
                "mean": None if pd.isna(row["mean"]) else float(row["mean"]),
            }
            for leaf, row in zip(leaves, described.to_dict("records"), strict=True)
        ],
    }


def _is_mapping(path: Path, value: Any) -> bool:
    if not isinstance(value, dict):
        raise SpaceError(f"{path}: {_EXPECTED}")
    return True


def _read_split(path: Path, metric: str, dataset: str, masks: Any) -> list[SubSpace]:
    if not isinstance(masks, list) or not masks:
        raise SpaceError(f"{path}: {metric} on {dataset} has no sub-spaces: {_EXPECTED}")
    try:
        leaves = [SubSpace.from_rows(rows) for rows in masks]
        check_partition(leaves)
    except SpaceError as error:
        raise SpaceError(f"{path}: {metric} on {dataset}: {error}") from error
    return leaves
