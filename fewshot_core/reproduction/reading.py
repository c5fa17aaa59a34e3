"""Taking recorded runs, published splits and accuracies from where they are."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.bench import KINDS, load_accuracy, resolve_table
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError
from fewshot_core.metrics import METRICS
from fewshot_core.reproduction.material import Accuracies, Material, Split
from fewshot_core.reproduction.reading_searches import with_searches
from fewshot_core.runs import SplitRequest
from fewshot_core.search.options import as_text
from fewshot_core.splitting import TreeOptions
from fewshot_core.splitting.files import read_splits
from fewshot_core.store import Store


def read_material(
    store: Store,
    data_dir: Path,
    kind: str | None = None,
    table: str | None = None,
    published: Path | None = None,
) -> Material:
    """Take what claims are judged on.

    Args:
        store: Where recorded runs are, synced.
        data_dir: Where accuracy tables are.
        kind: Which accuracies; by default test accuracies where there are any.
        table: The table, or a CSV file.
        published: A file of published splits, or None.

    Raises:
        FewshotError: If no table has the accuracies of any data set, or a file cannot be read.
    """
    accuracies = _accuracies(kind, table, data_dir)
    splits = tuple(sorted(_recorded(store), key=_place))
    printed = tuple(_published(published)) if published is not None else ()
    material = Material(accuracies, splits, printed)
    for name in accuracies:
        material = with_searches(material, store, name)
    return material


def _accuracies(kind: str | None, table: str | None, data_dir: Path) -> dict[str, Accuracies]:
    """Return the accuracies of every data set: those of a kind, or the test ones first."""
    found = {}
    problem: TableError | None = None
    for name in DATASETS.names():
        for wanted in [kind] if kind else reversed(KINDS):
            try:
                info = resolve_table(name, wanted, table, data_dir)
            except TableError as error:
                problem = error
                continue
            frame = load_accuracy(name, wanted, table, data_dir)
            evaluator = SplitEvaluator(frame)
            found[name] = Accuracies(name, wanted, info.name, info.fingerprint, frame, evaluator)
            break
    if problem is not None and not found:
        raise problem
    return found


def _recorded(store: Store) -> Iterator[Split]:
    for row in store.splits().to_dict("records"):
        request = SplitRequest.from_dict(json.loads(str(row["request"])))
        yield Split(
            metric=_metric(request),
            dataset=request.dataset,
            leaves=tuple(store.split_tree(str(row["run_id"])).leaves),
            run_id=str(row["run_id"]),
            network=_network(request),
            images=_images(request, row) if request.needs_images else None,
            seeds=_seeds(request),
            arbitrary=int(row["degenerate_nodes"]),
        )


def _seeds(request: SplitRequest) -> tuple[int, ...]:
    """Return the seeds that can count: of the metric, of the batch, of the weights."""
    batch = (request.batch_seed,) if request.needs_images else ()
    return (request.seed, *batch, request.network.seed)


def _metric(request: SplitRequest) -> str:
    """Return the metric, with what else its paper variant on the batch does not say."""
    own = [request.variant] if request.variant != "paper" else []
    if METRICS.get(request.metric).needs_images and request.batch_norm != "batch":
        own.append(f"{request.batch_norm} statistics")
    return f"{request.metric} ({', '.join(own)})" if own else request.metric


def _network(request: SplitRequest) -> str:
    network = replace(request.network, seed=0).describe().replace(" (seed 0)", "")
    differing = [
        f"{name.replace('_', ' ')} {as_text(value)}"
        for name, value in vars(request.tree).items()
        if value != getattr(TreeOptions(), name)
    ]
    return ", ".join([network, *differing])


def _images(request: SplitRequest, row: Mapping[Any, Any]) -> str:
    made_up = json.loads(str(row["details"])).get("synthetic", False)
    count = f"{request.batches} x {request.batch_size}" if request.batches > 1 else ""
    return f"{count or request.batch_size} {'made-up' if made_up else 'real'} images"


def _published(path: Path) -> Iterator[Split]:
    by_label = {metric.label: metric.name for metric in METRICS}
    for split in read_splits(path):
        if split.dataset is not None:
            yield Split(by_label.get(split.name, split.name), split.dataset, split.leaves)


def _place(split: Split) -> tuple[int, int, str, tuple[int, ...], str]:
    """Return a key that sorts splits by data set, metric and seeds."""
    names, datasets = METRICS.names(), DATASETS.names()
    known = split.metric.split(" ")[0]
    return (
        datasets.index(split.dataset),
        names.index(known) if known in names else len(names),
        split.metric,
        split.seeds,
        split.run_id,
    )
