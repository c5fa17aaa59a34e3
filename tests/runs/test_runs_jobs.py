import errno
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from fewshot_core import data_folder as datafolder
from fewshot_core.errors import CheckpointError, ImagesError, RunError
from fewshot_core.metrics import METRICS
from fewshot_core.runs import (
    Network,
    RunFolder,
    State,
    Status,
    cancel,
    delete,
    find_finished,
    jobs,
    list_runs,
    start,
)
from fewshot_core.splitting import SplitTree

STUBBORN = """#!/bin/sh
trap '' TERM
cat > /dev/null
sh -c 'trap "" TERM; while :; do sleep 1; done' &
echo "$!" >> "$FEWSHOT_DATA_DIR/children"
while :; do sleep 1; done
"""
LEAVES_A_CHILD = """#!/bin/sh
cat > /dev/null
sh -c 'trap "" TERM; echo "$$" >> "$FEWSHOT_DATA_DIR/children"; while :; do sleep 1; done' &
wait
"""


@pytest.fixture
def finish():
    """Have a run that is lost look finished, with an empty tree."""

    def do(run):
        run.write_tree(SplitTree("params", ()))
        run.write_status(replace(run.status(), state=State.DONE, message="done"))

    return do


def test_a_start_records_what_was_asked_and_who_works_on_it(idle, params, wait_until, numbers):
    run = start(params, idle)
    wait_until(lambda: numbers(idle / "started"), "the worker")
    status = run.status()
    assert status.state is State.QUEUED and status.started is not None
    assert [status.pid] == numbers(idle / "started")
    manifest = run.manifest()
    assert manifest["request"] == json.loads(json.dumps(params.to_dict()))
    assert manifest["fingerprints"] == {"images": None, "checkpoint": None}
    assert {"torch", "fewshot-workbench"} <= manifest["packages"].keys()
    assert manifest["created"] and manifest["python"] and manifest["kind"] == "split"
    assert list_runs(idle) == [run]


def test_a_manifest_names_the_package_of_a_metric_from_elsewhere(idle, params, monkeypatch):
    monkeypatch.setitem(METRICS._origins, "params", ("my-metrics", "1.0"))
    manifest = start(params, idle).manifest()
    assert manifest["packages"]["my-metrics"] == "1.0"
    assert manifest["fingerprints"]["plugin"] == "my-metrics 1.0"


def test_a_run_that_is_worked_on_answers_the_second_start(idle, params, wait_until, numbers):
    run = start(params, idle)
    wait_until(lambda: numbers(idle / "started"), "the worker")
    pid = run.status().pid
    assert start(replace(params, batch_size=3), idle) == run
    assert run.status().pid == pid
    assert numbers(idle / "started") == [pid]


def _workers(run):
    """Return the children of this process that have the folder of a run in their command."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if str(run.path) in child.cmdline():
                found.append(child.pid)
    return found


def test_many_starts_at_once_make_one_process(idle, params):
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: start(params, idle), range(8)))
    assert len(set(runs)) == 1
    assert _workers(runs[0]) == [runs[0].status().pid]


def test_a_request_is_answered_while_it_is_worked_on_and_when_done(idle, params, finish):
    assert find_finished(params, idle) is None
    run = start(params, idle)
    assert find_finished(params, idle) == run
    cancel(run)
    assert find_finished(params, idle) is None
    finish(run)
    assert find_finished(params, idle) == run
    pid = run.status().pid
    assert start(params, idle) == run and run.status().pid == pid


@pytest.mark.parametrize("name", ["tree.json", "manifest.json", "status.json"])
@pytest.mark.parametrize("content", [None, "{"])
def test_a_damaged_answer_is_no_answer_and_is_made_again(idle, params, finish, name, content):
    run = start(params, idle)
    cancel(run)
    finish(run)
    (run.path / name).unlink()
    if content is not None:
        (run.path / name).write_text(content)
    assert find_finished(params, idle) is None
    assert start(params, idle) == run
    assert run.status().state is State.QUEUED
    assert run.tree() is None and run.request().to_dict() == params.to_dict()


def test_a_cancelled_run_and_its_children_are_gone(idle, params, wait_until, is_gone, numbers):
    run = start(params, idle)
    wait_until(lambda: numbers(idle / "children"), "the child of the worker")
    pid = run.status().pid
    cancel(run)
    assert (run.status().state, run.status().message) == (State.CANCELLED, "cancelled")
    assert is_gone(pid)
    wait_until(lambda: is_gone(numbers(idle / "children")[0]), "the end of the child")


@pytest.mark.parametrize("script", [STUBBORN, LEAVES_A_CHILD], ids=["stubborn", "leaves-a-child"])
def test_what_does_not_end_by_itself_is_ended(
    idle, params, wait_until, is_gone, numbers, use_worker, monkeypatch, script
):
    monkeypatch.setattr(jobs, "TERMINATION_SECONDS", 0.2)
    use_worker(script)
    run = start(params, idle)
    wait_until(lambda: numbers(idle / "children"), "the child of the worker")
    pid = run.status().pid
    cancel(run)
    assert run.status().state is State.CANCELLED
    assert is_gone(pid)
    wait_until(lambda: is_gone(numbers(idle / "children")[0]), "the end of the child")


def test_a_process_that_cannot_be_ended_is_not_called_cancelled(own_folder, monkeypatch):
    def refuse(pid, number):
        raise PermissionError

    monkeypatch.setattr(jobs, "TERMINATION_SECONDS", 0.0)
    monkeypatch.setattr(os, "killpg", refuse)
    with pytest.raises(RunError, match=f"its process {os.getpid()} goes on"):
        cancel(own_folder)
    assert own_folder.status().state is State.RUNNING


@pytest.mark.parametrize("state", [state for state in State if not state.active])
def test_a_run_that_has_ended_is_not_cancelled(own_folder, state):
    own_folder.write_status(replace(own_folder.status(), state=state, message="the end"))
    cancel(own_folder)
    assert (own_folder.status().state, own_folder.status().message) == (state, "the end")


def test_a_cancelled_run_starts_again(idle, params, wait_until, numbers):
    run = start(params, idle)
    run.write_tree(SplitTree("params", ()))
    first = run.status().pid
    cancel(run)
    assert start(params, idle) == run
    assert run.status().state is State.QUEUED
    assert run.status().pid != first and run.tree() is None
    wait_until(lambda: run.status().pid in numbers(idle / "started"), "the second worker")


def test_half_written_files_of_a_killed_process_are_removed_by_the_next_start(idle, params):
    run = start(params, idle)
    cancel(run)
    (run.path / ".status.json.0123456789abcdef").write_text("{")
    start(params, idle)
    assert [path.name for path in run.path.glob(".*")] == []


def test_a_killed_run_is_lost_and_starts_again(idle, params, wait_until):
    run = start(params, idle)
    pid = run.status().pid
    os.killpg(pid, signal.SIGKILL)
    wait_until(lambda: run.status().state is State.LOST, "the loss")
    assert start(params, idle) == run
    assert run.status().state is State.QUEUED and run.status().pid != pid


def test_a_run_is_deleted_only_when_no_process_works_on_it(idle, params):
    run = start(params, idle)
    with pytest.raises(RunError, match=f"{run.run_id} is running: cancel it"):
        delete(run)
    assert run.request() == params
    cancel(run)
    delete(run)
    assert list_runs(idle) == []
    assert [path.name for path in run.path.parent.iterdir()] == [".lock"]


@pytest.mark.parametrize("name", ["status.json", "manifest.json"])
def test_a_damaged_run_can_be_deleted(idle, params, name):
    run = start(params, idle)
    cancel(run)
    (run.path / name).write_text("{")
    delete(run)
    assert not run.path.exists()


def test_a_deleted_run_can_be_made_again(idle, params):
    run = start(params, idle)
    cancel(run)
    delete(run)
    assert start(params, idle) == run and run.status().state is State.QUEUED


def test_a_start_without_its_images_or_checkpoint_stores_nothing(idle, params, gradnorm):
    with pytest.raises(ImagesError, match="there are no images"):
        start(replace(gradnorm, images=None), idle)
    with pytest.raises(CheckpointError, match="expected a checkpoint file"):
        start(replace(params, network=Network(checkpoint=str(idle / "none.pt"))), idle)
    assert list(idle.iterdir()) == []


def test_a_process_that_cannot_be_started_is_said(idle, params, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", str(idle / "nothing"))
        with pytest.raises(RunError, match=r"process of split-params-.* cannot be started"):
            start(params, idle)
    assert list_runs(idle)[0].status().state is State.LOST
    assert start(params, idle).status().state is State.QUEUED


def _full_disk(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_no_process_and_what_is_stored_as_it_is(
    tmp_path, params, wait_until, monkeypatch
):
    write_status = RunFolder.write_status

    def write_while_there_is_room(folder, status):
        return (_full_disk if status.pid else write_status)(folder, status)

    with monkeypatch.context() as full:
        full.setattr(RunFolder, "write_status", write_while_there_is_room)
        with pytest.raises(OSError, match="No space left"):
            start(params, tmp_path)
    [run] = list_runs(tmp_path)

    wait_until(run.log_tail, "the last word of a process that is not recorded")
    wait_until(lambda: not _workers(run), "the end of that process")
    assert run.status().state is State.LOST and run.status().pid is None
    assert "not recorded" in run.log_tail()


def test_a_disk_that_is_full_before_anything_is_stored_stores_nothing(idle, params, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(datafolder, "_sync", _full_disk)
        with pytest.raises(OSError, match="No space left"):
            start(params, idle)
    assert list_runs(idle) == []
    assert [path.name for path in (idle / "runs").iterdir()] == [".lock"]
    assert start(params, idle).status().state is State.QUEUED


def test_a_disk_that_is_full_when_starting_again_leaves_the_run(idle, params, monkeypatch):
    run = start(params, idle)
    run.write_tree(SplitTree("params", ()))
    cancel(run)
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    with monkeypatch.context() as full:
        full.setattr(datafolder, "_sync", _full_disk)
        with pytest.raises(OSError, match="No space left"):
            start(params, idle)
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_children_that_have_ended_do_not_stay_as_zombies(idle, params, use_worker, wait_until):
    use_worker("#!/bin/sh\ncat > /dev/null\n")
    first = start(params, idle)
    pid = first.status().pid
    wait_until(lambda: first.status().state is State.LOST, "the end of the worker")
    start(replace(params, seed=1), idle)
    assert not psutil.pid_exists(pid)


def test_a_status_of_another_users_making_is_not_trusted_with_a_foreign_process(own_folder):
    foreign = Status(State.RUNNING, pid=os.getppid(), process_started=1.0)
    own_folder.write_status(foreign)
    cancel(own_folder)
    assert psutil.pid_exists(os.getppid())
    assert own_folder.status().state is State.LOST
