"""Progress on standard error: of a run, and of a download."""

import time

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from fewshot_core.runs import RunFolder, Status, cancel

POLL_SECONDS = 0.2


def follow(run: RunFolder, console: Console) -> Status:
    """Show a run's progress until it ends; an interruption cancels it.

    Raises:
        KeyboardInterrupt: After an interrupted run was cancelled.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("starting", total=None)
            while (status := run.status()).state.active:
                total = status.total or None
                bar.update(task, description=status.message, completed=status.done, total=total)
                time.sleep(POLL_SECONDS)
        return status
    except KeyboardInterrupt:
        cancel(run)
        console.print(f"{run.run_id} cancelled", markup=False, highlight=False)
        raise


class DownloadBar:
    """A progress bar in the form that pooch asks for."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("", total=None)
        self._total = 0

    @property
    def total(self) -> int:
        """How many bytes there will be."""
        return self._total

    @total.setter
    def total(self, value: int) -> None:
        self._total = value
        self._progress.start()
        self._progress.update(self._task, total=value)

    def update(self, count: int) -> None:
        """Add bytes."""
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        """Begin again."""
        self._progress.reset(self._task, total=self._total)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()
