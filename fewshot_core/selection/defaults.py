"""The paper's schedule on given curves: at epochs that were recorded."""

import numpy as np

from fewshot_core.selection.curves import Curves, checked_end
from fewshot_core.selection.schedules import proportional_schedule


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
