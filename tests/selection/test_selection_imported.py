import json

import pandas as pd
import pytest
from textbook_selection import hand_curves

from fewshot_core.errors import SelectionError, UnknownNameError
from fewshot_core.selection import (
    describe_curves,
    imported_curves,
    open_curves,
    read_curves,
    remove_curves,
    store_curves,
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my snas run.csv"
    hand_curves().to_csv(path, index=False)
    return path


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def test_curves_are_kept_as_they_are(file, data):
    about = store_curves(file, data)
    frame = hand_curves()
    assert (about.name, about.source, about.rows) == ("my-snas-run", file.name, len(frame))
    assert about.sub_spaces == frame["sub_space"].nunique()
    assert (about.seeds, about.end) == ((0,), frame["epoch"].max())
    assert imported_curves(data) == ["my-snas-run"]
    assert describe_curves("my-snas-run", data) == about
    pd.testing.assert_frame_equal(open_curves("my-snas-run", data), read_curves(file))
    assert (data / "curves" / about.name / "curves.csv").read_bytes() == file.read_bytes()


def test_the_same_file_is_kept_once_and_another_one_gets_a_number(file, data):
    first = store_curves(file, data)
    assert store_curves(file, data) == first
    hand_curves().assign(seed=5).to_csv(file, index=False)
    second = store_curves(file, data)
    assert (second.name, second.seeds) == ("my-snas-run-2", (5,))
    assert store_curves(file, data) == second
    assert imported_curves(data) == [first.name, second.name]


def test_a_name_that_was_asked_for_is_never_another_one(file, data):
    assert store_curves(file, data, "fig4").name == "fig4"
    assert store_curves(file, data, "fig4").name == "fig4"
    hand_curves().assign(seed=5).to_csv(file, index=False)
    with pytest.raises(SelectionError, match="'fig4' is taken by other curves, from my snas run"):
        store_curves(file, data, "fig4")
    for name in ("../fig4", "", ".hidden", "a/b"):
        with pytest.raises(SelectionError, match="expected a name of letters"):
            store_curves(file, data, name)


def test_a_damaged_file_leaves_nothing_behind(file, data):
    text = file.read_text().replace("\n", "\nS1,x,1,1\n", 1)
    file.write_text(text)
    with pytest.raises(SelectionError, match="line 2: expected a whole number from 0"):
        store_curves(file, data)
    assert imported_curves(data) == []
    assert not (data / "curves").exists()


def test_a_disk_that_is_full_leaves_nothing_behind(file, data, monkeypatch):
    def refuse(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr("fewshot_core.selection.imported.write_json", refuse)
    with pytest.raises(OSError, match="disk full"):
        store_curves(file, data)
    assert imported_curves(data) == []
    assert [path.name for path in (data / "curves").iterdir()] == [".lock"]


def test_curves_can_be_removed(file, data):
    store_curves(file, data)
    remove_curves("my-snas-run", data)
    assert imported_curves(data) == [] and file.exists()
    for name in ("my-snas-run", "..", "a/b"):
        with pytest.raises(UnknownNameError, match="expected one of none"):
            remove_curves(name, data)


def test_what_is_damaged_is_said_and_can_be_removed(file, data):
    store_curves(file, data)
    about = data / "curves" / "my-snas-run" / "about.json"
    for text in ("{", json.dumps({"name": "x"}), json.dumps([])):
        about.write_text(text)
        with pytest.raises(SelectionError, match=r"'my-snas-run' are damaged.*import their file"):
            describe_curves("my-snas-run", data)
    remove_curves("my-snas-run", data)
    assert imported_curves(data) == []
