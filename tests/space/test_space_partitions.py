"""Partitions by labels and by rules."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.errors import SpaceError, UnknownNameError
from fewshot_core.space import (
    NAS_BENCH_201,
    OPERATIONS,
    RULES,
    Architecture,
    ArchitectureSet,
    SubSpace,
    check_partition,
    get_space,
    group_numbers,
    is_partition,
    partition_by_rule,
    partition_csv,
    partition_of,
    partition_of_lists,
    read_partition,
    sub_spaces_of,
)
from tests.random_spaces import make_space

SMALL = make_space((2, 3))


def slow_paths(architecture: Architecture) -> list[list[int]]:
    """List the paths from input to output as edge numbers, by trying all of them."""
    edges = {
        edge: number
        for number, edge in enumerate(NAS_BENCH_201.edges)
        if OPERATIONS[architecture.operations[number]] != "none"
    }
    chains = [(0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3)]
    steps = [[(b, a) for a, b in pairwise(nodes)] for nodes in chains]
    return [[edges[step] for step in path] for path in steps if set(path) <= set(edges)]


@given(st.integers(0, NAS_BENCH_201.size - 1))
def test_rules_equal_their_slow_definitions(index):
    architecture = Architecture.from_index(index)
    paths = slow_paths(architecture)
    convolutions = {n for n, of in enumerate(architecture.operations) if "conv" in OPERATIONS[of]}
    expected = {
        "active-convolutions": len(convolutions & {edge for path in paths for edge in path}),
        "convolutions": len(convolutions),
        "path-depth": max(map(len, paths), default=0),
    }
    assert set(expected) == set(RULES.names()) - {"cost-quantile"}
    for name, number in expected.items():
        assert RULES.get(name).numbers(NAS_BENCH_201, np.empty(0))[index] == number


def test_the_groups_of_a_rule_are_in_order_and_cover_the_space():
    groups = partition_by_rule("active-convolutions")
    assert [group.label for group in groups] == [str(number) for number in range(7)]
    assert [group.size for group in groups] == [1983, 3842, 4272, 3288, 1664, 512, 64]
    check_partition(groups)
    macro = partition_by_rule("convolutions", get_space("nas-bench-macro"))
    assert [group.size for group in macro] == [1, 16, 112, 448, 1120, 1792, 1792, 1024, 256]
    with pytest.raises(SpaceError, match="expected a space of cells"):
        partition_by_rule("path-depth", get_space("nas-bench-macro"))
    with pytest.raises(UnknownNameError, match="expected one of active-convolutions"):
        partition_by_rule("luck")


def test_quantiles_of_a_cost_have_equal_costs_together():
    costs = np.array([5.0, 1.0, 1.0, 9.0, 2.0, 1.0])
    groups = partition_by_rule("cost-quantile", SMALL, costs)
    held = [(group.label, group.architecture_indices().tolist()) for group in groups]
    assert held == [("1", [1, 2, 5]), ("3", [4]), ("4", [0, 3])]
    costs[2] = np.nan
    with pytest.raises(SpaceError, match="a cost of each of 6 architectures"):
        partition_by_rule("cost-quantile", SMALL, costs)


@given(st.lists(st.text(st.characters(categories="LNPS"), max_size=3), min_size=6, max_size=6))
def test_a_partition_is_written_and_read_again(tmp_path_factory, labels):
    groups = partition_of(labels, SMALL)
    path = tmp_path_factory.mktemp("written") / "labels.csv"
    path.write_text(partition_csv(groups), encoding="utf-8")
    assert read_partition(path, SMALL) == groups


def test_groups_that_are_products_are_sub_spaces():
    whole = SubSpace.full(SMALL)
    halves = (whole.keep(0, [0]), whole.keep(0, [1]))
    groups = partition_of([str(number) for number in group_numbers(halves)], SMALL)
    assert is_partition(groups) and not is_partition(halves)
    assert sub_spaces_of(groups) == halves
    with pytest.raises(SpaceError, match="no product of operation sets has no supernets"):
        sub_spaces_of(partition_of(list("aabbba"), SMALL))


def test_lists_of_architectures_are_groups():
    lists = {"b": "00\n01\n\n02\n", "a": "10\n11\n12"}
    assert [group.label for group in partition_of_lists(lists, SMALL)] == ["a", "b"]
    with pytest.raises(SpaceError, match="a, architecture 2: expected an architecture of"):
        partition_of_lists(lists | {"a": "10\n19\n12"}, SMALL)
    with pytest.raises(SpaceError, match="1 are missing and 0 are repeated"):
        partition_of_lists(lists | {"a": "10\n11"}, SMALL)


def genotypes(first: str) -> str:
    """Write all architectures with an operation on the first edge, as few-shot NAS does."""
    return str(
        [
            [
                ((first, 0),),
                ((second, 0), (third, 1)),
                tuple((name, source) for source, name in enumerate(others)),
            ]
            for second, third, *others in product(OPERATIONS, repeat=5)
        ]
    )


def test_lists_of_genotypes_are_the_sub_spaces_of_few_shot_nas():
    groups = partition_of_lists({name: genotypes(name) for name in OPERATIONS})
    whole = SubSpace.full()
    by_name = dict(zip(OPERATIONS, [whole.keep(0, [number]) for number in range(5)], strict=True))
    assert dict(zip([g.label for g in groups], sub_spaces_of(groups), strict=True)) == by_name


def test_a_group_is_compared_by_its_label_and_architectures():
    group = ArchitectureSet("a", np.array([3, 1]), SMALL)
    assert group.size == 2 and group.architecture_indices().tolist() == [1, 3]
    assert group == ArchitectureSet("a", np.array([1, 3]), SMALL)
    assert len({group, ArchitectureSet("b", np.array([1, 3]), SMALL)}) == 2
    with pytest.raises(ValueError, match="read-only"):
        group.architecture_indices()[0] = 5


@pytest.fixture
def labelled(tmp_path):
    """Write a file of labels for a space of six architectures; read it."""

    def read(rows, header="arch,label"):
        path = tmp_path / "labels.csv"
        path.write_text("\n".join([header, *rows]))
        return read_partition(path, SMALL)

    return read


def test_labels_are_read_in_any_order(labelled):
    digits = [f"{first}{second}" for first, second in product("01", "012")]
    rows = [f"{text},{number}" for text, number in zip(digits, (10, 9, 9, 10, 2, 2), strict=True)]
    groups = labelled(reversed(rows))
    assert [(g.label, g.architecture_indices().tolist()) for g in groups] == [
        ("2", [4, 5]),
        ("9", [1, 2]),
        ("10", [0, 3]),
    ]
    words = labelled([f"{text},{'odd' if n % 2 else 'even'}" for n, text in enumerate(digits)])
    assert [group.label for group in words] == ["even", "odd"]


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["00,1"], "arch,group", "expected the columns arch and label, got arch, group"),
        (["00,1", "09,1"], "arch,label", "line 3: expected an architecture of"),
        (["00,1", "00,1"], "arch,label", "5 are missing and 1 are repeated; the first, 00, is"),
        (["00,1"], "arch,label", "5 are missing and 0 are repeated; the first, 01, is there 0"),
    ],
)
def test_a_wrong_file_of_labels_is_refused(labelled, rows, header, message):
    with pytest.raises(SpaceError, match=message):
        labelled(rows, header)


def test_a_partition_of_too_many_groups_is_refused():
    with pytest.raises(SpaceError, match="expected at most 1,000 groups, got 15,625"):
        partition_of(np.arange(NAS_BENCH_201.size))
    with pytest.raises(SpaceError, match="expected a label for each of 6 architectures"):
        partition_of(["a"], SMALL)
