"""The stored statistics of batch norm, which training itself never touches."""

from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from fewshot_core.nets import BatchNorm, Supernet, held_statistics
from fewshot_core.search.data import Images, in_order

BATCHES = 50
"""The most batches that statistics are averaged over."""

_Moments = list[tuple[Tensor, Tensor]]


def store_statistics(supernet: Supernet, images: Images, batch_size: int) -> None:
    """Store the mean statistics of some batches, for batch norm with stored statistics.

    Every edge outputs the mean of its operations, and each batch is normalised by its own
    statistics. As in PyTorch, the stored variance is the unbiased one.

    Args:
        supernet: The network.
        images: What it was trained on; neither cropped nor flipped.
        batch_size: About how many images at once.
    """
    layers = [layer for layer in supernet.modules() if isinstance(layer, BatchNorm)]
    seen: dict[BatchNorm, _Moments] = defaultdict(list)
    handles = [layer.register_forward_pre_hook(_observe(seen[layer])) for layer in layers]
    try:
        with torch.no_grad(), held_statistics(supernet):  # calls each layer by itself
            for rows in islice(in_order(len(images), batch_size), BATCHES):
                supernet(images.take(rows).images)
    finally:
        for handle in handles:
            handle.remove()
    for layer in layers:
        _store(layer, seen[layer])


def _observe(seen: _Moments) -> Callable[[nn.Module, Any], None]:
    """Return a hook that keeps mean and variance of what a layer is given."""

    def hook(module: nn.Module, inputs: Any) -> None:
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
        seen.append((mean, variance))

    return hook


def _store(layer: BatchNorm, seen: _Moments) -> None:
    if not seen or layer.running_mean is None or layer.running_var is None:
        return
    means, variances = zip(*seen, strict=True)
    layer.running_mean.copy_(torch.stack(means).mean(dim=0))
    layer.running_var.copy_(torch.stack(variances).mean(dim=0))
