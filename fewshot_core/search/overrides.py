"""Options of a preset with some values of one's own, given as text."""

from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from fewshot_core.search.errors import SearchError
from fewshot_core.search.options import SearchOptions, TrainingOptions

Options = TypeVar("Options", SearchOptions, TrainingOptions)


def override(options: Options, texts: Iterable[str]) -> Options:
    """Return options with some values replaced.

    Args:
        options: Those of a preset, say.
        texts: Each ``"name=value"``: numbers as they are, ``true`` or ``false``, ``none``, and
            several numbers with commas between them.

    Raises:
        SearchError: If there is no such option, or its value is of another type or out of range.
    """
    values = asdict(options)
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in values:
            known = ", ".join(field.name for field in fields(options))
            raise SearchError(f"expected name=value with one of {known}, got {text!r}")
        changes[name] = _value(name, value.strip(), values[name])
    return replace(options, **changes)


def changed(options: Options, usual: Options) -> dict[str, Any]:
    """Return the values in which options differ from others, by their names."""
    values = asdict(usual)
    return {name: value for name, value in asdict(options).items() if value != values[name]}


def as_text(value: Any) -> str:
    """Return a value as ``override`` reads it."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(as_text, value))
    return str(value)


def _value(name: str, text: str, usual: Any) -> Any:
    if isinstance(usual, bool):
        if text.lower() not in ("true", "false"):
            raise SearchError(f"expected {name} to be true or false, got {text!r}")
        return text.lower() == "true"
    if isinstance(usual, str):
        return text
    if isinstance(usual, tuple):
        return tuple(_number(name, part) for part in text.split(","))
    if text.lower() == "none":
        return None
    return _number(name, text)


def _number(name: str, text: str) -> float | int:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError as error:
        raise SearchError(f"expected {name} to be a number, got {text!r}") from error
