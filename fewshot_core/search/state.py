"""The whole state of a search or a supernet's training, in a file it can go on from."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fewshot_core.datafolder import atomic_path, canonical_json
from fewshot_core.safe_pickle import DAMAGE
from fewshot_core.search.errors import SearchError

FORMAT = "fewshot-search-state/1"

_DAMAGE = (*DAMAGE, RuntimeError, AssertionError, struct.error, KeyError, TypeError)
"""What reading a damaged file raises, depending on where the damage is."""


@dataclass(frozen=True)
class SearchState:
    """A search or training between two epochs.

    The file is also a checkpoint for ``fewshot_core.nets.load_checkpoint``.

    Attributes:
        identity: What is being computed, as plain values; a state fits only the same.
        supernet: The network's weights and stored statistics, by name.
        rest: Everything else that the next epoch depends on: plain values and tensors.
    """

    identity: Mapping[str, Any]
    supernet: Mapping[str, torch.Tensor]
    rest: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write the state; a reader sees the file before or after, never a part of it."""
        content = {
            "format": FORMAT,
            "identity": dict(self.identity),
            "supernet": dict(self.supernet),
            "rest": dict(self.rest),
        }
        # To an open file: a full disk is then said by the system, not by a riddle of PyTorch's.
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            torch.save(content, file)

    @classmethod
    def load(cls, path: Path) -> "SearchState":
        """Read a state, on the CPU and without running any code.

        Raises:
            SearchError: If the file is missing, damaged or of another format.
        """
        if not path.is_file():
            raise SearchError(f"expected the state of a search, found no file at {path}")
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            found = content.get("format") if isinstance(content, Mapping) else None
            if found != FORMAT:
                raise SearchError(f"{path}: expected a state of format {FORMAT!r}, got {found!r}")
            return cls(content["identity"], content["supernet"], content["rest"])
        except _DAMAGE as error:
            raise SearchError(
                f"{path}: expected the state of a search, got a file that cannot be read "
                f"({error.__class__.__name__}); delete it to start anew"
            ) from error

    def check(self, identity: Mapping[str, Any]) -> None:
        """Check that the state is one of what is being computed.

        Raises:
            SearchError: If it is of something else; the message says what differs.
        """
        names = sorted({*self.identity, *identity})
        differ = [name for name in names if self.identity.get(name) != identity.get(name)]
        if differ:
            name = differ[0]
            raise SearchError(
                f"the state is of another search: its {name} is "
                f"{canonical_json(self.identity.get(name))}, expected "
                f"{canonical_json(identity.get(name))}"
            )
