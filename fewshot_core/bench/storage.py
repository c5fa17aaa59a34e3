"""The folder of a stored table: ``tables/<name>/`` in the data folder.

It holds ``manifest.json``, ``accuracy.parquet`` and, where they are known, ``seeds.parquet`` and
``columns.parquet`` (costs and estimates). It is written as a whole and never changed in part.
"""

import re
from collections.abc import Container
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_core.bench.table import PARTS, TableContent, TableInfo
from fewshot_core.data_folder import atomic_folder, data_dir, write_json
from fewshot_core.documents import check_parquet, read_document, read_parquet, refusing
from fewshot_core.errors import TableError

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
    created = datetime.now(UTC).isoformat()
    info = TableInfo(
        name,
        label,
        content.source,
        fingerprint,
        created,
        content.sets,
        space=content.space.name,
        columns=content.others,
    )
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
