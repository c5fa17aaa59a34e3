"""What each option of a search and of a training means, for people who read a table of them."""

from collections.abc import Mapping

from fewshot_core.search.options import SAMPLINGS, TRAINED_ON
from fewshot_core.search.registry import ALGORITHMS

OPTION_TEXTS: Mapping[str, str] = {
    "epochs": "passes over the training half of the images",
    "batch_size": "images in a batch",
    "learning_rate": "of the weights (SGD), in the first epoch",
    "final_learning_rate": "what it is annealed to, by cosine",
    "momentum": "of the weights; in searches Nesterov's",
    "weight_decay": "of the weights",
    "gradient_clip": "largest norm of the weights' gradient",
    "architecture_learning_rate": "of the architecture parameters (Adam), constant",
    "architecture_betas": "decay rates of Adam's two means",
    "architecture_weight_decay": "of the architecture parameters",
    "temperature": "of the first epoch",
    "final_temperature": "of the last epoch",
    "temperature_schedule": "from the first to the last: cosine or linear",
    "stopping_threshold": "lead at which an edge's operation is decided",
    "sampling": "; ".join(f"{name}: {text}" for name, text in SAMPLINGS.items()),
    "trained_on": "; ".join(f"{name}: {text}" for name, text in TRAINED_ON.items()),
    "channels": "of the first stage, doubled in each next one",
    "cells_per_stage": "cells in each of the three stages",
    "images": "half of them are held out; none means all there are",
    "split_seed": "which images, and which of them are held out",
    "augment": "random crops and flips",
}
"""What each option means, with its unit where it has one."""


def readers_of(name: str) -> tuple[str, ...]:
    """Return the labels of the algorithms that alone read an option; none where all do."""
    return tuple(info.label for info in ALGORITHMS if name in info.options)
