"""What clusters are made with; none is started here."""

import shlex
import sys
from types import SimpleNamespace

import pytest

from fewshot_core.errors import RunError
from fewshot_core.runs.cluster import ClusterOptions, job_script, open_client
from fewshot_core.runs.cluster import clusters as grid_clusters


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be on a machine with some GPUs and cores."""

    def pretend(gpus, cores=8, visible=None):
        cuda = SimpleNamespace(is_available=lambda: gpus > 0, device_count=lambda: gpus)
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
        monkeypatch.setattr("os.cpu_count", lambda: cores)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return pretend


@pytest.mark.parametrize(
    ("gpus", "visible", "workers", "devices", "threads"),
    [
        (0, None, None, [None], "8"),
        (0, None, 4, [None] * 4, "2"),
        (4, None, None, ["0", "1", "2", "3"], "2"),
        (2, "5,7", None, ["5", "7"], "4"),
        (2, None, 3, ["0", "1", "0"], "2"),
    ],
)
def test_there_is_one_worker_for_each_gpu_or_one(machine, gpus, visible, workers, devices, threads):
    machine(gpus, visible=visible)
    made = grid_clusters.worker_environments(ClusterOptions(workers=workers))
    assert [environment.get("CUDA_VISIBLE_DEVICES") for environment in made] == devices
    assert {environment["OMP_NUM_THREADS"] for environment in made} == {threads}


def test_threads_can_be_chosen(machine):
    machine(0)
    [one] = grid_clusters.worker_environments(ClusterOptions(threads=3))
    assert one["OMP_NUM_THREADS"] == "3" and one["GOMP_SPINCOUNT"] == "3000"


SLURM = {
    "queue": "gpu",
    "cores": 4,
    "memory": "16GB",
    "walltime": "02:30:00",
    "job_extra_directives": ["--gres=gpu:1"],
    "job_script_prologue": ["module load python"],
    "python": "/shared/venv/bin/python",
}


def test_the_script_of_a_slurm_job():
    script = job_script(ClusterOptions("slurm", slurm=SLURM))
    lines = script.splitlines()
    assert lines[0].startswith("#!")
    directives = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")]
    assert {"-p gpu", "-n 1", "--cpus-per-task=4", "-t 02:30:00", "--gres=gpu:1"} <= set(directives)
    assert any(directive.startswith("--mem=") for directive in directives)
    assert "export OMP_NUM_THREADS=4" in lines and "export GOMP_SPINCOUNT=3000" in lines
    assert "module load python" in lines
    command = shlex.split(lines[-1] or lines[-2])
    assert command[0] == "/shared/venv/bin/python" and "distributed.cli.dask_worker" in command
    threads = [command[i + 1] for i, word in enumerate(command) if word == "--nthreads"]
    assert threads[-1] == "1"  # the last one counts


def test_options_that_slurm_does_not_know_are_refused():
    with pytest.raises(RunError, match=r"\[cluster.slurm\] is refused"):
        job_script(ClusterOptions("slurm", slurm={"queues": "gpu"}))


def test_slurm_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(RunError, match="dask-jobqueue"):
        job_script(ClusterOptions("slurm"))


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch):
    def refuse(address, timeout):
        raise OSError(f"timed out after {timeout} s")

    monkeypatch.setattr("distributed.Client", refuse)
    opened = open_client(ClusterOptions("tcp://127.0.0.1:9"))
    with pytest.raises(RunError, match="no scheduler answers at tcp://"), opened:
        pass


def test_a_command_line_goes_before_the_file():
    options = ClusterOptions("slurm", workers=10, threads=2)
    assert options.changed(None, None) == options
    assert options.changed("local", 3) == ClusterOptions("local", 3, 2)
    with pytest.raises(RunError):
        options.changed("cloud", None)
