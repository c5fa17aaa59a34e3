"""Informativeness of metrics across search spaces, from random trees (0) to the best tree (1)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.analysis.results import markdown_table
from fewshot_core.bench import KINDS, TableInfo, load_accuracy, resolve_table
from fewshot_core.errors import FewshotError, TableError
from fewshot_core.evidence import group_by_evidence
from fewshot_core.metrics import METRICS
from fewshot_core.space import NAS_BENCH_201, SearchSpace, Task, get_space, list_spaces
from fewshot_core.store import KnownSplit, Store, known_splits

POSITION = "0 is the mean of random trees of the same shape, 1 the best tree"
"""The scale on which splits of different spaces are compared."""

_COLUMNS = ["space", "dataset", "kind", "table", "evidence", "badges", "strongest", "metric"]
_COLUMNS += ["split", "demo", "gain_bits", "position", "percentile"]


def read_across(
    store: Store, data_dir: Path, kind: str | None = None, table: str | None = None
) -> pd.DataFrame:
    """Compare the splits of every space, data set and task that has a table with random trees.

    The store must be in sync. The default kind of scores is test, where available; ``table`` is the
    name or path of that of NAS-Bench-201.

    Returns:
        One row for each split and evidence that it may stand beside: space and dataset (labels),
        kind and table of the scores, evidence and badges (in words), strongest (whether no other
        evidence there is stronger), metric (name), split (its key), demo, gain_bits, position
        (see ``POSITION``; below 0 where it is less informative than chance) and percentile.
        Rows of different evidence are not to be averaged.
    """
    rows = [
        row
        for space in _spaces(store, data_dir)
        for task in space.datasets
        for row in _rows(store, data_dir, space, task, kind, _source(space, table))
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _spaces(store: Store, data_dir: Path) -> Iterator[SearchSpace]:
    for name in list_spaces(data_dir):
        try:
            yield get_space(name, data_dir)
        except FewshotError:  # a damaged declaration is named elsewhere
            continue


def _source(space: SearchSpace, table: str | None) -> str | None:
    return table if space == NAS_BENCH_201 else None


def _rows(
    store: Store,
    data_dir: Path,
    space: SearchSpace,
    task: Task,
    kind: str | None,
    source: str | None,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a data set; none where it has no splits or no complete table."""
    splits = known_splits(store, data_dir, task.name, space)
    found = _table(data_dir, space, task, kind, source) if splits else None
    if found is None:
        return
    kind, info = found
    accuracy = load_accuracy(task.name, kind, source or info.name, data_dir, space)
    evaluator = SplitEvaluator(accuracy)
    groups = group_by_evidence((split, split.evidence) for split in splits)
    for number, (evidence, members) in enumerate(groups.items()):
        about = {
            "space": space.label,
            "dataset": task.label,
            "kind": kind,
            "table": info.name,
            "evidence": evidence.label.removeprefix(f"{evidence.space} · "),
            "badges": ", ".join(evidence.badges),
            "strongest": number == 0,
        }
        yield from ({**about, **row} for split in members for row in _place(split, evaluator))


def _table(
    data_dir: Path, space: SearchSpace, task: Task, kind: str | None, source: str | None
) -> tuple[str, TableInfo] | None:
    for wanted in [kind] if kind else reversed(KINDS):
        if wanted in task.kinds:
            try:
                return wanted, resolve_table(task.name, wanted, source, data_dir, space)
            except TableError:
                continue
    return None


def _place(split: KnownSplit, evaluator: SplitEvaluator) -> Iterator[dict[str, Any]]:
    """Yield where a split is between random trees and the best one, if it can be compared."""
    report = evaluator.report(split.leaves)
    compared = report.comparison
    if compared is None or compared.best_bits <= compared.random_mean_bits:
        return
    reach = compared.best_bits - compared.random_mean_bits
    yield {
        "metric": split.metric,
        "split": split.key,
        "demo": split.demo,
        "gain_bits": report.gain_bits,
        "position": (report.gain_bits - compared.random_mean_bits) / reach,
        "percentile": compared.percentile,
    }


def strongest(across: pd.DataFrame) -> pd.DataFrame:
    """Average the positions of each metric over the splits with the strongest evidence.

    Returns:
        Columns metric, space, dataset, position (mean), splits (their number) and evidence, in the
        order of the metrics.
    """
    groups = across[across["strongest"]].groupby(
        ["metric", "space", "dataset", "evidence", "badges"], sort=False
    )
    found = groups["position"].agg(position="mean", splits="count").reset_index()
    names = METRICS.names()
    order = {name: names.index(name) if name in names else len(names) for name in found["metric"]}
    place = found["metric"].map(order)
    return found.iloc[place.argsort(kind="stable")].reset_index(drop=True)


def across_finding(across: pd.DataFrame, metric: str = "params") -> str:
    """Say where a metric stands in each space, in a sentence of plain text; empty without it."""
    means = strongest(across)
    means = means[means["metric"] == metric]
    parts = []
    for space, part in means.groupby("space", sort=False):
        low, high = part["position"].min(), part["position"].max()
        values = f"{low:.2f}" if len(part) == 1 else f"{low:.2f} to {high:.2f}"
        parts.append(f"at {values} in {space} ({', '.join(part['dataset'])})")
    label = METRICS.label(metric)
    scale = "Between random trees (0) and the best tree (1)"
    return f"{scale}, {label} is {'; '.join(parts)}." if parts else ""


def across_markdown(across: pd.DataFrame) -> list[str]:
    """Write the section of the report, as paragraphs of Markdown."""
    parts = ["## Across search spaces"]
    if across.empty:
        return [*parts, "No space has both a complete table and splits."]
    means = strongest(across)
    if means["space"].nunique() == 1:
        parts.append(
            f"Only {means['space'].iloc[0]} has both a complete table and splits here: see "
            "[search spaces](search-spaces.md#the-published-spaces) for others."
        )
    parts.append(
        f"Mean position of the splits by each metric with the strongest evidence; {POSITION}. "
        "In parentheses the number of splits, where there are several."
    )
    several = means["splits"].map(lambda count: f" ({count})" if count > 1 else "")
    cells = means["position"].map("{:.2f}".format) + several
    table = means.assign(cell=cells, column=means["space"] + ": " + means["dataset"])
    metrics, columns = (list(dict.fromkeys(table[name])) for name in ("metric", "column"))
    wide = table.pivot(index="metric", columns="column", values="cell").reindex(metrics)
    wide = wide[columns].fillna("–").reset_index()
    parts.append(markdown_table(wide, "---"))
    known = across[across["strongest"]].drop_duplicates(["space", "dataset"])
    parts.append(
        "\n".join(
            f"* {row['space']}: {row['dataset']}: {row['evidence']}; {row['kind']} scores of the "
            f"table {row['table']}."
            for row in known.to_dict("records")
        )
    )
    return parts
