"""Records of epochs and their files."""

import json

import pandas as pd
import pytest

from fewshot_core.search import EpochRecord, SearchError, read_records
from fewshot_core.search.records import append_record, write_parquet, write_records


@pytest.fixture
def record():
    return EpochRecord(
        epoch=1,
        train_loss=1.5,
        train_accuracy=40.0,
        valid_loss=1.6,
        valid_accuracy=38.0,
        architecture="|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        architecture_index=0,
        probabilities=((1.0, 0.0, 0.0, 0.0, 0.0),) * 6,
        entropy=(0.0,) * 6,
        temperature=None,
        seconds=2.5,
    )


def test_records_come_back_in_order(tmp_path):
    path = tmp_path / "epochs.jsonl"
    assert read_records(path) == []
    for epoch in range(3):
        append_record(path, {"epoch": epoch, "loss": epoch / 3})
    assert read_records(path) == [{"epoch": epoch, "loss": epoch / 3} for epoch in range(3)]


def test_a_torn_last_line_is_left_out_and_costs_only_itself(tmp_path):
    path = tmp_path / "epochs.jsonl"
    append_record(path, {"epoch": 0})
    path.write_bytes(path.read_bytes() + b'{"epoch": 1, "lo')
    assert read_records(path) == [{"epoch": 0}]
    append_record(path, {"epoch": 1})
    append_record(path, {"epoch": 2})
    assert [record["epoch"] for record in read_records(path)] == [0, 1, 2]


def test_a_line_torn_inside_a_letter_is_left_out(tmp_path):
    path = tmp_path / "epochs.jsonl"
    path.write_bytes(b'{"epoch": 0}\n{"message": "caf\xc3')
    assert read_records(path) == [{"epoch": 0}]


@pytest.mark.parametrize("line", ["[]", "3", "null", "{}", '{"epoch": "one"}'])
def test_lines_of_something_else_are_left_out(tmp_path, line):
    path = tmp_path / "epochs.jsonl"
    path.write_text(f'{line}\n{{"epoch": 4}}\n')
    assert read_records(path) == [{"epoch": 4}]


def test_of_two_records_of_an_epoch_the_later_counts(tmp_path):
    path = tmp_path / "epochs.jsonl"
    for epoch, loss in ((0, 1), (1, 2), (1, 3)):
        append_record(path, {"epoch": epoch, "loss": loss})
    assert [record["loss"] for record in read_records(path)] == [1, 3]


def test_all_records_can_be_rewritten(tmp_path):
    path = tmp_path / "epochs.jsonl"
    append_record(path, {"epoch": 7})
    write_records(path, [{"epoch": 0}])
    assert read_records(path) == [{"epoch": 0}]


def test_values_that_are_not_finite_are_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        append_record(tmp_path / "epochs.jsonl", {"epoch": 0, "loss": float("nan")})


def test_a_record_goes_through_json(record):
    assert EpochRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record


@pytest.mark.parametrize("name", ["epoch", "probabilities", "entropy"])
def test_a_record_without_a_field_is_an_error(record, name):
    document = record.to_dict()
    document.pop(name)
    with pytest.raises(SearchError, match="the record of an epoch is damaged"):
        EpochRecord.from_dict(document)


def test_a_record_of_another_shape_is_an_error(record):
    document = record.to_dict() | {"probabilities": [[1.0]] * 6}
    with pytest.raises(SearchError, match="expected the probabilities of 5 operations on 6 edges"):
        EpochRecord.from_dict(document)


def test_records_become_a_table(tmp_path, record):
    write_parquet(tmp_path / "epochs.parquet", [record.to_dict()])
    table = pd.read_parquet(tmp_path / "epochs.parquet")
    assert list(table.columns) == list(record.to_dict())
    assert table["valid_accuracy"].tolist() == [38.0]
    assert [list(row) for row in table["probabilities"][0]] == [[1, 0, 0, 0, 0]] * 6
