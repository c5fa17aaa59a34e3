import pytest
from hypothesis import given
from hypothesis import strategies as st
from textbook_selection import random_curves

from fewshot_core.errors import SelectionError
from fewshot_core.selection import (
    PAPER_END,
    PAPER_MILESTONES,
    describe_schedule,
    paper_milestones,
    parse_milestones,
    read_frame,
)
from fewshot_core.selection.schedules import proportional_schedule


@pytest.mark.parametrize(
    ("end", "milestones"),
    [
        (600, (30, 100)),
        (1200, (60, 200)),
        (50, (3, 8)),
        (20, (1, 3)),
        (6, (1,)),
        (2, (1,)),
        (1, ()),
    ],
)
def test_in_proportion(end, milestones):
    assert proportional_schedule(end) == milestones


@given(st.integers(1, 10_000))
def test_in_proportion_to_any_end(end):
    milestones = proportional_schedule(end)
    assert list(milestones) == sorted(set(milestones))
    assert all(1 <= epoch < end for epoch in milestones)
    if end >= 20:
        for epoch, paper in zip(milestones, PAPER_MILESTONES, strict=True):
            assert abs(epoch - paper * end / PAPER_END) <= 0.5


def test_no_length():
    with pytest.raises(SelectionError, match="an end from epoch 1, got 0"):
        proportional_schedule(0)


def test_schedules_say_where_they_come_from():
    assert describe_schedule((30, 100, 600), 600) == (
        "milestones at 30 and 100 of 600 epochs, as in the paper"
    )
    assert describe_schedule((8, 3), 50) == (
        "milestones at 3 and 8 of 50 epochs, in proportion to the paper's 30 and 100 of 600 "
        "(5% and 16.7% of the end)"
    )
    assert describe_schedule((1, 2, 9), 50) == "milestones at 1, 2 and 9 of 50 epochs"
    assert describe_schedule((5,), 50) == "milestones at 5 of 50 epochs"
    assert describe_schedule((), 50) == "no milestone in 50 epochs"
    assert describe_schedule((1,), 1) == "no milestone in 1 epochs"


def test_milestones_are_read_from_a_text():
    assert parse_milestones("100, 30") == (30, 100)
    assert parse_milestones("0 5,9") == (0, 5, 9)
    assert parse_milestones("none") == parse_milestones(" ") == ()
    for text, word in (("30;100", "30;100"), ("-3", "-3"), ("1.5", "1.5"), ("none, 3", "none")):
        with pytest.raises(SelectionError, match=f"like 30, 100, or none, got '{word}'"):
            parse_milestones(text)
    with pytest.raises(SelectionError, match="expected every milestone once, got 3 twice"):
        parse_milestones("3, 3")


def test_curves_with_every_epoch_have_the_schedule_in_proportion():
    for end in (1, 2, 6, 50, 60):
        table = read_frame(random_curves(0, 3, end))
        assert paper_milestones(table) == proportional_schedule(end)
    assert paper_milestones(read_frame(random_curves(0, 3, 60)), 50) == (3, 8)


def test_the_nearest_recorded_epochs_count():
    frame = random_curves(0, 3, 60)
    assert paper_milestones(read_frame(frame[frame["epoch"] % 4 == 0])) == (4, 8)
    assert paper_milestones(read_frame(frame[frame["epoch"] % 30 == 0])) == (30,)
    assert paper_milestones(read_frame(frame[frame["epoch"].isin([0, 60])])) == ()


def test_curves_that_end_where_they_are_discarded_do_not_move_later_milestones():
    frame = random_curves(0, 4, 60)
    frame.loc[(frame["sub_space"] == "S1") & (frame["epoch"] > 3), "valid_accuracy"] = None
    assert paper_milestones(read_frame(frame)) == (3, 10)


def test_an_end_beyond_the_curves_is_refused():
    with pytest.raises(SelectionError, match="expected an end from epoch 1 to 60"):
        paper_milestones(read_frame(random_curves(0, 3, 60)), 61)
