"""The command line that repeats a run."""

import shlex
from dataclasses import fields

from fewshot_core.runs.request import Network, SplitRequest
from fewshot_core.splitting import TreeOptions


def split_command(request: SplitRequest) -> str:
    """Return the ``fewshot split`` command of a request, without what is the default anyway."""
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
    return {
        "edges": (_listed(tree.edges), _listed(TreeOptions().edges)),
        "groups": (_listed(tree.groups), _listed(usual.groups)),
        "balanced": (tree.balanced, usual.balanced),
        "policy": (tree.policy, usual.policy),
    }


def _listed(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))
