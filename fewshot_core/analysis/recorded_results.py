"""What recorded searches found, in the form in which ``results_table`` takes it.

A search belongs to every split of which its sub-space is a part, whoever asked for it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from fewshot_core.analysis.published_results import NO_SPLITTING
from fewshot_core.space import SubSpace

_SHORT = 6
_COLUMNS = (
    "dataset",
    "metric",
    "algorithm",
    "seed",
    "preset",
    "sub_space",
    "test_accuracy",
    "split",
    "sub_spaces",
    "run_id",
)


class Split(Protocol):
    """What must be known of a split."""

    @property
    def metric(self) -> str:
        """What decided."""

    @property
    def leaves(self) -> Sequence[SubSpace]:
        """Its sub-spaces, in tree order."""


def recorded_results(
    splits: Sequence[Split],
    searches: pd.DataFrame,
    records: pd.DataFrame,
    accuracy: pd.DataFrame,
) -> pd.DataFrame:
    """Join splits, finished searches and the accuracies of what they found at their end.

    Args:
        splits: Splits of one data set; the same sub-spaces by the same metric count once.
        searches: What ``Store.searches`` returns for the data set.
        records: What ``Store.search_records`` returns for them.
        accuracy: What ``load_accuracy`` returns.

    Returns:
        The columns of ``results_table`` (test_accuracy being the accuracy of the given table, in
        percent, missing where it has none), with the split's number among those of its metric, how
        many sub-spaces it has, and the run. Presets are named with what else differs: made-up
        images, inherited weights and, where that is not enough, the family of the searches.
    """
    ends = records.merge(searches[["run_id", "epochs"]], on="run_id")
    ends = ends[ends["epoch"] == ends["epochs"]]
    means = accuracy.set_index("architecture")["accuracy_mean"]
    found = ends.set_index("run_id")["architecture"].map(means)
    rows = searches.assign(
        preset=_preset_names(searches), test_accuracy=searches["run_id"].map(found)
    )
    parts = [_of_split(rows, NO_SPLITTING, "", [SubSpace.full()])]
    for metric, number, leaves in _different(splits):
        parts.append(_of_split(rows, metric, str(number), leaves))
    return pd.concat(parts, ignore_index=True)[list(_COLUMNS)]


def _different(splits: Sequence[Split]) -> list[tuple[str, int, Sequence[SubSpace]]]:
    """Return metric, number and sub-spaces of splits that are not the same."""
    known: dict[str, list[tuple[str, ...]]] = {}
    found = []
    for split in splits:
        content = tuple(_rows(leaf) for leaf in split.leaves)
        others = known.setdefault(split.metric, [])
        if content not in others:
            others.append(content)
            found.append((split.metric, len(others), split.leaves))
    return found


def _of_split(
    searches: pd.DataFrame, metric: str, number: str, leaves: Sequence[SubSpace]
) -> pd.DataFrame:
    names = {_rows(leaf): f"S{position}" for position, leaf in enumerate(leaves, start=1)}
    inside = searches[searches["sub_space"].isin(list(names))]
    return inside.assign(
        metric=metric,
        split=number,
        sub_spaces=len(leaves),
        sub_space=inside["sub_space"].map(names),
    )


def _rows(leaf: SubSpace) -> str:
    return " ".join(leaf.rows)


def _preset_names(searches: pd.DataFrame) -> list[str]:
    """Return a name for the preset of each search that no other kind of search has."""
    rows = searches.to_dict("records")
    names = [_preset_name(row) for row in rows]
    kinds: dict[tuple[str, str], set[str]] = {}
    for row, name in zip(rows, names, strict=True):
        kinds.setdefault((str(row["algorithm"]), name), set()).add(str(row["family"]))
    return [
        f"{name} {str(row['family'])[:_SHORT]}"
        if len(kinds[str(row["algorithm"]), name]) > 1
        else name
        for row, name in zip(rows, names, strict=True)
    ]


def _preset_name(row: Mapping[Any, Any]) -> str:
    name = row["preset"] if isinstance(row["preset"], str) else f"{row['epochs']} epochs"
    images = " on made-up images" if row["synthetic"] else ""
    weights = " with inherited weights" if json.loads(row["request"]).get("checkpoint") else ""
    return f"{name}{images}{weights}"
