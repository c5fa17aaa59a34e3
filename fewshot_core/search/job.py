"""Searches and trainings in a folder: records as they come, and a state to resume from.

The files are listed in ``fewshot_core.search.records``. A job that was ended at any moment and is
run again with the same request goes on after the last epoch that is in its checkpoint, and ends
with the records of an unbroken one.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from fewshot_core.datasets import DATASETS, Dataset
from fewshot_core.images import Provenance
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import SearchData, halved, load_data, normalise
from fewshot_core.search.evaluation import evaluate, shared_accuracy
from fewshot_core.search.loop import Search, SearchState, make_start
from fewshot_core.search.options import SearchError
from fewshot_core.search.pace import Pace, read_request
from fewshot_core.search.proxy import SharedAccuracies, draw
from fewshot_core.search.records import (
    CHECKPOINT,
    DAMAGED,
    RECORDS,
    TABLE,
    EpochRecord,
    StepProgress,
    TrainingRecord,
    append_record,
    read_records,
    write_parquet,
    write_records,
)
from fewshot_core.search.records import (
    ignore as ignore_from_records,
)
from fewshot_core.search.requests import SearchRequest, TrainingRequest
from fewshot_core.search.training import SupernetTraining
from fewshot_core.space import SubSpace

Report = Callable[[StepProgress], None]


def prepare_search(
    request: SearchRequest,
    data_dir: Path | str | None = None,
    progress: Report = ignore_from_records,
    data: SearchData | None = None,
) -> Search:
    """Return the search that is asked for, ready to run from its start.

    Args:
        request: What is asked for.
        data_dir: The data folder.
        progress: Called before each step.
        data: The images, where they are loaded already.

    Raises:
        ImagesError: If there are no such images.
        CheckpointError: If the checkpoint cannot be used.
        SearchError: If there are too few images, or the device cannot be used.
    """
    compute = Compute.create(request.device, request.mixed_precision, request.compiled)
    images = data or _images(request, compute, data_dir)
    checkpoint = None if request.checkpoint is None else Path(request.checkpoint)
    start = make_start(
        request.sub_space, images.dataset.classes, request.options, request.seed, checkpoint
    )
    return Search(
        request.algorithm, start, images, request.options, request.seed, compute, progress
    )


def prepare_training(
    request: TrainingRequest,
    data_dir: Path | str | None = None,
    progress: Report = ignore_from_records,
    data: SearchData | None = None,
) -> SupernetTraining:
    """Return the training that is asked for; arguments and errors as of ``prepare_search``."""
    compute = Compute.create(request.device, request.mixed_precision, request.compiled)
    images = data or _images(request, compute, data_dir)
    return SupernetTraining(images, request.options, request.seed, compute, progress=progress)


def _images(
    request: SearchRequest | TrainingRequest, compute: Compute, data_dir: Path | str | None
) -> SearchData:
    options = request.options
    return load_data(
        request.dataset,
        options.images,
        options.split_seed,
        request.images,
        data_dir,
        compute.device,
    )


@dataclass(frozen=True)
class JobProgress:
    """How a job goes.

    Attributes:
        done: Steps finished, of all epochs together.
        total: Steps in all; 0 where this is not known yet.
        message: What is being done.
        record: The record of the epoch that has just ended, or None.
    """

    done: int
    total: int
    message: str
    record: EpochRecord | TrainingRecord | None = None


Report_of_job = Callable[[JobProgress], None]


def ignore(progress: JobProgress) -> None:
    """Report to nobody."""


class _Resumable(Protocol):
    """A search or a training."""

    @property
    def records(self) -> Sequence[EpochRecord | TrainingRecord]: ...

    def run(self) -> Iterator[EpochRecord] | Iterator[TrainingRecord]: ...

    def state(self) -> SearchState: ...

    def restore(self, state: SearchState) -> None: ...


def run_search(
    request: SearchRequest,
    folder: Path,
    data_dir: Path | str | None = None,
    report: Report_of_job = ignore,
    data: SearchData | None = None,
) -> list[EpochRecord]:
    """Do a search, or what is left of it.

    Args:
        request: What is asked for.
        folder: Where its files are.
        data_dir: The data folder.
        report: Called before each step and after each epoch.
        data: The images, where they are loaded already.

    Returns:
        All records.

    Raises:
        ImagesError: If there are no such images.
        CheckpointError: If the checkpoint to inherit from cannot be used.
        SearchError: If the search cannot be run as asked, or diverges.
    """
    report(JobProgress(0, 0, "loading images"))
    reporter = _Reporter(report, request.options.epochs)
    search = prepare_search(request, data_dir, reporter.step, data)
    _run(search, folder, reporter)
    return search.records


def run_training(
    request: TrainingRequest,
    folder: Path,
    data_dir: Path | str | None = None,
    report: Report_of_job = ignore,
    data: SearchData | None = None,
) -> list[TrainingRecord]:
    """Do a supernet's training, or what is left of it; arguments and errors as ``run_search``."""
    report(JobProgress(0, 0, "loading images"))
    reporter = _Reporter(report, request.options.epochs)
    training = prepare_training(request, data_dir, reporter.step, data)
    _run(training, folder, reporter)
    return training.records


class _Reporter:
    """Turns steps of epochs into progress of a job."""

    def __init__(self, report: Report_of_job, epochs: int) -> None:
        self._report = report
        self._latest = StepProgress(0, epochs, 0, 0)

    def step(self, progress: StepProgress) -> None:
        """Report the step that is about to be done."""
        self._latest = progress
        done, total = self._steps()
        message = (
            f"epoch {progress.epoch} of {progress.epochs}, "
            f"step {progress.step + 1} of {progress.steps}"
        )
        self._report(JobProgress(done, total, message if progress.epoch else "evaluating"))

    def say(self, message: str) -> None:
        """Report something that is no step."""
        self._report(JobProgress(*self._steps(), message))

    def epoch(self, record: EpochRecord | TrainingRecord) -> None:
        """Report the end of an epoch."""
        latest = self._latest
        message = f"epoch {record.epoch} of {latest.epochs} done"
        total = latest.epochs * latest.steps
        self._report(JobProgress(record.epoch * latest.steps, total, message, record))

    def _steps(self) -> tuple[int, int]:
        latest = self._latest
        before = max(0, latest.epoch - 1) * latest.steps
        return before + latest.step, latest.epochs * latest.steps


def _run(job: _Resumable, folder: Path, reporter: _Reporter) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _resume(job, folder / CHECKPOINT, reporter)
    write_records(folder / RECORDS, _plain(job.records))
    for record in job.run():
        job.state().save(folder / CHECKPOINT)
        append_record(folder / RECORDS, record.to_dict())
        reporter.epoch(record)
    write_parquet(folder / TABLE, _plain(job.records))


def _resume(job: _Resumable, path: Path, reporter: _Reporter) -> None:
    """Go on from a checkpoint; one that cannot be used is set aside, and all is done anew."""
    if not path.exists():
        return
    try:
        job.restore(SearchState.load(path))
        reporter.say(f"going on after epoch {job.records[-1].epoch}")
    except SearchError as error:
        path.replace(path.with_name(DAMAGED))
        reporter.say(f"starting anew: {error}")


def _plain(records: Sequence[EpochRecord | TrainingRecord]) -> list[dict[str, Any]]:
    return [record.to_dict() for record in records]


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


def measure_shared(
    request: SearchRequest | TrainingRequest,
    folder: Path,
    data_dir: Path | str | None = None,
    sample: int = 100,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SharedAccuracies:
    """Return the accuracies of random architectures with the weights of a run's checkpoint.

    They are measured on the half of the images that searches hold out, each batch normalised by its
    own statistics.

    Args:
        request: What the run was asked.
        folder: Its folder.
        data_dir: The data folder.
        sample: How many architectures of its sub-space.
        seed: Which ones.
        progress: Called with the numbers done and in all, before each.

    Raises:
        CheckpointError: If the run has no checkpoint yet, or a damaged one.
        ImagesError: If its images are missing.
        SearchError: If fewer than two architectures are asked for or there are.
    """
    options = request.options
    space = request.sub_space if isinstance(request, SearchRequest) else SubSpace.full()
    drawn = draw(space.architecture_indices(), sample, seed)
    if len(drawn) < 2:
        raise SearchError(f"expected 2 architectures or more to compare, got {len(drawn)}")
    classes = DATASETS.get(request.dataset).classes
    compute = Compute.create(request.device, request.mixed_precision)
    supernet = Supernet(space, classes, options.channels, options.cells_per_stage)
    load_checkpoint(supernet, folder / CHECKPOINT)
    supernet.to(compute.device)
    images = load_data(
        request.dataset,
        options.images,
        options.split_seed,
        request.images,
        data_dir,
        compute.device,
    ).valid
    accuracies = []
    for number, index in enumerate(drawn):
        progress(number, len(drawn))
        accuracies.append(shared_accuracy(supernet, index, images, options.batch_size, compute))
    epoch = int(read_records(folder / RECORDS)[-1]["epoch"])
    held_out = isinstance(request, SearchRequest) or request.options.trained_on == "half"
    return SharedAccuracies(epoch, seed, len(images), held_out, tuple(drawn), tuple(accuracies))
