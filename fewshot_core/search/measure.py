"""Measuring a step of a search or of a supernet's training, on images of noise."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import torch

from fewshot_core.datasets import DATASETS, Dataset
from fewshot_core.images import Provenance
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import SearchData, halved, normalise
from fewshot_core.search.evaluation import evaluate
from fewshot_core.search.pace import Pace, read_request
from fewshot_core.search.request import SearchRequest
from fewshot_core.search.running import prepare_search, prepare_training
from fewshot_core.search.training_request import TrainingRequest

_STEPS = 2
"""Steps that are timed, after one that is not."""


def answer(question: str) -> str:
    """Return the pace of a request; both are JSON."""
    return json.dumps(asdict(measure(read_request(json.loads(question)))))


def measure(request: SearchRequest | TrainingRequest, steps: int = _STEPS) -> Pace:
    """Return the seconds of a step and of evaluating a batch.

    Args:
        request: What is asked for; images and checkpoint are not needed.
        steps: How many of each to time.
    """
    compute = Compute.create(request.device)
    size = request.options.batch_size
    data = noise(DATASETS.get(request.dataset), 2 * size, request.device)
    rows = torch.arange(size)
    train, valid = data.train.take(rows), data.valid.take(rows)
    if isinstance(request, SearchRequest):
        search = prepare_search(replace(request, checkpoint=None), data=data)
        step = _seconds(lambda: search.step(train, valid), steps, compute)
        network = search.network
    else:
        training = prepare_training(request, data=data)
        step = _seconds(lambda: training.step(train), steps, compute)
        network = training.network
    return Pace(
        step, _seconds(lambda: evaluate(network, data.valid, size, compute), steps, compute)
    )


def _seconds(work: Callable[[], object], times: int, compute: Compute) -> float:
    """Return the mean seconds of some work, after doing it once without timing."""
    work()
    compute.wait()
    started = time.perf_counter()
    for _ in range(times):
        work()
    compute.wait()
    return (time.perf_counter() - started) / times


def noise(dataset: Dataset, count: int, device: str) -> SearchData:
    """Return random pixels and labels."""
    generator = torch.Generator().manual_seed(0)
    shape = (count, 3, dataset.image_size, dataset.image_size)
    pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(dataset.classes, (count,), generator=generator)
    provenance = Provenance(dataset.name, "noise", "noise", True, "train", "", count)
    return halved(normalise(pixels, labels, dataset, device), dataset, provenance)
