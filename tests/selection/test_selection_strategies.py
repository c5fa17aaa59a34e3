import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textbook_selection import hand_curves, random_curves

from fewshot_core.errors import SelectionError, UnknownNameError
from fewshot_core.selection import (
    PAPER_END,
    PAPER_MILESTONES,
    STRATEGIES,
    Choice,
    default_choices,
    describe_schedule,
    paper_milestones,
    parse_milestones,
    read_frame,
    schedule_grid,
    successive_halving,
    top_k,
    verdict,
)
from fewshot_core.selection.strategies import mark_of, on_front, proportional_schedule

points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20)


@pytest.fixture
def seeds():
    return pd.concat([random_curves(seed, 8, 60).assign(seed=seed) for seed in range(3)])


def test_every_strategy_can_be_chosen():
    frame = hand_curves().assign(parameters=1.0)
    assert Choice(milestones=(2, 4)).apply(frame) == successive_halving(frame, (2, 4))
    assert Choice("top_k", k=2, epoch=1).apply(frame) == top_k(frame, 2, 1)
    for name in STRATEGIES.names():
        assert Choice(name, (2,)).apply(frame, 4).strategy == name
        assert Choice(name, (2,)).apply(frame, 4).end == 4
    with pytest.raises(UnknownNameError, match="expected one of halving, top_k"):
        Choice("luck").apply(frame)


def test_the_one_with_the_most_parameters_is_chosen_before_training():
    frame, choice = hand_curves(), Choice("most_parameters")
    sizes = frame["sub_space"].map({"S2": 3e5, "S5": 4e5, "S8": 4e5}).fillna(1e5)
    result = choice.apply(frame.assign(parameters=sizes))
    assert (result.winner, result.cost, result.test_accuracy) == ("S5", 1.0, 93.8)
    assert verdict(result) == (
        "Found 93.80% (S5), best 94.30% (S3) was discarded at epoch 0, cost 1 run."
    )
    grid = schedule_grid(frame.assign(parameters=sizes), end=4)
    assert grid[grid["strategy"] == "most_parameters"]["best_discarded"].tolist() == [1.0]
    assert choice not in default_choices(frame)
    unknown = frame.assign(parameters=sizes.where(frame["sub_space"] != "S1"))
    for without in (frame, unknown):
        with pytest.raises(SelectionError, match="add the number of parameters"):
            choice.apply(without)


def test_labels():
    assert Choice(milestones=(30, 100)).label == "keep 0.5 at 30, 100 by validation accuracy"
    average = Choice(milestones=(3,), keep=0.25, rank_by="moving_average", window=7)
    assert average.label == "keep 0.25 at 3 by moving average over 7"
    assert Choice().label == "train all, choose by validation accuracy"
    assert Choice("top_k", k=2).label == "top 2 at 0 by validation accuracy"


@pytest.mark.parametrize(
    ("choice", "end", "mark"),
    [
        (Choice(milestones=(30, 100)), 600, "paper"),
        (Choice(milestones=(3, 8)), 50, "paper"),
        (Choice(milestones=(30, 100), rank_by="exponential_average"), 600, "GM-NAS"),
        (Choice(milestones=(30, 100), rank_by="best_so_far"), 600, ""),
        (Choice(milestones=(30, 100), keep=0.25), 600, ""),
        (Choice(milestones=(30, 101)), 600, ""),
        (Choice("top_k"), 600, "few-shot NAS"),
        (Choice("top_k", epoch=5), 600, ""),
        (Choice("train_all"), 600, "ceiling"),
        (Choice("one_at_random"), 600, "chance"),
        (Choice("oracle"), 600, "oracle"),
    ],
)
def test_known_choices_have_a_mark(choice, end, mark):
    assert mark_of(choice, end) == mark


def test_rows_become_choices_again():
    grid = schedule_grid(hand_curves())
    choices = default_choices(hand_curves())
    assert [Choice.from_row(row) for row in grid.to_dict("records")] == choices
    assert len(set(choices)) == len(choices)


def test_a_grid_over_seeds(seeds):
    choice = Choice(milestones=(3, 10))
    row = schedule_grid(seeds, [choice]).iloc[0]
    results = [choice.apply(part) for _, part in seeds.groupby("seed")]
    for column in ("cost", "regret", "test_accuracy"):
        values = [getattr(result, column) for result in results]
        assert row[column] == pytest.approx(np.mean(values))
        assert row[f"{column}_std"] == pytest.approx(np.std(values))
    assert row["seeds"] == 3
    assert row["mark"] == "paper"
    lost = [result.discarded_at is not None for result in results]
    assert row["best_discarded"] == np.mean(lost)
    assert row["cost"] == pytest.approx((8 * 3 + 4 * 7 + 2 * 50) / 60)


def test_the_default_grid_contains_the_known_schedules(seeds):
    grid = schedule_grid(seeds)
    assert {"paper", "GM-NAS", "ceiling", "chance", "oracle"} <= set(grid["mark"])
    assert "few-shot NAS" not in set(grid["mark"])
    assert set(grid["rank_by"]) >= {"valid_loss", "moving_average", "best_so_far"}
    assert grid["cost"].between(1, 8).all()
    assert (grid["regret"] >= 0).all()
    assert not grid[grid["mark"] == "oracle"]["pareto"].any()
    assert grid["pareto"].any()
    with_zero = schedule_grid(hand_curves())
    assert "few-shot NAS" in set(with_zero["mark"])
    assert "valid_loss" not in set(with_zero["rank_by"])


def test_milestones_are_at_epochs_that_all_curves_have():
    frame = random_curves(0, 8, 60).query("epoch % 7 == 4 or epoch == 60")
    milestones = {epoch for choice in default_choices(frame) for epoch in choice.milestones}
    assert milestones <= set(range(4, 60, 7))
    assert len(schedule_grid(frame)) > 10


def test_very_short_curves_and_single_ones():
    assert schedule_grid(random_curves(0, 2, 1))["cost"].max() == 2
    grid = schedule_grid(random_curves(0, 1, 30))
    assert (grid["cost"] == 1).all()
    assert (grid["regret"] == 0).all()


def test_searches_of_different_lengths():
    frame = pd.concat([random_curves(s, 3, 10 + s).assign(seed=s) for s in range(2)])
    with pytest.raises(SelectionError, match="epochs 10, 11; choose an end of at most 10"):
        schedule_grid(frame)
    assert (schedule_grid(frame, [Choice()], end=10)["cost"] == 3).all()


def test_no_choices():
    assert schedule_grid(hand_curves(), []).empty


@given(points)
def test_the_front_has_no_dominated_points(pairs):
    cost, regret = zip(*pairs, strict=True)
    slow = [
        not any(other[0] <= point[0] and other[1] <= point[1] and other != point for other in pairs)
        for point in pairs
    ]
    assert on_front(cost, np.negative(regret)).tolist() == slow


def test_points_without_a_value_are_not_on_the_front():
    assert on_front([1, 2, 3], [np.nan, 1, 0]).tolist() == [False, True, False]


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
