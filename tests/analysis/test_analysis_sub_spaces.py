import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import (
    architectures_of,
    describe_sub_spaces,
    sub_space_numbers,
    top_architectures,
    top_mask,
    top_threshold,
)
from fewshot_core.space import Architecture, SubSpace

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
    numbers = sub_space_numbers(leaves)
    assert np.bincount(numbers).tolist() == [leaf.size for leaf in leaves]
    assert (sub_space_numbers(leaves[:1]) == -1).sum() == 15500
