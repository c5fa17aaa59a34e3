import numpy as np
import pandas as pd
import pytest
from recorded_searches import keep_search, keep_searches

from fewshot_core.bench import load_accuracy
from fewshot_core.selection import (
    curves_by_seed,
    recorded_curves,
    search_families,
    successive_halving,
)
from fewshot_core.space import SubSpace
from fewshot_core.store import Store

FULL = SubSpace.full()
LEAVES = (FULL.keep(0, [3]), FULL.keep(0, [0, 1]), FULL.keep(0, [2, 4]))


@pytest.fixture
def store(tmp_path):
    """Searches of three sub-spaces with two seeds, one of which lacks S2, and other ones."""
    keep_searches(tmp_path, LEAVES, 777)
    keep_searches(tmp_path, [LEAVES[0], LEAVES[2]], 888)
    keep_searches(tmp_path, [LEAVES[1], FULL.keep(1, [3])], 777, algorithm="dsnas")
    keep_search(tmp_path, LEAVES[0], 777, dataset="cifar100")
    store = Store(tmp_path, in_memory=True)
    store.sync()
    assert not store.problems
    return store


def test_families_are_found_by_content_the_most_complete_first(store):
    families = search_families(LEAVES, store.searches("cifar10"))
    assert list(families["algorithm"]) == ["snas", "dsnas"]
    assert list(families["searches"]) == [5, 1]
    assert list(families["wanted"]) == [6, 3]
    assert list(families["seeds"]) == [(777, 888), (777,)]
    assert list(families["preset"]) == ["smoke", "smoke"]


def test_without_searches_there_is_no_family(store):
    assert search_families([FULL.keep(2, [0])], store.searches()).empty
    assert search_families((), store.searches()).empty


def test_searches_records_and_accuracies_are_joined(store):
    families = search_families(LEAVES, store.searches("cifar10"))
    searches = store.searches("cifar10")
    searches = searches[searches["family"] == families["family"][0]]
    records = store.search_records(list(searches["run_id"]))
    accuracy = load_accuracy("cifar10")
    joined = recorded_curves(LEAVES, searches, records, accuracy)
    assert joined.missing == {777: (), 888: ("S2",)}
    assert len(joined.frame) == 5 * 3
    means = accuracy.set_index("architecture")["accuracy_mean"]
    for row in joined.frame.to_dict("records"):
        leaf = LEAVES[int(row["sub_space"][1:]) - 1]
        assert row["architecture"] in leaf.architecture_indices()
        assert row["test_accuracy"] == means[row["architecture"]]
    tables = curves_by_seed(joined.frame)
    assert tables[777].sub_spaces == ("S1", "S2", "S3")
    assert tables[888].sub_spaces == ("S1", "S3")
    result = successive_halving(tables[777], (1,))
    assert result.architecture in joined.frame["architecture"].to_numpy()


def test_an_architecture_that_the_table_lacks_has_no_accuracy(store):
    searches = store.searches("cifar100")
    records = store.search_records(list(searches["run_id"]))
    nothing = pd.DataFrame({"architecture": [], "accuracy_mean": []}).astype({"architecture": int})
    frame = recorded_curves(LEAVES, searches, records, nothing).frame
    assert len(frame) == 3 and np.isnan(frame["test_accuracy"]).all()


def test_searches_of_no_leaf_give_no_curves(store):
    searches = store.searches("cifar100")
    records = store.search_records(list(searches["run_id"]))
    joined = recorded_curves([FULL], searches, records, load_accuracy("cifar100"))
    assert joined.frame.empty and joined.missing == {}
