import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.analysis import DISTRIBUTION_FRAMES, default_limits, distribution_frame
from fewshot_core.analysis.distributions import WHOLE, cumulative_frame, density, histogram_frame
from fewshot_core.space import SubSpace

LEAVES = [SubSpace.full().keep(0, [0]), SubSpace.full().keep(0, [1, 2, 3, 4])]


@pytest.fixture
def table():
    accuracy = np.random.default_rng(0).normal(80, 5, 15625)
    return pd.DataFrame({"architecture": np.arange(15625), "accuracy_mean": accuracy})


def part(frame, name):
    return frame[frame["sub_space"] == name]


@pytest.mark.parametrize("style", DISTRIBUTION_FRAMES)
def test_every_frame_has_the_whole_and_all_sub_spaces(style, table):
    frame = DISTRIBUTION_FRAMES[style](LEAVES, table, (70.0, 85.0))
    assert frame["sub_space"].unique().tolist() == [WHOLE, "S1", "S2"]
    values = table["accuracy_mean"]
    whole = part(frame, WHOLE).iloc[0]
    assert whole["known"] == 15625
    assert (whole["below"], whole["above"]) == ((values < 70).sum(), (values > 85).sum())
    first = frame.groupby("sub_space").first()
    assert first.loc[["S1", "S2"], "below"].sum() == whole["below"]


@pytest.mark.parametrize("style", DISTRIBUTION_FRAMES)
def test_one_value_equal_values_and_none(style):
    one = pd.DataFrame({"architecture": [5000, 6000], "accuracy_mean": [3.0, 3.0]})
    for rows in (one, one.iloc[:1], one.iloc[:0]):
        for limits in (None, (3.0, 3.0)):
            frame = DISTRIBUTION_FRAMES[style](LEAVES, rows, limits)
            few = (frame["sub_space"] != WHOLE) & frame["known"].between(1, 19)
            if "density" not in frame:
                assert frame.notna().all(axis=None)
            else:
                assert frame[~few].notna().all(axis=None)
                assert frame.loc[few, ["density", "architectures"]].isna().all(axis=None)
                assert frame.loc[few, "accuracy"].tolist() == [3.0] * len(rows)
            assert (part(frame, WHOLE)["accuracy"].diff().dropna() > 0).all()
            assert not frame[["below", "above"]].any(axis=None)


def test_densities_add_up(table):
    frame = distribution_frame(LEAVES, table, (0.0, 150.0), points=300)
    assert len(part(frame, "S1")) == 300
    for name in (WHOLE, "S1", "S2"):
        of = part(frame, name)
        assert np.trapezoid(of["density"], of["accuracy"]) == pytest.approx(1)
        assert np.trapezoid(of["architectures"], of["accuracy"]) == pytest.approx(
            of["known"].iloc[0]
        )


def test_histograms_count_every_architecture_inside(table):
    frame = histogram_frame(LEAVES, table, (70.0, 90.0), bins=10)
    values = table["accuracy_mean"]
    slow = [sum(low <= value < low + 2 for value in values) for low in range(70, 90, 2)]
    assert part(frame, WHOLE)["count"].tolist() == slow
    assert part(frame, WHOLE)["accuracy"].tolist() == list(range(71, 91, 2))
    counts = [part(frame, name)["count"].to_numpy() for name in (WHOLE, "S1", "S2")]
    assert (counts[0] == counts[1] + counts[2]).all()


def test_cumulative_shares_are_exact(table):
    frame = cumulative_frame(LEAVES, table, (70.0, 90.0), points=21)
    values = table["accuracy_mean"].to_numpy()
    slow = [sum(value <= point for value in values) / 15625 for point in range(70, 91)]
    np.testing.assert_allclose(part(frame, WHOLE)["share"], slow)


def test_limits_leave_out_the_tail(tables):
    for table in tables.values():
        low, high = default_limits(table)
        assert (table["accuracy_mean"] < low).mean() == pytest.approx(0.05, abs=0.001)
        assert high == table["accuracy_mean"].max()
        assert default_limits(table, 0)[0] == table["accuracy_mean"].min()


GRID = np.linspace(0.0, 10.0, 101)


def slow_density(values, grid, bandwidth):
    """Sum the kernels of all values and of their mirror images, point by point."""
    low, high = grid[0], grid[-1]
    result = []
    for point in grid:
        total = 0.0
        for value in values:
            for image in (value, 2 * low - value, 2 * high - value):
                total += math.exp(-0.5 * ((point - image) / bandwidth) ** 2)
        result.append(total / (len(values) * bandwidth * math.sqrt(2 * math.pi)))
    return np.array(result)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=40))
def test_it_integrates_to_one_and_is_never_negative(values):
    curve = density(values, GRID)
    assert np.trapezoid(curve, GRID) == pytest.approx(1)
    assert (curve >= 0).all()


@given(st.lists(st.floats(0, 10), min_size=1, max_size=10), st.sampled_from([0.5, 1.0]))
def test_it_equals_the_textbook(values, bandwidth):
    slow = slow_density(values, GRID, bandwidth)
    np.testing.assert_allclose(density(values, GRID, bandwidth), slow, atol=0.01 * slow.max())


@pytest.mark.parametrize("values", [[5.0], [5.0] * 100, [0.0], [10.0, 10.0]])
def test_equal_values_make_one_peak(values):
    curve = density(values, GRID)
    assert GRID[curve.argmax()] == values[0]
    assert np.trapezoid(curve, GRID) == pytest.approx(1)


def test_what_is_outside_is_missing_from_the_area():
    assert np.trapezoid(density([-1, 5, 5, 11], GRID), GRID) == pytest.approx(0.5)
    assert density([], GRID).tolist() == [0.0] * 101
    assert not density([20.0], GRID).any()
