import errno
import os

import duckdb
import pytest
from pandas.testing import assert_frame_equal

from fewshot_core import store as opening
from fewshot_core import store as schema
from fewshot_core.bench import PACKAGED_TABLE
from fewshot_core.errors import StoreError
from fewshot_core.store import Store


@pytest.fixture
def cache(data_folder, make_run, open_store):
    """The file of a cache that is closed, of two runs and the packaged table."""
    make_run(seed=1)
    make_run(seed=2)
    open_store().close()
    return data_folder / "cache.duckdb"


def contents(store):
    splits = store.splits()
    trees = [store.split_tree(run_id).to_json() for run_id in splits["run_id"]]
    return splits, trees, store.accuracy(PACKAGED_TABLE, "cifar100", "validation")


def assert_same(one, other):
    assert_frame_equal(one[0], other[0])
    assert one[1] == other[1]
    assert_frame_equal(one[2], other[2])


def aside(path):
    return sorted(path.parent.glob("cache.duckdb.set-aside-*"))


def test_a_cache_that_was_deleted_is_rebuilt_as_it_was(cache, open_store):
    first = open_store()
    before = contents(first)
    first.close()
    cache.unlink()
    assert_same(contents(open_store()), before)
    assert aside(cache) == []


def garbage(content):
    return b"this is no database" * 500


def empty(content):
    return b""


def cut(content):
    return content[: len(content) // 2]


def zeros_at_the_front(content):
    return bytes(4096) + content[4096:]


def zeros_in_the_middle(content):
    return content[:20000] + bytes(len(content) - 20000)


@pytest.mark.parametrize("damage", [garbage, empty, cut, zeros_at_the_front, zeros_in_the_middle])
def test_a_damaged_cache_is_set_aside_and_rebuilt_with_nothing_lost(cache, open_store, damage):
    expected = contents(open_store(in_memory=True))
    damaged = damage(cache.read_bytes())
    cache.write_bytes(damaged)
    assert_same(contents(open_store()), expected)
    assert [path.read_bytes() for path in aside(cache)] == [damaged]


def test_damage_anywhere_in_the_file_loses_nothing(cache, data_folder, open_store):
    expected = contents(open_store(in_memory=True))
    whole = cache.read_bytes()
    step = len(whole) // 6
    for start in range(0, len(whole), step):
        content = bytearray(whole)
        content[start : start + 4096] = b"\x55" * len(content[start : start + 4096])
        cache.write_bytes(content)
        store = Store(data_folder)
        store.sync()
        assert_same(contents(store), expected)
        store.close()
    assert aside(cache)


def test_a_damaged_journal_is_dropped_with_its_cache(cache, open_store):
    expected = contents(open_store(in_memory=True))
    cache.write_bytes(b"damaged")
    cache.with_name("cache.duckdb.wal").write_bytes(b"damaged too")
    assert_same(contents(open_store()), expected)


def test_a_damaged_cache_in_a_folder_whose_name_speaks_of_locks_is_rebuilt(tmp_path):
    folder = tmp_path / "sherlock"
    folder.mkdir()
    (folder / "cache.duckdb").write_bytes(b"damaged" * 1000)
    store = Store(folder)
    assert store.splits().empty
    store.close()


def another_version(connection):
    connection.execute(f"UPDATE version SET number = {schema.VERSION + 1}")


def no_version(connection):
    connection.execute("DROP TABLE version")


def no_number(connection):
    connection.execute("DELETE FROM version")


def other_column(connection):
    connection.execute("DROP TABLE version")
    connection.execute("CREATE TABLE version (name VARCHAR)")
    connection.execute("INSERT INTO version VALUES ('one')")


@pytest.mark.parametrize("change", [another_version, no_version, no_number, other_column])
def test_a_cache_of_another_version_is_set_aside_and_rebuilt(cache, open_store, change):
    expected = contents(open_store(in_memory=True))
    connection = duckdb.connect(str(cache))
    change(connection)
    connection.close()
    assert_same(contents(open_store()), expected)
    assert len(aside(cache)) == 1


def test_a_cache_whose_making_was_interrupted_is_made_whole(data_folder, open_store, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(opening, "STATEMENTS", (*schema.STATEMENTS[:3], "no statement"))
        with pytest.raises(StoreError, match="cannot be"):
            Store(data_folder)
    store = open_store()
    assert store.splits().empty
    assert len(store.accuracy(PACKAGED_TABLE, "cifar10", "validation")) == 15625


def test_a_cache_that_another_process_has_open_is_said_and_left_alone(
    data_folder, holder, open_store
):
    with pytest.raises(StoreError, match=r"another process.*close that one, or .*--data-dir"):
        Store(data_folder)
    assert aside(data_folder / "cache.duckdb") == []
    beside = open_store(in_memory=True)
    assert len(beside.accuracy(PACKAGED_TABLE, "cifar10", "validation")) == 15625
    holder.communicate()
    assert open_store().splits().empty


def _refuse(*arguments):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_disk_that_refuses_the_folder_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cache .*cache\.duckdb cannot be opened"):
        Store(tmp_path / "file" / "data")


def test_a_damaged_cache_that_cannot_be_set_aside_is_said_and_stays(cache, monkeypatch):
    cache.write_bytes(b"damaged")
    monkeypatch.setattr("pathlib.Path.replace", _refuse)
    with pytest.raises(StoreError, match=r"cannot be opened: .*not a valid DuckDB database"):
        Store(cache.parent)
    assert cache.read_bytes() == b"damaged"


def test_a_store_that_is_closed_says_so(open_store):
    store = open_store()
    store.close()
    with pytest.raises(StoreError, match="cannot be used"):
        store.splits()
