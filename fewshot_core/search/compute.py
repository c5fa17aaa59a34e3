"""Where and how a search computes: the device, mixed precision, and compilation."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import nn

from fewshot_core.search.errors import SearchError


@dataclass(frozen=True)
class Compute:
    """A device and how to use it.

    Attributes:
        device: The device.
        mixed_precision: Whether forward passes use bfloat16 where that is safe. Only on CUDA;
            its range is that of float32, so that losses need no scaling.
        compiled: Whether the network goes through ``torch.compile``.
    """

    device: torch.device
    mixed_precision: bool = False
    compiled: bool = False

    @classmethod
    def create(
        cls, device: str = "cpu", mixed_precision: bool = True, compiled: bool = False
    ) -> "Compute":
        """Return what is asked for, as far as the device can do it.

        Raises:
            SearchError: If the device cannot be used here.
        """
        try:
            found = torch.device(device)
            torch.zeros(1, device=found)
        except (RuntimeError, AssertionError) as error:
            raise SearchError(
                f"the device {device!r} cannot be used here ({error}); choose 'cpu'"
            ) from error
        return cls(found, mixed_precision and found.type == "cuda", compiled)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for a forward pass."""
        if not self.mixed_precision:
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def in_full_precision(self) -> "Compute":
        """Return the same without mixed precision."""
        return replace(self, mixed_precision=False)

    def prepare(self, network: nn.Module) -> None:
        """Compile a network where this is asked for; it is called as before."""
        if self.compiled:
            network.compile()

    def wait(self) -> None:
        """Return once everything that was asked of the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
