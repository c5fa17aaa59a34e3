"""The work of a search and of a supernet's training, inside its own process."""

from contextlib import suppress
from pathlib import Path

from fewshot_core.errors import RunError
from fewshot_core.runs.estimate import record_epochs
from fewshot_core.runs.folder import RunFolder
from fewshot_core.runs.split_job import Reporter
from fewshot_core.search import SearchRequest, TrainingRequest
from fewshot_core.search.job import JobProgress, run_search, run_training


def search(folder: RunFolder, data_dir: Path) -> None:
    """Do the search that a run folder asks for, or what is left of it."""
    request = folder.request()
    if not isinstance(request, SearchRequest):
        raise RunError(f"{folder.run_id} asks for no search")
    report = _Report(folder)
    run_search(request, folder.path, data_dir, report)
    _remember(folder, request, data_dir)
    report.finish()


def train(folder: RunFolder, data_dir: Path) -> None:
    """Train the supernet that a run folder asks for, or go on with it."""
    request = folder.request()
    if not isinstance(request, TrainingRequest):
        raise RunError(f"{folder.run_id} asks for no training")
    report = _Report(folder)
    run_training(request, folder.path, data_dir, report)
    _remember(folder, request, data_dir)
    report.finish()


def _remember(folder: RunFolder, request: SearchRequest | TrainingRequest, data_dir: Path) -> None:
    with suppress(OSError):  # a pace that cannot be kept does not make the run fail
        record_epochs(data_dir, request, folder.records())


class _Report:
    """Passes a job's progress on to the status."""

    def __init__(self, folder: RunFolder) -> None:
        self._reporter = Reporter(folder)

    def __call__(self, progress: JobProgress) -> None:
        if not progress.total:
            self._reporter.say(progress.message)
            return
        ended = progress.record is not None
        self._reporter.step(progress.done, progress.total, progress.message, now=ended)

    def finish(self) -> None:
        """Report the end."""
        self._reporter.finish(self._reporter.status.total)
