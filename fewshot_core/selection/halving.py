"""Selection among sub-supernets: successive halving, top-k and the baselines (Section 4.3)."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import pandas as pd

from fewshot_core.errors import SelectionError
from fewshot_core.selection.curves import Curves, as_curves, checked_end
from fewshot_core.selection.rankings import DEFAULT_WINDOW, RANKINGS, rank_scores


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


PAPER_END = 600
"""Epochs of a full run in Section 4.3 of the paper."""

PAPER_MILESTONES = (30, 100)
"""Epochs at which half of the sub-supernets are discarded in Section 4.3 of the paper, which also
counts epoch 600, where the better of the last two is chosen.

With 8 sub-supernets it costs (8 x 30 + 4 x 70 + 2 x 500) / 600 = 2.53 full runs. This is the 2.5
times that the paper gives for GM-NAS: the public program of GM-NAS (``successive_halving.py``)
keeps the same numbers at the same epochs, but ranks by an exponential average of the validation
accuracies since the milestone before, which is the ranking ``exponential_average`` here. That
program also applies it to the training of the architectures that were found, not to the searches.
"""


def proportional_schedule(end: int) -> tuple[int, ...]:
    """Return the milestones of the paper in proportion to the length of a search.

    They are at 5% and 16.7% of the end, rounded to whole epochs, a half upwards.

    Args:
        end: The epoch at which a full run ends, at least 1.

    Returns:
        Different epochs of at least 1 before the end, ascending: (30, 100) for 600 epochs, (3, 8)
        for 50, and fewer for very short searches.

    Raises:
        SelectionError: If ``end`` is below 1.
    """
    last = operator.index(end)
    if last < 1:
        raise SelectionError(f"expected an end from epoch 1, got {last}")
    rounded = {(2 * epoch * last + PAPER_END) // (2 * PAPER_END) for epoch in PAPER_MILESTONES}
    epochs = {max(1, epoch) for epoch in rounded}
    return tuple(sorted(epoch for epoch in epochs if epoch < last))


def parse_milestones(text: str) -> tuple[int, ...]:
    """Return the epochs of a text like "30, 100", ascending; "none" or nothing is none.

    Raises:
        SelectionError: If a part of it is no whole number, or is there twice.
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
    """Return a schedule in words, saying where it comes from.

    Args:
        milestones: Epochs; one at the end adds nothing and is left out.
        end: The epoch at which a full run ends.
    """
    epochs = tuple(sorted(epoch for epoch in set(milestones) if epoch < end))
    listed = " and ".join(filter(None, [", ".join(map(str, epochs[:-1])), *map(str, epochs[-1:])]))
    text = f"milestones at {listed} of {end} epochs" if epochs else f"no milestone in {end} epochs"
    if end == PAPER_END and epochs == PAPER_MILESTONES:
        return f"{text}, as in the paper"
    if epochs and epochs == proportional_schedule(end):
        shares = " and ".join(f"{100 * epoch / PAPER_END:.3g}%" for epoch in PAPER_MILESTONES)
        return (
            f"{text}, in proportion to the paper's "
            f"{' and '.join(map(str, PAPER_MILESTONES))} of {PAPER_END} ({shares} of the end)"
        )
    return text


def assess(
    curves: Curves,
    strategy: str,
    end: int,
    rank_by: str,
    survivors: Mapping[int, tuple[int, ...]],
    trained: Mapping[int, int],
    ties: tuple[Tie, ...] = (),
) -> HalvingResult:
    """Look up what the winner found, and what the best sub-supernet would have found.

    Args:
        curves: The curves, with a test accuracy for every sub-space at the end.
        strategy: The name of the strategy.
        end: The epoch at which a full run ends.
        rank_by: What was ranked by.
        survivors: Positions of those left after each milestone, and of the winner at ``end``.
        trained: To which epoch each position was trained; without those that were not.
        ties: Where the choice was arbitrary.

    Raises:
        SelectionError: If a sub-space has no test accuracy at the end.
    """
    found = curves.at("test_accuracy", end)
    (winner,) = survivors[end]
    ceiling = float(found.max())
    equally_best = tuple(i for i, value in enumerate(found) if value == ceiling)
    best = max(equally_best, key=lambda i: (i == winner, trained.get(i, 0), -i))
    names = curves.sub_spaces
    return HalvingResult(
        strategy=strategy,
        sub_spaces=names,
        end=end,
        rank_by=rank_by,
        survivors={epoch: tuple(names[i] for i in left) for epoch, left in survivors.items()},
        trained={names[i]: trained[i] for i in sorted(trained)},
        winner=names[winner],
        architecture=curves.architecture(winner, end),
        test_accuracy=float(found[winner]),
        cost=sum(trained.values()) / end,
        ceiling=ceiling,
        regret=ceiling - float(found[winner]),
        best=names[best],
        equally_best=tuple(names[i] for i in equally_best),
        discarded_at=trained[best] if trained.get(best, end) < end else None,
        ties=ties,
    )


_FINEST_SHARE = 1_000_000


def successive_halving(
    curves: pd.DataFrame | Curves,
    milestones: Iterable[int],
    keep: float = 0.5,
    end: int | None = None,
    rank_by: str = "valid_accuracy",
    window: int = DEFAULT_WINDOW,
) -> HalvingResult:
    """Discard at each milestone the living sub-supernets that rank lowest, and choose at the end.

    With a half kept and milestones 30, 100 and 600, as in the paper, 8 sub-supernets become 4,
    then 2, and the better of these is chosen at epoch 600.

    Args:
        curves: Columns sub_space, epoch, valid_accuracy and test_accuracy (percent), optionally
            valid_loss and architecture; or what ``read_frame`` makes of them. A curve may end
            where its sub-supernet is discarded, but for its test accuracy at the end, without
            which the ceiling is not known.
        milestones: Epochs from 0 to ``end``, each once. At the end one is chosen, whether it is
            among them or not.
        keep: The share of the living that is kept, above 0 and at most 1, rounded up to whole
            sub-supernets: of 5, a half keeps 3. At least one is kept.
        end: The epoch at which a full run ends; by default the last epoch of the curves.
        rank_by: One of ``RANKINGS``, at the milestones and at the end.
        window: How many epochs a moving average is over.

    Raises:
        SelectionError: If a value is missing where it is needed, or an argument is out of range.
        UnknownNameError: If ``rank_by`` is unknown.
    """
    if not 0 < keep <= 1:
        raise SelectionError(f"expected a share to keep above 0 and at most 1, got {keep}")
    # The share that is meant, so that 0.07 of 100 is 7 and not 7.000000000000001.
    share = Fraction(keep).limit_denominator(_FINEST_SHARE)
    return _cut(
        as_curves(curves),
        "halving",
        milestones,
        lambda living: max(1, ceil(share * living)),
        end,
        rank_by,
        window,
    )


def top_k(
    curves: pd.DataFrame | Curves,
    k: int,
    epoch: int = 0,
    end: int | None = None,
    rank_by: str = "valid_accuracy",
    window: int = DEFAULT_WINDOW,
) -> HalvingResult:
    """Go on with the k sub-supernets that rank highest at one epoch, and choose at the end.

    At epoch 0 they are ranked with the weights copied from the supernet, as in the original
    few-shot NAS (Zhao et al., 2021), and only the chosen k are trained.

    Args:
        curves: As for ``successive_halving``.
        k: How many go on, from 1 to the number of sub-supernets.
        epoch: When they are ranked, before the end.
        end: As for ``successive_halving``.
        rank_by: As for ``successive_halving``.
        window: As for ``successive_halving``.

    Raises:
        SelectionError: As ``successive_halving``.
        UnknownNameError: If ``rank_by`` is unknown.
    """
    table = as_curves(curves)
    if not 1 <= k <= len(table.sub_spaces):
        raise SelectionError(
            f"expected to go on with 1 to {len(table.sub_spaces)} sub-supernets, got {k}"
        )
    return _cut(table, "top_k", [epoch], lambda living: k, end, rank_by, window)


def _cut(
    curves: Curves,
    strategy: str,
    milestones: Iterable[int],
    kept: Callable[[int], int],
    end: int | None,
    rank_by: str,
    window: int,
) -> HalvingResult:
    """Cut at each milestone to as many as ``kept`` says, and to one at the end."""
    last = checked_end(curves, end)
    RANKINGS.get(rank_by)
    living = tuple(range(len(curves.sub_spaces)))
    trained = dict.fromkeys(living, last)
    survivors: dict[int, tuple[int, ...]] = {}
    ties: list[Tie] = []
    before = -1
    for epoch in [*_checked_milestones(milestones, last), last]:
        count = 1 if epoch == last else kept(len(living))
        left = living
        if count < len(living):
            scores = rank_scores(curves, living, epoch, before, rank_by, window)
            left, tie = _best(curves, living, scores, count, epoch, rank_by)
            ties += tie
        trained |= dict.fromkeys(set(living) - set(left), epoch)
        survivors[epoch] = living = left
        before = epoch
    return assess(curves, strategy, last, rank_by, survivors, trained, tuple(ties))


def _checked_milestones(milestones: Iterable[int], end: int) -> list[int]:
    """Return the milestones before the end, ascending."""
    epochs = sorted(operator.index(epoch) for epoch in milestones)
    for epoch in epochs:
        if not 0 <= epoch <= end:
            raise SelectionError(f"expected milestones from epoch 0 to {end}, got {epoch}")
        if epochs.count(epoch) > 1:
            raise SelectionError(f"expected every milestone once, got {epoch} twice")
    return [epoch for epoch in epochs if epoch < end]


def _best(
    curves: Curves,
    living: tuple[int, ...],
    scores: list[float],
    count: int,
    epoch: int,
    rank_by: str,
) -> tuple[tuple[int, ...], list[Tie]]:
    """Return the positions that rank highest, in tree order, and whether a tie was broken."""
    order = sorted(range(len(living)), key=lambda place: (-scores[place], place))
    left = tuple(sorted(living[place] for place in order[:count]))
    lowest = scores[order[count - 1]]
    if scores[order[count]] != lowest:
        return left, []
    equal = [living[place] for place in range(len(living)) if scores[place] == lowest]
    kept = tuple(curves.sub_spaces[i] for i in equal if i in left)
    discarded = tuple(curves.sub_spaces[i] for i in equal if i not in left)
    return left, [Tie(epoch, abs(lowest), kept, discarded)]


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
    return assess(table, "train_all", last, "test_accuracy", {last: (best,)}, trained)


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
    return assess(table, "oracle", last, "test_accuracy", {0: (best,), last: (best,)}, {best: last})


def random_sub_supernet(curves: pd.DataFrame | Curves, end: int | None = None) -> HalvingResult:
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
