"""Random numbers: one generator for each purpose, all seeded by one seed, all on the CPU.

What one purpose draws does not change what another does, and is the same on every device.
"""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def generator_for(seed: int, purpose: str) -> torch.Generator:
    """Return a generator of its own for a purpose."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class Randomness:
    """The generators of a search or training.

    Args:
        seed: The seed of them all.
        purposes: What they are for.
    """

    def __init__(self, seed: int, purposes: tuple[str, ...]) -> None:
        self._generators = {purpose: generator_for(seed, purpose) for purpose in purposes}

    def __getitem__(self, purpose: str) -> torch.Generator:
        return self._generators[purpose]

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state of each generator."""
        return {purpose: found.get_state() for purpose, found in self._generators.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over the states of generators for the same purposes."""
        for purpose, found in self._generators.items():
            found.set_state(state[purpose].cpu())
