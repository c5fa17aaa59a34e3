"""Successive halving, worked by hand."""

import numpy as np
import pandas as pd
import pytest
from textbook_selection import hand_curves, random_curves

from fewshot_core.errors import SelectionError
from fewshot_core.selection import PAPER_MILESTONES, read_frame, successive_halving


def test_eight_become_four_then_two_then_one():
    result = successive_halving(hand_curves(), (2, 4, 6))
    assert result.survivors == {2: ("S1", "S2", "S4", "S5"), 4: ("S2", "S5"), 6: ("S5",)}
    assert result.trained == {
        "S1": 4,
        "S2": 6,
        "S3": 2,
        "S4": 4,
        "S5": 6,
        "S6": 2,
        "S7": 2,
        "S8": 2,
    }
    assert result.winner == "S5"
    assert result.cost == pytest.approx((8 * 2 + 4 * 2 + 2 * 2) / 6)
    assert (result.test_accuracy, result.ceiling, result.best) == (93.8, 94.3, "S3")
    assert result.regret == pytest.approx(0.5)
    assert result.discarded_at == 2
    assert result.ties == ()
    assert result.milestones == (2, 4)
    assert result.discarded == {"S1": 4, "S3": 2, "S4": 4, "S6": 2, "S7": 2, "S8": 2}


def test_the_cost_of_the_paper():
    frame = random_curves(0, 8, 600)
    assert successive_halving(frame, PAPER_MILESTONES).cost == pytest.approx(1520 / 600)
    # The last milestone of the paper is the end, at which one is chosen anyway.
    assert successive_halving(frame, (30, 100, 600)) == successive_halving(frame, (100, 30))


def test_a_later_first_cut_keeps_the_best():
    result = successive_halving(hand_curves(), (3,))
    assert (result.winner, result.regret, result.discarded_at) == ("S3", 0.0, None)


def test_the_end_may_be_earlier():
    result = successive_halving(hand_curves(), (2,), end=4)
    assert result.survivors == {2: ("S1", "S2", "S4", "S5"), 4: ("S5",)}
    assert result.cost == pytest.approx((8 * 2 + 4 * 2) / 4)
    assert result.ceiling == pytest.approx(94.3 / 2)


@pytest.mark.parametrize(
    ("living", "keep", "left"),
    [
        (5, 0.5, 3),
        (8, 0.25, 2),
        (8, 0.01, 1),
        (100, 0.07, 7),
        (3, 0.99, 3),
        (9, 5 / 9, 5),
        (8, 1e-9, 1),
        (1, 0.5, 1),
        (2, 1, 2),
    ],
)
def test_how_many_are_kept(living, keep, left):
    frame = random_curves(1, living, 2)
    assert len(successive_halving(frame, [1], keep).survivors[1]) == left


def test_a_milestone_before_training_costs_nothing():
    result = successive_halving(hand_curves(), (0,))
    assert result.survivors[0] == ("S1", "S2", "S4", "S5")
    assert result.cost == 4
    assert result.trained["S3"] == 0
    assert result.discarded_at == 0


def test_the_architecture_found():
    frame = hand_curves()
    for values, expected in (
        ([*range(len(frame))], 34),
        ([f"a{i}" for i in range(len(frame))], "a34"),
        ([np.nan, *range(1, len(frame))], 34),
        ([None] * len(frame), None),
    ):
        result = successive_halving(frame.assign(architecture=values), (2, 4))
        assert result.architecture == expected
        assert type(result.architecture) is type(expected)
    assert successive_halving(frame, (2, 4)).architecture is None


def test_names_in_another_alphabet_keep_their_places():
    frame = hand_curves()
    other = frame.assign(sub_space=frame["sub_space"].str.replace("S", "part "))
    result, again = successive_halving(frame, (2, 4)), successive_halving(other, (2, 4))
    assert [name.replace("part ", "S") for name in again.trained] == list(result.trained)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0}, "a share to keep above 0 and at most 1, got 0"),
        ({"keep": 1.5}, "got 1.5"),
        ({"milestones": [7]}, "milestones from epoch 0 to 6, got 7"),
        ({"milestones": [-1]}, "got -1"),
        ({"milestones": [2, 2]}, "every milestone once, got 2 twice"),
        ({"end": 7}, "an end from epoch 1 to 6, the last epoch recorded, got 7"),
        ({"end": 0}, "got 0"),
        ({"rank_by": "moving_average", "window": 0}, "a window of at least 1 epoch, got 0"),
        ({"rank_by": "valid_loss"}, "a column 'valid_loss'"),
    ],
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(SelectionError, match=message):
        successive_halving(hand_curves(), **{"milestones": [2], **options})


def test_curves_may_be_prepared_once():
    frame = hand_curves()
    assert successive_halving(read_frame(frame), (2, 4)) == successive_halving(frame, (2, 4))


def test_frames_are_left_as_they_were():
    frame = hand_curves()
    before = frame.copy()
    successive_halving(frame, (2, 4))
    pd.testing.assert_frame_equal(frame, before)
