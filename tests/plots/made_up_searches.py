"""Made-up searches of the paper's size: what is found changes now and then, as in real ones."""

import numpy as np
import pandas as pd


def made_up_search(
    seed: int = 0, sub_spaces: int = 8, epochs: int = 600, first: int = 0
) -> pd.DataFrame:
    """Return curves with noisy validation accuracies and test accuracies in steps."""
    generator = np.random.default_rng(seed)
    epoch = np.arange(first, epochs + 1)
    parts = []
    for number in range(1, sub_spaces + 1):
        height, pace = generator.uniform(60, 80), epochs * generator.uniform(0.03, 0.15)
        rise = 10 + (height - 10) * (1 - np.exp(-epoch / pace))
        new = generator.random(len(epoch)) < 0.02 + 0.3 * np.exp(-epoch / (0.1 * epochs))
        new[0] = True
        spread = 0.3 + 8 * np.exp(-epoch / (0.1 * epochs))
        found = np.minimum(94.37, 93.5 - np.abs(generator.normal(0, spread)))
        part = {
            "sub_space": f"S{number}",
            "epoch": epoch,
            "valid_accuracy": np.clip(rise + generator.normal(0, 1, len(epoch)), 0, 100),
            "test_accuracy": found[np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))],
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)
