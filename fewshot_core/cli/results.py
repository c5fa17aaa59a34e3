"""The commands ``fewshot analyse``, ``results``, ``findings`` and ``reproduce``."""

import shlex
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.table import Table

from fewshot_core.analysis import (
    CostLimit,
    SplitEvaluator,
    join_cost,
    load_cost,
    recorded_results,
    report_costs,
    report_frame,
    results_csv,
    results_latex,
    results_markdown,
)
from fewshot_core.analysis.estimates import cost_text, find_cost
from fewshot_core.analysis.informativeness import report_split
from fewshot_core.analysis.results import SHOWN, results_table
from fewshot_core.bench import KINDS, load_accuracy, resolve_table
from fewshot_core.cli.common import (
    Accuracy,
    AccuracyTable,
    AsJson,
    AtMost,
    DataDir,
    Dataset,
    Labels,
    Masks,
    Rule,
    SpaceName,
    SplitRuns,
    accuracies_within,
    err,
    named_partition,
    named_splits,
    preferred_accuracy,
    recorded_runs,
    show,
    table_of,
)
from fewshot_core.data_folder import data_dir, write_text
from fewshot_core.errors import FewshotError, UnknownNameError
from fewshot_core.evidence import Evidence, find_evidence, group_by_evidence
from fewshot_core.runs import find_run
from fewshot_core.space import (
    NAS_BENCH_201,
    Part,
    SearchSpace,
    Task,
    get_space,
    score_text,
    space_of,
)
from fewshot_core.splitting.files import imported_names
from fewshot_core.store import known_splits

FORMATS = ("markdown", "csv", "latex")


_Wanted = tuple[str, str, Sequence[Part], Evidence | None]
"""Metric, data set, sub-spaces of a split, and what it rests on; of a partition its groups."""


def run_analyse(
    masks: Masks = None,
    run: SplitRuns = None,
    labels: Labels = None,
    rule: Rule = None,
    dataset: Annotated[str | None, typer.Option(help="Only this data set or task.")] = None,
    space: SpaceName = None,
    accuracy: Annotated[
        str | None, typer.Option(help=f"{' or '.join(KINDS)}; by default the first there is.")
    ] = None,
    table: AccuracyTable = None,
    threshold: Annotated[float, typer.Option(help="The share that counts as top.")] = 0.01,
    at_most: AtMost = None,
    cost: Annotated[
        str | None,
        typer.Option(help="Find Pareto fronts of accuracy and this cost, such as latency."),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Write the figure of their information gain, as HTML.")
    ] = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Analyse splits, or any partition: information gain, and the contents of each sub-space."""
    place = data_dir(folder)

    @lru_cache
    def evaluator_of(space: SearchSpace, dataset: str) -> tuple[str, str, SplitEvaluator]:
        kind = accuracy or space.dataset(dataset).kinds[0]
        source = resolve_table(dataset, kind, table, place, space).name
        accuracies = accuracies_within(at_most, dataset, kind, table, place, space)
        return kind, source, SplitEvaluator(accuracies, threshold)

    reports = []
    runs: list[str | None] = list(run) if run else [None]
    of_space = get_space(space or NAS_BENCH_201, place)
    partition = named_partition(labels, rule, of_space, place)
    if partition is None:
        wanted = [
            split for name in runs for split in _wanted_splits(masks, name, dataset, place, space)
        ]
    else:
        if masks is not None or run or figure is not None:
            raise FewshotError("a partition goes without --masks, --run and --figure")
        datasets = [dataset] if dataset else [task.name for task in of_space.datasets]
        wanted = [(partition[0], name, partition[1], None) for name in datasets]
    for metric, name, leaves, evidence in wanted:
        kind, source, evaluator = evaluator_of(space_of(leaves), name)
        report = report_split(metric, name, kind, source, leaves, evaluator)
        key, notes = (evidence.key, list(evidence.badges)) if evidence else (None, [])
        notes += [f"only {at_most.replace('=', ' at most ')}"] if at_most else []
        report |= {"at_most": at_most} if at_most else {}
        report |= _costs(cost, name, leaves, evaluator.accuracy, place) if cost else {}
        reports.append(report | {"evidence": key, "notes": notes})
    if figure is not None:
        top = f"top {100 * threshold:.3g}%" + (f", only {at_most}" if at_most else "")
        _write_figure(figure, wanted, evaluator_of, top)
    tasks = [space_of(leaves).dataset(name) for _, name, leaves, _ in wanted]
    tables = [*map(_report, reports, tasks), *(_fronts(one) for one in reports if cost)]
    show(as_json, {"splits": reports}, *tables)


def _costs(
    cost: str, dataset: str, leaves: Sequence[Part], accuracy: pd.DataFrame, place: Path
) -> dict[str, Any]:
    """Find the Pareto fronts of a cost in the sub-spaces, as plain values."""
    space = space_of(leaves)
    table, column, unit = find_cost(cost, dataset, place, space)
    frame = join_cost(load_cost(table, column, dataset, place, space), accuracy)
    found = report_costs(frame, leaves)
    rows = found.table.astype(object).where(found.table.notna(), None).to_dict("records")
    reference = {"cost": found.worst[0], "accuracy": found.worst[1]}
    return {"cost": column, "unit": unit, "reference": reference, "fronts": rows}


def _fronts(report: dict[str, Any]) -> Table:
    """Tabulate the Pareto fronts of a report."""
    reference = report["reference"]
    return table_of(
        ("sub-space", "architectures", "on its front", "on that of all", "hypervolume"),
        (
            (
                row["sub_space"],
                f"{row['known']:,}",
                row["front"],
                row["shared"],
                "-" if row["hypervolume"] is None else f"{row['hypervolume']:.1%}",
            )
            for row in report["fronts"]
        ),
        title=f"Pareto fronts of {report['cost']} and accuracy",
        caption=f"reference point: {cost_text(reference['cost'], report['unit'])}, accuracy "
        f"{reference['accuracy']:.4g}",
    )


def _write_figure(
    path: Path,
    wanted: Sequence[_Wanted],
    evaluator_of: Callable[[SearchSpace, str], tuple[str, str, SplitEvaluator]],
    top: str,
) -> None:
    """Write the figure of the information gain of splits of one data set and equal evidence."""
    from fewshot_core.plots import gains_figure

    names = {name for _, name, *_ in wanted}
    if len(names) > 1:
        raise FewshotError(f"expected splits of one data set, got {', '.join(sorted(names))}")
    groups = group_by_evidence((metric, one) for metric, *_, one in wanted if one is not None)
    if len(groups) > 1:
        keys = ", ".join(evidence.key for evidence in groups)
        raise FewshotError(f"expected splits with equal evidence in one figure, got {keys}")
    [rests_on] = groups
    metrics = [metric for metric, *_ in wanted]
    splits = {
        metric if metrics.count(metric) == 1 else f"{metric} ({number})": leaves
        for number, (metric, _, leaves, _) in enumerate(wanted, start=1)
    }
    space = space_of([leaf for _, _, leaves, _ in wanted for leaf in leaves])
    _, table, evaluator = evaluator_of(space, names.pop())
    reports = report_frame(splits, evaluator)
    title = f"Information gain about the {top}"
    drawn = gains_figure(
        reports, splits, evaluator, title, [f"table {table}", rests_on.label, *rests_on.badges]
    )
    write_text(path, drawn.to_html(include_plotlyjs=True))
    err.print(f"wrote {path}")


def _evidence(run: str | None, dataset: str, space: SearchSpace, place: Path) -> Evidence:
    """Find what a split rests on; the network of one from a file is not known."""
    if run is None or run in imported_names(place):
        return Evidence(dataset, space="" if space == NAS_BENCH_201 else space.name)
    return find_run(run, place).split_request().evidence


def _wanted_splits(
    masks: Path | None, run: str | None, dataset: str | None, place: Path, space: str | None
) -> list[_Wanted]:
    """Collect metric, data set, sub-spaces and evidence of the selected splits."""
    wanted: list[_Wanted] = []
    for split in named_splits(masks, run, place, space=space):
        if dataset is not None:
            split.space.dataset(dataset)
        name = (dataset if run is not None else None) or split.dataset or dataset
        if name is None:
            raise FewshotError(f"{masks} does not say its data set: name it with --dataset")
        if dataset in (None, name):
            evidence = _evidence(run, name, split.space, place)
            wanted.append((split.name, name, split.leaves, evidence))
    if not wanted:
        raise FewshotError(f"{masks} has no split for {dataset}: choose another --dataset")
    return wanted


def _report(report: dict[str, Any], task: Task) -> Table:
    """Tabulate the report of a split by scores of a data set; see ``report_split``."""
    gain, best = report["information_gain_bits"], report["best_tree_bits"]
    worth = f"information gain {gain:.4f} bits"
    if best:
        worth += f", {gain / best:.1%} of the best tree"
    if report["random_percentile"] is not None:
        worth += f", percentile {report['random_percentile']:.1f} of random trees"
    worth += "".join(f"; {part}" for part in filter(None, [report["evidence"], *report["notes"]]))
    scores = "best", "mean"
    return table_of(
        ("sub-space", "size", f"top {report['threshold']:.3%}", "best", "mean"),
        (
            (
                row.get("label", f"S{number}"),
                f"{row['size']:,}",
                row["top_count"],
                *(
                    "-" if row[name] is None else score_text(row[name], task.unit)
                    for name in scores
                ),
            )
            for number, row in enumerate(report["sub_spaces"], start=1)
        ),
        title=f"{report['metric']} on {report['dataset']}, {report['accuracy']} {task.score}, "
        f"table {report['table']}",
        caption=worth,
    )


def run_results(
    dataset: Dataset = None,
    space: SpaceName = None,
    evidence: Annotated[
        str | None,
        typer.Option(help="Only searches with this evidence; by default the strongest there is."),
    ] = None,
    accuracy: Accuracy = None,
    table: AccuracyTable = None,
    at_most: AtMost = None,
    form: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = "markdown",
    shown: Annotated[str, typer.Option("--show", help=f"One of {', '.join(SHOWN)}.")] = "both",
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print the paper's table of a data set from recorded searches.

    Of NAS-Bench-201 the published results stand beside them. With --at-most, architectures found
    beyond the limit are infeasible: their searches count, but not what they found.
    """
    place = data_dir(folder)
    of_space = get_space(space or NAS_BENCH_201, place)
    dataset = of_space.dataset(dataset or of_space.datasets[0].name).name
    if form not in FORMATS:
        raise UnknownNameError(f"unknown format {form!r}: expected one of {', '.join(FORMATS)}")
    kind, name = preferred_accuracy(dataset, accuracy, table, place, of_space)
    with recorded_runs(place) as store:
        splits = known_splits(store, place, dataset, of_space)
        searches = store.searches(dataset, of_space.name)
        records = store.search_records(list(searches["run_id"]))
    limit = CostLimit.from_option(at_most, dataset, place, of_space) if at_most else None
    allowed = limit.allowed(dataset, place, of_space) if limit else None
    accuracies = load_accuracy(dataset, kind, table, place, of_space)
    found = recorded_results(splits, searches, records, accuracies, of_space, allowed)
    runs = found.drop_duplicates("run_id")
    groups = group_by_evidence(zip(runs["run_id"], runs["evidence"], strict=True))
    chosen = find_evidence(groups, evidence)
    others = [key.key for key in groups if key != chosen]
    if others and evidence is None and chosen is not None:
        err.print(
            f"searches with evidence {chosen.key}; choose with --evidence: {', '.join(others)}"
        )
    results = results_table(found, dataset, chosen, kind, of_space)
    if as_json:
        rows = results.astype(object).where(results.notna(), None).to_dict("records")
        key = None if chosen is None else chosen.key
        known = {"space": of_space.name, "dataset": dataset, "accuracy": kind, "table": name}
        show(True, {**known, "evidence": key, "cells": rows})
    elif form == "csv":
        typer.echo(results_csv(results), nl=False)
    elif form == "latex":
        typer.echo(results_latex(results, shown, kind, str(limit or "")), nl=False)
    else:
        typer.echo(results_markdown(results, shown, kind, str(limit or "")), nl=False)


Output = Annotated[
    Path | None, typer.Option(help="The file to write; by default the page is printed.")
]
OnlyDemo = Annotated[bool, typer.Option("--only-demo", help="Only the demonstration runs.")]


def run_findings(
    output: Output = None, only_demo: OnlyDemo = False, folder: DataDir = None
) -> None:
    """Write what recorded runs and tables say, with figures next to the page."""
    from fewshot_core.reproduction import findings_markdown, read_findings

    place = data_dir(folder)
    with recorded_runs(place, only_demo) as store:
        material = read_findings(store, place)
    command = f"fewshot findings{' --only-demo' * only_demo}"
    text, figures = findings_markdown(material, command, output.stem if output else "findings")
    if output is None:
        typer.echo(text, nl=False)
        return
    for name, svg in figures.items():
        write_text(output.with_name(name), svg)
    write_text(output, text)
    err.print(f"wrote {output} and {len(figures)} figures")


def run_reproduce(
    output: Output = None,
    only_demo: OnlyDemo = False,
    published: Annotated[
        Path | None,
        typer.Option(help="A JSON file of published splits, or a folder of one."),
    ] = None,
    accuracy: Accuracy = None,
    table: AccuracyTable = None,
    folder: DataDir = None,
) -> None:
    """Check the claims of the paper's Section 4 on recorded runs and write a report."""
    from fewshot_core.reproduction import read_material, report_markdown

    place = data_dir(folder)
    with recorded_runs(place, only_demo) as store:
        material = read_material(store, place, accuracy, table, published)
    command = ["fewshot", "reproduce", *["--only-demo"] * only_demo]
    if published is not None:
        command += ["--published", published.name]
    if accuracy is not None:
        command += ["--accuracy", accuracy]
    if table is not None:
        command += ["--table", Path(table).name]  # the report names files, not where they are
    text = report_markdown(material, shlex.join(command))
    if output is None:
        typer.echo(text, nl=False)
        return
    write_text(output, text)
    err.print(f"wrote {output}")
