"""Whether a DataFrame holds curves: its columns, its numbers, and every row once."""

import re

import numpy as np
import pandas as pd

from fewshot_core.errors import SelectionError

COLUMNS = ("sub_space", "epoch", "valid_accuracy", "test_accuracy")
"""The columns that curves must have."""

ACCURACIES = ("valid_accuracy", "test_accuracy")


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers inside names as numbers: S2 before S10."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]


def check_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of curves with plain types: names as text, epochs and seeds as int64.

    Raises:
        SelectionError: If a column is missing, a number is none or out of range, or a row is
            there twice; the message names sub-space and epoch.
    """
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        got = ", ".join(map(str, frame.columns)) or "none"
        raise SelectionError(f"expected curves with a column {missing[0]!r}, got {got}")
    if frame.empty:
        raise SelectionError("expected curves with at least one row, got none; run a search first")
    rows = frame.copy()
    rows["sub_space"] = _names(frame)
    rows["epoch"] = _whole_numbers(frame, "epoch")
    if "seed" in frame:
        rows["seed"] = _whole_numbers(frame, "seed")
    for column in ACCURACIES:
        rows[column] = _numbers(rows, column, 100.0)
    if "valid_loss" in frame:
        rows["valid_loss"] = _numbers(rows, "valid_loss", np.inf)
    _check_once(rows)
    return rows


def _names(frame: pd.DataFrame) -> "pd.Series[str]":
    names = frame["sub_space"]
    texts = names.astype(str).str.strip()
    if names.isna().any() or (texts == "").any():
        raise SelectionError("expected a name in every row of the column 'sub_space', got none")
    return texts.astype(object)


def _whole_numbers(frame: pd.DataFrame, column: str) -> "pd.Series[int]":
    numbers = pd.to_numeric(frame[column], errors="coerce")
    wrong = numbers.isna() | (numbers < 0) | (numbers % 1 != 0)
    if wrong.any():
        first = frame[wrong].iloc[0]
        raise SelectionError(
            f"expected whole numbers from 0 in the column {column!r}, got {first[column]!r} of "
            f"{first['sub_space']}"
        )
    return numbers.astype("int64")


def _numbers(rows: pd.DataFrame, column: str, limit: float) -> "pd.Series[float]":
    """Return a column as floats; what is missing stays NaN."""
    numbers = pd.to_numeric(rows[column], errors="coerce")
    wrong = (numbers.isna() & rows[column].notna()) | (numbers < 0) | (numbers > limit)
    wrong |= np.isinf(numbers)
    if wrong.any():
        first = rows[wrong].iloc[0]
        what = f"percentages from 0 to {limit:g}" if np.isfinite(limit) else "numbers from 0"
        raise SelectionError(
            f"expected {what} in the column {column!r}, got {first[column]!r} of "
            f"{first['sub_space']} at epoch {first['epoch']}"
        )
    return numbers.astype("float64")


def _check_once(rows: pd.DataFrame) -> None:
    keys = ["sub_space", "epoch", *(["seed"] if "seed" in rows else [])]
    repeated = rows.duplicated(keys)
    if repeated.any():
        first = rows[repeated].iloc[0]
        seed = f" with seed {first['seed']}" if "seed" in rows else ""
        raise SelectionError(
            f"expected one row for every sub-space and epoch, got two for {first['sub_space']} at "
            f"epoch {first['epoch']}{seed}; remove one of them"
        )
