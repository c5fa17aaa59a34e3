"""The command ``fewshot estimates``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import RenderableType

from fewshot_core.analysis import join_estimate, judge_estimate, judge_in_split
from fewshot_core.bench import columns_csv, load_column
from fewshot_core.cli.common import (
    Accuracy,
    AccuracyTable,
    AsJson,
    AtMost,
    DataDir,
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
    show,
    table_of,
)
from fewshot_core.data_folder import data_dir, write_text
from fewshot_core.errors import FewshotError
from fewshot_core.search.proxy import Correlation, RankCorrelation
from fewshot_core.space import NAS_BENCH_201, Part, SearchSpace, get_space

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
