"""Supernets of search spaces and their restriction to sub-spaces."""

from fewshot_core.nets.cell import composing, tapped
from fewshot_core.nets.layers import (
    BatchNorm,
    held_statistics,
    normalisations,
    per_sample_gradients,
)
from fewshot_core.nets.supernet import (
    Choice,
    Supernet,
    count_parameters,
    load_checkpoint,
    probed_weights,
)

__all__ = [
    "BatchNorm",
    "Choice",
    "Supernet",
    "composing",
    "count_parameters",
    "held_statistics",
    "load_checkpoint",
    "normalisations",
    "per_sample_gradients",
    "probed_weights",
    "tapped",
]
