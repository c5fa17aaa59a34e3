"""Accuracy tables: manifest, checked content, and the mapping of its columns."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core.data_folder import canonical_json, file_fingerprint, text_fingerprint
from fewshot_core.datasets import DATASETS
from fewshot_core.documents import read_dataclass
from fewshot_core.errors import TableError, UnknownNameError
from fewshot_core.space import ARCHITECTURE_COUNT, EDGES, OPERATIONS, Architecture

PREVIEW_ROWS = 5

FORMAT = 1
"""Version of the files a table is stored in."""

KINDS = ("validation", "test")
"""The kinds of accuracy a table may hold; they are on different scales and never mixed."""

PACKAGED_TABLE = "nasbench201-validation"
"""Name of the table that comes with the installation."""

SCALES = {"percent": 1.0, "fraction": 100.0}
"""Scales of accuracies, and the factor that makes them percentages."""

FORMS = {
    "string": "an architecture string like |none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "digits": "six digits from 0 to 4, the operation numbers in the order of the string",
    "index": f"an index from 0 to {ARCHITECTURE_COUNT - 1}, those digits read as a base-5 number "
    "(not a file number of NATS-Bench)",
}
"""Description of each form of an architecture, for messages and choices."""

PARTS = {
    "accuracy": ["dataset", "kind", "architecture", "accuracy_mean", "accuracy_std", "seeds"],
    "seeds": ["dataset", "kind", "architecture", "seed", "accuracy"],
    "costs": ["dataset", "architecture", "parameters", "latency", "train_time"],
}
"""The parts of a table and their columns; see ``TableContent``."""

_KEYS = ["dataset", "kind", "architecture"]


@cache
def architecture_codes(form: str) -> dict[str, int]:
    """Index of every architecture by its text in one of ``FORMS``."""
    indices = range(ARCHITECTURE_COUNT)
    if form == "string":
        return {Architecture.from_index(index).to_string(): index for index in indices}
    if form == "digits":
        texts = product(map(str, range(len(OPERATIONS))), repeat=len(EDGES))
        return {"".join(text): index for index, text in enumerate(texts)}
    return {str(index): index for index in indices}


def check_kind(kind: str) -> None:
    """Raise ``UnknownNameError`` for a kind of accuracy that is not one of ``KINDS``."""
    if kind not in KINDS:
        raise UnknownNameError(
            f"unknown kind of accuracy {kind!r}: expected one of {', '.join(KINDS)}"
        )


def fingerprint_input(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files of a folder."""
    if path.is_file():
        return file_fingerprint(path)
    return fingerprint_files(file for file in path.iterdir() if file.is_file())


def fingerprint_files(files: Iterable[Path]) -> str:
    """SHA-256 of the names of files and the SHA-256 of each."""
    return text_fingerprint(canonical_json({file.name: file_fingerprint(file) for file in files}))


@dataclass(frozen=True)
class TableSet:
    """How many architectures have an accuracy of a data set and kind; complete if all 15,625.

    ``seeds`` is the number of trainings that each accuracy is the mean of, as text ("2 or 3");
    ``epochs`` of each training is None where the input does not state it.
    """

    dataset: str
    kind: str
    architectures: int
    complete: bool
    seeds: str
    epochs: int | None


@dataclass(frozen=True)
class TableInfo:
    """The manifest of a table.

    ``source`` is a file name, or a package and its version; ``fingerprint`` the SHA-256 of what
    was read, ``created`` the time of storing (UTC, ISO 8601), ``format`` the version of its files.
    """

    name: str
    label: str
    source: str
    fingerprint: str
    created: str
    sets: tuple[TableSet, ...]
    format: int = FORMAT

    def find(self, dataset: str, kind: str) -> TableSet | None:
        """The set of that data set and kind, or None."""
        matches = (item for item in self.sets if (item.dataset, item.kind) == (dataset, kind))
        return next(matches, None)

    @classmethod
    def from_dict(cls, value: object) -> "TableInfo":
        """Read a manifest; raises ``TableError`` if it is damaged or of another format."""
        info = read_dataclass(cls, value, "the manifest", TableError)
        if info.format != FORMAT:
            raise TableError(f"expected a table of format {FORMAT}, got {info.format!r}")
        for item in info.sets:
            if item.dataset not in DATASETS or item.kind not in KINDS:
                raise TableError(
                    f"the manifest names an unknown set, {item.dataset!r} {item.kind!r}"
                )
        return info


@dataclass(frozen=True)
class ColumnMapping:
    """Which column of a CSV file holds what: ``columns`` has (column, data set, kind) of each.

    The architecture is written in one of ``FORMS``, the accuracies in one of ``SCALES``. Raises
    TableError if it names no accuracies, one twice, or something unknown.
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

    def __str__(self) -> str:
        """The mapping in words."""
        meanings = (f"{column} = {dataset} {kind}" for column, dataset, kind in self.columns)
        return "; ".join([f"{self.architecture} = architecture", *meanings])

    def to_options(self) -> str:
        """The command-line options that state it."""
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
        cls, architecture: str, maps: Sequence[str], form: str = "string", scale: str = "percent"
    ) -> "ColumnMapping":
        """Read command-line options, ``maps`` as ``COLUMN=DATASET:KIND``; may raise TableError."""
        columns = []
        for text in maps:
            column, _, target = text.rpartition("=")
            dataset, _, kind = target.rpartition(":")
            if not column or not dataset or not kind:
                raise TableError(f"expected COLUMN=DATASET:KIND, got {text!r}")
            columns.append((column, dataset, kind))
        return cls(architecture, tuple(columns), form, scale)


def _check_choice(what: str, value: str, choices: Sequence[str] | Mapping[str, Any]) -> None:
    if value not in choices:
        raise TableError(f"unknown {what} {value!r}: expected one of {', '.join(choices)}")


@dataclass(frozen=True)
class TableContent:
    """The accuracies of a table in percent and, where known, those of every seed, and costs.

    Columns as in ``PARTS``; accuracy_std is the sample deviation over seeds, NaN for one or an
    unknown number, and seeds their number, NA where unknown. Costs are as in ``load_costs``.
    """

    source: str
    sets: tuple[TableSet, ...]
    accuracy: pd.DataFrame
    seeds: pd.DataFrame | None = None
    costs: pd.DataFrame | None = None

    def parts(self) -> dict[str, pd.DataFrame | None]:
        """Its frames by their names in ``PARTS``."""
        return {"accuracy": self.accuracy, "seeds": self.seeds, "costs": self.costs}


@dataclass(frozen=True)
class TablePreview:
    """What was understood of an input that is not stored yet.

    ``content`` is None where the input cannot be understood as it is, and ``problem`` says why it
    may not be imported as it is and what to do. ``mapping`` is what ``columns`` were taken for. The
    first rows are as they are in the input; ``importer`` read it, and ``name`` would be its name.
    """

    content: TableContent | None
    rows: pd.DataFrame
    columns: tuple[str, ...] = ()
    mapping: ColumnMapping | None = None
    problem: str | None = None
    importer: str = ""
    name: str = ""

    @property
    def sets(self) -> tuple[TableSet, ...]:
        """What it holds; empty where that is not known."""
        return self.content.sets if self.content else ()

    @property
    def best(self) -> pd.DataFrame:
        """The best architecture of each set: its index, string, and accuracy_mean in percent."""
        columns = ["dataset", "kind", "architecture", "string", "accuracy_mean"]
        if self.content is None:
            return pd.DataFrame(columns=columns)
        accuracy = self.content.accuracy
        best = accuracy.loc[accuracy.groupby(["dataset", "kind"])["accuracy_mean"].idxmax()]
        strings = [Architecture.from_index(index).to_string() for index in best["architecture"]]
        return best.assign(string=strings)[columns].reset_index(drop=True)

    def accepted(self) -> TableContent:
        """The content; raises ``TableError`` if there is a problem."""
        if self.content is None or self.problem is not None:
            raise TableError(self.problem or "could not understand the input")
        return self.content


def make_content(
    rows: pd.DataFrame, source: str, epochs: int | None, costs: pd.DataFrame | None = None
) -> TableContent:
    """Check accuracies and make the content of a table of them.

    Rows have columns dataset, kind, architecture, accuracy and place (where the row was found, for
    messages); also seed, where an architecture has one accuracy for each. Raises TableError if
    there are none, one is not from 0 to 100, or one is there twice. The message names the place and
    the architecture of the first, or both places.
    """
    if rows.empty:
        raise TableError("expected at least one architecture with an accuracy, got none")
    _check_percent(rows)
    keys = [*_KEYS, "seed"] if "seed" in rows else _KEYS
    _check_duplicates(rows, keys)
    if "seed" in rows:
        groups = rows.groupby(_KEYS)["accuracy"]
        accuracy = groups.agg(accuracy_mean="mean", accuracy_std="std", seeds="count").reset_index()
        accuracy["seeds"] = accuracy["seeds"].astype("Int64")
        seeds = rows[[*keys, "accuracy"]].sort_values(keys, ignore_index=True)
    else:
        accuracy = rows[_KEYS].assign(
            accuracy_mean=rows["accuracy"],
            accuracy_std=np.nan,
            seeds=pd.array([pd.NA] * len(rows), dtype="Int64"),
        )
        accuracy = accuracy.sort_values(_KEYS, ignore_index=True)
        seeds = None
    return TableContent(source, _describe_sets(accuracy, epochs), accuracy, seeds, costs)


def check_complete(rows: pd.DataFrame, source: str) -> None:
    """Check that every data set and kind in rows has all architectures; may raise TableError."""
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
    """Name of a row for messages."""
    return f"{place} ({Architecture.from_index(int(architecture)).to_string()})"


def _check_percent(rows: pd.DataFrame) -> None:
    accuracy = rows["accuracy"].to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~((accuracy >= 0) & (accuracy <= 100)))
    if wrong.size:
        row = rows.iloc[int(wrong[0])]
        raise TableError(
            f"{describe_place(row['place'], row['architecture'])}: expected an accuracy from 0 to "
            f"100 percent for {row['dataset']}, {row['kind']}, got {row['accuracy']}; correct it "
            "and import again"
        )


def _check_duplicates(rows: pd.DataFrame, keys: list[str]) -> None:
    repeated = rows.duplicated(keys).to_numpy()
    if repeated.any():
        second = rows.iloc[int(repeated.argmax())]
        same = (rows[keys] == second[keys]).all(axis="columns").to_numpy()
        first = rows.iloc[int(same.argmax())]
        raise TableError(
            f"{describe_place(second['place'], second['architecture'])}: expected each "
            f"architecture once for {second['dataset']}, {second['kind']}, but {first['place']} "
            "has it too; remove one of them"
        )


def _describe_sets(accuracy: pd.DataFrame, epochs: int | None) -> tuple[TableSet, ...]:
    sets = []
    for dataset, kind in product(DATASETS.names(), KINDS):
        part = accuracy[(accuracy["dataset"] == dataset) & (accuracy["kind"] == kind)]
        if len(part):
            complete = len(part) == ARCHITECTURE_COUNT
            counts = [str(count) for count in sorted(part["seeds"].dropna().unique())]
            seeds = " or ".join(filter(None, [", ".join(counts[:-1]), *counts[-1:]]))
            sets.append(TableSet(dataset, kind, len(part), complete, seeds or "not stated", epochs))
    return tuple(sets)
