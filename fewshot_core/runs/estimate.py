"""Estimates of how long a run will take, from how long runs of its kind took on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fewshot_core.data_folder import write_json
from fewshot_core.datasets import DATASETS
from fewshot_core.documents import DAMAGE, read_document
from fewshot_core.images import find_source
from fewshot_core.images.sources import open_reader
from fewshot_core.metrics import METRICS
from fewshot_core.runs.folder import Status, run_folder
from fewshot_core.runs.jobs import computing_environment
from fewshot_core.runs.requests import (
    EstimateRequest,
    MetricRequest,
    ProxyRequest,
    Request,
    SearchRequest,
    SplitRequest,
    TrainingRequest,
)
from fewshot_core.search.options import SearchError
from fewshot_core.space import NAS_BENCH_201, SubSpace, get_space

Timed = SplitRequest | EstimateRequest | SearchRequest | TrainingRequest
"""Requests whose time is that of their work on images."""

_FILE = "pace.json"
_TIMEOUT = 600.0
_MEASURE = """
import json, sys
from pathlib import Path
from fewshot_core.runs.requests import read_request
kind, document, data_dir = json.load(sys.stdin)
request = read_request(kind, document)
if kind == "estimate":
    from fewshot_core.runs.split_job import seconds_per_architecture
    print(seconds_per_architecture(request, Path(data_dir)))
else:
    from fewshot_core.runs.search_job import seconds_per_image
    print(seconds_per_image(request))
"""

# Rough shares of the operations in the time of a cell, and of the rest of the network.
_COST = {
    "none": 0.0,
    "skip_connect": 0.5,
    "nor_conv_1x1": 2.0,
    "nor_conv_3x3": 6.0,
    "avg_pool_3x3": 1.5,
    "identity": 0.5,
    "mb3_k3": 4.0,
    "mb6_k5": 10.0,
}
_USUAL = 4.0
_FIXED = 10.0


def duration_text(seconds: float) -> str:
    """Return a time rounded sensibly: "40 s", "3 min", "2.5 h"."""
    if seconds < 0.95:
        return "less than a second"
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def estimate_seconds(data_dir: Path, request: Request) -> float | None:
    """Estimate the seconds of a run, or None before one of its kind was measured here.

    The pace of a run of the same size, or else of the last run, is scaled by the work of the
    request: images, pixels, cells, the square of the channels and, for a search, the operations of
    its sub-space. A warm-up between the levels of a tree has its own pace. Raises
    ImagesError if the images of a search on all of them are missing.
    """
    paces = _read(data_dir)
    if isinstance(request, ProxyRequest):
        return _estimate_proxy(data_dir, request, paces.get(_key(request)))
    pace, warm_up = paces.get(_exact_key(request), paces.get(_key(request))), 0.0
    if isinstance(request, SplitRequest):
        if METRICS.get(request.metric).baseline:  # a split at random takes no time
            pace = 0.0
        if request.tree.warm_ups:
            warm_up_pace = paces.get(_warm_up_key(request))
            if warm_up_pace is None:
                return None
            warm_up = warm_up_pace * _warm_up_work(request) * request.tree.warm_ups
    if pace is None:
        return None
    return pace * _work(request) * _times(request, data_dir) + warm_up


def total_left(data_dir: Path, runs: Iterable[tuple[Request, Status | None, int]]) -> float | None:
    """Estimate the seconds that some runs will still take, or None where one cannot be estimated.

    A run that has measured its own pace corrects the estimates of the others of its kind where they
    were wrong by more than half. Raises as ``estimate_seconds``.

    Args:
        data_dir: The data folder.
        runs: Their requests, status (None before they are started) and epochs done.
    """
    total, corrections = 0.0, dict[str, float]()
    waiting: list[tuple[str, float]] = []
    for request, status, epochs in runs:
        estimate = estimate_seconds(data_dir, request)
        pace = status.seconds_per_step if status is not None else None
        if status is not None and pace is not None:
            total += status.seconds_left or 0.0
            measured = pace * status.total
            if estimate and abs(measured - estimate) > estimate / 2:
                corrections[_key(request)] = measured / estimate
        elif estimate is None:
            return None
        else:
            share = 0.0
            if isinstance(request, SearchRequest | TrainingRequest):
                share = epochs / request.options.epochs
            waiting.append((_key(request), estimate * (1 - share)))
    return total + sum(seconds * corrections.get(key, 1.0) for key, seconds in waiting)


def record_pace(data_dir: Path, request: Timed, seconds: float) -> None:
    """Store the seconds of one scored operation or, for a search, of one image."""
    _store(data_dir, seconds / _work(request), _key(request), _exact_key(request))


def record_proxy(data_dir: Path, request: ProxyRequest, seconds: float) -> None:
    """Store the seconds of the evaluation of architectures, against those of an epoch."""
    if rough := _estimate_proxy(data_dir, request, 1.0):
        _store(data_dir, seconds / rough, _key(request))


def _estimate_proxy(data_dir: Path, request: ProxyRequest, pace: float | None) -> float | None:
    """Scale the seconds of an epoch of the run, which passes over both halves of the images.

    Before it is measured, evaluating an architecture on the half that is held out is taken to need
    one of seven passes: three each for the steps of weights and of architecture, one to evaluate.
    """
    records = run_folder(request.run, data_dir).records()
    seconds = [float(record["seconds"]) for record in records if record["epoch"] > 0]
    if not seconds:
        return None
    return (1 / 7 if pace is None else pace) * request.sample * sum(seconds) / len(seconds)


def record_warm_up(data_dir: Path, request: SplitRequest, seconds: float) -> None:
    """Store the seconds of the warm-up of one sub-supernet."""
    _store(data_dir, seconds / _warm_up_work(request), _warm_up_key(request))


def _store(data_dir: Path, pace: float, *keys: str) -> None:
    write_json(data_dir / _FILE, _read(data_dir) | dict.fromkeys(keys, pace))


def _warm_up_key(request: SplitRequest) -> str:
    network = request.network
    size = f"{network.channels}x{network.cells_per_stage}"
    return f"{_of_space(request)}warm-up/{size}/{request.device}"


def _warm_up_work(request: SplitRequest) -> float:
    pixels = DATASETS.get(request.dataset).image_size ** 2
    return float(request.tree.warm_up_epochs * request.tree.warm_up_images * pixels)


def record_epochs(
    data_dir: Path, request: SearchRequest | TrainingRequest, records: Sequence[dict[str, Any]]
) -> None:
    """Store the pace of the epochs of a finished search or training."""
    seconds = [record["seconds"] for record in records if record["epoch"] > 0]
    if seconds:
        images = _times(request, data_dir) / request.options.epochs
        record_pace(data_dir, request, sum(seconds) / len(seconds) / images)


def measure(data_dir: Path, request: SearchRequest | TrainingRequest | EstimateRequest) -> None:
    """Time some steps of a search or training on noise, or some scores, in its own process.

    Raises:
        ImagesError: If its images are missing.
        SearchError: If the steps fail; the message ends with the last line of that process.
    """
    if request.needs_images:
        find_source(request.dataset, request.images, data_dir)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE],
            input=json.dumps([request.kind, request.to_dict(), str(data_dir)]),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            env=computing_environment(os.environ),
        )
    except subprocess.TimeoutExpired as error:
        raise SearchError(f"a step takes longer than {_TIMEOUT:g} seconds here") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SearchError(f"a step cannot be measured: {last[0]}")
    record_pace(data_dir, request, float(done.stdout))


def count_images(
    dataset: str, source: Path | str | None = None, data_dir: Path | str | None = None
) -> int:
    """Count the training images of a source, without reading them; raises as ``find_source``."""
    return len(open_reader(find_source(dataset, source, data_dir), "train").labels)


def _of_space(request: Request) -> str:
    return "" if request.space == NAS_BENCH_201.name else f"{request.space}/"


def _key(request: Request) -> str:
    if isinstance(request, ProxyRequest):
        return f"{_of_space(request)}proxy/{request.device}"
    if isinstance(request, MetricRequest):
        each = "architectures/" * isinstance(request, EstimateRequest)
        return f"{_of_space(request)}{each}{request.metric}/{request.variant}/{request.device}"
    compiled = "/compiled" if request.compiled else ""
    name = request.algorithm if isinstance(request, SearchRequest) else "train"
    options = request.options
    size = f"{options.channels}x{options.cells_per_stage}x{options.batch_size}"
    return f"{_of_space(request)}{name}/{size}/{request.device}{compiled}"


def _exact_key(request: Timed) -> str:
    """Return the key of the pace of requests of the same size, whose work is not only scaled."""
    if not isinstance(request, MetricRequest):
        return f"{_key(request)}/{request.dataset}/{_work(request):.4g}"
    network = request.network
    size = f"{network.channels}x{network.cells_per_stage}x{request.batch_size}"
    return f"{_key(request)}/{request.dataset}/{size}"


def _work(request: Timed) -> float:
    if isinstance(request, MetricRequest) and not METRICS.get(request.metric).needs_images:
        return float(request.network.cells_per_stage or 1)
    pixels = DATASETS.get(request.dataset).image_size ** 2
    if isinstance(request, MetricRequest):
        network = request.network
        images = request.batch_size * request.batches
        return float(images * pixels * network.cells_per_stage * network.channels**2)
    return pixels * step_work(request.sub_space)


def step_work(sub_space: SubSpace) -> float:
    """Rough work of a training step of a sub-space's network, in which all operations compute."""
    decisions = zip(sub_space.space.decisions, sub_space.enabled, strict=True)
    names = [decision.operations[number] for decision, row in decisions for number in row]
    return _FIXED + sum(_COST.get(name, _USUAL) for name in names)


def _times(request: Timed, data_dir: Path) -> float:
    """How often the work is done: scored operations or architectures, or images of all epochs."""
    if isinstance(request, EstimateRequest):
        return float(request.sample or get_space(request.space, data_dir).size)
    if isinstance(request, SplitRequest):
        return float(request.tree.scorings(get_space(request.space, data_dir)))
    options = request.options
    images = options.images
    if images is None:
        images = count_images(request.dataset, request.images, data_dir)
    return float(options.epochs * images)


def _read(data_dir: Path) -> dict[str, float]:
    try:
        content = read_document(data_dir / _FILE)
    except DAMAGE:
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: pace for key, pace in content.items() if isinstance(pace, int | float)}
