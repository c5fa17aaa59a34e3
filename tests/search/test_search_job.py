"""Jobs in folders: stopped anywhere and run again, they end as if they had not been stopped."""

from dataclasses import replace

import pandas as pd
import pytest
from fewshot_core.search.job import JobProgress, run_search, run_training

from fewshot_core.runs import SearchRequest, TrainingRequest
from fewshot_core.search import PRESETS, EpochRecord, SearchOptions, TrainingOptions, read_records
from fewshot_core.search.records import CHECKPOINT, DAMAGED, RECORDS, TABLE, append_record
from fewshot_core.space import SubSpace

OPTIONS = SearchOptions(
    epochs=3,
    batch_size=8,
    channels=2,
    cells_per_stage=1,
    images=32,
    architecture_learning_rate=0.05,
)
ROWS = ("00110", "01000", "10110", "01000", "00001", "10010")
REQUEST = SearchRequest("cifar10", "snas", ROWS, OPTIONS)
TRAINING = TrainingRequest(
    "cifar10", TrainingOptions(epochs=3, batch_size=8, channels=2, cells_per_stage=1, images=32)
)


class Killed(BaseException):
    """What ends a process in the middle of its work."""


def killer(moment):
    """Return a report that ends the job at a moment."""
    count = 0

    def report(progress):
        nonlocal count
        count += 1
        if count == moment:
            raise Killed

    return report


def lines(folder):
    return [{**record, "seconds": None} for record in read_records(folder / RECORDS)]


@pytest.fixture
def whole(tmp_path, tiny_data):
    folder = tmp_path / "whole"
    run_search(REQUEST, folder, data=tiny_data)
    return folder


def test_a_job_leaves_records_a_table_and_a_checkpoint(whole):
    assert {path.name for path in whole.iterdir()} == {RECORDS, TABLE, CHECKPOINT}
    records = [EpochRecord.from_dict(record) for record in read_records(whole / RECORDS)]
    assert [record.epoch for record in records] == [0, 1, 2, 3]
    table = pd.read_parquet(whole / TABLE)
    assert table["valid_accuracy"].tolist() == [record.valid_accuracy for record in records]


# Reports: loading, evaluating, record 0, then for each epoch two steps and its record.
@pytest.mark.parametrize("moment", [1, 2, 3, 4, 5, 6, 8, 9, 11, 12])
def test_a_job_that_was_killed_ends_with_the_same_records(whole, tmp_path, tiny_data, moment):
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        run_search(REQUEST, folder, report=killer(moment), data=tiny_data)
    records = run_search(REQUEST, folder, data=tiny_data)
    assert len(records) == 4
    assert lines(folder) == lines(whole)


def test_a_record_beyond_the_checkpoint_is_done_again(whole, tmp_path, tiny_data):
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        run_search(REQUEST, folder, report=killer(8), data=tiny_data)
    append_record(folder / RECORDS, {"epoch": 2, "wrong": True})
    (folder / RECORDS).write_bytes((folder / RECORDS).read_bytes() + b'{"ep')
    run_search(REQUEST, folder, data=tiny_data)
    assert lines(folder) == lines(whole)


def test_a_job_that_was_done_does_nothing_again(whole, tiny_data):
    before = (whole / RECORDS).read_bytes()
    seen = []
    run_search(REQUEST, whole, report=seen.append, data=tiny_data)
    assert (whole / RECORDS).read_bytes() == before
    assert [progress.message for progress in seen] == ["loading images", "going on after epoch 3"]


def test_a_damaged_checkpoint_is_set_aside_and_all_is_done_anew(whole, tmp_path, tiny_data):
    folder = tmp_path / "damaged"
    with pytest.raises(Killed):
        run_search(REQUEST, folder, report=killer(8), data=tiny_data)
    content = (folder / CHECKPOINT).read_bytes()
    (folder / CHECKPOINT).write_bytes(content[:-100])
    seen = []
    run_search(REQUEST, folder, report=seen.append, data=tiny_data)
    assert any(progress.message.startswith("starting anew: ") for progress in seen)
    assert (folder / DAMAGED).read_bytes() == content[:-100]
    assert lines(folder) == lines(whole)


def test_the_checkpoint_of_another_request_is_not_gone_on_from(whole, tiny_data):
    other = replace(REQUEST, seed=1)
    seen = []
    run_search(other, whole, report=seen.append, data=tiny_data)
    assert any("starting anew" in progress.message for progress in seen)


def test_progress_counts_the_steps_of_all_epochs(tmp_path, tiny_data):
    seen: list[JobProgress] = []
    run_search(REQUEST, tmp_path, report=seen.append, data=tiny_data)
    assert [(p.done, p.total) for p in seen[3:]] == [
        (0, 6),
        (1, 6),
        (2, 6),
        (2, 6),
        (3, 6),
        (4, 6),
        (4, 6),
        (5, 6),
        (6, 6),
    ]
    assert seen[4].message == "epoch 1 of 3, step 2 of 2"
    records = [progress.record for progress in seen if progress.record]
    assert [record.epoch for record in records] == [0, 1, 2, 3]


def test_a_training_goes_on_too_and_searches_inherit_its_checkpoint(tmp_path, tiny_data):
    run_training(TRAINING, tmp_path / "whole", data=tiny_data)
    with pytest.raises(Killed):
        run_training(TRAINING, tmp_path / "killed", report=killer(5), data=tiny_data)
    records = run_training(TRAINING, tmp_path / "killed", data=tiny_data)
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")
    assert [record.epoch for record in records] == [1, 2, 3]
    rows = tuple(SubSpace.full().rows)
    inherited = replace(REQUEST, rows=rows, checkpoint=str(tmp_path / "whole" / CHECKPOINT))
    first = run_search(inherited, tmp_path / "search", data=tiny_data)[0]
    assert first.valid_accuracy == records[-1].valid_accuracy
    assert first.valid_loss == pytest.approx(records[-1].valid_loss)


def test_the_smoke_preset_runs_on_synthetic_images(tmp_path):
    options = PRESETS.get("smoke").search
    request = replace(REQUEST, algorithm="dsnas", options=options, images="synthetic")
    records = run_search(request, tmp_path / "run", tmp_path)
    assert len(records) == options.epochs + 1
