"""Which ReLUs of a network are active, sample by sample."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_RELUS = (torch.relu, torch.relu_, functional.relu, Tensor.relu, Tensor.relu_)


def count_patterns(network: nn.Module, images: Tensor) -> float:
    """Return how many distinct sign patterns a batch makes of the outputs of all ReLUs.

    Each pattern is of another linear piece of the network's function (with the statistics of
    batch norm as constants). A network without any ReLU is linear and has one.

    Args:
        network: Any network whose samples keep their places in the batch.
        images: Shape (B, C, H, W).

    Returns:
        A number from 1 to B; not a number if an output of a ReLU is not finite.
    """
    with torch.no_grad(), _ReluWatch(len(images)) as watch:
        network(images)
    if not watch.finite:
        return float("nan")
    return float(len(np.unique(np.concatenate(watch.patterns, axis=1), axis=0)))


class _ReluWatch(TorchFunctionMode):
    """Keeps the signs of all ReLU outputs, eight in a byte."""

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.finite = True
        self.patterns: list[npt.NDArray[np.uint8]] = [np.zeros((samples, 1), dtype=np.uint8)]

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of PyTorch; keep the signs if it is a ReLU."""
        output = func(*args, **(kwargs or {}))
        if func in _RELUS:
            self.finite = self.finite and bool(torch.isfinite(output).all())
            active = (output > 0).flatten(1).cpu().numpy()
            self.patterns.append(np.packbits(active, axis=1))
        return output
