"""State of the installation and of a data folder, for ``fewshot doctor`` and the home page."""

import os
import platform
import shutil
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fewshot_core.bench import damaged_tables, list_tables
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import FewshotError
from fewshot_core.images import list_sources
from fewshot_core.metrics import METRICS
from fewshot_core.runs import available_devices, list_runs
from fewshot_core.search import ALGORITHMS

_PACKAGES = ("streamlit", "plotly", "torch", "pandas", "duckdb", "numpy", "nas-bench-201")


def examine(data_dir: Path, runs: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Examine the installation and a data folder; the result holds plain values only.

    ``problems`` has a sentence for everything that prevents the workbench from working. ``runs``
    is the number of runs in each state, where that is known already.
    """
    problems: list[str] = [*METRICS.problems.values(), *ALGORITHMS.problems.values()]
    packages = {name: _version(name, problems) for name in _PACKAGES}
    return {
        "python": platform.python_version(),
        "packages": packages,
        "devices": list(available_devices()),
        "data_dir": str(data_dir),
        "free_bytes": _free_bytes(data_dir, problems),
        "tables": _tables(data_dir, problems),
        "images": _images(data_dir, problems),
        "runs": _runs(data_dir) if runs is None else dict(runs),
        "problems": list(dict.fromkeys(problems)),
    }


def _version(name: str, problems: list[str]) -> str | None:
    try:
        return installed_version(name)
    except PackageNotFoundError:
        problems.append(
            f"the package {name} is not installed: run `make app` in a checkout, or "
            f"`pip install {name}`"
        )
        return None


installed_version = lru_cache(maxsize=64)(version)


def _free_bytes(data_dir: Path, problems: list[str]) -> int | None:
    existing = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        problems.append(f"{existing} cannot be written to: choose another data folder")
        return None
    return shutil.disk_usage(existing).free


def _tables(data_dir: Path, problems: list[str]) -> list[dict[str, Any]]:
    try:
        tables = list_tables(data_dir, space=None)
        damaged = damaged_tables(data_dir)
    except (FewshotError, OSError) as error:
        problems.append(f"the accuracy tables cannot be read: {error}")
        return []
    problems += [reason for _, reason in damaged]
    return [
        {
            "name": table.name,
            "label": table.label,
            "sets": [
                {
                    "dataset": item.dataset,
                    "accuracy": item.kind,
                    "architectures": item.architectures,
                    "complete": item.complete,
                }
                for item in table.sets
            ],
        }
        for table in tables
    ]


def _images(data_dir: Path, problems: list[str]) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for dataset in DATASETS.names():
        try:
            sources = list_sources(dataset, data_dir)
        except (FewshotError, OSError) as error:
            problems.append(f"the images of {dataset} cannot be listed: {error}")
            continue
        problems += [source.problem for source in sources if source.problem]
        found[dataset] = [
            {"name": source.name, "label": source.label, "synthetic": source.synthetic}
            for source in sources
            if source.problem is None
        ]
    return found


def _runs(data_dir: Path) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for folder in list_runs(data_dir):
        try:
            counts[folder.status().state.value] += 1
        except FewshotError:
            counts["damaged"] += 1
    return dict(counts)
