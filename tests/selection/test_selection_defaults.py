import pytest
from textbook_selection import random_curves

from fewshot_core.errors import SelectionError
from fewshot_core.selection import paper_milestones, proportional_schedule, read_frame


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
