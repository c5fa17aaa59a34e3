"""Registries of named records, with records of other packages found by entry points.

A package adds a metric, a search algorithm or a search space without touching this one. Its
``pyproject.toml`` names a record::

    [project.entry-points."fewshot.metrics"]
    largest_weight = "my_package.largest_weight:LARGEST_WEIGHT"

    [project.entry-points."fewshot.algorithms"]
    likeliest = "my_package.likeliest:LIKELIEST"

    [project.entry-points."fewshot.spaces"]
    small_cnn = "my_package.small_cnn:SMALL_CNN"

The record carries the code. Its module is imported whenever the app starts, so it should import
PyTorch locally, inside the functions that use it. Instead of a record an entry point may name a
function that returns one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from threading import RLock
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from fewshot_core.errors import check_name


class Named(Protocol):
    """Anything with a unique name."""

    @property
    def name(self) -> str:
        """The name it is registered under."""


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Frozen info records of a kind ("metric") by name, in the order they were added."""

    def __init__(self, kind: str, *records: T) -> None:
        self.kind = kind
        self._records: dict[str, T] = {}
        for record in records:
            self.add(record)

    def add(self, record: T) -> T:
        """Add a record; raises ValueError if the name is taken."""
        if record.name in self._records:
            raise ValueError(f"the {self.kind} {record.name!r} is registered twice")
        self._records[record.name] = record
        return record

    def _all(self) -> dict[str, T]:
        return self._records

    def get(self, name: str) -> T:
        """Return the record of that name; an UnknownNameError lists the names there are."""
        records = self._all()
        check_name(self.kind, name, records)
        return records[name]

    def find(self, name: str) -> T | None:
        """Return the record of that name, or None (a plug-in that is no longer installed)."""
        return self._all().get(name)

    def label(self, name: str) -> str:
        """Return the label of a record, or the name itself where there is no such record."""
        return str(getattr(self.find(name), "label", name))

    def names(self) -> list[str]:
        """All names, in the order of registration."""
        return list(self._all())

    def __iter__(self) -> Iterator[T]:
        return iter(self._all().values())

    def __len__(self) -> int:
        return len(self._all())

    def __contains__(self, name: object) -> bool:
        return name in self._all()


NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""The names of records of other packages, since run folders are named after them."""


class PluginRegistry(Registry[T]):
    """Our own records, and those of other packages in a group of entry points, found on first use.

    They are not searched for before that, so that a package which is itself being imported, and
    imports this one to write its record, is complete by then. ``check`` raises an error that says
    what is wrong with a record.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        record_type: type[T],
        check: Callable[[T], None] = lambda record: None,
    ) -> None:
        super().__init__(kind)
        self.group = group
        self._record_type = record_type
        self._check = check
        self._problems: dict[str, str] = {}
        self._origins: dict[str, tuple[str, str]] = {}
        self._begun = self._discovered = False
        self._lock = RLock()

    @property
    def problems(self) -> Mapping[str, str]:
        """Why an entry point adds nothing, in a sentence, by the entry point's name."""
        self.discover()
        return MappingProxyType(self._problems)

    def origin(self, name: str) -> tuple[str, str] | None:
        """Return the package of a record and its version; None for our own."""
        self.discover()
        return self._origins.get(name)

    def discover(self) -> None:
        """Find records of other packages, once; one that is broken is only a problem."""
        if self._discovered:  # without the lock: labels of thousands of runs look names up
            return
        with self._lock:
            if self._begun:
                return
            self._begun = True  # first, for a record's module may use this registry
            # Which of two records of one name counts never depends on the order of folders.
            found = entry_points(group=self.group)
            for point in sorted(found, key=lambda p: (_package(p), p.name, p.value)):
                try:
                    record = self.add(self._record(point))
                    version = point.dist.version if point.dist else "of an unknown version"
                    self._origins[record.name] = (_package(point), version)
                except (Exception, SystemExit) as error:  # unknown code may raise anything
                    self._report(point, error)
            self._discovered = True

    def _report(self, point: EntryPoint, error: BaseException) -> None:
        sentence = (
            f"the {self.kind} {point.name!r} of {_package(point)} ({point.value}) "
            f"cannot be used: {type(error).__name__}: {error}"
        )
        earlier = self._problems.get(point.name)
        self._problems[point.name] = f"{earlier}; {sentence}" if earlier else sentence

    def _record(self, point: EntryPoint) -> T:
        loaded: Any = point.load()
        record = loaded if isinstance(loaded, self._record_type) else loaded()
        if not isinstance(record, self._record_type):
            wanted = self._record_type.__name__
            raise TypeError(f"expected a record of {wanted}, got {type(record).__name__}")
        if not NAME_PATTERN.fullmatch(record.name):
            raise ValueError(
                "expected a name of letters, digits, hyphens and underscores, since run folders "
                f"are named after it, got {record.name!r}"
            )
        self._check(record)
        return record

    def _all(self) -> dict[str, T]:
        """All records by name, our own first."""
        self.discover()
        return self._records


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown package"
