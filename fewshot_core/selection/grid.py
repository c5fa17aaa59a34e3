"""Many strategies side by side: what each costs and what it loses, over seeds."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.errors import SelectionError
from fewshot_core.selection.curves import Curves, checked_end, curves_by_seed
from fewshot_core.selection.rankings import RANKINGS
from fewshot_core.selection.result import HalvingResult
from fewshot_core.selection.schedules import proportional_schedule
from fewshot_core.selection.strategies import Choice, mark_of

GRID_SHARES = (1 / 60, 1 / 10, 1 / 3, 2 / 3)
"""Milestones of the default grid besides those of the paper, as shares of the end."""

_ALL_RANKINGS_UP_TO = 2
_MEASURED = ("cost", "test_accuracy", "regret")


def default_choices(curves: pd.DataFrame, end: int | None = None) -> list[Choice]:
    """Return a grid of strategies for curves.

    Milestones are the nearest epochs that all curves have; one more is at epoch 0 for top-k if
    all of them begin there. Validation loss is left out where it was not recorded.

    Args:
        curves: Columns sub_space, epoch, valid_accuracy, test_accuracy, optionally seed and
            valid_loss.
        end: The epoch at which a full run ends; by default the last of the curves.

    Raises:
        SelectionError: If the curves are damaged.
    """
    tables = list(curves_by_seed(curves).values())
    last = _common_end(tables, end)
    epochs = _grid_epochs(tables, last)
    rankings = [r.name for r in RANKINGS if all(r.column in table.values for table in tables)]
    count = min(len(table.sub_spaces) for table in tables)
    return [
        Choice("one_at_random"),
        Choice("oracle"),
        Choice("train_all"),
        *_halvings(epochs, rankings),
        *_tops([0, *epochs] if _all_begin_at_zero(tables) else epochs, count),
    ]


def schedule_grid(
    curves: pd.DataFrame, choices: Sequence[Choice] | None = None, end: int | None = None
) -> pd.DataFrame:
    """Apply strategies to the curves of every seed and compare cost and regret.

    Args:
        curves: As for ``default_choices``.
        choices: The strategies; by default ``default_choices``.
        end: As for ``default_choices``.

    Returns:
        One row for each strategy: the columns of ``Choice.to_row``, label, mark ("paper",
        "GM-NAS", "few-shot NAS", "ceiling", "chance", "oracle" or empty), seeds, cost and cost_std
        (full runs), test_accuracy and test_accuracy_std (percent), regret and regret_std
        (percentage points), best_discarded (share of the seeds) and pareto: whether none costs
        less without losing more. Deviations are those of the seeds at hand, not estimates for
        others (divided by their number). The oracle cannot be had and is in no front.

    Raises:
        SelectionError: If the curves are damaged, or a strategy needs what they do not have.
    """
    tables = list(curves_by_seed(curves).values())
    last = _common_end(tables, end)
    chosen = default_choices(curves, last) if choices is None else list(choices)
    rows = [
        {
            **choice.to_row(),
            "label": choice.label,
            "mark": mark_of(choice, last),
            **_summary([choice.apply(table, last) for table in tables]),
        }
        for choice in chosen
    ]
    columns = [*Choice().to_row(), "label", "mark", "seeds", *_SUMMARY_COLUMNS]
    grid = pd.DataFrame(rows, columns=columns)
    obtainable = (grid["strategy"] != "oracle").to_numpy(dtype=np.bool_)
    return grid.assign(pareto=obtainable & pareto_front(grid["cost"], grid["regret"], obtainable))


def pareto_front(
    cost: npt.ArrayLike, regret: npt.ArrayLike, among: npt.ArrayLike | None = None
) -> npt.NDArray[np.bool_]:
    """Return which points no other point is better than: as low in both, and lower in one.

    Args:
        cost: Shape (n,); lower is better.
        regret: Shape (n,); lower is better. Equal points are on the front together.
        among: Which points count as others, shape (n,); by default all.
    """
    costs = np.asarray(cost, dtype=np.float64)
    regrets = np.asarray(regret, dtype=np.float64)
    counted = np.ones(costs.shape, np.bool_) if among is None else np.asarray(among, np.bool_)
    no_worse = (costs[:, None] <= costs) & (regrets[:, None] <= regrets)
    better = no_worse & ((costs[:, None] < costs) | (regrets[:, None] < regrets))
    beaten: npt.NDArray[np.bool_] = np.any(better[counted], axis=0)
    return ~beaten


def _summary(results: Sequence[HalvingResult]) -> dict[str, float | int]:
    """Return mean and deviation of what strategies came to over seeds."""
    row: dict[str, float | int] = {"seeds": len(results)}
    for name in _MEASURED:
        values = np.array([getattr(result, name) for result in results])
        row |= {name: float(values.mean()), f"{name}_std": float(values.std())}
    lost = [result.discarded_at is not None for result in results]
    return row | {"best_discarded": float(np.mean(lost))}


_SUMMARY_COLUMNS = [
    *(column for name in _MEASURED for column in (name, f"{name}_std")),
    "best_discarded",
]


def _common_end(tables: Sequence[Curves], end: int | None) -> int:
    ends = {table.end for table in tables}
    if end is None and len(ends) > 1:
        raise SelectionError(
            f"expected searches of one length, got some that end at epochs "
            f"{', '.join(map(str, sorted(ends)))}; choose an end of at most {min(ends)}"
        )
    return min(checked_end(table, end) for table in tables)


def _grid_epochs(tables: Sequence[Curves], end: int) -> list[int]:
    """Return the milestones of the grid: epochs that every curve of every seed has."""
    shared = set(tables[0].shared_epochs().tolist())
    for table in tables[1:]:
        shared &= set(table.shared_epochs().tolist())
    usable = sorted(epoch for epoch in shared if 1 <= epoch < end)
    wanted = [*proportional_schedule(end), *(share * end for share in GRID_SHARES)]
    nearest = {min(usable, key=lambda epoch: abs(epoch - w)) for w in wanted if usable}
    return sorted(nearest)


def _all_begin_at_zero(tables: Sequence[Curves]) -> bool:
    return all(0 in table.shared_epochs() for table in tables)


def _halvings(epochs: Sequence[int], rankings: Sequence[str]) -> list[Choice]:
    """Return halvings without a milestone and with up to three; a quarter kept at one or two."""
    choices = []
    for length in range(4):
        for milestones in combinations(epochs, length):
            names = rankings if length <= _ALL_RANKINGS_UP_TO else rankings[:1]
            choices += [Choice(milestones=milestones, rank_by=name) for name in names]
            if 1 <= length <= _ALL_RANKINGS_UP_TO:
                choices.append(Choice(milestones=milestones, keep=0.25))
    return choices


def _tops(epochs: Iterable[int], count: int) -> list[Choice]:
    """Return top-k with one, two and half of the sub-supernets, as far as they are fewer."""
    sizes = sorted({1, 2, (count + 1) // 2})
    return [
        Choice("top_k", k=size, epoch=epoch) for epoch in epochs for size in sizes if size < count
    ]
