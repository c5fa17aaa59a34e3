"""What a grid costs beside its work: ``python benchmarks/bench_grid.py``.

Tasks that do nothing go through a local cluster, and their results into run folders. The same
results are then written without a cluster, in the same process, for comparison.
"""

import json
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fewshot_core.data_folder import atomic_folder
from fewshot_core.runs import Network, RunFolder, SplitRequest, State, Status, list_runs
from fewshot_core.runs.cluster.clusters import ClusterOptions, open_client
from fewshot_core.runs.cluster.config import Grid
from fewshot_core.runs.cluster.driver import GridTask, Outcome, Sent, run_grid
from fewshot_core.runs.jobs import make_manifest
from fewshot_core.splitting import SplitTree

REQUEST = SplitRequest("cifar10", "params", network=Network(2, 1))
TREE = SplitTree("params", ()).to_json().encode()


def nothing(task: GridTask, sent: Sent | None = None) -> Outcome:
    """Return an empty tree."""
    return Outcome({"tree.json": TREE, "log.txt": b"nothing\n"}, "done", 0, "bench")


def write_alone(requests: list[SplitRequest], place: Path) -> None:
    """Write the same run folders without a cluster."""
    for request in requests:
        fingerprints = request.fingerprints(place)
        with atomic_folder(place / "runs" / request.run_id(fingerprints)) as temporary:
            draft = RunFolder(temporary)
            draft.write_manifest(make_manifest(request, fingerprints, place))
            (temporary / "tree.json").write_bytes(TREE)
            draft.log_path.write_bytes(b"nothing\n")
            draft.write_status(Status(State.DONE, "done"))


def main(
    tasks: Annotated[int, typer.Option(help="How many tasks.")] = 1000,
    workers: Annotated[int, typer.Option(help="How many worker processes.")] = 2,
    quick: Annotated[bool, typer.Option(help="A tenth of the tasks.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure and print."""
    count = tasks // 10 if quick else tasks
    requests = [replace(REQUEST, seed=seed) for seed in range(count)]
    grid = Grid(requests, [], lambda dataset, leaves: [])
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with open_client(ClusterOptions(workers=workers)) as client:
            client.wait_for_workers(workers)
            opened = time.perf_counter() - started
            begun = time.perf_counter()
            report = run_grid(grid, Path(folder) / "grid", client, work=nothing)
            seconds = time.perf_counter() - begun
        if len(report.done) != count or len(list_runs(Path(folder) / "grid")) != count:
            raise SystemExit(f"expected {count} runs, got {len(report.done)}: {report.failed}")
        begun = time.perf_counter()
        write_alone(requests, Path(folder) / "alone")
        alone = time.perf_counter() - begun
    found = {
        "tasks": count,
        "workers": workers,
        "start_seconds": opened,
        "seconds": seconds,
        "tasks_per_second": count / seconds,
        "overhead_per_task_ms": 1000 * seconds / count,
        "of_which_writing_ms": 1000 * alone / count,
        "machine": platform.machine(),
    }
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("what", "value", title=f"{count} tasks that do nothing, {workers} workers")
    for name, value in found.items():
        table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
