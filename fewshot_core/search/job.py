"""The work of a search or training in a folder: records as they come, and a state to go on from.

The files are listed in ``fewshot_core.search.layout``. A job that was ended at any moment and is
run again with the same request goes on after the last epoch that is in its checkpoint, and ends
with the records of an unbroken one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fewshot_core.search.data import SearchData
from fewshot_core.search.errors import SearchError
from fewshot_core.search.layout import CHECKPOINT, DAMAGED, RECORDS, TABLE
from fewshot_core.search.progress import StepProgress
from fewshot_core.search.record_file import append_record, write_records
from fewshot_core.search.record_table import write_parquet
from fewshot_core.search.records import EpochRecord, TrainingRecord
from fewshot_core.search.request import SearchRequest
from fewshot_core.search.running import prepare_search, prepare_training
from fewshot_core.search.state import SearchState
from fewshot_core.search.training_request import TrainingRequest


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


Report = Callable[[JobProgress], None]


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
    report: Report = ignore,
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
    report: Report = ignore,
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

    def __init__(self, report: Report, epochs: int) -> None:
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
