"""Generated accuracies, splits and searches, without any run."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.evidence import Evidence
from fewshot_core.reproduction import Material, Split
from fewshot_core.reproduction.material import Accuracies, SearchedSplit, SearchKind
from fewshot_core.space import ARCHITECTURE_COUNT, SubSpace

KIND = SearchKind(
    "cifar10", "snas", "f", "SNAS", "SNAS, generated", "fewshot search --no-splitting"
)


def tree_leaves(group: Sequence[int]) -> tuple[SubSpace, ...]:
    """Return the eight sub-spaces of a tree with the same group against the rest on each edge."""
    leaves = [SubSpace.full()]
    rest = [operation for operation in range(5) if operation not in group]
    for edge in range(3):
        leaves = [leaf.keep(edge, part) for leaf in leaves for part in (group, rest)]
    return tuple(leaves)


ALONE = tree_leaves([3])
EVEN = tree_leaves([2, 3])


@pytest.fixture(scope="session")
def accuracies() -> Accuracies:
    """Accuracies that grow with the index, so that the last operation on edge 0 has the top."""
    frame = pd.DataFrame(
        {
            "architecture": np.arange(ARCHITECTURE_COUNT),
            "accuracy_mean": np.linspace(10.0, 90.0, ARCHITECTURE_COUNT),
        }
    )
    evaluator = SplitEvaluator(frame, random_trees=200)
    return Accuracies("cifar10", "test", "generated", "0" * 64, evaluator)


@pytest.fixture
def material(accuracies) -> Callable[..., Material]:
    return lambda **parts: Material({"cifar10": accuracies}, **parts)


@pytest.fixture
def trees() -> dict[str, tuple[SubSpace, ...]]:
    """The sub-spaces of trees with one operation against four, and with two against three."""
    return {"first": tree_leaves([0]), "alone": ALONE, "even": EVEN}


@pytest.fixture
def split() -> Callable[..., Split]:
    def make(
        metric: str,
        leaves: tuple[SubSpace, ...] = ALONE,
        seed: int = 0,
        channels: int = 16,
        batch: str = "batch of 64",
    ) -> Split:
        evidence = Evidence("", channels, 5, "real" if batch else "", "untrained")
        run = f"split-{metric}-{seed}"
        return Split(metric, "cifar10", leaves, run, (seed,), 0, evidence, batch)

    return make


@pytest.fixture
def searched() -> Callable[..., SearchedSplit]:
    def make(
        valid: Mapping[int, Sequence[float]],
        found: Sequence[float],
        metric: str = "params",
        seed: int = 0,
    ) -> SearchedSplit:
        """Return searches with these validation accuracies by epoch, which find the same always."""
        rows = [
            {
                "seed": seed,
                "sub_space": f"S{number}",
                "epoch": epoch,
                "valid_accuracy": value,
                "test_accuracy": accuracy,
            }
            for epoch, values in valid.items()
            for number, (value, accuracy) in enumerate(zip(values, found, strict=True), start=1)
        ]
        runs = (f"search-{metric}-{seed}",)
        return SearchedSplit((metric,), KIND, seed, pd.DataFrame(rows), runs)

    return make
