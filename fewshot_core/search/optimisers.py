"""The optimisers of Appendix A of the paper."""

import torch
from torch import nn

from fewshot_core.search.alphas import Alphas
from fewshot_core.search.options import SearchOptions, TrainingOptions
from fewshot_core.search.schedules import learning_rate


def weight_optimiser(network: nn.Module, options: SearchOptions) -> torch.optim.SGD:
    """Return Nesterov SGD for the weights of a search (Appendix A.3)."""
    return _sgd(network, options, nesterov=options.momentum > 0)


def training_optimiser(network: nn.Module, options: TrainingOptions) -> torch.optim.SGD:
    """Return SGD with momentum for a supernet's training (Appendix A.2)."""
    return _sgd(network, options, nesterov=False)


def architecture_optimiser(alphas: Alphas, options: SearchOptions) -> torch.optim.Adam:
    """Return Adam for the architecture parameters (Appendix A.3)."""
    return torch.optim.Adam(
        [{"params": alphas.learnable()}],
        lr=options.architecture_learning_rate,
        betas=options.architecture_betas,
        weight_decay=options.architecture_weight_decay,
    )


def set_learning_rate(
    optimiser: torch.optim.Optimizer, options: SearchOptions | TrainingOptions, epoch: int
) -> float:
    """Give an optimiser the learning rate of an epoch, counted from 0, and return it."""
    rate = learning_rate(options.learning_rate, options.final_learning_rate, epoch, options.epochs)
    for group in optimiser.param_groups:
        group["lr"] = rate
    return rate


def _sgd(
    network: nn.Module, options: SearchOptions | TrainingOptions, nesterov: bool
) -> torch.optim.SGD:
    return torch.optim.SGD(
        network.parameters(),
        lr=options.learning_rate,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        nesterov=nesterov,
    )
