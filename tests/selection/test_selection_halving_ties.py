"""Values that are equal: at a cut, and at the end."""

from textbook_selection import HAND, long_form

from fewshot_core.selection import Tie, successive_halving


def test_ties_are_reported_and_go_to_the_first():
    frame = long_form(
        {"S1": [5, 9], "S2": [7, 9], "S10": [5, 9], "S3": [5, 8]},
        {"S1": 90.0, "S2": 91.0, "S10": 92.0, "S3": 93.0},
        first=1,
    )
    result = successive_halving(frame, [1])
    assert result.survivors == {1: ("S1", "S2"), 2: ("S1",)}
    assert result.ties == (
        Tie(1, 5.0, ("S1",), ("S3", "S10")),
        Tie(2, 9.0, ("S1",), ("S2",)),
    )


def test_equal_values_that_do_not_meet_the_cut_are_no_tie():
    frame = long_form(
        {"S1": [5, 9], "S2": [5, 8], "S3": [4, 7], "S4": [4, 6]}, dict.fromkeys(HAND, 90.0), 1
    )
    assert successive_halving(frame, [1]).ties == ()


def test_equal_averages_in_another_order_are_ties():
    frame = long_form(
        {"S1": [0.1, 0.2, 0.3], "S2": [0.3, 0.2, 0.1]}, {"S1": 90.0, "S2": 90.0}, first=1
    )
    assert len(successive_halving(frame, [], rank_by="moving_average", window=3).ties) == 1


def test_of_equally_good_ones_the_winner_is_the_best():
    frame = long_form(
        {"S1": [1, 1], "S2": [2, 2], "S3": [3, 3]}, {"S1": 94.0, "S2": 90.0, "S3": 94.0}, 1
    )
    result = successive_halving(frame, [1])
    assert (result.best, result.equally_best, result.regret) == ("S3", ("S1", "S3"), 0)
    assert result.discarded_at is None


def test_of_equally_good_ones_that_lost_the_last_to_go_is_the_best():
    frame = long_form(
        {"S1": [1, 5, 1], "S2": [9, 1, 1], "S3": [8, 7, 9], "S4": [7, 6, 5]},
        {"S1": 94.0, "S2": 94.0, "S3": 90.0, "S4": 91.0},
        1,
    )
    result = successive_halving(frame, [1, 2], 0.75)
    assert result.survivors[1] == ("S2", "S3", "S4")
    assert (result.best, result.discarded_at) == ("S2", None)
    result = successive_halving(frame, [1, 2], 0.6)
    assert (result.best, result.discarded_at) == ("S2", 2)
