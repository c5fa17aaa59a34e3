from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from textbook_trees import CONVOLUTION, convolution_tree, grow, random_table

from fewshot_core.analysis import (
    SplitEvaluator,
    best_tree,
    describe_sub_spaces,
    gini,
    information_gain,
    random_percentile,
    random_trees,
    report_frame,
    split_report,
)
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.space import SubSpace
from fewshot_core.splitting import TreeOptions

LEFT, RIGHT = grow([(0, CONVOLUTION)])
WITHOUT_SHAPE = [
    *(LEFT.keep(1, group) for group in CONVOLUTION),
    *(RIGHT.keep(2, group) for group in CONVOLUTION),
]


def test_a_report_says_what_the_functions_say():
    table, leaves = random_table(0), convolution_tree()
    report = SplitEvaluator(table, 0.02, random_trees=500, seed=3).report(leaves)
    assert report.sub_spaces == 8
    assert report.threshold == 0.02
    assert report.gain_bits == information_gain(leaves, table, 0.02)
    assert report.gini == gini(leaves, table, 0.02)
    comparison, gains = report.comparison, random_trees(table, 500, threshold=0.02, seed=3)
    best = best_tree(table, threshold=0.02).gain_bits
    assert comparison.best_bits == best
    assert comparison.share_of_best == report.gain_bits / best
    assert comparison.random_trees == 500
    assert comparison.random_mean_bits == pytest.approx(gains.mean())
    stands = random_percentile(report.gain_bits, gains)
    assert astuple(stands) == (
        comparison.percentile,
        comparison.percentile_low,
        comparison.percentile_high,
    )


def test_the_published_fault_hid_a_split_that_is_close_to_the_best(tables, splits):
    for dataset, table in tables.items():
        evaluator = SplitEvaluator(table)
        named = {metric: of_metric[dataset] for metric, of_metric in splits.items()}
        frame = report_frame(named | {"ours": convolution_tree()}, evaluator).set_index("split")
        assert frame.index[0] == "ours"
        assert frame.loc["ours", "percentile_low"] > 98
        assert frame.loc["params", "percentile_high"] < 90
        assert frame["top_entropy_bits"].round(4).tolist() == [0.0811] * 4


def test_the_optimum_of_a_published_split_is_not_where_the_mean_is_best(tables, splits):
    leaves, table = splits["gradientmatching"]["ImageNet16-120"], tables["ImageNet16-120"]
    report, described = split_report(leaves, table), describe_sub_spaces(leaves, table)
    described = described.set_index("sub_space")
    assert report.optimum == (described["best"].idxmax(),)
    assert report.best_mean == (described["mean"].idxmax(),)
    assert report.optimum != report.best_mean and not report.optimum_in_best_mean


def test_an_optimum_in_several_sub_spaces_is_in_all_of_them():
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 1.0})
    report = split_report(grow([(0, CONVOLUTION)]), table)
    assert report.optimum == report.best_mean == ("S1", "S2")
    assert report.optimum_in_best_mean
    assert (report.gain_bits, report.gini) == (0, 0)
    assert report.comparison.best_bits == 0 and report.comparison.share_of_best is None
    assert report.comparison.percentile == 50


def test_a_split_without_shape_stands_nowhere():
    report = split_report(WITHOUT_SHAPE, random_table(1))
    assert report.comparison is None
    assert report.gain_bits > 0
    frame = report_frame({"a": WITHOUT_SHAPE}, SplitEvaluator(random_table(1)))
    assert frame[["best_bits", "percentile", "random_trees"]].isna().all(axis=None)


def test_what_splits_of_a_shape_have_in_common_is_computed_once():
    evaluator = SplitEvaluator(random_table(2), random_trees=50)
    first = evaluator.chance(TreeOptions())
    evaluator.report(convolution_tree())
    assert evaluator.chance(TreeOptions((0, 1, 2), (2, 2, 2))) is first
    assert evaluator.chance(TreeOptions((2, 1), (2, 2))) is not first
    assert first.shape == TreeOptions()
    assert len(first.gains) == 50 and (np.diff(first.gains) >= 0).all()


def test_reports_are_sorted_by_what_splits_tell():
    evaluator = SplitEvaluator(random_table(3), random_trees=50)
    named = {
        "one": grow([(0, CONVOLUTION)]),
        "three": convolution_tree(),
        "other": WITHOUT_SHAPE,
        "all": [SubSpace.full()],
    }
    frame = report_frame(named, evaluator)
    assert frame["gain_bits"].is_monotonic_decreasing
    assert set(frame["split"]) == set(named)
    assert frame.set_index("split").loc["all", "gain_bits"] == 0
    assert frame.dtypes[["gain_bits", "percentile", "best_bits"]].tolist() == ["float64"] * 3
    empty = report_frame({}, evaluator)
    assert empty.empty and list(empty.columns) == list(frame.columns)


def test_incomplete_tables_are_judged_by_what_is_known():
    table = random_table(4, 300)
    report = split_report(convolution_tree(), table, 0.1)
    assert report.comparison.best_bits >= report.gain_bits
    assert report.optimum


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(TableError, match="got none"):
        split_report(convolution_tree(), random_table(0)[:0])
    with pytest.raises(TableError, match="above 0 and at most 1"):
        split_report(convolution_tree(), random_table(0), 2)
    with pytest.raises(SpaceError, match="is in none"):
        split_report(convolution_tree()[1:], random_table(0))
