"""How long a short split takes as a command: ``python benchmarks/bench_start.py``.

The command ``fewshot split --metric params`` in an empty data folder, and ``import torch``, which
its worker has to do, each in a new process, in turns.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from measuring import Figure, interleaved, ratio, show

SPLIT = [sys.executable, "-m", "fewshot_core", "split", "--metric", "params", "--data-dir"]


def split_by_params() -> None:
    """Run the command and wait for its end."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # its worker may still be ending
        subprocess.run([*SPLIT, folder], check=True, stdout=subprocess.DEVNULL)


def import_torch() -> None:
    """Start a Python that only imports PyTorch."""
    subprocess.run([sys.executable, "-c", "import torch"], check=True)


def main(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Once, to see that it works.")] = False,
) -> None:
    """Time the command against the import of PyTorch."""
    repeats = 1 if quick else 7
    times = interleaved({"import": import_torch, "split": split_by_params}, repeats)
    figures = [
        Figure("fewshot split --metric params", ratio(times, "split", "import"), "x import torch"),
        *(Figure(name, median(times[name]), "s") for name in times),
    ]
    show("Start of a split", figures, {"repeats": repeats}, json_file)


if __name__ == "__main__":
    typer.run(main)
