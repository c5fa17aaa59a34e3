"""What fast paths gain over simple forms: ``python benchmarks/bench_fast_paths.py``.

Each fast path is compared with simple forms of the same definition: first their values, then their
times, in the same process, in turns. The simple forms are here. Images are synthetic.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from bench_split import QUICK, STATUS, Size, build, peak_memory
from measuring import Figure, interleaved, ratio, show
from torch import Tensor, nn
from torch.autograd import grad
from torch.func import functional_call, jvp, vmap
from torch.func import grad as gradient_of
from torch.nn import functional

from fewshot_core.images import load_batch
from fewshot_core.images.sources import Batch
from fewshot_core.metrics.gradients import losses
from fewshot_core.metrics.per_sample import weight_gradient_products
from fewshot_core.nets import Supernet, composing, probed_weights
from fewshot_core.nets.tangent_pass import gradient_tangent

CHUNK = 16
MEMORY_LIMIT = 1.6
TOLERANCE = 2e-3
"""Of the largest number; float32 rounds at different places, and ReLUs near zero switch."""

Works = dict[str, Callable[[], Tensor]]


def loss_of(supernet: Supernet, batch: Batch) -> Tensor:
    """Compute the mean cross-entropy."""
    return functional.cross_entropy(supernet(batch.images), batch.labels)


def cells(supernet: Supernet, batch: Batch) -> Works:
    """Forward and backward pass by the fast cell, and composed of PyTorch's operations."""
    weights = list(probed_weights(supernet).values())

    def fast() -> Tensor:
        return torch.cat([part.flatten() for part in grad(loss_of(supernet, batch), weights)])

    def composed() -> Tensor:
        with composing(supernet):
            return fast()

    return {"fast cell": fast, "composed": composed}


def hessian_products(supernet: Supernet, batch: Batch) -> Works:
    """The Hessian times the weights by the tangent pass, and by PyTorch's transforms."""
    weights = {name: weight.detach() for name, weight in probed_weights(supernet).items()}

    def loss(weights: dict[str, Tensor]) -> Tensor:
        logits = functional_call(supernet, weights, (batch.images,))
        return functional.cross_entropy(logits, batch.labels)

    def transformed() -> Tensor:
        with torch.no_grad(), composing(supernet):
            _, tangents = jvp(gradient_of(loss), (weights,), (weights,))
        return torch.cat([tangents[name].flatten() for name in weights])

    def tangent_pass() -> Tensor:
        _, found = gradient_tangent(supernet, batch.images, batch.labels)
        return torch.cat([found[name].flatten() for name in weights])

    return {"tangent pass": tangent_pass, "jvp of grad": transformed}


def per_sample(supernet: Supernet, batch: Batch) -> Works:
    """Products of per-sample gradients layer by layer, and by ``vmap``."""

    def package() -> Tensor:
        found = weight_gradient_products(supernet, batch.images, losses(batch))
        return torch.from_numpy(found.products)

    def composed() -> Tensor:
        with composing(supernet):
            return package()

    return {
        "per-sample products": package,
        "per-sample products, composed": composed,
        f"vmap in chunks of {CHUNK}": partial(products_by_vmap, supernet, batch),
    }


def products_by_vmap(supernet: Supernet, batch: Batch) -> Tensor:
    """Compute the products of all gradients, with batch statistics as the stored ones."""
    weights = {name: weight.detach() for name, weight in probed_weights(supernet).items()}
    statistics = batch_statistics(supernet, batch.images)

    def loss(weights: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(supernet, {**weights, **statistics}, (image[None],))
        return functional.cross_entropy(logits, label[None])

    before = supernet.batch_norm
    supernet.batch_norm = "running"
    try:
        with torch.no_grad():
            gradients = vmap(gradient_of(loss), in_dims=(None, 0, 0), chunk_size=CHUNK)(
                weights, batch.images, batch.labels
            )
    finally:
        supernet.batch_norm = before
    return sum(product(part) for part in gradients.values())


def batch_statistics(supernet: Supernet, images: Tensor) -> dict[str, Tensor]:
    """Collect the statistics that batch norm computes, by the names of the stored ones."""
    found: dict[str, Tensor] = {}

    def record(name: str, layer: nn.Module, inputs: tuple[Tensor]) -> None:
        variance, mean = torch.var_mean(inputs[0].contiguous(), (0, 2, 3), correction=0)
        found.update({f"{name}.running_mean": mean, f"{name}.running_var": variance})

    with ExitStack() as stack, torch.no_grad(), composing(supernet):
        for name, layer in supernet.named_modules():
            if isinstance(layer, nn.BatchNorm2d):
                stack.enter_context(layer.register_forward_pre_hook(partial(record, name)))
        supernet(images)
    return found


def product(gradients: Tensor) -> Tensor:
    """Compute all inner products, (B, B), of gradients (B, ...), in float64."""
    rows = gradients.detach().flatten(1).double()
    return rows @ rows.T


def agree(works: Works) -> None:
    """Raise an error if the forms differ."""
    first, *others = (work() for work in works.values())
    for other in others:
        bound = TOLERANCE * float(first.abs().max())
        torch.testing.assert_close(other, first, rtol=0, atol=bound)


def compare(works: Works, plain: Callable[[], Tensor], repeats: int) -> list[Figure]:
    """Time forms against a forward and backward pass, and against the first of them."""
    agree(works)
    times = interleaved({"pass": plain, **works}, repeats)
    fast, *simple = works
    figures = [Figure(name, ratio(times, name, "pass"), "x pass") for name in works]
    for name in simple:
        figures.append(Figure(f"{name} / {fast}", ratio(times, name, fast), "x"))
    return [*figures, Figure("pass", median(times["pass"]), "s")]


def memory_figures(size: Size) -> list[Figure]:
    """Measure the peak memory of a process that scores with ``jacobcov``; only on Linux."""
    if not STATUS.exists():
        return []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        peak = pool.submit(peak_memory, "jacobcov", size).result()
    return [Figure("memory of per-sample products", peak, "GB", MEMORY_LIMIT)]


def main(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="A small network, to see that it works.")] = False,
) -> None:
    """Time fast paths against simple forms of the same definition."""
    size = QUICK if quick else replace(Size(), repeats=3)
    supernet, batch = build(size), load_batch("cifar10", size.images, source="synthetic")
    by_cell = cells(supernet, batch)
    figures = memory_figures(size)
    for works in (by_cell, hessian_products(supernet, batch), per_sample(supernet, batch)):
        figures += compare(works, by_cell["composed"], size.repeats)
    show("Fast paths and simple forms", figures, vars(size), json_file)


if __name__ == "__main__":
    typer.run(main)
