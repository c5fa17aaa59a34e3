"""All nine metrics in one go or separately: ``python benchmarks/bench_all_metrics.py``.

Both are made in this process, one after the other: each metric's split alone, and then all of them
with the scores that the earlier ones have cached, as ``fewshot split --metric all`` does. Times are
those of the processor, which other work on the machine disturbs least; ``--quick`` takes a small
network. Images are noise unless others are named: speed does not depend on what is in them, but the
trees do, and with them what can be shared.
"""

import json
import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fewshot_core.images import SYNTHETIC, load_batch
from fewshot_core.images.sources import Batch
from fewshot_core.metrics import METRICS, ScoreCache, list_metrics, most_sharing_first
from fewshot_core.nets import Supernet
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitTree, split

console = Console()


@dataclass(frozen=True)
class Timing:
    """A metric's split, alone and among the others.

    Attributes:
        metric: The metric.
        alone: Seconds of the processor for the split by itself.
        together: The same with a cache of scores.
        cached: How many of its scores were.
        scores: How many it has in all.
        same_tree: Whether both splits group alike at every node.
    """

    metric: str
    alone: float
    together: float
    cached: int
    scores: int
    same_tree: bool


def main(
    quick: Annotated[bool, typer.Option(help="A small network and few images.")] = False,
    images: Annotated[str, typer.Option(help="Images by name or path.")] = SYNTHETIC,
    batch_size: Annotated[int | None, typer.Option(help="Images in the batch.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the times here.")] = None,
) -> None:
    """Compare the two ways."""
    channels, cells, size = (4, 1, 16) if quick else (16, 5, 64)
    supernet = Supernet(SubSpace.full(), 10, channels, cells)
    metrics = [
        name for name in most_sharing_first(list_metrics()) if not METRICS.get(name).baseline
    ]
    with tempfile.TemporaryDirectory() as folder:
        batch = load_batch("cifar10", batch_size or size, source=images, data_dir=folder)
        split(
            "gradnorm", supernet, batch, (0,)
        )  # the first run, which loads libraries, does not count
        cache = ScoreCache(Path(folder) / "scores", console.print)
        timings = [compare(metric, supernet, batch, cache) for metric in metrics]
    report(timings)
    if json_file is not None:
        json_file.write_text(json.dumps(document(timings, channels, cells, batch), indent=2))


def compare(metric: str, supernet: Supernet, batch: Batch, cache: ScoreCache) -> Timing:
    """Make a split by itself and with cached scores."""
    alone, first = timed(metric, supernet, batch, None)
    found = cache.hits
    together, second = timed(metric, supernet, batch, cache)
    scores = sum(len(node.operations) for node in first.nodes)
    same = [node.groups for node in first.nodes] == [node.groups for node in second.nodes]
    timing = Timing(metric, alone, together, cache.hits - found, scores, same)
    console.print(f"{METRICS.get(metric).label}: {alone:.1f} s, {together:.1f} s", highlight=False)
    return timing


def timed(
    metric: str, supernet: Supernet, batch: Batch, cache: ScoreCache | None
) -> tuple[float, SplitTree]:
    """Make a split; return the seconds of the processor that it took, and its tree."""
    start = time.process_time()
    tree = split(metric, supernet, batch, cache=cache)
    return time.process_time() - start, tree


def totals(timings: list[Timing]) -> Mapping[str, float]:
    """Return the sums of both ways, and their ratio."""
    alone = sum(timing.alone for timing in timings)
    together = sum(timing.together for timing in timings)
    return {"alone": alone, "together": together, "ratio": together / alone}


def report(timings: list[Timing]) -> None:
    """Print a table."""
    table = Table("metric", "alone, s", "together, s", "cached", "same tree")
    for timing in timings:
        cached = f"{timing.cached} of {timing.scores}"
        seconds = (f"{timing.alone:.1f}", f"{timing.together:.1f}")
        table.add_row(timing.metric, *seconds, cached, "yes" if timing.same_tree else "no")
    both = totals(timings)
    table.add_row("all", f"{both['alone']:.1f}", f"{both['together']:.1f}", "", "")
    console.print(table)
    console.print(f"together / alone: {both['ratio']:.2f}", highlight=False)


def document(timings: list[Timing], channels: int, cells: int, batch: Batch) -> dict[str, object]:
    """Return what is written as JSON."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "network": {"channels": channels, "cells_per_stage": cells},
        "images": batch.provenance.describe(),
        "timings": [asdict(timing) for timing in timings],
        **totals(timings),
    }


if __name__ == "__main__":
    typer.run(main)
