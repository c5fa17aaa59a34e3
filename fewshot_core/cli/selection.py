"""The commands ``fewshot halve`` and ``fewshot curves ...``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import RenderableType
from rich.table import Table

from fewshot_core import selection
from fewshot_core.analysis import CostLimit
from fewshot_core.bench import load_accuracy, load_parameters
from fewshot_core.cli.common import (
    Accuracy,
    AccuracyTable,
    AsJson,
    AtMost,
    DataDir,
    Dataset,
    Masks,
    SpaceName,
    SplitDataset,
    SplitName,
    SplitRun,
    err,
    named_splits,
    one_split,
    preferred_accuracy,
    recorded_runs,
    show,
    table_of,
)
from fewshot_core.data_folder import data_dir
from fewshot_core.errors import FewshotError, SelectionError
from fewshot_core.selection import DEFAULT_WINDOW, RANKINGS, STRATEGIES
from fewshot_core.space import NAS_BENCH_201, SearchSpace, get_space, score_text
from fewshot_core.splitting.tree import NamedSplit


@dataclass(frozen=True, eq=False)
class NamedCurves:
    """Curves by seed with their origin: ``details`` for JSON, ``missing`` sub-spaces by seed."""

    title: str
    tables: Mapping[int, selection.Curves]
    details: Mapping[str, object]
    missing: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def _from_file(curves: str, place: Path) -> NamedCurves:
    path, known = Path(curves), selection.imported_curves(place)
    if path.is_file():
        tables = selection.curves_by_seed(selection.read_curves(path))
        return NamedCurves(curves, tables, {"curves": curves})
    if curves in known:
        return NamedCurves(curves, selection.open_curves(curves, place), {"curves": curves})
    raise SelectionError(
        f"there is no file {curves}, nor are there imported curves of that name (there are "
        f"{', '.join(known) or 'none'})"
    )


def _space_of(curves: str, dataset: str | None, place: Path) -> tuple[SearchSpace, str]:
    """Look up the space and data set of imported curves; those of a file are of NAS-Bench-201."""
    space, known = NAS_BENCH_201, ""
    if not Path(curves).is_file():
        about = selection.describe_curves(curves, place)
        space, known = get_space(about.space or NAS_BENCH_201.name, place), about.dataset
    return space, dataset or known or space.datasets[0].name


def _within(
    found: NamedCurves, limit: CostLimit, allowed: npt.NDArray[np.bool_], space: SearchSpace
) -> NamedCurves:
    """Apply a limit of the cost to curves; raises SelectionError if no architectures are known."""
    tables = {seed: table.within(allowed, space) for seed, table in found.tables.items()}
    if any(table.feasible is None for table in tables.values()):
        raise SelectionError(
            f"expected curves with a column 'architecture' for --at-most, {found.title} has none"
        )
    details = {**found.details, "at_most": limit.option}
    return replace(found, title=f"{found.title}, only {limit}", tables=tables, details=details)


def _recorded(
    split: NamedSplit,
    dataset: str,
    searches: dict[str, str | None],
    kind: str | None,
    table: str | None,
    place: Path,
) -> NamedCurves:
    """Read the curves of recorded searches in the sub-spaces of a split; see ``_group``."""
    with recorded_runs(place) as store:
        found = store.searches(dataset, split.space.name)
        group = _group(selection.search_groups(split.sub_spaces, found), searches, split.title)
        found = found[found["group"] == group["group"]]
        records = store.search_records(list(found["run_id"]))
    kind, table = preferred_accuracy(dataset, kind, table, place, split.space)
    accuracy = load_accuracy(dataset, kind, table, place, split.space)
    parameters = load_parameters(place, split.space)
    joined = selection.recorded_curves(split.sub_spaces, found, records, accuracy, parameters)
    details = {
        "split": split.title,
        "dataset": dataset,
        "algorithm": group["algorithm"],
        "preset": group["preset"],
        "evidence": _evidence(group),
        "accuracy": kind,
        "table": table,
    }
    title = f"{split.title}, {_label(group)}, {kind} accuracy of table {table}"
    tables = selection.curves_by_seed(joined.frame, split.space.dataset(dataset).stored_unit)
    return NamedCurves(title, tables, details, joined.missing)


def _group(groups: pd.DataFrame, wanted: dict[str, str | None], title: str) -> dict[str, object]:
    """Select the only group of searches with an algorithm, a preset and evidence; None: any."""
    rows = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in groups.drop(columns="seeds").to_dict("records")
    ]
    meant = [
        row
        for row in rows
        if wanted["algorithm"] in (None, row["algorithm"])
        and wanted["preset"] in (None, row["preset"])
        and wanted["evidence"] in (None, _evidence(row))
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
        f"several kinds of searches match ({known}): choose with --algorithm, --preset or "
        "--evidence"
    )


def _evidence(row: Mapping[str, object]) -> str:
    return str(row["group"]).removeprefix(f"{row['algorithm']}-")


def _label(row: Mapping[str, object]) -> str:
    return (
        f"{row['algorithm']} {row['preset'] or 'with other options'} ({row['searches']} of "
        f"{row['wanted']} searches, evidence {_evidence(row)})"
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
    evidence: Annotated[str | None, typer.Option(help="Only searches with this one.")] = None,
    accuracy: Accuracy = None,
    table: AccuracyTable = None,
    at_most: AtMost = None,
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
    place = data_dir(folder)
    if (curves is None) == (split is None and masks is None):
        raise FewshotError("expected one of --curves FILE, --split RUN and --masks FILE")
    if curves is not None:
        found = _from_file(curves, place)
        space, meant = _space_of(curves, dataset, place)
    else:
        splits = named_splits(masks, split, place, "--split RUN")
        chosen, meant = one_split(splits, name, dataset)
        searches = {"algorithm": algorithm, "preset": preset, "evidence": evidence}
        found = _recorded(chosen, meant, searches, accuracy, table, place)
        space = chosen.space
    if at_most is not None:
        limit = CostLimit.from_option(at_most, meant, place, space)
        found = _within(found, limit, limit.allowed(meant, place, space), space)
    tables = _of_seeds(found, seed or [])
    if compare:
        _compare(found, selection.comparable(tables), end, as_json)
        return
    kind = strategy.replace("-", "_")
    STRATEGIES.get(kind)
    documents = []
    parts: list[RenderableType] = []
    for number, one in tables.items():
        epochs = (
            selection.paper_milestones(one, end)
            if milestones is None
            else selection.parse_milestones(milestones)
        )
        result = selection.Choice(kind, epochs, keep, k, epoch, rank_by, window).apply(one, end)
        missing = found.missing.get(number, ())
        own = {**found.details, "seed": number, "missing": list(missing)}
        documents.append(own | selection.result_document(result))
        parts.append(_selection(result, one, f"{found.title}, seed {number}"))
        if missing and not as_json:
            err.print(f"not searched with seed {number}: {', '.join(missing)}")
        if kind == "halving":
            parts.append(selection.describe_milestones(one, result))
        parts.append(selection.verdict(result))
    show(as_json, documents[0] if len(documents) == 1 else {"results": documents}, *parts)


def _selection(result: selection.HalvingResult, curves: selection.Curves, title: str) -> Table:
    """Tabulate how long each sub-supernet was trained and what it finds by the end."""
    found, valid = curves.found(result.end), curves.values["valid_accuracy"]
    unit, valid_unit = curves.unit, curves.valid_unit
    rows = []
    for i, name in enumerate(result.sub_spaces):
        last = result.trained.get(name)
        reached = valid[i, curves.epochs == last]
        rows.append(
            (
                name,
                "-" if last is None else last,
                score_text(reached[0], valid_unit)
                if reached.size and not np.isnan(reached[0])
                else "-",
                score_text(found[i], unit) if found[i] > -np.inf else "infeasible",
                ", ".join(
                    ["chosen"] * (name == result.winner) + ["best"] * (name in result.equally_best)
                ),
            )
        )
    columns = ("sub-space", "trained to", "validation", "finds by the end", "")
    return table_of(columns, rows, title)


def _of_seeds(found: NamedCurves, seeds: list[int]) -> dict[int, selection.Curves]:
    missing = [number for number in seeds if number not in found.tables]
    if missing:
        known = ", ".join(map(str, found.tables))
        raise SelectionError(f"there are no curves of seed {missing[0]}: expected one of {known}")
    return {number: found.tables[number] for number in seeds or found.tables}


def _compare(
    found: NamedCurves, tables: Mapping[int, selection.Curves], end: int | None, as_json: bool
) -> None:
    """Print cost and regret of many schedules, and the proxy's rank correlation."""
    grid = selection.schedule_grid(tables, end=end)
    document = {**found.details, "seeds": list(tables), "schedules": grid.to_dict("records")}
    if as_json:
        proxy = selection.proxy_correlation(tables, end).astype(object)
        document["proxy"] = proxy.where(proxy.notna(), None).to_dict("records")
    show(as_json, document, _schedules(grid, found.title, next(iter(tables.values())).unit))


def _schedules(grid: pd.DataFrame, title: str, unit: str) -> Table:
    """Tabulate named strategies and those on the Pareto front; see ``schedule_grid``."""
    shown = grid[grid["pareto"] | (grid["mark"] != "")].sort_values(["cost", "regret"])
    columns = ("strategy", "known as", "cost, runs", "finds", "regret", "best discarded", "front")
    rows = (
        (
            row["label"],
            row["mark"],
            f"{row['cost']:.2f}",
            score_text(row["test_accuracy"], unit),
            selection.regret_text(
                row["regret"], unit, row["regret_std"] if row["seeds"] > 1 else None
            ),
            f"{row['best_discarded']:.0%}",
            "yes" if row["pareto"] else "",
        )
        for row in shown.to_dict("records")
    )
    caption = f"{len(shown)} of {len(grid)} strategies: those with a name or on the front"
    return table_of(columns, rows, title, caption)


curves_app = typer.Typer(help="Curves of searches made elsewhere: import, list, remove.")


@curves_app.command("import")
def curves_import(
    path: Annotated[
        Path,
        typer.Argument(help="A CSV file: sub_space, epoch, valid_accuracy, test_accuracy."),
    ],
    name: Annotated[str | None, typer.Option(help="Their name in the data folder.")] = None,
    space: SpaceName = None,
    dataset: Dataset = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check every row of a file of curves and copy it to the data folder."""
    place = data_dir(folder)
    of = get_space(space or NAS_BENCH_201.name, place)
    about = selection.store_curves(path, place, name, of, dataset or "")
    tables = selection.open_curves(about.name, place)
    gaps = {seed: selection.gaps_text(curves) for seed, curves in tables.items()}
    lacking = [f"  missing epochs, seed {seed}: {text}" for seed, text in gaps.items() if text]
    show(as_json, asdict(about), f"imported {about.name}: {_what(about)}", *lacking)


@curves_app.command("list")
def curves_list(folder: DataDir = None, as_json: AsJson = False) -> None:
    """List the imported curves."""
    place = data_dir(folder)
    documents: list[dict[str, Any]] = []
    rows = []
    for name in selection.imported_curves(place):
        try:
            about = selection.describe_curves(name, place)
        except SelectionError as error:
            documents.append({"name": name, "problem": str(error)})
            rows.append((name, str(error), "", ""))
        else:
            documents.append(asdict(about))
            rows.append((about.name, _what(about), about.source, about.created))
    table = table_of(("name", "what", "from", "imported"), rows)
    show(as_json, {"curves": documents}, table)


@curves_app.command("remove")
def curves_remove(
    name: Annotated[str, typer.Argument(help="Their name.")], folder: DataDir = None
) -> None:
    """Delete imported curves; the original file stays."""
    selection.remove_curves(name, data_dir(folder))
    typer.echo(f"removed {name}")


def _what(about: selection.ImportedCurves) -> str:
    seeds = ", ".join(map(str, about.seeds))
    return (
        f"{' on '.join(filter(None, [about.space, about.dataset]))}, "
        f"{about.sub_spaces} sub-spaces up to epoch {about.end}, "
        f"seed{'s' * (len(about.seeds) > 1)} {seeds}, {about.rows:,} rows"
    )
