"""Short names of what is asked of runs; they do not depend on when or where a run was made."""

from collections import Counter
from collections.abc import Mapping

from fewshot_core.metrics import METRICS
from fewshot_core.runs import Request, SplitRequest
from fewshot_core.search import (
    ALGORITHMS,
    PRESETS,
    SearchOptions,
    SearchRequest,
    TrainingOptions,
    preset_of,
)

_SEPARATOR = " · "
_SHORT = 6


def request_label(request: Request, run_id: str) -> str:
    """Return the short name of any request."""
    if isinstance(request, SplitRequest):
        return split_label(request, run_id)
    if isinstance(request, SearchRequest):
        parts = [search_label(request), f"{request.sub_space.size:,} architectures"]
    else:
        parts = ["Supernet", options_label(request.options)]
    return _SEPARATOR.join([*parts, f"seed {request.seed}", *_images(request.images)])


def search_label(request: SearchRequest, synthetic: bool = False) -> str:
    """Return what searches have in common that differ by sub-space and seed only."""
    parts = [ALGORITHMS.get(request.algorithm).label, options_label(request.options)]
    if request.checkpoint is not None:
        parts.append("inherited weights")
    return _SEPARATOR.join([*parts, *(["synthetic"] if synthetic else [])])


def split_label(request: SplitRequest, run_id: str) -> str:
    """Return the short name of a split; the end of its run's name tells it from others."""
    network = request.network
    parts = [METRICS.get(request.metric).label]
    if request.variant != "paper":
        parts.append(request.variant)
    parts.append(_network(network.channels, network.cells_per_stage))
    if network.checkpoint is not None:
        parts.append("trained")
    if request.needs_images:
        parts += _images(request.images)
    parts.append(f"seed {request.seed}")
    return _SEPARATOR.join([*parts, run_id.rpartition("-")[2][:_SHORT]])


def distinct_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels that ``split_label`` gave without what none needs to be told apart.

    "snip · 16 channels, 5 cells · d20ce9" becomes "snip" where no other one is of this metric;
    among several of one metric, what all of them have in common is left out. The end of a run's
    name is kept only where two would otherwise be named alike.
    """
    parts = {key: label.split(_SEPARATOR) for key, label in labels.items()}
    families: dict[str, list[list[str]]] = {}
    for row in parts.values():
        families.setdefault(row[0], []).append(row)
    short = {}
    for key, (first, *rest, _) in parts.items():
        family = families[first]
        told = [part for part in rest if not all(part in row for row in family)]
        short[key] = _SEPARATOR.join([first, *told])
    return with_ends(short, {key: row[-1] for key, row in parts.items()})


def with_ends(labels: Mapping[str, str], ends: Mapping[str, str]) -> dict[str, str]:
    """Return labels with what tells apart those of the same name, and no other."""
    alike = Counter(labels.values())
    return {
        key: f"{label}{_SEPARATOR}{ends[key]}" if alike[label] > 1 else label
        for key, label in labels.items()
    }


def options_label(options: SearchOptions | TrainingOptions) -> str:
    """Return the name of the preset that options are of, or what is most told of others."""
    preset = preset_of(options)
    if preset is not None:
        return PRESETS.get(preset).label
    return f"{_network(options.channels, options.cells_per_stage)}, {options.epochs} epochs"


def _network(channels: int, cells: int) -> str:
    return f"{channels} channels, {cells} cell{'s' * (cells > 1)}"


def _images(name: str | None) -> list[str]:
    return ["synthetic"] if name == "synthetic" else []
