"""Rankings of sub-supernets at a milestone, and how well they agree with the end."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr
from textbook_selection import HAND, hand_curves, long_form, random_curves

from fewshot_core.errors import SelectionError, UnknownNameError
from fewshot_core.selection import (
    describe_proxy,
    proxy_correlation,
    random_kendall_interval,
    successive_halving,
)
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


@unhurried
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.sampled_from([2, 4, 1000]))
def test_correlation_equals_scipy(seed, sub_spaces, levels):
    frame = random_curves(seed, sub_spaces, 5, levels)
    found = frame[frame["epoch"] == 5].set_index("sub_space")["test_accuracy"]
    for row in proxy_correlation(frame).to_dict("records"):
        at = frame[frame["epoch"] == row["epoch"]].set_index("sub_space")["valid_accuracy"]
        defined = at.nunique() > 1 and found.nunique() > 1
        tau = kendalltau(at, found).statistic if defined else np.nan
        rho = spearmanr(at, found).statistic if defined else np.nan
        np.testing.assert_allclose([row["kendall"], row["spearman"]], [tau, rho], atol=1e-12)


def test_perfect_and_reversed_orders():
    frame = long_form(
        {"S1": [1, 3], "S2": [2, 2], "S3": [3, 1]}, {"S1": 90.0, "S2": 91.0, "S3": 92.0}, 1
    )
    rows = proxy_correlation(frame)
    assert rows["kendall"].tolist() == rows["spearman"].tolist() == [1, -1]
    assert rows["sub_spaces"].tolist() == [3, 3]


def test_an_interval_over_seeds():
    frame = pd.concat([random_curves(seed, 8, 4).assign(seed=seed) for seed in range(5)])
    rows = proxy_correlation(frame)
    single = [proxy_correlation(part)["kendall"] for _, part in frame.groupby("seed")]
    np.testing.assert_allclose(rows["kendall"], np.mean(single, axis=0))
    np.testing.assert_allclose(rows["kendall_low"], np.min(single, axis=0))
    np.testing.assert_allclose(rows["kendall_high"], np.max(single, axis=0))
    assert (rows["seeds"] == 5).all()


def test_epochs_that_not_all_curves_have_are_left_out():
    frame = hand_curves().query("sub_space != 'S4' or epoch != 3")
    assert proxy_correlation(frame)["epoch"].tolist() == [0, 1, 2, 4, 5, 6]
    assert proxy_correlation(frame, end=4)["epoch"].tolist() == [0, 1, 2, 4]


def test_equal_sub_supernets_have_no_order():
    frame = hand_curves().assign(valid_accuracy=50.0)
    rows = proxy_correlation(frame)
    assert rows[["kendall", "spearman", "kendall_low"]].isna().all(axis=None)
    assert (rows["seeds"] == 0).all()


def test_one_sub_space_has_no_order():
    with pytest.raises(SelectionError, match=r"at least two sub-spaces .* got S1 alone"):
        proxy_correlation(random_curves(0, 1, 4))


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7])
def test_the_critical_tau_is_exact(count):
    first = range(count)
    taus = [abs(kendalltau(first, order).statistic) for order in permutations(first)]
    possible = sorted(set(np.round(taus, 9)))
    rare = [t for t in possible if np.mean(np.array(taus) >= t - 1e-6) <= 0.05]
    critical = random_kendall_interval(count)
    assert critical == (pytest.approx(rare[0]) if rare else None)


def test_the_critical_tau_of_eight():
    assert random_kendall_interval(8) == pytest.approx(18 / 28)
    assert random_kendall_interval(1) is None


def test_the_proxy_is_described_by_tau_where_it_selects():
    values = {"epoch": [1, 2, 3], "kendall": [0.1, 0.7, 0.9], "seeds": 1, "sub_spaces": 8}
    correlation = pd.DataFrame(values)
    text = describe_proxy(correlation, (1, 3))
    assert text.startswith("In part: ") and "0.10 at epoch 1, 0.90 at epoch 3;" in text
    assert "95% of random rankings of 8 are closer to 0 than 0.64." in text
    assert describe_proxy(correlation, (2, 3)).startswith("Yes: ")
    assert describe_proxy(correlation, (1,)).startswith("No better than chance: ")
    assert "means of 3 seeds" in describe_proxy(correlation.assign(seeds=3), (1,))
    assert "too few to tell" in describe_proxy(correlation.assign(sub_spaces=4), (1, 3))
