import math

import pytest

from fewshot_core.reproduction import Verdict
from fewshot_core.reproduction.rules import Mean, Tally


@pytest.mark.parametrize(
    ("yes", "of", "verdict"),
    [
        (4, 4, Verdict.HOLDS),
        (7, 8, Verdict.HOLDS),
        (3, 3, Verdict.UNKNOWN),
        (5, 6, Verdict.UNKNOWN),
        (1, 4, Verdict.UNKNOWN),
        (0, 4, Verdict.FAILS),
        (0, 0, Verdict.MISSING),
    ],
)
def test_a_share_beside_one_half(yes, of, verdict):
    tally = Tally(yes, of)
    assert tally.verdict is verdict
    assert tally.text.startswith(f"{yes} of {of}")


def test_a_tally_says_why():
    assert Tally.count([True] * 4).reason.endswith("lies above one half")
    assert Tally.count([False] * 4).reason.endswith("lies below one half")
    assert "3 cases are too few" in Tally.count([True] * 3).reason


def test_a_mean_has_students_interval():
    mean = Mean.over([1.0, 2.0, 3.0])
    # t of 97.5% with two degrees of freedom is 4.3027, the standard error 1 / sqrt(3).
    reach = 4.302653 / math.sqrt(3)
    assert mean.interval == pytest.approx((2 - reach, 2 + reach), abs=1e-5)
    assert Mean.over([1.0, 2.0, 3.0], within=(0.0, 2.5)).interval == (0.0, 2.5)


@pytest.mark.parametrize(
    ("values", "limit", "above", "below"),
    [
        ([5.0, 5.1, 5.2], 1.0, Verdict.HOLDS, Verdict.FAILS),
        ([5.0, 5.1, 5.2], 9.0, Verdict.FAILS, Verdict.HOLDS),
        ([0.0, 10.0], 5.0, Verdict.UNKNOWN, Verdict.UNKNOWN),
        ([7.0], 5.0, Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_a_mean_beside_a_limit(values, limit, above, below):
    mean = Mean.over(values)
    assert (mean.above(limit), mean.below(limit)) == (above, below)


def test_one_measurement_says_so():
    mean = Mean.over([7.0])
    assert mean.text() == "7.00 (one measurement, no interval)"
    assert "repeat" in mean.reason(5.0)
