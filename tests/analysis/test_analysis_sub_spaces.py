import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_trees import convolution_tree, grow

from fewshot_core.analysis import (
    architectures_of,
    describe_sub_spaces,
    top_architectures,
    top_mask,
    top_threshold,
)
from fewshot_core.analysis.sub_spaces import gini_of_counts, leaf_numbers
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.space import Architecture, SubSpace, group_numbers

NAME = "ImageNet16-120"
COLUMNS = [
    "sub_space",
    "size",
    "known",
    "share",
    "top_count",
    "top_share",
    "enrichment",
    "best",
    "best_architecture",
    "best_rank",
    "mean",
    "median",
    "q25",
    "q75",
    "std",
]


@pytest.fixture
def leaves(splits):
    return splits["gradientmatching"][NAME]


def test_published_sizes_and_counts(leaves, tables):
    described = describe_sub_spaces(leaves, tables[NAME])
    assert described.columns.tolist() == COLUMNS
    assert described["sub_space"].tolist() == [f"S{number}" for number in range(1, 9)]
    assert described["size"].tolist() == [125, 500, 500, 2000, 500, 2000, 2000, 8000]
    assert described["known"].tolist() == described["size"].tolist()
    assert described["top_count"].tolist() == [8, 25, 15, 54, 9, 20, 2, 24]
    assert described["share"].sum() == pytest.approx(1)
    ratio = described["top_share"] / described["share"]
    np.testing.assert_allclose(described["enrichment"], ratio)


@pytest.mark.parametrize(
    ("name", "best"), [("cifar10", 94.3733), ("cifar100", 73.5133), (NAME, 47.3111)]
)
def test_the_best_of_all(name, best, tables):
    row = describe_sub_spaces([SubSpace.full()], tables[name]).iloc[0]
    assert round(row["best"], 4) == best
    assert row["best_rank"] == 1
    assert row["enrichment"] == pytest.approx(1)


def test_against_plain_loops(leaves, tables):
    table = dict(zip(tables[NAME]["architecture"], tables[NAME]["accuracy_mean"], strict=True))
    threshold = top_threshold(tables[NAME]["accuracy_mean"])
    described = describe_sub_spaces(leaves, tables[NAME])
    for leaf, row in zip(leaves, described.to_dict("records"), strict=True):
        values = [table[index] for index in leaf.architecture_indices().tolist()]
        assert row["top_count"] == sum(value >= threshold for value in values)
        assert row["best"] == max(values) == table[row["best_architecture"]]
        assert row["best_rank"] == 1 + sum(value > row["best"] for value in table.values())
        assert row["mean"] == pytest.approx(sum(values) / len(values))
        spread = sum((value - row["mean"]) ** 2 for value in values) / len(values)
        assert row["std"] == pytest.approx(spread**0.5)
        middle = sorted(values)[(len(values) - 1) // 2 : len(values) // 2 + 1]
        assert row["median"] == pytest.approx(sum(middle) / len(middle))


def test_incomplete_tables():
    leaves = [SubSpace.full().keep(0, [0]), SubSpace.full().keep(0, [1, 2, 3, 4])]
    table = pd.DataFrame({"architecture": [5000, 6000, 7000], "accuracy_mean": [1.0, np.nan, 3.0]})
    empty, filled = describe_sub_spaces(leaves, table, 0.5).to_dict("records")
    assert (empty["size"], empty["known"], empty["top_count"], empty["top_share"]) == (
        3125,
        0,
        0,
        0,
    )
    assert all(pd.isna(empty[column]) for column in COLUMNS[6:])
    assert (filled["known"], filled["best"], filled["best_architecture"]) == (2, 3.0, 7000)
    assert filled["enrichment"] == pytest.approx(1)


def test_an_empty_table():
    table = pd.DataFrame({"architecture": [], "accuracy_mean": []})
    described = describe_sub_spaces([SubSpace.full()], table)
    assert described["known"].tolist() == [0]
    assert described[COLUMNS[5:]].isna().all(axis=None)
    assert architectures_of(SubSpace.full(), table).empty
    assert top_architectures([SubSpace.full()], table).empty


def test_architectures_are_listed_best_first(leaves, tables):
    listed = architectures_of(leaves[3], tables[NAME])
    assert listed.columns.tolist() == ["architecture", "string", "accuracy_mean", "rank", "top"]
    assert len(listed) == 2000
    assert listed["top"].sum() == 54
    assert listed["top"].iloc[:54].all()
    assert listed["accuracy_mean"].is_monotonic_decreasing
    first = listed.iloc[0]
    assert Architecture.from_string(first["string"]).index == first["architecture"]


def test_ties_share_the_smallest_rank():
    table = pd.DataFrame({"architecture": [1, 2, 3], "accuracy_mean": [5.0, 7.0, 7.0]})
    listed = architectures_of(SubSpace.full(), table, 0.3)
    assert listed["rank"].tolist() == [1, 1, 3]
    assert listed["architecture"].tolist() == [2, 3, 1]
    assert listed["top"].tolist() == [True, True, False]


def test_top_architectures(leaves, tables):
    top = top_architectures(leaves, tables[NAME])
    assert len(top) == top_mask(tables[NAME]["accuracy_mean"]).sum() == 157
    assert top["sub_space"].value_counts()["S4"] == 54
    assert top["rank"].iloc[0] == 1
    outside = top_architectures(leaves[:1], tables[NAME])
    assert outside["sub_space"].isna().sum() == 157 - 8


def test_numbers_of_sub_spaces(leaves):
    numbers = group_numbers(leaves)
    assert np.bincount(numbers).tolist() == [leaf.size for leaf in leaves]
    assert (group_numbers(leaves[:1]) == -1).sum() == 15500


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
def test_a_share_is_its_decimal_number(share, size, rank):
    assert top_threshold(np.arange(float(size)), share) == size - rank


def test_a_series_and_missing_values():
    series = pd.Series([3.0, np.nan, 1.0, 2.0])
    assert top_threshold(series, 0.5) == 2.0
    assert top_mask(series, 0.5).tolist() == [True, False, False, True]


def test_the_top_of_nothing():
    assert top_mask([]).shape == (0,)
    with pytest.raises(TableError, match="got none"):
        top_threshold([])
    with pytest.raises(TableError, match="above 0 and at most 1"):
        top_threshold([1.0], 1.5)


def test_real_tables(tables):
    counts = {name: int(top_mask(table["accuracy_mean"]).sum()) for name, table in tables.items()}
    assert counts["ImageNet16-120"] == 157
    assert all(count >= 157 for count in counts.values())


def textbook_gini(known, top):
    """Half the mean difference between two architectures' densities, relative to their mean."""
    density = [part / whole for whole, part in zip(known, top, strict=True)]
    size, mean = sum(known), sum(top) / sum(known)
    difference = sum(
        first * second * abs(a - b)
        for first, a in zip(known, density, strict=True)
        for second, b in zip(known, density, strict=True)
    )
    return difference / size**2 / (2 * mean)


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=12), st.data())
def test_gini_is_the_mean_difference_of_densities(known, data):
    top = [data.draw(st.integers(0, whole)) for whole in known]
    top[0] = max(top[0], 1)
    found = gini_of_counts(np.array(known), np.array(top))
    assert found == pytest.approx(textbook_gini(known, top), abs=1e-12)
    assert 0 <= found <= 1 - sum(top) / sum(known) + 1e-12


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 5))
def test_gini_is_zero_for_equal_densities(top, factor):
    assert gini_of_counts(np.array(top) * factor, np.array(top)) == pytest.approx(0, abs=1e-12)


def test_gini_is_largest_for_sub_spaces_of_the_top_alone():
    leaves = grow([(0, ((3,), (0, 1, 2, 4)))])
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 0.0})
    table.loc[leaves[0].architecture_indices(), "accuracy_mean"] = 1.0
    assert leaf_numbers(leaves, table, 0.2).gini == pytest.approx(0.8)
    assert leaf_numbers([SubSpace.full()], table, 0.2).gini == 0


@settings(max_examples=20)
@given(st.permutations(range(4)))
def test_gini_does_not_depend_on_the_order(order):
    known, top = np.array([10, 500, 3, 70]), np.array([9, 30, 0, 14])
    assert gini_of_counts(known[order], top[order]) == pytest.approx(gini_of_counts(known, top))


def test_gini_ignores_sub_spaces_without_accuracies():
    table = pd.DataFrame({"architecture": [0, 15624], "accuracy_mean": [1.0, 2.0]})
    assert leaf_numbers(convolution_tree(), table, 0.5).gini == 0


def test_invalid_tables_and_splits_are_refused():
    table = pd.DataFrame({"architecture": [0, 15624], "accuracy_mean": [1.0, 2.0]})
    with pytest.raises(TableError, match="got none"):
        leaf_numbers(convolution_tree(), table[:0])
    with pytest.raises(SpaceError, match="is in none"):
        leaf_numbers(convolution_tree()[:2], table)
