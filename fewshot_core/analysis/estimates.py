"""Costs and estimates of architectures beside their accuracies, in a space and in sub-spaces.

A cost is a column of a table: parameters, FLOPs, latency on a device; smaller is better. An
architecture is on the Pareto front if no other one is at least as good in accuracy and cost and
better in one of them: architectures that are equal in both are on it together.

An estimate is what a supernet, a zero-cost metric or a short training says about an architecture;
larger is better. Correlations of whole tables have no sampling error: their intervals say how far a
ranking of so many architectures, drawn at random from a larger space, would be from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.analysis.sub_spaces import positions, sub_space_names, top_mask
from fewshot_core.bench import list_columns, load_column
from fewshot_core.errors import TableError
from fewshot_core.search.proxy import RankCorrelation, rank_correlation
from fewshot_core.selection.strategies import on_front
from fewshot_core.space import NAS_BENCH_201, Part, SearchSpace

_WHOLE = "all"


@dataclass(frozen=True)
class CostLimit:
    """A limit of what an architecture may cost: a column of a table or a CSV file, and the limit.

    ``table`` is a stored table or the path of a file.
    """

    table: str
    column: str
    limit: float
    unit: str = ""

    def __str__(self) -> str:
        """The limit in words: "pixel3 at most 10 ms"."""
        return f"{self.column} at most {cost_text(self.limit, self.unit)}"

    @property
    def option(self) -> str:
        """The value of the command-line option that states it."""
        return f"{self.table}:{self.column}={self.limit:.10g}"

    @classmethod
    def from_option(
        cls,
        text: str,
        dataset: str,
        data_dir: Path | str | None = None,
        space: SearchSpace = NAS_BENCH_201,
    ) -> "CostLimit":
        """Read ``COST=LIMIT``, a cost as for ``find_cost`` with a number; may raise TableError."""
        cost, _, number = text.rpartition("=")
        try:
            limit = float(number)
        except ValueError:
            limit = np.nan
        if not cost or np.isnan(limit):
            raise TableError(f"expected COST=LIMIT, such as latency=0.02, got {text!r}")
        table, column, unit = find_cost(cost, dataset, data_dir, space)
        return cls(table, column, limit, unit)

    def allowed(
        self, dataset: str, data_dir: Path | str | None = None, space: SearchSpace = NAS_BENCH_201
    ) -> npt.NDArray[np.bool_]:
        """Mark the architectures of a space whose cost is known and within the limit."""
        cost = load_cost(self.table, self.column, dataset, data_dir, space)
        allowed = np.zeros(space.size, dtype=np.bool_)
        allowed[cost["architecture"][cost["cost"] <= self.limit]] = True
        return allowed

    def restrict(
        self,
        accuracy: pd.DataFrame,
        dataset: str,
        data_dir: Path | str | None = None,
        space: SearchSpace = NAS_BENCH_201,
    ) -> pd.DataFrame:
        """Select the accuracies of the architectures that are ``allowed``.

        Raises TableError if there are none; the message names the range of the cost.
        """
        kept = accuracy[self.allowed(dataset, data_dir, space)[accuracy["architecture"]]]
        if kept.empty:
            cost = load_cost(self.table, self.column, dataset, data_dir, space)
            low, high = (cost_text(value, self.unit) for value in cost["cost"].agg(["min", "max"]))
            raise TableError(
                f"no architecture with an accuracy has {self}: it is between {low} and {high}; "
                "raise the limit"
            )
        return kept.reset_index(drop=True)


def find_cost(
    text: str, dataset: str, data_dir: Path | str | None = None, space: SearchSpace = NAS_BENCH_201
) -> tuple[str, str, str]:
    """Find table, column and unit of ``TABLE:COLUMN``, ``FILE.csv:COLUMN``, or just ``COLUMN``.

    Raises TableError if no table or several have the column; the message names all costs.
    """
    known = list_columns("cost", dataset, data_dir, space)
    found = [
        (info.name, column.name, column.unit)
        for info, column in known
        if text in (column.name, f"{info.name}:{column.name}")
    ]
    table, _, name = text.rpartition(":")
    if not found and Path(table).is_file():
        return table, name, ""
    if len(found) != 1:
        names = ", ".join(f"{info.name}:{column.name}" for info, column in known) or "none"
        several = "several tables have" if found else "no table has"
        raise TableError(f"{several} the cost {text!r}: expected one of {names}")
    return found[0]


def cost_text(cost: float, unit: str = "") -> str:
    """Format a cost with three significant digits: "1.07 M", "12.3 ms"."""
    for size, letter in ((1e9, "G"), (1e6, "M")):
        if not unit and abs(cost) >= size:
            return f"{cost / size:.3g} {letter}"
    text = f"{cost:,.0f}" if abs(cost) >= 1000 else f"{cost:.3g}"
    return f"{text} {unit}".strip()


def load_cost(
    table: str,
    column: str,
    dataset: str,
    data_dir: Path | str | None = None,
    space: SearchSpace = NAS_BENCH_201,
) -> pd.DataFrame:
    """Load the columns architecture and cost; arguments and errors as for ``load_column``."""
    found = load_column(table, column, data_dir, space, dataset)
    return found.rename(columns={column: "cost"})


def join_cost(cost: pd.DataFrame, accuracy: pd.DataFrame) -> pd.DataFrame:
    """Join costs with accuracies, the cheapest first, of equal cost the best first.

    Returns:
        Columns architecture, cost and accuracy_mean of the architectures that have both.

    Raises:
        TableError: If there are none.
    """
    known = accuracy[["architecture", "accuracy_mean"]].dropna()
    frame = cost[["architecture", "cost"]].dropna().merge(known, on="architecture")
    if frame.empty:
        raise TableError("expected architectures with a cost and an accuracy, got none")
    by = ["cost", "accuracy_mean"]
    return frame.sort_values(by, ascending=[True, False], ignore_index=True)


def hypervolume(cost: npt.ArrayLike, accuracy: npt.ArrayLike, worst: tuple[float, float]) -> float:
    """Compute the area that architectures dominate, up to a reference point.

    ``worst`` is its cost and accuracy: what costs more or is less accurate counts nothing. The area
    is in units of the cost times those of the accuracy.
    """
    front = on_front(cost, accuracy)
    costs, places = np.unique(np.asarray(cost, dtype=np.float64)[front], return_index=True)
    values = np.asarray(accuracy, dtype=np.float64)[front][places]
    widths = np.diff(np.minimum(np.r_[costs, np.inf], worst[0]))
    return float((widths * np.maximum(values - worst[1], 0)).sum())


@dataclass(frozen=True, eq=False)
class CostReport:
    """Accuracy against cost in a space and in the sub-spaces of a split.

    Attributes:
        fronts: The rows of ``join_cost`` that are on the front of the whole space or of a
            sub-space, with the name in a column sub_space.
        table: A row for the whole space, "all", and each sub-space, with the columns sub_space,
            known (architectures), front (how many are on its front), shared (how many of these are
            on that of the whole space), hypervolume (the share of the rectangle between ``worst``
            and ``ideal`` that it dominates), best (accuracy) and cheapest (cost).
        worst: Reference point of the hypervolume: cost and accuracy.
        ideal: The smallest cost and the best accuracy.
    """

    fronts: pd.DataFrame
    table: pd.DataFrame
    worst: tuple[float, float]
    ideal: tuple[float, float]


def report_costs(frame: pd.DataFrame, leaves: Sequence[Part] = ()) -> CostReport:
    """Find the Pareto fronts of a space and of any partition; ``frame`` is that of ``join_cost``.

    The reference point has the largest cost and the median accuracy.
    """
    costs, values = frame["cost"].to_numpy(), frame["accuracy_mean"].to_numpy()
    worst = float(costs.max()), float(np.median(values))
    ideal = float(costs.min()), float(values.max())
    rectangle = (worst[0] - ideal[0]) * (ideal[1] - worst[1])
    member = positions(leaves, frame["architecture"].to_numpy())
    overall = on_front(costs, values)
    rows, fronts = [], []
    for position, name in enumerate([_WHOLE, *sub_space_names(len(leaves))], start=-1):
        inside = np.flatnonzero(member == position) if name != _WHOLE else np.arange(len(frame))
        own = overall if name == _WHOLE else on_front(costs[inside], values[inside])
        front = frame.iloc[inside[own]].assign(sub_space=name)
        fronts.append(front)
        area = hypervolume(front["cost"], front["accuracy_mean"], worst)
        row = {
            "sub_space": name,
            "known": len(inside),
            "front": int(own.sum()),
            "shared": int(overall[inside].sum()),
            "hypervolume": area / rectangle if rectangle > 0 else np.nan,
            "best": values[inside].max(initial=-np.inf) if len(inside) else np.nan,
            "cheapest": costs[inside].min() if len(inside) else np.nan,
        }
        rows.append(row)
    return CostReport(pd.concat(fronts, ignore_index=True), pd.DataFrame(rows), worst, ideal)


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
    table = table.astype(dict.fromkeys(table.columns[2:], np.float64))  # what is missing is NaN
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
    return {"known": len(inside), **row}


def _correlation(first: "pd.Series[float]", second: "pd.Series[float]") -> RankCorrelation | None:
    return rank_correlation(first, second) if len(first) > 1 else None
