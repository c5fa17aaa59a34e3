import pytest
from textbook_selection import HAND, hand_curves, long_form

from fewshot_core.errors import SelectionError
from fewshot_core.selection import leaders, oracle, random_sub_supernet, train_all


def test_training_all_is_the_ceiling():
    result = train_all(hand_curves())
    assert (result.winner, result.test_accuracy, result.regret) == ("S3", 94.3, 0)
    assert result.cost == 8
    assert set(result.trained.values()) == {6}
    assert result.survivors == {6: ("S3",)}


def test_the_oracle_trains_one():
    result = oracle(hand_curves())
    assert (result.winner, result.cost, result.regret) == ("S3", 1, 0)
    assert result.trained == {"S3": 6}
    assert result.discarded == {}


def test_one_at_random_is_an_average():
    result = random_sub_supernet(hand_curves())
    mean = sum(found for _, found in HAND.values()) / 8
    assert result.winner is None
    assert result.cost == 1
    assert result.test_accuracy == pytest.approx(mean)
    assert result.regret == pytest.approx(94.3 - mean)
    assert (result.best, result.discarded_at, result.milestones) == ("S3", None, ())


def test_an_earlier_end():
    for strategy in (train_all, oracle, random_sub_supernet):
        assert strategy(hand_curves(), 3).ceiling == pytest.approx(94.3 / 2)
        with pytest.raises(SelectionError, match="a test accuracy of S8 at epoch 6"):
            strategy(hand_curves().query("sub_space != 'S8' or epoch < 6"))


def test_equally_good_ones():
    frame = long_form({"S2": [1], "S1": [2], "S3": [3]}, {"S1": 90.0, "S2": 94.0, "S3": 94.0}, 1)
    for strategy in (train_all, oracle, random_sub_supernet):
        result = strategy(frame)
        assert (result.best, result.equally_best) == ("S2", ("S2", "S3"))


def test_the_leader_of_every_epoch():
    rows = leaders(hand_curves())
    assert rows["epoch"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert rows["sub_space"].tolist() == ["S5", "S5", "S5", "S3", "S3", "S3", "S3"]
    assert rows["valid_accuracy"].tolist() == [14, 25, 35, 60, 70, 80, 90]
    assert rows["test_accuracy"].tolist() == [46.9] * 3 + [94.3 / 2] * 3 + [94.3]
    assert (rows["tied"] == 0).all()


def test_leaders_with_ties_and_gaps():
    frame = long_form({"S1": [5, 6], "S2": [5, 6], "S3": [4, 6]}, dict.fromkeys(HAND, 90.0), 1)
    frame.loc[frame.eval("sub_space == 'S1' and epoch == 2"), "valid_accuracy"] = float("nan")
    frame.loc[frame.eval("sub_space == 'S2' and epoch == 2"), "test_accuracy"] = float("nan")
    rows = leaders(frame)
    assert rows["sub_space"].tolist() == ["S1", "S2"]
    assert rows["tied"].tolist() == [1, 1]
    assert rows["test_accuracy"].isna().tolist() == [False, True]
