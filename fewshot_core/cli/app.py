"""The command line: ``fewshot`` or ``python -m fewshot_core``.

Results go to standard output, progress and errors to standard error. With ``--json`` a command
prints one JSON document and nothing else. Exit status: 0 on success, 1 on failure, 2 for
a usage error, 130 when it was interrupted.
"""

import os
import socket
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from psutil import net_if_addrs
from rich.table import Table

from fewshot_core import __version__
from fewshot_core.cli.common import AsJson, DataDir, err, show
from fewshot_core.data_folder import ENVIRONMENT_NAME, app_folder, data_dir
from fewshot_core.errors import FewshotError


def build_app(only: str | None = None) -> typer.Typer:
    """Build the command line, or that of one command alone.

    Modules are imported for the commands that need them: most load pandas, which takes a second.
    """
    app = typer.Typer(
        callback=root,
        invoke_without_command=True,
        help="A workbench for few-shot neural architecture search.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    def needed(*names: str) -> bool:
        return only is None or only in names

    if needed("split", "estimate"):
        from fewshot_core.cli.split import run_estimate, run_split

        app.command(name="split")(run_split)
        app.command(name="estimate")(run_estimate)
    if needed("analyse"):
        from fewshot_core.cli.results import run_analyse

        app.command(name="analyse")(run_analyse)
    if needed("search", "train", "proxy"):
        from fewshot_core.cli.search import run_proxy, run_search, run_train

        app.command(name="search")(run_search)
        app.command(name="train")(run_train)
        app.command(name="proxy")(run_proxy)
    if needed("estimates"):
        from fewshot_core.cli.results import run_estimates

        app.command(name="estimates")(run_estimates)
    if needed("halve", "curves"):
        from fewshot_core.cli.selection import curves_app, run_halve

        app.command(name="halve")(run_halve)
        app.add_typer(curves_app, name="curves", no_args_is_help=True)
    if needed("results", "findings", "reproduce"):
        from fewshot_core.cli.results import run_findings, run_reproduce, run_results

        app.command(name="results")(run_results)
        app.command(name="findings")(run_findings)
        app.command(name="reproduce")(run_reproduce)
    if needed("runs", "cache", "grid"):
        from fewshot_core.cli.runs import cache_app, run_grid_command, run_runs

        app.command(name="runs")(run_runs)
        app.add_typer(cache_app, name="cache", no_args_is_help=True)
        app.command(name="grid")(run_grid_command)
    if needed("import-table", "import-space", "import-split", "export-split", "images"):
        from fewshot_core.cli import data

        app.command(name="import-table")(data.run_import)
        app.command(name="import-space")(data.run_import_space)
        app.command(name="import-split")(data.run_import_split)
        app.command(name="export-split")(data.run_export_split)
        app.add_typer(data.images_app, name="images", no_args_is_help=True)
    if needed("doctor"):
        app.command()(doctor)
    if needed("app"):
        app.command(name="app")(run_app)
    return app


def root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A workbench for few-shot neural architecture search."""
    if show_version:
        typer.echo(__version__)
        raise typer.Exit


def doctor(folder: DataDir = None, as_json: AsJson = False) -> None:
    """Show the installed packages, the available data, and what is missing."""
    from fewshot_core.doctor import examine

    found = examine(data_dir(folder))
    problems = [f"PROBLEM: {problem}" for problem in found["problems"]]
    table = Table("what", "found", show_header=False)
    for row in _state(found):
        table.add_row(*row)
    show(as_json, found, table, *(problems or ["no problems found"]))
    if problems:
        raise typer.Exit(1)


def _state(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the state of the installation in words; see ``fewshot_core.doctor.examine``."""
    packages = (f"{name} {version or 'MISSING'}" for name, version in found["packages"].items())
    free = found["free_bytes"]
    yield "Python", found["python"]
    yield "packages", ", ".join(packages)
    yield "devices", ", ".join(found["devices"])
    yield "data folder", found["data_dir"]
    yield "free space", "none" if free is None else f"{free / 1e9:.1f} GB"
    for item in found["tables"]:
        sets = (
            f"{part['dataset']} {part['accuracy']}{'' if part['complete'] else ' (incomplete)'}"
            for part in item["sets"]
        )
        yield "table", f"{item['name']}: {', '.join(sets)}"
    for name, sources in found["images"].items():
        yield f"images {name}", ", ".join(source["label"] for source in sources)
    runs = ", ".join(f"{count} {state}" for state, count in found["runs"].items())
    yield "runs", runs or "none"


def run_app(
    folder: DataDir = None,
    port: Annotated[int, typer.Option(help="The port.")] = 8501,
    address: Annotated[
        str, typer.Option(help="The address to serve at; anybody who can reach it can use the app.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open it in a browser.")] = False,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Another name that browsers reach it by, or * for any; repeatable."),
    ] = None,
) -> None:
    """Serve the app, at http://127.0.0.1:8501 by default."""
    names = [socket.gethostname(), address, *(host or [])]
    if address in ("0.0.0.0", "::"):
        found = (each.address for of_card in net_if_addrs().values() for each in of_card)
        names += [name.partition("%")[0] for name in found]
    os.environ[ENVIRONMENT_NAME] = str(data_dir(folder))
    os.chdir(app_folder())  # for its .streamlit/config.toml, and none of the user's folder
    from fewshot_core.dashboard.serve import serve

    serve(address, port, names, browser)


def main() -> None:
    """Run the command line; a FewshotError becomes one line on standard error."""
    try:
        app = build_app(next(iter(sys.argv[1:]), None))
        if not app.registered_commands and not app.registered_groups:  # no name of a command
            app = build_app()
        app()
    except FewshotError as error:
        err.print(" ".join([f"fewshot: {error}", *getattr(error, "__notes__", [])]))
        sys.exit(1)
    except OSError as error:
        err.print(f"fewshot: operating system error: {error}")
        sys.exit(1)
