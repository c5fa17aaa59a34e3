import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.analysis import binary_entropy, information_gain, top_mask
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.space import SubSpace

GAINS = {
    ("gradientmatching", "cifar10"): 0.0144,
    ("gradientmatching", "cifar100"): 0.0128,
    ("gradientmatching", "ImageNet16-120"): 0.0090,
    ("params", "cifar10"): 0.0088,
    ("params", "cifar100"): 0.0086,
    ("params", "ImageNet16-120"): 0.0091,
    ("synflow", "cifar10"): 0.0048,
    ("synflow", "cifar100"): 0.0078,
    ("synflow", "ImageNet16-120"): 0.0086,
}


def slow_entropy(share):
    return sum(-part * math.log2(part) for part in (share, 1 - share) if part > 0)


def slow_gain(leaves, table, threshold):
    top = dict(zip(table["architecture"], top_mask(table["accuracy_mean"], threshold), strict=True))
    gain = slow_entropy(sum(top.values()) / len(top))
    for leaf in leaves:
        inside = [top[index] for index in leaf.architecture_indices().tolist() if index in top]
        if inside:
            gain -= len(inside) / len(top) * slow_entropy(sum(inside) / len(inside))
    return gain


def cut(edge, group):
    rest = set(range(5)) - set(group)
    return [SubSpace.full().keep(edge, group), SubSpace.full().keep(edge, rest)]


@pytest.mark.parametrize(("metric", "dataset"), GAINS)
def test_published_splits(metric, dataset, tables, splits):
    gain = information_gain(splits[metric][dataset], tables[dataset])
    assert round(gain, 4) == GAINS[metric, dataset]
    assert gain == pytest.approx(slow_gain(splits[metric][dataset], tables[dataset], 0.01))


def test_the_entropy_of_the_top():
    assert round(float(binary_entropy(157 / 15625)), 4) == 0.0811
    assert binary_entropy([0, 0.5, 1]).tolist() == [0, 1, 0]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 300),
    st.integers(0, 5),
    st.sets(st.integers(0, 4), min_size=1, max_size=4),
    st.sampled_from([0.01, 0.1, 0.5, 1.0]),
)
def test_it_lies_between_nothing_and_all(seed, known, edge, group, threshold):
    generator = np.random.default_rng(seed)
    chosen = generator.choice(15625, known, replace=False)
    accuracy = generator.integers(0, 30, known).astype(float)
    table = pd.DataFrame({"architecture": chosen, "accuracy_mean": accuracy})
    leaves = cut(edge, group)
    gain = information_gain(leaves, table, threshold)
    share = top_mask(table["accuracy_mean"], threshold).mean()
    assert 0 <= gain <= float(binary_entropy(share)) + 1e-12
    assert gain == pytest.approx(slow_gain(leaves, table, threshold), abs=1e-12)


def test_no_split_tells_nothing_and_a_perfect_one_all():
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 1.0})
    assert information_gain([SubSpace.full()], table) == 0
    leaves = cut(0, [4])
    table["accuracy_mean"] = 0.0
    table.loc[leaves[0].architecture_indices(), "accuracy_mean"] = 1.0
    assert information_gain(leaves, table, 0.2) == pytest.approx(float(binary_entropy(0.2)))


def test_what_cannot_be_computed_is_refused():
    table = pd.DataFrame({"architecture": [0, 15624], "accuracy_mean": [1.0, 2.0]})
    with pytest.raises(SpaceError, match="is in none"):
        information_gain(cut(0, [0])[:1], table)
    with pytest.raises(TableError, match="got none"):
        information_gain([SubSpace.full()], table.iloc[:0])
