"""Successive halving and top-k: sub-supernets are discarded at milestones (Section 4.3)."""

import operator
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import ceil

import pandas as pd

from fewshot_core.errors import SelectionError
from fewshot_core.selection.curves import Curves, as_curves, checked_end
from fewshot_core.selection.judging import judge
from fewshot_core.selection.rankings import DEFAULT_WINDOW, RANKINGS, rank_scores
from fewshot_core.selection.result import HalvingResult, Tie

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
    return judge(curves, strategy, last, rank_by, survivors, trained, tuple(ties))


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
