"""Files that are read in this process, of limited size: documents of plain values, Parquet, CSV.

``read_dataclass`` makes dataclasses of such values, with every type checked.
"""

import csv
import errno
import gzip
import io
import json
import math
import os
import pickle
import re
import struct
import tomllib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from reprlib import Repr
from stat import S_ISREG
from types import UnionType
from typing import IO, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from fewshot_core import limits
from fewshot_core.errors import FewshotError

T = TypeVar("T")

_SHOWN = Repr()
_SHOWN.maxlevel, _SHOWN.maxlist, _SHOWN.maxstring, _SHOWN.maxother = 2, 8, 60, 60

DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,
    pickle.UnpicklingError,
    struct.error,
    zlib.error,
)
"""What readers raise at damaged content."""


class DamageError(ValueError):
    """Content that is refused, for a reason that does not show it."""


def shown(value: object) -> str:
    """Shorten a value from a file for a message."""
    return _SHOWN.repr(value)


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file to read it, or raise OSError: others may block or have no end."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _not_regular(path)
    return open(handle, "rb")  # noqa: PTH123, it is open already


def read_limited(
    path: Path, limit: int, opener: Callable[[IO[bytes]], IO[bytes]] | None = None
) -> bytes:
    """Content of a regular file of at most ``limit`` bytes, counted after decompression.

    ``opener`` is ``gzip.open`` or ``bz2.open`` for a compressed file. Raises OSError if it cannot
    be read or is no regular file, and ValueError if it is larger.
    """
    with open_regular(path) as raw, opener(raw) if opener is not None else raw as file:
        content = file.read(limit + 1)
    _check(len(content), path, limit)
    return content


def check_size(path: Path, limit: int) -> int:
    """Size of a file that another library reads; checked and raises like ``read_limited``."""
    found = path.stat()
    if not S_ISREG(found.st_mode):
        raise _not_regular(path)
    _check(found.st_size, path, limit)
    return found.st_size


def _not_regular(path: Path) -> OSError:
    reason = "expected a file, got a folder, a pipe or a device"
    return OSError(errno.EINVAL, reason, os.fspath(path))


def _check(size: int, path: Path, limit: int) -> None:
    if size > limit:
        raise DamageError(
            f"{path.name} holds more than {limit / 1e6:,.0f} MB, which is the most that is read"
        )


@contextmanager
def refusing(error: type[FewshotError], what: str, advice: str = "") -> Iterator[None]:
    """Turn what readers raise at damaged content into ``error``: "what cannot be read (why)"."""
    try:
        yield
    except FewshotError:
        raise
    except DAMAGE as damage:
        reason = describe_damage(damage)
        raise error(f"{what} cannot be read ({reason}){advice and '; ' + advice}") from damage


def describe_damage(damage: BaseException) -> str:
    """Describe an exception of a reader without showing the content, which may be a secret."""
    if isinstance(damage, json.JSONDecodeError):
        return f"line {damage.lineno}, column {damage.colno}: {damage.msg}"
    if isinstance(damage, tomllib.TOMLDecodeError):
        place = re.search(r"at (line \d+, column \d+|end of document)", str(damage))
        return f"{place[1] if place else 'somewhere'}: no TOML"
    if isinstance(damage, UnicodeDecodeError):
        return f"expected text in UTF-8, got the byte 0x{damage.object[damage.start]:02x}"
    if isinstance(damage, MemoryError):
        return "it needs too much memory"
    if isinstance(damage, RecursionError):
        return f"its values are nested deeper than {limits.DEPTH} levels"
    if isinstance(damage, OSError) and damage.strerror:
        return damage.strerror
    if isinstance(damage, DamageError | FewshotError):
        return str(damage)
    return f"it is damaged: {type(damage).__name__}"


def read_document(
    source: Path | bytes | str,
    limit: int | None = None,
    parse: Callable[[bytes], Any] = json.loads,
) -> Any:
    """Plain values of a JSON document of limited size, depth and number of values, all finite.

    The size is by default that of a run's files.
    ``parse`` is another parser, like ``parse_toml``. Raises what ``DAMAGE`` lists.
    """
    limit = limits.RUN_BYTES if limit is None else limit
    if isinstance(source, Path):
        content = read_limited(source, limit)
    else:
        content = source.encode() if isinstance(source, str) else source
        if len(content) > limit:
            raise DamageError(f"it holds more than {limit / 1e6:,.1f} MB")
    if sum(content.count(mark) for mark in (b",", b"[", b"{", b"\n- ")) > limits.VALUES:
        raise DamageError(f"it holds more than {limits.VALUES:,} values")
    document = parse(content)
    _check_values(document)
    return document


def read_parquet(path: Path, columns: Sequence[str] | None = None, filters: Any = None) -> Any:
    """The ``pyarrow.Table`` of a Parquet file of limited size; raises what ``DAMAGE`` lists."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_parquet(path)
    try:
        return pq.read_table(path, columns=columns and list(columns), filters=filters)
    except pa.ArrowException as error:
        raise DamageError("its content is damaged") from error


def check_parquet(path: Path) -> list[str]:
    """Check size and number of rows of a Parquet file, and return its columns, all distinct."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_size(path, limits.TABLE_BYTES)
    try:
        with pq.ParquetFile(path) as file:
            rows, names = file.metadata.num_rows, list(file.schema_arrow.names)
    except pa.ArrowException as error:
        raise DamageError("it is no whole Parquet file") from error
    if rows > limits.PARQUET_ROWS or len(set(names)) < len(names):
        raise DamageError(
            f"expected distinct columns and at most {limits.PARQUET_ROWS:,} rows, got {rows:,}"
        )
    return names


def parse_toml(content: bytes) -> Any:
    """Parse TOML; long lines are refused, since dotted keys take time by the square of theirs."""
    if max(map(len, content.split(b"\n"))) > limits.TOML_LINE:
        raise DamageError(f"it has a line of more than {limits.TOML_LINE:,} characters")
    return tomllib.loads(content.decode("utf-8"))


_NESTING = (dict, list)


def _check_values(document: object) -> None:
    """Check depth and numbers, level by level; a part that is there several times counts once."""
    level: list[Any] = [document]
    for _ in range(limits.DEPTH):
        parts = {id(part): part for part in level if type(part) in _NESTING}.values()
        if not parts:
            return
        level = [x for part in parts for x in (part.values() if type(part) is dict else part)]
        for value in level:
            if type(value) is float and not math.isfinite(value):
                raise DamageError("it holds a number that is not finite")
            if type(value) is int and not -limits.INTEGER <= value < limits.INTEGER:
                raise DamageError("it holds a whole number of more than 64 bits")
    if any(type(part) in _NESTING for part in level):
        raise DamageError(f"its values are nested deeper than {limits.DEPTH} levels")


def read_dataclass(
    kind: type[T], document: object, what: str, error: type[FewshotError] = FewshotError
) -> T:
    """Build a dataclass from plain values; ``what`` names them in messages ("the request").

    Nested dataclasses are read from mappings, tuples from lists, and floats also from integers.
    What is missing has its default.

    Raises:
        FewshotError: Of type ``error``, if a name is unknown or missing or a value of another
            type. What the dataclass itself raises is passed on.
    """
    try:
        return _build(kind, document, "")
    except _MismatchError as mismatch:
        raise error(f"{what} is damaged: {mismatch}") from None


class _MismatchError(Exception):
    """A value that does not fit its field."""


def _mismatch(name: str, expected: str, value: object) -> _MismatchError:
    return _MismatchError(f"expected {name + ', ' if name else ''}{expected}, got {shown(value)}")


@lru_cache
def _hints(kind: type) -> dict[str, Any]:
    return {field.name: get_type_hints(kind)[field.name] for field in fields(kind)}


def _build(kind: type[T], document: object, where: str) -> T:
    if not isinstance(document, Mapping):
        raise _mismatch(where, "named values", document)
    hints: dict[str, Any] = _hints(kind)  # type: ignore[arg-type]
    unknown = [name for name in document if name not in hints]
    if unknown:
        raise _MismatchError(f"unknown {unknown[0]!r}, expected some of {', '.join(hints)}")
    for field in fields(kind):  # type: ignore[arg-type]
        required = field.default is MISSING and field.default_factory is MISSING
        if required and field.name not in document:
            raise _mismatch(where, f"a value of {field.name}", None)
    prefix = f"{where}." if where else ""
    return kind(**{n: _convert(v, hints[n], f"{prefix}{n}") for n, v in document.items()})


@lru_cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(hint), get_args(hint)


_BUILT: dict[tuple[type, str], Any] = {}
"""Parts of documents, such as the options of thousands of requests, that are built only once."""

_MOST_BUILT, _LONGEST_BUILT = 1_000, 1_000
"""How many are kept, and how many characters such a part may have."""


def _convert(value: Any, hint: Any, name: str) -> Any:
    if type(value) is hint or hint is Any:  # most values, at once: pages read thousands
        return value
    origin, parts = _parts(hint)
    if origin in (Union, UnionType):
        if type(value) in parts:
            return value
        for part in parts:
            try:
                return _convert(value, part, name)
            except _MismatchError:
                continue
    elif is_dataclass(hint) and isinstance(hint, type):
        key = hint, repr(value)
        built = _BUILT.get(key)
        if built is None:
            built = _build(hint, value, name)
            if len(_BUILT) < _MOST_BUILT and len(key[1]) < _LONGEST_BUILT:
                _BUILT[key] = built
        return built
    elif origin is tuple and isinstance(value, list | tuple):
        kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        if len(kinds) == len(value):
            return tuple(_convert(v, k, name) for v, k in zip(value, kinds, strict=True))
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        if isinstance(value, Mapping):
            return {key: _convert(part, parts[1], f"{name}.{key}") for key, part in value.items()}
    elif hint is float and type(value) in (int, float):
        with suppress(OverflowError):  # an integer of more than 308 digits
            return float(value)
    elif isinstance(hint, type) and issubclass(hint, str) and isinstance(value, str):
        try:
            return hint(value)
        except ValueError:  # no member of an enumeration
            pass
    plain = getattr(hint, "__name__", str(hint))
    raise _mismatch(name, plain if origin is None else str(hint), value)


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
    if not name.lower().endswith((".csv", ".csv.gz")):
        raise error_type(f"expected a file whose name ends with .csv or .csv.gz, got {name}")
    opener = cast(Callable[[IO[bytes]], Any], gzip.open) if name.lower().endswith("gz") else None
    with refusing(error_type, name):
        content = _decode(read_limited(path, limit, opener))
        header, rows, lines = _parse_csv(name, content, error_type)
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


def _parse_csv(
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
