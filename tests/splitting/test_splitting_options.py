import pytest

from fewshot_core.errors import SplittingError
from fewshot_core.space import SubSpace
from fewshot_core.splitting import EDGE_POLICIES, TreeOptions

FULL = SubSpace.full()


def test_without_wishes_the_tree_is_that_of_the_paper():
    options = TreeOptions.create()
    assert options == TreeOptions()
    assert (options.edges, options.groups) == ((0, 1, 2), (2, 2, 2))
    assert (options.balanced, options.policy) == (False, "fixed")


@pytest.mark.parametrize(
    ("edges", "groups", "levels"),
    [
        ([3], 5, (5,)),
        ((0, 5), 3, (3, 3)),
        ((0, 1, 2), (2, 3, 4), (2, 3, 4)),
        (range(6), 2, (2,) * 6),
    ],
)
def test_one_number_of_groups_stands_for_every_level(edges, groups, levels):
    options = TreeOptions.create(edges, groups)
    assert options.edges == tuple(edges)
    assert options.groups == levels


@pytest.mark.parametrize("edges", [[], [0, 0], [6], [-1], [0, 1, 9]])
def test_edges_must_be_distinct_and_exist(edges):
    with pytest.raises(SplittingError, match="one or more distinct edges from 0 to 5") as caught:
        TreeOptions.create(edges)
    assert str(caught.value).endswith(f"got {edges}")


@pytest.mark.parametrize("groups", [(1, 2), (2, 6), (2,), (2, 2, 2), (), (0, 0)])
def test_every_level_needs_two_to_five_groups(groups):
    with pytest.raises(SplittingError, match="expected 2 to 5 groups for each of 2 level") as error:
        TreeOptions.create((0, 1), groups)
    assert str(error.value).endswith(f"got {list(groups)}")


def test_an_unknown_policy_is_refused_with_the_known_ones():
    known = ", ".join(EDGE_POLICIES)
    with pytest.raises(SplittingError, match=f"unknown edge policy 'best': .* one of {known}"):
        TreeOptions.create(policy="best")


def test_fixed_edges_follow_the_levels():
    options = TreeOptions.create((4, 0, 2))
    chosen = [options.edges_to_score((0,) * level, FULL, set(), seed=0) for level in range(3)]
    assert chosen == [[4], [0], [2]]


def test_every_edge_not_split_yet_competes_for_the_gradient_policy():
    options = TreeOptions.create(policy="gradient")
    assert options.edges_to_score((), FULL, set(), seed=0) == [0, 1, 2, 3, 4, 5]
    assert options.edges_to_score((0, 1), FULL, {1, 4}, seed=0) == [0, 2, 3, 5]


def test_an_edge_with_too_few_operations_does_not_compete():
    options = TreeOptions.create(groups=4, policy="gradient")
    narrow = FULL.keep(2, [0, 1, 2])
    assert options.edges_to_score((0,), narrow, {0}, seed=0) == [1, 3, 4, 5]


def test_a_random_edge_depends_on_the_seed_and_the_node_and_was_not_split_yet():
    options = TreeOptions.create((0, 1), policy="random")
    drawn = [options.edges_to_score((), FULL, set(), seed) for seed in range(200)]
    assert drawn == [options.edges_to_score((), FULL, set(), seed) for seed in range(200)]
    counts = [drawn.count([edge]) for edge in range(6)]
    assert sum(counts) == 200 and min(counts) > 15
    below = [options.edges_to_score((seed % 2,), FULL, {3}, seed) for seed in range(200)]
    assert {edge for (edge,) in below} == {0, 1, 2, 4, 5}
    left, right = (
        [options.edges_to_score((side,), FULL, {3}, seed) for seed in range(200)] for side in (0, 1)
    )
    assert left != right


# Fixed: 5 for the root, 2 * 5 below, 4 * 5 below that.
# By gradient: 6 edges at the root, 5 at each of 2 nodes, 4 at each of 4.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (TreeOptions.create(), 5 + 10 + 20),
        (TreeOptions.create(policy="random"), 35),
        (TreeOptions.create(policy="gradient"), 5 * (6 + 2 * 5 + 4 * 4)),
        (TreeOptions.create((0,), 5), 5),
        (TreeOptions.create((0, 1), (3, 2)), 5 + 15),
    ],
)
def test_scorings_are_counted_in_advance(options, expected):
    assert options.scorings() == expected
