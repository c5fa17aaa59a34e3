from concurrent.futures import ThreadPoolExecutor

import pytest
from pandas.testing import assert_frame_equal

from fewshot_core.bench import PACKAGED_TABLE, load_accuracy, remove_table
from fewshot_core.errors import TableError, UnknownNameError


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "ImageNet16-120"])
def test_accuracies_of_the_packaged_table_are_those_of_the_bench(data_folder, open_store, dataset):
    assert_frame_equal(
        open_store().accuracy(PACKAGED_TABLE, dataset, "validation"),
        load_accuracy(dataset, "validation", PACKAGED_TABLE, data_folder),
    )


def test_accuracies_of_an_imported_table_are_those_of_the_bench(add_table, data_folder, open_store):
    add_table("mine")
    store = open_store()
    for dataset, kind in [("cifar10", "validation"), ("ImageNet16-120", "test")]:
        expected = load_accuracy(dataset, kind, "mine", data_folder)
        assert expected["seeds"].isna().all()
        assert_frame_equal(store.accuracy("mine", dataset, kind), expected)


@pytest.mark.parametrize(
    "names",
    [
        ("other", "cifar10", "validation"),
        (PACKAGED_TABLE, "mnist", "validation"),
        (PACKAGED_TABLE, "cifar10", "test"),
    ],
)
def test_unknown_accuracies_are_refused(open_store, names):
    with pytest.raises(UnknownNameError, match="has no"):
        open_store().accuracy(*names)


def test_a_replaced_table_is_read_again(add_table, data_folder, open_store):
    add_table("mine", seed=0)
    store = open_store()
    old = store.accuracy("mine", "cifar10", "validation")
    add_table("mine", seed=1)
    store.sync()
    new = store.accuracy("mine", "cifar10", "validation")
    assert not new.equals(old) and len(new) == 15625
    assert_frame_equal(new, load_accuracy("cifar10", "validation", "mine", data_folder))


def test_a_removed_table_is_forgotten_and_the_others_stay(add_table, data_folder, open_store):
    add_table("mine")
    store = open_store()
    remove_table("mine", data_folder)
    store.sync()
    with pytest.raises(UnknownNameError, match="'mine' has no"):
        store.accuracy("mine", "cifar10", "validation")
    assert len(store.accuracy(PACKAGED_TABLE, "cifar10", "validation")) == 15625


def test_a_table_that_is_damaged_inside_does_not_break_the_rest(
    add_table, data_folder, make_run, open_store
):
    add_table("bad")
    run = make_run()
    path = data_folder / "tables" / "bad" / "accuracy.parquet"
    content = bytearray(path.read_bytes())
    content[4:20000] = bytes(19996)
    path.write_bytes(bytes(content))
    store = open_store()
    assert list(store.problems) == ["bad"] and "'bad' is damaged" in store.problems["bad"]
    assert store.splits()["run_id"].tolist() == [run.run_id]
    assert len(store.accuracy(PACKAGED_TABLE, "cifar10", "validation")) == 15625
    with pytest.raises(TableError, match="import it again with --replace"):
        store.accuracy("bad", "cifar10", "validation")
    add_table("bad")
    store.sync()
    assert store.problems == {}
    assert len(store.accuracy("bad", "cifar10", "validation")) == 15625


def test_readers_never_see_a_table_in_part(add_table, open_store):
    add_table("mine")
    store = open_store()

    def ask(_: int) -> int:
        return len(store.accuracy("mine", "cifar10", "validation"))

    with ThreadPoolExecutor(4) as pool:
        counts = pool.map(ask, range(60))
        add_table("other")
        store.sync()
        assert set(counts) == {15625}
