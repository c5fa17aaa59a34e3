"""Learning rates and temperatures over the epochs."""

import pytest

from fewshot_core.search import SearchError
from fewshot_core.search.options import cosine, learning_rate, linear, temperature


@pytest.mark.parametrize("schedule", [cosine, linear])
def test_a_schedule_starts_ends_and_is_half_way_in_the_middle(schedule):
    assert schedule(1.0, 0.1, 0.0) == pytest.approx(1.0)
    assert schedule(1.0, 0.1, 0.5) == pytest.approx(0.55)
    assert schedule(1.0, 0.1, 1.0) == pytest.approx(0.1)


def test_a_schedule_never_rises():
    for schedule in (cosine, linear):
        values = [schedule(1.0, 0.1, step / 20) for step in range(21)]
        assert values == sorted(values, reverse=True)


def test_the_learning_rate_would_reach_its_end_after_the_last_epoch():
    rates = [learning_rate(0.025, 0.001, epoch, 50) for epoch in range(50)]
    assert rates[0] == pytest.approx(0.025)
    assert rates[25] == pytest.approx(0.013)
    assert 0.001 < rates[-1] < 0.00103


def test_a_single_epoch_has_the_first_temperature():
    assert temperature("cosine", 1.0, 0.1, 0, 1) == pytest.approx(1.0)


def test_an_unknown_schedule_is_named_with_those_there_are():
    with pytest.raises(SearchError, match="'step': expected one of cosine, linear"):
        temperature("step", 1.0, 0.1, 0, 2)
