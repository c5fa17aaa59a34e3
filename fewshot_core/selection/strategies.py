"""Selection strategies with their settings, schedules of milestones, and grids of many choices.

Schedules are the paper's, in proportion to other lengths, and as text.
"""

import operator
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fewshot_core.errors import SelectionError
from fewshot_core.registry import Registry
from fewshot_core.selection.curves import (
    Curves,
    SeveralCurves,
    as_curves,
    checked_end,
    curves_by_seed,
)
from fewshot_core.selection.halving import (
    HalvingResult,
    listed,
    most_parameters,
    oracle,
    random_sub_supernet,
    successive_halving,
    top_k,
    train_all,
)
from fewshot_core.selection.rankings import DEFAULT_WINDOW, RANKINGS

PAPER_END = 600
"""Epochs of a full run in Section 4.3 of the paper."""

PAPER_MILESTONES = (30, 100)
"""Epochs at which half of the sub-supernets are discarded in Section 4.3 of the paper, which also
counts epoch 600, where the better of the last two is chosen.

With 8 sub-supernets it costs (8 x 30 + 4 x 70 + 2 x 500) / 600 = 2.53 full runs, the 2.5 times that
the paper gives for GM-NAS: the public program of GM-NAS (``successive_halving.py``) keeps the same
numbers at the same epochs, but ranks by an exponential average of the validation accuracies since
the last milestone (the ranking ``exponential_average``), and applies it to the training of the
architectures found, not to the searches.
"""

GRID_SHARES = (1 / 60, 1 / 10, 1 / 3, 2 / 3)
"""Milestones of the default grid besides those of the paper, as shares of the end."""

_ALL_RANKINGS_UP_TO = 2
_MEASURED = ("cost", "test_accuracy", "regret")


@dataclass(frozen=True)
class Choice:
    """A strategy with its settings, of which some strategies ignore a part.

    Halving keeps the share ``keep`` at each of its milestones, and top-k the best ``k`` of an
    epoch; both rank by one of ``RANKINGS``. The window of a moving average is in epochs.
    """

    strategy: str = "halving"
    milestones: tuple[int, ...] = ()
    keep: float = 0.5
    k: int = 1
    epoch: int = 0
    rank_by: str = "valid_accuracy"
    window: int = DEFAULT_WINDOW

    def apply(self, curves: pd.DataFrame | Curves, end: int | None = None) -> HalvingResult:
        """Select among curves; arguments and errors as for ``successive_halving``."""
        strategy, table = STRATEGIES.get(self.strategy), as_curves(curves)
        return strategy.select(self, table, checked_end(table, end))

    @property
    def label(self) -> str:
        """The strategy and its settings in words."""
        return STRATEGIES.get(self.strategy).describe(self)

    def to_row(self) -> dict[str, object]:
        """Convert to plain values, the inverse of ``from_row``."""
        milestones = ", ".join(map(str, self.milestones))
        return {**self.__dict__, "milestones": milestones}

    @classmethod
    def from_row(cls, row: Mapping[Hashable, Any]) -> "Choice":
        """Read the choice of a row of ``schedule_grid``."""
        values = {field.name: row[field.name] for field in fields(cls)}
        values["milestones"] = tuple(map(int, str(row["milestones"]).replace(",", " ").split()))
        return cls(**values)


@dataclass(frozen=True)
class Strategy:
    """A way to select among sub-supernets: how a choice is applied to curves, and described."""

    name: str
    label: str
    description: str
    select: Callable[[Choice, Curves, int], HalvingResult]
    describe: Callable[[Choice], str]


def mark_of(choice: Choice, end: int) -> str:
    """Name a choice that is known from a paper or a baseline; empty for others.

    The schedules of the paper and of GM-NAS are also recognised in proportion to other ends.
    """
    if choice.strategy in _REFERENCES:
        return _REFERENCES[choice.strategy]
    if choice.strategy == "top_k" and choice.epoch == 0 and choice.rank_by == "valid_accuracy":
        return "few-shot NAS"
    known = choice.strategy == "halving" and choice.keep == 0.5
    if known and choice.milestones == proportional_schedule(end):
        return {"valid_accuracy": "paper", "exponential_average": "GM-NAS"}.get(choice.rank_by, "")
    return ""


_REFERENCES = {"train_all": "ceiling", "one_at_random": "chance", "oracle": "oracle"}


def _ranking_text(choice: Choice) -> str:
    label = RANKINGS.get(choice.rank_by).label
    return f"{label} over {choice.window}" if choice.rank_by == "moving_average" else label


def _halving_text(choice: Choice) -> str:
    if not choice.milestones:
        return f"train all, choose by {_ranking_text(choice)}"
    milestones = ", ".join(map(str, choice.milestones))
    return f"keep {choice.keep:g} at {milestones} by {_ranking_text(choice)}"


STRATEGIES = Registry(
    "strategy",
    Strategy(
        "halving",
        "Successive halving",
        "discards the lowest at each milestone and selects at the end",
        lambda choice, curves, end: successive_halving(
            curves, choice.milestones, choice.keep, end, choice.rank_by, choice.window
        ),
        _halving_text,
    ),
    Strategy(
        "top_k",
        "Top k",
        "keeps the best k of one epoch and selects at the end",
        lambda choice, curves, end: top_k(
            curves, choice.k, choice.epoch, end, choice.rank_by, choice.window
        ),
        lambda choice: f"top {choice.k} at {choice.epoch} by {_ranking_text(choice)}",
    ),
    Strategy(
        "most_parameters",
        "Most parameters",
        "trains only the sub-supernet whose architectures have the most parameters on average, "
        "which is known before any training",
        lambda choice, curves, end: most_parameters(curves, end),
        lambda choice: "the one with the most parameters, before training",
    ),
    Strategy(
        "train_all",
        "Train all",
        "trains every sub-supernet and takes the best architecture found: the ceiling",
        lambda choice, curves, end: train_all(curves, end),
        lambda choice: "train all, take the best architecture",
    ),
    Strategy(
        "one_at_random",
        "One at random",
        "trains one random sub-supernet: its expected value",
        lambda choice, curves, end: random_sub_supernet(curves, end),
        lambda choice: "one at random, on average",
    ),
    Strategy(
        "oracle",
        "Oracle",
        "trains only the sub-supernet that will be the best, as if it were known",
        lambda choice, curves, end: oracle(curves, end),
        lambda choice: "only the best, if it were known",
    ),
)


def default_choices(curves: SeveralCurves, end: int | None = None) -> list[Choice]:
    """Make a grid of strategies for curves.

    Milestones are the nearest epochs that all curves have; one more is at epoch 0 for top-k if
    all of them begin there. Validation loss and parameters are left out where they are not known.
    """
    tables = list(curves_by_seed(curves).values())
    last = _common_end(tables, end)
    epochs = _grid_epochs(tables, last)
    rankings = [r.name for r in RANKINGS if all(r.column in table.values for table in tables)]
    count = min(len(table.sub_spaces) for table in tables)
    from_zero = all(0 in table.shared_epochs() for table in tables)
    return [
        Choice("one_at_random"),
        Choice("oracle"),
        Choice("train_all"),
        *[Choice("most_parameters")] * all("parameters" in table.values for table in tables),
        *_halvings(epochs, rankings),
        *_tops([0, *epochs] if from_zero else epochs, count),
    ]


def schedule_grid(
    curves: SeveralCurves, choices: Sequence[Choice] | None = None, end: int | None = None
) -> pd.DataFrame:
    """Apply strategies, by default ``default_choices``, to every seed; compare cost and regret.

    Returns:
        One row for each strategy: the columns of ``Choice.to_row``, label, mark ("paper",
        "GM-NAS", "few-shot NAS", "ceiling", "chance", "oracle" or empty), seeds, cost and cost_std
        (full runs), test_accuracy and test_accuracy_std (in the unit of the curves), regret and
        regret_std (the same, percentage points), best_discarded (share of the seeds) and pareto:
        whether it is on the Pareto front of cost and regret, without the oracle. Deviations are
        divided by the number of seeds. What is found with some seed only beyond a limit of the cost
        is missing (NaN), and not on the front.

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
    obtainable = grid["regret"].mask(grid["strategy"] == "oracle")
    return grid.assign(pareto=on_front(grid["cost"], -obtainable))


def on_front(cost: npt.ArrayLike, value: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Mark the Pareto front: the points that no other one of at most their cost exceeds in value.

    Of shape (n,), in n log n. Points that are equal in both are on the front together, those
    without a value (NaN) never.
    """
    costs = np.asarray(cost, dtype=np.float64)
    values = np.asarray(value, dtype=np.float64)
    best = pd.Series(values).groupby(costs).max().dropna()
    front = best[best > best.cummax().shift(fill_value=-np.inf)]
    marked: npt.NDArray[np.bool_] = values == front.reindex(costs).to_numpy()
    return marked


def _summary(results: Sequence[HalvingResult]) -> dict[str, float | int]:
    """Average results over seeds."""
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
    """Choose the milestones of the grid: epochs that every curve of every seed has."""
    shared = set.intersection(*(set(table.shared_epochs().tolist()) for table in tables))
    usable = sorted(epoch for epoch in shared if 1 <= epoch < end)
    wanted = [*proportional_schedule(end), *(share * end for share in GRID_SHARES)]
    nearest = {min(usable, key=lambda epoch: abs(epoch - w)) for w in wanted if usable}
    return sorted(nearest)


def _halvings(epochs: Sequence[int], rankings: Sequence[str]) -> list[Choice]:
    """Make halvings without a milestone and with up to three; a quarter kept at one or two."""
    choices = []
    for length in range(4):
        for milestones in combinations(epochs, length):
            names = rankings if length <= _ALL_RANKINGS_UP_TO else rankings[:1]
            choices += [Choice(milestones=milestones, rank_by=name) for name in names]
            if 1 <= length <= _ALL_RANKINGS_UP_TO:
                choices.append(Choice(milestones=milestones, keep=0.25))
    return choices


def _tops(epochs: Iterable[int], count: int) -> list[Choice]:
    """Make top-k with one, two and half of the sub-supernets, as far as they are fewer."""
    sizes = sorted({1, 2, (count + 1) // 2})
    return [
        Choice("top_k", k=size, epoch=epoch) for epoch in epochs for size in sizes if size < count
    ]


def proportional_schedule(end: int) -> tuple[int, ...]:
    """Scale the milestones of the paper to the length of a search.

    They are at 5% and 16.7% of the end, rounded to whole epochs, halves upwards: different epochs
    of at least 1 before the end, (30, 100) for 600 epochs, and fewer for very short searches.
    Raises SelectionError if ``end`` is below 1.
    """
    last = operator.index(end)
    if last < 1:
        raise SelectionError(f"expected an end from epoch 1, got {last}")
    rounded = {(2 * epoch * last + PAPER_END) // (2 * PAPER_END) for epoch in PAPER_MILESTONES}
    epochs = {max(1, epoch) for epoch in rounded}
    return tuple(sorted(epoch for epoch in epochs if epoch < last))


def paper_milestones(curves: Curves, end: int | None = None) -> tuple[int, ...]:
    """Move ``proportional_schedule`` to the nearest recorded epochs.

    Epochs of some curves only count as well, since the others may be discarded by then.
    """
    last = checked_end(curves, end)
    some = ~np.isnan(curves.values["valid_accuracy"]).all(axis=0)
    known = curves.epochs[some & (curves.epochs >= 1) & (curves.epochs < last)]
    if not known.size:
        return ()
    wanted = proportional_schedule(last)
    return tuple(sorted({int(known[np.abs(known - epoch).argmin()]) for epoch in wanted}))


def parse_milestones(text: str) -> tuple[int, ...]:
    """Parse epochs like "30, 100", ascending; "none" or an empty text is no milestone.

    Raises SelectionError if a part of it is no whole number, or is there twice.
    """
    words = text.replace(",", " ").split()
    if words in ([], ["none"]):
        return ()
    for word in words:
        if not (word.isascii() and word.isdecimal()):
            raise SelectionError(
                f"expected milestones as whole epochs like 30, 100, or none, got {word!r}"
            )
        if words.count(word) > 1:
            raise SelectionError(f"expected every milestone once, got {word} twice")
    return tuple(sorted(map(int, words)))


def describe_schedule(milestones: Iterable[int], end: int) -> str:
    """Describe a schedule, without a milestone at the end, and its relation to the paper's."""
    epochs = tuple(sorted(epoch for epoch in set(milestones) if epoch < end))
    if not epochs:
        return f"no milestone in {end} epochs"
    text = f"milestones at {listed(list(map(str, epochs)))} of {end} epochs"
    if end == PAPER_END and epochs == PAPER_MILESTONES:
        return f"{text}, as in the paper"
    if epochs == proportional_schedule(end):
        shares = " and ".join(f"{100 * epoch / PAPER_END:.3g}%" for epoch in PAPER_MILESTONES)
        return (
            f"{text}, in proportion to the paper's "
            f"{' and '.join(map(str, PAPER_MILESTONES))} of {PAPER_END} ({shares} of the end)"
        )
    return text


def describe_milestones(curves: Curves, result: HalvingResult) -> str:
    """Describe the schedule of a result, with the rounding to recorded epochs."""
    text = describe_schedule(result.milestones, result.end)
    wanted = proportional_schedule(result.end)
    if not result.milestones or result.milestones == wanted:
        return text
    if result.milestones == paper_milestones(curves, result.end):
        exact = " and ".join(map(str, wanted))
        return f"{text}, the recorded epochs nearest to {exact}, the paper's in proportion"
    return text
