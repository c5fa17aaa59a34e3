"""The command line: ``fewshot`` or ``python -m fewshot_core``.

Results go to standard output, progress and errors to standard error. With ``--json`` a command
prints one JSON document and nothing else. Exit status: 0 on success, 1 on failure, 2 for
a usage error, 130 when it was interrupted.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fewshot_core import __version__
from fewshot_core.analysis import SplitEvaluator
from fewshot_core.analysis.informativeness import report_split
from fewshot_core.bench import (
    KINDS,
    ColumnMapping,
    import_table,
    load_accuracy,
    preview_table,
    resolve_table,
)
from fewshot_core.cli.common import (
    AccuracyTable,
    AsJson,
    DataDir,
    Masks,
    SplitRun,
    doctor_table,
    err,
    named_splits,
    out,
    print_json,
    report_table,
)
from fewshot_core.cli.images import images_app
from fewshot_core.cli.results import run_reproduce, run_results
from fewshot_core.cli.runs import cache_app, run_grid_command
from fewshot_core.cli.search import run_proxy, run_search, run_train
from fewshot_core.cli.selection import curves_app, run_halve
from fewshot_core.cli.split import run_split
from fewshot_core.data_folder import ENVIRONMENT_NAME, app_folder, data_dir
from fewshot_core.datasets import DATASETS
from fewshot_core.doctor import examine
from fewshot_core.errors import FewshotError
from fewshot_core.space import SubSpace

app = typer.Typer(
    help="A workbench for few-shot neural architecture search.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(name="split")(run_split)
app.command(name="search")(run_search)
app.command(name="train")(run_train)
app.command(name="proxy")(run_proxy)
app.command(name="halve")(run_halve)
app.command(name="results")(run_results)
app.command(name="reproduce")(run_reproduce)
app.add_typer(cache_app, name="cache", no_args_is_help=True)
app.add_typer(curves_app, name="curves", no_args_is_help=True)
app.command(name="grid")(run_grid_command)
app.add_typer(images_app, name="images", no_args_is_help=True)


@app.callback(invoke_without_command=True)
def root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A workbench for few-shot neural architecture search."""
    if show_version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def doctor(folder: DataDir = None, as_json: AsJson = False) -> None:
    """Show the installed packages, the available data, and what is missing."""
    found = examine(data_dir(folder))
    if as_json:
        print_json(found)
    else:
        out.print(doctor_table(found))
        for problem in found["problems"]:
            out.print(f"PROBLEM: {problem}", markup=False)
        if not found["problems"]:
            out.print("no problems found")
    if found["problems"]:
        raise typer.Exit(1)


@app.command(name="app")
def run_app(
    folder: DataDir = None,
    port: Annotated[int, typer.Option(help="The port.")] = 8501,
    address: Annotated[
        str, typer.Option(help="The address to serve at; anybody who can reach it can use the app.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = False,
) -> None:
    """Start the app in a browser, at http://127.0.0.1:8501."""
    environment = os.environ | {ENVIRONMENT_NAME: str(data_dir(folder))}
    command = [sys.executable, "-m", "streamlit", "run", str(app_folder() / "app.py")]
    command += ["--server.port", str(port), "--server.headless", str(not browser).lower()]
    command += ["--server.address", address, "--browser.gatherUsageStats", "false"]
    os.chdir(app_folder())  # for its .streamlit/config.toml, and none of the user's folder
    # Replaces this process, so that ending it ends the app.
    os.execve(command[0], command, environment)


@app.command()
def analyse(
    masks: Masks = None,
    run: SplitRun = None,
    dataset: Annotated[str | None, typer.Option(help="Only this data set.")] = None,
    accuracy: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = "validation",
    table: AccuracyTable = None,
    threshold: Annotated[float, typer.Option(help="The share that counts as top.")] = 0.01,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Analyse splits: information gain, and the contents of each sub-space."""
    if dataset is not None:
        DATASETS.get(dataset)
    place = data_dir(folder)
    wanted = _wanted_splits(masks, run, dataset, place)
    reports = []
    evaluators: dict[str, tuple[str, SplitEvaluator]] = {}
    for metric, name, leaves in wanted:
        if name not in evaluators:
            source = resolve_table(name, accuracy, table, place).name
            frame = load_accuracy(name, accuracy, table, place)
            evaluators[name] = (source, SplitEvaluator(frame, threshold))
        source, evaluator = evaluators[name]
        reports.append(report_split(metric, name, accuracy, source, leaves, evaluator))
    if as_json:
        print_json({"splits": reports})
    else:
        for report in reports:
            out.print(report_table(report))


@app.command(name="import-table")
def run_import(
    path: Annotated[Path, typer.Argument(help="A CSV file, a NATS-Bench folder or a .pth file.")],
    name: Annotated[str | None, typer.Option(help="The name to load it by.")] = None,
    label: Annotated[str | None, typer.Option(help="Its name in the app.")] = None,
    architecture: Annotated[str | None, typer.Option(help="CSV: the architecture column.")] = None,
    form: Annotated[str, typer.Option(help="CSV: string, digits or index.")] = "string",
    mapped: Annotated[
        list[str] | None, typer.Option("--map", help="CSV: COLUMN=DATASET:KIND, repeatable.")
    ] = None,
    scale: Annotated[str, typer.Option(help="CSV: percent or fraction.")] = "percent",
    replace: Annotated[bool, typer.Option(help="Replace a table of that name.")] = False,
    preview: Annotated[bool, typer.Option(help="Only show how the file would be read.")] = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Import an accuracy table, after checking every row."""
    mapping = None
    if architecture is not None or mapped:
        mapping = ColumnMapping.from_options(architecture or "", mapped or [], form, scale)
    if preview:
        shown = preview_table(path, mapping)
        document = {
            "name": shown.name,
            "importer": shown.importer,
            "sets": [vars(item) for item in shown.sets],
            "columns": list(shown.columns),
            "mapping": vars(shown.mapping) if shown.mapping else None,
            "problem": shown.problem,
        }
        print_json(document)
        return
    info = import_table(path, name, label, mapping, replace=replace, data_dir=data_dir(folder))
    if as_json:
        print_json(asdict(info))
        return
    out.print(f"imported {info.name} from {info.source}", markup=False, highlight=False)
    for item in info.sets:
        state = "complete" if item.complete else "incomplete"
        out.print(f"  {item.dataset} {item.kind}: {item.architectures:,} architectures, {state}")


def main() -> None:
    """Run the command line; a FewshotError becomes one line on standard error."""
    try:
        app()
    except FewshotError as error:
        err.print(f"fewshot: {error}", markup=False, highlight=False)
        sys.exit(1)
    except OSError as error:
        err.print(f"fewshot: operating system error: {error}", markup=False, highlight=False)
        sys.exit(1)


def _wanted_splits(
    masks: Path | None, run: str | None, dataset: str | None, place: Path
) -> list[tuple[str, str, Sequence[SubSpace]]]:
    """Collect metric, data set and sub-spaces of the selected splits."""
    wanted: list[tuple[str, str, Sequence[SubSpace]]] = []
    for split in named_splits(masks, run, place):
        name = (dataset if run is not None else None) or split.dataset or dataset
        if name is None:
            raise FewshotError(f"{masks} does not say its data set: name it with --dataset")
        if dataset in (None, name):
            wanted.append((split.name, name, split.leaves))
    if not wanted:
        raise FewshotError(f"{masks} has no split for {dataset}: choose another --dataset")
    return wanted
