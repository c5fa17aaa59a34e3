"""The command line that repeats a run."""

import shlex
from collections.abc import Sequence
from dataclasses import fields

from fewshot_core.runs.requests import (
    Network,
    Request,
    SearchRequest,
    SplitRequest,
    TrainingRequest,
)
from fewshot_core.search import PRESETS, preset_of
from fewshot_core.search.options import as_text, changed
from fewshot_core.splitting import TreeOptions


def split_command(request: SplitRequest) -> str:
    """Build the ``fewshot split`` command of a request, without default values."""
    options = ["fewshot", "split", "--metric", request.metric, "--dataset", request.dataset]
    given = _plain(request) | _network(request.network) | _tree(request.tree)
    for name, (value, default) in given.items():
        if value != default:
            options += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return shlex.join([*options, "--device", request.device])


def _plain(request: SplitRequest) -> dict[str, tuple[object, object]]:
    names = ["variant", "seed"]
    if request.needs_images:
        names += ["images", "batch_size", "batches", "batch_seed", "batch_norm"]
    defaults = {field.name: field.default for field in fields(SplitRequest)}
    return {name.replace("_", "-"): (getattr(request, name), defaults[name]) for name in names}


def _network(network: Network) -> dict[str, tuple[object, object]]:
    usual = Network()
    return {
        "channels": (network.channels, usual.channels),
        "cells": (network.cells_per_stage, usual.cells_per_stage),
        "network-seed": (network.seed, usual.seed),
        "checkpoint": (network.checkpoint, usual.checkpoint),
    }


def _tree(tree: TreeOptions) -> dict[str, tuple[object, object]]:
    usual = TreeOptions.create(tree.edges)
    shown = tree if tree.warm_up_epochs else usual
    return {
        "edges": (_listed(tree.edges), _listed(TreeOptions().edges)),
        "groups": (_listed(tree.groups), _listed(usual.groups)),
        "balanced": (tree.balanced, usual.balanced),
        "policy": (tree.policy, usual.policy),
        "warm-up": (tree.warm_up_epochs, usual.warm_up_epochs),
        "warm-up-images": (shown.warm_up_images, usual.warm_up_images),
    }


def _listed(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def command(request: Request) -> str:
    """Build the command that repeats a request."""
    if isinstance(request, SplitRequest):
        return split_command(request)
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
        options += ["--seeds", _listed(tuple(seeds))]
        differing = changed(request.options, preset.search)
        if request.checkpoint is not None:
            options += ["--checkpoint", request.checkpoint]
    else:
        options = ["fewshot", "train", "--seed", str(request.seed)]
        differing = changed(request.options, preset.training)
    options += ["--dataset", request.dataset, "--preset", preset.name]
    for name, value in differing.items():
        options += ["--set", f"{name}={as_text(value)}"]
    if request.images is not None:
        options += ["--images", request.images]
    if not request.mixed_precision:
        options.append("--full-precision")
    if request.compiled:
        options.append("--compile")
    return shlex.join([*options, "--device", request.device])
