"""Dataclasses read from plain values, as JSON and TOML give them, with every type checked."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from fewshot_core.errors import FewshotError

T = TypeVar("T")


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
    return _MismatchError(f"expected {name + ', ' if name else ''}{expected}, got {value!r}")


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


def _convert(value: Any, hint: Any, name: str) -> Any:
    """Return a value as its type hint wants it."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any or (hint is NoneType and value is None):
        return value
    if origin in (Union, UnionType):
        for part in parts:
            try:
                return _convert(value, part, name)
            except _MismatchError:
                continue
    elif is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, name)
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
    elif type(value) is hint:
        return value
    elif isinstance(hint, type) and issubclass(hint, str) and isinstance(value, str):
        try:
            return hint(value)
        except ValueError:  # no member of an enumeration
            pass
    raise _mismatch(name, _words(hint), value)


def _words(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint)) if get_origin(hint) is None else str(hint)
