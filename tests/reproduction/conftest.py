"""Accuracies and splits that no run has made."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from made_up_material import ALONE

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.reproduction import Accuracies, Material, Split
from fewshot_core.space import ARCHITECTURE_COUNT, SubSpace


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
    return Accuracies("cifar10", "test", "made-up", "0" * 64, frame, evaluator)


@pytest.fixture
def material(accuracies) -> Callable[..., Material]:
    def make(**parts: object) -> Material:
        return Material({"cifar10": accuracies}, **parts)  # type: ignore[arg-type]

    return make


@pytest.fixture
def split() -> Callable[..., Split]:
    def make(metric: str, leaves: tuple[SubSpace, ...] = ALONE, seed: int = 0) -> Split:
        seeds = (seed, seed, seed)
        run = f"split-{metric}-{seed}"
        return Split(metric, "cifar10", leaves, run, "16 channels", "64 real images", seeds, 0)

    return make
