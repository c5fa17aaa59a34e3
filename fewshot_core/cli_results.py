"""The command ``fewshot results``."""

from typing import Annotated

import typer

from fewshot_core.analysis import recorded_results, results_csv, results_latex, results_markdown
from fewshot_core.analysis.results import results_table
from fewshot_core.analysis.results_export import SHOWN
from fewshot_core.bench import KINDS, load_accuracy
from fewshot_core.cli_common import AsJson, DataDir, Dataset, preferred_accuracy, print_json
from fewshot_core.datafolder import data_dir, demo_dir
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import UnknownNameError
from fewshot_core.store import Store, known_splits

FORMATS = ("markdown", "csv", "latex")


def run_results(
    dataset: Dataset = "cifar10",
    preset: Annotated[
        str | None, typer.Option(help="Only searches with this preset; all by default.")
    ] = None,
    accuracy: Annotated[
        str | None, typer.Option(help=f"What counts of the found: {' or '.join(KINDS)}.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="A table's name, or a CSV file.")] = None,
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
