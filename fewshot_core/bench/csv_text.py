"""Reading a CSV file as text, with the line of every row."""

import csv
import gzip
import io
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import pandas as pd

from fewshot_core.bench.codes import architecture_codes
from fewshot_core.datafolder import read_limited
from fewshot_core.errors import TableError

LARGEST = 400_000_000
"""The most bytes of a CSV file, unpacked: what the app takes as an upload."""


@dataclass(frozen=True)
class CsvText:
    """The cells of a CSV file.

    Attributes:
        name: Name of the file.
        rows: Its cells, as text without surrounding blanks.
        lines: The line of the file each row ends on; the header is line 1.
    """

    name: str
    rows: pd.DataFrame
    lines: list[int]

    def place(self, row: int) -> str:
        """Return how messages name a row."""
        return f"{self.name}, line {self.lines[row]}"


def read_csv_text(path: Path) -> CsvText:
    """Read a CSV file, plain or compressed with gzip, in UTF-8.

    Raises:
        TableError: If it is empty, not UTF-8, has no header, repeats a column, or has a row that
            is shorter or longer than the header; the message names the line.
    """
    records = _parse(path.name, _decode(path))
    if not records:
        raise TableError(f"{path.name} is empty; expected a header and one row per architecture")
    (_, header), *body = records
    _check_header(path.name, header)
    if not body:
        raise TableError(f"{path.name} has a header and no rows; expected one per architecture")
    for line, cells in body:
        if len(cells) != len(header):
            raise TableError(
                f"{path.name}, line {line}: expected {len(header)} cells, as in the header, got "
                f"{len(cells)}; correct the line and import again"
            )
    rows = pd.DataFrame([cells for _, cells in body], columns=header, dtype=object)
    return CsvText(path.name, rows, [line for line, _ in body])


def _decode(path: Path) -> str:
    try:
        content = read_limited(path, LARGEST, _unpacked if path.suffix == ".gz" else None)
    except (OSError, EOFError, zlib.error) as error:
        if path.suffix != ".gz":
            raise
        raise TableError(f"{path.name} is not a whole gzip file ({error})") from error
    except ValueError as error:
        raise TableError(f"{error}; a table of all architectures is far smaller") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"{path.name}, line {line}: expected text in UTF-8, got the byte "
            f"0x{content[error.start]:02x}; save the file as UTF-8 and import again"
        ) from error


def _unpacked(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path))


def _parse(name: str, text: str) -> list[tuple[int, list[str]]]:
    """Return the line and the cells of every line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except csv.Error as error:
        raise TableError(
            f"{name}, line {reader.line_num}: expected cells separated by commas ({error}); "
            "correct the line and import again"
        ) from error


def _check_header(name: str, header: list[str]) -> None:
    strings = architecture_codes("string")
    if any(cell in strings for cell in header) or all(_is_number(cell) for cell in header):
        raise TableError(
            f"{name}, line 1: expected a header, got the values {', '.join(header)}; add a first "
            "line that names the columns"
        )
    repeated = [column for column, count in Counter(header).items() if count > 1]
    if repeated:
        raise TableError(
            f"{name}, line 1: expected every column once, but {repeated[0]!r} is there "
            f"{header.count(repeated[0])} times; rename one of them"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
