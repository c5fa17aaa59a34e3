"""Sub-spaces, and sets of them that cover the space once."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.errors import SpaceError
from fewshot_core.space import Architecture, SubSpace, check_partition

ROWS = ["01110", "11111", "00001", "10000", "11011", "11111"]

patient = settings(max_examples=60)

edge_sets = st.sets(st.integers(0, 4), min_size=1).map(lambda chosen: tuple(sorted(chosen)))

sub_spaces = st.tuples(*[edge_sets] * 6).map(SubSpace)

architectures = st.integers(0, 15624).map(Architecture.from_index)


def slow_indices(sub_space):
    """List the architectures by going through all 15,625 of them."""
    return [
        sum(digit * 5**power for digit, power in zip(digits, range(5, -1, -1), strict=True))
        for digits in itertools.product(range(5), repeat=6)
        if all(row[digit] == "1" for digit, row in zip(digits, sub_space.rows, strict=True))
    ]


def test_the_full_space_has_everything():
    full = SubSpace.full()
    assert full.rows == ["11111"] * 6
    assert full.size == 15625
    np.testing.assert_array_equal(full.architecture_indices(), np.arange(15625))


def test_rows_mark_the_enabled_operations():
    sub_space = SubSpace.from_rows(ROWS)
    assert sub_space.enabled == (
        (1, 2, 3),
        (0, 1, 2, 3, 4),
        (4,),
        (0,),
        (0, 1, 3, 4),
        (0, 1, 2, 3, 4),
    )
    assert sub_space.rows == ROWS
    assert sub_space.size == 3 * 5 * 1 * 1 * 4 * 5
    assert SubSpace.from_rows(tuple(ROWS)) == sub_space


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ["11111"] * 6,
        ["00001", "10000", "00100", "01000", "00010", "00001"],
        ["10001", "11011", "01110", "10101", "00111", "11100"],
    ],
)
def test_indices_agree_with_a_slow_enumeration(rows):
    sub_space = SubSpace.from_rows(rows)
    indices = sub_space.architecture_indices()
    assert indices.dtype == np.int64
    assert indices.tolist() == slow_indices(sub_space)


@patient
@given(sub_spaces)
def test_rows_come_back(sub_space):
    twin = SubSpace.from_rows(sub_space.rows)
    assert twin == sub_space and hash(twin) == hash(sub_space)


@patient
@given(sub_spaces)
def test_indices_are_distinct_ascending_members(sub_space):
    indices = sub_space.architecture_indices()
    assert len(indices) == sub_space.size
    assert (np.diff(indices) > 0).all()
    for index in indices[:: max(1, len(indices) // 50)].tolist():
        assert Architecture.from_index(index) in sub_space


@patient
@given(sub_spaces, architectures)
def test_an_architecture_is_inside_exactly_when_its_index_is_listed(sub_space, architecture):
    listed = architecture.index in sub_space.architecture_indices()
    assert (architecture in sub_space) == listed


@patient
@given(sub_spaces, st.integers(0, 5), st.data())
def test_keeping_some_operations_shrinks_one_edge(sub_space, edge, data):
    enabled = sub_space.enabled[edge]
    kept = data.draw(st.lists(st.sampled_from(enabled), min_size=1))
    smaller = sub_space.keep(edge, kept)
    assert smaller.enabled[edge] == tuple(sorted(set(kept)))
    assert smaller.size * len(enabled) == sub_space.size * len(set(kept))
    assert sub_space.contains(smaller)
    assert smaller.contains(sub_space) == (set(kept) == set(enabled))
    others = [number for number in range(6) if number != edge]
    assert all(smaller.enabled[number] == sub_space.enabled[number] for number in others)


@patient
@given(sub_spaces, st.integers(0, 5), st.data())
def test_the_groups_of_an_edge_divide_the_architectures(sub_space, edge, data):
    enabled = sub_space.enabled[edge]
    group = data.draw(st.sets(st.sampled_from(enabled), min_size=1))
    parts = [part for part in (group, set(enabled) - group) if part]
    found = [sub_space.keep(edge, part).architecture_indices() for part in parts]
    together = np.sort(np.concatenate(found))
    np.testing.assert_array_equal(together, sub_space.architecture_indices())


@patient
@given(sub_spaces, sub_spaces)
def test_containing_means_containing_every_architecture(one, other):
    members = set(one.architecture_indices().tolist())
    assert one.contains(other) == members.issuperset(other.architecture_indices().tolist())
    assert one.contains(one) and SubSpace.full().contains(one)


def test_keep_leaves_the_sub_space_alone():
    full = SubSpace.full()
    full.keep(0, [1])
    assert full == SubSpace.full()


@pytest.mark.parametrize("edge", [-1, 6])
def test_an_edge_that_does_not_exist_is_refused(edge):
    with pytest.raises(SpaceError, match=f"expected an edge from 0 to 5, got {edge}"):
        SubSpace.full().keep(edge, [0])


@pytest.mark.parametrize("operations", [[], [0], [1, 4], [9]])
def test_keeping_disabled_operations_is_an_error(operations):
    sub_space = SubSpace.from_rows(ROWS)
    with pytest.raises(SpaceError) as caught:
        sub_space.keep(0, operations)
    message = str(caught.value)
    assert "edge 1<-0 has the operations [1, 2, 3]: expected at least one of them" in message
    assert message.endswith(f"got {operations}")


@pytest.mark.parametrize("rows", [[], ROWS[:5], [*ROWS, "11111"], "111111", None, 6])
def test_another_number_of_rows_is_refused(rows):
    with pytest.raises(SpaceError, match="expected 6 rows, one for each edge") as caught:
        SubSpace.from_rows(rows)
    assert str(caught.value).endswith(f"got {rows!r}")


@pytest.mark.parametrize("row", ["", "0111", "011100", "0111x", "01 10", 11111, None])
def test_another_row_is_refused_by_its_edge(row):
    with pytest.raises(SpaceError, match="edge 2<-1: expected 5 characters 0 or 1") as caught:
        SubSpace.from_rows([*ROWS[:2], row, *ROWS[3:]])
    assert f"got {row!r}" in str(caught.value)
    assert "none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3" in str(caught.value)


def test_an_edge_without_operations_is_refused():
    with pytest.raises(SpaceError, match="edge 3<-2: expected at least one enabled operation"):
        SubSpace.from_rows([*ROWS[:5], "00000"])


@pytest.mark.parametrize("operations", [(), (5,), (-1, 0), (1, 0), (2, 2)])
def test_wrong_operation_numbers_are_refused(operations):
    with pytest.raises(SpaceError, match="edge 1<-0: expected at least one operation number"):
        SubSpace((operations, *SubSpace.full().enabled[1:]))


def test_another_number_of_edges_is_refused():
    with pytest.raises(SpaceError, match="expected the operations of 6 edges, got 5"):
        SubSpace(SubSpace.full().enabled[1:])


quick = settings(max_examples=40)


def halves(sub_space, edge, group):
    rest = set(sub_space.enabled[edge]) - set(group)
    return [sub_space.keep(edge, group), sub_space.keep(edge, rest)]


@st.composite
def leaves_of_trees(draw):
    """Divide the full space again and again, each part on an edge of its own choice."""
    leaves = [SubSpace.full()]
    for _ in range(draw(st.integers(0, 6))):
        leaf = draw(st.sampled_from([leaf for leaf in leaves if leaf.size > 1]))
        edge = draw(st.sampled_from([e for e in range(6) if len(leaf.enabled[e]) > 1]))
        enabled = leaf.enabled[edge]
        group = draw(st.sets(st.sampled_from(enabled), min_size=1, max_size=len(enabled) - 1))
        leaves.remove(leaf)
        leaves += halves(leaf, edge, group)
    return leaves


@quick
@given(leaves_of_trees())
def test_the_leaves_of_any_tree_pass(leaves):
    check_partition(leaves)


@quick
@given(leaves_of_trees(), st.data())
def test_one_leaf_too_few_is_counted(leaves, data):
    lost = leaves.pop(data.draw(st.integers(0, len(leaves) - 1)))
    with pytest.raises(SpaceError) as caught:
        check_partition(leaves)
    first = Architecture.from_index(int(lost.architecture_indices()[0])).to_string()
    assert f"{lost.size:,} are missing and 0 are in more than one" in str(caught.value)
    assert f"the first, {first}, is in 0" in str(caught.value)


@quick
@given(leaves_of_trees(), st.data())
def test_one_leaf_too_many_is_counted(leaves, data):
    twice = data.draw(st.sampled_from(leaves))
    with pytest.raises(SpaceError) as caught:
        check_partition([*leaves, twice])
    first = Architecture.from_index(int(twice.architecture_indices()[0])).to_string()
    assert f"0 are missing and {twice.size:,} are in more than one" in str(caught.value)
    assert f"the first, {first}, is in 2" in str(caught.value)


def test_gaps_and_overlaps_are_counted_separately():
    full = SubSpace.full()
    with pytest.raises(SpaceError) as caught:
        check_partition([full.keep(0, [0, 1]), full.keep(0, [1, 2, 3])])
    message = str(caught.value)
    assert "expected sub-spaces that cover all 15,625 architectures once" in message
    assert "3,125 are missing and 3,125 are in more than one" in message
    assert message.endswith("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|, is in 2")


def test_no_sub_space_at_all_misses_everything():
    with pytest.raises(SpaceError, match="15,625 are missing and 0 are in more than one"):
        check_partition([])
