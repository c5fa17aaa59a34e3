"""Searches and trainings as runs: in this process, and in one that is killed and started again."""

import os
import signal
from dataclasses import replace

import pytest

from fewshot_core.runs import (
    RunFolder,
    SearchRequest,
    State,
    Status,
    TrainingRequest,
    cancel,
    find_finished,
    start,
)
from fewshot_core.runs.search_job import search, train
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace

SMOKE = PRESETS.get("smoke")
SEARCH = SearchRequest(
    "cifar10", "darts-1st", tuple(SubSpace.full().rows), SMOKE.search, 777, "synthetic"
)
TRAINING = TrainingRequest("cifar10", SMOKE.training, 1, "synthetic")


@pytest.fixture
def prepare(tmp_path):
    """Make the folder of a run that nobody works on yet."""

    def make(kind, request):
        folder = RunFolder(tmp_path / "runs" / request.run_id({}))
        folder.path.mkdir(parents=True)
        folder.write_manifest({"kind": kind, "request": request.to_dict()})
        folder.write_status(Status(State.QUEUED, "starting"))
        return folder

    return make


def test_a_search_leaves_its_epochs_and_says_how_it_went(prepare, tmp_path, capsys):
    folder = prepare("search", SEARCH)
    assert folder.records() == [] and not folder.is_complete()
    search(folder, tmp_path)
    assert [record["epoch"] for record in folder.records()] == [0, 1, 2]
    assert folder.is_complete()
    status = folder.status()
    assert status.state is State.DONE and status.message.startswith("done in ")
    assert status.done == status.total == 2 * 2
    assert "epoch 2 of 2" in capsys.readouterr().out


def test_a_training_leaves_a_supernet(prepare, tmp_path):
    folder = prepare("train", TRAINING)
    train(folder, tmp_path)
    assert [record["epoch"] for record in folder.records()] == [1, 2]
    assert folder.is_complete() and folder.status().state is State.DONE
    assert (folder.path / "checkpoint.pt").is_file()


def test_a_search_that_lacks_epochs_is_not_complete(prepare, tmp_path):
    folder = prepare("search", SEARCH)
    search(folder, tmp_path)
    path = folder.path / "epochs.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert not folder.is_complete()


def test_what_a_resumed_search_did_before_does_not_count_for_its_pace():
    status = Status(State.RUNNING, done=60, total=100, step_started=0.0, updated=10.0)
    assert status.seconds_left == pytest.approx(40 / 6)
    assert replace(status, first_step=50).seconds_left == pytest.approx(40.0)
    assert replace(status, first_step=60).seconds_left is None


def test_a_killed_search_goes_on_and_ends_as_an_unbroken_one(tmp_path, wait_until):
    request = replace(SEARCH, options=replace(SMOKE.search, epochs=8))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    first, second = start(request, whole), start(request, broken)
    wait_until(lambda: len(second.records()) > 2, "some epochs")
    os.killpg(second.status().pid, signal.SIGKILL)
    wait_until(lambda: second.status().state is State.LOST, "the process to be missed")
    done = len(second.records())
    assert start(request, broken) == second
    wait_until(lambda: not second.status().state.active, "the end of the second")
    wait_until(lambda: not first.status().state.active, "the end of the first")
    assert first.status().state is second.status().state is State.DONE
    curves = [[r | {"seconds": 0} for r in run.records()] for run in (first, second)]
    assert curves[0] == curves[1] and len(curves[0]) == 9
    assert f"going on after epoch {done - 1}" in second.log_tail(1000)
    assert find_finished(request, broken) == second
    assert first.manifest()["synthetic"] is True
    cancel(first)  # a run that has ended is left as it is
    assert first.status().state is State.DONE
