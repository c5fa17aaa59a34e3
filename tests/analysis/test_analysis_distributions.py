import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import (
    DISTRIBUTION_FRAMES,
    WHOLE,
    cumulative_frame,
    default_limits,
    distribution_frame,
    histogram_frame,
    quantile_frame,
)
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
            assert frame.notna().all(axis=None)
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


def test_quantiles(table):
    frame = quantile_frame(LEAVES, table).set_index("sub_space")
    assert frame.index.tolist() == [WHOLE, "S1", "S2"]
    inside = table["accuracy_mean"].iloc[:3125]
    assert frame.loc["S1", "median"] == pytest.approx(inside.median())
    assert frame.loc["S1", "maximum"] == inside.max()
    assert frame.loc["S1", "known"] == 3125
    assert np.isnan(quantile_frame(LEAVES, table.iloc[:0])["median"]).all()


def test_limits_leave_out_the_tail(tables):
    for table in tables.values():
        low, high = default_limits(table)
        assert (table["accuracy_mean"] < low).mean() == pytest.approx(0.05, abs=0.001)
        assert high == table["accuracy_mean"].max()
        assert default_limits(table, 0)[0] == table["accuracy_mean"].min()
