import errno
import io
import os
import signal
from dataclasses import replace

import pytest

from fewshot_core import data_folder as datafolder
from fewshot_core.errors import MetricError
from fewshot_core.runs import State, split_job, worker


@pytest.fixture
def work(own_folder, monkeypatch, tmp_path):
    """Have this process be the worker of its own folder, doing some job; return its exit status."""
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    before = signal.getsignal(signal.SIGTERM)

    def do(job):
        monkeypatch.setattr(split_job, "run", job)
        return worker.main(own_folder.path)

    yield do
    signal.signal(signal.SIGTERM, before)


def test_a_job_is_done_in_the_data_folder_that_was_named(work, own_folder, tmp_path):
    done = []
    assert work(lambda *arguments: done.append(arguments)) == 0
    assert done == [(own_folder, tmp_path)]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MetricError("expected a batch"), "expected a batch"),
        (MemoryError(), "out of memory: choose a smaller batch or network"),
        (ZeroDivisionError("by 0"), "unexpected ZeroDivisionError: by 0; see the log"),
        (SystemExit(3), "unexpected SystemExit: 3; see the log"),
    ],
)
def test_a_failed_job_says_why_in_its_status_and_its_log(work, own_folder, capsys, error, message):
    def fail(folder, data_dir):
        folder.write_status(replace(folder.status(), done=3, total=35))
        raise error

    assert work(fail) == 1
    status = own_folder.status()
    assert (status.state, status.message) == (State.FAILED, message)
    assert (status.done, status.total) == (3, 35)
    log = capsys.readouterr().err
    assert f"failed: {message}" in log and "Traceback" in log


def test_a_job_that_is_asked_to_end_is_cancelled(work, own_folder, capsys):
    def be_asked(folder, data_dir):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("went on")

    assert work(be_asked) == 1
    assert (own_folder.status().state, own_folder.status().message) == (
        State.CANCELLED,
        "cancelled",
    )
    assert "Traceback" not in capsys.readouterr().err


def test_a_process_that_is_not_recorded_does_nothing(work, own_folder, capsys):
    own_folder.write_status(replace(own_folder.status(), pid=os.getpid() + 1))
    before = (own_folder.path / "status.json").read_text()
    done = []
    assert work(lambda *arguments: done.append(arguments)) == 1
    assert done == []
    assert (own_folder.path / "status.json").read_text() == before
    assert "not recorded" in capsys.readouterr().err


def test_the_last_words_have_room_on_a_full_disk(work, own_folder, monkeypatch):
    reserve = own_folder.path / ".reserve"

    def sync_while_there_is_room(path):
        if reserve.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(folder, data_dir):
        assert reserve.stat().st_size == worker.RESERVE_BYTES
        monkeypatch.setattr(datafolder, "_sync", sync_while_there_is_room)
        folder.write_status(folder.status())

    assert work(fill) == 1
    assert own_folder.status().state is State.FAILED
    assert own_folder.status().message.startswith("the disk is full: make room")


def test_a_run_that_is_done_needs_no_reserve(work, own_folder):
    assert work(lambda folder, data_dir: None) == 0
    assert list(own_folder.path.glob(".*")) == []


@pytest.mark.parametrize("device", ["../../../elsewhere", "cpu/..", "", "cuda:x"])
def test_a_device_that_is_no_name_does_not_reach_a_path(work, own_folder, params, tmp_path, device):
    own_folder.write_manifest({"request": replace(params, device=device).to_dict()})
    before = sorted(tmp_path.rglob("*"))
    assert work(lambda folder, data_dir: None) == 1
    assert "expected a device" in own_folder.status().message
    assert sorted(tmp_path.rglob("*")) == before
