import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textbook_selection import hand_curves, random_curves

from fewshot_core.errors import SelectionError, UnknownNameError
from fewshot_core.selection import (
    STRATEGIES,
    Choice,
    default_choices,
    schedule_grid,
    successive_halving,
    top_k,
)
from fewshot_core.selection.strategies import mark_of, pareto_front

points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20)


@pytest.fixture
def seeds():
    return pd.concat([random_curves(seed, 8, 60).assign(seed=seed) for seed in range(3)])


def test_every_strategy_can_be_chosen():
    frame = hand_curves()
    assert Choice(milestones=(2, 4)).apply(frame) == successive_halving(frame, (2, 4))
    assert Choice("top_k", k=2, epoch=1).apply(frame) == top_k(frame, 2, 1)
    for name in STRATEGIES.names():
        assert Choice(name, (2,)).apply(frame, 4).strategy == name
        assert Choice(name, (2,)).apply(frame, 4).end == 4
    with pytest.raises(UnknownNameError, match="expected one of halving, top_k"):
        Choice("luck").apply(frame)


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
    assert pareto_front(cost, regret).tolist() == slow


def test_some_may_be_left_out_of_the_front():
    assert pareto_front([1, 2], [0, 1], [False, True]).tolist() == [True, True]
