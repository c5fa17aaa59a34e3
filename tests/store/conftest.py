"""Data folders with finished runs that no process has made, and with small tables."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewshot_core.bench import ColumnMapping, TableInfo, import_table, list_tables
from fewshot_core.runs import RunFolder, SplitRequest, State, Status
from fewshot_core.space import NAS_BENCH_201, SubSpace
from fewshot_core.splitting import SplitNode, SplitTree
from fewshot_core.store import Store

HOLDER = """
import sys
from pathlib import Path
from fewshot_core.store import Store
store = Store(Path(sys.argv[1]))
sys.stdout.write("open\\n")
sys.stdout.flush()
sys.stdin.read()
"""

MAPPING = ColumnMapping(
    "arch", (("val", "cifar10", "validation"), ("test", "ImageNet16-120", "test"))
)

MakeRun = Callable[..., RunFolder]
Tree = SplitTree


def _tree(metric: str) -> SplitTree:
    """Return a tree of two levels, with a tie and a score that is not a number."""
    root = SplitNode(
        path=(),
        edge=0,
        sub_space=SubSpace.full(),
        operations=(0, 1, 2, 3, 4),
        values=(0.1, None, 1 / 3, float("nan"), -2.5),
        similarity=tuple((0.0,) * 5 for _ in range(5)),
        groups=((0, 1), (2, 3, 4)),
        cut=float("nan"),
        ties=(((0,), (1, 2, 3, 4)),),
        degenerate=True,
        reason="a score is not finite",
        seconds=1.25,
    )
    child = replace(
        root,
        path=(1,),
        edge=4,
        sub_space=root.children[1],
        values=(1.0, 2.0, 3.0, 4.0, 5.0),
        groups=((4,), (0, 1, 2, 3)),
        cut=-0.5,
        ties=(),
        degenerate=False,
        reason=None,
        seconds=0.5,
    )
    return SplitTree(metric, (root, child), {"images": None, "weights": "untrained"})


@pytest.fixture
def make_run(data_folder: Path) -> MakeRun:
    """Store a run as if a process had made it; options are those of its request."""

    def make(metric: str = "gradnorm", state: State = State.DONE, **options: object) -> RunFolder:
        request = SplitRequest(str(options.pop("dataset", "cifar10")), metric, **options)
        run = RunFolder(data_folder / "runs" / request.run_id({}))
        run.path.mkdir(parents=True)
        run.write_manifest(
            {
                "kind": "split",
                "request": request.to_dict(),
                "created": "2026-01-02T03:04:05+00:00",
            }
        )
        run.write_tree(_tree(metric))
        run.write_status(Status(state, "said so"))
        return run

    return make


@pytest.fixture
def finished_at() -> Callable[[RunFolder, float], None]:
    """Set the time at which a run ended."""

    def change(run: RunFolder, seconds: float) -> None:
        path = run.path / "status.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"updated": seconds}))

    return change


@pytest.fixture(scope="session")
def packaged_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packaged")
    list_tables(folder)
    return folder


@pytest.fixture
def data_folder(packaged_dir: Path, tmp_path: Path) -> Path:
    """A data folder with the packaged table."""
    return shutil.copytree(packaged_dir, tmp_path / "data")


@pytest.fixture
def add_table(data_folder: Path, tmp_path: Path) -> Callable[..., TableInfo]:
    """Import a complete table of generated accuracies, replacing one of that name."""

    def add(name: str, seed: int = 0) -> TableInfo:
        values = np.random.default_rng(seed).uniform(10, 95, size=(15625, 2)).round(3)
        rows = zip(NAS_BENCH_201.format_many(range(NAS_BENCH_201.size)), values, strict=True)
        lines = ["arch,val,test", *(f"{text},{low},{high}" for text, (low, high) in rows)]
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines))
        return import_table(path, name=name, mapping=MAPPING, replace=True, data_dir=data_folder)

    return add


@pytest.fixture
def open_store(data_folder: Path) -> Iterator[Callable[..., Store]]:
    """Open and sync a store of the data folder; all are closed in the end."""
    opened: list[Store] = []

    def make(**options: bool) -> Store:
        store = Store(data_folder, **options)
        opened.append(store)
        store.sync()
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def holder(data_folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the cache open."""
    command = [sys.executable, "-c", HOLDER, str(data_folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        yield process
        process.communicate()
