"""Short names of what is asked of runs; they do not depend on when or where a run was made."""

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


def request_label(request: Request, run_id: str) -> str:
    """Return the short name of any request."""
    if isinstance(request, SplitRequest):
        return split_label(request, run_id)
    if isinstance(request, SearchRequest):
        size = f"{request.sub_space.size:,} architectures"
        parts = [ALGORITHMS.get(request.algorithm).label, options_label(request.options), size]
    else:
        parts = ["Supernet", options_label(request.options)]
    return _SEPARATOR.join([*parts, f"seed {request.seed}", *_images(request.images)])


def split_label(request: SplitRequest, run_id: str) -> str:
    """Return the short name of a split; the end of its run's name tells it from others."""
    network = request.network
    parts = [METRICS.get(request.metric).label]
    if request.variant != "paper":
        parts.append(request.variant)
    parts.append(f"{network.channels}x{network.cells_per_stage}")
    if request.needs_images:
        parts += _images(request.images)
    return _SEPARATOR.join([*parts, run_id.rpartition("-")[2][:6]])


def distinct_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels without what none of them needs to be told apart.

    "snip · 16x5 · d20ce9" becomes "snip" where no other one is of this metric; among several of one
    metric, what all of them have in common is left out.
    """
    parts = {key: label.split(_SEPARATOR) for key, label in labels.items()}
    families: dict[str, list[list[str]]] = {}
    for row in parts.values():
        families.setdefault(row[0], []).append(row)
    short = {}
    for key, (first, *rest) in parts.items():
        family = families[first]
        told = [part for part in rest if not all(part in row for row in family)]
        short[key] = _SEPARATOR.join([first, *told])
    return short


def options_label(options: SearchOptions | TrainingOptions) -> str:
    """Return the name of the preset that options are of, or what is most told of others."""
    preset = preset_of(options)
    if preset is not None:
        return PRESETS.get(preset).label
    size = f"{options.channels}x{options.cells_per_stage}"
    return f"{size}, {options.epochs} epochs"


def _images(name: str | None) -> list[str]:
    return ["synthetic"] if name == "synthetic" else []
