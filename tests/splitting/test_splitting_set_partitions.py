import math

import pytest

from fewshot_core.errors import SplittingError
from fewshot_core.splitting import set_partitions


def stirling(count, groups):
    """Return the Stirling number of the second kind, from its closed form."""
    terms = (
        (-1) ** (groups - chosen) * math.comb(groups, chosen) * chosen**count
        for chosen in range(groups + 1)
    )
    return sum(terms) // math.factorial(groups)


def as_sets(grouping):
    return frozenset(map(frozenset, grouping))


CASES = [(count, groups) for count in range(1, 8) for groups in range(1, count + 1)]


@pytest.mark.parametrize(("count", "groups"), CASES)
def test_there_are_as_many_as_the_stirling_number_and_all_are_different(count, groups):
    found = set_partitions(count, groups)
    assert len(found) == len(set(map(as_sets, found))) == stirling(count, groups)
    for grouping in found:
        assert len(grouping) == groups and all(grouping)
        assert sorted(item for group in grouping for item in group) == list(range(count))


def test_five_operations_have_the_numbers_of_the_paper():
    assert [len(set_partitions(5, groups)) for groups in (2, 3, 4, 5)] == [15, 25, 10, 1]


# Five into two: choose the smaller group of two, 10. Into three: one alone, then two pairs, 5 * 3.
# Into four: one pair, 10. Six into two: half of 20.
@pytest.mark.parametrize(
    ("count", "groups", "expected"), [(5, 2, 10), (5, 3, 15), (5, 4, 10), (5, 5, 1), (6, 2, 10)]
)
def test_balanced_ones_are_those_whose_sizes_differ_by_one_at_most(count, groups, expected):
    balanced = set_partitions(count, groups, True)
    assert len(balanced) == expected
    within_one = [
        grouping
        for grouping in set_partitions(count, groups)
        if max(map(len, grouping)) - min(map(len, grouping)) <= 1
    ]
    assert list(balanced) == within_one


def test_smaller_groups_come_first_in_each_and_among_them():
    assert set_partitions(3, 2) == (((0,), (1, 2)), ((1,), (0, 2)), ((2,), (0, 1)))
    assert set_partitions(5, 2)[4:6] == (((4,), (0, 1, 2, 3)), ((0, 1), (2, 3, 4)))


@pytest.mark.parametrize(("count", "groups"), [(3, 4), (3, 0), (3, -1), (0, 1)])
def test_an_impossible_number_of_groups_is_refused(count, groups):
    with pytest.raises(SplittingError, match=f"expected 1 to {count} groups .* got {groups}"):
        set_partitions(count, groups)
