"""How long it takes to say what splits are worth: ``python benchmarks/bench_analysis.py``.

Times are those of one process, on the table that comes with the project unless another is named.
"""

import json
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from fewshot_core.analysis import (
    RANDOM_TREES,
    SplitEvaluator,
    agreement_matrix,
    best_tree,
    conclusion,
    describe_sub_spaces,
    keep_k,
    random_trees,
    report_frame,
    seed_uncertainty,
)
from fewshot_core.bench import load_accuracy, load_seeds
from fewshot_core.datasets import DATASETS
from fewshot_core.space import SubSpace
from fewshot_core.splitting import set_partitions

METRICS = 9


@dataclass(frozen=True)
class Timing:
    """How long something took, in seconds.

    Attributes:
        what: What was done.
        median: The median over repetitions.
        fastest: The fastest one.
        limit: What it may take on two cores.
    """

    what: str
    median: float
    fastest: float
    limit: float


def generated_splits(seed: int = 0) -> dict[str, list[SubSpace]]:
    """Return a split of eight sub-spaces for each metric, grouped at random."""
    generator = np.random.default_rng(seed)
    groupings = set_partitions(5, 2)
    splits = {}
    for number in range(METRICS):
        leaves = [SubSpace.full()]
        for edge in range(3):
            drawn = [groupings[generator.integers(len(groupings))] for _ in leaves]
            leaves = [
                leaf.keep(edge, group)
                for leaf, groups in zip(leaves, drawn, strict=True)
                for group in groups
            ]
        splits[f"metric {number + 1}"] = leaves
    return splits


def judge_everything(
    splits: dict[str, list[SubSpace]], accuracies: dict[str, pd.DataFrame]
) -> list[str]:
    """Do all that the pages show of nine metrics on three data sets."""
    sentences = []
    for accuracy in accuracies.values():
        sentences.append(conclusion(report_frame(splits, SplitEvaluator(accuracy))))
        for leaves in splits.values():
            describe_sub_spaces(leaves, accuracy)
            keep_k(leaves, accuracy)
        agreement_matrix(splits)
    return sentences


def measure(what: str, limit: float, repeats: int, work: Callable[[], object]) -> Timing:
    """Time some work, after doing it once untimed."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return Timing(what, median(seconds), min(seconds), limit)


def main(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the times here.")] = None,
    table: Annotated[str | None, typer.Option(help="A table's name, or a CSV file.")] = None,
    accuracy: Annotated[str, typer.Option(help="validation or test.")] = "validation",
    repeats: Annotated[int, typer.Option(help="How often each thing is timed.")] = 5,
) -> None:
    """Time the analysis of splits."""
    splits = generated_splits()
    with tempfile.TemporaryDirectory() as folder:
        accuracies = {
            name: load_accuracy(name, accuracy, table, data_dir=folder) for name in DATASETS.names()
        }
        seeds = load_seeds("cifar10", data_dir=folder)
    one, leaves = accuracies["cifar10"], splits["metric 1"]
    every = f"{METRICS} metrics x {len(accuracies)} data sets, everything"
    timings = [
        measure("best tree", 1, repeats, lambda: best_tree(one)),
        measure(f"{RANDOM_TREES:,} random trees", 2, repeats, lambda: random_trees(one)),
        measure(every, 10, repeats, lambda: judge_everything(splits, accuracies)),
        measure("100 tables of resampled seeds", 10, 1, lambda: seed_uncertainty(leaves, seeds)),
    ]
    shown = Table("what", "median s", "fastest s", "limit s")
    for timing in timings:
        numbers = (f"{timing.median:.4f}", f"{timing.fastest:.4f}", f"{timing.limit:g}")
        shown.add_row(timing.what, *numbers)
    Console().print(shown)
    if json_file is not None:
        document = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "timings": [asdict(timing) for timing in timings],
        }
        json_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
