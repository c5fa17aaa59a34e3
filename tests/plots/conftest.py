"""A split with made-up accuracies, and a published one with the real table where there is one.

Most tests need only made-up accuracies, which are the same everywhere.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import describe_sub_spaces, top_mask
from fewshot_core.space import Architecture, SubSpace

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SPLITS, TABLE = DATA / "published_splits.json", DATA / "nats_bench" / "nats_bench.csv"


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
