"""Searches and trainings in the cache."""

import json

import pytest

from fewshot_core.runs import RunFolder, SearchRequest, State, Status, TrainingRequest
from fewshot_core.search import PRESETS, EpochRecord, TrainingRecord
from fewshot_core.search.records import RECORDS, write_records
from fewshot_core.space import SubSpace

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


def test_a_finished_search_is_taken_in(keep_search, open_store):
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


def test_epochs_are_told_by_run(keep_search, open_store):
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


def test_a_search_that_goes_on_is_not_taken_in(keep_search, open_store):
    keep_search(state=State.CANCELLED)
    assert open_store().searches().empty


def test_a_search_that_lacks_epochs_is_a_problem(keep_search, open_store):
    run = keep_search(epochs=2)
    store = open_store()
    assert store.searches().empty
    assert "incomplete" in store.problems[run.run_id]
