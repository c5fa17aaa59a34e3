"""A grid on a cluster of three processes, some of which are killed while it runs."""

import io
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from types import ModuleType

import dask
import grid_work
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fewshot_core.images import register_source
from fewshot_core.runs import Network, SearchRequest, SplitRequest, State, list_runs, run_folder
from fewshot_core.runs.cluster import (
    ClusterOptions,
    Grid,
    finished_before,
    open_client,
    run_grid,
)
from fewshot_core.runs.cluster.tasks import place_inputs, read_inputs
from fewshot_core.runs.jobs import start
from fewshot_core.search import PRESETS
from fewshot_core.splitting import TreeOptions

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
def client(plain_main):
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
        assert "done in" in run.status().message
        assert run.log_tail().splitlines()[-1].startswith("done by a worker on ")


def test_what_is_done_is_skipped(client, made):
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


def test_a_worker_that_was_given_up_is_started_anew(plain_main, monkeypatch):
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


def test_a_task_that_kills_its_workers_is_reported_and_the_rest_goes_on(client, place):
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
    assert reasons == ["ZeroDivisionError: by chance", "it cannot be done"]
    failed = [run for run in list_runs(place) if run.status().state is State.FAILED]
    assert sorted(run.status().message for run in failed) == reasons
    again = run_grid(Grid([splits[1]], [], nothing_more), place, client)
    assert len(again.done) == 1  # a failed one is done anew


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
