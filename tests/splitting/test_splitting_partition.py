"""The grouping with the smallest cut, and all groupings there are."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fewshot_core.errors import SplittingError
from fewshot_core.splitting import partition, rank_candidates, set_partitions

patient = settings(max_examples=80)


def minus_distance(*scores):
    return [[-abs(one - two) for two in scores] for one in scores]


def alike(*groups, within=1.0, between=0.1):
    """Return cosines that are large inside some groups and small between them."""
    count = sum(map(len, groups))
    return [
        [
            within if any({row, column} <= set(group) for group in groups) else between
            for column in range(count)
        ]
        for row in range(count)
    ]


def as_sets(grouping):
    return frozenset(map(frozenset, grouping))


def slow_candidates(matrix, groups, balanced):
    """Label the operations in every way and add up the pairs with different labels."""
    count = len(matrix)
    found = {}
    for labels in itertools.product(range(groups), repeat=count):
        sizes = [labels.count(label) for label in range(groups)]
        if min(sizes) == 0 or (balanced and max(sizes) - min(sizes) > 1):
            continue
        pairs = itertools.combinations(range(count), 2)
        cut = sum(matrix[one][two] for one, two in pairs if labels[one] != labels[two])
        members = [
            [item for item in range(count) if labels[item] == label] for label in range(groups)
        ]
        found[as_sets(members)] = cut
    return found


@st.composite
def questions(draw, largest=6):
    """Draw a symmetric matrix of whole numbers, so that equal cuts are exactly equal."""
    count = draw(st.integers(2, largest))
    spread = draw(st.sampled_from([1, 3, 1000]))
    pairs = list(itertools.combinations(range(count), 2))
    values = draw(st.lists(st.integers(-spread, spread), min_size=len(pairs), max_size=len(pairs)))
    matrix = np.zeros((count, count))
    for (one, two), value in zip(pairs, values, strict=True):
        matrix[one, two] = matrix[two, one] = value
    return matrix, draw(st.integers(2, min(count, 5))), draw(st.booleans())


# Five scores: the sum of the distances between the groups is largest.
# 0 1 2 3 10: {4} alone has 10 + 9 + 8 + 7 = 34, {3, 4} has (3 + 2 + 1) + (10 + 9 + 8) = 33.
# 0 0 0 9 10: {3, 4} has 27 + 30 = 57, {4} alone 30 + 1 = 31.
# 7 0 7 0 7: {1, 3} has 2 * 3 * 7 = 42, one of them alone 21.
# 1 0 0 0 -1: both ends together have 3 + 3 = 6, one end alone 1 + 1 + 1 + 2 = 5.
@pytest.mark.parametrize(
    ("scores", "groups", "cut"),
    [
        ((0, 1, 2, 3, 10), ((4,), (0, 1, 2, 3)), -34),
        ((0, 0, 0, 9, 10), ((3, 4), (0, 1, 2)), -57),
        ((7, 0, 7, 0, 7), ((1, 3), (0, 2, 4)), -42),
        ((1, 0, 0, 0, -1), ((0, 4), (1, 2, 3)), -6),
    ],
)
def test_like_scores_stay_together(scores, groups, cut):
    chosen = partition(minus_distance(*scores))
    assert (chosen.groups, chosen.cut, chosen.ties) == (groups, cut, ())


def test_like_gradients_stay_together():
    chosen = partition(alike({0, 1, 4}, {2, 3}))
    assert chosen.groups == ((2, 3), (0, 1, 4))
    assert chosen.cut == pytest.approx(6 * 0.1)
    assert chosen.ties == ()


def test_opposite_gradients_are_separated():
    chosen = partition(alike({1}, {0, 2, 3, 4}, within=0.2, between=-0.9))
    assert chosen.groups == ((1,), (0, 2, 3, 4))
    assert chosen.cut == pytest.approx(4 * -0.9)


# 0 0 10 10 30 into three: {4}, {0, 1}, {2, 3} has 2 * 30 + 2 * 20 + 4 * 10 = 140.
# Into four, one of the two pairs of equals stays together: the other pair could as well.
# Into five there is no choice: 2 * 30 + 2 * 20 + 4 * 10 = 140 again.
@pytest.mark.parametrize(
    ("groups", "expected", "ties"),
    [
        (3, ((4,), (0, 1), (2, 3)), 0),
        (4, ((0,), (1,), (4,), (2, 3)), 1),
        (5, ((0,), (1,), (2,), (3,), (4,)), 0),
    ],
)
def test_more_groups(groups, expected, ties):
    chosen = partition(minus_distance(0, 0, 10, 10, 30), groups)
    assert chosen.groups == expected
    assert chosen.cut == -140
    assert len(chosen.ties) == ties


def test_balanced_groups_differ_by_one_at_most():
    scores = minus_distance(0, 1, 2, 3, 10)
    assert partition(scores).groups == ((4,), (0, 1, 2, 3))
    balanced = partition(scores, balanced=True)
    assert balanced.groups == ((3, 4), (0, 1, 2))
    assert balanced.cut == -33


# All pairs alike: one operation alone cuts four pairs, two cut six. So all five that are alone tie.
def test_a_tie_is_reported_and_decided_by_the_first():
    chosen = partition(np.full((5, 5), 0.5))
    assert chosen.groups == ((0,), (1, 2, 3, 4))
    assert chosen.cut == 2.0
    assert chosen.ties == tuple(
        ((alone,), tuple(other for other in range(5) if other != alone)) for alone in range(1, 5)
    )


# 1, 2 and 3 are alike (1), 0 and 4 unlike each of them (-1): {0, 4} has 6 * -1, one of them alone
# 3 * -1 and the similarity of 0 and 4. Where that is -7, {0} and {4} both have -10; {0, 1}, say,
# has only -1 - 1 - 7 + 1 + 1 - 1 = -8.
def test_a_tie_of_two():
    matrix = np.ones((5, 5))
    for alone in (0, 4):
        matrix[alone, :] = matrix[:, alone] = -1
    matrix[0, 4] = matrix[4, 0] = 5
    chosen = partition(matrix)
    assert chosen.groups == ((0, 4), (1, 2, 3)) and chosen.cut == -6 and chosen.ties == ()
    matrix[0, 4] = matrix[4, 0] = -7
    chosen = partition(matrix)
    assert chosen.groups == ((0,), (1, 2, 3, 4)) and chosen.cut == -10
    assert chosen.ties == (((4,), (0, 1, 2, 3)),)


@pytest.mark.parametrize(("nudge", "ties"), [(1e-7, 4), (-1e-7, 4), (1e-5, 3), (-1e-5, 0)])
def test_cuts_within_a_millionth_are_a_tie(nudge, ties):
    matrix = np.full((5, 5), 0.5)
    for other in range(4):
        matrix[4, other] = matrix[other, 4] = 0.5 * (1 + nudge)
    assert len(partition(matrix).ties) == ties


def test_rounding_does_not_hide_a_tie_at_zero():
    sum_of_two = 0.1 + 0.2
    matrix = [[0, -0.3, sum_of_two], [-0.3, 0, 0.3], [sum_of_two, 0.3, 0]]
    assert sum_of_two - 0.3 != 0
    chosen = partition(matrix)
    assert chosen.groups == ((0,), (1, 2)) and chosen.ties == (((1,), (0, 2)),)


@patient
@given(questions())
def test_the_chosen_cut_is_the_smallest(question):
    matrix, groups, balanced = question
    chosen = partition(matrix, groups, balanced)
    expected = slow_candidates(matrix, groups, balanced)
    smallest = min(expected.values())
    assert chosen.cut == smallest
    attained = {as_sets(grouping) for grouping in (chosen.groups, *chosen.ties)}
    assert attained == {grouping for grouping, cut in expected.items() if cut == smallest}
    assert len(attained) == 1 + len(chosen.ties)


@patient
@given(questions())
def test_all_candidates_are_ranked(question):
    matrix, groups, balanced = question
    candidates = rank_candidates(matrix, groups, balanced)
    cuts = [candidate.cut for candidate in candidates]
    assert cuts == sorted(cuts)
    found = {as_sets(candidate.groups): candidate.cut for candidate in candidates}
    assert found == slow_candidates(matrix, groups, balanced)
    assert len(found) == len(candidates)


@patient
@given(questions())
def test_groups_divide_the_operations(question):
    matrix, groups, balanced = question
    chosen = partition(matrix, groups, balanced)
    for grouping in (chosen.groups, *chosen.ties):
        assert sorted(itertools.chain(*grouping)) == list(range(len(matrix)))
        assert len(grouping) == groups and all(grouping)
        assert list(grouping) == sorted(grouping, key=lambda group: (len(group), group))
        sizes = list(map(len, grouping))
        assert not balanced or max(sizes) - min(sizes) <= 1


@patient
@given(questions(), st.randoms(use_true_random=False))
def test_renaming_the_operations_renames_the_groups(question, chance):
    matrix, groups, balanced = question
    chosen = partition(matrix, groups, balanced)
    names = list(range(len(matrix)))
    chance.shuffle(names)
    renamed = partition(matrix[np.ix_(names, names)], groups, balanced)
    assert renamed.cut == chosen.cut
    back = {
        as_sets([[names[item] for item in group] for group in grouping])
        for grouping in (renamed.groups, *renamed.ties)
    }
    assert back == {as_sets(grouping) for grouping in (chosen.groups, *chosen.ties)}
    assume(not chosen.ties)
    assert back == {as_sets(chosen.groups)}


@patient
@given(questions(), st.sampled_from([1e-9, 0.3, 1e9]))
def test_the_unit_of_the_scores_does_not_matter(question, unit):
    matrix, groups, balanced = question
    chosen = partition(matrix, groups, balanced)
    scaled = partition(matrix * unit, groups, balanced)
    assert (scaled.groups, scaled.ties) == (chosen.groups, chosen.ties)


@pytest.mark.parametrize("diagonal", [5.0, np.nan, np.inf])
def test_the_diagonal_does_not_count(diagonal):
    matrix = np.array(minus_distance(0, 0, 0, 9, 10), dtype=float)
    np.fill_diagonal(matrix, diagonal)
    assert partition(matrix) == partition(minus_distance(0, 0, 0, 9, 10))


@pytest.mark.parametrize("groups", [2, 3, 4, 5])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_similarity_that_is_not_finite_makes_all_groupings_equal(value, groups):
    matrix = np.array(minus_distance(0, 0, 0, 9, 10), dtype=float)
    matrix[1, 3] = matrix[3, 1] = value
    chosen = partition(matrix, groups)
    assert np.isnan(chosen.cut)
    assert (chosen.groups, *chosen.ties) == set_partitions(5, groups)


@pytest.mark.parametrize(
    "matrix", [[], [1, 2], 3, [[1, 2, 3], [2, 1, 3]], np.zeros((2, 2, 2)), [[1, 2], [2]], [["a"]]]
)
def test_a_matrix_that_is_not_square_is_refused(matrix):
    with pytest.raises(SplittingError, match="expected a square"):
        partition(matrix)


@pytest.mark.parametrize("wrong", [0.1, -1.0, np.nan, np.inf])
def test_a_matrix_that_is_not_symmetric_is_refused(wrong):
    matrix = np.eye(5)
    matrix[1, 2], matrix[2, 1] = 1.0, wrong
    with pytest.raises(SplittingError, match="expected a symmetric similarity matrix"):
        partition(matrix)


@pytest.mark.parametrize(("count", "groups"), [(1, 2), (4, 5), (5, 6), (5, 0), (5, -1)])
def test_an_impossible_number_of_groups_is_refused(count, groups):
    with pytest.raises(SplittingError) as caught:
        partition(np.zeros((count, count)), groups)
    expected = f"expected 1 to {count} groups for {count} operations, got {groups}"
    assert str(caught.value) == expected


def stirling(count, groups):
    """Return the Stirling number of the second kind, from its closed form."""
    terms = (
        (-1) ** (groups - chosen) * math.comb(groups, chosen) * chosen**count
        for chosen in range(groups + 1)
    )
    return sum(terms) // math.factorial(groups)


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
def test_an_impossible_number_of_sets_is_refused(count, groups):
    with pytest.raises(SplittingError, match=f"expected 1 to {count} groups .* got {groups}"):
        set_partitions(count, groups)
