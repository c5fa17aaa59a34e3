"""Successive halving, worked by hand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_selection import HAND, hand_curves, long_form, random_curves, textbook_halving

from fewshot_core.errors import SelectionError
from fewshot_core.selection import (
    PAPER_MILESTONES,
    RANKINGS,
    Choice,
    Curves,
    cost_text,
    leaders,
    proxy_correlation,
    read_frame,
    result_document,
    schedule_grid,
    successive_halving,
    top_k,
    verdict,
)
from fewshot_core.selection.halving import Tie
from fewshot_core.space import NAS_BENCH_201

train_all, oracle, random_sub_supernet = (
    Choice(name).apply for name in ("train_all", "oracle", "one_at_random")
)


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
def test_number_kept(living, keep, left):
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


def test_frames_are_not_changed():
    frame = hand_curves()
    before = frame.copy()
    successive_halving(frame, (2, 4))
    pd.testing.assert_frame_equal(frame, before)


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
def test_missing_values_are_named(frame, message):
    with pytest.raises(SelectionError, match=message):
        successive_halving(frame, [2])


def test_missing_values_that_are_not_needed_are_ignored():
    frame = missing(hand_curves(), "S3", 4, "valid_accuracy")
    frame = missing(missing(frame, "S1", 1), "S6", 6, "valid_accuracy")
    result = successive_halving(frame, (2, 4))
    assert result == successive_halving(hand_curves(), (2, 4))


@pytest.mark.parametrize("rank_by", ["moving_average", "best_so_far", "exponential_average"])
def test_averages_skip_gaps_but_not_missing_values(rank_by):
    gap = missing(hand_curves(), "S2", 1)
    assert successive_halving(gap, [2], rank_by=rank_by).winner
    hole = missing(hand_curves(), "S2", 1, "valid_accuracy")
    with pytest.raises(SelectionError, match="of S2 at epoch 1, got none: the value there"):
        successive_halving(hole, [2], rank_by=rank_by)


def test_copied_weights_that_were_not_recorded():
    frame = hand_curves().query("epoch > 0")
    with pytest.raises(SelectionError, match="S1 at epoch 0, got none: its curve begins at"):
        top_k(frame, 2)


unhurried = settings(max_examples=40)
searches = st.tuples(
    st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(2, 12), st.sampled_from([3, 20, 1000])
)
shares = st.sampled_from([0.05, 0.25, 0.3, 0.5, 0.7, 0.75, 1.0])
ranked_by = st.sampled_from(RANKINGS.names())


@unhurried
@given(searches, st.sets(st.integers(1, 12), max_size=4), shares)
def test_it_equals_the_textbook(search, milestones, keep):
    frame = random_curves(*search)
    chosen = [epoch for epoch in milestones if epoch <= search[2]]
    slow = textbook_halving(frame, chosen, keep)
    result = successive_halving(frame, chosen, keep)
    assert result.survivors == slow["survivors"]
    assert result.winner == slow["winner"]
    assert result.cost == pytest.approx(slow["cost"])
    assert result.regret == pytest.approx(slow["regret"])


@unhurried
@given(searches, st.sets(st.integers(1, 12), max_size=4), shares, ranked_by)
def test_invariants(search, milestones, keep, rank_by):
    frame = random_curves(*search)
    curves = read_frame(frame)
    chosen = [epoch for epoch in milestones if epoch <= search[2]]
    result = successive_halving(curves, chosen, keep, rank_by=rank_by)
    left = set(result.sub_spaces)
    for survivors in result.survivors.values():
        assert left >= set(survivors)
        left = set(survivors)
        assert result.winner in left
    assert result.cost >= 1 - 1e-12
    assert result.cost <= train_all(curves).cost * (1 + 1e-12)
    assert result.regret >= 0
    assert result.ceiling == train_all(curves).test_accuracy
    assert (result.discarded_at is None) == (result.best not in result.discarded)
    shuffled = frame.sample(frac=1, random_state=search[0] % 1000)
    assert successive_halving(shuffled, chosen, keep, rank_by=rank_by) == result


@unhurried
@given(searches, st.sets(st.integers(1, 12), max_size=4))
def test_keeping_all_is_training_all(search, milestones):
    curves = read_frame(random_curves(*search))
    chosen = [epoch for epoch in milestones if epoch <= search[2]]
    result, ceiling = successive_halving(curves, chosen, 1), train_all(curves)
    assert result.cost == ceiling.cost == search[1]
    assert result.trained == ceiling.trained
    assert all(len(result.survivors[epoch]) == search[1] for epoch in result.milestones)
    assert result.winner == successive_halving(curves, []).winner
    assert ceiling.regret == 0


@unhurried
@given(searches, st.sets(st.integers(1, 12), max_size=4), shares)
def test_only_the_order_of_accuracies_counts(search, milestones, keep):
    frame = random_curves(*search)
    chosen = [epoch for epoch in milestones if epoch <= search[2]]
    other = read_frame(frame.assign(valid_accuracy=frame["valid_accuracy"] ** 3 / 1e4))
    curves = read_frame(frame)
    for rank_by in ("valid_accuracy", "best_so_far"):
        result = successive_halving(curves, chosen, keep, rank_by=rank_by)
        again = successive_halving(other, chosen, keep, rank_by=rank_by)
        assert again.survivors == result.survivors


@unhurried
@given(searches, st.integers(1, 9), st.integers(1, 12))
def test_top_k_is_halving_once(search, k, epoch):
    curves, living = read_frame(random_curves(*search)), search[1]
    k, epoch = min(k, living), min(epoch, search[2] - 1)
    once = successive_halving(curves, [epoch], k / living)
    assert replace(top_k(curves, k, epoch), strategy="halving") == once


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


def test_original_few_shot_nas_chooses_before_training():
    result = top_k(hand_curves(), 2)
    assert result.survivors == {0: ("S4", "S5"), 6: ("S5",)}
    assert result.cost == 2
    assert (result.winner, result.discarded_at) == ("S5", 0)


def test_top_k_later():
    result = top_k(hand_curves(), 1, 3)
    assert result.survivors == {3: ("S3",), 6: ("S3",)}
    assert result.cost == pytest.approx((8 * 3 + 3) / 6)
    assert result.regret == 0


@pytest.mark.parametrize("k", [0, 9])
def test_top_of_none_or_too_many(k):
    with pytest.raises(SelectionError, match=f"1 to 8 sub-supernets, got {k}"):
        top_k(hand_curves(), k)


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


def curves_of(valid, found):
    return long_form(valid, found, first=1)


def test_the_best_was_discarded():
    assert verdict(successive_halving(hand_curves(), (2, 4))) == (
        "Found 93.80% (S5), best 94.30% (S3) was discarded at epoch 2, cost 4.7 runs."
    )


def test_the_winner_is_the_best():
    assert verdict(successive_halving(hand_curves(), (3,))) == (
        "Found 94.30% (S3), the best of all, cost 6 runs."
    )


def test_the_best_was_trained_to_the_end_but_not_chosen():
    frame = curves_of({"S1": [1, 2], "S2": [2, 1]}, {"S1": 90.0, "S2": 91.25})
    assert verdict(successive_halving(frame, [])) == (
        "Found 90.00% (S1), best 91.25% (S2) was trained to the end but not chosen: S1 was ahead "
        "by validation accuracy, cost 2 runs."
    )
    with_loss = frame.assign(valid_loss=[2.0, 1.0, 2.0, 3.0])
    assert "S1 was ahead by validation loss" in verdict(
        successive_halving(with_loss, [], rank_by="valid_loss")
    )


def test_a_tie_at_the_end():
    frame = curves_of({"S1": [1, 50], "S2": [2, 50]}, {"S1": 90.0, "S2": 91.0})
    assert verdict(successive_halving(frame, [])) == (
        "Found 90.00% (S1), best 91.00% (S2) was trained to the end but not chosen: it tied with "
        "S1, cost 2 runs. At the end S1 and S2 were tied in validation accuracy "
        "(50.00%): S1 was kept as the first in order."
    )


def test_a_tie_at_a_milestone():
    frame = curves_of(
        {"S1": [5, 9], "S2": [5, 8], "S3": [5, 7], "S4": [1, 6]},
        {"S1": 90.0, "S2": 91.0, "S3": 92.0, "S4": 89.0},
    )
    assert verdict(successive_halving(frame, [1])) == (
        "Found 90.00% (S1), best 92.00% (S3) was discarded at epoch 1, cost 3 runs. At epoch 1 "
        "S1, S2 and S3 were tied in validation accuracy (5.00%): S1 and S2 were kept as the "
        "first in order."
    )


def test_ties_for_the_best_are_named():
    frame = curves_of({"S1": [1], "S2": [2], "S3": [0]}, dict.fromkeys(["S1", "S2", "S3"], 90.0))
    assert verdict(successive_halving(frame, [])) == (
        "Found 90.00% (S2), the best of all, tied with S1 and S3, cost 3 runs."
    )


def test_verdicts_of_the_baselines():
    frame = hand_curves()
    assert verdict(train_all(frame)) == "Found 94.30% (S3), the best of all, cost 8 runs."
    assert verdict(oracle(frame)) == (
        "Found 94.30% (S3), the best of all, cost 1 run if it were known in advance."
    )
    assert verdict(random_sub_supernet(frame)) == (
        "One sub-supernet at random finds 91.39% on average, best 94.30% (S3), cost 1 run."
    )
    assert verdict(top_k(frame, 1)) == (
        "Found 93.80% (S5), best 94.30% (S3) was discarded at epoch 0, cost 1 run."
    )


def test_small_differences_get_more_digits():
    result = successive_halving(hand_curves(), (2, 4))
    close = replace(result, test_accuracy=94.2999, regret=0.0001)
    assert "Found 94.2999% (S5), best 94.3000% (S3)" in verdict(close)


@pytest.mark.parametrize(
    ("cost", "text"),
    [(1, "1 run"), (1.04, "1 run"), (2.5333, "2.5 runs"), (8, "8 runs"), (10.0, "10 runs")],
)
def test_costs_in_words(cost, text):
    assert cost_text(cost) == text


def test_a_document_goes_to_json_and_back():
    frame = hand_curves().assign(architecture=range(56))
    for result in (
        successive_halving(frame, (2, 4)),
        train_all(frame),
        oracle(frame),
        random_sub_supernet(frame),
    ):
        document = result_document(result)
        assert json.loads(json.dumps(document, allow_nan=False)) == document
        assert document["verdict"] == verdict(result)
    document = result_document(successive_halving(frame, (2, 4)))
    assert document["survivors"]["4"] == ["S2", "S5"]
    assert document["milestones"] == [2, 4]
    assert document["architecture"] == 34
    assert document["discarded_at"] == 2


def limited_curves(*feasible: int) -> Curves:
    """Four sub-supernets, by hand, of whose architectures only some are within a limit.

    S1, S2 and S3 find the architectures 10, 20 and 30 at every epoch, S4 finds 40, 40 and 41.
    """
    table = {"S1": (90, 1, 2, 3), "S2": (94, 3, 3, 2), "S3": (93, 2, 1, 4), "S4": (91, 0, 4, 1)}
    frame = pd.DataFrame(
        {
            "sub_space": name,
            "epoch": epoch,
            "valid_accuracy": float(value),
            "test_accuracy": float(found),
            "architecture": 10 * number + (number == 4 and epoch == 3),
        }
        for number, (name, (found, *values)) in enumerate(table.items(), start=1)
        for epoch, value in enumerate(values, start=1)
    )
    return read_frame(frame).within(np.isin(np.arange(15_625), feasible), NAS_BENCH_201)


def test_what_is_beyond_a_limit_of_the_cost_ranks_last_and_has_no_accuracy():
    free = successive_halving(limited_curves(10, 20, 30, 40, 41), (1, 2))
    assert (free.winner, free.test_accuracy, free.regret) == ("S2", 94.0, 0.0)
    result = successive_halving(limited_curves(10, 30, 41), (1, 2))
    assert result.survivors == {1: ("S1", "S3"), 2: ("S1",), 3: ("S1",)}
    assert (result.test_accuracy, result.ceiling, result.regret) == (90.0, 93.0, 3.0)
    assert (result.best, result.discarded_at, result.cost) == ("S3", 2, pytest.approx(7 / 3))
    assert random_sub_supernet(limited_curves(10, 30, 41)).test_accuracy == pytest.approx(274 / 3)
    assert train_all(limited_curves(10, 30, 41)).winner == "S3"
    assert oracle(limited_curves(10, 41)).winner == "S4"
    proxy = proxy_correlation({0: limited_curves(10, 30, 41)})
    assert proxy["sub_spaces"].unique().tolist() == [3]
    assert proxy["kendall"].tolist() == pytest.approx([1 / 3, -1 / 3, 1 / 3])


def test_only_infeasible_architectures_have_no_regret():
    result = successive_halving(limited_curves(41), (1, 2))
    assert (result.winner, result.ceiling) == ("S2", 91.0) and np.isnan(result.regret)
    assert verdict(result) == (
        "Found only an architecture beyond the limit of the cost (S2), best 91.00% (S4) was "
        "discarded at epoch 1, cost 2.3 runs."
    )
    document = result_document(result)
    assert (document["test_accuracy"], document["regret"]) == (None, None)
    grid = schedule_grid({0: limited_curves(41)}, [Choice(milestones=(1, 2)), Choice(keep=1.0)])
    assert grid["regret"].tolist() == pytest.approx([np.nan, 0.0], nan_ok=True)
    assert grid["pareto"].tolist() == [False, True]
    with pytest.raises(SelectionError, match="no architecture that is found by epoch 3 is within"):
        successive_halving(limited_curves(40), (1, 2))
    with pytest.raises(SelectionError, match="at least two sub-supernets that find"):
        proxy_correlation({0: limited_curves(41)})
