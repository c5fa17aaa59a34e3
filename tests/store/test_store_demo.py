"""Results that come with the project, beside one's own."""

import shutil

import pytest

from fewshot_core.runs import delete, find_run
from fewshot_core.store import Store


@pytest.fixture
def demo(tmp_path):
    return tmp_path / "demo"


@pytest.fixture
def open_both(data_folder, demo):
    """Open and sync the store of the data folder, with the demonstration results."""
    opened = []

    def make():
        store = Store(data_folder, demo=demo)
        opened.append(store)
        store.sync()
        return store

    yield make
    for store in opened:
        store.close()


def give_away(run, demo):
    """Make a run one that came with the project."""
    (demo / "runs").mkdir(parents=True, exist_ok=True)
    shutil.move(run.path, demo / "runs" / run.run_id)


def test_they_come_after_ones_own_and_are_marked(make_run, open_both, demo, finished_at):
    own, given = make_run("params"), make_run("snip")
    finished_at(own, 1.0)
    finished_at(given, 2.0)
    give_away(given, demo)
    frame = open_both().splits()
    assert frame["run_id"].tolist() == [own.run_id, given.run_id]
    assert frame["demo"].tolist() == [False, True]


def test_a_run_of_ones_own_counts_as_ones_own(make_run, open_both, demo):
    run = make_run("params")
    copy = demo / "runs" / run.run_id
    shutil.copytree(run.path, copy)
    store = open_both()
    assert store.splits()["demo"].tolist() == [False]
    store.sync()
    assert store.splits()["demo"].tolist() == [False]
    delete(run)
    store.sync()
    assert store.splits()["demo"].tolist() == [True]
    assert store.split_tree(run.run_id).metric == "params"


def test_they_are_gone_without_their_folder(make_run, open_both, demo, open_store):
    give_away(make_run("params"), demo)
    store = open_both()
    assert len(store.splits()) == 1
    shutil.rmtree(demo)
    store.sync()
    assert store.splits().empty


def test_a_run_is_found_in_either_place(make_run, data_folder, demo, monkeypatch):
    own, given = make_run("params"), make_run("snip")
    give_away(given, demo)
    monkeypatch.setenv("FEWSHOT_DEMO_DIR", str(demo))
    assert find_run(own.run_id, data_folder).path == own.path
    assert find_run(given.run_id, data_folder).path == demo / "runs" / given.run_id
