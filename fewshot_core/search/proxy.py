"""Proxy quality: how well accuracies with shared weights rank architectures.

Few-shot NAS (Zhao et al., 2021) reports this of a trained supernet.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.data_folder import write_json
from fewshot_core.documents import read_dataclass, read_document, refusing
from fewshot_core.search.options import SearchError
from fewshot_core.search.records import SHARED as FILE

CONFIDENCE = 0.95

_LEAST = 5
"""Pairs below which there is no interval: the variance of Kendall's tau is 0.437 / (n - 4)."""


@dataclass(frozen=True)
class Correlation:
    """A rank correlation, None where one of the rankings is a single tie, and its interval."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RankCorrelation:
    """Kendall's tau-b and Spearman's rho of some pairs, with intervals of a confidence."""

    kendall: Correlation
    spearman: Correlation
    pairs: int
    confidence: float = CONFIDENCE


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> RankCorrelation:
    """Compute rank correlations of two rankings, with intervals of 95%.

    The intervals go through Fisher's transformation with the variances of Fieller, Hartley and
    Pearson (1957) for tau, 0.437 / (n - 4), and of Bonett and Wright (2000) for rho,
    (1 + rho^2 / 2) / (n - 3). They assume pairs drawn independently. Raises SearchError if there
    are not two rankings of the same two or more finite numbers.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != two.shape or len(one) < 2:
        raise SearchError(f"expected two or more pairs, got shapes {one.shape} and {two.shape}")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise SearchError("expected finite numbers to rank, got some that are not")
    count = len(one)
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        unknown = Correlation(None, None, None)
        return RankCorrelation(unknown, unknown, count)
    from scipy import stats

    tau = float(stats.kendalltau(one, two).statistic)
    rho = float(stats.spearmanr(one, two).statistic)
    return RankCorrelation(
        _with_interval(tau, count, lambda value: 0.437 / (count - 4)),
        _with_interval(rho, count, lambda value: (1 + value**2 / 2) / (count - 3)),
        count,
    )


def _with_interval(value: float, count: int, variance: Callable[[float], float]) -> Correlation:
    if count < _LEAST:
        return Correlation(value, None, None)
    if abs(value) > 1 - 1e-12:
        return Correlation(value, value, value)
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(variance(value))
    centre = math.atanh(value)
    return Correlation(value, math.tanh(centre - reach), math.tanh(centre + reach))


@dataclass(frozen=True)
class SharedAccuracies:
    """Accuracies with shared weights, in percent, of a random sample of architectures (indices).

    They were measured after ``epoch`` epochs, on a number of images that the weights were not
    trained on if they were ``held_out``. Raises SearchError if there are more or fewer of them.
    """

    epoch: int
    seed: int
    images: int
    held_out: bool
    architectures: tuple[int, ...]
    accuracies: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.architectures) != len(self.accuracies):
            raise SearchError(
                f"expected an accuracy for each of {len(self.architectures)} architectures, got "
                f"{len(self.accuracies)}"
            )


def draw(known: np.ndarray[Any, np.dtype[np.int64]], sample: int, seed: int) -> list[int]:
    """Sample architectures without replacement, ascending; all, if there are fewer."""
    count = min(sample, len(known))
    chosen: list[int] = np.random.default_rng(seed).choice(known, count, replace=False).tolist()
    return sorted(chosen)


def read_shared(folder: Path) -> SharedAccuracies:
    """Read the result of a measurement; raises SearchError if the file is damaged."""
    path = folder / FILE
    with refusing(SearchError, str(path), "measure it again"):
        what = "the file of shared accuracies"
        return read_dataclass(SharedAccuracies, read_document(path), what, SearchError)


def write_shared(folder: Path, shared: SharedAccuracies) -> None:
    """Write the result of a measurement to the folder of its run."""
    write_json(folder / FILE, asdict(shared))


def compare(
    shared: SharedAccuracies, table: pd.DataFrame
) -> tuple[RankCorrelation | None, pd.DataFrame]:
    """Compare accuracies with shared weights to those of a table from ``load_accuracy``.

    Returns:
        The rank correlation, or None where the table knows fewer than two of the architectures;
        and columns architecture, shared_accuracy and benchmark_accuracy (percent) of those it
        knows.
    """
    known = table.set_index("architecture")["accuracy_mean"]
    frame = pd.DataFrame(
        {"architecture": shared.architectures, "shared_accuracy": shared.accuracies}
    )
    frame["benchmark_accuracy"] = frame["architecture"].map(known)
    frame = frame.dropna(subset=["benchmark_accuracy"]).reset_index(drop=True)
    if len(frame) < 2:
        return None, frame
    return rank_correlation(frame["shared_accuracy"], frame["benchmark_accuracy"]), frame


def correlation_text(one: Correlation) -> str:
    """Format a correlation with its interval, in words."""
    if one.value is None:
        return "not defined: one of the rankings is a single tie"
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} (interval {one.low:.3f} to {one.high:.3f})"
