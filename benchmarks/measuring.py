"""Timing things against each other, and showing what came out."""

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.table import Table

Work = Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """Something measured.

    Attributes:
        what: What it is.
        value: The number.
        unit: Its unit; ``"x plain"`` is a ratio to the plain form, measured beside it.
        limit: What it may be at most, or None.
    """

    what: str
    value: float
    unit: str
    limit: float | None = None


def seconds(work: Work, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds that some work takes by a clock: ``time.process_time`` is CPU time."""
    start = clock()
    work()
    return clock() - start


def interleaved(
    works: dict[str, Work], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Time several works in turns, after doing each once untimed; return seconds by name."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            times[name].append(seconds(work, clock))
    return times


def ratio(times: dict[str, list[float]], name: str, base: str = "plain") -> float:
    """Return the median ratio of neighbouring times."""
    return median(one / other for one, other in zip(times[name], times[base], strict=True))


def show(
    title: str, figures: list[Figure], settings: dict[str, object], json_file: Path | None
) -> None:
    """Print a table, and write it as JSON if requested."""
    table = Table("what", "measured", "unit", "limit", title=title)
    for figure in figures:
        limit = "" if figure.limit is None else f"{figure.limit:g}"
        table.add_row(figure.what, f"{figure.value:.3f}", figure.unit, limit)
    Console().print(table)
    if json_file is not None:
        document = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "machine": platform.machine(),
            "threads": torch.get_num_threads(),
            "load": os.getloadavg()[0],
            **settings,
            "figures": [asdict(figure) for figure in figures],
        }
        json_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
