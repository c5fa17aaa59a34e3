"""The commands ``fewshot results`` and ``fewshot reproduce``."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from fewshot_core.analysis import (
    recorded_results,
    results_csv,
    results_latex,
    results_markdown,
)
from fewshot_core.analysis.results import SHOWN, results_table
from fewshot_core.bench import load_accuracy
from fewshot_core.cli.common import (
    Accuracy,
    AccuracyTable,
    AsJson,
    DataDir,
    Dataset,
    err,
    preferred_accuracy,
    print_json,
)
from fewshot_core.data_folder import data_dir, demo_dir, write_text
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import UnknownNameError
from fewshot_core.store import Store, known_splits

FORMATS = ("markdown", "csv", "latex")


def run_results(
    dataset: Dataset = "cifar10",
    preset: Annotated[
        str | None, typer.Option(help="Only searches with this preset; all by default.")
    ] = None,
    accuracy: Accuracy = None,
    table: AccuracyTable = None,
    form: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = "markdown",
    show: Annotated[str, typer.Option(help=f"One of {', '.join(SHOWN)}.")] = "both",
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print the paper's table of a data set from recorded searches, beside the published one."""
    DATASETS.get(dataset)
    if form not in FORMATS:
        raise UnknownNameError(f"unknown format {form!r}: expected one of {', '.join(FORMATS)}")
    place = data_dir(folder)
    kind, name = preferred_accuracy(dataset, accuracy, table, place)
    store = Store(place, in_memory=True, demo=demo_dir())
    try:
        store.sync()
        splits = known_splits(store, place, dataset)
        searches = store.searches(dataset)
        records = store.search_records(list(searches["run_id"]))
    finally:
        store.close()
    found = recorded_results(splits, searches, records, load_accuracy(dataset, kind, table, place))
    results = results_table(found, dataset, preset, accuracy=kind)
    if as_json:
        rows = results.astype(object).where(results.notna(), None).to_dict("records")
        print_json({"dataset": dataset, "accuracy": kind, "table": name, "cells": rows})
    elif form == "csv":
        typer.echo(results_csv(results), nl=False)
    elif form == "latex":
        typer.echo(results_latex(results, show, kind), nl=False)
    else:
        typer.echo(results_markdown(results, show, kind), nl=False)


def run_reproduce(
    output: Annotated[
        Path | None, typer.Option(help="The file to write; by default the report is printed.")
    ] = None,
    only_demo: Annotated[
        bool, typer.Option("--only-demo", help="Only the demonstration runs.")
    ] = False,
    published: Annotated[
        Path | None,
        typer.Option(help="A JSON file of published splits, or a folder of one."),
    ] = None,
    accuracy: Accuracy = None,
    table: AccuracyTable = None,
    folder: DataDir = None,
) -> None:
    """Check the claims of the paper's Section 4 on recorded runs and write a report."""
    from fewshot_core.reproduction import read_material, report_markdown

    place = data_dir(folder)
    with _runs(place, only_demo) as store:
        material = read_material(store, place, accuracy, table, published)
    text = report_markdown(material, _command(only_demo, published, accuracy, table))
    if output is None:
        typer.echo(text, nl=False)
        return
    write_text(output, text)
    err.print(f"wrote {output}", markup=False, highlight=False)


@contextmanager
def _runs(place: Path, only_demo: bool) -> Iterator[Store]:
    """Open the runs of a data folder and the demonstration, or the latter alone."""
    with TemporaryDirectory() as empty:
        store = Store(Path(empty) if only_demo else place, in_memory=True, demo=demo_dir())
        try:
            store.sync()
            yield store
        finally:
            store.close()


def _command(
    only_demo: bool, published: Path | None, accuracy: str | None, table: str | None
) -> str:
    """Build the command that generates the page, with file names instead of paths."""
    words = ["fewshot", "reproduce"]
    if only_demo:
        words.append("--only-demo")
    if published is not None:
        words += ["--published", published.name]
    if accuracy is not None:
        words += ["--accuracy", accuracy]
    if table is not None:
        words += ["--table", Path(table).name]
    return shlex.join(words)
