"""A split described as plain numbers, for the command line."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fewshot_core.analysis.judging import SplitJudge
from fewshot_core.analysis.keeping import KEEP_STRATEGIES, keep_k
from fewshot_core.analysis.sub_spaces import describe_sub_spaces
from fewshot_core.space import SubSpace


def report_split(
    metric: str,
    dataset: str,
    kind: str,
    table: str,
    leaves: Sequence[SubSpace],
    judge: SplitJudge,
) -> dict[str, Any]:
    """Return what a split tells, and what each of its sub-spaces holds, in their order.

    Args:
        metric: What the split is called.
        dataset: The data set of the accuracies.
        kind: Their kind.
        table: The table that they are from.
        leaves: The sub-spaces.
        judge: Who has the accuracies and the threshold.

    Returns:
        A document for JSON. Information is in bits, random_percentile in percent, accuracies are in
        percent; keep_k has, for each strategy, the best accuracy for k = 1, 2, ... sub-spaces.
        best_tree_bits, random_percentile and random_percentile_interval are None where the split
        has no shape; see ``tree_shape``.

    Raises:
        TableError: If the table has no accuracy, or the threshold is out of range.
        SpaceError: If an architecture of the table is in no sub-space.
    """
    report = judge.report(leaves)
    standing = report.standing
    return {
        "metric": metric,
        "dataset": dataset,
        "accuracy": kind,
        "table": table,
        "threshold": judge.threshold,
        "information_gain_bits": report.gain_bits,
        "best_tree_bits": standing.best_bits if standing else None,
        "random_percentile": standing.percentile if standing else None,
        "random_percentile_interval": (
            [standing.percentile_low, standing.percentile_high] if standing else None
        ),
        "gini": report.gini,
        "optimum_in_best_mean": report.optimum_in_best_mean,
        "keep_k": _keep_k(leaves, judge.accuracy),
        "sub_spaces": _sub_spaces(leaves, judge),
    }


def _keep_k(leaves: Sequence[SubSpace], accuracy: pd.DataFrame) -> dict[str, list[float]]:
    kept = keep_k(leaves, accuracy)
    return {
        strategy: kept.loc[kept["strategy"] == strategy, "best"].to_list()
        for strategy in KEEP_STRATEGIES
    }


def _sub_spaces(leaves: Sequence[SubSpace], judge: SplitJudge) -> list[dict[str, Any]]:
    described = describe_sub_spaces(leaves, judge.accuracy, judge.threshold)
    return [
        {
            "rows": leaf.rows,
            "size": int(row["size"]),
            "top_count": int(row["top_count"]),
            "best": None if pd.isna(row["best"]) else float(row["best"]),
            "mean": None if pd.isna(row["mean"]) else float(row["mean"]),
        }
        for leaf, row in zip(leaves, described.to_dict("records"), strict=True)
    ]
