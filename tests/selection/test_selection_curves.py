from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from recorded_searches import keep_search, keep_searches
from textbook_selection import hand_curves, random_curves

from fewshot_core.bench import load_accuracy
from fewshot_core.data_folder import natural_order
from fewshot_core.errors import SelectionError
from fewshot_core.selection import (
    comparable,
    curves_by_seed,
    gaps_text,
    read_frame,
    recorded_curves,
    search_groups,
    successive_halving,
    verdict,
)
from fewshot_core.selection.halving import Tie
from fewshot_core.space import SubSpace
from fewshot_core.store import Store


def test_names_are_in_tree_order_for_any_order_of_rows():
    frame = random_curves(0, 12, 3).sample(frac=1, random_state=0)
    curves = read_frame(frame)
    assert curves.sub_spaces == tuple(f"S{number}" for number in range(1, 13))
    assert curves.epochs.tolist() == [1, 2, 3]
    assert curves.end == 3
    row = frame[(frame["sub_space"] == "S10") & (frame["epoch"] == 2)].iloc[0]
    assert curves.value("test_accuracy", 9, 2) == row["test_accuracy"]


def test_names_that_mix_letters_and_numbers():
    names = ["b", "S10", "S2", "S2b", "2", "S"]
    assert sorted(names, key=natural_order) == ["2", "S", "S2", "S2b", "S10", "b"]


def test_gaps_and_missing_values_are_distinguished():
    frame = hand_curves().query("sub_space != 'S1' or epoch != 3")
    frame.loc[(frame["sub_space"] == "S2") & (frame["epoch"] == 3), "valid_accuracy"] = np.nan
    curves = read_frame(frame)
    assert curves.recorded[:2, 3].tolist() == [False, True]
    assert np.isnan(curves.values["valid_accuracy"][:2, 3]).all()
    assert 3 not in curves.shared_epochs()
    assert curves.shared_epochs().tolist() == [0, 1, 2, 4, 5, 6]


def test_columns_of_other_types():
    frame = hand_curves().assign(epoch=lambda f: f["epoch"].astype(float))
    frame["valid_accuracy"] = frame["valid_accuracy"].astype("float32")
    frame["sub_space"] = frame["sub_space"].astype("category")
    assert successive_halving(frame, (2, 4)) == successive_halving(hand_curves(), (2, 4))
    numbered = hand_curves().assign(sub_space=lambda f: f["sub_space"].str[1:].astype(int))
    assert successive_halving(numbered, (2, 4)).winner == "5"


def test_seeds_are_separated():
    both = pd.concat([random_curves(seed, 3, 4).assign(seed=seed) for seed in (9, 1)])
    assert list(curves_by_seed(both)) == [1, 9]
    found = curves_by_seed(both)[9].values["test_accuracy"]
    assert (found == read_frame(random_curves(9, 3, 4)).values["test_accuracy"]).all()
    assert list(curves_by_seed(random_curves(0, 3, 4))) == [0]
    with pytest.raises(SelectionError, match="of one seed, got those of 2: 1, 9; choose one"):
        read_frame(both)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("sub_space", None, "a name in every row"),
        ("sub_space", " ", "a name in every row"),
        ("epoch", 2.5, "whole numbers from 0 in the column 'epoch', got 2.5 of S1"),
        ("epoch", -1, "got -1"),
        ("epoch", np.nan, "got nan"),
        ("valid_accuracy", 101.0, "a percentage from 0 to 100 .* got 101.0 of S1 at epoch 2"),
        ("valid_accuracy", -0.1, "got -0.1 of S1 at epoch 2"),
        ("test_accuracy", np.inf, "got inf of S1 at epoch 2"),
        ("test_accuracy", "good", "got 'good' of S1 at epoch 2"),
        ("valid_loss", np.inf, "a number from 0 in the column 'valid_loss', got inf of S1"),
        ("seed", 0.5, "whole numbers from 0 in the column 'seed', got 0.5 of S1"),
    ],
)
def test_damaged_values_are_named(column, value, message):
    frame = hand_curves().assign(valid_loss=1.0, seed=0).astype(object)
    frame.loc[2, column] = value
    with pytest.raises(SelectionError, match=message):
        read_frame(frame)


def test_rows_that_are_there_twice():
    frame = hand_curves()
    with pytest.raises(SelectionError, match="got two for S2 at epoch 3; remove"):
        read_frame(pd.concat([frame, frame.iloc[[10]]]))
    seeds = pd.concat([frame.assign(seed=seed) for seed in (1, 2)])
    with pytest.raises(SelectionError, match="got two for S2 at epoch 3 with seed 1"):
        read_frame(pd.concat([seeds, seeds.iloc[[10]]]))


def test_no_curves():
    with pytest.raises(SelectionError, match="a column 'sub_space', got none"):
        read_frame(pd.DataFrame())
    with pytest.raises(SelectionError, match="a column 'test_accuracy', got sub_space, epoch"):
        read_frame(hand_curves().drop(columns="test_accuracy"))
    with pytest.raises(SelectionError, match="at least one row, got none; run a search first"):
        read_frame(hand_curves().iloc[:0])


def test_seeds_with_fewer_sub_spaces_are_not_comparable():
    frame = hand_curves()
    assert list(comparable(curves_by_seed(frame))) == [0]
    both = pd.concat([frame.assign(seed=1), frame[frame["sub_space"] != "S2"].assign(seed=2)])
    tables = curves_by_seed(both)
    assert comparable(tables) == {1: tables[1]}
    halves = curves_by_seed(both[both["sub_space"] != "S2"])
    assert comparable(halves) == halves


def test_scores_in_another_unit_are_negative_and_named_with_it():
    frame = hand_curves()
    lower = frame.assign(
        test_accuracy=frame["test_accuracy"] / 100 - 1, valid_accuracy=frame["valid_accuracy"] - 99
    )
    (curves,) = curves_by_seed(lower, "negative loss", "SSIM").values()
    result, usual = successive_halving(curves, (2,)), successive_halving(frame, (2,))
    assert (result.winner, result.trained) == (usual.winner, usual.trained)
    assert result.regret == pytest.approx(usual.regret / 100)
    assert "% " not in verdict(result) and "negative loss (" in verdict(result)
    tied = replace(usual, unit="", valid_unit="SSIM", ties=(Tie(2, -3.5, ("S1",), ("S2",)),))
    assert "tied in validation accuracy (-3.5 SSIM): S1 was kept" in verdict(tied)
    with pytest.raises(SelectionError, match="a percentage from 0 to 100"):
        curves_by_seed(lower)


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


def test_searches_with_equal_evidence_are_grouped_the_most_complete_first(store, tmp_path):
    keep_searches(tmp_path, LEAVES, 777, epochs=6)  # another protocol, so other evidence
    folder = keep_search(tmp_path, LEAVES[0], 999, epochs=6)
    manifest = folder.manifest()  # the same search on other hardware
    manifest["request"] |= {"device": "cuda", "mixed_precision": True, "seed": 777}
    folder.write_manifest(manifest)
    store.sync()
    families = search_groups(LEAVES, store.searches("cifar10"))
    assert list(families["searches"]) == [3, 5, 1]
    assert families["group"].str.startswith("snas-2x1-synthetic-untrained-").tolist()[:2] == [1, 1]
    families = families.iloc[1:]
    assert list(families["algorithm"]) == ["snas", "dsnas"]
    assert list(families["searches"]) == [5, 1]
    assert list(families["wanted"]) == [6, 3]
    assert list(families["seeds"]) == [(777, 888), (777,)]
    assert list(families["preset"]) == ["smoke", "smoke"]


def test_without_searches_there_is_no_group(store):
    assert search_groups([FULL.keep(2, [0])], store.searches()).empty
    assert search_groups((), store.searches()).empty


def test_searches_records_and_accuracies_are_joined(store):
    families = search_groups(LEAVES, store.searches("cifar10"))
    searches = store.searches("cifar10")
    searches = searches[searches["group"] == families["group"][0]]
    records = store.search_records(list(searches["run_id"]))
    accuracy = load_accuracy("cifar10")
    sizes = pd.Series(np.arange(15_625.0))
    joined = recorded_curves(LEAVES, searches, records, accuracy, sizes)
    assert joined.missing == {777: (), 888: ("S2",)}
    assert len(joined.frame) == 5 * 3
    means = accuracy.set_index("architecture")["accuracy_mean"]
    for row in joined.frame.to_dict("records"):
        leaf = LEAVES[int(row["sub_space"][1:]) - 1]
        assert row["architecture"] in leaf.architecture_indices()
        assert row["test_accuracy"] == means[row["architecture"]]
        assert row["parameters"] == leaf.architecture_indices().mean()
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


def _with_epochs(**epochs):
    return read_frame(
        pd.DataFrame(
            {"sub_space": name, "epoch": epoch, "valid_accuracy": 50.0, "test_accuracy": 90.0}
            for name, known in epochs.items()
            for epoch in known
        )
    )


def test_missing_epochs_are_named():
    everything = range(11)
    assert gaps_text(_with_epochs(S1=everything, S2=everything)) == ""
    assert gaps_text(_with_epochs(S1=everything, S2={*everything} - {4, 5, 6, 9})) == (
        "S2 lacks epochs 4 to 6, 9"
    )
    assert gaps_text(_with_epochs(S1=range(10), S2=everything)) == "S1 lacks epoch 10"
    assert gaps_text(_with_epochs(S1=[0, 10, 20, 40, 50])) == "S1 lacks epoch 30"
    assert gaps_text(_with_epochs(S1=[0, 30, 100, 600], S2=[0, 30, 600])) == "S2 lacks epoch 100"
    many = {f"S{number}": range(5 + number) for number in range(1, 8)}
    assert gaps_text(_with_epochs(**many)).endswith("S4 lacks epochs 9 to 11; so do 2 more")
