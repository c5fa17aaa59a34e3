import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.analysis import SplitEvaluator, information_gain, top_mask
from fewshot_core.analysis.estimates import (
    CostLimit,
    cost_text,
    hypervolume,
    join_cost,
    load_cost,
    on_front,
    report_costs,
)
from fewshot_core.bench import PACKAGED_TABLE, list_tables, load_accuracy
from fewshot_core.errors import TableError
from fewshot_core.space import NAS_BENCH_201, partition_by_rule, partition_of

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30)
"""Costs and accuracies with many ties."""


@pytest.fixture(scope="module")
def packaged_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packaged")
    list_tables(folder)
    return folder


def dominated(point, points):
    """The definition: some other is at least as good in both, and better in one."""
    cost, value = point
    return any(c <= cost and v >= value and (c < cost or v > value) for c, v in points)


def columns(points):
    return [float(cost) for cost, _ in points], [float(value) for _, value in points]


@given(POINTS)
def test_a_front_is_that_of_the_definition_ties_included(points):
    expected = [not dominated(point, points) for point in points]
    assert on_front(*columns(points)).tolist() == expected


@given(POINTS, st.integers(0, 7), st.integers(-1, 6))
def test_the_hypervolume_counts_dominated_unit_squares(points, worst_cost, worst_value):
    cells = [
        (cost, value) for cost in range(worst_cost) for value in range(worst_value, 7)
    ]  # each from cost to cost + 1 and value to value + 1
    expected = sum(any(c <= cost and v > value for c, v in points) for cost, value in cells)
    assert hypervolume(*columns(points), (worst_cost, worst_value)) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2)), min_size=1))
def test_every_part_of_a_partition_has_its_own_front(rows):
    space = NAS_BENCH_201
    labels = np.zeros(space.size, dtype=np.int64)
    labels[: len(rows)] = [label for *_, label in rows]
    leaves = partition_of(labels)
    frame = pd.DataFrame(
        {
            "architecture": range(len(rows)),
            "cost": [float(cost) for cost, *_ in rows],
            "accuracy_mean": [float(value) for _, value, _ in rows],
        }
    )
    report = report_costs(frame, leaves)
    names = ["all", *(f"S{number}" for number in range(1, len(leaves) + 1))]
    assert report.table["sub_space"].tolist() == names
    for name, label in zip(names, [None, *sorted(set(labels.tolist()))], strict=True):
        inside = [(c, v) for c, v, of in rows if label in (None, of)]
        of_front = report.fronts[report.fronts["sub_space"] == name]
        found = sorted(zip(of_front["cost"], of_front["accuracy_mean"], strict=True))
        assert found == sorted(point for point in inside if not dominated(point, inside))
    whole = report.table.iloc[0]
    assert report.table["shared"][1:].sum() == whole["front"] == whole["shared"]


def test_a_front_worked_by_hand():
    frame = join_cost(
        pd.DataFrame({"architecture": [0, 1, 2, 3, 4], "cost": [1.0, 2.0, 2.0, 3.0, 5.0]}),
        pd.DataFrame({"architecture": [0, 1, 2, 3, 9], "accuracy_mean": [50.0, 80, 80, 70, 99]}),
    )
    report = report_costs(frame)
    assert report.fronts["architecture"].tolist() == [0, 1, 2]  # the equal ones stay
    assert (report.worst, report.ideal) == ((3.0, 75.0), (1.0, 80.0))
    assert report.table["hypervolume"].tolist() == [pytest.approx(5 / 10)]
    with pytest.raises(TableError, match="a cost and an accuracy, got none"):
        join_cost(
            frame[["architecture", "cost"]],
            pd.DataFrame({"architecture": [7], "accuracy_mean": [1.0]}),
        )


def test_a_limit_restricts_what_is_top(packaged_dir):
    accuracy = load_accuracy("cifar10", data_dir=packaged_dir)
    limit = CostLimit.from_option("parameters=300000", "cifar10", packaged_dir)
    assert limit == CostLimit(PACKAGED_TABLE, "parameters", 300000.0)
    assert str(limit) == "parameters at most 300,000"
    assert CostLimit.from_option(limit.option, "cifar10", packaged_dir) == limit
    kept = limit.restrict(accuracy, "cifar10", packaged_dir)
    cost = load_cost(PACKAGED_TABLE, "parameters", "cifar10", packaged_dir)["cost"]
    within = (cost <= 300_000).to_numpy()
    assert 0 < within.sum() < 15_625
    pd.testing.assert_frame_equal(kept, accuracy[within].reset_index(drop=True))
    leaves = partition_by_rule("convolutions")
    values = accuracy["accuracy_mean"].to_numpy()[within]
    gain = SplitEvaluator(kept).report(leaves).gain_bits
    assert gain == information_gain(leaves, kept)
    numbers = np.concatenate([np.full(leaf.size, i) for i, leaf in enumerate(leaves)])
    member = np.empty(15_625, dtype=int)
    member[np.concatenate([leaf.architecture_indices() for leaf in leaves])] = numbers
    top = top_mask(values)

    def entropy(part):
        shares = np.array([part.mean(), 1 - part.mean()])
        return -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()

    inside = [top[member[within] == i] for i in range(len(leaves))]
    rest = sum(len(part) * entropy(part) for part in inside if len(part)) / within.sum()
    assert gain == pytest.approx(entropy(top) - rest)


def test_an_empty_feasible_set_names_the_range(packaged_dir, tmp_path):
    accuracy = load_accuracy("cifar10", data_dir=packaged_dir)
    limit = CostLimit.from_option("parameters=10", "cifar10", packaged_dir)
    expected = r"has parameters at most 10: it is between 73,306 and 1.53 M; raise the limit"
    with pytest.raises(TableError, match=expected):
        limit.restrict(accuracy, "cifar10", packaged_dir)
    file = tmp_path / "joules.csv"
    file.write_text(f"arch,joules\n{NAS_BENCH_201.format(7)},2\n{NAS_BENCH_201.format(8)},3\n")
    limit = CostLimit.from_option(f"{file}:joules=2.5", "cifar10", packaged_dir)
    assert limit.restrict(accuracy, "cifar10", packaged_dir)["architecture"].tolist() == [7]


@pytest.mark.parametrize("text", ["parameters", "parameters=many", "=3", "parameters=nan"])
def test_a_limit_that_is_none_is_refused(text, packaged_dir):
    with pytest.raises(TableError, match="expected COST=LIMIT"):
        CostLimit.from_option(text, "cifar10", packaged_dir)


def test_an_unknown_cost_names_those_there_are(packaged_dir):
    known = "nasbench201-validation:parameters, nasbench201-validation:latency, "
    with pytest.raises(TableError, match=f"no table has the cost 'watts': expected one of {known}"):
        CostLimit.from_option("watts=3", "cifar10", packaged_dir)


@pytest.mark.parametrize(
    ("cost", "unit", "text"),
    [
        (1_072_000, "", "1.07 M"),
        (2.5e9, "", "2.5 G"),
        (12.345, "ms", "12.3 ms"),
        (0.0153, "s", "0.0153 s"),
    ],
)
def test_costs_are_short(cost, unit, text):
    assert cost_text(cost, unit) == text
