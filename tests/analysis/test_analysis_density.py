import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.analysis import density

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
