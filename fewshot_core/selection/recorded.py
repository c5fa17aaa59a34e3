"""Curves from recorded searches: one search in each sub-space of a split.

A search belongs to a split by content: its sub-space is one of the split's, whoever asked for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fewshot_core.space import SubSpace

_FAMILY = ("family", "algorithm", "preset", "epochs", "synthetic")
_CURVES = (
    "seed",
    "sub_space",
    "epoch",
    "valid_accuracy",
    "valid_loss",
    "test_accuracy",
    "architecture",
)


@dataclass(frozen=True, eq=False)
class RecordedCurves:
    """The searches of one family in the sub-spaces of a split.

    Attributes:
        frame: Curves as the functions of this package take them: seed, sub_space (S1, ...), epoch,
            valid_accuracy (the supernet's, percent), valid_loss, test_accuracy (that of the
            architecture found, percent, as the table has it; missing where it does not) and
            architecture (index).
        missing: For each seed the names of the sub-spaces that were not searched.
    """

    frame: pd.DataFrame
    missing: Mapping[int, tuple[str, ...]]


def search_families(leaves: Sequence[SubSpace], searches: pd.DataFrame) -> pd.DataFrame:
    """Return which searches there are in the sub-spaces of a split.

    Args:
        leaves: The sub-spaces, in tree order.
        searches: What ``Store.searches`` returns.

    Returns:
        One row for each family (searches that differ only by sub-space and seed), the most
        complete first and then the latest: family, algorithm, preset, epochs, synthetic, seeds (a
        tuple, ascending), searches (how many), wanted (how many would be complete for these seeds)
        and request (one of theirs, a JSON text).
    """
    rows = _named(leaves, searches)
    found = []
    for key, part in rows.groupby(list(_FAMILY), sort=False, dropna=False):
        seeds = tuple(sorted({int(seed) for seed in part["seed"]}))
        counts = {"seeds": seeds, "searches": len(part), "wanted": len(seeds) * len(leaves)}
        one = {"request": part["request"].iloc[0]}
        found.append(dict(zip(_FAMILY, key, strict=True)) | counts | one)
    table = pd.DataFrame(found, columns=[*_FAMILY, "seeds", "searches", "wanted", "request"])
    share = (table["searches"] / table["wanted"]).astype("float64")
    order = np.argsort(-share.to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def recorded_curves(
    leaves: Sequence[SubSpace],
    searches: pd.DataFrame,
    records: pd.DataFrame,
    accuracy: pd.DataFrame,
) -> RecordedCurves:
    """Join the searches of one family, what they recorded, and what a table says of the found.

    Args:
        leaves: The sub-spaces, in tree order.
        searches: Those of one family: columns run_id, sub_space (rows joined by spaces) and seed;
            searches of other sub-spaces do not count.
        records: What ``Store.search_records`` returns for them.
        accuracy: What ``load_accuracy`` returns: architecture and accuracy_mean.
    """
    rows = _named(leaves, searches)
    joined = rows[["run_id", "name", "seed"]].merge(records, on="run_id")
    found = accuracy.set_index("architecture")["accuracy_mean"]
    frame = joined.assign(
        sub_space=joined["name"], test_accuracy=joined["architecture"].map(found)
    )[list(_CURVES)]
    frame = frame.astype({"seed": "int64"}).sort_values(
        ["seed", "sub_space", "epoch"], ignore_index=True
    )
    names = [f"S{number}" for number in range(1, len(leaves) + 1)]
    missing = {}
    for seed, part in rows.groupby("seed"):
        there = set(part["name"])
        missing[int(str(seed))] = tuple(name for name in names if name not in there)
    return RecordedCurves(frame, missing)


def _named(leaves: Sequence[SubSpace], searches: pd.DataFrame) -> pd.DataFrame:
    """Return the searches in some sub-spaces, with the name of each."""
    names = {" ".join(leaf.rows): f"S{number}" for number, leaf in enumerate(leaves, start=1)}
    rows = searches.assign(name=searches["sub_space"].map(names))
    return rows[rows["name"].notna()]
