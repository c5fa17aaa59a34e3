"""The paper's schedule on given curves: at epochs that were recorded."""

import numpy as np

from fewshot_core.selection.curves import Curves, checked_end
from fewshot_core.selection.result import HalvingResult
from fewshot_core.selection.schedules import describe_schedule, proportional_schedule


def paper_milestones(curves: Curves, end: int | None = None) -> tuple[int, ...]:
    """Return the milestones of the paper in proportion, moved to the nearest recorded epochs.

    Epochs that only some curves have count as well, since the others may be discarded by then.

    Args:
        curves: The curves.
        end: The epoch at which a full run ends; by default the last of the curves.

    Raises:
        SelectionError: If ``end`` is out of range.
    """
    last = checked_end(curves, end)
    some = ~np.isnan(curves.values["valid_accuracy"]).all(axis=0)
    known = curves.epochs[some & (curves.epochs >= 1) & (curves.epochs < last)]
    wanted = proportional_schedule(last)
    if not known.size:
        return ()
    return tuple(sorted({int(known[np.abs(known - epoch).argmin()]) for epoch in wanted}))


def describe_milestones(curves: Curves, result: HalvingResult) -> str:
    """Return the schedule of a result in words, and how it came to be if it is the paper's."""
    text = describe_schedule(result.milestones, result.end)
    wanted = proportional_schedule(result.end)
    if not result.milestones or result.milestones == wanted:
        return text
    if result.milestones == paper_milestones(curves, result.end):
        exact = " and ".join(map(str, wanted))
        return f"{text}, the recorded epochs nearest to {exact}, the paper's in proportion"
    return text
