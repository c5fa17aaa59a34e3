"""The command ``fewshot halve``: a selection among the sub-supernets of recorded curves."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fewshot_core.bench import KINDS
from fewshot_core.cli_common import AsJson, DataDir, err, out, print_json
from fewshot_core.cli_halve_sources import NamedCurves, Searches, find_curves
from fewshot_core.cli_tables import schedules_table, selection_table
from fewshot_core.datafolder import data_dir
from fewshot_core.errors import SelectionError
from fewshot_core.selection import (
    DEFAULT_WINDOW,
    RANKINGS,
    STRATEGIES,
    Choice,
    Curves,
    comparable,
    curves_by_seed,
    describe_milestones,
    paper_milestones,
    parse_milestones,
    proxy_correlation,
    result_document,
    schedule_grid,
    verdict,
)


def run_halve(
    curves: Annotated[
        str | None,
        typer.Option(help="A CSV file of curves, or the name of imported ones."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Searches recorded in a split: its run, or an imported split."),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="The same for a split in a file or folder.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Which split of a file of several.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="The data set; otherwise that of the split.")
    ] = None,
    algorithm: Annotated[str | None, typer.Option(help="Only searches of this one.")] = None,
    preset: Annotated[str | None, typer.Option(help="Only searches with this one.")] = None,
    family: Annotated[str | None, typer.Option(help="Only searches of this family.")] = None,
    accuracy: Annotated[
        str | None,
        typer.Option(help=f"What counts of the architectures found: {' or '.join(KINDS)}."),
    ] = None,
    table: Annotated[str | None, typer.Option(help="A table's name, or a CSV file.")] = None,
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
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare many schedules over all seeds instead.")
    ] = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Replay a selection on recorded curves: what was chosen, what was lost, what it cost."""
    asked = Searches(split, masks, name, dataset, algorithm, preset, family, accuracy, table)
    found = find_curves(curves, asked, data_dir(folder))
    tables = _of_seeds(found, seed or [])
    if compare:
        _compare(found, list(tables), end, as_json)
        return
    kind = strategy.replace("-", "_")
    STRATEGIES.get(kind)
    results = {}
    for number, one in tables.items():
        epochs = paper_milestones(one, end) if milestones is None else parse_milestones(milestones)
        choice = Choice(kind, epochs, keep, k, epoch, rank_by, window)
        results[number] = choice.apply(one, end)
    if as_json:
        documents = [
            {**found.details, "seed": number, "missing": list(found.missing.get(number, ()))}
            | result_document(result)
            for number, result in results.items()
        ]
        print_json(documents[0] if len(documents) == 1 else {"results": documents})
        return
    for number, result in results.items():
        missing = found.missing.get(number, ())
        out.print(selection_table(result, tables[number], f"{found.title}, seed {number}"))
        if missing:
            err.print(f"not searched with seed {number}: {', '.join(missing)}", highlight=False)
        if kind == "halving":
            out.print(describe_milestones(tables[number], result), highlight=False)
        out.print(verdict(result), markup=False, highlight=False)


def _of_seeds(found: NamedCurves, seeds: list[int]) -> dict[int, Curves]:
    """Return the curves of each seed that is wanted."""
    tables = curves_by_seed(found.frame)
    missing = [number for number in seeds if number not in tables]
    if missing:
        known = ", ".join(map(str, tables))
        raise SelectionError(f"there are no curves of seed {missing[0]}: expected one of {known}")
    return {number: tables[number] for number in seeds or tables}


def _compare(found: NamedCurves, seeds: list[int], end: int | None, as_json: bool) -> None:
    """Print what many schedules cost and lose, and how well validation accuracy orders."""
    frame = found.frame
    if "seed" in frame:
        frame = comparable(frame[frame["seed"].isin(seeds)])
        seeds = sorted({int(number) for number in frame["seed"]})
    grid = schedule_grid(frame, end=end)
    if not as_json:
        out.print(schedules_table(grid, found.title))
        return
    proxy = proxy_correlation(frame, end).astype(object)
    document: dict[str, Any] = {
        **found.details,
        "seeds": seeds,
        "schedules": grid.to_dict("records"),
        "proxy": proxy.where(proxy.notna(), None).to_dict("records"),
    }
    print_json(document)
