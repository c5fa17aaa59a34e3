"""The work of a split, and of scoring architectures by a metric, inside its own process."""

import math
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import RunError
from fewshot_core.images.sources import Batch, load_batch
from fewshot_core.metrics import ScoreCache, score_operations
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.networks import has_supernet
from fewshot_core.runs.estimate import duration_text, record_pace, record_warm_up
from fewshot_core.runs.folder import RunFolder, State
from fewshot_core.runs.requests import EstimateRequest, MetricRequest, SplitRequest
from fewshot_core.search import SearchError, StepProgress
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import load_data
from fewshot_core.search.records import SCORES, append_record
from fewshot_core.search.training import WarmUp
from fewshot_core.space import SearchSpace, SubSpace, get_space
from fewshot_core.splitting import Progress, split

STATUS_INTERVAL = 0.2
"""Seconds between two writings of the status."""

STORE_INTERVAL = 2.0
"""Seconds between two writings of scores of architectures, which are lost if a run is ended."""


class Reporter:
    """Writes a run's status as its work goes on."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.status = replace(folder.status(), state=State.RUNNING)
        self._written = -math.inf
        self._start = 0.0

    def say(self, message: str) -> None:
        """Report what is being done before the first step."""
        self._write(message=message)

    def step(self, done: int, total: int, message: str, now: bool = False) -> None:
        """Report the next step; ``now`` even if the status was written a moment ago."""
        if self.status.step_started is None:
            self._start = time.perf_counter()
            self.status = replace(self.status, step_started=time.time(), first_step=done)
        self.status = replace(self.status, done=done, total=total, message=message)
        if now or time.monotonic() - self._written > STATUS_INTERVAL:
            self._write()

    @property
    def seconds(self) -> float:
        """The time since the first step of this process."""
        return time.perf_counter() - self._start if self._start else 0.0

    def log(self, sentence: str) -> None:
        """Write a sentence to the log only."""
        print(sentence, flush=True)

    def finish(self, total: int) -> None:
        """Report the end, after so many steps in all."""
        memory = f"{peak_memory() / 1e9:.1f} GB of memory"
        seconds = self.status.earlier + self.seconds
        message = f"done in {duration_text(seconds)} with {memory}"
        self._write(state=State.DONE, done=total, total=total, message=message)

    def _write(self, **changes: object) -> None:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        self.folder.write_status(self.status)
        self._written = time.monotonic()
        print(f"{self.status.done}/{self.status.total} {self.status.message}", flush=True)


def peak_memory() -> int:
    """Peak memory of this process, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # bytes there, kilobytes elsewhere


def run(folder: RunFolder, data_dir: Path) -> None:
    """Do the split of a run folder."""
    request = folder.split_request()
    reporter = _Reporter(folder)
    reporter.say("building the supernet")
    space = get_space(request.space, data_dir)
    supernet = _supernet(request, space) if has_supernet(space, request.dataset) else None
    batches = _batches(request, data_dir)
    warm_up = _warm_up(request, data_dir, reporter)
    cache = ScoreCache(data_dir / "scores", reporter.log)
    tree = split(
        request.metric,
        supernet,
        batches,
        request.tree.edges,
        request.tree.groups,
        variant=request.variant,
        batch_norm=request.batch_norm,
        seed=request.seed,
        balanced=request.tree.balanced,
        policy=request.tree.policy,
        image_size=DATASETS.get(request.dataset).image_size if supernet else 32,
        details=_details(request, supernet, batches),
        progress=reporter.progress,
        cache=cache,
        warm_up=warm_up,
        space=space,
    )
    folder.write_tree(tree)
    if cache.hits:
        total = cache.hits + cache.computed
        reporter.log(f"{cache.hits} of {total} scores were cached")
    if cache.computed:
        pace = cache.seconds / cache.computed * len(batches or [None])
        with suppress(OSError):  # a pace that cannot be stored does not make the split fail
            record_pace(data_dir, request, pace)
    if warm_up is not None:
        with suppress(OSError):
            record_warm_up(data_dir, request, warm_up.seconds / warm_up.trained)
    reporter.finish(reporter.status.done + 1)


def run_estimate(folder: RunFolder, data_dir: Path) -> None:
    """Score the architectures of a run folder that are not scored yet, and store all as a table."""
    request = folder.request()
    if not isinstance(request, EstimateRequest):
        raise RunError(f"{folder.run_id} does not score architectures")
    reporter = Reporter(folder)
    reporter.say("building the supernet")
    space = get_space(request.space, data_dir)
    score = _scorer(request, space, data_dir)
    wanted = request.architectures(space)
    done = len(folder.scores())
    chunk: list[float | None] = []
    stored = time.monotonic()
    for position in range(done, len(wanted)):
        message = f"{position:,} of {len(wanted):,} architectures"
        reporter.step(position, len(wanted), message)
        chunk.append(score(wanted[position]))
        if time.monotonic() - stored > STORE_INTERVAL or position == len(wanted) - 1:
            first = position + 1 - len(chunk)
            append_record(folder.path / SCORES, {"first": first, "values": chunk})
            chunk, stored = [], time.monotonic()
    folder.store_estimate(data_dir)
    if done < len(wanted):
        with suppress(OSError):
            record_pace(data_dir, request, reporter.seconds / (len(wanted) - done))
    reporter.finish(len(wanted))


def _scorer(
    request: EstimateRequest, space: SearchSpace, data_dir: Path
) -> Callable[[int], float | None]:
    """Create the function that scores an architecture; None where the score is not finite.

    An architecture is a sub-space with one operation for each decision. Its weights are those of
    the one supernet, which is left as it is.
    """
    supernet, batches = _supernet(request, space), _batches(request, data_dir)
    size = DATASETS.get(request.dataset).image_size

    shared = max(0, len(space.shape) - 2)

    @lru_cache(maxsize=1)
    def restricted(operations: tuple[int, ...]) -> Supernet:
        """Restrict the first decisions: architectures that follow each other share them."""
        kept = SubSpace.full(space)
        for number, operation in enumerate(operations):
            kept = kept.keep(number, [operation])
        return supernet.restrict(kept)

    def score(index: int) -> float | None:
        operations = tuple(space.decode(index))
        architecture = SubSpace(tuple((number,) for number in operations), space)
        [value] = score_operations(
            request.metric,
            restricted(operations[:shared]).restrict(architecture),
            0,
            batches,
            request.variant,
            request.batch_norm,
            request.seed,
            image_size=size,
        ).values
        if value is None:
            raise RunError(f"{request.metric} does not score single architectures")
        return value if math.isfinite(value) else None

    return score


def seconds_per_architecture(request: EstimateRequest, data_dir: Path, count: int = 8) -> float:
    """Time the scores of some architectures in the middle, after one that is not timed."""
    space = get_space(request.space, data_dir)
    score = _scorer(request, space, data_dir)
    wanted = request.architectures(space)
    first, *others = wanted[(len(wanted) - count) // 2 - 1 :][: count + 1]
    score(first)
    started = time.perf_counter()
    for index in others:
        score(index)
    return (time.perf_counter() - started) / len(others)


class _Reporter(Reporter):
    """Writes a split's status, and its tree whenever that has a new node."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(folder)
        self._nodes = 0

    def progress(self, progress: Progress) -> None:
        """Report the operation to be scored next."""
        if len(progress.tree.nodes) > self._nodes:
            self._nodes = len(progress.tree.nodes)
            self.folder.write_tree(progress.tree)
        space = progress.tree.space
        operation = space.decisions[progress.edge].operations[progress.operation]
        message = (
            f"scoring {operation} on {space.decision_label(progress.edge)}, node {self._nodes + 1}"
        )
        self.step(progress.done, progress.total, message)

    def training(self, progress: StepProgress) -> None:
        """Report the next step of a warm-up."""
        message = (
            "warming up a sub-supernet: "
            f"epoch {progress.epoch} of {progress.epochs}, "
            f"step {progress.step + 1} of {progress.steps}"
        )
        self.step(self.status.done, self.status.total, message)


def _supernet(request: MetricRequest, space: SearchSpace) -> Supernet:
    network = request.network
    # Weights from a checkpoint have no seed; thin networks, drawn by it, must not differ either.
    seed = 0 if network.checkpoint else network.seed
    supernet = Supernet(
        SubSpace.full(space),
        num_classes=DATASETS.get(request.dataset).classes,
        channels=network.channels,
        cells_per_stage=network.cells_per_stage,
        seed=seed,
    )
    if network.checkpoint is not None:
        load_checkpoint(supernet, Path(network.checkpoint))
    try:
        return Compute.create(request.device).place(supernet)
    except SearchError as error:
        raise RunError(str(error)) from error


def _batches(request: MetricRequest, data_dir: Path) -> list[Batch] | None:
    if not request.needs_images:
        return None
    return [
        load_batch(
            request.dataset,
            request.batch_size,
            seed=request.batch_seed + number,
            source=request.images,
            data_dir=data_dir,
        )
        for number in range(request.batches)
    ]


def _warm_up(request: SplitRequest, data_dir: Path, reporter: _Reporter) -> WarmUp | None:
    tree = request.tree
    if not tree.warm_ups:
        return None
    compute = Compute.create(request.device)
    data = load_data(
        request.dataset, tree.warm_up_images, request.seed, request.images, data_dir, compute.device
    )
    return WarmUp(data, tree.warm_up_epochs, request.seed, compute, reporter.training)


def _details(
    request: SplitRequest, supernet: Supernet | None, batches: list[Batch] | None
) -> dict[str, Any]:
    """How the tree was made, for its readers."""
    described = request.network.describe(request.fixed_depth)
    network = [described, supernet.history] if supernet else []
    return {
        "dataset": request.dataset,
        "network": ", ".join(filter(None, network)) or "none",
        "weights": supernet.weights if supernet else "none",
        "device": request.device,
        "images": batches[0].provenance.describe() if batches else None,
        "synthetic": batches[0].provenance.synthetic if batches else False,
        "batch_size": request.batch_size if batches else None,
        "batches": request.batches if batches else None,
        "warm_up_epochs": request.tree.warm_up_epochs,
        "warm_up_images": request.tree.warm_up_images if request.tree.warm_up_epochs else None,
    }
