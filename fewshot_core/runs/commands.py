"""The command line that repeats a run."""

import shlex
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path

from fewshot_core.runs.requests import (
    EstimateRequest,
    MetricRequest,
    ProxyRequest,
    Request,
    SearchRequest,
    SplitRequest,
    TrainingRequest,
)
from fewshot_core.search import PRESETS, preset_of
from fewshot_core.search.options import as_text, changed
from fewshot_core.space import NAS_BENCH_201
from fewshot_core.splitting import TreeOptions

_METRIC_OPTIONS = {
    "variant": "variant",
    "seed": "seed",
    "images": "images",
    "batch-size": "batch_size",
    "batches": "batches",
    "batch-seed": "batch_seed",
    "batch-norm": "batch_norm",
    "channels": "network.channels",
    "cells": "network.cells_per_stage",
    "network-seed": "network.seed",
    "checkpoint": "network.checkpoint",
}
_SPLIT_OPTIONS = _METRIC_OPTIONS | {
    "edges": "tree.edges",
    "groups": "tree.groups",
    "balanced": "tree.balanced",
    "policy": "tree.policy",
    "warm-up": "tree.warm_up_epochs",
    "warm-up-images": "tree.warm_up_images",
}
_ESTIMATE_OPTIONS = _METRIC_OPTIONS | {"sample": "sample", "sample-seed": "sample_seed"}
"""Options of ``fewshot split`` and ``estimate``, and the fields of a request that they set."""


def in_data_folder(commands: str, folder: Path) -> str:
    """Add the data folder to commands, one a line, so that they run anywhere."""
    option = shlex.join(["--data-dir", str(folder.absolute())])
    return "\n".join(f"{line} {option}" for line in commands.splitlines())


def split_command(request: SplitRequest) -> str:
    """Build the ``fewshot split`` command of a request, without default values."""
    edges = request.tree.edges
    same_edges = TreeOptions(edges, (2,) * len(edges))  # the default groups depend on them
    usual = SplitRequest(request.dataset, request.metric, tree=same_edges, space=request.space)
    return _metric_command(request, usual, _SPLIT_OPTIONS)


def _metric_command(request: MetricRequest, usual: MetricRequest, fields: Mapping[str, str]) -> str:
    command = ["fewshot", request.kind, "--metric", request.metric, "--dataset", request.dataset]
    if request.space != NAS_BENCH_201.name:
        command += ["--space", request.space]
    for option, field in fields.items():
        value = attrgetter(field)(request)
        default = TreeOptions().edges if option == "edges" else attrgetter(field)(usual)
        if field not in request.unused() and value != default:
            command += [f"--{option}"] if value is True else [f"--{option}", as_text(value)]
    return shlex.join([*command, "--device", request.device])


def command(request: Request) -> str:
    """Build the command that repeats a request."""
    if isinstance(request, SplitRequest):
        return split_command(request)
    if isinstance(request, EstimateRequest):
        usual = EstimateRequest(request.dataset, request.metric, space=request.space)
        return _metric_command(request, usual, _ESTIMATE_OPTIONS)
    if isinstance(request, ProxyRequest):
        options = ["--sample", str(request.sample), "--seed", str(request.seed)]
        return shlex.join(["fewshot", "proxy", request.run, *options])
    where = ["--sub-space", " ".join(request.rows)] if isinstance(request, SearchRequest) else []
    return _search_command(request, where, [request.seed])


def plan_command(request: SearchRequest, split: str | None, seeds: Sequence[int]) -> str:
    """Build the command of a plan of searches with ``request``'s options.

    ``split`` is a run, the name of an imported split, or None for the whole space.
    """
    where = ["--no-splitting"] if split is None else ["--split", split]
    return _search_command(request, where, seeds)


def _search_command(
    request: SearchRequest | TrainingRequest, where: Sequence[str], seeds: Sequence[int]
) -> str:
    preset = PRESETS.get(preset_of(request.options) or "paper")
    if isinstance(request, SearchRequest):
        options = ["fewshot", "search", *where, "--algorithm", request.algorithm]
        options += ["--seeds", as_text(list(seeds))]
        differing = changed(request.options, preset.search)
        if request.checkpoint is not None:
            options += ["--checkpoint", request.checkpoint]
    else:
        options = ["fewshot", "train", "--seed", str(request.seed)]
        differing = changed(request.options, preset.training)
    if request.space != NAS_BENCH_201.name:
        options += ["--space", request.space]
    options += ["--dataset", request.dataset, "--preset", preset.name]
    for name, value in differing.items():
        options += ["--set", f"{name}={as_text(value)}"]
    if request.images is not None:
        options += ["--images", request.images]
    if request.precision != "float32":
        options += ["--precision", request.precision]
    if request.compiled:
        options.append("--compile")
    return shlex.join([*options, "--device", request.device])
