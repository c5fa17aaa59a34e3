"""One small registry for metrics, data sets, importers and whatever else has a name."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from fewshot_core.errors import UnknownNameError


class Named(Protocol):
    """Anything with a unique name."""

    @property
    def name(self) -> str:
        """The name it is registered under."""


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Frozen info records by name, in the order they were added.

    Args:
        kind: What the records are, in the singular, for messages ("metric").
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._records: dict[str, T] = {}

    def add(self, record: T) -> T:
        """Add a record.

        Raises:
            ValueError: If the name is taken.
        """
        if record.name in self._records:
            raise ValueError(f"the {self.kind} {record.name!r} is registered twice")
        self._records[record.name] = record
        return record

    def get(self, name: str) -> T:
        """Return the record of that name.

        Raises:
            UnknownNameError: If there is none; the message lists the names there are.
        """
        if name not in self._records:
            known = ", ".join(self._records) or "none"
            raise UnknownNameError(f"unknown {self.kind} {name!r}: expected one of {known}")
        return self._records[name]

    def names(self) -> list[str]:
        """All names, in the order of registration."""
        return list(self._records)

    def __iter__(self) -> Iterator[T]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, name: object) -> bool:
        return name in self._records
