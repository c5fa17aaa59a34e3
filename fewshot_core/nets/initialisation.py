"""Seeded initial weights that do not depend on which sub-space a network is built for."""

import hashlib

import torch
from torch import nn

from fewshot_core.nets.batch_norm import normalisations, reset_statistics


def initialise(network: nn.Module, seed: int) -> None:
    """Give a network its initial weights: Kaiming normal, fan-out, biases zero.

    Each weight has a generator of its own, seeded by ``seed`` and the weight's name. A network
    built for a sub-space has therefore the same weights as the full one restricted to it, and
    nothing depends on, or changes, the global random state.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            generator = torch.Generator().manual_seed(_weight_seed(seed, name))
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for layer in normalisations(network):
        reset_statistics(layer)


def _weight_seed(seed: int, name: str) -> int:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
