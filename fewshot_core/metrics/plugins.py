"""Metrics from other packages, found by their entry points.

A package adds a metric without touching this one. Its ``pyproject.toml`` names a record::

    [project.entry-points."fewshot.metrics"]
    largest_weight = "my_package.record:LARGEST_WEIGHT"

the record says where the score function is::

    # my_package/record.py: read whenever the app starts, so it should import no PyTorch
    from fewshot_core.metrics import MetricInfo

    LARGEST_WEIGHT = MetricInfo(
        name="largest_weight",
        label="largest weight",
        description="The largest weight that is left with only this operation on the edge.",
        equation=r"f(m) = \\max_i \\left| w_i \\right|",
        source="our own idea",
        cost="nothing: no image is looked at",
        implementation="my_package.largest_weight:score",
        needs_images=False,
    )

and the function is written as ``fewshot_core.metrics.contract`` tells. Instead of a record an
entry point may name a function that returns one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from threading import RLock
from types import MappingProxyType, TracebackType

from fewshot_core.metrics.info import MetricInfo
from fewshot_core.registry import Registry

GROUP = "fewshot.metrics"
"""The group of entry points that metrics are found under."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class MetricRegistry(Registry[MetricInfo]):
    """Our own metrics, and those of other packages from the first time that anybody looks.

    Metrics are not looked for before that, so that a package which is itself being imported, and
    imports this one to write its record, is complete by then.
    """

    def __init__(self) -> None:
        super().__init__("metric")
        self._problems: dict[str, str] = {}
        self._origins: dict[str, tuple[str, str]] = {}
        self._discovered = False
        self._lock = RLock()

    @property
    def problems(self) -> Mapping[str, str]:
        """Why an entry point adds no metric, in a sentence, by the entry point's name."""
        self.discover()
        return MappingProxyType(self._problems)

    def origin(self, name: str) -> tuple[str, str] | None:
        """Return the package that a metric is from, and its version; None for our own."""
        self.discover()
        return self._origins.get(name)

    def discover(self) -> None:
        """Look for metrics of other packages, once; one that is broken is only a problem."""
        with self._lock:
            if self._discovered:
                return
            self._discovered = True  # first, for a record's module may look at this registry
            for point in sorted(entry_points(group=GROUP), key=_order):
                with _Reported(self._problems, point):
                    record = self.add(_record(point))
                    version = point.dist.version if point.dist else "of an unknown version"
                    self._origins[record.name] = (_package(point), version)

    def get(self, name: str) -> MetricInfo:
        """Return the record of that name; see ``Registry.get``."""
        self.discover()
        return super().get(name)

    def names(self) -> list[str]:
        """All names, our own first."""
        self.discover()
        return super().names()

    def __iter__(self) -> Iterator[MetricInfo]:
        self.discover()
        return super().__iter__()

    def __len__(self) -> int:
        self.discover()
        return super().__len__()

    def __contains__(self, name: object) -> bool:
        self.discover()
        return super().__contains__(name)


class _Reported:
    """A context in which what another package's code raises becomes a sentence.

    Loading an entry point runs code that nobody here knows; whatever it raises must not keep the
    workbench from starting.
    """

    def __init__(self, problems: dict[str, str], point: EntryPoint) -> None:
        self.problems = problems
        self.point = point

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception | SystemExit):
            return False
        sentence = (
            f"the metric {self.point.name!r} of {_package(self.point)} ({self.point.value}) "
            f"cannot be used: {type(error).__name__}: {error}"
        )
        earlier = self.problems.get(self.point.name)
        self.problems[self.point.name] = f"{earlier}; {sentence}" if earlier else sentence
        return True


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown package"


def _order(point: EntryPoint) -> tuple[str, str, str]:
    """Return what decides which of two metrics of one name counts: never the order of folders."""
    return _package(point), point.name, point.value


def _record(point: EntryPoint) -> MetricInfo:
    """Load the record that an entry point names."""
    loaded: MetricInfo | Callable[[], MetricInfo] = point.load()
    record = loaded if isinstance(loaded, MetricInfo) else loaded()
    if not isinstance(record, MetricInfo):
        raise TypeError(f"expected a MetricInfo, got {type(record).__name__}")
    if not _NAME.fullmatch(record.name):
        raise ValueError(
            "expected a name of letters, digits, hyphens and underscores, since run folders are "
            f"named after it, got {record.name!r}"
        )
    if not record.variants:
        raise ValueError("expected at least one variant, got none")
    return record
