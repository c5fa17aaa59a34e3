"""What a way of selecting among sub-supernets comes to."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tie:
    """Sub-supernets that were exactly equal where some had to be kept and others discarded.

    Those that come first in tree order are kept, which says nothing about them.

    Attributes:
        epoch: When.
        value: What they were ranked by: accuracy in percent, or a loss.
        kept: Names of the equal ones that were kept.
        discarded: Names of the equal ones that were not.
    """

    epoch: int
    value: float
    kept: tuple[str, ...]
    discarded: tuple[str, ...]


@dataclass(frozen=True)
class HalvingResult:
    """What was selected, what it cost and what was lost.

    Attributes:
        strategy: The name of the strategy, one of ``fewshot_core.selection.STRATEGIES``.
        sub_spaces: Names of all sub-spaces, in tree order.
        end: The epoch at which a full run ends.
        rank_by: What sub-supernets were ranked by, one of ``RANKINGS``, ``"test_accuracy"``, or
            empty where nothing was ranked.
        survivors: The sub-spaces left after each milestone, in tree order, and at the end the
            winner alone; empty where the choice was left to chance.
        trained: To which epoch each sub-supernet was trained.
        winner: The selected sub-space, or None where the choice was left to chance.
        architecture: What the winner found, as index or text, or None if the curves do not say.
        test_accuracy: Test accuracy of the architecture found, in percent; its expected value
            where the choice was left to chance.
        cost: Epochs trained by all sub-supernets, in full runs: divided by ``end``.
        ceiling: Test accuracy of the best architecture that any sub-supernet finds by the end, in
            percent.
        regret: ``ceiling`` minus ``test_accuracy``, in percentage points.
        best: The sub-space in which it is found. Where several are equal it is the winner if it is
            among them, or else the one that lasted longest.
        equally_best: All sub-spaces that reach the ceiling, in tree order.
        discarded_at: The epoch at which ``best`` was discarded, or None if it was not.
        ties: Where sub-supernets were exactly equal at a cut or at the end.
    """

    strategy: str
    sub_spaces: tuple[str, ...]
    end: int
    rank_by: str
    survivors: Mapping[int, tuple[str, ...]]
    trained: Mapping[str, int]
    winner: str | None
    architecture: str | int | None
    test_accuracy: float
    cost: float
    ceiling: float
    regret: float
    best: str
    equally_best: tuple[str, ...]
    discarded_at: int | None
    ties: tuple[Tie, ...] = ()

    @property
    def milestones(self) -> tuple[int, ...]:
        """The epochs at which sub-supernets could be discarded, ascending, without the end."""
        return tuple(epoch for epoch in self.survivors if epoch < self.end)

    @property
    def discarded(self) -> dict[str, int]:
        """The sub-spaces that were discarded before the end, with the epoch, in tree order."""
        if self.winner is None:
            return {}
        return {name: self.trained[name] for name in self.trained if self.trained[name] < self.end}
