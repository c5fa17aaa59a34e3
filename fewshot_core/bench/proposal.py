"""Guessing what the columns of an unknown CSV file hold, for the reader to confirm."""

import re

import pandas as pd

from fewshot_core.bench.codes import FORMS, architecture_codes
from fewshot_core.bench.mapping import ColumnMapping

_MOSTLY = 0.5
_DATASETS = {
    "cifar100": re.compile(r"cifar[-_ ]?100(?!\d)"),
    "cifar10": re.compile(r"cifar[-_ ]?10(?!\d)"),
    "ImageNet16-120": re.compile(r"imagenet"),
}
_KINDS = {"validation": re.compile(r"val"), "test": re.compile(r"test")}
_OTHER = re.compile(r"loss|time|latency|std|param|flop|train|rank")


def propose_mapping(rows: pd.DataFrame) -> ColumnMapping | None:
    """Guess which columns hold the architecture and the accuracies.

    The architecture is found by what its column holds, the accuracies by what theirs are called.

    Args:
        rows: All cells of the file, as text.

    Returns:
        A guess that somebody who knows the file must confirm, or None where there is none.
    """
    architecture = _find_architecture(rows)
    columns = _find_accuracies(rows)
    if architecture is None or not columns:
        return None
    column, form = architecture
    numbers = rows[[name for name, _, _ in columns]].apply(pd.to_numeric, errors="coerce")
    scale = "fraction" if (numbers.max() <= 1).any() else "percent"
    return ColumnMapping(column, columns, form, scale)


def _find_architecture(rows: pd.DataFrame) -> tuple[str, str] | None:
    """Return the first column that mostly holds distinct architectures, and their form."""
    for form in FORMS:
        codes = architecture_codes(form)
        for column in rows.columns:
            known = rows[column][rows[column].isin(codes)]
            if known.nunique() > _MOSTLY * len(rows):
                return column, form
    return None


def _find_accuracies(rows: pd.DataFrame) -> tuple[tuple[str, str, str], ...]:
    """Return (column, data set, kind) of the columns whose name says one of each."""
    found: dict[tuple[str, str], str] = {}
    for column in rows.columns:
        target = _read_name(column.lower())
        numbers = pd.to_numeric(rows[column], errors="coerce")
        if target is not None and numbers.notna().mean() > _MOSTLY:
            found.setdefault(target, column)
    return tuple((column, dataset, kind) for (dataset, kind), column in found.items())


def _read_name(name: str) -> tuple[str, str] | None:
    datasets = [dataset for dataset, pattern in _DATASETS.items() if pattern.search(name)]
    kinds = [kind for kind, pattern in _KINDS.items() if pattern.search(name)]
    if len(datasets) != 1 or len(kinds) != 1 or _OTHER.search(name):
        return None
    return datasets[0], kinds[0]
