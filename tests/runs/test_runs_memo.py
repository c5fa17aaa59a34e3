import os
import time

import pytest

from fewshot_core.runs.folder import FileCache


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


def test_what_cannot_be_read_is_said_every_time(tmp_path, counted):
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
