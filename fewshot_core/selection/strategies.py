"""Strategies as records that can be listed, compared, shown in a table and applied again."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fewshot_core.registry import Registry
from fewshot_core.selection.baselines import one_at_random, oracle, train_all
from fewshot_core.selection.curves import Curves
from fewshot_core.selection.halving import successive_halving, top_k
from fewshot_core.selection.rankings import DEFAULT_WINDOW, RANKINGS
from fewshot_core.selection.result import HalvingResult
from fewshot_core.selection.schedules import proportional_schedule


@dataclass(frozen=True)
class Choice:
    """A strategy with its settings; what its strategy does not look at may be anything.

    Attributes:
        strategy: One of ``STRATEGIES``.
        milestones: Epochs at which sub-supernets are discarded.
        keep: The share kept at each of them.
        k: How many go on with top-k.
        epoch: When these are chosen.
        rank_by: One of ``RANKINGS``.
        window: Epochs of a moving average.
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
        return STRATEGIES.get(self.strategy).select(self, curves, end)

    @property
    def label(self) -> str:
        """The strategy and the settings that count for it, in words."""
        return STRATEGIES.get(self.strategy).describe(self)

    def to_row(self) -> dict[str, object]:
        """Return plain values, from which ``from_row`` makes the same choice again."""
        milestones = ", ".join(map(str, self.milestones))
        return {**self.__dict__, "milestones": milestones}

    @classmethod
    def from_row(cls, row: Mapping[Hashable, Any]) -> "Choice":
        """Return the choice of a row of ``schedule_grid``."""
        milestones = tuple(int(part) for part in str(row["milestones"]).split(",") if part.strip())
        return cls(
            strategy=str(row["strategy"]),
            milestones=milestones,
            keep=float(row["keep"]),
            k=int(row["k"]),
            epoch=int(row["epoch"]),
            rank_by=str(row["rank_by"]),
            window=int(row["window"]),
        )


@dataclass(frozen=True)
class Strategy:
    """A way to select among sub-supernets.

    Attributes:
        name: Its name in every option.
        label: Its name in the app.
        description: What it does, in one line.
        select: Applies a choice of it to curves, up to an end.
        describe: Says what a choice of it does, in a few words.
    """

    name: str
    label: str
    description: str
    select: Callable[[Choice, pd.DataFrame | Curves, int | None], HalvingResult]
    describe: Callable[[Choice], str]


def mark_of(choice: Choice, end: int) -> str:
    """Return what a choice is known as, or an empty text.

    The schedules of the paper and of GM-NAS are recognised in proportion to the end, too.
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

STRATEGIES: Registry[Strategy] = Registry("strategy")


def _halve(choice: Choice, curves: pd.DataFrame | Curves, end: int | None) -> HalvingResult:
    return successive_halving(
        curves, choice.milestones, choice.keep, end, choice.rank_by, choice.window
    )


def _take(choice: Choice, curves: pd.DataFrame | Curves, end: int | None) -> HalvingResult:
    return top_k(curves, choice.k, choice.epoch, end, choice.rank_by, choice.window)


def _ranking_text(choice: Choice) -> str:
    label = RANKINGS.get(choice.rank_by).label
    return f"{label} over {choice.window}" if choice.rank_by == "moving_average" else label


def _halving_text(choice: Choice) -> str:
    if not choice.milestones:
        return f"train all, choose by {_ranking_text(choice)}"
    milestones = ", ".join(map(str, choice.milestones))
    return f"keep {choice.keep:g} at {milestones} by {_ranking_text(choice)}"


STRATEGIES.add(
    Strategy(
        "halving",
        "Successive halving",
        "discards the lowest at each milestone and chooses at the end",
        _halve,
        _halving_text,
    )
)
STRATEGIES.add(
    Strategy(
        "top_k",
        "Top k",
        "goes on with the best k of one epoch and chooses at the end",
        _take,
        lambda choice: f"top {choice.k} at {choice.epoch} by {_ranking_text(choice)}",
    )
)
STRATEGIES.add(
    Strategy(
        "train_all",
        "Train all",
        "trains every sub-supernet and takes the best architecture found: the ceiling",
        lambda choice, curves, end: train_all(curves, end),
        lambda choice: "train all, take the best architecture",
    )
)
STRATEGIES.add(
    Strategy(
        "one_at_random",
        "One at random",
        "trains one sub-supernet, whichever: its expected value",
        lambda choice, curves, end: one_at_random(curves, end),
        lambda choice: "one at random, on average",
    )
)
STRATEGIES.add(
    Strategy(
        "oracle",
        "Oracle",
        "trains only the sub-supernet that will be the best, as if it were known",
        lambda choice, curves, end: oracle(curves, end),
        lambda choice: "only the best, if it were known",
    )
)
