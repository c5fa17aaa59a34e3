"""What selection is measured against: everything, chance, and knowing it all beforehand."""

import pandas as pd

from fewshot_core.selection.curves import Curves, as_curves, checked_end
from fewshot_core.selection.judging import judge
from fewshot_core.selection.result import HalvingResult


def train_all(curves: pd.DataFrame | Curves, end: int | None = None) -> HalvingResult:
    """Train all sub-supernets to the end and take the best architecture that any of them finds.

    This is the ceiling, what Tables 1 to 3 of the paper report. To choose by validation accuracy
    after training all, use ``successive_halving`` without milestones or with ``keep=1``: the cost
    is the same.

    Args:
        curves: As for ``successive_halving``.
        end: As for ``successive_halving``.

    Raises:
        SelectionError: If a test accuracy at the end is missing.
    """
    table = as_curves(curves)
    last = checked_end(table, end)
    best = int(table.at("test_accuracy", last).argmax())
    trained = dict.fromkeys(range(len(table.sub_spaces)), last)
    return judge(table, "train_all", last, "test_accuracy", {last: (best,)}, trained)


def oracle(curves: pd.DataFrame | Curves, end: int | None = None) -> HalvingResult:
    """Train only the sub-supernet that finds the best architecture, as if it were known.

    Args:
        curves: As for ``successive_halving``.
        end: As for ``successive_halving``.

    Raises:
        SelectionError: If a test accuracy at the end is missing.
    """
    table = as_curves(curves)
    last = checked_end(table, end)
    best = int(table.at("test_accuracy", last).argmax())
    return judge(table, "oracle", last, "test_accuracy", {0: (best,), last: (best,)}, {best: last})


def one_at_random(curves: pd.DataFrame | Curves, end: int | None = None) -> HalvingResult:
    """Train one sub-supernet, each being as likely as the others: what it finds on average.

    Args:
        curves: As for ``successive_halving``.
        end: As for ``successive_halving``.

    Returns:
        A result without winner, in which accuracy and regret are expected values.

    Raises:
        SelectionError: If a test accuracy at the end is missing.
    """
    table = as_curves(curves)
    last = checked_end(table, end)
    found = table.at("test_accuracy", last)
    ceiling, expected = float(found.max()), float(found.mean())
    best = tuple(
        name for name, value in zip(table.sub_spaces, found, strict=True) if value == ceiling
    )
    return HalvingResult(
        strategy="one_at_random",
        sub_spaces=table.sub_spaces,
        end=last,
        rank_by="",
        survivors={},
        trained={},
        winner=None,
        architecture=None,
        test_accuracy=expected,
        cost=1.0,
        ceiling=ceiling,
        regret=max(0.0, ceiling - expected),
        best=best[0],
        equally_best=best,
        discarded_at=None,
    )
