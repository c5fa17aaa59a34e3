import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.analysis import top_mask, top_threshold
from fewshot_core.errors import TableError

ACCURACIES = st.lists(st.integers(0, 12).map(float), min_size=1, max_size=60)
PERCENT = st.integers(1, 100)


def slow_top(values, percent):
    """Sort, count, compare: the textbook way."""
    rank = math.ceil(Fraction(percent, 100) * len(values))
    threshold = sorted(values, reverse=True)[rank - 1]
    return threshold, [value >= threshold for value in values]


@given(ACCURACIES, PERCENT)
def test_equals_the_textbook_and_counts_ties_in(values, percent):
    threshold, mask = slow_top(values, percent)
    assert top_threshold(values, percent / 100) == threshold
    assert top_mask(values, percent / 100).tolist() == mask


def test_one_percent_of_the_space_is_rank_157():
    values = np.arange(15625.0)
    assert top_threshold(values) == 15625 - 157
    assert top_mask(values).sum() == 157


@pytest.mark.parametrize(("share", "size", "rank"), [(0.07, 100, 7), (0.29, 100, 29), (1, 9, 9)])
def test_a_share_means_what_is_written(share, size, rank):
    assert top_threshold(np.arange(float(size)), share) == size - rank


def test_a_series_and_missing_values():
    series = pd.Series([3.0, np.nan, 1.0, 2.0])
    assert top_threshold(series, 0.5) == 2.0
    assert top_mask(series, 0.5).tolist() == [True, False, False, True]


def test_nothing_to_choose_from():
    assert top_mask([]).shape == (0,)
    with pytest.raises(TableError, match="got none"):
        top_threshold([])
    with pytest.raises(TableError, match="above 0 and at most 1"):
        top_threshold([1.0], 1.5)


def test_real_tables(tables):
    counts = {name: int(top_mask(table["accuracy_mean"]).sum()) for name, table in tables.items()}
    assert counts["ImageNet16-120"] == 157
    assert all(count >= 157 for count in counts.values())
