"""Records of epochs in a file: one JSON document a line, appended as they come."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fewshot_core.datafolder import write_text


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Append a record, and return once it is on the disk.

    A line that an earlier process has left unfinished is ended first, so that it costs no more
    than itself.
    """
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(_line(record).encode())
        file.flush()
        os.fsync(file.fileno())


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write all records anew, atomically."""
    write_text(path, "".join(map(_line, records)))


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file in the order of their epochs, or none if there is no file.

    Lines that are no complete record are left out: the last one may be in the middle of being
    written. Of two records of an epoch the later counts.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    records = [record for line in lines if (record := _record(line)) is not None]
    by_epoch = {record["epoch"]: record for record in records}
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    known = isinstance(record, dict) and isinstance(record.get("epoch"), int)
    return record if known else None
