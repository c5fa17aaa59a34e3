"""Shared parts of commands: options, one way to print, progress on standard error."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from fewshot_core.data_folder import ENVIRONMENT_NAME, demo_dir
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError
from fewshot_core.runs import (
    EstimateRequest,
    Request,
    RunFolder,
    SearchRequest,
    State,
    Status,
    TrainingRequest,
    cancel,
    estimate_seconds,
    find_run,
    measure,
    start,
)
from fewshot_core.space import (
    KINDS,
    NAS_BENCH_201,
    RULES,
    Partition,
    SearchSpace,
    get_space,
    partition_by_rule,
    read_partition,
)
from fewshot_core.splitting.files import imported_names, open_imported, read_splits
from fewshot_core.splitting.tree import NamedSplit

if TYPE_CHECKING:
    import pandas as pd

    from fewshot_core.store import Store

out = Console(soft_wrap=True, markup=False, highlight=False)
err = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help=f"The data folder; otherwise ${ENVIRONMENT_NAME}, data/ of a checkout, or the "
        "user's data directory.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
Dataset = Annotated[
    str | None,
    typer.Option(
        help=f"The data set: of NAS-Bench-201 one of {', '.join(DATASETS.names())}; by default the "
        "first of the space."
    ),
]
Images = Annotated[str | None, typer.Option(help="Images by name or path; or synthetic.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Masks = Annotated[
    Path | None, typer.Option(help="A JSON file of masks or of a tree, or a folder of YAML files.")
]
SplitRun = Annotated[str | None, typer.Option(help="The run of a split, or an imported split.")]
SplitRuns = Annotated[
    list[str] | None,
    typer.Option("--run", help="The run of a split, or an imported split; repeatable."),
]
SplitName = Annotated[str | None, typer.Option(help="The split to use from a file of several.")]
SplitDataset = Annotated[
    str | None, typer.Option(help="The data set; by default that of the split.")
]
Labels = Annotated[
    Path | None,
    typer.Option(help="A partition that need not be a tree: a CSV file with columns arch, label."),
]
Rule = Annotated[
    str | None,
    typer.Option(
        help=f"A partition by a rule: one of {', '.join(RULES.names())}=TABLE:COLUMN of costs."
    ),
]
AtMost = Annotated[
    str | None,
    typer.Option(
        help="Only architectures that cost so much at most: COST=LIMIT, the cost a column of a "
        "table, TABLE:COLUMN or FILE.csv:COLUMN."
    ),
]
SpaceName = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="The search space: nas-bench-201 by default, nas-bench-macro, "
        "trans-nas-bench-101-micro, or one that is declared (see import-space).",
    ),
]
Accuracy = Annotated[
    str | None,
    typer.Option(help=f"Benchmark accuracy: {' or '.join(KINDS)}; by default test if available."),
]
AccuracyTable = Annotated[
    str | None, typer.Option("--table", help="The name of an accuracy table, or a CSV file.")
]


def show(as_json: bool, document: Any, *parts: RenderableType) -> None:
    """Print a document as JSON, or else the texts and tables that say the same."""
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
        return
    for part in parts:
        out.print(part)


def table_of(
    columns: Iterable[str | Column],
    rows: Iterable[Iterable[object]],
    title: str | None = None,
    caption: str | None = None,
) -> Table:
    """Tabulate rows of values."""
    table = Table(*columns, title=title, caption=caption)
    for row in rows:
        table.add_row(*map(str, row))
    return table


def numbers_of(text: str, option: str) -> list[int]:
    """Parse the numbers of an option like 0,1,2."""
    try:
        return [int(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise FewshotError(f"{option}: expected numbers like 0,1,2, got {text!r}") from error


def preferred_accuracy(
    dataset: str,
    kind: str | None,
    table: str | None,
    place: Path,
    space: SearchSpace = NAS_BENCH_201,
) -> tuple[str, str]:
    """Choose the kind of accuracy and a table that has it: test accuracies where available."""
    from fewshot_core.bench import resolve_table

    first, *others = [kind] if kind else sorted(space.dataset(dataset).kinds)  # "test" first
    try:
        return first, resolve_table(dataset, first, table, place, space).name
    except FewshotError:
        if not others:
            raise
        return others[0], resolve_table(dataset, others[0], table, place, space).name


def accuracies_within(
    at_most: str | None,
    dataset: str,
    kind: str,
    table: str | None,
    place: Path,
    space: SearchSpace,
) -> "pd.DataFrame":
    """Load the accuracies of the architectures within a limit of the cost, or of all."""
    from fewshot_core.analysis import CostLimit
    from fewshot_core.bench import load_accuracy

    found = load_accuracy(dataset, kind, table, place, space)
    if at_most is None:
        return found
    limit = CostLimit.from_option(at_most, dataset, place, space)
    return limit.restrict(found, dataset, place, space)


@contextmanager
def recorded_runs(place: Path, only_demo: bool = False) -> "Iterator[Store]":
    """Open the runs of a data folder and the demonstration, or the latter alone."""
    from fewshot_core.store import Store

    with TemporaryDirectory() as empty:
        own = Path(empty) if only_demo else place
        with closing(Store(own, in_memory=True, demo=demo_dir())) as store:
            store.sync()
            yield store


POLL_SECONDS = 0.05


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


def follow_to_end(run: RunFolder, requested: float) -> None:
    """Wait for a requested run; if it does not succeed, print why and exit.

    ``requested`` is the time of the request: a run that started later belongs to this command.
    """
    status = follow(run, err, ours=(run.status().started or 0.0) >= requested)
    if status.state is not State.DONE:
        err.print(f"{run.run_id} {status.state}: {status.message}", style="red")
        err.print(f"log: {run.log_path}")
        raise typer.Exit(1)


def complete(request: Request, place: Path) -> RunFolder:
    """Run a request, or take its finished run; exit if it fails."""
    now = time.time()
    run = start(request, place)
    follow_to_end(run, now)
    return run


def expected_seconds(
    request: SearchRequest | TrainingRequest | EstimateRequest,
    place: Path,
    note: str = "measuring a few steps",
) -> float:
    """Estimate the duration of a request; print a note and measure it if need be."""
    seconds = estimate_seconds(place, request)
    if seconds is None:
        err.print(note)
        measure(place, request)
        seconds = estimate_seconds(place, request) or 0.0
    return seconds


class DownloadBar:
    """A progress bar with the interface that pooch expects; ``total`` is in bytes."""

    total = 0

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("", total=None)

    def update(self, count: int) -> None:
        """Add bytes."""
        self._progress.start()
        self._progress.update(self._task, total=self.total, advance=count)

    def reset(self) -> None:
        """Restart the bar."""
        self._progress.reset(self._task, total=self.total)

    def close(self) -> None:
        """Remove the bar."""
        self._progress.stop()


def named_splits(
    masks: Path | None,
    run: str | None,
    place: Path,
    option: str = "--run RUN",
    space: str | None = None,
) -> list[NamedSplit]:
    """Read the splits of a file or folder, of a finished run, or of an imported split.

    ``option`` is the name of the command's option for ``run``. Raises FewshotError if not exactly
    one of the two is given, it cannot be read, or is of another space than the one named.
    """
    wanted = None if space is None else get_space(space, place)
    if (masks is None) == (run is None):
        raise FewshotError(f"expected either --masks FILE or {option}")
    if masks is not None:
        return read_splits(masks, wanted, place)
    split = _of_run(str(run), place)
    if wanted not in (None, split.space):
        raise FewshotError(f"{run} is a split of {split.space.name}, not of {wanted.name}")
    return [split]


def named_partition(
    labels: Path | None, rule: str | None, space: SearchSpace, place: Path
) -> tuple[str, Partition] | None:
    """Read the partition of a file of labels, or make that of a rule, with its name.

    None where neither is given. Raises FewshotError if both are, or it cannot be read.
    """
    if labels is not None and rule is not None:
        raise FewshotError("expected either --labels FILE or --rule NAME")
    if labels is not None:
        return labels.stem, read_partition(labels, space)
    if rule is None:
        return None
    from fewshot_core.bench import load_values

    name, _, column = rule.partition("=")
    costs = load_values(*column.rpartition(":")[::2], place, space) if column else None
    return name, partition_by_rule(name, space, costs)


def _of_run(run: str, place: Path) -> NamedSplit:
    if run in imported_names(place):
        return open_imported(run, place)
    folder = find_run(run, place)
    tree, status, request = folder.tree(), folder.status(), folder.split_request()
    if tree is None or status.state is not State.DONE:
        raise FewshotError(f"the split {run} is {status.state}, not done: {status.message}")
    return NamedSplit(tree.metric, request.dataset, tuple(tree.leaves), tree)


def one_split(
    splits: Sequence[NamedSplit], name: str | None, dataset: str | None
) -> tuple[NamedSplit, str]:
    """Select the only split with a name and data set, and the data set.

    Raises FewshotError if there is none, or more than one; the message names them. If the data set
    is not known.
    """
    matching = [
        split
        for split in splits
        if name in (None, split.name) and (dataset is None or split.dataset in (None, dataset))
    ]
    found = ", ".join(split.title for split in matching or splits)
    if not matching:
        raise FewshotError(f"no split of that name and data set: expected one of {found}")
    if len(matching) > 1:
        raise FewshotError(f"several splits match ({found}): choose with --name and --dataset")
    meant = dataset or matching[0].dataset
    if meant is None:
        raise FewshotError("the split does not say its data set: name it with --dataset")
    return matching[0], meant
