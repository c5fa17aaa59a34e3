"""The baseline ``random``: each grouping has the same probability; the seed decides."""

from collections import Counter
from itertools import product

import pytest
from scipy.stats import chi2

from fewshot_core.space import SubSpace
from fewshot_core.splitting import partition, set_partitions, split
from fewshot_core.splitting.split import random_groups

FULL = SubSpace.full()
DRAWS = 300


def draw(supernet, edge, seed, groups=2, balanced=False):
    scores = random_groups(supernet.sub_space, edge, groups, balanced, seed)
    chosen = partition(scores.similarity, groups, balanced)
    assert not scores.degenerate and chosen.ties == () and chosen.cut == 0
    return chosen.groups


def surprise(counts, draws):
    """Return the probability of counts at least this uneven, were all kinds equally likely."""
    expected = draws / len(counts)
    statistic = sum((count - expected) ** 2 / expected for count in counts)
    return float(chi2.sf(statistic, len(counts) - 1))


@pytest.mark.parametrize(
    ("edge", "groups", "balanced", "kinds"),
    [(0, 2, False, 15), (5, 2, True, 10), (1, 3, False, 25), (2, 5, False, 1)],
)
def test_all_groupings_are_equally_likely(edge, groups, balanced, kinds, small):
    counts = Counter(draw(small, edge, seed, groups, balanced) for seed in range(DRAWS))
    assert set(counts) == set(set_partitions(5, groups, balanced))
    assert len(counts) == kinds
    assert surprise(counts.values(), DRAWS) > 1e-4


def test_the_nodes_of_a_tree_draw_independently(small):
    below = small.restrict(FULL.keep(0, [1, 3]))
    drawn = Counter((draw(small, 0, seed), draw(below, 1, seed)) for seed in range(DRAWS))
    pairs = list(product(set_partitions(5, 2), repeat=2))
    assert surprise([drawn[pair] for pair in pairs], DRAWS) > 1e-4


def test_edges_and_sub_spaces_draw_differently(small):
    edges = {tuple(draw(small, edge, seed) for seed in range(8)) for edge in range(6)}
    assert len(edges) == 6
    halves = [small.restrict(FULL.keep(1, part)) for part in ([0, 1], [2, 3, 4])]
    assert len({tuple(draw(half, 0, seed) for seed in range(8)) for half in halves}) == 2


def test_a_seed_decides_the_tree(small):
    one, two, other = (split("random", small, None, seed=seed) for seed in (3, 3, 4))
    assert one.leaves == two.leaves
    assert one.leaves != other.leaves
    assert not one.degenerate
