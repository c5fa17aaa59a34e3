"""What a deletion leaves that is killed half-way, and who clears it away."""

import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from fewshot_core.data_folder import atomic_folder, locked
from fewshot_core.runs import cancel, delete, start

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
