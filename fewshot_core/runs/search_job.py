"""The work of a search and of a supernet's training, inside its own process.

Records are appended as epochs end, and a checkpoint holds the state to resume from; the files are
listed in ``fewshot_core.search.records``. A job that was ended at any moment and is run again with
the same request resumes after the last epoch in its checkpoint, and ends with the records of an
unbroken one.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from fewshot_core.datasets import DATASETS, Dataset
from fewshot_core.errors import RunError
from fewshot_core.images import Provenance
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.runs.estimate import record_epochs, record_proxy
from fewshot_core.runs.folder import RunFolder, run_folder
from fewshot_core.runs.requests import ProxyRequest, SearchRequest, TrainingRequest
from fewshot_core.runs.split_job import Reporter
from fewshot_core.search.compute import Compute
from fewshot_core.search.data import SearchData, halved, load_data, normalise
from fewshot_core.search.evaluation import evaluate, shared_accuracies
from fewshot_core.search.loop import Search, SearchState, prepare_search
from fewshot_core.search.options import SearchError
from fewshot_core.search.proxy import SharedAccuracies, draw, write_shared
from fewshot_core.search.records import (
    CHECKPOINT,
    DAMAGED,
    RECORDS,
    TABLE,
    StepProgress,
    append_record,
    ignore,
    read_records,
    write_parquet,
    write_records,
)
from fewshot_core.search.training import SupernetTraining


def run(folder: RunFolder, data_dir: Path) -> None:
    """Do the search or training of a run folder, as far as it is not finished."""
    request = folder.request()
    if not isinstance(request, SearchRequest | TrainingRequest):
        raise RunError(f"{folder.run_id} is no search or training")
    reporter = Reporter(folder)
    job = run_epochs(request, folder.path, reporter, data_dir)
    with suppress(OSError):  # a pace that cannot be stored does not make the run fail
        record_epochs(data_dir, request, folder.records())
    reporter.finish(request.options.epochs * job.steps)


def run_proxy(folder: RunFolder, data_dir: Path) -> None:
    """Measure how well the weights of a search or training rank architectures."""
    request = folder.request()
    if not isinstance(request, ProxyRequest):
        raise RunError(f"{folder.run_id} does not measure proxy quality")
    source = run_folder(request.run, data_dir)
    measured = source.request()
    if not isinstance(measured, SearchRequest | TrainingRequest):
        raise RunError(f"{request.run} has no shared weights: expected a search or a training")
    reporter = Reporter(folder)
    reporter.say("loading images")

    def report(done: int, total: int) -> None:
        reporter.step(done, total, f"{done} of {total} architectures")

    shared = measure_shared(measured, source.path, data_dir, request.sample, request.seed, report)
    write_shared(folder.path, shared)
    folder.store_estimate(data_dir)
    with suppress(OSError):
        record_proxy(data_dir, request, reporter.seconds)
    reporter.finish(len(shared.architectures))


def run_epochs(
    request: SearchRequest | TrainingRequest,
    folder: Path,
    progress: Reporter,
    data_dir: Path | str | None = None,
    data: SearchData | None = None,
) -> Search | SupernetTraining:
    """Do all epochs that are not done yet, and write their files; ``data`` replaces loading images.

    Raises:
        ImagesError, CheckpointError: If the images, or the checkpoint to inherit from, are missing.
        SearchError: If the options do not fit the images or the device, or the loss diverges.
    """
    progress.say("loading images")
    epochs = request.options.epochs

    def report(step: StepProgress) -> None:
        message = f"epoch {step.epoch} of {epochs}, step {step.step + 1} of {step.steps}"
        done = max(0, step.epoch - 1) * step.steps + step.step
        progress.step(done, epochs * step.steps, message if step.epoch else "evaluating")

    job = prepare(request, data_dir, report, data)
    folder.mkdir(parents=True, exist_ok=True)
    _resume(job, folder / CHECKPOINT, progress)
    write_records(folder / RECORDS, [record.to_dict() for record in job.records])
    for record in job.run():
        job.state().save(folder / CHECKPOINT)
        append_record(folder / RECORDS, record.to_dict())
        message = f"epoch {record.epoch} of {epochs} done"
        progress.step(record.epoch * job.steps, epochs * job.steps, message, now=True)
    write_parquet(folder / TABLE, [record.to_dict() for record in job.records])
    return job


def prepare(
    request: SearchRequest | TrainingRequest,
    data_dir: Path | str | None = None,
    progress: Callable[[StepProgress], None] = ignore,
    data: SearchData | None = None,
) -> Search | SupernetTraining:
    """Build the search or training of a request, ready to run; raises as ``run_epochs``."""
    compute = Compute.create(request.device, request.precision, request.compiled)
    if isinstance(request, TrainingRequest):
        options, images = request.options, request.images
        data = data or load_data(
            request.dataset, options.images, options.split_seed, images, data_dir, compute.device
        )
        return SupernetTraining(
            data, options, request.seed, compute, request.sub_space, progress=progress
        )
    return prepare_search(
        request.algorithm,
        request.sub_space,
        request.dataset,
        request.options,
        request.seed,
        request.images,
        data_dir,
        request.checkpoint,
        compute,
        progress,
        data,
    )


def _resume(job: Search | SupernetTraining, path: Path, progress: Reporter) -> None:
    """Go on from a checkpoint; one that cannot be used is renamed, and all epochs are repeated."""
    if not path.exists():
        return
    try:
        job.restore(SearchState.load(path))
        progress.say(f"resuming after epoch {job.records[-1].epoch}")
    except SearchError as error:
        path.replace(path.with_name(DAMAGED))
        progress.say(f"starting again from epoch 0: {error}")


def seconds_per_image(request: SearchRequest | TrainingRequest, steps: int = 2) -> float:
    """Time some steps on noise; return the mean seconds of an epoch for each image.

    ``steps`` steps and evaluated batches are timed, after one of each that is not.
    """
    compute = Compute.create(request.device)
    size = request.options.batch_size
    data = noise(DATASETS.get(request.dataset), 2 * size, request.device)
    rows = torch.arange(size)
    train, valid = data.train.take(rows), data.valid.take(rows)
    if isinstance(request, SearchRequest):
        request = replace(request, checkpoint=None)
    job = prepare(request, data=data)
    if isinstance(job, Search):
        step = _seconds(lambda: job.step(train, valid), steps, compute)
    else:
        step = _seconds(lambda: job.step(train), steps, compute)
        if job.options.trained_on == "all":
            return step / size
    evaluation = _seconds(lambda: evaluate(job.network, data.valid, size, compute), steps, compute)
    return (step + evaluation) / (2 * size)  # one half of the images is held out


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
    """Create random pixels and labels."""
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
    """Measure the accuracies of random architectures with the weights of a run's checkpoint.

    They are measured on the half of the images that searches hold out, each batch normalised by its
    own statistics; ``progress`` gets the numbers done and in all, before each.

    Raises:
        CheckpointError: If the run has no checkpoint yet, or a damaged one.
        ImagesError: If its images are missing.
        SearchError: If fewer than two architectures are requested or exist.
    """
    options, space = request.options, request.sub_space
    drawn = draw(space.architecture_indices(), sample, seed)
    if len(drawn) < 2:
        raise SearchError(f"expected 2 architectures or more to compare, got {len(drawn)}")
    classes = DATASETS.get(request.dataset).classes
    compute = Compute.create(request.device, request.precision)
    supernet = Supernet(space, classes, options.channels, options.cells_per_stage)
    load_checkpoint(supernet, folder / CHECKPOINT)
    compute.place(supernet)
    images = load_data(
        request.dataset,
        options.images,
        options.split_seed,
        request.images,
        data_dir,
        compute.device,
    ).valid
    values = shared_accuracies(supernet, drawn, images, options.batch_size, compute, progress)
    epoch = int(read_records(folder / RECORDS)[-1]["epoch"])
    held_out = isinstance(request, SearchRequest) or request.options.trained_on == "half"
    return SharedAccuracies(epoch, seed, len(images), held_out, tuple(drawn), tuple(values))
