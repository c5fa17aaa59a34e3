"""The commands ``fewshot cache ...``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fewshot_core.cli_common import AsJson, DataDir, err, out, print_json
from fewshot_core.datafolder import data_dir, demo_dir
from fewshot_core.errors import RunError
from fewshot_core.runs import run_folder, set_aside
from fewshot_core.store import Verified, rebuild, verify

cache_app = typer.Typer(help="The cache of runs and tables: rebuild it, check it.")


@cache_app.command("rebuild")
def cache_rebuild(folder: DataDir = None, as_json: AsJson = False) -> None:
    """Delete the cache and build it anew from the run folders; the app must be closed."""
    rebuilt = rebuild(data_dir(folder))
    if as_json:
        print_json(asdict(rebuilt))
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in rebuilt.runs.items()) or "none yet"
    _say(f"finished runs taken in: {kinds}")
    _say(f"accuracy tables: {', '.join(rebuilt.tables)}")
    for name, reason in rebuilt.left_out.items():
        _say(f"left out {name}: {reason}")


@cache_app.command("verify")
def cache_verify(
    folder: DataDir = None,
    aside: Annotated[
        bool,
        typer.Option(
            "--set-aside", help="Move damaged and foreign run folders to runs/.set-aside."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check every run folder for damage, and the cache against them; changes nothing."""
    place = data_dir(folder)
    found = verify(place, demo_dir())
    moved, kept = _set_aside(found, place) if aside else ({}, list(found.damaged))
    if as_json:
        print_json(asdict(found) | {"set_aside": moved})
    else:
        _say(f"{found.folders:,} run folders, {found.finished:,} with a result")
        if found.given:
            _say(f"{found.given:,} run folders of demonstration results")
        _say(found.note or f"{found.compared:,} runs compared with the cache")
        for name, reasons in found.damaged.items():
            for reason in reasons:
                _say(f"PROBLEM {name}: {reason}")
            if name in moved:
                _say(f"  set aside as {moved[name]}")
        for name, reason in found.problems.items():
            _say(f"PROBLEM {name}: {reason}")
        if found.well:
            _say("all is well")
        elif kept:
            _say("`fewshot cache verify --set-aside` moves damaged run folders out of the way")
    if kept or found.problems:
        raise typer.Exit(1)


def _set_aside(found: Verified, place: Path) -> tuple[dict[str, str], list[str]]:
    """Move damaged folders; return where they are now, and those that could not be moved."""
    moved: dict[str, str] = {}
    kept: list[str] = []
    for name in found.damaged:
        try:
            moved[name] = str(set_aside(run_folder(name, place)))
        except (RunError, OSError) as error:
            err.print(f"not set aside: {error}", markup=False, highlight=False)
            kept.append(name)
    return moved, kept


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False)
