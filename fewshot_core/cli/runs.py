"""The commands ``fewshot runs``, ``fewshot grid`` and ``fewshot cache ...``."""

import signal
from collections.abc import Iterator
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from fewshot_core.cli.common import AsJson, DataDir, SpaceName, err, show, table_of
from fewshot_core.data_folder import data_dir, demo_dir
from fewshot_core.errors import RunError
from fewshot_core.runs import quarantine, run_folder
from fewshot_core.runs.cluster.clusters import ClusterOptions, job_script, open_client
from fewshot_core.runs.cluster.config import Grid, read_grid
from fewshot_core.runs.cluster.driver import GridReport, finished_before, run_grid
from fewshot_core.runs.estimate import duration_text
from fewshot_core.runs.jobs import choose_device
from fewshot_core.runs.overview import read_notes, summarise
from fewshot_core.store import Verified, rebuild, verify


def run_runs(
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List runs with their names, tags and notes, the latest first."""
    place = data_dir(folder)
    read_notes(place)  # raises an error if they are damaged
    runs = [run for run in summarise(place) if tag is None or tag in run.notes.tags]
    document = [
        {
            "run": run.run_id,
            "state": run.state,
            "seconds": run.seconds,
            "bytes": run.size,
            **asdict(run.notes),
        }
        for run in runs
    ]
    columns = (Column("run", overflow="fold"), "state", "took", "name", "tags", "notes")
    rows = (
        (
            "* " * run.notes.pinned + run.run_id,
            run.state,
            "-" if run.seconds is None else duration_text(run.seconds),
            escape(run.notes.name),
            escape(", ".join(run.notes.tags)),
            escape(run.notes.text),
        )
        for run in runs
    )
    shown = table_of(columns, rows, caption="* pinned") if runs else "no runs"
    show(as_json, document, shown)


def run_grid_command(
    config: Annotated[Path, typer.Argument(help="A TOML file with the grid.")],
    cluster: Annotated[
        str | None, typer.Option(help="local, slurm, or the address of a scheduler (tcp://...).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes on this machine, or SLURM jobs.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or mps, if the file does not set it.")
    ] = "auto",
    space: SpaceName = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would be computed.")] = False,
    script: Annotated[
        bool, typer.Option("--job-script", help="Only print the script of a SLURM job.")
    ] = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Compute a grid of splits and searches on a cluster; finished runs are skipped."""
    grid = read_grid(config, choose_device(device), space, data_dir(folder))
    options = grid.cluster.changed(cluster, workers)
    if script:
        typer.echo(job_script(options))
        return
    if plan:
        leaves = sum(prod(request.tree.groups) for request in grid.splits)
        document: dict[str, Any] = {
            "splits": len(grid.splits),
            "searches": len(grid.searches),
            "searches_in_splits": leaves * grid.searches_per_sub_space,
            "cluster": options.kind,
        }
        text = (
            f"{document['splits']} splits, {document['searches_in_splits']} searches in their "
            f"sub-spaces, {document['searches']} other searches, on {options.kind}"
        )
        show(as_json, document, text)
        return
    report = _compute(grid, options, data_dir(folder))
    text = (
        f"{len(report.done)} done, {len(report.skipped)} already finished, "
        f"{len(report.failed)} failed, {report.retried} retried"
    )
    show(as_json, report.to_dict(), text)
    for run_id, reason in report.failed.items():
        err.print(f"{run_id} failed: {reason}", style="red")
    if report.failed:
        raise typer.Exit(1)


def _compute(grid: Grid, options: ClusterOptions, place: Path) -> GridReport:
    before = finished_before(grid, place)
    if before is not None:
        return before
    text, hidden = TextColumn("{task.description}"), not err.is_terminal
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    ends = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    for number in ends:  # close the cluster, as Ctrl-C does; Windows has no SIGHUP
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
        line = bar.add_task("starting the cluster", total=None)

        def show(report: GridReport) -> None:
            ended = len(report.done) + len(report.skipped) + len(report.failed)
            message = report.message or "waiting for the first result"
            bar.update(line, description=message, completed=ended, total=report.total)

        with open_client(options) as client:
            return run_grid(grid, place, client, show)


cache_app = typer.Typer(help="The cache of runs and tables: rebuild, verify.")


@cache_app.command("rebuild")
def cache_rebuild(folder: DataDir = None, as_json: AsJson = False) -> None:
    """Rebuild the cache from the run folders; the app must be closed."""
    rebuilt = rebuild(data_dir(folder))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in rebuilt.runs.items()) or "none yet"
    show(
        as_json,
        asdict(rebuilt),
        f"finished runs: {kinds}",
        f"accuracy tables: {', '.join(rebuilt.tables)}",
        *(f"skipped {name}: {reason}" for name, reason in rebuilt.left_out.items()),
    )


@cache_app.command("verify")
def cache_verify(
    folder: DataDir = None,
    move: Annotated[
        bool,
        typer.Option(
            "--quarantine",
            "--set-aside",
            help="Move damaged and unknown run folders to runs/.quarantine.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check every run folder for damage, and the cache against the run folders."""
    place = data_dir(folder)
    found = verify(place, demo_dir())
    moved, kept = _quarantine(found, place) if move else ({}, list(found.damaged))
    show(as_json, asdict(found) | {"quarantined": moved}, *_findings(found, moved, bool(kept)))
    if kept or found.problems:
        raise typer.Exit(1)


def _findings(found: Verified, moved: dict[str, str], kept: bool) -> Iterator[str]:
    """Yield what was found and what was moved, in words."""
    yield f"{found.folders:,} run folders, {found.finished:,} with a result"
    if found.given:
        yield f"{found.given:,} run folders of demonstration results"
    yield found.note or f"{found.compared:,} runs compared with the cache"
    for name, reasons in found.damaged.items():
        yield from (f"PROBLEM {name}: {reason}" for reason in reasons)
        if name in moved:
            yield f"  moved to {moved[name]}"
    yield from (f"PROBLEM {name}: {reason}" for name, reason in found.problems.items())
    if found.well:
        yield "no problems found"
    elif kept:
        yield "`fewshot cache verify --quarantine` moves damaged run folders away"


def _quarantine(found: Verified, place: Path) -> tuple[dict[str, str], list[str]]:
    """Move damaged folders: their new places, and those that could not be moved."""
    moved: dict[str, str] = {}
    kept: list[str] = []
    for name in found.damaged:
        try:
            moved[name] = str(quarantine(run_folder(name, place)))
        except (RunError, OSError) as error:
            err.print(f"not moved: {error}")
            kept.append(name)
    return moved, kept
