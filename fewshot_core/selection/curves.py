"""Curves of recorded searches, one for each sub-supernet, checked once and held as arrays.

Epoch t is the state after t epochs of training, so that training up to there costs t epochs;
epoch 0 is the state before, with the weights copied from the supernet.
"""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
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


Floats = npt.NDArray[np.float64]

MEASURES = {
    "valid_accuracy": "validation accuracy",
    "test_accuracy": "test accuracy",
    "valid_loss": "validation loss",
}
"""The columns that hold numbers, with what they are called; the loss may be missing."""


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of one search in every sub-space of a split.

    Attributes:
        sub_spaces: Names, in tree order: S2 before S10.
        epochs: All epochs that any curve has, ascending, int64 of shape (m,).
        values: For each column there is, float64 of shape (sub-spaces, m), NaN where nothing was
            recorded; accuracies in percent.
        recorded: Which epochs each curve has, of the same shape.
        architectures: The architecture each search would return, of the same shape, or None.
    """

    sub_spaces: tuple[str, ...]
    epochs: npt.NDArray[np.int64]
    values: Mapping[str, Floats]
    recorded: npt.NDArray[np.bool_]
    architectures: npt.NDArray[np.object_] | None = None

    @property
    def end(self) -> int:
        """The last epoch of the longest curve."""
        return int(self.epochs[-1])

    def shared_epochs(self) -> npt.NDArray[np.int64]:
        """Return the epochs at which every curve has a validation accuracy, ascending."""
        known = ~np.isnan(self.values["valid_accuracy"]).any(axis=0)
        shared: npt.NDArray[np.int64] = self.epochs[known]
        return shared

    def column(self, name: str) -> Floats:
        """Return a column as an array of shape (sub-spaces, epochs).

        Raises:
            SelectionError: If the curves do not have it.
        """
        if name not in self.values:
            raise SelectionError(
                f"expected curves with a column {name!r}, got {', '.join(self.values)}; record the "
                f"{MEASURES.get(name, name)} or rank by another"
            )
        return self.values[name]

    def value(self, name: str, sub_space: int, epoch: int) -> float:
        """Return what a curve has at an epoch.

        Raises:
            SelectionError: If it has nothing there; the message says what it has.
        """
        column = self.column(name)
        at = int(self.epochs.searchsorted(epoch))
        if at < len(self.epochs) and self.epochs[at] == epoch:
            value = float(column[sub_space, at])
            if not np.isnan(value):
                return value
        raise SelectionError(
            f"expected a {MEASURES[name]} of {self.sub_spaces[sub_space]} at epoch {epoch}, got "
            f"none: {self._what_is_there(sub_space, epoch)}"
        )

    def at(self, name: str, epoch: int) -> Floats:
        """Return what all curves have at an epoch, shape (sub-spaces,); raises as ``value``."""
        return np.array([self.value(name, i, epoch) for i in range(len(self.sub_spaces))])

    def architecture(self, sub_space: int, epoch: int) -> str | int | None:
        """Return the architecture a search would return at an epoch, or None if not recorded.

        Whole numbers are indices; anything else is a text.
        """
        if self.architectures is None:
            return None
        found: Any = self.architectures[sub_space, int(self.epochs.searchsorted(epoch))]
        if pd.isna(found):
            return None
        return int(found) if isinstance(found, int | float | np.number) else str(found)

    def _what_is_there(self, sub_space: int, epoch: int) -> str:
        own = self.epochs[self.recorded[sub_space]]
        if epoch in own:
            return "the value there is missing (NaN)"
        before, after = own[own < epoch], own[own > epoch]
        if not before.size:
            return f"its curve begins at epoch {own[0]}"
        if not after.size:
            return f"its curve ends at epoch {own[-1]}; complete it, or choose an end up to there"
        return f"the recorded epochs around it are {before[-1]} and {after[0]}"


def read_frame(frame: pd.DataFrame) -> Curves:
    """Turn a DataFrame of one search per sub-space into curves; the order of rows is no matter.

    Args:
        frame: Columns sub_space, epoch, valid_accuracy and test_accuracy (percent), optionally
            valid_loss, architecture and seed, of which there may be only one here.

    Raises:
        SelectionError: If a column is missing, a value is out of range, a row is there twice, or
            there is more than one seed; the message names sub-space and epoch.
    """
    rows = check_frame(frame)
    seeds = set(rows["seed"]) if "seed" in rows else set()
    if len(seeds) > 1:
        raise SelectionError(
            f"expected the curves of one seed, got those of {len(seeds)}: "
            f"{', '.join(map(str, sorted(seeds)))}; choose one of them"
        )
    return _arrange(rows)


def curves_by_seed(frame: pd.DataFrame) -> dict[int, Curves]:
    """Return the curves of each seed, ascending; without a column seed all are of seed 0."""
    rows = check_frame(frame)
    if "seed" not in rows:
        return {0: _arrange(rows)}
    seeds = rows["seed"].to_numpy(dtype=np.int64)
    return {int(seed): _arrange(rows[seeds == seed]) for seed in np.unique(seeds)}


def comparable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of the seeds that have the most sub-spaces, which can be compared."""
    if "seed" not in frame:
        return frame
    counts = frame.groupby("seed")["sub_space"].nunique()
    complete = counts.index[counts == counts.max()]
    return frame[frame["seed"].isin(complete)]


def as_curves(curves: pd.DataFrame | Curves) -> Curves:
    """Return curves as they are, or read from a DataFrame as by ``read_frame``."""
    return curves if isinstance(curves, Curves) else read_frame(curves)


def checked_end(curves: Curves, end: int | None) -> int:
    """Return the epoch at which a full run ends: by default the last epoch of the curves.

    Raises:
        SelectionError: If it is no epoch after the first, or beyond all curves.
    """
    chosen = curves.end if end is None else operator.index(end)
    if not 1 <= chosen <= curves.end:
        raise SelectionError(
            f"expected an end from epoch 1 to {curves.end}, the last epoch recorded, got {chosen}"
        )
    return chosen


def _arrange(rows: pd.DataFrame) -> Curves:
    names = tuple(sorted(rows["sub_space"].unique(), key=natural_order))
    positions = {name: position for position, name in enumerate(names)}
    epochs, column = np.unique(rows["epoch"].to_numpy(), return_inverse=True)
    place = rows["sub_space"].map(positions).to_numpy(dtype=np.int64), column
    shape = len(names), len(epochs)
    values = {}
    for name in MEASURES:
        if name in rows:
            values[name] = np.full(shape, np.nan)
            values[name][place] = rows[name].to_numpy()
    recorded = np.zeros(shape, dtype=np.bool_)
    recorded[place] = True
    architectures = None
    if "architecture" in rows:
        architectures = np.full(shape, None, dtype=object)
        architectures[place] = rows["architecture"].to_numpy(dtype=object)
    return Curves(names, epochs, values, recorded, architectures)


def leaders(curves: pd.DataFrame | Curves) -> pd.DataFrame:
    """Return the sub-supernet with the highest validation accuracy at each epoch.

    These are the red dots of Fig. 4 (left) of the paper.

    Args:
        curves: Columns sub_space, epoch, valid_accuracy and test_accuracy (percent), of one seed.

    Returns:
        One row for each epoch at which any curve has a validation accuracy: epoch, sub_space (the
        first in tree order among equal ones), valid_accuracy, test_accuracy of what it finds there
        (percent, missing if unknown), and tied (how many others are exactly equal to it).
    """
    table = as_curves(curves)
    valid, test = table.values["valid_accuracy"], table.values["test_accuracy"]
    known = ~np.isnan(valid).all(axis=0)
    valid, test = valid[:, known], test[:, known]
    filled = np.where(np.isnan(valid), -np.inf, valid)
    first = filled.argmax(axis=0)
    columns = np.arange(filled.shape[1])
    highest = filled[first, columns]
    return pd.DataFrame(
        {
            "epoch": table.epochs[known],
            "sub_space": np.array(table.sub_spaces, dtype=object)[first],
            "valid_accuracy": highest,
            "test_accuracy": test[first, columns],
            "tied": (filled == highest).sum(axis=0) - 1,
        }
    )
