"""A grid on a real SLURM of one node, which the tests start; see ``docs/cluster.md``."""

import getpass
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psutil
import pytest

from fewshot_core.errors import RunError
from fewshot_core.runs import Network, SearchRequest, SplitRequest, list_runs
from fewshot_core.runs.cluster import clusters
from fewshot_core.runs.cluster.clusters import ClusterOptions, open_client
from fewshot_core.runs.cluster.config import Grid
from fewshot_core.runs.cluster.driver import run_grid
from fewshot_core.runs.jobs import start
from fewshot_core.search import PRESETS
from fewshot_core.splitting import TreeOptions

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
CONFIGURATION = """
ClusterName=fewshot
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
KillWait=2
MessageTimeout=5
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000
PartitionName=debug Nodes={host} Default=YES
"""


class Slurm:
    """A SLURM of one node on the loopback address, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.host = socket.gethostname().partition(".")[0]
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            ports = first.getsockname()[1], second.getsockname()[1]
        text = CONFIGURATION.format(
            host=self.host, ports=ports, user=getpass.getuser(), folder=folder
        )
        (folder / "slurm.conf").write_text(text)
        (folder / "munge.key").write_bytes(secrets.token_bytes(128))
        (folder / "munge.key").chmod(0o600)

    def start(self) -> None:
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
        files = [f"--{name}={self.folder}/munge.{end}" for name, end in files.items()]
        self.run("munged", "--foreground", "--force", *files)
        self.wait_for(lambda: (self.folder / "munge.socket").exists(), "munge")
        self.start_controller()
        self.run("slurmd", "-D")
        self.wait_for(lambda: "idle" in self.ask("sinfo", "--noheader", "--format=%T"), "the node")

    def run(self, program: str, *arguments: str) -> None:
        with (self.folder / f"{program}.log").open("ab") as log:
            command = [program, *arguments]
            self.daemons[program] = subprocess.Popen(command, stdout=log, stderr=log)

    def start_controller(self) -> None:
        self.run("slurmctld", "-D")

    def save_state(self) -> None:
        """Wait until the controller has saved its state, some seconds after a change."""
        since = time.time()
        self.ask("scontrol", "update", f"JobId={self.jobs()[0]}", "Comment=any")
        saved = self.folder / "job_state"
        self.wait_for(lambda: saved.exists() and saved.stat().st_mtime > since, "the state")

    def kill_controller(self) -> None:
        controller = self.daemons.pop("slurmctld")
        controller.kill()
        controller.wait()

    def ask(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def jobs(self) -> list[str]:
        """The jobs that are not ended or ending."""
        states = "--states=PENDING,RUNNING"
        return self.ask("squeue", "--me", "--noheader", "--format=%i", states).split()

    def wait_for(self, happened, what: str) -> None:
        deadline = time.monotonic() + 60
        while not happened():
            logs = "\n".join(path.read_text()[-500:] for path in self.folder.glob("*.log"))
            assert time.monotonic() < deadline, f"waited in vain for {what}\n{logs}"
            time.sleep(0.05)

    def stop(self) -> None:
        subprocess.run(["scancel", "--me"], capture_output=True, timeout=60, check=False)
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        # A job that was cancelled just before the controller was killed may be left.
        for process in psutil.process_iter(["environ"]):
            given = process.info["environ"] or {}
            if given.get("SLURM_CONF") == f"{self.folder}/slurm.conf":
                process.kill()


@pytest.fixture(scope="module")
def slurm():
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs SLURM and munge: found no {', '.join(missing)}")
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # the name of a socket is at most 107 bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # of all runs alike: results depend on it
        patch.setenv("SLURM_CONF", f"{folder}/slurm.conf")
        patch.setenv("PYTHONPATH", os.pathsep.join([*map(str, Path(__file__).parents[1:3])]))
        patch.setattr(clusters, "LOOK_SECONDS", 0.5)
        patch.chdir(folder)
        started = Slurm(folder)
        try:
            started.start()
            yield started
        finally:
            started.stop()
    shutil.rmtree(folder)


def options(workers: int, **slurm: object) -> ClusterOptions:
    given = {"memory": "1GB", "interface": "lo", "nanny": False, **slurm}
    return ClusterOptions("slurm", workers, threads=1, slurm=given)


SPLIT = SplitRequest("cifar10", "params", network=Network(2, 1), tree=TreeOptions.create((0,)))
SMOKE = replace(PRESETS.get("smoke").search, epochs=1)


def searches_in(dataset, leaves):
    return [
        SearchRequest(dataset, "snas", tuple(leaf.rows), SMOKE, images="synthetic")
        for leaf in leaves
    ]


def content(folder: Path):
    """The results of all runs, without times."""
    found = {}
    for run in list_runs(folder):
        manifest = json.loads((run.path / "manifest.json").read_text())
        found[run.run_id, "request"] = manifest["request"], manifest["fingerprints"]
        found[run.run_id, "state"] = run.status().state, run.status().total
        if (run.path / "tree.json").exists():
            tree = json.loads((run.path / "tree.json").read_text())
            found[run.run_id, "tree"] = [{**node, "seconds": 0} for node in tree["nodes"]]
        else:
            lines = (run.path / "epochs.jsonl").read_text().splitlines()
            found[run.run_id, "epochs"] = [{**json.loads(line), "seconds": 0} for line in lines]
            table = pd.read_parquet(run.path / "epochs.parquet").drop(columns="seconds")
            found[run.run_id, "table"] = table.to_json()
    return found


def test_a_cancelled_job_and_a_killed_controller_change_no_result(slurm, tmp_path, capfd):
    undisturbed = tmp_path / "undisturbed"
    split = start(SPLIT, undisturbed)
    slurm.wait_for(lambda: not split.status().state.active, "the split")
    searches = [start(each, undisturbed) for each in searches_in("cifar10", split.tree().leaves)]
    events = []

    def disturb(report):
        if len(report.done) == 1 and not events:
            slurm.wait_for(lambda: any(client.processing().values()), "a search that is begun")
            busy = next(address for address, keys in client.processing().items() if keys)
            slurm.ask("scancel", client.cluster.workers[workers()[busy]].job_id)
            slurm.wait_for(lambda: busy not in workers(), "the end of the job")
            slurm.wait_for(lambda: len(workers()) == 2, "another job")
            slurm.save_state()
            slurm.kill_controller()
            slurm.wait_for(lambda: "Unable to contact" in capfd.readouterr().err, "a message")
            events.append("disturbed")
        elif len(report.done) == 2 and len(events) == 1:
            slurm.start_controller()
            slurm.wait_for(lambda: len(slurm.jobs()) == 2, "the controller")
            events.append("restarted")

    def workers():
        return {
            address: worker["name"]
            for address, worker in client.cluster.scheduler_info["workers"].items()
        }

    with open_client(options(2)) as client:
        client.wait_for_workers(2, timeout=120)
        report = run_grid(Grid([SPLIT], [], searches_in), tmp_path / "data", client, disturb)
    assert events == ["disturbed", "restarted"]
    assert report.failed == {} and len(report.done) == 3
    slurm.wait_for(lambda: not slurm.jobs(), "the end of all jobs")
    slurm.wait_for(lambda: not any(each.status().state.active for each in searches), "searches")
    assert content(tmp_path / "data") == content(undisturbed)


def test_what_slurm_refuses_is_an_error_with_its_words(slurm):
    refused = open_client(options(1, queue="nowhere"))
    with (
        pytest.raises(RunError, match=r"accepts no job: .*invalid partition specified: nowhere"),
        refused,
    ):
        pass


def test_jobs_that_end_at_once_are_an_error_that_names_their_output(slurm, tmp_path):
    opened = open_client(options(1, python="no-such-python"))
    with (
        pytest.raises(RunError, match=r"3 times in a row, .*FAILED.*127.*slurm-\d+.out"),
        opened as client,
    ):
        run_grid(Grid([SPLIT], [], searches_in), tmp_path, client)


def test_a_job_that_waits_is_reported_and_cancelled_in_the_end(slurm, capfd):
    with open_client(options(2, cores=3, python="sleep 60; ")):
        slurm.wait_for(lambda: "pending: Resources" in capfd.readouterr().err, "a message")
        assert len(slurm.jobs()) == 2
    slurm.wait_for(lambda: not slurm.jobs(), "the end of all jobs")
