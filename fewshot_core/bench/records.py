"""What is known about an accuracy table: its manifest, as frozen records."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError, UnknownNameError

FORMAT = 1
"""Version of the files a table is stored in."""

KINDS = ("validation", "test")
"""The kinds of accuracy a table may hold; they are on different scales and never mixed."""

PACKAGED_TABLE = "nasbench201-validation"
"""Name of the table that comes with the installation."""

_TEXTS = ("name", "label", "source", "fingerprint", "created")


@dataclass(frozen=True)
class TableSet:
    """The accuracies of one data set and kind in a table.

    Attributes:
        dataset: Name of the data set.
        kind: ``"validation"`` or ``"test"``.
        architectures: How many architectures have an accuracy.
        complete: Whether these are all 15,625.
        seeds: How many trainings each accuracy is the mean of, as text ("2 or 3").
        epochs: How many epochs each training took, or None where the input does not say.
    """

    dataset: str
    kind: str
    architectures: int
    complete: bool
    seeds: str
    epochs: int | None


@dataclass(frozen=True)
class TableInfo:
    """What the manifest of a table says.

    Attributes:
        name: The name to load it by.
        label: Its name in the app.
        source: Where it came from: a file name, or a package and its version.
        fingerprint: SHA-256 of the content it was read from.
        created: When it was stored, UTC, in ISO 8601.
        sets: What it holds.
        format: Version of its files.
    """

    name: str
    label: str
    source: str
    fingerprint: str
    created: str
    sets: tuple[TableSet, ...]
    format: int = FORMAT

    def find(self, dataset: str, kind: str) -> TableSet | None:
        """Return the set of that data set and kind, or None."""
        matches = (item for item in self.sets if (item.dataset, item.kind) == (dataset, kind))
        return next(matches, None)

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as a JSON-able dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "TableInfo":
        """Read a manifest.

        Raises:
            TableError: If a field is missing, unknown or of the wrong type, or the format is not
                this version's.
        """
        try:
            sets = tuple(TableSet(**item) for item in value["sets"])
            info = cls(**{**value, "sets": sets})
        except (KeyError, TypeError) as error:
            raise TableError(f"the manifest does not have the expected fields: {error}") from error
        _check_info(info)
        return info


def check_kind(kind: str) -> None:
    """Check the name of a kind of accuracy.

    Raises:
        UnknownNameError: If it is not one of ``KINDS``.
    """
    if kind not in KINDS:
        raise UnknownNameError(
            f"unknown kind of accuracy {kind!r}: expected one of {', '.join(KINDS)}"
        )


def _check_info(info: TableInfo) -> None:
    if info.format != FORMAT:
        raise TableError(f"expected a table of format {FORMAT}, got {info.format!r}")
    for name in _TEXTS:
        if not isinstance(getattr(info, name), str):
            raise TableError(f"expected text for {name!r} in the manifest")
    for item in info.sets:
        if item.dataset not in DATASETS.names() or item.kind not in KINDS:
            raise TableError(f"the manifest names an unknown set, {item.dataset!r} {item.kind!r}")
