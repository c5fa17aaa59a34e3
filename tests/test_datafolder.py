import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from fewshot_core import data_folder as datafolder
from fewshot_core.data_folder import (
    app_folder,
    atomic_folder,
    atomic_path,
    canonical_json,
    data_dir,
    file_fingerprint,
    folder_problem,
    locked,
    sweep,
    text_fingerprint,
    write_json,
    write_text,
)
from fewshot_core.errors import StoreError, describe

OLD, NEW = "the old text", "the new text, which is longer"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text(OLD)
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "file.txt").write_text(OLD)
    return path


def test_the_argument_takes_precedence_over_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path / "from-environment"))
    assert data_dir(tmp_path / "named") == tmp_path / "named"
    assert data_dir(str(tmp_path / "named")) == tmp_path / "named"
    assert data_dir() == tmp_path / "from-environment"


@pytest.mark.parametrize("value", [None, ""])
def test_the_default_folder_of_a_checkout_is_beside_the_app(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("FEWSHOT_DATA_DIR", raising=False)
    else:
        monkeypatch.setenv("FEWSHOT_DATA_DIR", value)
    assert data_dir() == app_folder() / "data"
    assert (app_folder() / "app.py").exists()


def test_the_default_folder_of_an_installed_package_is_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("FEWSHOT_DATA_DIR", raising=False)
    monkeypatch.setattr(datafolder, "_PACKAGED", tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    assert app_folder() == tmp_path
    assert data_dir().name == "fewshot-workbench"
    if sys.platform == "linux":
        assert data_dir() == tmp_path / "user" / "fewshot-workbench"


def test_a_relative_folder_or_one_at_home_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert data_dir("here") == tmp_path / "here"
    assert data_dir("~/there") == tmp_path / "home" / "there"


def test_asking_for_the_folder_does_not_make_it(tmp_path):
    assert not data_dir(tmp_path / "named").exists()


def test_equal_values_are_the_same_text():
    one = {"b": [1, 2.5, None], "a": {"y": "é", "x": True}}
    other = {"a": {"x": True, "y": "é"}, "b": (1, 2.5, None)}
    assert canonical_json(one) == canonical_json(other)
    assert json.loads(canonical_json(one)) == one
    assert canonical_json({"a": 1}) != canonical_json({"a": "1"})


@pytest.mark.parametrize("write", [canonical_json, lambda value: write_json(None, value)])
def test_a_number_that_json_cannot_hold_is_refused(write):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(float("nan"))


def test_fingerprints_are_of_the_content(tmp_path):
    content = bytes(range(256)) * 5000
    path = tmp_path / "file"
    path.write_bytes(content)
    assert file_fingerprint(path) == hashlib.sha256(content).hexdigest()
    assert file_fingerprint(path.rename(tmp_path / "moved")) == hashlib.sha256(content).hexdigest()
    assert text_fingerprint("é") == hashlib.sha256("é".encode()).hexdigest()


def test_a_file_is_replaced_as_a_whole(file):
    write_text(file, NEW)
    assert file.read_text() == NEW
    assert names(file.parent) == ["file.txt"]


def test_missing_folders_on_the_way_are_made(tmp_path):
    write_json(tmp_path / "a" / "b.json", {"text": "é"})
    text = (tmp_path / "a" / "b.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"text": "é"} and text.endswith("}\n")


@pytest.mark.parametrize("error", [ValueError("in between"), KeyboardInterrupt()])
def test_an_exception_in_between_leaves_the_old_file(file, error):
    with pytest.raises(type(error)), atomic_path(file) as temporary:
        temporary.write_text(NEW[:5])
        assert file.read_text() == OLD
        raise error
    assert file.read_text() == OLD
    assert names(file.parent) == ["file.txt"]


def test_an_exception_in_between_leaves_no_new_file(tmp_path):
    with pytest.raises(ValueError, match="in between"), atomic_path(tmp_path / "new") as temporary:
        temporary.write_text(NEW)
        raise ValueError("in between")
    assert names(tmp_path) == []


def test_a_value_that_cannot_be_written_leaves_the_old_file(file):
    with pytest.raises(TypeError):
        write_json(file, {"value": object()})
    assert file.read_text() == OLD and names(file.parent) == ["file.txt"]


@pytest.mark.parametrize(
    ("owner", "name"),
    [(datafolder, "_sync"), (os, "replace"), (os, "fsync")],
    ids=["sync", "replace", "fsync"],
)
def test_a_full_disk_leaves_the_old_file(file, monkeypatch, owner, name):
    def refuse(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(owner, name, refuse)
        with pytest.raises(OSError, match="No space left"):
            write_text(file, NEW)
    assert file.read_text() == OLD and names(file.parent) == ["file.txt"]
    write_text(file, NEW)
    assert file.read_text() == NEW


def test_content_reaches_the_disk_before_the_name(file, monkeypatch):
    steps = []
    sync, replace = datafolder._sync, os.replace
    monkeypatch.setattr(datafolder, "_sync", lambda path: (steps.append(path.name), sync(path)))
    monkeypatch.setattr(os, "replace", lambda *paths: (steps.append("replace"), replace(*paths)))
    write_text(file, NEW)
    assert steps[0].startswith(".file.txt.") and steps[1:] == ["replace", file.parent.name]


def test_a_reader_never_sees_half_a_file(file):
    texts = [letter * 200_000 for letter in "ab"]
    write_text(file, texts[0])
    stop = threading.Event()

    def write():
        while not stop.is_set():
            for text in texts:
                write_text(file, text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = {file.read_text() for _ in range(200)}
    finally:
        stop.set()
        writer.join()
    assert seen <= set(texts)


def test_a_folder_is_replaced_as_a_whole(folder):
    with atomic_folder(folder) as temporary:
        (temporary / "other.txt").write_text(NEW)
        assert names(folder) == ["file.txt"]
    assert names(folder) == ["other.txt"]
    assert names(folder.parent) == ["folder"]


def test_a_new_folder_appears_when_it_is_complete(tmp_path):
    with atomic_folder(tmp_path / "a" / "new") as temporary:
        (temporary / "file.txt").write_text(NEW)
        assert not (tmp_path / "a" / "new").exists()
    assert (tmp_path / "a" / "new" / "file.txt").read_text() == NEW


@pytest.mark.parametrize("error", [ValueError("in between"), KeyboardInterrupt()])
def test_an_exception_in_between_leaves_the_old_folder(folder, error):
    with pytest.raises(type(error)), atomic_folder(folder) as temporary:
        (temporary / "other.txt").write_text(NEW)
        raise error
    assert (folder / "file.txt").read_text() == OLD
    assert names(folder.parent) == ["folder"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(folder, monkeypatch):
    rename = os.rename

    def refuse_the_new_one(source, target):
        if os.fspath(target) == str(folder) and not os.fspath(source).endswith(".old"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse_the_new_one)
    with pytest.raises(OSError, match="No space left"), atomic_folder(folder) as temporary:
        (temporary / "other.txt").write_text(NEW)
    assert (folder / "file.txt").read_text() == OLD
    assert names(folder.parent) == ["folder"]


KILLED = """
import os, signal, sys
from pathlib import Path
from fewshot_core import data_folder as datafolder
path = Path(sys.argv[2])

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "deleting":
    datafolder.shutil.rmtree = die
    datafolder.remove_folder(path)
elif sys.argv[1] == "writing":
    with datafolder.atomic_folder(path) as temporary:
        (temporary / "half").write_text("half")
        die()
else:
    Path.replace = Path.rename
    rename = Path.rename
    Path.rename = lambda one, other: rename(one, other) if other.suffix == ".old" else die()
    with datafolder.atomic_folder(path) as temporary:
        (temporary / "file.txt").write_text("new")
"""


def kill_while(doing, path):
    """Have a process killed while it does something to a folder; return what it leaves hidden."""
    done = subprocess.run([sys.executable, "-c", KILLED, doing, str(path)])
    assert done.returncode == -signal.SIGKILL
    return [name for name in names(path.parent) if name.startswith(".")]


@pytest.mark.parametrize("doing", ["deleting", "writing"])
def test_folders_that_a_killed_process_has_left_are_swept(folder, doing):
    (folder.parent / "other").mkdir()
    assert len(kill_while(doing, folder)) == 1
    before = folder.exists()
    sweep(folder.parent)
    assert names(folder.parent) == (["folder", "other"] if before else ["other"])
    assert before == (doing == "writing")


def test_a_folder_that_was_to_be_replaced_comes_back(folder):
    assert len(kill_while("replacing", folder)) == 2 and not folder.exists()
    sweep(folder.parent)
    assert names(folder.parent) == ["folder"] and (folder / "file.txt").read_text() == OLD


def test_other_hidden_folders_are_not_swept(tmp_path):
    kept = [".git", ".quarantine", ".lock.d", ".folder.0123456789abcdeg", "plain.0123456789abcdef"]
    for name in kept:
        (tmp_path / name).mkdir()
    (tmp_path / ".file.0123456789abcdef").write_text("being written")
    (tmp_path / ".link.0123456789abcdef").symlink_to(tmp_path / ".git")
    sweep(tmp_path)
    assert names(tmp_path) == sorted([*kept, ".file.0123456789abcdef", ".link.0123456789abcdef"])


def test_a_lock_keeps_others_waiting(tmp_path):
    order = []
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with locked(tmp_path / "place"):
            inside.set()
            leave.wait()
            order.append("first")

    def follow():
        with locked(tmp_path / "place"):
            order.append("second")

    first, second = threading.Thread(target=hold), threading.Thread(target=follow)
    first.start()
    inside.wait()
    second.start()
    second.join(0.1)
    assert order == [] and second.is_alive()
    leave.set()
    first.join()
    second.join()
    assert order == ["first", "second"]


def test_a_lock_is_released_on_an_exception(tmp_path):
    with pytest.raises(ValueError, match="inside"), locked(tmp_path):
        raise ValueError("inside")
    with locked(tmp_path):
        assert names(tmp_path) == [".lock"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EROFS, "the disk is read-only: make it writable"),
        (errno.EACCES, "permission is denied: change the permissions"),
    ],
)
def test_what_the_system_refuses_is_said_in_plain_words(number, words):
    refused = OSError(number, os.strerror(number), "/data/x")
    assert describe(refused).startswith(words) and "/data/x" in describe(refused)
    with pytest.raises(StoreError) as raised:
        try:
            raise refused
        except OSError as error:
            raise StoreError("the cache cannot be used") from error
    assert describe(raised.value).startswith(words)
    assert describe(StoreError("it is open")) == "it is open"


def test_the_problem_of_a_data_folder_is_said(tmp_path, monkeypatch):
    assert folder_problem(tmp_path) is None
    assert "has disappeared: bring it back" in folder_problem(tmp_path / "none")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    assert "is full" in folder_problem(tmp_path)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "is read-only" in folder_problem(tmp_path)
