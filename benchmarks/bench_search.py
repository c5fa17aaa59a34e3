"""How fast a step of a search is: ``python benchmarks/bench_search.py``.

A step is one of the architecture and one of the weights. It is compared with such a step of the
plain form of the supernet (``benchmarks/plain.py``), as the field's code makes it: all operations
are computed and weighted, and both halves go back through the whole network.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from measuring import Figure, interleaved, ratio, show
from plain import PlainSupernet
from torch import Tensor, nn
from torch.nn import functional

from fewshot_core.datasets import DATASETS
from fewshot_core.runs.search_job import noise
from fewshot_core.search.compute import weight_optimiser
from fewshot_core.search.data import Examples, SearchData
from fewshot_core.search.loop import Search, prepare_search
from fewshot_core.search.options import SearchOptions
from fewshot_core.space import SubSpace

LIMITS = {"snas": 0.4, "darts-1st": None, "dsnas": None}


def softmax(logits: Tensor) -> Tensor:
    """Return the weights of DARTS."""
    return torch.softmax(logits, dim=1)


def concrete(logits: Tensor) -> Tensor:
    """Return a draw of SNAS at temperature 1."""
    return functional.gumbel_softmax(logits, tau=1.0, dim=1)


def one_hot(logits: Tensor) -> Tensor:
    """Return a draw of DSNAS: one operation on each edge."""
    return functional.gumbel_softmax(logits, tau=1.0, dim=1, hard=True)


WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "snas": concrete,
    "darts-1st": softmax,
    "dsnas": one_hot,
}


class PlainStep:
    """A step of the plain form."""

    def __init__(self, search: Search, weights: Callable[[Tensor], Tensor]) -> None:
        self.network = PlainSupernet(search.supernet)
        self.options = search.options
        self.weights = weights
        self.logits = torch.zeros(6, 5, requires_grad=True)
        self.weight_optimiser = weight_optimiser(self.network, search.options)
        self.architecture_optimiser = torch.optim.Adam([self.logits], lr=3e-4, betas=(0.5, 0.999))

    def __call__(self, train: Examples, valid: Examples) -> None:
        """Step the architecture, then the weights."""
        for examples, optimiser in (
            (valid, self.architecture_optimiser),
            (train, self.weight_optimiser),
        ):
            self.weight_optimiser.zero_grad()
            self.architecture_optimiser.zero_grad()
            logits = self.network(examples.images, self.weights(self.logits))
            functional.cross_entropy(logits, examples.labels).backward()
            if optimiser is self.weight_optimiser:
                nn.utils.clip_grad_norm_(self.network.parameters(), self.options.gradient_clip)
            optimiser.step()


def prepare(algorithm: str, options: SearchOptions, data: SearchData) -> Search:
    """Return a search of the full space."""
    return prepare_search(algorithm, SubSpace.full(), "cifar10", options, data=data)


def figures_of(algorithm: str, options: SearchOptions, repeats: int) -> list[Figure]:
    """Measure the steps of an algorithm."""
    data = noise(DATASETS.get("cifar10"), 2 * options.batch_size, "cpu")
    rows = torch.arange(options.batch_size)
    batches = data.train.take(rows), data.valid.take(rows)
    search = prepare(algorithm, options, data)
    plain = PlainStep(search, WEIGHTS[algorithm])
    works = {"plain": partial(plain, *batches), "ours": partial(search.step, *batches)}
    times = interleaved(works, repeats)
    return [
        Figure(f"plain step of {algorithm}", median(times["plain"]), "s"),
        Figure(f"step of {algorithm}", ratio(times, "ours"), "x plain", LIMITS[algorithm]),
    ]


def main(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="A small network, to see that it works.")] = False,
) -> None:
    """Time the steps of searches against the plain form."""
    options = SearchOptions()
    if quick:
        options = SearchOptions(batch_size=16, channels=8, cells_per_stage=1)
    figures = [
        figure
        for algorithm in LIMITS
        for figure in figures_of(algorithm, options, 3 if quick else 5)
    ]
    settings = {
        "images": options.batch_size,
        "channels": options.channels,
        "cells_per_stage": options.cells_per_stage,
    }
    show("Steps of searches", figures, settings, json_file)


if __name__ == "__main__":
    typer.run(main)
