"""Where ``fewshot halve`` takes its curves from: a file, imported ones, or recorded searches."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fewshot_core.bench import load_accuracy
from fewshot_core.cli_common import preferred_accuracy
from fewshot_core.cli_splits import named_splits, one_split
from fewshot_core.datafolder import demo_dir
from fewshot_core.errors import FewshotError, SelectionError
from fewshot_core.selection import (
    imported_curves,
    open_curves,
    read_curves,
    recorded_curves,
    search_families,
)
from fewshot_core.store import Store


@dataclass(frozen=True)
class Searches:
    """Which recorded searches are meant; what is None does not matter.

    Attributes:
        split: A finished split's run, or an imported split.
        masks: A file or folder of splits.
        name: Which split of a file of several.
        dataset: The data set.
        algorithm: The algorithm.
        preset: The preset.
        family: What they have in common, as ``Store.searches`` names it, or how that begins.
        accuracy: Which accuracy of the architectures found counts.
        table: The table it is from.
    """

    split: str | None = None
    masks: Path | None = None
    name: str | None = None
    dataset: str | None = None
    algorithm: str | None = None
    preset: str | None = None
    family: str | None = None
    accuracy: str | None = None
    table: str | None = None


@dataclass(frozen=True, eq=False)
class NamedCurves:
    """Curves with where they come from.

    Attributes:
        title: What they are.
        frame: The curves.
        details: More about them, for JSON.
        missing: For each seed the sub-spaces that were not searched.
    """

    title: str
    frame: pd.DataFrame
    details: Mapping[str, object]
    missing: Mapping[int, tuple[str, ...]]


def find_curves(curves: str | None, searches: Searches, place: Path) -> NamedCurves:
    """Return the curves that are meant.

    Raises:
        FewshotError: If it is not said which, or they cannot be read.
    """
    recorded = searches.split is not None or searches.masks is not None
    if (curves is None) != recorded:
        raise FewshotError("expected one of --curves FILE, --split RUN and --masks FILE")
    if curves is None:
        return _recorded(searches, place)
    path = Path(curves)
    if path.is_file():
        return NamedCurves(curves, read_curves(path), {"curves": curves}, {})
    if curves in imported_curves(place):
        return NamedCurves(curves, open_curves(curves, place), {"curves": curves}, {})
    known = ", ".join(imported_curves(place)) or "none"
    raise SelectionError(
        f"there is no file {curves}, nor are there imported curves of that name (there are {known})"
    )


def _recorded(asked: Searches, place: Path) -> NamedCurves:
    splits = named_splits(asked.masks, asked.split, place, "--split RUN")
    split = one_split(splits, asked.name, asked.dataset)
    dataset = asked.dataset or split.dataset
    if dataset is None:
        raise FewshotError("the split does not say its data set: name it with --dataset")
    store = Store(place, in_memory=True, demo=demo_dir())
    try:
        store.sync()
        found = store.searches(dataset)
        family = _family(search_families(split.leaves, found), asked, split.title)
        found = found[found["family"] == family["family"]]
        records = store.search_records(list(found["run_id"]))
    finally:
        store.close()
    kind, table = preferred_accuracy(dataset, asked.accuracy, asked.table, place)
    accuracy = load_accuracy(dataset, kind, table, place)
    joined = recorded_curves(split.leaves, found, records, accuracy)
    details = {
        "split": split.title,
        "dataset": dataset,
        "algorithm": family["algorithm"],
        "preset": family["preset"],
        "family": family["family"],
        "accuracy": kind,
        "table": table,
    }
    title = f"{split.title}, {_label(family)}, {kind} accuracy of table {table}"
    return NamedCurves(title, joined.frame, details, joined.missing)


def _family(families: pd.DataFrame, asked: Searches, title: str) -> dict[str, object]:
    """Return the only family of searches that is meant."""
    rows = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in families.drop(columns="seeds").to_dict("records")
    ]
    meant = [
        row
        for row in rows
        if asked.algorithm in (None, row["algorithm"])
        and asked.preset in (None, row["preset"])
        and str(row["family"]).startswith(asked.family or "")
    ]
    if len(meant) == 1:
        return meant[0]
    known = "; ".join(map(_label, meant or rows)) or "none"
    if not meant:
        raise SelectionError(
            f"there are no such finished searches in the sub-spaces of {title}: there are {known}; "
            "make some with fewshot search"
        )
    raise SelectionError(
        f"several kinds of searches are there ({known}): choose with --algorithm, --preset or "
        "--family"
    )


def _label(row: Mapping[str, object]) -> str:
    return (
        f"{row['algorithm']} {row['preset'] or 'with options of its own'} ({row['searches']} of "
        f"{row['wanted']} searches, family {row['family']})"
    )
