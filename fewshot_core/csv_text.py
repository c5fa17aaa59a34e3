"""Reading a CSV file as text, with the line of every row for messages."""

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from fewshot_core.data_folder import read_limited
from fewshot_core.errors import FewshotError


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


def read_csv_text(path: Path, limit: int, error_type: type[FewshotError]) -> CsvText:
    """Read a CSV file in UTF-8, plain or (``.gz``) compressed, of at most ``limit`` bytes.

    Blank lines are skipped.

    Raises:
        FewshotError: Of ``error_type``, naming the line: if the file cannot be read, is too large,
            repeats a column, has no rows, or has a row that is not as long as the header.
    """
    name = path.name
    records = _parse(name, _decode(path, limit, error_type), error_type)
    if len(records) < 2:
        raise error_type(f"{name} has no rows; expected a header and at least one row below it")
    (_, header), *body = records
    for column in header:
        if header.count(column) > 1:
            raise error_type(
                f"{name}, line 1: expected the column {column!r} once, got it "
                f"{header.count(column)} times; rename one of them"
            )
    for line, cells in body:
        if len(cells) != len(header):
            raise error_type(
                f"{name}, line {line}: expected {len(header)} cells, as in the header, got "
                f"{len(cells)}; correct the line"
            )
    return CsvText(name, header, [cells for _, cells in body], [line for line, _ in body])


def _decode(path: Path, limit: int, error_type: type[FewshotError]) -> str:
    try:
        content = read_limited(path, limit, _decompressed if path.suffix == ".gz" else None)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise error_type(f"{path.name} cannot be read ({error})") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise error_type(
            f"{path.name} cannot be read: line {line}: expected text in UTF-8, got the byte "
            f"0x{content[error.start]:02x}; save the file as UTF-8"
        ) from error


def _decompressed(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path))


def _parse(name: str, text: str, error_type: type[FewshotError]) -> list[tuple[int, list[str]]]:
    """Line and cells of every line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        records = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise error_type(
            f"{name} cannot be read: line {reader.line_num}: expected cells separated by commas "
            f"({error})"
        ) from error
    return [(line, cells) for line, cells in records if any(cells)]
