"""Checks that every accuracy table passes, whatever it was read from."""

import numpy as np
import pandas as pd

from fewshot_core.errors import TableError
from fewshot_core.space import ARCHITECTURE_COUNT, Architecture


def check_rows(rows: pd.DataFrame) -> None:
    """Check that accuracies are percentages and that none is there twice.

    Args:
        rows: Columns dataset, kind, architecture, accuracy and place (where the row was found);
            also seed, where an architecture has one accuracy for each.

    Raises:
        TableError: The message names the place and the architecture of the first wrong row, or
            both places of the first pair.
    """
    if rows.empty:
        raise TableError("expected at least one architecture with an accuracy, got none")
    _check_accuracies(rows)
    _check_duplicates(rows)


def check_complete(rows: pd.DataFrame, source: str) -> None:
    """Check that every set has all 15,625 architectures.

    Args:
        rows: Columns dataset, kind and architecture.
        source: Where they come from, for the message.

    Raises:
        TableError: The message says how many are missing and names the first.
    """
    for (dataset, kind), part in rows.groupby(["dataset", "kind"]):
        missing = np.setdiff1d(np.arange(ARCHITECTURE_COUNT), part["architecture"].to_numpy())
        if missing.size:
            first = Architecture.from_index(int(missing[0])).to_string()
            raise TableError(
                f"{source}: expected one row for each of the {ARCHITECTURE_COUNT:,} architectures "
                f"({dataset}, {kind}), but {missing.size:,} are missing, the first {first}; add "
                "them, or export the file again"
            )


def describe_place(place: str, architecture: int) -> str:
    """Return how a message names a row."""
    return f"{place} ({Architecture.from_index(int(architecture)).to_string()})"


def _check_accuracies(rows: pd.DataFrame) -> None:
    accuracy = rows["accuracy"].to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~((accuracy >= 0) & (accuracy <= 100)))
    if wrong.size:
        row = rows.iloc[int(wrong[0])]
        raise TableError(
            f"{describe_place(row['place'], row['architecture'])}: expected an accuracy from 0 to "
            f"100 percent for {row['dataset']}, {row['kind']}, got {row['accuracy']}; correct it "
            "and import again"
        )


def _check_duplicates(rows: pd.DataFrame) -> None:
    keys = ["dataset", "kind", "architecture"]
    if "seed" in rows:
        keys.append("seed")
    repeated = rows.duplicated(keys).to_numpy()
    if not repeated.any():
        return
    second = rows.iloc[int(repeated.argmax())]
    same = (rows[keys] == second[keys]).all(axis="columns").to_numpy()
    first = rows.iloc[int(same.argmax())]
    raise TableError(
        f"{describe_place(second['place'], second['architecture'])}: expected each architecture "
        f"once for {second['dataset']}, {second['kind']}, but {first['place']} has it too; remove "
        "one of them"
    )
