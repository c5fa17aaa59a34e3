"""Grids: their files, clusters, inputs, and the driver."""

import io
import multiprocessing
import os
import pickle
import random
import shlex
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import dask
import forks
import grid_work
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed.utils import get_mp_context
from PIL import Image

from fewshot_core.errors import CheckpointError, RunError
from fewshot_core.images import register_source
from fewshot_core.metrics import list_metrics
from fewshot_core.runs import Network, SearchRequest, SplitRequest, State, list_runs, run_folder
from fewshot_core.runs.cluster import clusters as grid_clusters
from fewshot_core.runs.cluster.clusters import ClusterOptions, job_script, open_client
from fewshot_core.runs.cluster.config import Grid, read_grid
from fewshot_core.runs.cluster.driver import (
    Sent,
    finished_before,
    place_inputs,
    read_inputs,
    run_grid,
)
from fewshot_core.runs.jobs import start
from fewshot_core.search import PRESETS, list_algorithms
from fewshot_core.space import SubSpace
from fewshot_core.splitting import TreeOptions

PROJECT = Path(__file__).resolve().parents[2]
LEAVES = [SubSpace.full().keep(0, (0, 1)), SubSpace.full().keep(0, (2, 3, 4))]
MASKS = """{"splits": {"halves": {"cifar10": [
  ["11000", "11111", "11111", "11111", "11111", "11111"],
  ["00111", "11111", "11111", "11111", "11111", "11111"]]}}}"""


@pytest.fixture
def grid_of(tmp_path):
    """Read a grid from the text of its file."""

    def read(text, **options):
        path = tmp_path / "grid.toml"
        path.write_text(text)
        return read_grid(path, **options)

    return read


def test_splits_are_all_pairs_of_metrics_and_data_sets_and_repeats(grid_of):
    grid = grid_of(
        """
        [splits]
        metrics = ["params", "snip"]
        datasets = ["cifar10", "cifar100"]
        repeats = 3
        batch_size = 16
        network = { channels = 4, cells_per_stage = 2 }
        tree = { edges = [5, 1], groups = [2, 3], balanced = true }
        [images]
        cifar100 = "synthetic"
        """
    )
    assert len(grid.splits) == 2 * 2 * 3 and not grid.searches
    assert len(set(grid.splits)) == 12
    first = grid.splits[0]
    assert (first.metric, first.dataset, first.batch_size) == ("params", "cifar10", 16)
    assert (first.network.channels, first.network.cells_per_stage) == (4, 2)
    assert first.tree == TreeOptions.create((5, 1), (2, 3), balanced=True)
    assert [split.seed for split in grid.splits[:3]] == [0, 1, 2]
    assert {split.images for split in grid.splits if split.dataset == "cifar100"} == {"synthetic"}
    assert grid.searches_of("cifar10", LEAVES) == []


def test_all_metrics_can_be_requested(grid_of):
    assert [split.metric for split in grid_of("[splits]").splits] == list_metrics()


def test_searches_go_into_the_sub_spaces_of_splits(grid_of):
    grid = grid_of(
        """
        device = "cuda"
        [splits]
        metrics = ["params"]
        [searches]
        algorithms = "all"
        preset = "smoke"
        seeds = [777, 888]
        set = { epochs = 3, architecture_betas = [0.9, 0.99] }
        """
    )
    found = grid.searches_of("cifar10", LEAVES)
    assert len(found) == 2 * 4 * 2 == 2 * grid.searches_per_sub_space
    assert {request.algorithm for request in found} == set(list_algorithms())
    assert {request.rows for request in found} == {tuple(leaf.rows) for leaf in LEAVES}
    assert {request.device for request in [*found, *grid.splits]} == {"cuda"}
    options = found[0].options
    assert (options.epochs, options.architecture_betas) == (3, (0.9, 0.99))
    assert options.channels == PRESETS.get("smoke").search.channels
    assert not grid.searches


def test_searches_in_the_splits_of_a_file_and_in_the_whole_space(grid_of, tmp_path):
    (tmp_path / "masks.json").write_text(MASKS)
    grid = grid_of('[searches]\nmasks = "masks.json"\nno_splitting = true', device="mps")
    rows = [request.rows for request in grid.searches]
    assert rows == [tuple(space.rows) for space in [*LEAVES, SubSpace.full()]]
    assert {request.device for request in grid.searches} == {"mps"}
    assert grid.searches_of("cifar10", LEAVES) == []


def test_paths_are_relative_to_the_file(grid_of, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "weights.pt").touch()
    grid = grid_of(
        """
        [images]
        cifar10 = "pictures"
        [searches]
        no_splitting = true
        checkpoint = "weights.pt"
        """
    )
    [search] = grid.searches
    assert search.images == str(tmp_path / "pictures")
    assert search.checkpoint == str(tmp_path / "weights.pt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("splits", "expected a grid in TOML"),
        ("", "expected splits under"),
        ("[split]", "unknown 'split'"),
        ("[splits]\nmetric = 'params'", "unknown 'metric'"),
        ("[splits]\nmetrics = ['luck']", "unknown metric 'luck'"),
        ("[splits]\ndatasets = ['mnist']", "unknown data set 'mnist'"),
        ("[splits]\nbatch_size = 0", "batch_size"),
        ("[splits]\nnetwork = { layers = 3 }", "wrong type"),
        ("[splits]\nimages = 'x'", "unknown 'images'"),
        ("[images]\nmnist = 'x'", "unknown data set"),
        ("[searches]\nno_splitting = true\nalgorithms = ['luck']", "unknown search algorithm"),
        ("[searches]\nno_splitting = true\nset = { epoch = 3 }", "name=value"),
        ("[searches]\nno_splitting = true\nseeds = [-1]", "seed"),
        ("[searches]\nmasks = 'none.json'", "cannot be read"),
        ("[splits]\n[cluster]\nkind = 'cloud'", "expected the cluster to be"),
        ("[splits]\n[cluster]\nworkers = 0", "workers"),
        ("[splits]\n[cluster]\nnodes = 2", "unknown 'nodes'"),
    ],
)
def test_an_invalid_grid_is_an_error_that_names_the_file(grid_of, text, words):
    with pytest.raises(RunError, match=words) as caught:
        grid_of(text)
    assert "grid.toml" in str(caught.value)


def test_the_grid_of_the_paper_is_2592_searches():
    grid = read_grid(PROJECT / "docs" / "paper-grid.toml")
    assert len(grid.splits) == 9 * 3
    per_split = 8 * grid.searches_per_sub_space
    assert len(grid.splits) * per_split == 2592
    assert grid.searches_of("cifar10", LEAVES)[0].options == PRESETS.get("paper").search


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


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Have scripts stand for the commands of SLURM; ``test_runs_slurm.py`` has a real one."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(grid_clusters, "LOOK_SECONDS", 0.1)

    def use(**scripts):
        for name, script in {"sbatch": "echo job 7", "scancel": "", **scripts}.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        return open_client(ClusterOptions("slurm", slurm={"interface": "lo"}))

    return use


def test_what_slurm_refuses_is_an_error_with_its_words(slurm):
    refused = slurm(sbatch="echo 'sbatch: error: invalid partition: x' >&2; exit 1")
    words = "SLURM accepts no job: sbatch: error: invalid partition: x$"
    with pytest.raises(RunError, match=words), refused:
        pass


def test_jobs_that_end_without_a_worker_are_an_error_that_names_their_output(slurm, place):
    ended = slurm(squeue="", scontrol="echo JobId=7 JobState=FAILED StdOut=/x/slurm-7.out")
    words = "3 times in a row, job 7 .*JobState FAILED.*StdOut /x/slurm-7.out"
    with pytest.raises(RunError, match=words), ended as opened:
        run_grid(Grid([SPLIT], [], nothing_more), place, opened)


@pytest.mark.parametrize(
    ("squeue", "words"),
    [
        ("echo '7|PENDING|Resources'", "SLURM: jobs are pending: Resources"),
        ("echo no answer >&2; exit 1", "SLURM: no answer; trying again"),
    ],
)
def test_what_slurm_says_meanwhile_is_shown_once_and_the_job_cancelled(
    slurm, capfd, tmp_path, squeue, words
):
    looks = tmp_path / "looks"
    with slurm(squeue=f"echo >> {looks}; {squeue}", scancel=f"echo $1 > {tmp_path}/end"):
        while not looks.exists() or len(looks.read_text()) < 3:
            time.sleep(0.05)
    assert capfd.readouterr().err.count(words) == 1
    assert (tmp_path / "end").read_text() == "7\n"


def test_an_unreachable_scheduler_is_an_error(monkeypatch):
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


@pytest.fixture(autouse=True)
def workers_folder(tmp_path, monkeypatch):
    """The folder into which workers unpack what they are sent."""
    place = tmp_path / "worker"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"trained")
    return path


@pytest.fixture
def images(tmp_path):
    """A tiny CIFAR-10 in its official layout."""
    place = tmp_path / "given" / "cifar-10-batches-py"
    place.mkdir(parents=True)
    content = pickle.dumps({"data": np.zeros((10, 3072), np.uint8), "labels": list(range(10))})
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (place / name).write_bytes(content)
    return place


def search_request(images, weights):
    return SearchRequest(
        "cifar10",
        "snas",
        tuple(SubSpace.full().rows),
        PRESETS.get("smoke").search,
        images=str(images),
        checkpoint=str(weights),
    )


def with_weights(request: SplitRequest, path: Path) -> SplitRequest:
    return replace(request, network=replace(request.network, checkpoint=str(path)))


def test_a_worker_that_sees_the_same_files_is_sent_nothing(params, weights, tmp_path):
    request = with_weights(params, weights)
    fingerprints = request.fingerprints(tmp_path)
    assert place_inputs(request, fingerprints, tmp_path, None) == (request, tmp_path)


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"others")])
def test_missing_or_different_weights_are_requested(params, weights, tmp_path, change):
    request = with_weights(params, weights)
    fingerprints, sent = request.fingerprints(tmp_path), read_inputs(request, tmp_path)
    assert sent == Sent({}, "", b"trained")
    change(weights)
    assert place_inputs(request, fingerprints, tmp_path, None) is None
    placed, folder = place_inputs(request, fingerprints, tmp_path, sent)
    assert folder is None and placed != request
    assert Path(placed.network.checkpoint).read_bytes() == b"trained"
    assert placed.run_id(placed.fingerprints(tmp_path)) == request.run_id(fingerprints)


def test_a_search_finds_the_images_and_weights_that_were_sent(
    images, weights, tmp_path, workers_folder
):
    request = search_request(images, weights)
    fingerprints, sent = request.fingerprints(tmp_path), read_inputs(request, tmp_path)
    weights.unlink()
    images.rename(tmp_path / "moved")
    placed, folder = place_inputs(request, fingerprints, tmp_path, sent)
    assert folder is None and workers_folder in Path(placed.images).parents
    assert placed.fingerprints(tmp_path) == fingerprints
    again, _ = place_inputs(request, fingerprints, tmp_path, sent)
    assert again == placed and len(list(workers_folder.iterdir())) == 1


def test_missing_weights_are_reported_before_anything_is_sent(images, weights, tmp_path):
    request = search_request(images, weights)
    weights.unlink()
    with pytest.raises(CheckpointError, match="found none at"):
        read_inputs(request, tmp_path)


LOST = "distributed.deploy.lost-worker-timeout"
TREE = TreeOptions.create((0,))
SPLIT = SplitRequest("cifar10", "params", network=Network(2, 1), tree=TREE)
SMOKE = replace(PRESETS.get("smoke").search, epochs=1)


@pytest.fixture(scope="module")
def plain_main():
    """Have no main script: a new process would run it, and tests of pages leave one behind."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="module")
def forked_workers(plain_main):
    """Have workers be forks of one process that has loaded what they need."""
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context()  # chooses other modules
        multiprocessing.set_forkserver_preload(["distributed", *forks.NEEDED])
        yield


@pytest.fixture(scope="module")
def client(forked_workers):
    with open_client(ClusterOptions(workers=3)) as opened:
        opened.wait_for_workers(3, timeout=120)
        yield opened


@pytest.fixture
def place(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def nothing_more(dataset, leaves):
    return []


def searches_in(dataset, leaves):
    return [
        SearchRequest(dataset, "snas", tuple(leaf.rows), SMOKE, seed, "synthetic")
        for leaf in leaves
        for seed in (1, 2)
    ]


def noted(place, name):
    return Counter((place.parent / name).read_text().split())


@pytest.fixture(scope="module")
def made(client, tmp_path_factory):
    """A data folder with the runs of a grid, its report, and what was shown meanwhile."""
    folder = tmp_path_factory.mktemp("made")
    shown = []
    grid = Grid([SPLIT], [], searches_in)
    report = run_grid(grid, folder, client, lambda now: shown.append((len(now.done), now.total)))
    return folder, report, shown


def test_splits_and_the_searches_in_them_come_back(made):
    folder, report, shown = made
    assert report.failed == {} and report.skipped == [] and report.retried == 0
    assert len(report.done) == report.total == 1 + 2 * 2
    assert shown[0] == (0, 1) and shown[-1] == (5, 5)
    runs = {run.run_id: run for run in list_runs(folder)}
    assert set(runs) == set(report.done)
    for run in runs.values():
        assert run.is_complete() and run.status().state is State.DONE
        assert "done in" in run.status().message and run.status().seconds
        assert run.log_tail().splitlines()[-1].startswith("done by a worker on ")


def test_finished_tasks_are_skipped(client, made):
    folder, first, _ = made
    grid = Grid([SPLIT], [], searches_in)

    def times():
        return {
            run.run_id: (run.path / "status.json").stat().st_mtime_ns for run in list_runs(folder)
        }

    before = times()
    again = run_grid(grid, folder, client)
    assert again.done == [] and sorted(again.skipped) == sorted(first.done)
    known = finished_before(grid, folder)
    assert known is not None and sorted(known.skipped) == sorted(first.done)
    assert times() == before
    assert finished_before(Grid([SPLIT], [], nothing_more), folder) is not None
    assert finished_before(Grid([replace(SPLIT, seed=5)], [], nothing_more), folder) is None


def test_workers_are_killed_and_nothing_is_lost_and_nothing_twice(client, place):
    splits = [replace(SPLIT, seed=seed, metric="random") for seed in range(16)]
    grid = Grid(splits, [], nothing_more)
    stop = threading.Event()
    killed = []

    def kill():
        choice = random.Random(0)
        while not stop.wait(1.0) and len(killed) < 3:
            pids = list(client.run(os.getpid, on_error="ignore").values())
            if pids and (place.parent / "begun").exists():
                killed.append(choice.choice(pids))
                os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        report = run_grid(grid, place, client, work=grid_work.noted)
    finally:
        stop.set()
        killer.join()
    assert killed and report.failed == {}
    assert sorted(report.done) == sorted(request.run_id({"images": None, "checkpoint": None})
                                         for request in splits)  # fmt: skip
    assert len(set(report.done)) == 16
    assert noted(place, "begun").total() >= 16 and len(noted(place, "ended")) == 16
    for request in (splits[0], splits[15]):
        alone = start(request, place.parent / "alone")
        while alone.status().state.active:
            time.sleep(0.05)
        [made] = [run for run in list_runs(place) if run.run_id == alone.run_id]
        assert made.tree().leaves == alone.tree().leaves


def test_a_result_that_is_lost_before_it_is_fetched_is_computed_again(client, place):
    client.wait_for_workers(3, timeout=120)
    splits = [replace(SPLIT, seed=seed, metric="random") for seed in range(3)]
    lost = []

    def kill_workers_with_results(report):
        if lost or len(report.done) != 1:
            return
        while any(state.status == "pending" for state in client.futures.values()):
            time.sleep(0.05)
        for pid in client.run(os.getpid, on_error="ignore").values():
            os.kill(pid, signal.SIGKILL)
        while all(state.status == "finished" for state in client.futures.values()):
            time.sleep(0.05)
        lost.extend(key for key, state in client.futures.items() if state.status == "lost")

    report = run_grid(Grid(splits, [], nothing_more), place, client, kill_workers_with_results)
    assert lost and report.failed == {} and len(report.done) == 3


def test_a_worker_that_was_given_up_is_restarted(forked_workers, monkeypatch):
    for name in ("LOST_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(f"fewshot_core.runs.cluster.clusters.{name}", 1.0)
    before = dask.config.get(LOST)
    with open_client(ClusterOptions(workers=1)) as opened:
        opened.wait_for_workers(1, timeout=120)
        first = opened.submit(os.getpid).result(timeout=120)
        [nanny] = opened.cluster.workers.values()
        opened.cluster.sync(nanny.close)
        assert opened.submit(os.getpid, pure=False).result(timeout=120) != first
    dask.config.set({LOST: before})


def test_a_task_that_kills_its_workers_is_reported_and_the_rest_continues(client, place):
    deadly = replace(SPLIT, metric="random")
    report = run_grid(Grid([deadly, SPLIT], [], nothing_more), place, client, work=grid_work.deadly)
    [(run_id, reason)] = report.failed.items()
    assert run_id.startswith("split-random") and "3 workers died" in reason
    assert len(report.done) == 1
    assert run_folder(run_id, place).status().state is State.FAILED
    client.wait_for_workers(1, timeout=120)


def test_a_failure_is_tried_three_times_unless_it_would_come_again(client, place):
    splits = [replace(SPLIT, metric=metric) for metric in ("params", "random", "synflow")]
    grid = Grid([replace(split, images="synthetic") for split in splits], [], nothing_more)
    report = run_grid(grid, place, client, work=grid_work.unsteady)
    tries = Counter((place.parent / "tries").read_text().split())
    assert tries == {"params": 2, "random": 3, "synflow": 1}
    assert report.retried == 3 and len(report.done) == 1
    reasons = sorted(report.failed.values())
    assert reasons == ["ZeroDivisionError: first try", "it cannot be done"]
    failed = [run for run in list_runs(place) if run.status().state is State.FAILED]
    assert sorted(run.status().message for run in failed) == reasons
    again = run_grid(Grid([splits[1]], [], nothing_more), place, client)
    assert len(again.done) == 1  # a failed one is computed again


@pytest.fixture
def tiny_images(tmp_path):
    """A folder with a few images of every class."""
    choice = np.random.default_rng(0)
    rows = {"img": [], "label": []}
    for label in [*range(10), *range(10)]:
        file = io.BytesIO()
        pixels = choice.integers(256, size=(32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file, "PNG")
        rows["img"].append({"bytes": file.getvalue(), "path": None})
        rows["label"].append(label)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for part in ("train", "test"):
        pq.write_table(pa.table(rows), folder / f"{part}-00000-of-00001.parquet")
    return folder


def test_images_are_sent_to_workers_that_do_not_see_them(client, place, tiny_images, monkeypatch):
    register_source("cifar10", tiny_images, "mine", place)
    request = replace(SPLIT, metric="gradnorm", batch_size=4)
    fingerprints = request.fingerprints(place)
    sent = read_inputs(request, place)
    assert sum(map(len, sent.images.values())) > 0
    elsewhere = place.parent / "elsewhere"  # a machine without the driver's data folder
    elsewhere.mkdir()
    assert place_inputs(request, fingerprints, elsewhere, None) is None
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    placed, folder = place_inputs(request, fingerprints, elsewhere / "none", sent)
    assert folder is None and placed.fingerprints(elsewhere) == fingerprints
    assert place_inputs(request, fingerprints, place, None) == (request, place)


def test_a_grid_sends_images_once_and_gets_the_same_result(client, place, tiny_images, capsys):
    register_source("cifar10", tiny_images, "mine", place)
    splits = [replace(SPLIT, metric="gradnorm", batch_size=4, batch_seed=seed) for seed in range(3)]
    report = run_grid(Grid(splits, [], nothing_more), place, client, work=grid_work.hidden)
    assert report.failed == {} and len(report.done) == 3
    assert capsys.readouterr().err.count("sending") == 1
    other = place.parent / "other"
    register_source("cifar10", tiny_images, "mine", other)
    [one] = run_grid(Grid(splits[:1], [], nothing_more), other, client).done
    trees = [run_folder(one, folder).tree() for folder in (place, other)]
    assert [node.values for node in trees[0].nodes] == [node.values for node in trees[1].nodes]
