"""The settings of one-shot searches, as the code of the paper's authors reads them.

Its ``oneshot_search.py`` looks for all of these keys. Their values are those of Appendix A of the
paper; the names of networks and schedulers are those of its code
(https://github.com/brain-bzh/metric_driven_few_shot_nas).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fewshot_core.errors import SplittingError
from fewshot_core.registry import Registry
from fewshot_core.space import OPERATIONS

_LOSS = {"name": "cross_entropy", "config": {"label_smoothing": 0}}

_DATA = {"subset": 1, "valid_split": 0.5, "workers": 4, "batch_size": 64}

_WARM_RESTARTS = ("CosineAnnealingWarmRestarts", "T_0")
_ONE_DESCENT = ("CosineAnnealingLR", "T_max")


@dataclass(frozen=True)
class AlgorithmSettings:
    """What sets an algorithm apart from the others.

    Attributes:
        name: Its name.
        label: How the authors' files call it.
        network: The network's name.
        network_options: Its options beside those that all networks have, given the epochs.
        scheduler: The scheduler's name, and how it calls the epochs.
        architecture: The name of what trains the architecture.
        architecture_options: Its options beside the optimiser and the loss.
    """

    name: str
    label: str
    network: str
    network_options: Callable[[int], dict[str, Any]]
    scheduler: tuple[str, str]
    architecture: str
    architecture_options: dict[str, Any]


def _temperature(epochs: int) -> dict[str, Any]:
    annealed = {"lam_min": 0.1, "lam_max": 1.0, "curr_lam": 1.0, "total_epochs": epochs}
    return {
        "forward_samples": 1,
        "temperature": {"name": "TempScheduler", "config": annealed},
    }


SEARCH_SETTINGS: Registry[AlgorithmSettings] = Registry("search algorithm")
"""The algorithms for which there are settings."""

SEARCH_SETTINGS.add(
    AlgorithmSettings(
        "darts-1st",
        "darts",
        "NetworkDarts",
        lambda epochs: {},
        _WARM_RESTARTS,
        "Architecture",
        {"second_order": False},
    )
)
SEARCH_SETTINGS.add(
    AlgorithmSettings(
        "darts-2nd",
        "darts2",
        "NetworkDarts",
        lambda epochs: {},
        _WARM_RESTARTS,
        "Architecture",
        {"second_order": True},
    )
)
SEARCH_SETTINGS.add(
    AlgorithmSettings(
        "snas",
        "snas",
        "NetworkSnas",
        _temperature,
        _ONE_DESCENT,
        "Architecture",
        {"second_order": False},
    )
)
SEARCH_SETTINGS.add(
    AlgorithmSettings(
        "dsnas",
        "dsnas",
        "NetworkRP",
        lambda epochs: {"forward_samples": 5, "independence": True},
        _ONE_DESCENT,
        "SamplingArchitecture",
        {
            "second_order": False,
            "train_or_valid": "valid",
            "threshold": 0.8,
            "method": "_reinforce_loo",
        },
    )
)


def search_settings(algorithm: str, epochs: int) -> dict[str, Any]:
    """Return everything of a search configuration that is the same for all sub-supernets.

    Args:
        algorithm: One of ``SEARCH_SETTINGS``.
        epochs: How long the search trains.

    Raises:
        UnknownNameError: If there is no such algorithm.
        SplittingError: If there is no epoch.
    """
    if epochs < 1:
        raise SplittingError(f"expected at least 1 epoch of search, got {epochs}")
    return {
        "disable_tdqm": True,
        "fast": False,
        "multi-gpu": False,
        "test": False,
        "profiling": False,
        "base_config": _base_config(SEARCH_SETTINGS.get(algorithm), epochs),
        "default": {"dataloader": _DATA},
        "warmup": None,
        "splitting": None,
        "training": {"epochs": epochs, "dataloader": _DATA},
    }


def _base_config(chosen: AlgorithmSettings, epochs: int) -> dict[str, Any]:
    """Return the network, and how its weights and its architecture are trained."""
    scheduler, length = chosen.scheduler
    architecture = {
        "optimizer": {
            "name": "Adam",
            "config": {"lr": 0.0003, "betas": [0.5, 0.999], "weight_decay": 0.001},
        },
        "loss": _LOSS,
        **chosen.architecture_options,
    }
    return {
        "network": {"name": chosen.network, "config": _network(chosen.network_options(epochs))},
        "optimizer": {
            "name": "SGD",
            "config": {"lr": 0.025, "momentum": 0.9, "weight_decay": 0.0003, "nesterov": True},
        },
        "scheduler": {"name": scheduler, "config": {length: epochs, "eta_min": 0.001}},
        "loss": _LOSS,
        "architecture": {"name": chosen.architecture, "config": architecture},
    }


def _network(options: dict[str, Any]) -> dict[str, Any]:
    common = {"C": 16, "N": 5, "max_nodes": 4, "space": list(OPERATIONS)}
    return {**common, "affine": False, "track_running_stats": True, **options}
