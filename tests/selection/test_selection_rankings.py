"""By what sub-supernets are ranked at a milestone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_selection import HAND, hand_curves, long_form, random_curves

from fewshot_core.errors import UnknownNameError
from fewshot_core.selection import successive_halving
from fewshot_core.selection.halving import Tie

unhurried = settings(max_examples=40)


def with_loss(losses):
    frame = long_form({name: [50.0, 50.0] for name in losses}, dict.fromkeys(losses, 90.0), 1)
    return frame.assign(valid_loss=[value for name in losses for value in losses[name]])


def test_ranking_by_moving_average():
    frame = long_form(
        {"S1": [10, 50, 30], "S2": [40, 40, 31], "S3": [90, 10, 32]}, dict.fromkeys(HAND, 90.0), 1
    )

    def winner(**options):
        return successive_halving(frame, [], rank_by="moving_average", **options).winner

    assert winner(window=1) == "S3"
    assert winner(window=2) == "S1"
    assert winner(window=3) == winner(window=99) == "S3"
    assert successive_halving(frame, [], end=2, rank_by="moving_average", window=2).winner == "S3"


def test_ranking_by_best_so_far():
    frame = long_form({"S1": [10, 60, 20], "S2": [50, 55, 40]}, {"S1": 90.0, "S2": 91.0}, 1)
    assert successive_halving(frame, [], rank_by="best_so_far").winner == "S1"
    assert successive_halving(frame, []).winner == "S2"


def test_ranking_by_loss():
    frame = with_loss({"S1": [2.0, 2.0], "S2": [1.0, 3.0], "S3": [1.5, 2.0]})
    result = successive_halving(frame, [1], 0.5, rank_by="valid_loss")
    assert result.survivors[1] == ("S2", "S3")
    assert result.winner == "S3"
    assert successive_halving(frame, [], rank_by="valid_loss").ties == (
        Tie(2, 2.0, ("S1",), ("S3",)),
    )


def program_of_gm_nas(values):
    """The recurrence by which the public program of GM-NAS ranks."""
    average = 0.0
    for position, value in enumerate(values):
        average = (average * position * 0.1 + value * 0.9) / (position + 1)
    return average


@unhurried
@given(st.integers(0, 2**32 - 1))
def test_ranking_as_the_program_of_gm_nas(seed):
    frame = random_curves(seed, 6, 9)
    values = frame["valid_accuracy"].to_numpy().reshape(6, 9)
    result = successive_halving(frame, [4], rank_by="exponential_average")
    first = np.argsort([-program_of_gm_nas(row[:4]) for row in values])[:3]
    assert result.survivors[4] == tuple(f"S{i + 1}" for i in sorted(first))
    second = max(first, key=lambda i: program_of_gm_nas(values[i, 4:]))
    assert result.winner == f"S{second + 1}"


def test_an_unknown_ranking():
    with pytest.raises(UnknownNameError, match="expected one of valid_accuracy"):
        successive_halving(hand_curves(), [2], rank_by="luck")
    with pytest.raises(TypeError):
        successive_halving(hand_curves(), [2.5])
