import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pandas.testing import assert_frame_equal

from fewshot_core.bench import PACKAGED_TABLE
from fewshot_core.errors import UnknownNameError
from fewshot_core.runs import RunFolder, SplitRequest, State, delete
from fewshot_core.store import Store

COLUMNS = [
    "run_id",
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
]


def test_a_store_of_nothing_has_nothing(data_folder, open_store):
    store = open_store()
    assert store.splits().empty and list(store.splits().columns) == COLUMNS
    assert store.problems == {}


def test_a_finished_split_is_taken_in_with_what_is_known_of_it(make_run, open_store):
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


def test_batch_norm_is_not_said_of_a_metric_without_images(make_run, open_store):
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
def test_a_run_that_is_not_done_is_not_taken_in(make_run, open_store, state):
    make_run(state=state)
    store = open_store()
    assert store.splits().empty and store.problems == {}


def test_a_tree_comes_back_to_the_letter(make_run, open_store):
    run = make_run()
    tree = open_store().split_tree(run.run_id)
    assert tree.to_json() == run.tree().to_json()
    assert tree.leaves == run.tree().leaves


def test_new_runs_are_taken_in_and_deleted_ones_forgotten(make_run, open_store):
    store = open_store()
    run, other = make_run(), make_run(seed=1)
    store.sync()
    assert set(store.splits()["run_id"]) == {run.run_id, other.run_id}
    delete(run)
    store.sync()
    assert store.splits()["run_id"].tolist() == [other.run_id]
    with pytest.raises(UnknownNameError, match=run.run_id):
        store.split_tree(run.run_id)
    assert store.split_tree(other.run_id).to_json() == other.tree().to_json()


def test_a_run_that_is_made_again_is_taken_in_again(make_run, finished_at, open_store):
    run = make_run()
    store = open_store()
    first, second = run.tree().nodes
    run.write_tree(replace(run.tree(), nodes=(replace(first, seconds=9.0), second)))
    finished_at(run, 5.0)
    store.sync()
    [row] = store.splits().to_dict("records")
    assert (row["finished"], row["seconds"]) == (5.0, 9.5)
    assert store.split_tree(run.run_id).nodes[0].seconds == 9.0


def test_a_run_that_is_being_made_again_is_not_shown(make_run, open_store):
    run = make_run()
    store = open_store()
    run.write_status(replace(run.status(), state=State.FAILED))
    store.sync()
    assert store.splits().empty


def test_an_unknown_split_is_refused(open_store):
    with pytest.raises(UnknownNameError, match="unknown split 'nothing'"):
        open_store().split_tree("nothing")


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


def test_a_run_that_was_damaged_after_it_was_taken_in_is_forgotten(make_run, open_store):
    bad, good = make_run(seed=1), make_run(seed=2)
    store = open_store()
    broken_status(bad)
    store.sync()
    assert store.splits()["run_id"].tolist() == [good.run_id]
    assert list(store.problems) == [bad.run_id]


def test_a_manifest_with_fields_of_another_type_is_taken_in(make_run, open_store):
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
            store.split_tree(run.run_id).to_json(),
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
    assert store.split_tree(run.run_id).to_json() == run.tree().to_json()
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


def test_what_was_taken_in_is_still_there_after_reopening(data_folder, make_run, open_store):
    make_run()
    first = open_store()
    before = first.splits()
    first.close()
    again = Store(data_folder)
    assert_frame_equal(again.splits(), before)
    again.close()


def test_a_run_folder_in_the_making_is_not_looked_at(data_folder, open_store):
    RunFolder(data_folder / "runs" / ".split-params.x").write_manifest({"request": {}})
    store = open_store()
    assert store.problems == {} and store.splits().empty


def test_threads_that_ask_together_are_served_by_one_look_at_the_folder(
    make_run, open_store, monkeypatch
):
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


def test_what_was_asked_before_is_answered_anew_once_something_has_changed(make_run, open_store):
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


def test_an_answer_that_is_altered_does_not_alter_the_next(make_run, open_store):
    make_run("gradnorm")
    store = open_store()
    answer = store.splits()
    answer["metric"] = "altered"
    answer.loc[0, "variant"] = "altered"
    [row] = store.splits().to_dict("records")
    assert (row["metric"], row["variant"]) == ("gradnorm", "paper")
