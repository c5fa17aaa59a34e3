"""Whether validation accuracy tells which sub-supernet will find the best architecture."""

from math import factorial

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.errors import SelectionError
from fewshot_core.selection.curves import Curves, Floats, checked_end, curves_by_seed

_COEFFICIENTS = ("kendall", "spearman")


def proxy_correlation(
    curves: pd.DataFrame, end: int | None = None, column: str = "valid_accuracy"
) -> pd.DataFrame:
    """Correlate the order of sub-supernets at each epoch with that of what they find at the end.

    Args:
        curves: Columns sub_space, epoch, valid_accuracy, test_accuracy, optionally seed.
        end: The epoch at which a full run ends; by default the last of each seed's curves.
        column: The proxy: ``"valid_accuracy"``, or ``"valid_loss"``, whose sign is turned.

    Returns:
        One row for each epoch up to the end at which every curve of some seed has a value: epoch,
        kendall (tau-b) and spearman (rho) of the validation accuracy there with the test accuracy
        at the end, as means over seeds; kendall_low, kendall_high, spearman_low and spearman_high,
        the smallest and largest of any seed; seeds (those with a coefficient) and sub_spaces. A
        coefficient is missing where all sub-supernets are equal.

    Raises:
        SelectionError: If there are fewer than two sub-spaces, or the curves are damaged.
    """
    tables = curves_by_seed(curves)
    parts = [_of_one(table, checked_end(table, end), column) for table in tables.values()]
    found = pd.concat(parts, ignore_index=True).groupby("epoch", sort=True)
    columns: dict[str, pd.Series] = {}
    for name in _COEFFICIENTS:
        values = found[name]
        columns |= {name: values.mean(), f"{name}_low": values.min(), f"{name}_high": values.max()}
    columns |= {"seeds": found["kendall"].count(), "sub_spaces": found["sub_spaces"].min()}
    return pd.DataFrame(columns).reset_index()


def random_kendall_interval(count: int, level: float = 0.05) -> float | None:
    """Return from where on a Kendall tau is unlikely to be chance.

    Args:
        count: How many sub-supernets are ordered, without ties.
        level: The probability that counts as unlikely.

    Returns:
        The smallest value that the absolute tau of two random orders reaches or exceeds with at
        most that probability, exactly; None where even identical orders are likelier than that.
    """
    pairs = count * (count - 1) // 2
    orders = _orders_by_inversions(count)
    for inversions in range(pairs // 2, -1, -1):
        if 2 * sum(orders[: inversions + 1]) / factorial(count) <= level:
            return (pairs - 2 * inversions) / pairs if pairs else None
    return None


def kendall_tau(values: Floats, target: Floats) -> Floats:
    """Return tau-b of every column of an array with a target.

    Args:
        values: Shape (n, m).
        target: Shape (n,).

    Returns:
        Shape (m,); NaN where a column or the target is constant.
    """
    signs, wanted = _signs(values), _signs(target[:, None])
    agreement = (signs * wanted).sum(axis=(0, 1))
    pairs = (signs**2).sum(axis=(0, 1)) * (wanted**2).sum(axis=(0, 1))
    return _divide(agreement, np.sqrt(pairs))


def spearman_rho(values: Floats, target: Floats) -> Floats:
    """Return Spearman's rho of every column with a target; shapes as for ``kendall_tau``."""
    # An average rank, less its mean, is half the sum of the signs of all differences.
    ranks, wanted = _signs(values).sum(axis=1), _signs(target[:, None]).sum(axis=1)
    agreement = (ranks * wanted).sum(axis=0)
    return _divide(agreement, np.sqrt((ranks**2).sum(axis=0) * (wanted**2).sum(axis=0)))


def _of_one(curves: Curves, end: int, column: str) -> pd.DataFrame:
    count = len(curves.sub_spaces)
    if count < 2:
        raise SelectionError(
            f"expected at least two sub-spaces to put in order, got {curves.sub_spaces[0]} alone"
        )
    target = curves.at("test_accuracy", end)
    values = curves.column(column) * (-1 if column == "valid_loss" else 1)
    usable = ~np.isnan(values).any(axis=0) & (curves.epochs <= end)
    return pd.DataFrame(
        {
            "epoch": curves.epochs[usable],
            "kendall": kendall_tau(values[:, usable], target),
            "spearman": spearman_rho(values[:, usable], target),
            "sub_spaces": count,
        }
    )


def _signs(values: Floats) -> Floats:
    """Return which of each pair is larger: of shape (n, m), the signs of shape (n, n, m)."""
    signs: Floats = np.sign(values[:, None] - values[None, :])
    return signs


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    quotient: Floats = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def _orders_by_inversions(count: int) -> list[int]:
    """Return how many orders of ``count`` things have each number of inversions."""
    orders: npt.NDArray[np.object_] = np.array([1], dtype=object)
    for size in range(2, count + 1):
        orders = np.convolve(orders, np.ones(size, dtype=object))
    return [int(number) for number in orders]
