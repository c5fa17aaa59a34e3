import numpy as np
import pytest
from scipy import stats

from fewshot_core.analysis import wilson_interval


@pytest.mark.parametrize(("hits", "count"), [(0, 4), (1, 7), (5, 5), (60, 108)])
def test_a_share_as_scipy_has_it(hits, count):
    found = stats.binomtest(hits, count).proportion_ci(0.95, "wilson")
    np.testing.assert_allclose(wilson_interval(hits / count, count), found, atol=1e-12)


def test_four_of_four_are_most_and_three_of_three_are_not_yet():
    assert wilson_interval(1.0, 4)[0] > 0.5 > wilson_interval(1.0, 3)[0]
