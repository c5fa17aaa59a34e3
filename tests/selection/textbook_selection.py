"""Curves by hand and at random, and halving as one would write it down, slowly."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

# Validation accuracy at epochs 0 to 6, and the test accuracy of what is found at the end.
HAND = {
    "S1": ([12, 20, 30, 40, 50, 60, 70], 93.0),
    "S2": ([11, 21, 31, 41, 51, 61, 71], 92.0),
    "S3": ([10, 10, 20, 60, 70, 80, 90], 94.3),
    "S4": ([13, 19, 29, 39, 49, 59, 69], 91.0),
    "S5": ([14, 25, 35, 45, 55, 65, 75], 93.8),
    "S6": ([9, 11, 12, 13, 14, 15, 16], 90.0),
    "S7": ([8, 12, 13, 14, 15, 16, 17], 89.0),
    "S8": ([7, 13, 14, 15, 16, 17, 18], 88.0),
}


def long_form(
    valid: Mapping[str, Sequence[float]], found: Mapping[str, float], first: int = 0
) -> pd.DataFrame:
    """Return curves whose test accuracy is half of what is found at the end until then."""
    return pd.DataFrame(
        {
            "sub_space": name,
            "epoch": first + step,
            "valid_accuracy": float(value),
            "test_accuracy": found[name] / (1 if step == len(values) - 1 else 2),
        }
        for name, values in valid.items()
        for step, value in enumerate(values)
    )


def hand_curves() -> pd.DataFrame:
    """Return the eight curves by hand: six epochs, and epoch 0 before them."""
    return long_form(
        {name: valid for name, (valid, _) in HAND.items()},
        {name: found for name, (_, found) in HAND.items()},
    )


def random_curves(seed: int, sub_spaces: int, epochs: int, levels: int = 1000) -> pd.DataFrame:
    """Return curves from epoch 1 on with that many different values: few give many ties."""
    generator = np.random.default_rng(seed)
    names = [f"S{number}" for number in range(1, sub_spaces + 1)]
    values = generator.integers(0, levels, (2, sub_spaces, epochs)) * (100 / levels)
    return pd.DataFrame(
        {
            "sub_space": np.repeat(names, epochs),
            "epoch": np.tile(np.arange(1, epochs + 1), sub_spaces),
            "valid_accuracy": values[0].ravel(),
            "test_accuracy": values[1].ravel(),
            "valid_loss": (100 - values[0]).ravel() / 10,
        }
    )


def textbook_halving(
    curves: pd.DataFrame, milestones: Sequence[int], keep: float
) -> dict[str, object]:
    """Return what halving comes to; of equal sub-supernets the last ones go first."""
    rows = {(row["sub_space"], row["epoch"]): row for row in curves.to_dict("records")}
    names = sorted({name for name, _ in rows}, key=lambda name: int(name[1:]))
    end = max(epoch for _, epoch in rows)
    living, trained, survivors = list(names), 0, {}
    for epoch in range(1, end + 1):
        trained += len(living)
        if epoch not in (*milestones, end):
            continue
        number = 1 if epoch == end else max(1, math.ceil(keep * len(living)))
        while len(living) > number:
            lowest = min(rows[name, epoch]["valid_accuracy"] for name in living)
            equal = [name for name in living if rows[name, epoch]["valid_accuracy"] == lowest]
            living.remove(equal[-1])
        survivors[epoch] = tuple(living)
    found = {name: rows[name, end]["test_accuracy"] for name in names}
    return {
        "winner": living[0],
        "survivors": survivors,
        "cost": trained / end,
        "regret": max(found.values()) - found[living[0]],
    }
