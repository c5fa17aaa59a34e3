import json

import numpy as np
import pandas as pd
import pytest
from textbook_selection import hand_curves, random_curves

from fewshot_core.errors import SelectionError, UnknownNameError
from fewshot_core.selection import (
    curves_by_seed,
    describe_curves,
    imported_curves,
    open_curves,
    read_curves,
    remove_curves,
    store_curves,
    successive_halving,
)
from fewshot_core.space import NAS_BENCH_201, Task, get_space


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my snas run.csv"
    hand_curves().to_csv(path, index=False)
    return path


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def test_curves_are_stored_unchanged(file, data):
    about = store_curves(file, data)
    frame = hand_curves()
    assert (about.name, about.source, about.rows) == ("my-snas-run", file.name, len(frame))
    assert about.sub_spaces == frame["sub_space"].nunique()
    assert (about.seeds, about.end) == ((0,), frame["epoch"].max())
    assert imported_curves(data) == ["my-snas-run"]
    assert describe_curves("my-snas-run", data) == about
    (opened,), (read,) = open_curves("my-snas-run", data).values(), curves_by_seed(frame).values()
    for column, values in read.values.items():
        np.testing.assert_array_equal(opened.values[column], values)
    assert (data / "curves" / about.name / "curves.csv").read_bytes() == file.read_bytes()


def test_curves_are_of_a_search_space_and_a_data_set(file, data):
    transnas, macro = get_space("trans-nas-bench-101-micro"), get_space("nas-bench-macro")
    old = store_curves(file, data)
    about = data / "curves" / old.name / "about.json"
    document = json.loads(about.read_text())
    about.write_text(
        json.dumps({k: document[k] for k in document if k not in ("space", "dataset")})
    )
    assert describe_curves(old.name, data) == old  # imported by an earlier version
    assert old.is_of(NAS_BENCH_201, "cifar100") and not old.is_of(macro, "cifar10")
    other = store_curves(file, data, space=macro, dataset="cifar10")
    assert (other.name, other.space) == ("my-snas-run-2", macro.name)
    assert other.is_of(macro, "cifar10") and not other.is_of(NAS_BENCH_201, "cifar10")
    with pytest.raises(SelectionError, match=r"not all in percent: .* room_layout"):
        store_curves(file, data, space=transnas)
    with pytest.raises(UnknownNameError, match="unknown data set 'cifar10'"):
        store_curves(file, data, space=transnas, dataset="cifar10")
    frame = hand_curves()
    frame.assign(test_accuracy=-frame["test_accuracy"]).to_csv(file, index=False)
    with pytest.raises(SelectionError, match="line 2: expected a percentage"):
        store_curves(file, data, space=macro, dataset="cifar10")
    losses = store_curves(file, data, space=transnas, dataset="room_layout")
    (opened,) = open_curves(losses.name, data).values()
    assert (opened.unit, opened.valid_unit) == ("negative loss", "negative loss")
    assert opened.values["test_accuracy"].max() == -frame["test_accuracy"].min()
    for text in ("22222222", "5000"):
        hand_curves().assign(architecture=text).to_csv(file, index=False)
        assert store_curves(file, data, space=macro).space == macro.name
    hand_curves().assign(architecture="333333").to_csv(file, index=False)
    with pytest.raises(SelectionError, match=r"architectures of NAS-Bench-Macro .* got '333333'"):
        store_curves(file, data, space=macro)


def test_where_smaller_is_better_curves_change_their_sign(file, data):
    task = Task("depth", unit="metres", larger_is_better=False)
    read = read_curves(file, task)
    assert (read["test_accuracy"] == -hand_curves()["test_accuracy"]).all()
    assert (read["valid_accuracy"] == -hand_curves()["valid_accuracy"]).all()


def test_the_same_file_is_stored_once_and_another_one_gets_a_number(file, data):
    first = store_curves(file, data)
    assert store_curves(file, data) == first
    hand_curves().assign(seed=5).to_csv(file, index=False)
    second = store_curves(file, data)
    assert (second.name, second.seeds) == ("my-snas-run-2", (5,))
    assert store_curves(file, data) == second
    assert imported_curves(data) == [first.name, second.name]


def test_a_given_name_is_never_changed(file, data):
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


def test_damaged_curves_are_named_and_can_be_removed(file, data):
    store_curves(file, data)
    about = data / "curves" / "my-snas-run" / "about.json"
    for text in ("{", json.dumps({"name": "x"}), json.dumps([])):
        about.write_text(text)
        with pytest.raises(SelectionError, match=r"'my-snas-run' are damaged.*import their file"):
            describe_curves("my-snas-run", data)
    remove_curves("my-snas-run", data)
    assert imported_curves(data) == []


HEADER = "sub_space,epoch,valid_accuracy,test_accuracy"


@pytest.fixture
def write(tmp_path):
    def write(*lines, encoding="utf-8"):
        path = tmp_path / "curves.csv"
        path.write_bytes("\n".join([*lines, ""]).encode(encoding))
        return path

    return write


def test_files_written_by_pandas_are_read(tmp_path):
    frame = hand_curves()
    frame.to_csv(tmp_path / "curves.csv", index=False)
    read = read_curves(tmp_path / "curves.csv")
    assert successive_halving(read, (2, 4)) == successive_halving(frame, (2, 4))


def test_everything_optional(tmp_path):
    frame = random_curves(0, 3, 4).assign(seed=777, architecture="|none~0|+...|")
    frame.loc[0, "test_accuracy"] = None
    frame.sample(frac=1, random_state=0).to_csv(tmp_path / "curves.csv", index=False)
    read = read_curves(tmp_path / "curves.csv").sort_values(["sub_space", "epoch"])
    pd.testing.assert_frame_equal(
        read.reset_index(drop=True)[list(frame.columns)], frame, check_dtype=False
    )


def test_blanks_blank_lines_and_a_byte_order_mark(write):
    path = write(HEADER, "", " S1 , 1 , 50 , 90 ", encoding="utf-8-sig")
    assert read_curves(path).iloc[0].tolist() == ["S1", 1, 50.0, 90.0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "S1,2,101,90",
            "line 3: expected a percentage from 0 to 100 .* got '101'",
        ),
        ("S1,2,50,-1", "line 3: .*'test_accuracy', got '-1'"),
        ("S1,2,nan,90", "line 3: .* got 'nan'; leave the cell empty if it is unknown"),
        ("S1,2,fifty,90", "got 'fifty'"),
        ("S1,2,inf,90", "got 'inf'"),
        ("S1,2.0,50,90", "line 3: expected a whole number from 0 in the column 'epoch', got '2.0'"),
        ("S1,,50,90", "got ''"),
        ("S1,²,50,90", "got '²'"),
        (",2,50,90", "line 3: expected the name of a sub-space"),
        ("S1,2,50", "line 3: expected 4 cells, as in the header, got 3"),
        ("S1,1,50,90", "line 3: .* S1 at epoch 1 is on line 2 already"),
        ("S1,01,50,90", "S1 at epoch 1 is on line 2 already"),
    ],
)
def test_a_bad_row_is_named_by_its_line(write, line, message):
    with pytest.raises(SelectionError, match=message):
        read_curves(write(HEADER, "S1,1,50,90", line))


def test_a_row_for_each_seed(write):
    header = f"{HEADER},seed"
    assert len(read_curves(write(header, "S1,1,50,90,1", "S1,1,50,90,2"))) == 2
    with pytest.raises(SelectionError, match="line 3"):
        read_curves(write(header, "S1,1,50,90,1", "S1,1,50,90,1"))


def test_losses_are_checked_too(write):
    header = f"{HEADER},valid_loss"
    assert read_curves(write(header, "S1,1,50,90,")).iloc[0].isna()["valid_loss"]
    for loss in ("-1", "inf", "low"):
        with pytest.raises(SelectionError, match="line 2: expected a number from 0"):
            read_curves(write(header, f"S1,1,50,90,{loss}"))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("sub_space,epoch,valid_accuracy", "line 1: expected a column 'test_accuracy'"),
        (f"{HEADER},luck", "line 1: the column 'luck' is not known"),
        (f"{HEADER},epoch", "line 1: expected the column 'epoch' once"),
    ],
)
def test_a_bad_header(write, header, message):
    row = ",".join(["S1", "1", "50", "90", "1"][: header.count(",") + 1])
    with pytest.raises(SelectionError, match=message):
        read_curves(write(header, row))


def test_fractions_are_refused(write):
    with pytest.raises(SelectionError, match="none is above 1; multiply fractions by 100"):
        read_curves(write(HEADER, "S1,1,0.5,0.9"))


def test_unreadable_files(tmp_path, write):
    with pytest.raises(SelectionError, match=r"curves.csv cannot be read"):
        read_curves(tmp_path / "curves.csv")
    with pytest.raises(SelectionError, match="has no rows; expected a header"):
        read_curves(write(HEADER))
    with pytest.raises(SelectionError, match="has no rows"):
        read_curves(write(""))
    with pytest.raises(SelectionError, match="cannot be read"):
        read_curves(write(HEADER, "S1,1,50,90é", encoding="latin-1"))
    with pytest.raises(SelectionError, match="cannot be read"):
        read_curves(write(HEADER, 'S1,1,50,"90'))
