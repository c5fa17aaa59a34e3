"""How long a split will take, from how long splits took on this machine."""

import json
from pathlib import Path

from fewshot_core.datafolder import write_json
from fewshot_core.datasets import DATASETS
from fewshot_core.runs.request import SplitRequest

_FILE = "pace.json"


def estimate_seconds(data_dir: Path, request: SplitRequest) -> float | None:
    """Return the seconds a split will take, or None before one of its metric was measured here.

    The measured pace is scaled by the work of the request: images, pixels, cells and the square
    of the channels.
    """
    pace = _read(data_dir).get(_key(request))
    if pace is None:
        return None
    return pace * _work(request) * request.tree.scorings()


def record_pace(data_dir: Path, request: SplitRequest, seconds: float) -> None:
    """Remember how many seconds one scored operation took."""
    paces = _read(data_dir) | {_key(request): seconds / _work(request)}
    write_json(data_dir / _FILE, paces)


def _key(request: SplitRequest) -> str:
    return f"{request.metric}/{request.variant}/{request.device}"


def _work(request: SplitRequest) -> float:
    network = request.network
    if not request.needs_images:
        return float(network.cells_per_stage)
    pixels = DATASETS.get(request.dataset).image_size ** 2
    images = request.batch_size * request.batches
    return float(images * pixels * network.cells_per_stage * network.channels**2)


def _read(data_dir: Path) -> dict[str, float]:
    try:
        content = json.loads((data_dir / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: pace for key, pace in content.items() if isinstance(pace, int | float)}
