"""The command ``fewshot search``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from fewshot_core.bench import load_accuracy, resolve_table
from fewshot_core.cli_common import AsJson, DataDir, out, print_json
from fewshot_core.cli_search_parts import (
    Compiled,
    Device,
    Estimate,
    FullPrecision,
    Images,
    Override,
    Preset,
    complete,
    expected_seconds,
)
from fewshot_core.cli_splits import named_splits, one_split, sub_space_of
from fewshot_core.datafolder import data_dir
from fewshot_core.durations import duration_text
from fewshot_core.errors import FewshotError
from fewshot_core.runs import RunFolder
from fewshot_core.runs.devices import choose_device
from fewshot_core.search import PRESETS, SearchRequest, list_algorithms, plan
from fewshot_core.search.overrides import override
from fewshot_core.space import SubSpace


@dataclass(frozen=True)
class _Plan:
    """Searches in the sub-spaces of a split.

    Attributes:
        title: What is split.
        names: The name of the sub-space of each request.
        requests: What is asked for, in the order in which it is done.
    """

    title: str
    names: list[str]
    requests: list[SearchRequest]


def run_search(
    split: Annotated[
        str | None, typer.Option(help="A finished split's run, or an imported split.")
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="A file or folder of splits.")] = None,
    sub_space: Annotated[
        str | None,
        typer.Option(help='One sub-space, six rows like "01110 11111 11111 11111 11111 11111".'),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Which split of a file of several.")] = None,
    no_splitting: Annotated[
        bool, typer.Option("--no-splitting", help="Search the whole space, unsplit.")
    ] = False,
    dataset: Annotated[
        str | None, typer.Option(help="The data set; otherwise that of the split.")
    ] = None,
    algorithm: Annotated[
        str, typer.Option(help=f"One of {', '.join(list_algorithms())}.")
    ] = "snas",
    preset: Preset = "quick",
    overrides: Override = None,
    seeds: Annotated[
        list[str] | None, typer.Option(help="Seeds: 777,888,999, or the option repeated.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only these sub-spaces of the split, like S1,S4.")
    ] = None,
    images: Images = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A trained supernet whose weights are inherited.")
    ] = None,
    device: Device = "auto",
    full_precision: FullPrecision = False,
    compiled: Compiled = False,
    estimate: Estimate = False,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Search with a one-shot algorithm in every sub-space of a split, one after the other.

    A search that was done before is shown at once; one that was ended goes on where it was.
    """
    place = data_dir(folder)
    title, found_dataset, spaces = _sub_spaces(
        split, masks, sub_space, no_splitting, name, dataset, place
    )
    spaces = _chosen(spaces, only)
    request = SearchRequest(
        found_dataset,
        algorithm,
        tuple(SubSpace.full().rows),
        override(PRESETS.get(preset).search, overrides or []),
        images=images,
        checkpoint=str(checkpoint.resolve()) if checkpoint else None,
        device=choose_device(device),
        mixed_precision=not full_precision,
        compiled=compiled,
    )
    numbers = _seeds(seeds)
    requests = plan(request, list(spaces.values()), numbers)
    names = [label for label in spaces for _ in numbers]
    asked = _Plan(title, names, requests)
    if estimate:
        _show_estimate(asked, place, as_json)
        return
    runs = [complete(one, place) for one in asked.requests]
    rows = [
        _result(label, one, run)
        for label, one, run in zip(asked.names, asked.requests, runs, strict=True)
    ]
    whose, accuracies = _accuracies(found_dataset, place)
    for row in rows:
        row["accuracy"] = accuracies.get(row["architecture_index"])
    if as_json:
        print_json(
            {
                "split": title,
                "algorithm": algorithm,
                "dataset": found_dataset,
                "accuracy": whose,
                "runs": rows,
            }
        )
        return
    out.print(_results_table(rows, f"{title}, {algorithm} on {found_dataset}", whose))


def _sub_spaces(
    split: str | None,
    masks: Path | None,
    sub_space: str | None,
    whole: bool,
    name: str | None,
    dataset: str | None,
    place: Path,
) -> tuple[str, str, dict[str, SubSpace]]:
    """Return what is split, for which data set, and the sub-spaces by their names."""
    given = [split is not None, masks is not None, sub_space is not None, whole]
    if sum(given) != 1:
        raise FewshotError(
            "expected one of --split RUN, --masks FILE, --sub-space ROWS and --no-splitting"
        )
    if sub_space is not None:
        return "one sub-space", dataset or "cifar10", {"S1": sub_space_of(sub_space)}
    if whole:
        return "no splitting", dataset or "cifar10", {"whole": SubSpace.full()}
    found = one_split(named_splits(masks, split, place, "--split RUN"), name, dataset)
    meant = dataset or found.dataset
    if meant is None:
        raise FewshotError("the split does not say its data set: name it with --dataset")
    leaves = {f"S{number}": leaf for number, leaf in enumerate(found.leaves, start=1)}
    return found.title, meant, leaves


def _chosen(spaces: dict[str, SubSpace], only: str | None) -> dict[str, SubSpace]:
    if only is None:
        return spaces
    names = only.replace(" ", "").split(",")
    unknown = [name for name in names if name not in spaces]
    if unknown:
        raise FewshotError(f"--only: expected some of {', '.join(spaces)}, got {unknown[0]!r}")
    return {name: spaces[name] for name in names}


def _seeds(texts: Sequence[str] | None) -> list[int]:
    parts = [part for text in texts or ["777"] for part in text.replace(",", " ").split()]
    try:
        return list(dict.fromkeys(map(int, parts)))
    except ValueError as error:
        raise FewshotError(f"--seeds: expected numbers like 777,888, got {parts}") from error


def _show_estimate(asked: _Plan, place: Path, as_json: bool) -> None:
    seconds = [expected_seconds(request, place) for request in asked.requests]
    searches = list(zip(asked.names, asked.requests, seconds, strict=True))
    if as_json:
        rows = [
            {"sub_space": name, "seed": one.seed, "size": one.sub_space.size, "seconds": each}
            for name, one, each in searches
        ]
        options = asked.requests[0].canonical()["options"]
        print_json({"searches": rows, "seconds": sum(seconds), "options": options})
        return
    table = Table("sub-space", "architectures", "seed", "about", title=asked.title)
    for name, one, each in searches:
        table.add_row(name, f"{one.sub_space.size:,}", str(one.seed), duration_text(each))
    out.print(table)
    out.print(f"{len(searches)} searches, about {duration_text(sum(seconds))}", highlight=False)


def _result(name: str, request: SearchRequest, run: RunFolder) -> dict[str, Any]:
    last = run.records()[-1]
    return {
        "sub_space": name,
        "rows": list(request.rows),
        "seed": request.seed,
        "run_id": run.run_id,
        "epochs": last["epoch"],
        "valid_accuracy": last["valid_accuracy"],
        "architecture": last["architecture"],
        "architecture_index": last["architecture_index"],
    }


def _accuracies(dataset: str, place: Path) -> tuple[str, dict[int, float]]:
    """Return test accuracies where a table has them, else validation accuracies, and whose."""
    for kind in ("test", "validation"):
        try:
            source = resolve_table(dataset, kind, None, place)
        except FewshotError:
            continue
        frame = load_accuracy(dataset, kind, None, place)
        pairs = zip(frame["architecture"], frame["accuracy_mean"], strict=True)
        found = {int(index): float(accuracy) for index, accuracy in pairs}
        return f"{kind} accuracy, table {source.name}", found
    return "no table has accuracies of this data set", {}


def _results_table(rows: list[dict[str, Any]], title: str, whose: str) -> Table:
    table = Table(
        "sub-space",
        "seed",
        "supernet",
        "found",
        Column("architecture", overflow="fold"),
        title=title,
        caption=f"supernet: accuracy on held-out images; found: {whose}; all in percent",
    )
    for row in rows:
        found = "-" if row["accuracy"] is None else f"{row['accuracy']:.2f}"
        supernet = f"{row['valid_accuracy']:.2f}"
        table.add_row(row["sub_space"], str(row["seed"]), supernet, found, row["architecture"])
    return table
