"""Which sub-supernet leads at every epoch."""

import numpy as np
import pandas as pd

from fewshot_core.selection.curves import Curves, as_curves


def leaders(curves: pd.DataFrame | Curves) -> pd.DataFrame:
    """Return the sub-supernet with the highest validation accuracy at each epoch.

    These are the red dots of Fig. 4 (left) of the paper.

    Args:
        curves: Columns sub_space, epoch, valid_accuracy and test_accuracy (percent), of one seed.

    Returns:
        One row for each epoch at which any curve has a validation accuracy: epoch, sub_space (the
        first in tree order among equal ones), valid_accuracy, test_accuracy of what it finds there
        (percent, missing if unknown), and tied (how many others are exactly equal to it).
    """
    table = as_curves(curves)
    valid, test = table.values["valid_accuracy"], table.values["test_accuracy"]
    known = ~np.isnan(valid).all(axis=0)
    valid, test = valid[:, known], test[:, known]
    filled = np.where(np.isnan(valid), -np.inf, valid)
    first = filled.argmax(axis=0)
    columns = np.arange(filled.shape[1])
    highest = filled[first, columns]
    return pd.DataFrame(
        {
            "epoch": table.epochs[known],
            "sub_space": np.array(table.sub_spaces, dtype=object)[first],
            "valid_accuracy": highest,
            "test_accuracy": test[first, columns],
            "tied": (filled == highest).sum(axis=0) - 1,
        }
    )
