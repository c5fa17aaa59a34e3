"""Shared parts of commands: options, progress on standard error, and printed tables."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from fewshot_core.analysis import stability
from fewshot_core.bench import KINDS, resolve_table
from fewshot_core.data_folder import ENVIRONMENT_NAME
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError
from fewshot_core.images import ImageSource
from fewshot_core.runs import RunFolder, State, Status, cancel, find_run
from fewshot_core.selection import Curves, HalvingResult
from fewshot_core.selection.curves import Floats
from fewshot_core.space import SubSpace, edge_label, operation_set_label
from fewshot_core.splitting import SplitTree
from fewshot_core.splitting.files import imported_names, open_imported, read_splits
from fewshot_core.splitting.tree import NamedSplit

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help=f"The data folder; otherwise ${ENVIRONMENT_NAME}, data/ of a checkout, or the "
        "user's data directory.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
Dataset = Annotated[str, typer.Option(help=f"One of {', '.join(DATASETS.names())}.")]
Masks = Annotated[
    Path | None, typer.Option(help="A JSON file of masks or of a tree, or a folder of YAML files.")
]
SplitRun = Annotated[str | None, typer.Option(help="The run of a split, or an imported split.")]
SplitName = Annotated[str | None, typer.Option(help="The split to use from a file of several.")]
SplitDataset = Annotated[
    str | None, typer.Option(help="The data set; by default that of the split.")
]
Accuracy = Annotated[
    str | None,
    typer.Option(help=f"Benchmark accuracy: {' or '.join(KINDS)}; by default test if available."),
]
AccuracyTable = Annotated[
    str | None, typer.Option("--table", help="The name of an accuracy table, or a CSV file.")
]


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def preferred_accuracy(
    dataset: str, kind: str | None, table: str | None, place: Path
) -> tuple[str, str]:
    """Choose the kind of accuracy and a table that has it: test accuracies where available."""
    if kind is not None:
        return kind, resolve_table(dataset, kind, table, place).name
    try:
        return "test", resolve_table(dataset, "test", table, place).name
    except FewshotError:
        return "validation", resolve_table(dataset, "validation", table, place).name


POLL_SECONDS = 0.2


def follow(run: RunFolder, console: Console, ours: bool = True) -> Status:
    """Wait for a run to end and show its progress; an interruption cancels it if it is ours."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    try:
        hidden = not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
            task = bar.add_task("starting", total=None)
            while (status := run.status()).state.active:
                total = status.total or None
                bar.update(task, description=status.message, completed=status.done, total=total)
                time.sleep(POLL_SECONDS)
        return status
    except KeyboardInterrupt:
        if ours:
            cancel(run)
        end = "cancelled" if ours else "continues: it was started elsewhere"
        console.print(f"{run.run_id} {end}", markup=False, highlight=False)
        raise


def follow_to_end(run: RunFolder, console: Console, requested: float) -> None:
    """Wait for a requested run; if it does not succeed, print why and exit.

    ``requested`` is the time of the request: a run that started later belongs to this command.
    """
    status = follow(run, console, ours=(run.status().started or 0.0) >= requested)
    if status.state is not State.DONE:
        console.print(f"{run.run_id} {status.state}: {status.message}", markup=False, style="red")
        console.print(f"log: {run.log_path}", markup=False)
        raise typer.Exit(1)


class DownloadBar:
    """A progress bar with the interface that pooch expects."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("", total=None)
        self._total = 0

    @property
    def total(self) -> int:
        """The total number of bytes."""
        return self._total

    @total.setter
    def total(self, value: int) -> None:
        self._total = value
        self._progress.start()
        self._progress.update(self._task, total=value)

    def update(self, count: int) -> None:
        """Add bytes."""
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        """Restart the bar."""
        self._progress.reset(self._task, total=self._total)

    def close(self) -> None:
        """Remove the bar."""
        self._progress.stop()


def nodes_table(tree: SplitTree) -> Table:
    """Tabulate the nodes of a tree: groups of operations, cut, and the reason of a tie."""
    table = Table("node", "edge", "groups", "cut", "note")
    for node in tree.nodes:
        path = "/".join(str(number + 1) for number in node.path) or "root"
        groups = "  |  ".join(operation_set_label(group) for group in node.groups)
        table.add_row(path, edge_label(node.edge), groups, f"{node.cut:.6g}", node.reason or "")
    return table


def leaves_table(tree: SplitTree) -> Table:
    """Tabulate the sub-spaces of a tree with sizes and masks."""
    table = Table("sub-space", "size", "rows")
    for number, leaf in enumerate(tree.leaves, start=1):
        table.add_row(f"S{number}", f"{leaf.size:,}", " ".join(leaf.rows))
    return table


def stability_table(trees: Sequence[SplitTree]) -> Table:
    """Tabulate how often the groupings of the first tree recur in the others."""
    table = Table("node", "the same", "of", "different", "most frequent", title="Over all seeds")
    for row in stability(trees).to_dict("records"):
        path = "/".join(str(number + 1) for number in row["path"]) or "root"
        commonest = "  |  ".join(operation_set_label(group) for group in row["commonest"])
        counts = [str(row[name]) for name in ("same", "arrived", "groupings")]
        table.add_row(path, *counts, f"{commonest} ({row['count']})")
    return table


def report_table(report: dict[str, Any]) -> Table:
    """Tabulate the report of a split; see ``report_split``."""
    table = Table(
        "sub-space",
        "size",
        f"top {report['threshold']:.3%}",
        "best %",
        "mean %",
        title=f"{report['metric']} on {report['dataset']}, {report['accuracy']} accuracy, "
        f"table {report['table']}",
        caption=_gain_text(report),
    )
    for number, row in enumerate(report["sub_spaces"], start=1):
        best, mean = ("-" if row[key] is None else f"{row[key]:.2f}" for key in ("best", "mean"))
        table.add_row(f"S{number}", f"{row['size']:,}", str(row["top_count"]), best, mean)
    return table


def _gain_text(report: dict[str, Any]) -> str:
    """Describe the information gain beside the best tree and random trees."""
    gain, best = report["information_gain_bits"], report["best_tree_bits"]
    worth = f"information gain {gain:.4f} bits"
    if best:
        worth += f", {gain / best:.1%} of the best tree"
    if report["random_percentile"] is not None:
        worth += f", percentile {report['random_percentile']:.1f} of random trees"
    return worth


def selection_table(result: HalvingResult, curves: Curves, title: str) -> Table:
    """Tabulate how long each sub-supernet was trained and what it finds by the end."""
    table = Table("sub-space", "trained to", "validation %", "finds by the end %", "", title=title)
    found, valid = curves.at("test_accuracy", result.end), curves.values["valid_accuracy"]
    for i, name in enumerate(result.sub_spaces):
        last = result.trained.get(name)
        reached = "-" if last is None else _percent(valid[i, curves.epochs == last])
        notes = ["chosen"] if name == result.winner else []
        notes += ["best"] if name in result.equally_best else []
        epochs = "-" if last is None else str(last)
        table.add_row(name, epochs, reached, f"{found[i]:.2f}", ", ".join(notes))
    return table


def schedules_table(grid: pd.DataFrame, title: str) -> Table:
    """Tabulate named strategies and those on the Pareto front; see ``schedule_grid``."""
    shown = grid[grid["pareto"] | (grid["mark"] != "")].sort_values(["cost", "regret"])
    table = Table(
        "strategy",
        "known as",
        "cost, runs",
        "finds %",
        "regret",
        "best discarded",
        "front",
        title=title,
        caption=f"{len(shown)} of {len(grid)} strategies: those with a name or on the front",
    )
    for row in shown.to_dict("records"):
        spread = f" ± {row['regret_std']:.2f}" if row["seeds"] > 1 else ""
        table.add_row(
            str(row["label"]),
            str(row["mark"]),
            f"{row['cost']:.2f}",
            f"{row['test_accuracy']:.2f}",
            f"{row['regret']:.2f}{spread}",
            f"{row['best_discarded']:.0%}",
            "yes" if row["pareto"] else "",
        )
    return table


def _percent(values: Floats) -> str:
    """Format the first value, or a dash if it is missing."""
    return f"{values[0]:.2f}" if len(values) and not np.isnan(values[0]) else "-"


def images_table(sources: Iterable[ImageSource]) -> Table:
    """Tabulate image sources, with the problem of those that cannot be read."""
    table = Table("data set", "name", "what", "where")
    for source in sources:
        where = "" if source.synthetic else str(source.path)
        table.add_row(source.dataset, source.name, source.problem or source.label, where)
    return table


def doctor_table(found: dict[str, Any]) -> Table:
    """Tabulate the state of the installation; see ``fewshot_core.doctor.examine``."""
    table = Table("what", "found", show_header=False)
    packages = ", ".join(
        f"{name} {known or 'MISSING'}" for name, known in found["packages"].items()
    )
    free = found["free_bytes"]
    table.add_row("Python", found["python"])
    table.add_row("packages", packages)
    table.add_row("devices", ", ".join(found["devices"]))
    table.add_row("data folder", found["data_dir"])
    table.add_row("free space", "none" if free is None else f"{free / 1e9:.1f} GB")
    for item in found["tables"]:
        sets = ", ".join(
            f"{part['dataset']} {part['accuracy']}" + ("" if part["complete"] else " (incomplete)")
            for part in item["sets"]
        )
        table.add_row("table", f"{item['name']}: {sets}")
    for name, sources in found["images"].items():
        table.add_row(f"images {name}", ", ".join(source["label"] for source in sources))
    runs = ", ".join(f"{count} {state}" for state, count in found["runs"].items())
    table.add_row("runs", runs or "none")
    return table


def named_splits(
    masks: Path | None, run: str | None, place: Path, option: str = "--run RUN"
) -> list[NamedSplit]:
    """Read the splits of a file or folder, of a finished run, or of an imported split.

    ``option`` is the name of the command's option for ``run``.

    Raises:
        FewshotError: If not exactly one of the two is given, or it cannot be read.
    """
    if (masks is None) == (run is None):
        raise FewshotError(f"expected either --masks FILE or {option}")
    if masks is not None:
        return read_splits(masks)
    if run in imported_names(place):
        return [open_imported(str(run), place)]
    folder = find_run(str(run), place)
    tree, status, request = folder.tree(), folder.status(), folder.split_request()
    if tree is None or status.state is not State.DONE:
        raise FewshotError(f"the split {run} is {status.state}, not done: {status.message}")
    return [NamedSplit(tree.metric, request.dataset, tuple(tree.leaves), tree)]


def one_split(splits: Sequence[NamedSplit], name: str | None, dataset: str | None) -> NamedSplit:
    """Select the only split with a name and data set.

    Raises:
        FewshotError: If there is none, or more than one; the message names them.
    """
    matching = [
        split
        for split in splits
        if name in (None, split.name) and (dataset is None or split.dataset in (None, dataset))
    ]
    if len(matching) == 1:
        return matching[0]
    if not matching:
        known = ", ".join(split.title for split in splits)
        raise FewshotError(f"no split of that name and data set: expected one of {known}")
    found = ", ".join(split.title for split in matching)
    raise FewshotError(f"several splits match ({found}): choose with --name and --dataset")


def sub_space_of(text: str) -> SubSpace:
    """Parse six rows like ``"01110 11111 11111 11111 11111 11111"``."""
    return SubSpace.from_rows(text.split())
