"""Curves that lack what a selection needs."""

import pytest
from textbook_selection import hand_curves

from fewshot_core.errors import SelectionError
from fewshot_core.selection import successive_halving, top_k


def missing(frame, name, epoch, column=None):
    """Leave out a row, or a value in it."""
    at = (frame["sub_space"] == name) & (frame["epoch"] == epoch)
    if column is None:
        return frame[~at]
    return frame.assign(**{column: frame[column].where(~at)})


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            missing(hand_curves(), "S3", 2),
            "a validation accuracy of S3 at epoch 2, got none: the recorded epochs around it are "
            "1 and 3",
        ),
        (
            missing(hand_curves(), "S3", 2, "valid_accuracy"),
            r"of S3 at epoch 2, got none: the value there is missing \(NaN\)",
        ),
        (
            hand_curves().query("sub_space != 'S3' or epoch < 2"),
            "of S3 at epoch 2, got none: its curve ends at epoch 1; complete it, or choose an end",
        ),
        (
            hand_curves().query("sub_space != 'S3' or epoch > 2"),
            "of S3 at epoch 2, got none: its curve begins at epoch 3",
        ),
        (missing(hand_curves(), "S7", 6), "a test accuracy of S7 at epoch 6, got none"),
        (missing(hand_curves(), "S7", 6, "test_accuracy"), "a test accuracy of S7 at epoch 6"),
    ],
)
def test_what_is_missing_is_named(frame, message):
    with pytest.raises(SelectionError, match=message):
        successive_halving(frame, [2])


def test_what_is_missing_but_not_needed_does_no_harm():
    frame = missing(hand_curves(), "S3", 4, "valid_accuracy")
    frame = missing(missing(frame, "S1", 1), "S6", 6, "valid_accuracy")
    result = successive_halving(frame, (2, 4))
    assert result == successive_halving(hand_curves(), (2, 4))


@pytest.mark.parametrize("rank_by", ["moving_average", "best_so_far", "exponential_average"])
def test_an_average_does_without_gaps_but_not_without_values(rank_by):
    gap = missing(hand_curves(), "S2", 1)
    assert successive_halving(gap, [2], rank_by=rank_by).winner
    hole = missing(hand_curves(), "S2", 1, "valid_accuracy")
    with pytest.raises(SelectionError, match="of S2 at epoch 1, got none: the value there"):
        successive_halving(hole, [2], rank_by=rank_by)


def test_copied_weights_that_were_not_recorded():
    frame = hand_curves().query("epoch > 0")
    with pytest.raises(SelectionError, match="S1 at epoch 0, got none: its curve begins at"):
        top_k(frame, 2)
