import bz2
import pickle
import shutil

import numpy as np
import pytest

from fewshot_core.bench import import_table, load_accuracy, load_costs, load_seeds
from fewshot_core.bench.archive_importers import read_nats_folder
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError
from fewshot_core.space import Architecture

STRING = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|"
INDEX = Architecture.from_string(STRING).index


@pytest.fixture
def copied(nats_folder, tmp_path):
    return shutil.copytree(nats_folder, tmp_path / "nats")


def rewrite(path, change):
    """Change the object in a file of the folder."""
    value = pickle.loads(bz2.decompress(path.read_bytes()))
    change(value)
    path.write_bytes(bz2.compress(pickle.dumps(value)))


def test_test_accuracies_agree_with_the_export(nats_folder, nats_csv, tmp_path):
    ours = import_table(nats_folder, data_dir=tmp_path).name
    export = import_table(nats_csv, data_dir=tmp_path).name
    for dataset in DATASETS.names():
        found = load_accuracy(dataset, "test", ours, tmp_path).set_index("architecture")
        assert len(found) == 3 and INDEX in found.index
        expected = load_accuracy(dataset, "test", export, tmp_path).loc[found.index]
        np.testing.assert_allclose(
            found["accuracy_mean"], expected["accuracy_mean"], rtol=0, atol=1e-9
        )


def test_validation_and_costs_resemble_the_packaged_table(nats_folder, tmp_path, packaged_dir):
    name = import_table(nats_folder, data_dir=tmp_path).name
    for dataset in DATASETS.names():
        ours = load_accuracy(dataset, "validation", name, tmp_path).set_index("architecture")
        packaged = load_accuracy(dataset, data_dir=packaged_dir).loc[ours.index]
        assert (ours["accuracy_mean"] - packaged["accuracy_mean"]).abs().max() < 1
        costs = load_costs(dataset, name, tmp_path).set_index("architecture")
        packaged = load_costs(dataset, data_dir=packaged_dir).set_index("architecture")
        assert np.allclose(costs, packaged.loc[costs.index])


def test_real_seeds_are_kept_and_the_set_is_incomplete(nats_folder, data_folder):
    info = import_table(nats_folder, name="nats", data_dir=data_folder)
    assert "nats-bench" in info.source
    assert len(info.sets) == 6
    assert {(item.architectures, item.complete, item.seeds) for item in info.sets} == {
        (3, False, "3")
    }
    seeds = load_seeds("cifar10", "test", "nats", data_folder)
    assert seeds[seeds["architecture"] == INDEX]["seed"].tolist() == [777, 888, 999]


def test_the_meta_file_is_not_needed(copied):
    expected = read_nats_folder(copied).content.accuracy
    (copied / "meta.pickle.pbz2").unlink()
    assert read_nats_folder(copied).content.accuracy.equals(expected)


@pytest.mark.parametrize(
    "data",
    [b"", b"nothing", bz2.compress(b"nothing"), bz2.compress(pickle.dumps({"12": {}}))],
)
def test_a_damaged_file_is_named(copied, tmp_path, data):
    (copied / "000011.pickle.pbz2").write_bytes(data)
    with pytest.raises(TableError, match=r"000011\.pickle\.pbz2"):
        import_table(copied, data_dir=tmp_path)
    assert not (tmp_path / "tables" / "nats").exists()


def test_a_cut_file_is_named(copied):
    path = copied / "000011.pickle.pbz2"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(TableError, match=r"000011\.pickle\.pbz2 cannot be decompressed"):
        read_nats_folder(copied)


def test_lists_without_a_value_are_refused(copied):
    path = copied / "000011.pickle.pbz2"
    rewrite(path, lambda value: value["200"]["all_results"].popitem())
    with pytest.raises(TableError, match=r"000011\.pickle\.pbz2: expected the results"):
        read_nats_folder(copied)


def test_another_architecture_than_the_meta_file_says_is_refused(copied):
    (copied / "000011.pickle.pbz2").rename(copied / "000012.pickle.pbz2")
    with pytest.raises(TableError, match=r"000012\.pickle\.pbz2: expected results of"):
        read_nats_folder(copied)


def test_the_same_architecture_twice_is_refused(copied):
    shutil.copy(copied / "000011.pickle.pbz2", copied / "11.pickle.pbz2")
    with pytest.raises(TableError, match=r"11\.pickle\.pbz2 .* but 000011\.pickle\.pbz2 has it"):
        read_nats_folder(copied)


def test_an_impossible_accuracy_is_refused(copied):
    def spoil(value):
        trial = value["200"]["all_results"]["cifar10", 777]
        trial["eval_acc1es"]["ori-test@199"] = float("nan")

    rewrite(copied / "000284.pickle.pbz2", spoil)
    with pytest.raises(TableError, match=r"000284\.pickle\.pbz2 .*got nan"):
        read_nats_folder(copied)


def test_code_in_a_file_is_not_run(copied, tmp_path):
    made = tmp_path / "made"

    class Harmful:
        def __reduce__(self):
            return made.mkdir, ()

    (copied / "000011.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(Harmful())))
    with pytest.raises(TableError, match=r"000011\.pickle\.pbz2 asks for"):
        read_nats_folder(copied)
    assert not made.exists()


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(TableError, match="at least one architecture"):
        read_nats_folder(tmp_path)
