"""Sums in float64, so that scores do not depend on the order of summation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def precise(tensor: Tensor) -> Tensor:
    """Convert a tensor to float64 and detach it.

    It stays on its device, unless that has no float64 (Apple's GPUs): then it moves to the CPU.
    """
    detached = tensor.detach()
    return (detached.cpu() if detached.device.type == "mps" else detached).double()
