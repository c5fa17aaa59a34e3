"""Sums in float64, so that scores do not depend on the order of summation."""

from torch import Tensor


def precise(tensor: Tensor) -> Tensor:
    """Return a tensor's numbers in float64, without its history.

    They stay on their device, unless that has no float64 (Apple's GPUs): then they come to the CPU.
    """
    there = tensor.detach()
    return (there.cpu() if there.device.type == "mps" else there).double()
