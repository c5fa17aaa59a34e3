import bz2
import pickle
import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from nas_201_api import ArchResults, ResultsCount

from fewshot_core.bench import list_tables
from fewshot_core.space import NAS_BENCH_201, Architecture

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def _shared(name):
    path = SHARED / "data" / "nats_bench" / name
    if not path.exists():
        pytest.skip(f"needs {name} in the folder `shared` beside the project")
    return path


@pytest.fixture
def nats_csv():
    return _shared("nats_bench.csv")


@pytest.fixture
def real_nats():
    return _shared("NATS-tss-v1_0-3ffb9-simple")


@pytest.fixture(scope="session")
def full_lines():
    """A complete CSV file with an unknown header, as lines; line n of the file is lines[n - 1]."""
    accuracies = np.random.default_rng(0).uniform(10, 95, size=(15625, 2)).round(3)
    rows = zip(NAS_BENCH_201.format_many(range(NAS_BENCH_201.size)), accuracies, strict=True)
    body = [f"{text},{validation},{test}" for text, (validation, test) in rows]
    return ["arch,cifar10_val,cifar10_test", *body]


@pytest.fixture
def write_csv(tmp_path):
    def write(lines, name="table.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def packaged_dir(tmp_path_factory):
    """A data folder with the packaged table, for tests that only read."""
    folder = tmp_path_factory.mktemp("packaged")
    list_tables(folder)
    return folder


@pytest.fixture
def data_folder(packaged_dir, tmp_path):
    """A data folder with the packaged table, for tests that write."""
    return shutil.copytree(packaged_dir, tmp_path / "data")


STRINGS = [Architecture.from_index(index).to_string() for index in (3906, 7, 15624)]
EVALUATED = {
    "cifar10-valid": ["x-valid", "ori-test"],
    "cifar10": ["ori-test"],
    "cifar100": ["x-valid", "x-test", "ori-test"],
    "ImageNet16-120": ["x-valid", "x-test", "ori-test"],
}
SEEDS = (777, 888)


def make_trial(training, string, seed, epochs, accuracy):
    by_epoch = dict.fromkeys(range(epochs), 1.0)
    config = {"channel": 16, "num_cells": 5, "arch_str": string, "class_num": 10}
    latency = [np.float64(0.01), np.float64(0.03)]
    trial = ResultsCount(
        training, None, by_epoch, by_epoch, 0.073306, 7.78, config, seed, epochs, latency
    )
    trial.update_train_info(by_epoch, None, by_epoch, OrderedDict.fromkeys(range(epochs), 2.5))
    keys = [f"{name}@{epoch}" for name in EVALUATED[training] for epoch in range(epochs)]
    last = f"@{epochs - 1}"
    accuracies = {key: accuracy if key.endswith(last) else 1.0 for key in keys}
    trial.update_eval(accuracies, dict.fromkeys(keys, 0.5), dict.fromkeys(keys, 0.1))
    return trial


def make_record(number, string, epochs):
    results = ArchResults(number, string)
    for order, training in enumerate(EVALUATED):
        for seed in SEEDS:
            accuracy = 10.0 * (number + 1) + order + seed / 1000
            results.update(training, seed, make_trial(training, string, seed, epochs, accuracy))
    return results.state_dict()


def make_content(strings=STRINGS):
    records = {
        number: {"less": make_record(number, text, 12), "full": make_record(number, text, 200)}
        for number, text in enumerate(strings)
    }
    return {"meta_archs": strings, "arch2infos": records, "evaluated_indexes": set(records)}


@pytest.fixture(scope="session")
def content():
    """A file of NAS-Bench-201 with three architectures of two seeds, as the package makes it."""
    return make_content()


@pytest.fixture
def nats(content, tmp_path):
    """A folder of NATS-Bench with the records of ``content``."""
    folder = tmp_path / "nats"
    folder.mkdir()
    for number, record in content["arch2infos"].items():
        value = {"12": record["less"], "200": record["full"]}
        packed = bz2.compress(pickle.dumps(value))
        (folder / f"{number:06d}.pickle.pbz2").write_bytes(packed)
    meta = bz2.compress(pickle.dumps({"meta_archs": STRINGS}))
    (folder / "meta.pickle.pbz2").write_bytes(meta)
    return folder
