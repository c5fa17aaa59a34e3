"""How good an estimate of accuracy is: over a space, in the sub-spaces of a split, between them.

An estimate is what a supernet, a zero-cost metric or a short training says about an architecture;
larger is better. Correlations of whole tables have no sampling error: their intervals say how far a
ranking of so many architectures, drawn at random from a larger space, would be from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core.analysis.sub_spaces import positions, sub_space_names, top_mask
from fewshot_core.errors import TableError
from fewshot_core.search.proxy import RankCorrelation, rank_correlation
from fewshot_core.space import Part


@dataclass(frozen=True)
class EstimateReport:
    """An estimate over a whole space.

    Attributes:
        known: Architectures with an estimate and an accuracy.
        overall: Rank correlations over all of them.
        top: Those among the top ones by accuracy; None where there are fewer than two.
        picked: Architectures (indices) with the highest estimate: several where it is a tie.
        regret: The best accuracy minus that of the picked one, in the unit of the table; the mean
            over a tie.
    """

    known: int
    overall: RankCorrelation
    top: RankCorrelation | None
    picked: tuple[int, ...]
    regret: float


@dataclass(frozen=True, eq=False)
class SplitEstimate:
    """An estimate in the sub-spaces of a split.

    Attributes:
        sub_spaces: A row for each, with the columns sub_space, known, tau, tau_low, tau_high, rho,
            rho_low, rho_high (missing where not defined), estimate (the highest), offered (the
            accuracy of the architecture with it; the mean over a tie), best (accuracy) and regret
            (best minus offered). Sub-spaces without a known architecture have only missing values.
        between: Rank correlations, over sub-spaces, of the highest estimate with the accuracy of
            the architecture that has it; None for fewer than two sub-spaces.
        regret: The best accuracy of all minus that of the sub-space with the highest estimate; the
            mean over a tie.
    """

    sub_spaces: pd.DataFrame
    between: RankCorrelation | None
    regret: float


def join_estimate(estimate: pd.DataFrame, accuracy: pd.DataFrame) -> pd.DataFrame:
    """Join an estimate with accuracies.

    ``estimate`` has the columns architecture and estimate, ``accuracy`` is what ``load_accuracy``
    returns.

    Returns:
        Columns architecture, estimate and accuracy_mean of the architectures that have both.

    Raises:
        TableError: If there are fewer than two.
    """
    known = accuracy[["architecture", "accuracy_mean"]].dropna()
    frame = estimate[["architecture", "estimate"]].dropna().merge(known, on="architecture")
    if len(frame) < 2:
        raise TableError(
            f"expected two or more architectures with an estimate and an accuracy, got {len(frame)}"
        )
    return frame.sort_values("architecture", ignore_index=True)


def judge_estimate(frame: pd.DataFrame, threshold: float = 0.01) -> EstimateReport:
    """Compare an estimate with accuracies; the frame is what ``join_estimate`` returns."""
    best = frame["accuracy_mean"].max()
    picked = frame[frame["estimate"] == frame["estimate"].max()]
    top = frame[top_mask(frame["accuracy_mean"].to_numpy(), threshold)]
    return EstimateReport(
        known=len(frame),
        overall=rank_correlation(frame["estimate"], frame["accuracy_mean"]),
        top=_correlation(top["estimate"], top["accuracy_mean"]),
        picked=tuple(picked["architecture"].tolist()),
        regret=float(best - picked["accuracy_mean"].mean()),
    )


def judge_in_split(frame: pd.DataFrame, leaves: Sequence[Part]) -> SplitEstimate:
    """Compare an estimate with accuracies in each sub-space of a split, and between them."""
    member = positions(leaves, frame["architecture"].to_numpy())
    rows = [
        {"sub_space": name, **_row(frame[member == position])}
        for position, name in enumerate(sub_space_names(len(leaves)))
    ]
    table = pd.DataFrame(rows)
    filled = table.dropna(subset=["estimate"])
    chosen = filled[filled["estimate"] == filled["estimate"].max()]
    between = _correlation(filled["estimate"], filled["offered"])
    regret = float(filled["best"].max() - chosen["best"].mean())
    return SplitEstimate(table, between, regret)


def _row(inside: pd.DataFrame) -> dict[str, Any]:
    """Describe the estimate in one sub-space."""
    row: dict[str, Any] = dict.fromkeys(
        [f"{name}{end}" for name in ("tau", "rho") for end in ("", "_low", "_high")], np.nan
    )
    found = _correlation(inside["estimate"], inside["accuracy_mean"])
    if found is not None:
        for name, one in (("tau", found.kendall), ("rho", found.spearman)):
            row |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    highest, best = inside["estimate"].max(), inside["accuracy_mean"].max()
    offered = inside.loc[inside["estimate"] == highest, "accuracy_mean"].mean()
    row |= {"estimate": highest, "offered": offered, "best": best, "regret": best - offered}
    return {"known": len(inside), **{name: _number(value) for name, value in row.items()}}


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _correlation(first: "pd.Series[float]", second: "pd.Series[float]") -> RankCorrelation | None:
    return rank_correlation(first, second) if len(first) > 1 else None
