"""Random search spaces and tables for property tests."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from fewshot_core.space import Decision, SearchSpace, Task


def make_space(counts, **more):
    """Return a space with so many operations for each decision."""
    decisions = tuple(
        Decision(f"d{number}", tuple(f"op{choice}" for choice in range(count)))
        for number, count in enumerate(counts)
    )
    return SearchSpace("random", "Random", decisions, (Task("data"),), **more)


def search_spaces(largest=None, decisions=(2, 7), operations=(2, 8)):
    """Draw spaces, by default of 2 to 7 decisions with 2 to 8 operations each."""
    counts = st.lists(st.integers(*operations), min_size=decisions[0], max_size=decisions[1])
    found = counts.map(make_space)
    return found if largest is None else found.filter(lambda space: space.size <= largest)


def random_accuracies(space, seed, decimals=1):
    """Return a table of random accuracies with ties."""
    values = np.random.default_rng(seed).uniform(0, 100, space.size).round(decimals)
    return pd.DataFrame({"architecture": range(space.size), "accuracy_mean": values})
