"""Starting, cancelling and deleting runs, one or several, and messages about failures."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from fewshot_core import data_folder as datafolder
from fewshot_core.data_folder import atomic_folder, locked
from fewshot_core.errors import CheckpointError, ImagesError, MetricError, RunError
from fewshot_core.metrics import METRICS
from fewshot_core.runs import (
    Network,
    RunFolder,
    SearchRequest,
    State,
    Status,
    cancel,
    delete,
    find_finished,
    jobs,
    list_runs,
    plan,
    start,
)
from fewshot_core.runs.folder import process_identity
from fewshot_core.runs.jobs import (
    advice,
    cancel_all,
    failure_message,
    planned_folder,
)
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace
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


def test_a_start_records_the_request_and_the_process(idle, params, wait_until, numbers):
    run = start(params, idle)
    wait_until(lambda: numbers(idle / "started"), "the worker")
    status = run.status()
    assert status.state is State.QUEUED and status.started is not None
    assert [status.pid] == numbers(idle / "started")
    assert status.process == process_identity(status.pid or 0)
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


def test_an_active_run_is_returned_by_the_second_start(idle, params, wait_until, numbers):
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


def test_active_and_finished_runs_of_a_request_are_returned(idle, params, finish):
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
def test_a_damaged_result_is_computed_again(idle, params, finish, name, content):
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
def test_a_process_that_ignores_sigterm_is_killed(
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
    with pytest.raises(RunError, match=f"its process {os.getpid()} is still running"):
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


def test_a_deleted_run_can_be_started_again(idle, params):
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


def test_a_process_that_cannot_be_started_is_reported(idle, params, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", str(idle / "nothing"))
        with pytest.raises(RunError, match=r"process of split-params-.* cannot be started"):
            start(params, idle)
    assert list_runs(idle)[0].status().state is State.LOST
    assert start(params, idle).status().state is State.QUEUED


def _full_disk(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_no_process_and_changes_nothing_stored(
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


FULL = SubSpace.full()
SEARCH = SearchRequest(
    "cifar10", "snas", tuple(FULL.rows), PRESETS.get("smoke").search, 0, "synthetic"
)
PLAN = plan(SEARCH, [FULL.keep(0, (1, 2)), FULL.keep(0, (0, 3, 4))], (777, 888))


def test_where_runs_would_be_is_where_they_are(idle):
    fingerprints = SEARCH.fingerprints(idle)
    folders = [planned_folder(one, fingerprints, idle) for one in PLAN]
    assert len(set(folders)) == 4
    assert not any(folder.path.exists() for folder in folders)
    assert [start(one, idle) for one in PLAN] == folders
    assert [folder.request() for folder in folders] == PLAN


def test_starting_again_starts_only_inactive_runs(idle, wait_until, numbers):
    folders = [start(one, idle) for one in PLAN[:2]]
    wait_until(lambda: len(numbers(idle / "started")) == 2, "two workers")
    cancel_all(folders[:1])
    assert [folder.status().state for folder in folders] == [State.CANCELLED, State.QUEUED]
    for one in PLAN:
        start(one, idle)
    wait_until(lambda: len(numbers(idle / "started")) == 5, "three more workers")


def test_all_are_cancelled_the_last_first(idle, monkeypatch):
    cancelled = []
    folders = [start(one, idle) for one in PLAN]
    monkeypatch.setattr("fewshot_core.runs.jobs.cancel", cancelled.append)
    cancel_all(folders)
    assert cancelled == folders[::-1]


DISK_FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class OutOfMemoryError(RuntimeError):
    """Named as that of PyTorch."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MetricError("expected a batch"), "expected a batch"),
        (MemoryError(), "out of memory: choose a smaller batch or network"),
        (OutOfMemoryError("CUDA"), "out of memory: choose a smaller batch or network"),
        (PermissionError(13, "no"), "the system refused: [Errno 13] no; see the log"),
        (ZeroDivisionError("by 0"), "unexpected ZeroDivisionError: by 0; see the log"),
        (
            DISK_FULL,
            "the disk is full: free some space, then start it again; finished work is reused",
        ),
        (
            OSError(errno.EDQUOT, "quota"),
            "the disk is full: free some space, then start it again; finished work is reused",
        ),
    ],
)
def test_a_failure_is_described_in_a_sentence(error, message):
    assert failure_message(error) == message


@pytest.mark.parametrize("said", [True, False])
def test_a_full_disk_behind_another_error_is_found(said):
    with pytest.raises(RunError) as raised:
        try:
            raise DISK_FULL
        except OSError as error:
            raise RunError("the table cannot be written") from (error if said else None)
    assert failure_message(raised.value).startswith("the disk is full")


def test_there_is_advice_for_what_did_not_end_well_and_only_that():
    told = {state for state in State if advice(state)}
    assert told == {State.FAILED, State.LOST, State.CANCELLED}


PYTHON = sys.executable

DELETES = """
import os, shutil, signal, sys
from pathlib import Path
from fewshot_core.runs import RunFolder, delete
shutil.rmtree = lambda *arguments, **options: os.kill(os.getpid(), signal.SIGKILL)
delete(RunFolder(Path(sys.argv[1])))
"""


def names(place):
    return sorted(path.name for path in place.iterdir())


@pytest.mark.parametrize("next_step", ["start", "delete"])
def test_what_a_killed_deletion_leaves_is_swept_by_the_next_step(idle, params, next_step):
    run, other = start(params, idle), start(replace(params, seed=1), idle)
    cancel(run)
    cancel(other)
    assert subprocess.run([PYTHON, "-c", DELETES, str(run.path)]).returncode == -signal.SIGKILL
    place = run.path.parent
    assert len(list(place.glob(f".{run.run_id}.*"))) == 1 and not run.path.exists()
    if next_step == "start":
        start(params, idle)
        assert names(place) == sorted([".lock", run.run_id, other.run_id])
    else:
        delete(other)
        assert names(place) == [".lock"]


def test_a_deletion_waits_for_a_folder_that_is_being_written(idle, params):
    run = start(params, idle)
    cancel(run)
    place = run.path.parent
    inside, leave = threading.Event(), threading.Event()

    def write():
        with locked(place), atomic_folder(place / "new") as temporary:
            inside.set()
            leave.wait()
            (temporary / "file.txt").write_text("whole")

    writer, deleter = threading.Thread(target=write), threading.Thread(target=delete, args=(run,))
    writer.start()
    inside.wait()
    deleter.start()
    deleter.join(0.1)
    assert deleter.is_alive() and run.path.exists()
    leave.set()
    writer.join()
    deleter.join()
    assert names(place) == [".lock", "new"]
    assert (place / "new" / "file.txt").read_text() == "whole"
