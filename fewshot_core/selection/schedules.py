"""Schedules of milestones: the paper's, in proportion to other lengths, and as text."""

import operator
from collections.abc import Iterable

import numpy as np

from fewshot_core.errors import SelectionError
from fewshot_core.selection.curves import Curves, checked_end
from fewshot_core.selection.halving import HalvingResult, listed

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
