"""The commands ``fewshot curves ...``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from fewshot_core.cli_common import AsJson, DataDir, out, print_json
from fewshot_core.datafolder import data_dir
from fewshot_core.errors import SelectionError
from fewshot_core.selection import (
    ImportedCurves,
    describe_curves,
    imported_curves,
    remove_curves,
    store_curves,
)

curves_app = typer.Typer(help="Curves of searches made elsewhere: import, list, remove.")


@curves_app.command("import")
def curves_import(
    path: Annotated[
        Path,
        typer.Argument(help="A CSV file: sub_space, epoch, valid_accuracy, test_accuracy."),
    ],
    name: Annotated[str | None, typer.Option(help="What to call them.")] = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check curves, every line of them, and keep a copy in the data folder."""
    about = store_curves(path, data_dir(folder), name)
    if as_json:
        print_json(asdict(about))
        return
    out.print(f"imported {about.name}: {_what(about)}", markup=False, highlight=False)


@curves_app.command("list")
def curves_list(folder: DataDir = None, as_json: AsJson = False) -> None:
    """Say which curves were imported."""
    place = data_dir(folder)
    rows = [_row(name, place) for name in imported_curves(place)]
    if as_json:
        print_json({"curves": rows})
        return
    table = Table("name", "what", "from", "imported")
    for row in rows:
        if "problem" in row:
            table.add_row(row["name"], row["problem"], "", "")
        else:
            about = ImportedCurves(**row)
            table.add_row(about.name, _what(about), about.source, about.created)
    out.print(table)


@curves_app.command("remove")
def curves_remove(
    name: Annotated[str, typer.Argument(help="What they are called.")], folder: DataDir = None
) -> None:
    """Delete imported curves; the file they came from stays."""
    remove_curves(name, data_dir(folder))
    typer.echo(f"removed {name}")


def _row(name: str, place: Path) -> dict[str, Any]:
    try:
        return asdict(describe_curves(name, place))
    except SelectionError as error:
        return {"name": name, "problem": str(error)}


def _what(about: ImportedCurves) -> str:
    seeds = ", ".join(map(str, about.seeds))
    return (
        f"{about.sub_spaces} sub-spaces up to epoch {about.end}, "
        f"seed{'s' * (len(about.seeds) > 1)} {seeds}, {about.rows:,} rows"
    )
