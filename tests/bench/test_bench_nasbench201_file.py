import os
from collections import OrderedDict

import numpy as np
import pytest
import torch
from nas_201_api import ArchResults, NASBench201API, ResultsCount

from fewshot_core.bench import import_table, load_accuracy, load_costs, load_seeds
from fewshot_core.bench.archive_importers import read_nasbench201_file
from fewshot_core.errors import TableError
from fewshot_core.space import Architecture

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


@pytest.fixture(scope="module")
def content():
    return make_content()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "NAS-Bench-201-v1_1-096897.pth"


def test_it_says_what_the_package_says(content, path, data_folder):
    torch.save(content, path)
    info = import_table(path, data_dir=data_folder)
    assert info.name == "NAS-Bench-201-v1_1-096897"
    assert {(item.architectures, item.complete, item.seeds) for item in info.sets} == {
        (3, False, "2")
    }
    api = NASBench201API(content, verbose=False)
    for dataset, kind, training, evaluation in [
        ("cifar10", "validation", "cifar10-valid", "x-valid"),
        ("cifar10", "test", "cifar10", "ori-test"),
        ("ImageNet16-120", "test", "ImageNet16-120", "x-test"),
    ]:
        frame = load_accuracy(dataset, kind, info.name, data_folder).set_index("architecture")
        for string in STRINGS:
            results = api.query_meta_info_by_index(api.query_index_by_arch(string), "200")
            expected = results.get_metrics(training, evaluation)["accuracy"]
            found = frame.loc[Architecture.from_string(string).index, "accuracy_mean"]
            assert found == pytest.approx(expected, abs=1e-12)


def test_seeds_and_costs_are_kept(content, path, data_folder):
    torch.save(content, path)
    import_table(path, name="api", data_dir=data_folder)
    assert load_seeds("cifar100", "test", "api", data_folder)["seed"].tolist() == [*SEEDS] * 3
    costs = load_costs("cifar10", "api", data_folder)
    assert costs["parameters"].tolist() == [73306.0] * 3
    assert costs["latency"].tolist() == pytest.approx([0.02] * 3)
    assert costs["train_time"].tolist() == pytest.approx([500.0] * 3)


def test_files_of_the_time_of_the_benchmark_are_read(content, path):
    """They were written in PyTorch's first format, with the module names of NumPy 1."""
    torch.save(content, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.", b"numpy.core."))
    assert len(read_nasbench201_file(path).content.accuracy) == 6 * 3


def test_code_is_refused_by_name_and_not_run(content, path, tmp_path):
    made = tmp_path / "made"

    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(made),)

    torch.save({**content, "meta_archs": Harmful()}, path)
    with pytest.raises(TableError, match=r"asks for posix\.mkdir, which could run code"):
        import_table(path, data_dir=tmp_path)
    assert not made.exists()
    assert not (tmp_path / "tables" / path.stem).exists()


@pytest.mark.parametrize("size", [0, 100, -100])
def test_a_cut_file_is_refused(content, path, size):
    torch.save(content, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(TableError, match="is damaged"):
        read_nasbench201_file(path)


@pytest.mark.parametrize(
    "value",
    [
        5,
        {"meta_archs": STRINGS},
        {"meta_archs": STRINGS, "arch2infos": {9: {}}},
        {"meta_archs": STRINGS, "arch2infos": {0: {}}},
        {"meta_archs": STRINGS, "arch2infos": {0: {"full": {}}}},
        {"meta_archs": STRINGS, "arch2infos": {}},
    ],
)
def test_something_else_is_refused(path, value):
    torch.save(value, path)
    with pytest.raises(TableError, match="expected"):
        read_nasbench201_file(path)


def test_results_under_another_architecture_are_refused(content, path):
    torch.save({**content, "meta_archs": STRINGS[::-1]}, path)
    with pytest.raises(TableError, match="architecture 0: expected results of"):
        read_nasbench201_file(path)
