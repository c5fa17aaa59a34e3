import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.errors import SpaceError
from fewshot_core.space import Architecture, SubSpace, check_partition

patient = settings(max_examples=40, deadline=None)


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


@patient
@given(leaves_of_trees())
def test_the_leaves_of_any_tree_pass(leaves):
    check_partition(leaves)


@patient
@given(leaves_of_trees(), st.data())
def test_one_leaf_too_few_is_counted(leaves, data):
    lost = leaves.pop(data.draw(st.integers(0, len(leaves) - 1)))
    with pytest.raises(SpaceError) as caught:
        check_partition(leaves)
    first = Architecture.from_index(int(lost.architecture_indices()[0])).to_string()
    assert f"{lost.size:,} are missing and 0 are in more than one" in str(caught.value)
    assert f"the first, {first}, is in 0" in str(caught.value)


@patient
@given(leaves_of_trees(), st.data())
def test_one_leaf_too_many_is_counted(leaves, data):
    twice = data.draw(st.sampled_from(leaves))
    with pytest.raises(SpaceError) as caught:
        check_partition([*leaves, twice])
    first = Architecture.from_index(int(twice.architecture_indices()[0])).to_string()
    assert f"0 are missing and {twice.size:,} are in more than one" in str(caught.value)
    assert f"the first, {first}, is in 2" in str(caught.value)


def test_gaps_and_overlaps_are_counted_apart():
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
