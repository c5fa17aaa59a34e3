"""Reading a CSV file as text, with the line of every row for messages."""

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from fewshot_core import limits
from fewshot_core.documents import DamageError, read_limited, refusing, shown
from fewshot_core.errors import FewshotError

_ENDINGS = (".csv", ".csv.gz")


@dataclass(frozen=True)
class CsvText:
    """The cells of a CSV file, without surrounding blanks, and the line that each row ends on."""

    name: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def place(self, row: int) -> str:
        """Name of a row for messages: file and line."""
        return f"{self.name}, line {self.lines[row]}"

    @property
    def columns(self) -> str:
        """The first columns, for messages."""
        names = ", ".join(name[:40] for name in self.header[:12])
        return f"{names}, and {len(self.header) - 12} more" if self.header[12:] else names


def read_csv_text(path: Path, limit: int, error_type: type[FewshotError]) -> CsvText:
    """Read a CSV file in UTF-8, plain or (``.csv.gz``) compressed, of at most ``limit`` bytes.

    Blank lines are skipped.

    Raises:
        FewshotError: Of ``error_type``, naming the line: if the file has another ending, cannot be
            read, is larger than ``fewshot_core.limits`` allows, repeats a column, has no rows, or
            has a row that is not as long as the header.
    """
    name = path.name
    if not name.lower().endswith(_ENDINGS):
        raise error_type(f"expected a file whose name ends with .csv or .csv.gz, got {name}")
    opener = cast(Callable[[IO[bytes]], Any], gzip.open) if name.lower().endswith("gz") else None
    with refusing(error_type, name):
        header, rows, lines = _parse(name, _decode(read_limited(path, limit, opener)), error_type)
    if not rows:
        raise error_type(f"{name} has no rows; expected a header and at least one row below it")
    if len(set(header)) < len(header):
        column = next(column for column in header if header.count(column) > 1)
        raise error_type(
            f"{name}, line 1: expected the column {shown(column)} once, got it "
            f"{header.count(column)} times; rename one of them"
        )
    return CsvText(name, header, rows, lines)


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DamageError(
            f"line {line}: expected text in UTF-8, got the byte 0x{content[error.start]:02x}; save "
            "the file as UTF-8"
        ) from error


def _parse(
    name: str, text: str, error_type: type[FewshotError]
) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows, and the line of each row, without blank ones."""
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    begun = 0

    def checked(source: io.StringIO) -> Iterator[str]:
        for number, line in enumerate(source):
            if len(line) > limits.LINE_CHARACTERS or number - begun > limits.CSV_COLUMNS:
                raise DamageError(
                    f"line {number + 1}: expected a row of at most {limits.LINE_CHARACTERS:,} "
                    f"characters and {limits.CSV_COLUMNS:,} lines"
                )
            yield line

    reader = csv.reader(checked(io.StringIO(text, newline="")), strict=True)
    try:
        for row in reader:
            begun = reader.line_num
            if not row:
                continue
            cells = [cell.strip() for cell in row]
            if len(cells) > limits.CSV_COLUMNS:
                raise DamageError(
                    f"line {begun}: expected at most {limits.CSV_COLUMNS:,} columns, got "
                    f"{len(cells):,}"
                )
            if not any(cells):
                continue
            if not header:
                header = cells
                continue
            if len(cells) != len(header):
                raise error_type(
                    f"{name}, line {begun}: expected {len(header)} cells, as in the header, got "
                    f"{len(cells)}; correct the line"
                )
            rows.append(cells)
            lines.append(begun)
            most = min(limits.CSV_ROWS, limits.CSV_CELLS // len(header))
            if len(rows) > most:
                raise DamageError(f"line {begun}: expected at most {most:,} rows of this length")
    except csv.Error as error:
        raise DamageError(
            f"line {reader.line_num}: expected cells separated by commas: {error}"
        ) from error
    return header, rows, lines
