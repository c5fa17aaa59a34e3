import json

import pandas as pd
import pytest
from textbook_trees import convolution_tree, random_table

from fewshot_core.analysis import SplitEvaluator, keep_k
from fewshot_core.analysis.informativeness import report_split
from fewshot_core.space import SubSpace

HALVES = [
    SubSpace.from_rows(rows) for rows in (["11000", *["11111"] * 5], ["00111", *["11111"] * 5])
]


def test_a_report_is_plain_numbers():
    table = pd.DataFrame({"architecture": [0, 1], "accuracy_mean": [1.0, 2.0]})
    report = report_split("params", "cifar10", "test", "mine", HALVES, SplitEvaluator(table, 0.5))
    first, second = report["sub_spaces"]
    assert (first["size"], first["top_count"], first["best"], first["mean"]) == (6250, 1, 2.0, 1.5)
    assert (second["best"], second["mean"]) == (None, None)
    assert report["keep_k"] == {name: [2.0] for name in ("oracle", "mean", "size", "random")}
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_a_report_says_what_the_split_tells():
    evaluator, leaves = SplitEvaluator(random_table(0)), convolution_tree()
    report = report_split("params", "cifar10", "test", "mine", leaves, evaluator)
    judged = evaluator.report(leaves)
    assert report["information_gain_bits"] == judged.gain_bits
    assert report["best_tree_bits"] == judged.comparison.best_bits
    low, high = report["random_percentile_interval"]
    assert 0 <= low <= report["random_percentile"] <= high <= 100
    assert report["gini"] == judged.gini
    kept = keep_k(leaves, evaluator.accuracy).query("strategy == 'random'")["best"]
    assert report["keep_k"]["random"] == pytest.approx(kept.tolist())
    assert {len(best) for best in report["keep_k"].values()} == {8}


def test_a_split_without_shape_stands_nowhere():
    left, right = HALVES
    leaves = [left, right.keep(1, [0]), right.keep(1, [1, 2, 3, 4])]
    evaluator = SplitEvaluator(random_table(0))
    report = report_split("own", "cifar10", "test", "mine", leaves, evaluator)
    assert report["best_tree_bits"] is None
    assert report["random_percentile"] is report["random_percentile_interval"] is None
    assert report["information_gain_bits"] > 0
