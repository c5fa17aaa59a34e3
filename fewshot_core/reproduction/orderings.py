"""How validation accuracy orders the sub-supernets of a searched split."""

from dataclasses import dataclass

import pandas as pd

from fewshot_core.reproduction.material import SearchedSplit
from fewshot_core.selection import (
    leaders,
    paper_milestones,
    proxy_correlation,
    read_frame,
    successive_halving,
)


@dataclass(frozen=True, eq=False)
class Ordering:
    """How validation accuracy orders the sub-supernets of a searched split.

    Attributes:
        cell: The searches.
        leader: The sub-space with the highest validation accuracy at the end.
        leader_found: What it found at the end, percent.
        wrong: The share of the epochs from 1 on at which the leader of the epoch is not one of
            those that find the best architecture at that epoch.
        wrong_by_chance: The same for a sub-supernet drawn at random at each epoch.
        tau: Kendall's tau of the validation accuracy of an epoch with what is found at the end,
            by epoch; NaN where all are equal.
        rho: Spearman's rho, likewise.
    """

    cell: SearchedSplit
    leader: str
    leader_found: float
    wrong: float
    wrong_by_chance: float
    tau: "pd.Series[float]"
    rho: "pd.Series[float]"

    @property
    def misses(self) -> bool:
        """Whether the leader at the end did not find the best."""
        return self.leader_found < self.cell.best

    @property
    def first_milestone(self) -> int | None:
        """The first epoch at which the paper's schedule, in proportion, discards."""
        return next(iter(paper_milestones(read_frame(self.cell.curves))), None)


def ordering(cell: SearchedSplit) -> Ordering:
    """Return how validation accuracy orders the sub-supernets of a searched split."""
    chosen = successive_halving(cell.curves, ())
    correlation = proxy_correlation(cell.curves).set_index("epoch")
    trained = cell.curves[cell.curves["epoch"] >= 1]
    led = leaders(trained).set_index("epoch")["test_accuracy"]
    found = trained.pivot(index="epoch", columns="sub_space", values="test_accuracy")
    best = found.max(axis=1)
    equally = found.eq(best, axis=0).sum(axis=1)
    return Ordering(
        cell=cell,
        leader=str(chosen.winner),
        leader_found=chosen.test_accuracy,
        wrong=float((led < best.loc[led.index]).mean()),
        wrong_by_chance=float((1 - equally / found.shape[1]).mean()),
        tau=correlation["kendall"],
        rho=correlation["spearman"],
    )
