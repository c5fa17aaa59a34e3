"""Run folders: manifests, statuses, results, and what is cached of their files."""

import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fewshot_core import limits
from fewshot_core.errors import RunError
from fewshot_core.runs import RunFolder, State, Status, list_runs, run_folder
from fewshot_core.runs import folder as folder_module
from fewshot_core.runs.folder import FileCache, last_change, process_identity
from fewshot_core.splitting import SplitTree

RUN = "split-params-cifar10-0123456789ab"
FILES = ["manifest.json", "status.json", "tree.json"]

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "done", "1"]),
    lambda children: st.lists(children) | st.dictionaries(st.sampled_from("ab"), children),
    max_leaves=5,
)


def read(folder, name):
    return {
        "manifest.json": folder.request,
        "status.json": folder.status,
        "tree.json": folder.tree,
    }[name]()


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        (Status(State.RUNNING, done=2, total=6, step_started=100.0, updated=110.0), 20.0),
        (Status(State.RUNNING, done=6, total=6, step_started=100.0, updated=110.0), 0.0),
        (Status(State.RUNNING, done=7, total=6, step_started=100.0, updated=110.0), 0.0),
        (Status(State.RUNNING, done=0, total=6, step_started=100.0, updated=110.0), None),
        (Status(State.RUNNING, done=2, total=0, step_started=100.0, updated=110.0), None),
        (Status(State.RUNNING, done=2, total=6, updated=110.0), None),
        (Status(State.RUNNING, done=2, total=6, step_started=100.0), None),
        (Status(State.QUEUED), None),
    ],
)
def test_the_time_left_is_at_the_pace_so_far(status, seconds):
    assert status.seconds_left == seconds


def test_only_queued_and_running_are_active():
    assert {state for state in State if state.active} == {State.QUEUED, State.RUNNING}


def test_a_process_is_known_by_its_number_and_its_start():
    own = psutil.Process(os.getpid())
    status = Status(State.RUNNING, pid=own.pid, process_started=own.create_time())
    assert status.process_alive()
    assert not replace(status, process_started=own.create_time() - 60).process_alive()
    assert not replace(status, pid=None).process_alive()
    assert not replace(status, process_started=None).process_alive()
    assert not replace(status, pid=-1).process_alive()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_is_known_when_the_clock_is_set(monkeypatch):
    own = psutil.Process(os.getpid())
    status = Status(State.RUNNING, pid=own.pid, process_started=own.create_time())
    known = replace(status, process=process_identity(own.pid))
    system = importlib.import_module("psutil._pslinux")
    booted = system.boot_time()
    monkeypatch.setattr(system, "boot_time", lambda: booted + 3600)
    assert not status.process_alive(), "expected the start to move with the clock"
    assert known.process_alive()
    assert not replace(known, process=f"{known.process}0").process_alive()
    assert process_identity(-1) is None


def test_a_process_that_has_ended_is_not_alive():
    process = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    started = psutil.Process(process.pid).create_time()
    status = Status(State.RUNNING, pid=process.pid, process_started=started)
    deadline = time.monotonic() + 60
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not status.process_alive(), "a zombie counts as alive"
    process.communicate()
    assert not status.process_alive()


def test_a_run_with_a_living_process_has_its_recorded_state(own_folder):
    assert own_folder.status().state is State.RUNNING


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_a_run_whose_process_is_gone_is_lost(own_folder, state):
    own_folder.write_status(Status(state, "scoring", done=3, total=35, pid=-1, process_started=1.0))
    status = own_folder.status()
    assert (status.state, status.done, status.total) == (State.LOST, 3, 35)
    assert "start it again" in status.message


@pytest.mark.parametrize("state", [state for state in State if not state.active])
def test_a_run_that_has_ended_needs_no_process(own_folder, state):
    own_folder.write_status(Status(state, "the end", pid=-1, process_started=1.0))
    assert (own_folder.status().state, own_folder.status().message) == (state, "the end")


def test_the_last_word_of_a_process_counts_though_it_is_gone(own_folder, monkeypatch):
    def ends_meanwhile(status):
        own_folder.write_status(replace(status, state=State.DONE, message="done"))
        return False

    monkeypatch.setattr(Status, "process_alive", ends_meanwhile)
    assert own_folder.status().state is State.DONE


def test_a_status_comes_back_with_the_time_it_was_written(own_folder):
    before = time.time()
    given_status = Status(State.DONE, "done", 4, 5, 1.0, 2.0, None, 6, 7.0)
    own_folder.write_status(given_status)
    status = own_folder.status()
    assert before <= status.updated <= time.time()
    assert replace(status, updated=None) == given_status


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"5", b'"text"', b"{}", b'{"state": "done"', b"\xff\xfe\x00"],
)
def test_a_damaged_file_is_a_run_error_that_names_the_run(own_folder, name, content):
    (own_folder.path / name).write_bytes(content)
    with pytest.raises(RunError, match=RUN) as caught:
        read(own_folder, name)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        {"state": "flying"},
        {"state": None},
        {"colour": "red"},
        {"message": None},
        {"done": "3"},
        {"total": None},
        {"started": "now"},
        {"updated": [1]},
        {"pid": 1.5},
        {"process_started": {}},
    ],
)
def test_a_status_with_a_wrong_field_is_damaged(own_folder, damage):
    document = asdict(Status(State.DONE)) | damage
    (own_folder.path / "status.json").write_text(json.dumps(document))
    with pytest.raises(RunError, match=rf"{RUN}: status\.json is damaged"):
        own_folder.status()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.dictionaries(st.sampled_from(sorted(asdict(Status(State.DONE)))), _json),
    st.sampled_from(["done", "running", "lost"]),
)
def test_any_status_is_read_or_refused(own_folder, fields, state):
    document = {"state": state} | fields
    (own_folder.path / "status.json").write_text(json.dumps(document))
    try:
        status = own_folder.status()
    except RunError as error:
        assert RUN in str(error)
    else:
        assert not status.state.active
        assert status.seconds_left is None or status.seconds_left >= 0


@pytest.mark.parametrize(
    "request_document", [None, [], "text", {}, {"format": "another"}, {"dataset": "mnist"}]
)
def test_a_manifest_with_a_damaged_request_names_the_run(own_folder, params, request_document):
    if isinstance(request_document, dict) and "dataset" in request_document:
        request_document = params.to_dict() | request_document
    own_folder.write_manifest({"request": request_document})
    with pytest.raises(RunError, match=RUN):
        own_folder.request()


@pytest.mark.parametrize("name", ["manifest.json", "status.json"])
def test_a_missing_file_is_a_run_error_that_names_the_run(own_folder, name):
    (own_folder.path / name).unlink()
    with pytest.raises(RunError, match=rf"{RUN}: {name}"):
        read(own_folder, name)


def test_a_tree_that_is_cut_short_is_refused(own_folder):
    own_folder.write_tree(SplitTree("params", ()))
    text = own_folder.tree_path.read_text()
    own_folder.tree_path.write_text(text[: len(text) // 2])
    with pytest.raises(RunError, match=rf"{RUN}: tree\.json"):
        own_folder.tree()


def test_a_tree_is_none_before_it_grows_and_comes_back(own_folder):
    assert own_folder.tree() is None
    tree = SplitTree("params", (), {"dataset": "cifar10"})
    own_folder.write_tree(tree)
    assert own_folder.tree() == tree


def test_the_request_comes_back(own_folder, params):
    assert own_folder.request().to_dict() == params.to_dict()


def test_the_log_is_read_from_its_end(own_folder):
    assert own_folder.log_tail() == ""
    own_folder.log_path.write_bytes(b"one\ntwo\n\xffthree\n")
    assert own_folder.log_tail(2) == "two\n\ufffdthree"


@pytest.mark.parametrize("name", ["other", "", ".", "..", "../data", "a/b", f"{RUN}/", "a\0b"])
def test_a_missing_run_is_refused_by_name(own_folder, name):
    with pytest.raises(RunError, match="there is no run"):
        run_folder(name, own_folder.path.parent.parent)


def test_a_run_is_found_by_name(own_folder):
    assert run_folder(RUN, own_folder.path.parent.parent) == own_folder


def test_runs_are_listed_the_latest_first_without_half_made_ones(tmp_path):
    assert list_runs(tmp_path) == []
    for age, name in enumerate(["first", "second", "third"]):
        folder = RunFolder(tmp_path / "runs" / name)
        folder.write_manifest({"request": {}})
        os.utime(folder.path / "manifest.json", (age, age))
    RunFolder(tmp_path / "runs" / ".third.x1").write_manifest({"request": {}})
    (tmp_path / "runs" / "empty").mkdir()
    (tmp_path / "runs" / "file").write_text("")
    assert [folder.run_id for folder in list_runs(tmp_path)] == ["third", "second", "first"]


def test_only_the_end_of_a_long_log_is_read(own_folder, monkeypatch):
    monkeypatch.setattr(folder_module, "LOG_BYTES", 20)
    own_folder.log_path.write_text("".join(f"line {number}\n" for number in range(1000)))
    assert own_folder.log_tail().splitlines()[-2:] == ["line 998", "line 999"]
    assert len(own_folder.log_tail()) <= 20


@pytest.mark.parametrize("name", ["manifest.json", "status.json", "tree.json"])
def test_a_file_that_is_too_large_is_refused_with_its_size(own_folder, monkeypatch, name):
    monkeypatch.setattr(limits, "RUN_BYTES", 1_000_000)
    (own_folder.path / name).write_text(" " * 1_000_001)
    read = {
        "manifest.json": own_folder.manifest,
        "status.json": own_folder.status,
        "tree.json": own_folder.tree,
    }[name]
    with pytest.raises(RunError, match=f"{name} holds more than 1 MB"):
        read()


def test_a_turn_of_a_run_shows_in_the_time_of_the_folder_of_runs(tmp_path):
    run = RunFolder(tmp_path / "runs" / "a-run")
    run.path.mkdir(parents=True)

    def turns_with(state: State) -> bool:
        os.utime(tmp_path / "runs", (0, 0))
        before = last_change(tmp_path)
        run.write_status(Status(state))
        return last_change(tmp_path) != before

    assert not turns_with(State.RUNNING), "progress is no turn"
    assert all(turns_with(state) for state in State if state is not State.RUNNING)
    assert last_change(tmp_path / "nothing") == 0


@pytest.fixture
def counted():
    """A memo of texts of files, and the files it has read."""
    read = []

    def text(path):
        read.append(path.name)
        return path.read_text()

    return FileCache(text), read


def write(path, text, age=60.0):
    """Write a file as it was some seconds ago."""
    path.write_text(text)
    then = time.time() - age
    os.utime(path, (then, then))


def test_a_file_that_stays_the_same_is_read_once(tmp_path, counted):
    files, read = counted
    write(tmp_path / "a", "one")
    assert [files.read(tmp_path / "a") for _ in range(3)] == ["one"] * 3
    assert read == ["a"]


def test_a_file_that_has_changed_is_read_again(tmp_path, counted):
    files, _ = counted
    write(tmp_path / "a", "one")
    assert files.read(tmp_path / "a") == "one"
    write(tmp_path / "a", "two", age=30.0)
    assert files.read(tmp_path / "a") == "two"


def test_a_file_that_was_replaced_by_one_of_the_same_time_and_size_is_read_again(tmp_path, counted):
    files, _ = counted
    write(tmp_path / "a", "one")
    assert files.read(tmp_path / "a") == "one"
    write(tmp_path / "b", "two")
    before = (tmp_path / "a").stat()
    os.utime(tmp_path / "b", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tmp_path / "b").replace(tmp_path / "a")
    assert files.read(tmp_path / "a") == "two"


def test_a_file_that_was_written_just_now_is_not_trusted(tmp_path, counted):
    files, read = counted
    (tmp_path / "a").write_text("one")
    stamp = (tmp_path / "a").stat()
    assert files.read(tmp_path / "a") == "one"
    (tmp_path / "a").write_text("two")
    os.utime(tmp_path / "a", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert files.read(tmp_path / "a") == "two"
    assert read == ["a", "a"]


def test_unreadable_files_are_reported_every_time(tmp_path, counted):
    files, read = counted
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            files.read(tmp_path / "a")
    write(tmp_path / "a", "one")
    assert files.read(tmp_path / "a") == "one"
    assert read == ["a", "a", "a"]


def test_memory_is_bounded(tmp_path):
    read = []
    files = FileCache(lambda path: read.append(path.name) or path.name, kept=2)
    for name in ("a", "b", "c"):
        write(tmp_path / name, name)
        files.read(tmp_path / name)
    assert files.read(tmp_path / "c") == "c" and read == ["a", "b", "c"]
    assert files.read(tmp_path / "a") == "a" and read == ["a", "b", "c", "a"]
