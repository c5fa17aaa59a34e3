"""How fast scores and splits are: ``python benchmarks/bench_split.py``.

Everything is compared with the plain form of the supernet (``benchmarks/plain.py``), measured in
the same process, alternately. Images are synthetic: their contents do not affect the times.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from measuring import Figure, interleaved, ratio, seconds, show
from plain import PlainSupernet, uniform_weights
from torch import Tensor
from torch.autograd import grad
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from fewshot_core.images import load_batch
from fewshot_core.images.sources import Batch
from fewshot_core.metrics import METRICS, score_operations
from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.space import SubSpace
from fewshot_core.splitting import split

FORWARD_BACKWARD_LIMIT = 0.40
SPLIT_LIMIT = 13.9
RESTRICT_LIMIT = 0.03
MEMORY_LIMIT = 2.5
STATUS = Path("/proc/self/status")
"""Where Linux says how much memory a process had at most; what its parent had does not count."""
SPLIT_METRICS = ("gradnorm", "snip")


@dataclass(frozen=True)
class Size:
    """The size of what is measured."""

    images: int = 64
    channels: int = 16
    cells_per_stage: int = 5
    repeats: int = 7


QUICK = Size(images=16, channels=8, cells_per_stage=1, repeats=3)


def build(size: Size) -> Supernet:
    """Return the full supernet."""
    return Supernet(
        SubSpace.full(), channels=size.channels, cells_per_stage=size.cells_per_stage, seed=0
    )


def passes(supernet: Supernet, batch: Batch) -> dict[str, Callable[[], Tensor]]:
    """Return a forward and backward pass of the plain form and of ours, each giving the loss."""
    plain, weights = PlainSupernet(supernet), uniform_weights(SubSpace.full())

    def of_plain() -> Tensor:
        loss = functional.cross_entropy(plain(batch.images, weights), batch.labels)
        grad(loss, plain.convolutions())
        return loss

    def ours() -> Tensor:
        loss = functional.cross_entropy(supernet(batch.images), batch.labels)
        grad(loss, list(probed_weights(supernet).values()))
        return loss

    torch.testing.assert_close(ours(), of_plain(), rtol=1e-4, atol=1e-4)
    return {"plain": of_plain, "ours": ours}


def best_rate(size: Size) -> float:
    """Return the most operations a second that any 3x3 convolution of the network reaches."""
    rates = []
    for stage in range(3):
        width, pixels = size.channels * 2**stage, 32 // 2**stage
        features = torch.randn(size.images, width, pixels, pixels)
        weight = torch.randn(width, width, 3, 3)
        for layout in (torch.contiguous_format, torch.channels_last):
            laid_out = features.contiguous(memory_format=layout)
            convolve = partial(functional.conv2d, laid_out, weight, padding=1)
            convolve()
            fastest = min(seconds(convolve) for _ in range(20))
            rates.append(2 * 9 * width * features.numel() / fastest)
    return max(rates)


def operations(work: Callable[[], Tensor]) -> int:
    """Return how many operations PyTorch counts in some work."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


class Stopwatch(TorchDispatchMode):
    """Adds up the seconds of the operations inside it, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Call an operation and note how long it took."""
        start = time.perf_counter()
        output = func(*args, **(kwargs or {}))
        self.seconds[func.overloadpacket.__name__] += time.perf_counter() - start
        return output


def where_time_goes(work: Callable[[], Tensor], kinds: int = 8) -> list[Figure]:
    """Return the shares of the kinds of operations in the time of some work."""
    with Stopwatch() as watch:
        taken = seconds(work)
    shares = [(name, 100 * one / taken) for name, one in watch.seconds.most_common(kinds)]
    shares.append(("everything else", 100 - sum(share for _, share in shares)))
    return [Figure(f"time in {name}", share, "%") for name, share in shares]


def peak_memory(metric: str, size: Size) -> float:
    """Return the most memory, in GB, of this process, which scores one edge with a metric."""
    batch = load_batch("cifar10", size.images, source="synthetic")
    smaller = SubSpace.full().keep(0, (2, 3))
    score_operations(metric, build(size).restrict(smaller), 0, batch)
    lines = dict(line.split(":") for line in STATUS.read_text(encoding="utf-8").splitlines())
    return int(lines["VmHWM"].split()[0]) / 1e6


def memory_figures(size: Size) -> list[Figure]:
    """Measure the memory of every metric, each in its own process; only on Linux."""
    figures: list[Figure] = []
    if not STATUS.exists():
        return figures
    for metric in (info.name for info in METRICS if not info.baseline):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            peak = pool.submit(peak_memory, metric, size).result()
        figures.append(Figure(f"memory of {metric}", peak, "GB", MEMORY_LIMIT))
    return figures


def split_figures(supernet: Supernet, batch: Batch, plain: Callable[[], Tensor]) -> list[Figure]:
    """Measure whole splits, with plain passes before and after each."""
    figures = []
    for metric in SPLIT_METRICS:
        around = [seconds(plain) for _ in range(2)]
        taken = seconds(partial(split, metric, supernet, batch))
        around += [seconds(plain) for _ in range(2)]
        what = f"split of depth 3 with {metric}"
        figures.append(Figure(what, taken / median(around), "x plain", SPLIT_LIMIT))
    return figures


def main(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="A small network, to see that it works.")] = False,
) -> None:
    """Time scores and splits against the plain form."""
    size = QUICK if quick else Size()
    supernet, batch = build(size), load_batch("cifar10", size.images, source="synthetic")
    works = passes(supernet, batch)
    times = interleaved(dict(works), size.repeats)
    plain = median(times["plain"])
    counted, rate = operations(works["ours"]), best_rate(size)
    probe = SubSpace.full().keep(0, (3,))
    restrict = min(seconds(partial(supernet.restrict, probe)) for _ in range(size.repeats))
    hessian = partial(score_operations, "grasp", supernet.restrict(probe), 0, batch)
    figures = [
        Figure("plain forward and backward", plain, "s"),
        Figure("ours", ratio(times, "ours"), "x plain", FORWARD_BACKWARD_LIMIT),
        Figure("operations of ours", counted / 1e9, "GFLOP"),
        Figure("best convolution", rate / 1e9, "GFLOP/s"),
        Figure("floor: operations over that rate", counted / rate / plain, "x plain"),
        *where_time_goes(works["ours"]),
        Figure("restrict", restrict, "s", RESTRICT_LIMIT),
        Figure("grasp of one sub-supernet", seconds(hessian) / plain, "x plain"),
        *split_figures(supernet, batch, works["plain"]),
        *memory_figures(size),
    ]
    show("Scores and splits", figures, vars(size), json_file)


if __name__ == "__main__":
    typer.run(main)
