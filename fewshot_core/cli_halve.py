"""The command ``fewshot halve``: a selection among the sub-supernets of recorded curves."""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from fewshot_core.cli_common import AsJson, DataDir, out, print_json
from fewshot_core.cli_tables import selection_table
from fewshot_core.datafolder import data_dir
from fewshot_core.errors import FewshotError, SelectionError
from fewshot_core.selection import (
    DEFAULT_WINDOW,
    RANKINGS,
    STRATEGIES,
    Choice,
    Curves,
    HalvingResult,
    curves_by_seed,
    describe_schedule,
    imported_curves,
    open_curves,
    paper_milestones,
    parse_milestones,
    read_curves,
    result_document,
    verdict,
)

Results = dict[int, HalvingResult]


def run_halve(
    curves: Annotated[
        str | None,
        typer.Option(help="A CSV file of curves, or the name of imported ones."),
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Only this seed; repeatable. All by default.")
    ] = None,
    strategy: Annotated[
        str, typer.Option(help=f"One of {', '.join(STRATEGIES.names())}.")
    ] = "halving",
    milestones: Annotated[
        str | None,
        typer.Option(
            help="Epochs of halving like 30,100, or none; by default the paper's, in proportion."
        ),
    ] = None,
    keep: Annotated[float, typer.Option(help="The share that halving keeps.")] = 0.5,
    k: Annotated[int, typer.Option(help="How many go on with top_k.")] = 1,
    epoch: Annotated[int, typer.Option(help="When top_k chooses them.")] = 0,
    rank_by: Annotated[
        str, typer.Option(help=f"One of {', '.join(RANKINGS.names())}.")
    ] = "valid_accuracy",
    window: Annotated[int, typer.Option(help="Epochs of a moving average.")] = DEFAULT_WINDOW,
    end: Annotated[
        int | None, typer.Option(help="The epoch of a full run; by default the last.")
    ] = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Replay a selection on recorded curves: what was chosen, what was lost, what it cost."""
    source, tables = _wanted_curves(curves, seed or [], data_dir(folder))
    name = strategy.replace("-", "_")
    STRATEGIES.get(name)
    results = {}
    for number, table in tables.items():
        epochs = (
            paper_milestones(table, end) if milestones is None else parse_milestones(milestones)
        )
        choice = Choice(name, epochs, keep, k, epoch, rank_by, window)
        results[number] = choice.apply(table, end)
    if as_json:
        print_json(_document(source, results))
        return
    for number, result in results.items():
        heading = f"{source}, seed {number}" if len(results) > 1 else source
        out.print(selection_table(result, tables[number], heading))
        if name == "halving":
            out.print(describe_schedule(result.milestones, result.end), highlight=False)
        out.print(verdict(result), markup=False, highlight=False)


def _wanted_curves(
    curves: str | None, seeds: list[int], place: Path
) -> tuple[str, dict[int, Curves]]:
    """Return what the curves are called, and those of each seed that is wanted."""
    if curves is None:
        raise FewshotError("expected --curves FILE")
    tables = curves_by_seed(_read(curves, place))
    missing = [number for number in seeds if number not in tables]
    if missing:
        known = ", ".join(map(str, tables))
        raise SelectionError(f"there are no curves of seed {missing[0]}: expected one of {known}")
    return curves, {number: tables[number] for number in seeds or tables}


def _read(curves: str, place: Path) -> pd.DataFrame:
    """Return the curves of a file, or imported ones by their name."""
    path = Path(curves)
    if path.is_file():
        return read_curves(path)
    if curves in imported_curves(place):
        return open_curves(curves, place)
    known = ", ".join(imported_curves(place)) or "none"
    raise SelectionError(
        f"there is no file {curves}, nor are there imported curves of that name (there are {known})"
    )


def _document(source: str, results: Results) -> dict[str, Any]:
    """Return one result as it is; several under their seeds."""
    documents = [
        {"curves": source, "seed": seed, **result_document(result)}
        for seed, result in results.items()
    ]
    return documents[0] if len(documents) == 1 else {"results": documents}
