"""What the columns of a CSV file are taken for."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fewshot_core.bench.codes import FORMS
from fewshot_core.bench.records import KINDS
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError

SCALES = {"percent": 1.0, "fraction": 100.0}
"""How accuracies may be written, and the factor that makes them percentages."""


@dataclass(frozen=True)
class ColumnMapping:
    """Which column holds what.

    Attributes:
        architecture: The column that names the architecture.
        columns: (column, data set, kind) of each column of accuracies.
        form: How the architecture is written, one of ``FORMS``.
        scale: How the accuracies are written: ``"percent"`` or ``"fraction"``.

    Raises:
        TableError: If it names no accuracies, one twice, or something unknown.
    """

    architecture: str
    columns: tuple[tuple[str, str, str], ...]
    form: str = "string"
    scale: str = "percent"

    def __post_init__(self) -> None:
        _check_choice("form of architecture", self.form, FORMS)
        _check_choice("scale", self.scale, SCALES)
        for _, dataset, kind in self.columns:
            _check_choice("data set", dataset, DATASETS.names())
            _check_choice("kind of accuracy", kind, KINDS)
        sets = {(dataset, kind) for _, dataset, kind in self.columns}
        if not self.columns or len(sets) != len(self.columns):
            raise TableError(
                "expected one column for each data set and kind, and at least one, got "
                f"{list(self.columns)}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """All columns it needs."""
        return (self.architecture, *(column for column, _, _ in self.columns))

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ColumnMapping":
        """Read what ``to_dict`` returned, also after a round trip through JSON.

        Raises:
            TableError: If a field is missing or unknown, or its value is.
        """
        try:
            columns = tuple((column, dataset, kind) for column, dataset, kind in value["columns"])
            return cls(**{**value, "columns": columns})
        except (KeyError, TypeError, ValueError) as error:
            raise TableError(f"expected a mapping of columns, got {value!r} ({error})") from error

    def to_options(self) -> str:
        """Return the command-line options that ask for it."""
        options = ["--architecture", self.architecture]
        for column, dataset, kind in self.columns:
            options += ["--map", f"{column}={dataset}:{kind}"]
        if self.form != "string":
            options += ["--form", self.form]
        if self.scale != "percent":
            options += ["--scale", self.scale]
        return shlex.join(options)

    @classmethod
    def from_options(
        cls,
        architecture: str,
        maps: Sequence[str],
        form: str = "string",
        scale: str = "percent",
    ) -> "ColumnMapping":
        """Read command-line options.

        Args:
            architecture: The column that names the architecture.
            maps: One ``COLUMN=DATASET:KIND`` for each column of accuracies.
            form: How the architecture is written.
            scale: How the accuracies are written.

        Raises:
            TableError: If one of them is not of that form, or names something unknown.
        """
        return cls(architecture, tuple(_parse_map(text) for text in maps), form, scale)


def _parse_map(text: str) -> tuple[str, str, str]:
    column, _, target = text.rpartition("=")
    dataset, _, kind = target.rpartition(":")
    if not column or not dataset or not kind:
        raise TableError(f"expected COLUMN=DATASET:KIND, got {text!r}")
    return column, dataset, kind


def _check_choice(what: str, value: str, choices: Sequence[str] | Mapping[str, Any]) -> None:
    if value not in choices:
        raise TableError(f"unknown {what} {value!r}: expected one of {', '.join(choices)}")
