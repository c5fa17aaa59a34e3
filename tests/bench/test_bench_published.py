import bz2
import os
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from nas_201_api import ArchResults, NASBench201API

from fewshot_core.bench import (
    PACKAGED_TABLE,
    import_table,
    load_accuracy,
    load_column,
    load_seeds,
    preview_table,
)
from fewshot_core.bench.published import read_nasbench201_file, read_nats_folder
from fewshot_core.bench.table import COSTS
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError
from fewshot_core.space import Architecture

STRINGS = [Architecture.from_index(index).to_string() for index in (3906, 7, 15624)]
SEEDS = [777, 888]
STRING = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|"
INDEX = Architecture.from_string(STRING).index
"""One of the three architectures of the real NATS-Bench folder."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "NAS-Bench-201-v1_1-096897.pth"


def test_a_file_of_nasbench201_gives_the_values_of_the_package(content, path, data_folder):
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


def test_seeds_and_costs_are_stored(content, path, data_folder):
    torch.save(content, path)
    import_table(path, name="api", data_dir=data_folder)
    assert load_seeds("cifar100", "test", "api", data_folder)["seed"].tolist() == SEEDS * 3
    for name, value in {"parameters": 73306.0, "latency": 0.02, "train_time": 500.0}.items():
        costs = load_column("api", name, data_folder, dataset="cifar10")
        assert costs[name].tolist() == pytest.approx([value] * 3)


def test_accuracies_at_an_epoch_are_estimates(content, path, data_folder):
    torch.save(content, path)
    info = import_table(path, name="api", data_dir=data_folder)
    found = {one.name: one for one in info.columns if one.role == "estimate"}
    assert len(found) == 3 * 7
    short = found["cifar100_valid_epoch_12_of_12"]
    assert (short.dataset, short.unit, short.architectures) == ("cifar100", "%", 3)
    values = load_column("api", short.name, data_folder).set_index("architecture")[short.name]
    last = [10.0 * (number + 1) + 2 + np.mean(SEEDS) / 1000 for number in range(3)]
    for string, value in zip(STRINGS, last, strict=True):
        assert values[Architecture.from_string(string).index] == pytest.approx(value)
    early = load_column("api", "cifar10_valid_epoch_25_of_200", data_folder)
    assert early["cifar10_valid_epoch_25_of_200"].tolist() == [1.0] * 3  # not the last epoch
    info = import_table(path, name="api", replace=True, data_dir=data_folder, epochs="all")
    assert len([one for one in info.columns if one.role == "estimate"]) == 3 * (199 + 1)
    info = import_table(path, name="api", replace=True, data_dir=data_folder, epochs="25, 3")
    names = [one.name for one in info.columns if one.role == "estimate"]
    assert names[:2] == ["cifar10_valid_epoch_3_of_200", "cifar10_valid_epoch_25_of_200"]
    assert len(names) == 3 * (2 + 1)
    again = load_column("api", "cifar10_valid_epoch_25_of_200", data_folder)
    assert again["cifar10_valid_epoch_25_of_200"].tolist() == [1.0] * 3
    for wrong in ("0", "3,200", "x", ""):
        with pytest.raises(TableError, match="expected epochs"):
            preview_table(path, epochs=wrong)
    records = content["arch2infos"].items()  # a file may have no short training
    without = {number: {"full": record["full"]} for number, record in records}
    torch.save(content | {"arch2infos": without}, path)
    assert sum(one.role == "estimate" for one in read_nasbench201_file(path).content.others) == 18


def test_files_of_the_time_of_the_benchmark_are_read(content, path):
    """They were written in PyTorch's first format, with the module names of NumPy 1."""
    torch.save(content, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.", b"numpy.core."))
    assert len(read_nasbench201_file(path).content.accuracy) == 6 * 3


def test_code_in_a_file_is_refused_by_name_and_not_run(content, path, tmp_path):
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
def test_a_truncated_file_is_refused(content, path, size):
    torch.save(content, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(TableError, match=r"is damaged|is not a whole pickle"):
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
def test_another_kind_of_file_is_refused(path, value):
    torch.save(value, path)
    with pytest.raises(TableError, match="expected"):
        read_nasbench201_file(path)


def test_results_under_another_architecture_are_refused(content, path):
    torch.save({**content, "meta_archs": STRINGS[::-1]}, path)
    with pytest.raises(TableError, match="architecture 0: expected results of"):
        read_nasbench201_file(path)


def write(path, value):
    path.write_bytes(bz2.compress(pickle.dumps(value)))


def rewrite(path, change):
    """Change the object in a file of the folder."""
    value = pickle.loads(bz2.decompress(path.read_bytes()))
    change(value)
    write(path, value)


def test_test_accuracies_agree_with_the_export(real_nats, nats_csv, tmp_path):
    ours = import_table(real_nats, data_dir=tmp_path).name
    export = import_table(nats_csv, data_dir=tmp_path).name
    for dataset in DATASETS.names():
        found = load_accuracy(dataset, "test", ours, tmp_path).set_index("architecture")
        assert len(found) == 3 and INDEX in found.index
        expected = load_accuracy(dataset, "test", export, tmp_path).loc[found.index]
        np.testing.assert_allclose(
            found["accuracy_mean"], expected["accuracy_mean"], rtol=0, atol=1e-9
        )


def test_validation_and_costs_resemble_the_packaged_table(real_nats, tmp_path, packaged_dir):
    name = import_table(real_nats, data_dir=tmp_path).name
    for dataset in DATASETS.names():
        ours = load_accuracy(dataset, "validation", name, tmp_path).set_index("architecture")
        packaged = load_accuracy(dataset, data_dir=packaged_dir).loc[ours.index]
        assert (ours["accuracy_mean"] - packaged["accuracy_mean"]).abs().max() < 1
        for cost in COSTS:
            ours, packaged = (
                load_column(table, cost, place, dataset=dataset).set_index("architecture")
                for table, place in ((name, tmp_path), (PACKAGED_TABLE, packaged_dir))
            )
            assert np.allclose(ours, packaged.loc[ours.index])


def test_real_seeds_are_stored_and_the_set_is_incomplete(real_nats, data_folder):
    info = import_table(real_nats, name="nats", data_dir=data_folder)
    assert "NATS-Bench" in info.source
    assert len(info.sets) == 6
    assert {(item.architectures, item.complete, item.seeds) for item in info.sets} == {
        (3, False, "3")
    }
    seeds = load_seeds("cifar10", "test", "nats", data_folder)
    assert seeds[seeds["architecture"] == INDEX]["seed"].tolist() == [777, 888, 999]


def test_real_accuracies_at_an_epoch_are_those_of_the_package(real_nats, tmp_path):
    name = import_table(real_nats, data_dir=tmp_path).name
    record = pickle.loads(bz2.decompress((real_nats / "000284.pickle.pbz2").read_bytes()))
    result = ArchResults.create_from_state_dict(record["200"])
    index = Architecture.from_string(result.arch_str).index
    for column, training, key in [
        ("cifar10_valid_epoch_25_of_200", "cifar10-valid", "x-valid@24"),
        ("ImageNet16-120_valid_and_test_epoch_100_of_200", "ImageNet16-120", "ori-test@99"),
    ]:
        trials = result.query(training).values()
        expected = np.mean([trial.eval_acc1es[key] for trial in trials])
        frame = load_column(name, column, tmp_path).set_index("architecture")
        assert frame.loc[index, column] == pytest.approx(expected, abs=1e-12)


def test_both_archives_hold_the_same_records(content, path, nats):
    torch.save(content, path)
    ours, other = read_nats_folder(nats).content, read_nasbench201_file(path).content
    for name in ("accuracy", "seeds", "columns"):
        frame = ours.parts()[name]
        pd.testing.assert_frame_equal(frame, other.parts()[name])


def test_of_two_numbers_of_parameters_that_of_seed_888_counts(nats):
    def spoil(value):
        value["200"]["all_results"]["cifar100", 777]["params"] = 0.5

    rewrite(nats / "000001.pickle.pbz2", spoil)
    costs = read_nats_folder(nats).content.columns
    assert costs["parameters on cifar100"].unique().tolist() == [73306.0]


def test_the_meta_file_is_not_needed(nats):
    expected = read_nats_folder(nats).content.accuracy
    (nats / "meta.pickle.pbz2").unlink()
    assert read_nats_folder(nats).content.accuracy.equals(expected)


@pytest.mark.parametrize(
    "data",
    [b"", b"nothing", bz2.compress(b"nothing"), bz2.compress(pickle.dumps({"12": {}}))],
)
def test_a_damaged_file_is_named(nats, tmp_path, data):
    (nats / "000001.pickle.pbz2").write_bytes(data)
    with pytest.raises(TableError, match=r"000001\.pickle\.pbz2"):
        import_table(nats, data_dir=tmp_path)
    assert not (tmp_path / "tables" / "nats").exists()


def test_a_cut_file_is_named(nats):
    path = nats / "000001.pickle.pbz2"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(TableError, match=r"000001\.pickle\.pbz2 cannot be decompressed"):
        read_nats_folder(nats)


def test_lists_without_a_value_are_refused(nats):
    path = nats / "000001.pickle.pbz2"
    rewrite(path, lambda value: value["200"]["all_results"].popitem())
    with pytest.raises(TableError, match=r"000001\.pickle\.pbz2: expected the results"):
        read_nats_folder(nats)


def test_another_architecture_than_the_meta_file_says_is_refused(nats):
    (nats / "000001.pickle.pbz2").rename(nats / "000000.pickle.pbz2")
    with pytest.raises(TableError, match=r"000000\.pickle\.pbz2: expected results of"):
        read_nats_folder(nats)


def test_the_same_architecture_twice_is_refused(nats):
    shutil.copy(nats / "000001.pickle.pbz2", nats / "11.pickle.pbz2")
    with pytest.raises(TableError, match=r"11\.pickle\.pbz2 .* but 000001\.pickle\.pbz2 has it"):
        read_nats_folder(nats)


def test_an_impossible_accuracy_is_refused(nats):
    def spoil(value):
        trial = value["200"]["all_results"]["cifar10", 777]
        trial["eval_acc1es"]["ori-test@199"] = float("nan")

    rewrite(nats / "000002.pickle.pbz2", spoil)
    with pytest.raises(TableError, match=r"000002\.pickle\.pbz2 .*got nan"):
        read_nats_folder(nats)


def test_code_in_a_file_is_not_run(nats, tmp_path):
    made = tmp_path / "made"

    class Harmful:
        def __reduce__(self):
            return made.mkdir, ()

    (nats / "000001.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(Harmful())))
    with pytest.raises(TableError, match=r"000001\.pickle\.pbz2 asks for"):
        read_nats_folder(nats)
    assert not made.exists()


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(TableError, match="at least one architecture"):
        read_nats_folder(tmp_path)
