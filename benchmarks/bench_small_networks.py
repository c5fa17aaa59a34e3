"""What joining convolutions would gain: ``python benchmarks/bench_small_networks.py``.

Networks of 8 channels, as the preset ``quick`` has, spend most of a step on convolutions of few
channels. Those of the eight sub-supernets of a split could be one grouped convolution, and those
that read the same node one convolution of more outputs. The forward and backward passes of both are
timed beside those of the separate convolutions, by processor time on one thread, in each of the
three stages; the rate of the separate ones is shown beside that of a product of matrices, which is
the most that could be gained. Images are noise.
"""

import time
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from measuring import Figure, Work, interleaved, ratio, seconds, show
from torch import Tensor
from torch.nn import functional

NETWORKS = 8
OUTPUTS = 3
STAGES = ((8, 32), (16, 16), (32, 8))
"""Channels, and height and width of the features."""


def passes(features: Tensor, weight: Tensor, groups: int = 1) -> None:
    """Convolve, and differentiate by both."""
    output = functional.conv2d(features, weight, padding=1, groups=groups)
    torch.autograd.grad(output, (features, weight), output.detach())


def drawn(*shape: int) -> Tensor:
    """Draw a tensor that is differentiable; features have the channels of a pixel together."""
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    return torch.randn(shape).contiguous(memory_format=layout).requires_grad_()


def of_stage(channels: int, size: int, images: int, repeats: int) -> list[Figure]:
    """Time one stage; its convolutions are of 3x3 pixels."""
    features = [drawn(images, channels, size, size) for _ in range(NETWORKS)]
    weights = [drawn(channels, channels, 3, 3) for _ in range(NETWORKS)]
    together = drawn(images, NETWORKS * channels, size, size)
    grouped = drawn(NETWORKS * channels, channels, 3, 3)
    wide = drawn(OUTPUTS * channels, channels, 3, 3)

    def separately() -> None:
        for one, weight in zip(features, weights, strict=True):
            passes(one, weight)

    def same_input() -> None:
        for weight in weights[:OUTPUTS]:
            passes(features[0], weight)

    works: dict[str, Work] = {
        "separate": separately,
        "grouped": lambda: passes(together, grouped, NETWORKS),
        "same input": same_input,
        "joined": lambda: passes(features[0], wide),
    }
    times = interleaved(works, repeats, time.process_time)
    operations = 3 * 2 * 9 * channels**2 * size**2 * images * NETWORKS
    stage = f"{channels} channels"
    return [
        Figure(f"{stage}: {NETWORKS} networks as groups", ratio(times, "grouped", "separate"), "x"),
        Figure(f"{stage}: {OUTPUTS} outputs joined", ratio(times, "joined", "same input"), "x"),
        Figure(f"{stage}: separate", operations / median(times["separate"]) / 1e9, "GFLOP/s"),
    ]


def rate_of_products(repeats: int) -> float:
    """Return the operations per second of a product of matrices."""
    matrix = torch.randn(1024, 1024)
    taken = [seconds(lambda: matrix @ matrix, time.process_time) for _ in range(repeats)]
    return float(2 * 1024**3 / median(taken))


def main(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Few images, to see that it works.")] = False,
) -> None:
    """Time joined convolutions beside separate ones."""
    torch.set_num_threads(1)
    images, repeats = (4, 1) if quick else (64, 15)
    figures = [Figure("product of matrices", rate_of_products(repeats) / 1e9, "GFLOP/s")]
    for channels, size in STAGES:
        figures += of_stage(channels, size, images, repeats)
    show("Small networks", figures, {"images": images, "repeats": repeats}, json_file)


if __name__ == "__main__":
    typer.run(main)
