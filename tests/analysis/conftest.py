"""Real tables and published splits, where the folder `shared` is beside the project."""

import json
from pathlib import Path

import pandas as pd
import pytest

from fewshot_core.space import Architecture, SubSpace

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
COLUMNS = {
    "cifar10": "CIFAR10TestAccuracy200Epochs",
    "cifar100": "CIFAR100TestAccuracy200Epochs",
    "ImageNet16-120": "ImageNetTestAccuracy200Epochs",
}


def _need(name: str) -> Path:
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"{path.name} is not in the folder shared beside the project")
    return path


@pytest.fixture(scope="session")
def tables() -> dict[str, pd.DataFrame]:
    table = pd.read_csv(_need("nats_bench/nats_bench.csv"))
    indices = [Architecture.from_string(text).index for text in table["ArchitectureString"]]
    return {
        name: pd.DataFrame({"architecture": indices, "accuracy_mean": table[column]})
        for name, column in COLUMNS.items()
    }


@pytest.fixture(scope="session")
def splits() -> dict[str, dict[str, list[SubSpace]]]:
    document = json.loads(_need("published_splits.json").read_text())
    return {
        metric: {
            name: [SubSpace.from_rows(rows) for rows in masks] for name, masks in of_metric.items()
        }
        for metric, of_metric in document["splits"].items()
    }
