"""Device, precision, random generators and optimisers of a search.

Each purpose has its own generator, on the CPU, so that all devices see the same numbers.
"""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from fewshot_core.errors import check_name
from fewshot_core.search.network import Alphas
from fewshot_core.search.options import (
    PRECISIONS,
    SearchError,
    SearchOptions,
    TrainingOptions,
    cosine,
)

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Compute:
    """A device and how to use it.

    The precision, one of ``PRECISIONS``, is that of CUDA; other devices compute in float32. With
    ``bfloat16``, forward passes use it where that is safe; its range is that of float32, so that
    losses need no scaling. A compiled network is one of ``torch.compile``.
    """

    device: torch.device
    precision: str = "float32"
    compiled: bool = False

    @classmethod
    def create(
        cls, device: str = "cpu", precision: str = "float32", compiled: bool = False
    ) -> "Compute":
        """Create from options.

        Raises SearchError if the device cannot be used here, or there is no such precision.
        """
        check_name("precision", precision, PRECISIONS, SearchError)
        try:
            found = torch.device(device)
            torch.zeros(1, device=found)
        except (RuntimeError, AssertionError) as error:
            raise SearchError(
                f"the device {device!r} cannot be used here ({error}); choose 'cpu'"
            ) from error
        return cls(found, precision if found.type == "cuda" else "float32", compiled)

    def autocast(self) -> AbstractContextManager[object]:
        """Context for a forward pass."""
        if self.precision != "bfloat16":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def place(self, network: Module) -> Module:
        """Move a network to the device, in place; on CUDA set its precision for the process.

        There the channels of a pixel lie together, which its convolutions compute fastest with.
        """
        if self.device.type == "cuda":
            matrices, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
            matrices.allow_tf32 = convolutions.allow_tf32 = self.precision != "float32"
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # documented
        return network.to(self.device)

    def prepare(self, network: nn.Module) -> None:
        """Compile a network in place, where this is chosen."""
        if self.compiled:
            network.compile()

    def wait(self) -> None:
        """Wait until the device has finished."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


def generator_for(seed: int, purpose: str) -> torch.Generator:
    """Create a separate generator for a purpose."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class Randomness:
    """The generators of a search or training, one for each purpose."""

    def __init__(self, seed: int, purposes: tuple[str, ...]) -> None:
        self._generators = {purpose: generator_for(seed, purpose) for purpose in purposes}

    def __getitem__(self, purpose: str) -> torch.Generator:
        return self._generators[purpose]

    def state_dict(self) -> dict[str, Tensor]:
        """The state of each generator."""
        return {purpose: found.get_state() for purpose, found in self._generators.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore the states of the generators."""
        for purpose, found in self._generators.items():
            found.set_state(state[purpose].cpu())


def weight_optimiser(
    network: nn.Module, options: SearchOptions | TrainingOptions
) -> torch.optim.SGD:
    """Create SGD: with Nesterov momentum for searches (Appendix A.3), else without (A.2)."""
    return torch.optim.SGD(
        network.parameters(),
        lr=options.learning_rate,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        nesterov=isinstance(options, SearchOptions) and options.momentum > 0,
    )


def architecture_optimiser(alphas: Alphas, options: SearchOptions) -> torch.optim.Adam:
    """Create Adam for the architecture parameters (Appendix A.3)."""
    return torch.optim.Adam(
        [{"params": alphas.learnable()}],
        lr=options.architecture_learning_rate,
        betas=options.architecture_betas,
        weight_decay=options.architecture_weight_decay,
    )


def set_learning_rate(
    optimiser: torch.optim.Optimizer, options: SearchOptions | TrainingOptions, epoch: int
) -> float:
    """Set and return the learning rate of an epoch from 0, annealed by cosine (Appendix A).

    The final one would follow the last epoch, as in DARTS (Liu et al., 2019).
    """
    rate = cosine(options.learning_rate, options.final_learning_rate, epoch / options.epochs)
    for group in optimiser.param_groups:
        group["lr"] = rate
    return rate
