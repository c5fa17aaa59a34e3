"""The commands ``fewshot analyse``, ``estimates``, ``results``, ``findings`` and ``reproduce``."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import RenderableType
from rich.table import Table

from fewshot_core.analysis import (
    CostLimit,
    SplitEvaluator,
    join_cost,
    join_estimate,
    judge_estimate,
    judge_in_split,
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
from fewshot_core.bench import KINDS, columns_csv, load_accuracy, load_column, resolve_table
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
from fewshot_core.errors import FewshotError, check_name
from fewshot_core.evidence import Evidence, find_evidence, group_by_evidence
from fewshot_core.runs import find_run
from fewshot_core.search.proxy import Correlation, RankCorrelation
from fewshot_core.space import (
    NAS_BENCH_201,
    Part,
    SearchSpace,
    Task,
    get_space,
    score_text,
    space_label,
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
        return Evidence(dataset, space=space_label(space))
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
    check_name("format", form, FORMATS)
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


_Splits = list[tuple[str, tuple[Part, ...]]]


def run_estimates(
    estimate: Annotated[
        list[str],
        typer.Option(help="An estimate, as FILE.csv:COLUMN or TABLE:COLUMN; repeatable."),
    ],
    masks: Masks = None,
    run: SplitRuns = None,
    labels: Labels = None,
    rule: Rule = None,
    dataset: Annotated[
        str | None, typer.Option(help="The data set or task; by default the first of the space.")
    ] = None,
    space: SpaceName = None,
    accuracy: Accuracy = None,
    table: AccuracyTable = None,
    threshold: Annotated[float, typer.Option(help="The share that counts as top.")] = 0.01,
    at_most: AtMost = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the estimates, as a CSV file that can be imported.")
    ] = None,
    folder: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Compare estimates with accuracies: over the space, in sub-spaces, between them."""
    place = data_dir(folder)
    of_space = get_space(space or NAS_BENCH_201, place)
    name = dataset or of_space.datasets[0].name
    kind, source = preferred_accuracy(name, accuracy, table, place, of_space)
    accuracies = accuracies_within(at_most, name, kind, table, place, of_space)
    splits = list(_splits(masks, run or [], labels, rule, name, of_space, place))
    documents = []
    for text in estimate:
        file, _, column = text.rpartition(":")
        if not file or not column:
            raise FewshotError(
                f"--estimate: expected FILE.csv:COLUMN or TABLE:COLUMN, got {text!r}"
            )
        found = load_column(file, column, place, of_space).rename(columns={column: "estimate"})
        joined = join_estimate(found, accuracies)
        documents.append({"name": column, **_document(joined, splits, threshold)})
    if export is not None:
        named = (text.rpartition(":") for text in estimate)
        columns = {column: (file, column) for file, _, column in named}
        write_text(export, columns_csv(columns, place, of_space))
        err.print(f"wrote {export}")
    facts = {"dataset": name, "accuracy": kind, "table": source, "threshold": threshold}
    facts |= {"at_most": at_most} if at_most else {}
    show(as_json, {**facts, "estimates": documents}, *_tables(documents, facts))


def _splits(
    masks: Path | None,
    runs: list[str],
    labels: Path | None,
    rule: str | None,
    dataset: str,
    space: SearchSpace,
    place: Path,
) -> Iterator[tuple[str, tuple[Part, ...]]]:
    """Collect the splits of a data set from all options that are given."""
    for masks_of, run in [(masks, None)] * (masks is not None) + [(None, name) for name in runs]:
        for split in named_splits(masks_of, run, place, space=space.name):
            if split.dataset in (None, dataset):
                yield split.name, split.leaves
    if partition := named_partition(labels, rule, space, place):
        yield partition


def _document(joined: pd.DataFrame, splits: _Splits, threshold: float) -> dict[str, Any]:
    """The judgement of an estimate as a JSON document."""
    report = judge_estimate(joined, threshold)
    document: dict[str, Any] = {
        "known": report.known,
        **_correlations(report.overall),
        **_correlations(report.top, "_top"),
        "picked": list(report.picked),
        "regret": report.regret,
        "splits": [],
    }
    for metric, leaves in splits:
        found = judge_in_split(joined, leaves)
        table = found.sub_spaces.astype(object).where(found.sub_spaces.notna(), None)
        document["splits"].append(
            {
                "metric": metric,
                "tau_within": table["tau"].tolist(),
                "rho_within": table["rho"].tolist(),
                **_correlations(found.between, "_between"),
                "regret": found.regret,
                "sub_spaces": table.to_dict("records"),
            }
        )
    return document


def _correlations(found: RankCorrelation | None, end: str = "") -> dict[str, Any]:
    """Tau and rho with their intervals; None where they are not defined."""
    unknown = Correlation(None, None, None)
    ones = {
        "tau": found.kendall if found else unknown,
        "rho": found.spearman if found else unknown,
    }
    return {
        **{f"{name}{end}": one.value for name, one in ones.items()},
        **{f"{name}{end}_interval": [one.low, one.high] for name, one in ones.items()},
    }


def _tables(documents: list[dict[str, Any]], facts: dict[str, Any]) -> Iterator[RenderableType]:
    title = f"{facts['dataset']}, {facts['accuracy']} accuracy, table {facts['table']}"
    title += f", only {facts['at_most']}" if "at_most" in facts else ""
    yield table_of(
        ("estimate", "architectures", "tau", "rho", f"tau, top {facts['threshold']:.3g}", "regret"),
        (
            (
                one["name"],
                f"{one['known']:,}",
                *(_text(one[name]) for name in ("tau", "rho", "tau_top")),
                f"{one['regret']:.2f}" + f" ({len(one['picked'])} tied)" * (len(one["picked"]) > 1),
            )
            for one in documents
        ),
        title=title,
    )
    rows = [(one["name"], split) for one in documents for split in one["splits"]]
    if rows:
        yield table_of(
            ("estimate", "split", "tau within", "tau between", "regret"),
            (
                (
                    name,
                    split["metric"],
                    " ".join(map(_text, split["tau_within"])),
                    _text(split["tau_between"]),
                    f"{split['regret']:.2f}",
                )
                for name, split in rows
            ),
        )


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
