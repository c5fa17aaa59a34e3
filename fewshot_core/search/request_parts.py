"""What the requests of searches and of trainings have in common."""

from collections.abc import Mapping
from typing import Any, TypeVar

from fewshot_core.datafolder import canonical_json, text_fingerprint
from fewshot_core.search.errors import SearchError

T = TypeVar("T")


def digest(document: Mapping[str, Any], fingerprints: Mapping[str, str | None]) -> str:
    """Return twelve hexadecimal digits of a request and of what it is made from."""
    return text_fingerprint(canonical_json([dict(document), dict(fingerprints)]))[:12]


def read_values(document: Mapping[str, Any], expected: str) -> dict[str, Any]:
    """Return what a request of an expected format says, without the format.

    Raises:
        SearchError: If it is of another format, or damaged.
    """
    found = document.get("format")
    if found != expected:
        raise SearchError(f"expected a request of format {expected!r}, got {found!r}")
    values = {name: value for name, value in document.items() if name != "format"}
    if not isinstance(values.get("options"), Mapping):
        raise SearchError(f"the request is damaged: its options are {values.get('options')!r}")
    return given(values)


def given(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without what does not count."""
    return {name: value for name, value in document.items() if value is not None}


def build(kind: type[T], values: Mapping[str, Any]) -> T:
    """Return a request of some values.

    Raises:
        SearchError: If they are of the wrong names.
    """
    try:
        return kind(**values)
    except TypeError as error:
        raise SearchError(f"the request is damaged: {error}") from error
