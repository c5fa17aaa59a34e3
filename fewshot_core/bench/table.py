"""Accuracy tables: manifest, checked content, and the mapping of its columns."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core.data_folder import canonical_json, file_fingerprint, text_fingerprint
from fewshot_core.documents import read_dataclass
from fewshot_core.errors import FewshotError, TableError, check_name
from fewshot_core.space import KINDS, NAS_BENCH_201, SearchSpace, get_space

PREVIEW_ROWS = 5

FORMAT = 1
"""Version of the files a table is stored in."""

PACKAGED_TABLE = "nasbench201-validation"
"""Name of the table that comes with the installation."""

SCALES = {"percent": 1.0, "fraction": 100.0}
"""Scales of accuracies, and the factor that makes them percentages."""

FORMS = {
    "string": "an architecture string like |none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "digits": "six digits from 0 to 4, the operation numbers in the order of the string",
    "index": f"an index from 0 to {NAS_BENCH_201.size - 1}, those digits read as a base-5 number "
    "(not a file number of NATS-Bench)",
}
"""Description of each form of an architecture of NAS-Bench-201, for messages and choices."""

PARTS = {
    "accuracy": ["dataset", "kind", "architecture", "accuracy_mean", "accuracy_std", "seeds"],
    "seeds": ["dataset", "kind", "architecture", "seed", "accuracy"],
    "columns": ["architecture"],
}
"""The parts of a table and the columns they must have; see ``TableContent``."""

ROLES = {
    "cost": "what an architecture costs; smaller is better",
    "estimate": "what a supernet, a zero-cost metric or a short training says; larger is better",
}
"""What a column may be that is no accuracy."""

COSTS = {"parameters": "", "latency": "s", "train_time": "s"}
"""The costs that NAS-Bench-201 has for each data set, and their units.

They are the number of parameters, the time of a batch, and of the whole training (on CIFAR-10 with
half of the training images).
"""

_KEYS = ["dataset", "kind", "architecture"]


def describe_form(form: str, space: SearchSpace) -> str:
    """Describe a form of an architecture for messages; see ``FORMS``."""
    if space == NAS_BENCH_201:
        return FORMS[form]
    if form == "index":
        return f"an index from 0 to {space.size - 1}"
    if form == "string" and space.edges:
        return f"an architecture string like {space.format(0)}"
    return (
        f"{len(space.shape)} digits like {space.digits(space.size - 1)}, operation numbers from 0"
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
    """How many architectures have an accuracy of a data set and kind; complete if all.

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
class TableColumn:
    """A column of costs or of estimates, one of ``ROLES``; complete if all architectures have one.

    ``dataset`` is the one it is about, empty where it is about all; ``unit`` that of its numbers.
    Costs of the same name may be about several data sets.
    """

    name: str
    role: str
    dataset: str = ""
    unit: str = ""
    architectures: int = 0
    complete: bool = False

    @property
    def field(self) -> str:
        """Its name in the stored columns, which says the data set of a cost."""
        named = self.role == "cost" and self.dataset
        return f"{self.name} on {self.dataset}" if named else self.name


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
    space: str = NAS_BENCH_201.name
    columns: tuple[TableColumn, ...] = ()

    def find_column(self, name: str, dataset: str | None = None) -> TableColumn | None:
        """The first column of costs or estimates of that name, about a data set; or None."""
        named = [one for one in self.columns if one.name == name]
        return next((one for one in named if dataset is None or one.dataset in ("", dataset)), None)

    def find(self, dataset: str, kind: str) -> TableSet | None:
        """The set of that data set and kind, or None."""
        matches = (item for item in self.sets if (item.dataset, item.kind) == (dataset, kind))
        return next(matches, None)

    @classmethod
    def from_dict(cls, value: object, data_dir: Path | None = None) -> "TableInfo":
        """Read a manifest; raises ``TableError`` if it is damaged or of another format.

        A declared space is looked up in the data folder.
        """
        info = read_dataclass(cls, value, "the manifest", TableError)
        if info.format != FORMAT:
            raise TableError(f"expected a table of format {FORMAT}, got {info.format!r}")
        try:
            names = [task.name for task in get_space(info.space, data_dir).datasets]
        except FewshotError as error:
            raise TableError(str(error)) from error
        for item in info.sets:
            if item.dataset not in names or item.kind not in KINDS:
                raise TableError(
                    f"the manifest names an unknown set, {item.dataset!r} {item.kind!r}"
                )
        for column in info.columns:
            if column.role not in ROLES or column.dataset not in ("", *names):
                raise TableError(
                    f"the manifest names an unknown column, {column.name!r}, {column.role!r} on "
                    f"{column.dataset!r}"
                )
        return info

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values; the default space is not named."""
        document = asdict(self)
        if self.space == NAS_BENCH_201.name:
            del document["space"]
        if not self.columns:
            del document["columns"]
        return document


@dataclass(frozen=True)
class ColumnMapping:
    """Which column of a CSV file holds what: ``columns`` has (column, data set, kind) of each.

    The architecture is written in one of ``FORMS``, the accuracies in one of ``SCALES``. With
    ``seeds``, several columns of a data set and kind are trainings with the seeds 0, 1, 2, ...;
    ``others`` are the costs and estimates. Raises TableError if it names no column, one twice, or
    something unknown.
    """

    architecture: str
    columns: tuple[tuple[str, str, str], ...]
    form: str = "string"
    scale: str = "percent"
    space: SearchSpace = NAS_BENCH_201
    seeds: bool = False
    others: tuple[TableColumn, ...] = ()

    def __post_init__(self) -> None:
        datasets = [task.name for task in self.space.datasets]
        check_name("form of architecture", self.form, FORMS, TableError)
        check_name("scale", self.scale, SCALES, TableError)
        for _, dataset, kind in self.columns:
            check_name("data set", dataset, datasets, TableError)
            check_name("kind of accuracy", kind, KINDS, TableError)
        for other in self.others:
            check_name("role", other.role, ROLES, TableError)
            check_name("data set", other.dataset, ["", *datasets], TableError)
        sets = {(dataset, kind) for _, dataset, kind in self.columns}
        known = bool(self.columns or self.others)
        if not known or (len(sets) != len(self.columns) and not self.seeds):
            raise TableError(
                "expected one column for each data set and kind, and at least one, got "
                f"{list(self.columns)}"
            )
        if len({other.name for other in self.others}) != len(self.others):
            raise TableError("expected each column of costs or estimates once")

    @property
    def names(self) -> tuple[str, ...]:
        """All columns it needs."""
        others = (other.name for other in self.others)
        return (self.architecture, *(column for column, _, _ in self.columns), *others)

    def __str__(self) -> str:
        """The mapping in words."""
        meanings = [f"{column} = {dataset} {kind}" for column, dataset, kind in self.columns]
        meanings += [
            " ".join(filter(None, [f"{other.name} = {other.role}", other.dataset or other.unit]))
            for other in self.others
        ]
        return "; ".join([f"{self.architecture} = architecture", *meanings])

    def to_options(self) -> str:
        """The command-line options that state it."""
        options = ["--architecture", self.architecture]
        for column, dataset, kind in self.columns:
            options += ["--map", f"{column}={dataset}:{kind}"]
        for other in self.others:
            target = ":".join(filter(None, [other.role, other.dataset or other.unit]))
            options += ["--map", f"{other.name}={target}"]
        if self.form != "string":
            options += ["--form", self.form]
        if self.scale != "percent":
            options += ["--scale", self.scale]
        if self.space != NAS_BENCH_201:
            options += ["--space", self.space.name]
        return shlex.join(options)

    @classmethod
    def from_options(
        cls,
        architecture: str,
        maps: Sequence[str],
        form: str = "string",
        scale: str = "percent",
        space: SearchSpace = NAS_BENCH_201,
    ) -> "ColumnMapping":
        """Read command-line options; may raise TableError.

        ``maps`` are ``COLUMN=DATASET:KIND``, ``COLUMN=cost:UNIT`` or ``COLUMN=estimate:DATASET``;
        the unit and the data set of an estimate may be left out.
        """
        columns, others = [], []
        for text in maps:
            column, _, target = text.rpartition("=")
            dataset, _, kind = target.partition(":")
            if column and dataset == "cost":
                others.append(TableColumn(column, dataset, unit=kind))
            elif column and dataset == "estimate":
                others.append(TableColumn(column, dataset, kind))
            elif column and dataset and kind:
                columns.append((column, dataset, kind))
            else:
                raise TableError(
                    "expected COLUMN=DATASET:KIND, COLUMN=cost:UNIT or COLUMN=estimate:DATASET, "
                    f"got {text!r}"
                )
        return cls(architecture, tuple(columns), form, scale, space, others=tuple(others))


@dataclass(frozen=True)
class TableContent:
    """The accuracies of a table in percent and, where known, those of every seed.

    Columns as in ``PARTS``, and in ``columns`` the field of each of ``others``, costs and
    estimates, NaN where it has no number; accuracy_std is the sample deviation over seeds, NaN for
    one or an unknown number, and seeds their number, NA where unknown. Scores of other units are in
    these columns, too, larger being better.
    """

    source: str
    sets: tuple[TableSet, ...]
    accuracy: pd.DataFrame
    seeds: pd.DataFrame | None = None
    space: SearchSpace = NAS_BENCH_201
    columns: pd.DataFrame | None = None
    others: tuple[TableColumn, ...] = ()

    def info(self, name: str, label: str, fingerprint: str, created: str) -> TableInfo:
        """Make its manifest."""
        about = (name, label, self.source, fingerprint, created, self.sets)
        return TableInfo(*about, space=self.space.name, columns=self.others)

    def parts(self) -> dict[str, pd.DataFrame | None]:
        """Its frames by their names in ``PARTS``."""
        return {"accuracy": self.accuracy, "seeds": self.seeds, "columns": self.columns}


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
        if self.content is None or self.content.accuracy.empty:
            return pd.DataFrame(columns=columns)
        accuracy = self.content.accuracy
        best = accuracy.loc[accuracy.groupby(["dataset", "kind"])["accuracy_mean"].idxmax()]
        strings = self.content.space.format_many(best["architecture"])
        return best.assign(string=strings)[columns].reset_index(drop=True)

    def accepted(self) -> TableContent:
        """The content; raises ``TableError`` if there is a problem."""
        if self.content is None or self.problem is not None:
            raise TableError(self.problem or "could not understand the input")
        return self.content


def make_content(
    rows: pd.DataFrame,
    source: str,
    epochs: int | None,
    space: SearchSpace = NAS_BENCH_201,
) -> TableContent:
    """Check accuracies and make the content of a table of them.

    Rows have columns dataset, kind, architecture, accuracy and place (where the row was found, for
    messages); also seed, where an architecture has one accuracy for each. Raises TableError if
    there are none, one is not from 0 to 100 (of a data set in percent) or no number, or one is
    there twice. Scores of which smaller ones are better change their sign. The message names the
    place and the architecture of the first, or both places.
    """
    if rows.empty:
        raise TableError("expected at least one architecture with an accuracy, got none")
    _check_range(rows, space)
    signs = {task.name: task.sign for task in space.datasets}
    if -1 in signs.values():
        rows = rows.assign(accuracy=rows["accuracy"] * rows["dataset"].map(signs))
    keys = [*_KEYS, "seed"] if "seed" in rows else _KEYS
    _check_duplicates(rows, keys, space)
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
    sets = _describe_sets(accuracy, epochs, space)
    return TableContent(source, sets, accuracy, seeds, space)


def with_costs(content: TableContent, costs: pd.DataFrame) -> TableContent:
    """Add costs of each data set; the columns are dataset, architecture and those of ``COSTS``."""
    wide = costs.pivot(index="architecture", columns="dataset").dropna(axis="columns", how="all")
    pairs: list[Any] = wide.columns.to_flat_index().tolist()
    columns = [TableColumn(name, "cost", dataset, COSTS[name]) for name, dataset in pairs]
    wide.columns = pd.Index([column.field for column in columns])
    return with_columns(content, wide.reset_index(), columns)


def with_columns(
    content: TableContent, frame: pd.DataFrame, columns: Sequence[TableColumn]
) -> TableContent:
    """Add columns of costs and estimates to a table; each must have a number at least."""
    counted = []
    for column in columns:
        known = int(frame[column.field].notna().sum())
        if not known:
            raise TableError(f"expected numbers in the column {column.name!r}, got none")
        complete = known == content.space.size
        counted.append(replace(column, architectures=known, complete=complete))
    return replace(content, columns=frame, others=tuple(counted))


def without_accuracies(
    source: str, frame: pd.DataFrame, columns: Sequence[TableColumn], space: SearchSpace
) -> TableContent:
    """Make the content of a table that has only costs and estimates."""
    types = {"accuracy_mean": "float64", "accuracy_std": "float64", "seeds": "Int64"}
    nothing = pd.DataFrame(columns=PARTS["accuracy"]).astype(types | {"architecture": "int64"})
    return with_columns(TableContent(source, (), nothing, space=space), frame, columns)


def check_complete(rows: pd.DataFrame, source: str, space: SearchSpace = NAS_BENCH_201) -> None:
    """Check that every data set and kind in rows has all architectures; may raise TableError."""
    for (dataset, kind), part in rows.groupby(["dataset", "kind"]):
        missing = np.setdiff1d(np.arange(space.size), part["architecture"].to_numpy())
        if missing.size:
            first = space.format(int(missing[0]))
            raise TableError(
                f"{source}: expected one row for each of the {space.size:,} architectures "
                f"({dataset}, {kind}), but {missing.size:,} are missing, the first {first}; add "
                "them, or export the file again"
            )


def describe_place(place: str, architecture: int, space: SearchSpace) -> str:
    """Name of a row for messages."""
    return f"{place} ({space.format(int(architecture))})"


def _check_range(rows: pd.DataFrame, space: SearchSpace) -> None:
    accuracy = rows["accuracy"].to_numpy(dtype=np.float64)
    percent = rows["dataset"].isin([task.name for task in space.datasets if task.percent])
    inside = (accuracy >= 0) & (accuracy <= 100) | ~percent.to_numpy() & np.isfinite(accuracy)
    wrong = np.flatnonzero(~inside)
    if wrong.size:
        row = rows.iloc[int(wrong[0])]
        expected = "an accuracy from 0 to 100 percent" if percent.iloc[wrong[0]] else "a number"
        raise TableError(
            f"{describe_place(row['place'], row['architecture'], space)}: expected {expected} "
            f"for {row['dataset']}, {row['kind']}, got {row['accuracy']}; correct it and import "
            "again"
        )


def _check_duplicates(rows: pd.DataFrame, keys: list[str], space: SearchSpace) -> None:
    repeated = rows.duplicated(keys).to_numpy()
    if repeated.any():
        second = rows.iloc[int(repeated.argmax())]
        same = (rows[keys] == second[keys]).all(axis="columns").to_numpy()
        first = rows.iloc[int(same.argmax())]
        raise TableError(
            f"{describe_place(second['place'], second['architecture'], space)}: expected each "
            f"architecture once for {second['dataset']}, {second['kind']}, but {first['place']} "
            "has it too; remove one of them"
        )


def _describe_sets(
    accuracy: pd.DataFrame, epochs: int | None, space: SearchSpace
) -> tuple[TableSet, ...]:
    sets = []
    for dataset, kind in ((task.name, kind) for task in space.datasets for kind in KINDS):
        part = accuracy[(accuracy["dataset"] == dataset) & (accuracy["kind"] == kind)]
        if len(part):
            complete = len(part) == space.size
            counts = [str(count) for count in sorted(part["seeds"].dropna().unique())]
            seeds = " or ".join(filter(None, [", ".join(counts[:-1]), *counts[-1:]]))
            sets.append(TableSet(dataset, kind, len(part), complete, seeds or "not stated", epochs))
    return tuple(sets)
