"""The folder of a stored table: ``tables/<name>/`` in the data folder.

It holds ``manifest.json``, ``accuracy.parquet`` and, where they are known, ``seeds.parquet`` and
``costs.parquet``. It is written as a whole; what is stored is never changed in part.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fewshot_core.bench.table import TableContent, TableInfo
from fewshot_core.data_folder import atomic_folder, data_dir, write_json
from fewshot_core.errors import TableError

PARTS = {
    "accuracy": ["dataset", "kind", "architecture", "accuracy_mean", "accuracy_std", "seeds"],
    "seeds": ["dataset", "kind", "architecture", "seed", "accuracy"],
    "costs": ["dataset", "architecture", "parameters", "latency", "train_time"],
}
"""The Parquet files of a table and their columns."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class StoredTable:
    """A table in the data folder.

    Attributes:
        info: Its manifest.
        folder: Where it is.
    """

    info: TableInfo
    folder: Path

    def read(self, part: str, dataset: str, kind: str | None = None) -> pd.DataFrame | None:
        """Return the rows of a part for a data set and kind, or None if it is not known.

        Raises:
            TableError: If the file is damaged.
        """
        path = self.folder / f"{part}.parquet"
        if not path.exists():
            return None
        filters = [("dataset", "==", dataset)]
        if kind is not None:
            filters.append(("kind", "==", kind))
        try:
            return pd.read_parquet(path, filters=filters)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _damaged(self.info.name, f"{path.name} cannot be read ({error})") from error


def tables_folder(override: Path | str | None) -> Path:
    """Return the folder that holds all tables."""
    return data_dir(override) / "tables"


def tables_changed(override: Path | str | None) -> int:
    """Return a number that changes when a table is stored, replaced or removed."""
    try:
        return tables_folder(override).stat().st_mtime_ns
    except OSError:
        return 0


def is_table_name(name: str) -> bool:
    """Return whether a table may have that name."""
    return _NAME.fullmatch(name) is not None


def write_table(
    root: Path, name: str, label: str, content: TableContent, fingerprint: str
) -> TableInfo:
    """Store a table, in place of one of that name. The caller holds the lock."""
    info = TableInfo(
        name=name,
        label=label,
        source=content.source,
        fingerprint=fingerprint,
        created=datetime.now(UTC).isoformat(),
        sets=content.sets,
    )
    with atomic_folder(root / name) as folder:
        for part, frame in content.parts().items():
            if frame is not None:
                frame[PARTS[part]].to_parquet(folder / f"{part}.parquet", index=False)
        write_json(folder / _MANIFEST, info.to_dict())
    return info


def open_table(folder: Path) -> StoredTable:
    """Return the table of a folder, after a quick look at whether it is whole.

    Raises:
        TableError: If it is damaged; the message says how.
    """
    try:
        manifest: Any = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(folder.name, f"{_MANIFEST} cannot be read ({error})") from error
    try:
        info = TableInfo.from_dict(manifest)
    except TableError as error:
        raise _damaged(folder.name, str(error)) from error
    if info.name != folder.name:
        raise _damaged(folder.name, f"its manifest is of the table {info.name!r}")
    for part, columns in PARTS.items():
        path = folder / f"{part}.parquet"
        if part == "accuracy" or path.exists():
            _check_part(folder.name, path, columns)
    return StoredTable(info, folder)


def folder_names(root: Path) -> list[str]:
    """Return the names of all folders that may be tables, sorted."""
    if not root.exists():
        return []
    return sorted(path.name for path in root.iterdir() if path.is_dir() and path.name[0] != ".")


def _check_part(name: str, path: Path, columns: list[str]) -> None:
    try:
        found = pq.read_schema(path).names
    except (OSError, pa.ArrowException) as error:
        raise _damaged(name, f"{path.name} cannot be read ({error})") from error
    if not set(columns) <= set(found):
        raise _damaged(name, f"expected {columns} in {path.name}, got {found}")


def _damaged(name: str, reason: str) -> TableError:
    return TableError(
        f"the table {name!r} is damaged: {reason}; import it again with --replace, or remove it"
    )
