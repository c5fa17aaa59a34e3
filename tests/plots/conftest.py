"""Synthetic accuracies and searches, and a published split with the real table if it is there."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import describe_sub_spaces, top_mask
from fewshot_core.space import Architecture, SubSpace

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SPLITS, TABLE = DATA / "published_splits.json", DATA / "nats_bench" / "nats_bench.csv"


@pytest.fixture(scope="session")
def contrast() -> Callable[[str, str], float]:
    """Function that computes the contrast ratio of two colours, 1 to 21, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    return contrast


@pytest.fixture(scope="session")
def leaves() -> list[SubSpace]:
    found = [SubSpace.full()]
    for edge in range(3):
        found = [leaf.keep(edge, group) for leaf in found for group in ([3], [0, 1, 2, 4])]
    return found


@pytest.fixture(scope="session")
def accuracy() -> pd.DataFrame:
    values = np.random.default_rng(0).beta(8, 2, 15625) * 50
    return pd.DataFrame({"architecture": np.arange(15625), "accuracy_mean": values})


@pytest.fixture(scope="session")
def published() -> tuple[list[SubSpace], pd.DataFrame]:
    if not (SPLITS.exists() and TABLE.exists()):
        pytest.skip("the folder shared is not beside the project")
    masks = json.loads(SPLITS.read_text())["splits"]["gradientmatching"]["ImageNet16-120"]
    table = pd.read_csv(TABLE)
    indices = [Architecture.from_string(text).index for text in table["ArchitectureString"]]
    accuracy = pd.DataFrame(
        {"architecture": indices, "accuracy_mean": table["ImageNetTestAccuracy200Epochs"]}
    )
    return [SubSpace.from_rows(rows) for rows in masks], accuracy


@pytest.fixture(scope="session")
def sub_spaces(leaves, accuracy) -> pd.DataFrame:
    return describe_sub_spaces(leaves, accuracy)


@pytest.fixture(scope="session")
def top_rows(accuracy) -> pd.DataFrame:
    return accuracy[top_mask(accuracy["accuracy_mean"])]


@pytest.fixture(scope="session")
def synthetic_search() -> Callable[..., pd.DataFrame]:
    """Function that makes searches of the paper's size from a random seed."""
    return _synthetic_search


def _synthetic_search(
    seed: int = 0, sub_spaces: int = 8, epochs: int = 600, first: int = 0
) -> pd.DataFrame:
    """Make curves with noisy validation accuracies and test accuracies in steps."""
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
