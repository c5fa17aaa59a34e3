"""The commands ``fewshot halve`` and ``fewshot curves ...``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.table import Table

from fewshot_core.bench import load_accuracy
from fewshot_core.cli.common import (
    Accuracy,
    AccuracyTable,
    AsJson,
    DataDir,
    Masks,
    SplitDataset,
    SplitName,
    SplitRun,
    err,
    named_splits,
    one_split,
    out,
    preferred_accuracy,
    print_json,
    schedules_table,
    selection_table,
)
from fewshot_core.data_folder import data_dir, demo_dir
from fewshot_core.errors import FewshotError, SelectionError
from fewshot_core.selection import (
    DEFAULT_WINDOW,
    RANKINGS,
    STRATEGIES,
    Choice,
    Curves,
    ImportedCurves,
    comparable,
    curves_by_seed,
    describe_curves,
    describe_milestones,
    imported_curves,
    open_curves,
    paper_milestones,
    parse_milestones,
    proxy_correlation,
    read_curves,
    recorded_curves,
    remove_curves,
    result_document,
    schedule_grid,
    search_families,
    store_curves,
    verdict,
)
from fewshot_core.store import Store


@dataclass(frozen=True)
class Searches:
    """Selection of recorded searches; None selects any.

    ``family`` is the beginning of what searches have in common; see ``Store.searches``.
    """

    split: str | None = None
    masks: Path | None = None
    name: str | None = None
    dataset: str | None = None
    algorithm: str | None = None
    preset: str | None = None
    family: str | None = None
    accuracy: str | None = None
    table: str | None = None


@dataclass(frozen=True, eq=False)
class NamedCurves:
    """Curves with their origin: ``details`` for JSON, ``missing`` sub-spaces by seed."""

    title: str
    frame: pd.DataFrame
    details: Mapping[str, object]
    missing: Mapping[int, tuple[str, ...]]


def find_curves(curves: str | None, searches: Searches, place: Path) -> NamedCurves:
    """Read the selected curves.

    Raises:
        FewshotError: If the selection is incomplete, or they cannot be read.
    """
    recorded = searches.split is not None or searches.masks is not None
    if (curves is None) != recorded:
        raise FewshotError("expected one of --curves FILE, --split RUN and --masks FILE")
    if curves is None:
        return _recorded(searches, place)
    path = Path(curves)
    if path.is_file():
        return NamedCurves(curves, read_curves(path), {"curves": curves}, {})
    if curves in imported_curves(place):
        return NamedCurves(curves, open_curves(curves, place), {"curves": curves}, {})
    known = ", ".join(imported_curves(place)) or "none"
    raise SelectionError(
        f"there is no file {curves}, nor are there imported curves of that name (there are {known})"
    )


def _recorded(wanted: Searches, place: Path) -> NamedCurves:
    splits = named_splits(wanted.masks, wanted.split, place, "--split RUN")
    split = one_split(splits, wanted.name, wanted.dataset)
    dataset = wanted.dataset or split.dataset
    if dataset is None:
        raise FewshotError("the split does not say its data set: name it with --dataset")
    store = Store(place, in_memory=True, demo=demo_dir())
    try:
        store.sync()
        found = store.searches(dataset)
        family = _family(search_families(split.leaves, found), wanted, split.title)
        found = found[found["family"] == family["family"]]
        records = store.search_records(list(found["run_id"]))
    finally:
        store.close()
    kind, table = preferred_accuracy(dataset, wanted.accuracy, wanted.table, place)
    accuracy = load_accuracy(dataset, kind, table, place)
    joined = recorded_curves(split.leaves, found, records, accuracy)
    details = {
        "split": split.title,
        "dataset": dataset,
        "algorithm": family["algorithm"],
        "preset": family["preset"],
        "family": family["family"],
        "accuracy": kind,
        "table": table,
    }
    title = f"{split.title}, {_label(family)}, {kind} accuracy of table {table}"
    return NamedCurves(title, joined.frame, details, joined.missing)


def _family(families: pd.DataFrame, wanted: Searches, title: str) -> dict[str, object]:
    """Select the only matching family of searches."""
    rows = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in families.drop(columns="seeds").to_dict("records")
    ]
    meant = [
        row
        for row in rows
        if wanted.algorithm in (None, row["algorithm"])
        and wanted.preset in (None, row["preset"])
        and str(row["family"]).startswith(wanted.family or "")
    ]
    if len(meant) == 1:
        return meant[0]
    known = "; ".join(map(_label, meant or rows)) or "none"
    if not meant:
        raise SelectionError(
            f"no such finished searches in the sub-spaces of {title}; found: {known}. "
            "Start some with fewshot search"
        )
    raise SelectionError(
        f"several kinds of searches match ({known}): choose with --algorithm, --preset or --family"
    )


def _label(row: Mapping[str, object]) -> str:
    return (
        f"{row['algorithm']} {row['preset'] or 'with other options'} ({row['searches']} of "
        f"{row['wanted']} searches, family {row['family']})"
    )


def run_halve(
    curves: Annotated[
        str | None,
        typer.Option(help="A CSV file of curves, or the name of imported ones."),
    ] = None,
    split: SplitRun = None,
    masks: Masks = None,
    name: SplitName = None,
    dataset: SplitDataset = None,
    algorithm: Annotated[str | None, typer.Option(help="Only searches of this one.")] = None,
    preset: Annotated[str | None, typer.Option(help="Only searches with this one.")] = None,
    family: Annotated[str | None, typer.Option(help="Only searches of this family.")] = None,
    accuracy: Accuracy = None,
    table: AccuracyTable = None,
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
    k: Annotated[int, typer.Option(help="Number of sub-supernets kept (k) by top_k.")] = 1,
    epoch: Annotated[int, typer.Option(help="The epoch at which top_k selects.")] = 0,
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
    """Replay a selection schedule on recorded curves: choice, regret and cost."""
    wanted = Searches(split, masks, name, dataset, algorithm, preset, family, accuracy, table)
    found = find_curves(curves, wanted, data_dir(folder))
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
    """Select the curves of the requested seeds."""
    tables = curves_by_seed(found.frame)
    missing = [number for number in seeds if number not in tables]
    if missing:
        known = ", ".join(map(str, tables))
        raise SelectionError(f"there are no curves of seed {missing[0]}: expected one of {known}")
    return {number: tables[number] for number in seeds or tables}


def _compare(found: NamedCurves, seeds: list[int], end: int | None, as_json: bool) -> None:
    """Print cost and regret of many schedules, and the proxy's rank correlation."""
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


curves_app = typer.Typer(help="Curves of searches made elsewhere: import, list, remove.")


@curves_app.command("import")
def curves_import(
    path: Annotated[
        Path,
        typer.Argument(help="A CSV file: sub_space, epoch, valid_accuracy, test_accuracy."),
    ],
    name: Annotated[str | None, typer.Option(help="Their name in the data folder.")] = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check every row of a file of curves and copy it to the data folder."""
    about = store_curves(path, data_dir(folder), name)
    if as_json:
        print_json(asdict(about))
        return
    out.print(f"imported {about.name}: {_what(about)}", markup=False, highlight=False)


@curves_app.command("list")
def curves_list(folder: DataDir = None, as_json: AsJson = False) -> None:
    """List the imported curves."""
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
    name: Annotated[str, typer.Argument(help="Their name.")], folder: DataDir = None
) -> None:
    """Delete imported curves; the original file stays."""
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
