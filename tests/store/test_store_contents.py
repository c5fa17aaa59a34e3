"""Searches and trainings in the cache."""

import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pandas.testing import assert_frame_equal

from fewshot_core.bench import PACKAGED_TABLE, load_accuracy, remove_table
from fewshot_core.errors import TableError, UnknownNameError
from fewshot_core.runs import (
    RunFolder,
    SearchRequest,
    SplitRequest,
    State,
    Status,
    TrainingRequest,
    delete,
    find_run,
)
from fewshot_core.search import PRESETS, EpochRecord
from fewshot_core.search.records import RECORDS, TrainingRecord, write_records
from fewshot_core.space import SubSpace
from fewshot_core.splitting.files import store_splits
from fewshot_core.splitting.tree import NamedSplit
from fewshot_core.store import Store, known_splits

COLUMNS = [
    "run_id",
    "space",
    "dataset",
    "metric",
    "variant",
    "batch_norm",
    "created",
    "finished",
    "seconds",
    "degenerate_nodes",
    "request",
    "details",
    "demo",
    "evidence",
]


def test_an_empty_store(data_folder, open_store):
    store = open_store()
    assert store.splits().empty and list(store.splits().columns) == COLUMNS
    assert store.problems == {}


def test_a_finished_split_is_synced(make_run, open_store):
    run = make_run("gradnorm", dataset="cifar100", batch_norm="running", seed=4)
    frame = open_store().splits()
    assert list(frame.columns) == COLUMNS
    [row] = frame.to_dict("records")
    assert (row["run_id"], row["dataset"], row["metric"]) == (run.run_id, "cifar100", "gradnorm")
    assert (row["variant"], row["batch_norm"]) == ("paper", "running")
    assert row["created"] == "2026-01-02T03:04:05+00:00"
    assert row["finished"] == run.status().updated
    assert (row["seconds"], row["degenerate_nodes"]) == (1.75, 1)
    assert SplitRequest.from_dict(json.loads(row["request"])) == run.request()
    assert json.loads(row["details"]) == {"images": None, "weights": "untrained"}
    assert row["evidence"] == run.request().evidence


def test_a_metric_without_images_has_no_batch_norm(make_run, open_store):
    make_run("params", batch_norm="running")
    assert open_store().splits()["batch_norm"].isna().all()


def test_the_latest_split_is_first_and_equals_are_ordered_by_name(
    make_run, finished_at, open_store
):
    runs = [make_run(seed=seed) for seed in range(4)]
    for run, seconds in zip(runs, [20.0, 30.0, 10.0, 20.0], strict=True):
        finished_at(run, seconds)
    equal = sorted([runs[0].run_id, runs[3].run_id])
    expected = [runs[1].run_id, *equal, runs[2].run_id]
    assert open_store().splits()["run_id"].tolist() == expected


def test_splits_of_one_data_set(make_run, open_store):
    first, second = make_run(dataset="cifar10"), make_run(dataset="ImageNet16-120")
    store = open_store()
    assert store.splits("cifar10")["run_id"].tolist() == [first.run_id]
    assert store.splits("ImageNet16-120")["run_id"].tolist() == [second.run_id]
    assert store.splits("cifar100").empty


@pytest.mark.parametrize("state", [state for state in State if state is not State.DONE])
def test_an_unfinished_run_is_not_synced(make_run, open_store, state):
    make_run(state=state)
    store = open_store()
    assert store.splits().empty and store.problems == {}


def test_a_tree_is_stored_exactly(make_run, open_store):
    run = make_run()
    tree = open_store().split_trees([run.run_id])[0]
    assert tree.to_json() == run.tree().to_json()
    assert tree.leaves == run.tree().leaves


def test_new_runs_are_added_and_deleted_ones_dropped(make_run, open_store):
    store = open_store()
    run, other = make_run(), make_run(seed=1)
    store.sync()
    assert set(store.splits()["run_id"]) == {run.run_id, other.run_id}
    delete(run)
    store.sync()
    assert store.splits()["run_id"].tolist() == [other.run_id]
    with pytest.raises(UnknownNameError, match=run.run_id):
        store.split_trees([run.run_id])[0]
    assert store.split_trees([other.run_id])[0].to_json() == other.tree().to_json()


def test_a_run_that_is_repeated_is_synced_again(make_run, finished_at, open_store):
    run = make_run()
    store = open_store()
    first, second = run.tree().nodes
    run.write_tree(replace(run.tree(), nodes=(replace(first, seconds=9.0), second)))
    finished_at(run, 5.0)
    store.sync()
    [row] = store.splits().to_dict("records")
    assert (row["finished"], row["seconds"]) == (5.0, 9.5)
    assert store.split_trees([run.run_id])[0].nodes[0].seconds == 9.0


def test_a_run_that_is_being_repeated_is_not_shown(make_run, open_store):
    run = make_run()
    store = open_store()
    run.write_status(replace(run.status(), state=State.FAILED))
    store.sync()
    assert store.splits().empty


def test_an_unknown_split_is_refused(open_store):
    with pytest.raises(UnknownNameError, match="unknown split 'nothing'"):
        open_store().split_trees(["nothing"])[0]


def broken_status(run):
    (run.path / "status.json").write_text("{")


def no_status(run):
    (run.path / "status.json").unlink()


def broken_manifest(run):
    (run.path / "manifest.json").write_bytes(b"\xff")


def other_request(run):
    run.write_manifest({"request": {"format": "another"}})


def strange_manifest(run):
    run.write_manifest(run.manifest() | {"kind": ["split"], "created": {"when": 5}, "request": 3})


def impossible_time(run):
    path = run.path / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"updated": 10**400}))


def impossible_text(run):
    tree = json.loads(run.tree_path.read_text())
    tree["nodes"][1]["reason"] = "\ud800"
    run.tree_path.write_text(json.dumps(tree))


def broken_tree(run):
    run.tree_path.write_text(run.tree_path.read_text()[:-40])


def no_tree(run):
    run.tree_path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        broken_status,
        no_status,
        broken_manifest,
        other_request,
        strange_manifest,
        impossible_time,
        impossible_text,
        broken_tree,
        no_tree,
    ],
)
def test_a_damaged_run_is_reported_and_does_not_break_the_rest(make_run, open_store, damage):
    bad, good = make_run(seed=1), make_run(seed=2)
    damage(bad)
    store = open_store()
    assert store.splits()["run_id"].tolist() == [good.run_id]
    assert list(store.problems) == [bad.run_id]
    assert bad.run_id in store.problems[bad.run_id]
    delete(bad)
    store.sync()
    assert store.problems == {}


def test_a_run_that_is_damaged_later_is_dropped(make_run, open_store):
    bad, good = make_run(seed=1), make_run(seed=2)
    store = open_store()
    broken_status(bad)
    store.sync()
    assert store.splits()["run_id"].tolist() == [good.run_id]
    assert list(store.problems) == [bad.run_id]


def test_a_manifest_with_fields_of_another_type_is_synced(make_run, open_store):
    run = make_run()
    run.write_manifest(run.manifest() | {"created": {"when": 5}})
    store = open_store()
    assert store.problems == {} and store.splits()["run_id"].tolist() == [run.run_id]


def test_threads_share_a_store(make_run, open_store):
    runs = [make_run(seed=seed) for seed in range(3)]
    store = open_store()

    def ask(number: int) -> tuple[set[str], int, str]:
        if number % 5 == 0:
            store.sync()
        run = runs[number % 3]
        accuracies = store.accuracy(PACKAGED_TABLE, "cifar10", "validation")
        return (
            set(store.splits()["run_id"]),
            len(accuracies),
            store.split_trees([run.run_id])[0].to_json(),
        )

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(40)))
    for number, (names, accuracies, tree) in enumerate(answers):
        assert names == {run.run_id for run in runs} and accuracies == 15625
        assert tree == runs[number % 3].tree().to_json()


def test_a_store_in_memory_leaves_no_file_and_knows_the_same(data_folder, make_run, open_store):
    run = make_run()
    store = open_store(in_memory=True)
    assert not list(data_folder.glob("cache*"))
    assert store.split_trees([run.run_id])[0].to_json() == run.tree().to_json()
    beside = open_store()
    assert_frame_equal(store.splits(), beside.splits())


def test_syncing_twice_changes_nothing(make_run, add_table, open_store):
    make_run()
    add_table("mine")
    store = open_store()
    before = store.splits()
    store.sync()
    assert_frame_equal(store.splits(), before)
    assert len(store.accuracy("mine", "cifar10", "validation")) == 15625


def test_contents_persist_after_reopening(data_folder, make_run, open_store):
    make_run()
    first = open_store()
    before = first.splits()
    first.close()
    again = Store(data_folder)
    assert_frame_equal(again.splits(), before)
    again.close()


def test_ended_runs_are_not_read_again_until_their_files_change(
    data_folder, make_run, open_store, monkeypatch
):
    done, failed = make_run("snip"), make_run("params", State.FAILED)
    recent = make_run("grasp", State.CANCELLED)
    for run in (done, failed):
        os.utime(run.status_path, (1e9, 1e9))
    first = open_store()
    first.close()
    read: list[str] = []
    monkeypatch.setattr(
        "fewshot_core.runs.overview.reading_problem", lambda run: read.append(run.run_id)
    )
    store = open_store()
    assert read == [recent.run_id], "what was written a moment ago may change without a trace"
    assert [(run.run_id, run.state, run.size) for run in store.runs] == [
        (run.run_id, run.state, run.size) for run in first.runs
    ]
    listed, changes = store.runs, store.changes
    store.sync()
    assert store.runs is listed and store.changes == changes
    failed.write_status(replace(failed.status(), state=State.CANCELLED))
    store.sync()
    states = {run.run_id: run.state for run in store.runs}
    assert states[failed.run_id] == "cancelled" and store.changes > changes
    failed.manifest_path.write_text("[")
    monkeypatch.undo()
    store.sync()
    assert "manifest.json" in store.problems[failed.run_id]
    assert {run.run_id: run.state for run in store.runs}[failed.run_id] == "damaged"


def test_a_temporary_run_folder_is_ignored(data_folder, open_store):
    RunFolder(data_folder / "runs" / ".split-params.x").write_manifest({"request": {}})
    store = open_store()
    assert store.problems == {} and store.splits().empty


def test_concurrent_syncs_share_one_look_at_the_folder(make_run, open_store, monkeypatch):
    store = open_store()
    make_run(seed=1)
    looked = []
    sync_all = Store._sync_all

    def slowly(self):
        looked.append(1)
        time.sleep(0.2)
        sync_all(self)

    monkeypatch.setattr(Store, "_sync_all", slowly)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.sync(), range(8)))
    assert 1 <= len(looked) < 8
    assert len(store.splits()) == 1


def test_cached_results_are_replaced_after_a_change(make_run, open_store):
    make_run("gradnorm")
    store = open_store()
    before, revision = store.splits(), store.revision
    store.sync()
    assert store.revision == revision, "nothing has changed"
    second = make_run("snip")
    store.sync()
    assert store.revision > revision
    assert list(before["metric"]) == ["gradnorm"]
    assert set(store.splits()["metric"]) == {"gradnorm", "snip"}
    delete(second)
    store.sync()
    assert list(store.splits()["metric"]) == ["gradnorm"]


def test_changing_a_result_does_not_change_the_cached_one(make_run, open_store):
    make_run("gradnorm")
    store = open_store()
    answer = store.splits()
    answer["metric"] = "altered"
    answer.loc[0, "variant"] = "altered"
    [row] = store.splits().to_dict("records")
    assert (row["metric"], row["variant"]) == ("gradnorm", "paper")


SMOKE = PRESETS.get("smoke")
FULL = tuple(SubSpace.full().rows)
PART = ("01110", *FULL[1:])
EVEN = ((0.2,) * 5,) * 6


def epoch(number):
    loss = None if number == 0 else 2.0 - number
    return EpochRecord(
        number, loss, loss, 1.5, 10.0 + number, "", 100 + number, EVEN, (2.3,) * 6, 0.5, 0.25
    )


@pytest.fixture
def keep(data_folder):
    """Store a run as if a process had made it."""

    def make(kind, request, records, state=State.DONE):
        run = RunFolder(data_folder / "runs" / request.run_id({}))
        run.path.mkdir(parents=True)
        run.write_manifest(
            {
                "kind": kind,
                "request": request.to_dict(),
                "fingerprints": {"images": "x"},
                "synthetic": True,
            }
        )
        write_records(run.path / RECORDS, [record.to_dict() for record in records])
        run.write_status(Status(state))
        return run

    return make


@pytest.fixture
def keep_search(keep):
    def make(rows=FULL, seed=777, epochs=3, algorithm="snas", state=State.DONE):
        request = SearchRequest("cifar10", algorithm, rows, SMOKE.search, seed)
        return keep("search", request, [epoch(i) for i in range(epochs)], state)

    return make


def test_a_finished_search_is_synced(keep_search, open_store):
    run = keep_search(PART)
    [row] = open_store().searches("cifar10").to_dict("records")
    assert row["run_id"] == run.run_id
    assert (row["algorithm"], row["preset"], row["seed"]) == ("snas", "smoke", 777)
    assert (row["sub_space"], row["epochs"]) == (" ".join(PART), 2)
    assert (row["synthetic"], row["seconds"]) == (True, 0.75)
    assert SearchRequest.from_dict(json.loads(row["request"])) == run.request()


def test_searches_of_a_family_differ_by_sub_space_and_seed_only(keep_search, open_store):
    for rows, seed in [(FULL, 777), (PART, 777), (FULL, 888)]:
        keep_search(rows, seed)
    keep_search(algorithm="dsnas")
    frame = open_store().searches()
    assert frame.groupby("algorithm")["family"].nunique().to_dict() == {"dsnas": 1, "snas": 1}
    assert frame["family"].nunique() == 2


def test_epochs_are_selected_by_run(keep_search, open_store):
    first, second = keep_search(FULL), keep_search(PART)
    store = open_store()
    frame = store.search_records([first.run_id])
    assert set(frame["run_id"]) == {first.run_id}
    assert frame["epoch"].tolist() == [0, 1, 2]
    assert frame["valid_accuracy"].tolist() == [10.0, 11.0, 12.0]
    assert frame["architecture"].tolist() == [100, 101, 102]
    assert frame["train_loss"].isna().tolist() == [True, False, False]
    assert len(store.search_records([first.run_id, second.run_id])) == 6
    assert store.search_records([]).empty


def test_a_trained_supernet_is_no_search(keep, open_store):
    record = TrainingRecord(1, 2.0, 30.0, 2.1, 29.0, 0.1, 4.0)
    request = TrainingRequest("cifar10", SMOKE.training)
    last = TrainingRecord(2, 1.9, 31.0, 2.0, 30.0, 0.05, 4.0)
    run = keep("train", request, [record, last])
    store = open_store()
    assert store.searches().empty and store.splits().empty
    [row] = store.trainings("cifar10").to_dict("records")
    assert row["run_id"] == run.run_id and row["seconds"] == 8.0
    assert store.search_records([run.run_id])["architecture"].isna().all()


def test_an_unfinished_search_is_not_synced(keep_search, open_store):
    keep_search(state=State.CANCELLED)
    assert open_store().searches().empty


def test_a_search_that_lacks_epochs_is_a_problem(keep_search, open_store):
    run = keep_search(epochs=2)
    store = open_store()
    assert store.searches().empty
    assert "incomplete" in store.problems[run.run_id]


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "ImageNet16-120"])
def test_accuracies_of_the_packaged_table_are_those_of_the_bench(data_folder, open_store, dataset):
    assert_frame_equal(
        open_store().accuracy(PACKAGED_TABLE, dataset, "validation"),
        load_accuracy(dataset, "validation", PACKAGED_TABLE, data_folder),
    )


def test_accuracies_of_an_imported_table_are_those_of_the_bench(add_table, data_folder, open_store):
    add_table("mine")
    store = open_store()
    for dataset, kind in [("cifar10", "validation"), ("ImageNet16-120", "test")]:
        expected = load_accuracy(dataset, kind, "mine", data_folder)
        assert expected["seeds"].isna().all()
        assert_frame_equal(store.accuracy("mine", dataset, kind), expected)


@pytest.mark.parametrize(
    "names",
    [
        ("other", "cifar10", "validation"),
        (PACKAGED_TABLE, "mnist", "validation"),
        (PACKAGED_TABLE, "cifar10", "test"),
    ],
)
def test_unknown_accuracies_are_refused(open_store, names):
    with pytest.raises(UnknownNameError, match="has no"):
        open_store().accuracy(*names)


def test_a_replaced_table_is_read_again(add_table, data_folder, open_store):
    add_table("mine", seed=0)
    store = open_store()
    old = store.accuracy("mine", "cifar10", "validation")
    add_table("mine", seed=1)
    store.sync()
    new = store.accuracy("mine", "cifar10", "validation")
    assert not new.equals(old) and len(new) == 15625
    assert_frame_equal(new, load_accuracy("cifar10", "validation", "mine", data_folder))


def test_a_removed_table_is_dropped_and_the_others_stay(add_table, data_folder, open_store):
    add_table("mine")
    store = open_store()
    remove_table("mine", data_folder)
    store.sync()
    with pytest.raises(UnknownNameError, match="'mine' has no"):
        store.accuracy("mine", "cifar10", "validation")
    assert len(store.accuracy(PACKAGED_TABLE, "cifar10", "validation")) == 15625


def test_a_table_that_is_damaged_inside_does_not_break_the_rest(
    add_table, data_folder, make_run, open_store
):
    add_table("bad")
    run = make_run()
    path = data_folder / "tables" / "bad" / "accuracy.parquet"
    content = bytearray(path.read_bytes())
    content[4:20000] = bytes(19996)
    path.write_bytes(bytes(content))
    store = open_store()
    assert list(store.problems) == ["bad"] and "'bad' is damaged" in store.problems["bad"]
    assert store.splits()["run_id"].tolist() == [run.run_id]
    assert len(store.accuracy(PACKAGED_TABLE, "cifar10", "validation")) == 15625
    with pytest.raises(TableError, match="import it again in its place"):
        store.accuracy("bad", "cifar10", "validation")
    add_table("bad")
    store.sync()
    assert store.problems == {}
    assert len(store.accuracy("bad", "cifar10", "validation")) == 15625


def test_readers_never_see_a_table_in_part(add_table, open_store):
    add_table("mine")
    store = open_store()

    def ask(_: int) -> int:
        return len(store.accuracy("mine", "cifar10", "validation"))

    with ThreadPoolExecutor(4) as pool:
        counts = pool.map(ask, range(60))
        add_table("other")
        store.sync()
        assert set(counts) == {15625}


HALVES = (SubSpace.full().keep(0, [3]), SubSpace.full().keep(0, [0, 1, 2, 4]))


def test_runs_and_imported_splits_of_a_data_set_are_known(data_folder, make_run, open_store):
    run = make_run()
    dataset, metric = run.split_request().dataset, run.split_request().metric
    splits = [NamedSplit("#lr", dataset, HALVES, None), NamedSplit("x", "cifar100", HALVES, None)]
    names = store_splits(splits, "mine.json", data_folder)
    store = open_store()
    found = known_splits(store, data_folder, dataset)
    assert [(split.key, split.metric) for split in found] == [
        (run.run_id, metric),
        (f"file-{names[0]}", "linear_regions"),
    ]
    assert found[0].leaves == tuple(run.tree().leaves)
    assert found[1].leaves == HALVES
    assert len(known_splits(store, data_folder, "cifar100")) == 1


def test_a_damaged_import_is_left_out(data_folder, open_store):
    (name,) = store_splits([NamedSplit("x", "cifar10", HALVES, None)], "mine.json", data_folder)
    (data_folder / "splits" / f"{name}.json").write_text("{")
    assert known_splits(open_store(), data_folder, "cifar10") == []


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


def test_demonstration_results_come_last_and_are_marked(make_run, open_both, demo, finished_at):
    own, given = make_run("params"), make_run("snip")
    finished_at(own, 1.0)
    finished_at(given, 2.0)
    give_away(given, demo)
    frame = open_both().splits()
    assert frame["run_id"].tolist() == [own.run_id, given.run_id]
    assert frame["demo"].tolist() == [False, True]


def test_a_run_that_is_also_ones_own_is_not_marked(make_run, open_both, demo):
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
    assert store.split_trees([run.run_id])[0].metric == "params"


def test_demonstration_results_are_dropped_with_their_folder(make_run, open_both, demo, open_store):
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
