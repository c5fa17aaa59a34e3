"""Rebuilding the cache, and checking it against the run folders."""

import errno
import json
import os
from contextlib import closing
from types import SimpleNamespace
from unittest.mock import DEFAULT, Mock

import duckdb
import pytest
from pandas.testing import assert_frame_equal

from fewshot_core import store as opening
from fewshot_core import store as schema
from fewshot_core.bench import PACKAGED_TABLE
from fewshot_core.errors import StoreError
from fewshot_core.runs import State, list_runs
from fewshot_core.store import Store, rebuild, verify


@pytest.fixture
def cache(data_folder, make_run, open_store):
    """The file of a cache that is closed, of two runs and the packaged table."""
    make_run(seed=1)
    make_run(seed=2)
    open_store().close()
    return data_folder / "cache.duckdb"


def contents(store):
    splits = store.splits()
    trees = [store.split_trees([run_id])[0].to_json() for run_id in splits["run_id"]]
    return splits, trees, store.accuracy(PACKAGED_TABLE, "cifar100", "validation")


def assert_same(one, other):
    assert_frame_equal(one[0], other[0])
    assert one[1] == other[1]
    assert_frame_equal(one[2], other[2])


def quarantined(path):
    return sorted(path.parent.glob("cache.duckdb.quarantine-*"))


def test_a_cache_that_was_deleted_is_rebuilt_as_it_was(cache, open_store):
    first = open_store()
    before = contents(first)
    first.close()
    cache.unlink()
    assert_same(contents(open_store()), before)
    assert quarantined(cache) == []


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
def test_a_damaged_cache_is_quarantined_and_rebuilt_with_nothing_lost(cache, open_store, damage):
    expected = contents(open_store(in_memory=True))
    damaged = damage(cache.read_bytes())
    cache.write_bytes(damaged)
    assert_same(contents(open_store()), expected)
    assert [path.read_bytes() for path in quarantined(cache)] == [damaged]


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
    assert quarantined(cache)


def test_a_damaged_journal_is_dropped_with_its_cache(cache, open_store):
    expected = contents(open_store(in_memory=True))
    cache.write_bytes(b"damaged")
    cache.with_name("cache.duckdb.wal").write_bytes(b"damaged too")
    assert_same(contents(open_store()), expected)


def test_a_damaged_cache_in_a_folder_with_lock_in_its_name_is_rebuilt(tmp_path):
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
def test_a_cache_of_another_version_is_quarantined_and_rebuilt(cache, open_store, change):
    expected = contents(open_store(in_memory=True))
    connection = duckdb.connect(str(cache))
    change(connection)
    connection.close()
    assert_same(contents(open_store()), expected)
    assert len(quarantined(cache)) == 1


def test_a_cache_whose_creation_was_interrupted_is_completed(data_folder, open_store, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(opening, "STATEMENTS", (*schema.STATEMENTS[:3], "no statement"))
        with pytest.raises(StoreError, match="cannot be"):
            Store(data_folder)
    store = open_store()
    assert store.splits().empty
    assert len(store.accuracy(PACKAGED_TABLE, "cifar10", "validation")) == 15625


def test_a_cache_that_another_process_has_open_is_reported_and_unchanged(
    data_folder, holder, open_store
):
    with pytest.raises(
        StoreError, match=r"another process.*close that one, or .*another data folder"
    ):
        Store(data_folder)
    assert quarantined(data_folder / "cache.duckdb") == []
    beside = open_store(in_memory=True)
    assert len(beside.accuracy(PACKAGED_TABLE, "cifar10", "validation")) == 15625
    holder.communicate()
    assert open_store().splits().empty


def test_meanwhile_a_cache_in_memory_is_used_and_then_the_file(data_folder, holder, make_run):
    run = make_run(seed=1)
    with closing(Store(data_folder, fallback=True)) as store:
        assert "in memory for now" in store.note and "another process" in store.note
        store.note = ""
        for _ in range(2):
            store.sync()
            assert list(store.splits()["run_id"]) == [run.run_id] and store.note == ""
        with pytest.raises(StoreError, match="another process"):
            rebuild(data_folder)
        holder.communicate()
        store.sync()
        assert list(store.splits()["run_id"]) == [run.run_id]
    with closing(Store(data_folder)) as file:
        assert list(file.splits()["run_id"]) == [run.run_id]


def test_a_file_that_has_taken_the_place_of_the_cache_is_used(data_folder, make_run, monkeypatch):
    run = make_run(seed=1)
    with closing(Store(data_folder, fallback=True)) as store:
        store.sync()
        (data_folder / "cache.duckdb").rename(data_folder / "moved")
        full = Mock(return_value=SimpleNamespace(free=10))
        with monkeypatch.context() as patch:
            patch.setattr("shutil.disk_usage", full)
            store.sync()
            assert not (data_folder / "cache.duckdb").exists()
        store.sync()
        assert (data_folder / "cache.duckdb").exists()
        assert list(store.splits()["run_id"]) == [run.run_id]


def test_a_disk_that_gets_full_makes_the_cache_continue_in_memory(
    data_folder, make_run, monkeypatch
):
    refuse = duckdb.IOException("Could not write file: No space left on device")
    run = make_run(seed=1)
    with closing(Store(data_folder, fallback=True)) as store:
        insert = Mock(side_effect=[refuse, DEFAULT], wraps=store._insert)
        with monkeypatch.context() as patch:
            patch.setattr(store, "_insert", insert)
            store.sync()
        assert insert.call_count == 2 and "No space left" in store.note
        assert list(store.splits()["run_id"]) == [run.run_id]
    assert quarantined(data_folder / "cache.duckdb") == []


def _refuse(*arguments):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_disk_that_refuses_the_folder_is_reported(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cache .*cache\.duckdb cannot be opened"):
        Store(tmp_path / "file" / "data")


def test_a_damaged_cache_that_cannot_be_quarantined_is_reported_and_stays(cache, monkeypatch):
    cache.write_bytes(b"damaged")
    monkeypatch.setattr("pathlib.Path.replace", _refuse)
    with pytest.raises(StoreError, match=r"cannot be opened: .*not a valid DuckDB database"):
        Store(cache.parent)
    assert cache.read_bytes() == b"damaged"


def test_a_closed_store_cannot_be_used(open_store):
    store = open_store()
    store.close()
    with pytest.raises(StoreError, match="cannot be used"):
        store.splits()


def files(folder):
    """Return all files in a folder with their content."""
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_rebuilt_cache_is_as_the_one_before(data_folder, make_run, open_store):
    for seed in (1, 2):
        make_run(seed=seed)
    first = open_store()
    before = first.splits()
    first.close()
    found = rebuild(data_folder)
    assert found.runs == {"split": 2} and found.tables == ("nasbench201-validation",)
    assert found.left_out == {}
    second = Store(data_folder)
    assert second.splits().equals(before)
    second.close()


def test_a_rebuild_reports_skipped_runs_with_reasons(data_folder, make_run):
    make_run(seed=1)
    cancelled = make_run(seed=2, state=State.CANCELLED)
    broken = make_run(seed=3)
    broken.tree_path.write_text("{")
    (data_folder / "runs" / "holiday-pictures").mkdir()
    found = rebuild(data_folder)
    assert found.runs == {"split": 1}
    assert found.left_out.keys() == {cancelled.run_id, broken.run_id, "holiday-pictures"}
    assert "is not done: cancelled" in found.left_out[cancelled.run_id]
    assert "tree.json cannot be read" in found.left_out[broken.run_id]
    assert "no manifest.json" in found.left_out["holiday-pictures"]


def test_a_damaged_cache_is_rebuilt(data_folder, make_run):
    make_run()
    (data_folder / "cache.duckdb").write_bytes(b"damaged" * 1000)
    (data_folder / "cache.duckdb.wal").write_bytes(b"damaged too")
    assert rebuild(data_folder).runs == {"split": 1}
    assert verify(data_folder).well


def test_a_cache_that_an_app_has_open_is_not_rebuilt(data_folder, holder):
    with pytest.raises(StoreError, match=r"open in another process.*close that one"):
        rebuild(data_folder)
    assert (data_folder / "cache.duckdb").exists()


def test_an_undamaged_folder_is_verified_without_changes(data_folder, make_run, open_store):
    make_run(seed=1)
    make_run(seed=2, state=State.FAILED)
    open_store().close()
    before = files(data_folder)
    found = verify(data_folder)
    assert found.well and found.note is None
    assert (found.folders, found.finished, found.compared) == (2, 1, 1)
    assert files(data_folder) == before


def test_a_missing_cache_is_no_problem_and_is_not_built(data_folder, make_run):
    make_run()
    found = verify(data_folder)
    assert found.well and "builds it" in found.note
    assert not (data_folder / "cache.duckdb").exists()


def test_runs_are_checked_while_an_app_has_the_cache_open(data_folder, make_run, holder):
    make_run(seed=1).tree_path.write_text("{")
    found = verify(data_folder)
    assert "open in another process" in found.note and found.compared == 0
    assert len(found.damaged) == 1


def more_ties(connection):
    connection.execute("UPDATE splits SET degenerate_nodes = 17")


def a_lost_sub_space(connection):
    connection.execute("DELETE FROM sub_spaces WHERE number = 1")


def one_more_sub_space(connection):
    connection.execute("INSERT INTO sub_spaces SELECT * FROM sub_spaces WHERE number = 1")


@pytest.mark.parametrize("change", [more_ties, a_lost_sub_space, one_more_sub_space])
def test_a_cache_that_differs_from_its_folders_is_a_problem(
    data_folder, make_run, open_store, change
):
    run = make_run()
    open_store().close()
    with duckdb.connect(str(data_folder / "cache.duckdb")) as connection:
        change(connection)
    found = verify(data_folder)
    assert list(found.problems) == [run.run_id] and found.damaged == {}
    assert "fewshot cache rebuild" in found.problems[run.run_id]
    rebuild(data_folder)
    assert verify(data_folder).well


def test_a_run_that_the_cache_has_not_seen_yet_is_no_problem(data_folder, make_run, open_store):
    make_run(seed=1)
    open_store().close()
    make_run(seed=2)
    found = verify(data_folder)
    assert found.well and (found.finished, found.compared) == (2, 1)


def test_a_damaged_cache_is_a_problem_and_another_version_is_noted(data_folder, open_store):
    open_store().close()
    path = data_folder / "cache.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE version SET number = 0")
    found = verify(data_folder)
    assert found.well and "another version" in found.note
    path.write_bytes(b"damaged" * 1000)
    found = verify(data_folder)
    assert list(found.problems) == ["cache.duckdb"] and "damaged" in found.problems["cache.duckdb"]


@pytest.fixture
def demo(make_run, data_folder, tmp_path):
    """A folder of results that come with the project, with one split."""
    place = tmp_path / "demo"
    (place / "runs").mkdir(parents=True)
    run = make_run("snip")
    run.path.rename(place / "runs" / run.run_id)
    store = Store(data_folder, demo=place)
    store.sync()
    store.close()
    return place


def test_demonstration_results_are_compared_too(data_folder, make_run, demo):
    make_run("params")
    found = verify(data_folder, demo)
    assert found.well
    assert (found.folders, found.finished, found.given, found.compared) == (1, 1, 1, 1)
    with duckdb.connect(str(data_folder / "cache.duckdb")) as connection:
        more_ties(connection)
    found = verify(data_folder, demo)
    [run] = list_runs(demo)
    assert list(found.problems) == [run.run_id] and found.damaged == {}
    assert "the cache has other splits" in found.problems[run.run_id]


def test_damage_of_demonstration_results_is_a_problem(data_folder, demo):
    [run] = list_runs(demo)
    run.tree_path.write_text("{")
    found = verify(data_folder, demo)
    assert not found.well and found.damaged == {}
    assert "tree.json cannot be read" in found.problems[run.run_id]


def test_a_run_that_is_also_ones_own_is_checked_once(data_folder, make_run, demo):
    make_run("snip")
    found = verify(data_folder, demo)
    assert (found.folders, found.given) == (1, 0)


def test_a_renamed_run_is_found(data_folder, make_run):
    run = make_run()
    run.path.rename(run.path.with_name("split-renamed"))
    [(name, [reason])] = verify(data_folder).damaged.items()
    assert name == "split-renamed" and f"holds the run {run.run_id}" in reason


def test_the_same_result_that_arrives_twice_changes_nothing(make_run, open_store):
    run = make_run()
    store = open_store()
    before = store.splits()
    status = run.path / "status.json"
    for _ in range(3):
        content = json.loads(status.read_text())
        status.unlink()
        status.write_text(json.dumps(content))
        store.sync()
    assert store.splits().equals(before)
    assert len(store.split_trees([run.run_id])[0].nodes) == 2
    assert store.run_counts() == {"split": 1}
