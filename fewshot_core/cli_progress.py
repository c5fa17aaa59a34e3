"""Progress on standard error: of a run, and of a download."""

import time

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from fewshot_core.runs import RunFolder, State, Status, cancel

POLL_SECONDS = 0.2


def follow(run: RunFolder, console: Console, ours: bool = True) -> Status:
    """Wait for a run to end, showing its progress on a terminal.

    Args:
        run: The run.
        console: The terminal.
        ours: Whether an interruption cancels it, rather than leaving it to whoever started it.

    Raises:
        KeyboardInterrupt: After an interruption.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    try:
        hidden = not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
            task = bar.add_task("starting", total=None)
            while (status := run.status()).state.active:
                total = status.total or None
                bar.update(task, description=status.message, completed=status.done, total=total)
                time.sleep(POLL_SECONDS)
        return status
    except KeyboardInterrupt:
        if ours:
            cancel(run)
        end = "cancelled" if ours else "goes on: it was started elsewhere"
        console.print(f"{run.run_id} {end}", markup=False, highlight=False)
        raise


def follow_to_end(run: RunFolder, console: Console, asked: float) -> None:
    """Wait for a run that was asked for; where it does not end well, say so and end the command.

    Args:
        run: The run.
        console: The terminal.
        asked: The time when it was asked for; a run that started later is the command's own.

    Raises:
        typer.Exit: If the run is not done.
    """
    status = follow(run, console, ours=(run.status().started or 0.0) >= asked)
    if status.state is not State.DONE:
        console.print(f"{run.run_id} {status.state}: {status.message}", markup=False, style="red")
        console.print(f"log: {run.log_path}", markup=False)
        raise typer.Exit(1)


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
