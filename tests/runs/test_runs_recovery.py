"""Runs that were killed at any moment, or that found the disk full, end as if nothing had been."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fewshot_core.runs import RunFolder, SplitRequest, State, cancel, list_runs
from fewshot_core.runs.overview import find_damage
from fewshot_core.search.records import TABLE

HERE = Path(__file__).parent
KINDS = ("split", "search", "train")
KILLS = 4
SECONDS = 10
PYTHON = sys.executable

APP = """
import json, sys, time
from pathlib import Path
from fewshot_core.runs import SplitRequest, start
sys.executable = sys.argv[3]
request = SplitRequest.from_dict(json.loads(sys.argv[2]))
print(start(request, Path(sys.argv[1])).run_id, flush=True)
time.sleep(600)
"""


@dataclass
class Broken:
    """Runs that were broken off again and again, and others that were not."""

    folder: Path
    report: dict[str, Any]

    def ended(self, kind: str) -> RunFolder:
        """Return the run that was broken off."""
        return RunFolder(self.folder / "broken" / kind / "runs" / self.report[kind]["run"])

    def unbroken(self, kind: str) -> RunFolder:
        """Return the run of the same request that was not."""
        return RunFolder(self.folder / "unbroken" / "runs" / self.report[kind]["run"])


def run_script(name: str, *arguments: object, prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    command = [*prefix, sys.executable, str(HERE / name), *map(str, arguments)]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Broken:
    """One run of each kind, killed up to four times; the moments are others every time."""
    folder = tmp_path_factory.mktemp("killed")
    seed = int.from_bytes(os.urandom(4))
    report = run_script("killed_runs.py", folder, KILLS, SECONDS, seed)
    return Broken(folder, report)


def result(run: RunFolder) -> Any:
    """Return all that a run has found, without how long it took."""
    tree = run.tree()
    if tree is not None:
        document = json.loads(tree.to_json())
        for node in document["nodes"]:
            del node["seconds"]
        return document
    records = [{**record, "seconds": None} for record in run.records()]
    table = pq.read_table(run.path / TABLE).drop_columns(["seconds"]).to_pylist()
    return records, table


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_ends_with_the_result_of_an_unbroken_one(killed: Broken, kind: str):
    kills = [each["state"] for each in killed.report[kind]["kills"]]
    assert kills.count("lost") >= 1, kills
    run = killed.ended(kind)
    assert run.status().state is State.DONE
    assert result(run) == result(killed.unbroken(kind))
    assert find_damage(run) == []


@pytest.mark.parametrize("kind", KINDS)
def test_finished_work_is_not_repeated(killed: Broken, kind: str):
    report = killed.report[kind]
    end = dict(report["end"]["epochs"])
    for after in report["kills"]:
        for epoch, seconds in after["epochs"]:
            assert end[epoch] == seconds
        assert after["scores"].items() <= report["end"]["scores"].items()


def test_kills_leave_no_half_written_files(killed: Broken):
    for kind in KINDS:
        assert [path.name for path in killed.ended(kind).path.glob(".*")] == []


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened to one run of each kind when the disk was full, on a separate small disk."""
    folder = tmp_path_factory.mktemp("filled") / "disk"
    folder.mkdir()
    unshare = shutil.which("unshare")
    script = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"'
    prefix = (str(unshare), "-rm", "sh", "-c", script, str(folder))
    if unshare is None or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk: unshare -rm, mount -t tmpfs")
    return run_script("full_disk_runs.py", folder, prefix=prefix)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_reported_and_finished_work_is_reused(
    filled: dict[str, Any], killed: Broken, kind: str
):
    full, end = filled[kind]["full"], filled[kind]["end"]
    assert full["state"] == "failed"
    assert full["message"].startswith("the disk is full: free some space, then start it again")
    assert full["epochs"] or full["scores"]
    kept = dict(end["epochs"])
    assert all(kept[epoch] == seconds for epoch, seconds in full["epochs"])
    assert full["scores"].items() <= end["scores"].items()
    assert end["nodes"] == killed.report[kind]["end"]["nodes"]
    assert len(end["epochs"]) == len(killed.report[kind]["end"]["epochs"])


def test_a_run_outlives_the_app_that_started_it_and_is_found_again(
    idle: Path, params: SplitRequest
):
    worker = sys.executable  # that of the fixture: it only waits, and is there when the app is gone
    arguments = [str(idle), json.dumps(params.to_dict()), worker]
    app = subprocess.Popen(
        [PYTHON, "-c", APP, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    run_id = app.stdout.readline().strip()
    os.killpg(app.pid, signal.SIGKILL)
    app.wait()
    [run] = list_runs(idle)
    assert run.run_id == run_id
    assert run.status().state.active and run.status().process_alive()
    cancel(run)
    assert run.status().state is State.CANCELLED
