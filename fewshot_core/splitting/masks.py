"""Splits as masks in JSON, the form in which the paper's splits are at hand.

A document is ``{"splits": {METRIC: {DATASET: [sub-space, ...]}}}``. A sub-space is six strings, one
for each edge; character j is 1 where operation j is enabled.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from fewshot_core.errors import SpaceError, SplittingError
from fewshot_core.space import EDGES, OPERATIONS, SubSpace, edge_label
from fewshot_core.splitting.named_split import NamedSplit

EXPECTED = (
    'expected {"splits": {METRIC: {DATASET: [[six rows like "01110"], ...]}}}, '
    "as in a file of published splits"
)


def splits_from_masks(document: Any) -> list[NamedSplit]:
    """Read the splits of a document, in its order.

    Raises:
        SplittingError: If it is no such document, or a split does not cover all architectures once.
    """
    splits = document.get("splits") if isinstance(document, dict) else None
    if not isinstance(splits, dict):
        raise SplittingError(EXPECTED)
    return [
        _read(str(metric), str(dataset), masks)
        for metric, of_metric in splits.items()
        for dataset, masks in _items(of_metric)
    ]


def masks_of_splits(splits: Iterable[NamedSplit]) -> dict[str, Any]:
    """Return the document of some splits.

    Raises:
        SplittingError: If a split has no data set, or two have the same name and data set.
    """
    written: dict[str, dict[str, list[list[str]]]] = {}
    for split in splits:
        if split.dataset is None:
            raise SplittingError(
                f"{split.name}: expected a data set to write the masks of, got none"
            )
        of_metric = written.setdefault(split.name, {})
        if split.dataset in of_metric:
            raise SplittingError(f"expected one split {split.title}, got two: rename one of them")
        of_metric[split.dataset] = [leaf.rows for leaf in split.leaves]
    meta = {
        "space": "NAS-Bench-201",
        "operations": list(OPERATIONS),
        "edges": [edge_label(edge) for edge in range(len(EDGES))],
    }
    return {"meta": meta, "splits": written}


def _items(of_metric: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(of_metric, dict):
        raise SplittingError(EXPECTED)
    yield from of_metric.items()


def _read(metric: str, dataset: str, masks: Any) -> NamedSplit:
    if not isinstance(masks, list) or not masks:
        raise SplittingError(f"{metric} on {dataset} has no sub-spaces: {EXPECTED}")
    try:
        leaves = tuple(SubSpace.from_rows(rows) for rows in masks)
    except SpaceError as error:
        raise SplittingError(f"{metric} on {dataset}: {error}") from error
    return NamedSplit(metric, dataset, leaves)
