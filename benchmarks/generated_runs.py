"""Generated folders of finished and unfinished runs, for measurements."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fewshot_core.datasets import DATASETS
from fewshot_core.runs import (
    Network,
    Request,
    RunFolder,
    SearchRequest,
    SplitRequest,
    State,
    Status,
)
from fewshot_core.search import ALGORITHMS, PRESETS, EpochRecord
from fewshot_core.search.records import RECORDS, TABLE, write_parquet, write_records
from fewshot_core.splitting import SplitTree

STATES = (*[State.DONE] * 8, State.CANCELLED, State.FAILED)


def make_runs(data_dir: Path, number: int, tree: SplitTree) -> None:
    """Store so many runs: splits and searches in turn, four fifths of them done.

    Args:
        data_dir: The data folder.
        number: How many.
        tree: The tree of all splits, and where the sub-spaces of searches are from.
    """
    requests = _requests(tree)
    for count in range(number):
        request = next(requests)
        run = RunFolder(data_dir / "runs" / request.run_id({}))
        run.path.mkdir(parents=True)
        run.write_manifest(
            {
                "kind": request.kind,
                "request": request.to_dict(),
                "fingerprints": {},
                "synthetic": True,
                "created": "2026-01-02T03:04:05+00:00",
            }
        )
        if isinstance(request, SplitRequest):
            run.write_tree(replace(tree, metric=request.metric))
        else:
            records = [_epoch(number) for number in range(request.options.epochs + 1)]
            write_records(run.path / RECORDS, records)
            write_parquet(run.path / TABLE, records)
        run.log_path.write_text("a line of a log\n" * 40)
        run.write_status(Status(STATES[count // 2 % len(STATES)], "generated", 35, 35, 1.7e9))


def _requests(tree: SplitTree) -> Iterator[Request]:
    datasets = DATASETS.names()
    metrics = ("params", "random", "gradnorm", "snip")
    algorithms = ALGORITHMS.names()
    seed = 1  # the run that the tree is from may have seed 0
    while True:
        for dataset in datasets:
            yield SplitRequest(
                dataset, metrics[seed % len(metrics)], seed=seed, network=Network(2, 1)
            )
            leaf = tree.leaves[seed % len(tree.leaves)]
            yield SearchRequest(
                dataset,
                algorithms[seed % len(algorithms)],
                tuple(leaf.rows),
                PRESETS.get("quick").search,
                seed=seed,
                images="synthetic",
            )
        seed += 1


def _epoch(number: int) -> dict[str, object]:
    loss = None if number == 0 else 2.0
    record = EpochRecord(
        number, loss, loss, 1.5, 10.0, "", 100, ((0.2,) * 5,) * 6, (2.3,) * 6, 0.5, 0.25
    )
    return record.to_dict()
