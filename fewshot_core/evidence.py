"""What a result rests on, as one value that every ranking, mean and headline is grouped by.

Two results with different evidence are never averaged, ranked or headlined together.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from fewshot_core.errors import UnknownNameError

T = TypeVar("T")

FULL_CHANNELS, FULL_CELLS = 16, 5
"""The size of the paper's supernet: channels of the first stage, cells per stage.

In every search space 16 channels are the full width.
"""

SMALLEST_CHANNELS = 8
"""A network with fewer channels only shows that everything works."""


def size_label(channels: int, cells_per_stage: int) -> str:
    """Describe the size of a network: "16 channels, 5 cells".

    Without cells, where the depth is fixed, it is the width: "full width" or "width 8/16".
    """
    if not cells_per_stage:
        full = channels == FULL_CHANNELS
        return "full width" if full else f"width {channels}/{FULL_CHANNELS}"
    return f"{channels} channels, {cells_per_stage} cell{'s' * (cells_per_stage != 1)}"


_IMAGES = ("real", "", "unknown", "synthetic")
_SCALES = ("full", "reduced", "unknown", "smoke")
_BADGES = {"reduced": "reduced scale", "unknown": "network unknown", "smoke": "smoke test"}


@dataclass(frozen=True)
class Evidence:
    """What a result rests on, but for its seeds.

    Attributes:
        dataset: Name of the data set.
        channels: Channels of the network's first stage; None where unknown, 0 in a space without
            supernet.
        cells_per_stage: Cells in each of its stages; 0 where the depth is fixed by the space, None
            where unknown.
        images: ``"real"``, ``"synthetic"``, ``""`` where no images are used, or ``"unknown"``.
        weights: ``"untrained"``, ``"trained"``, ``"unknown"``, or ``""`` without a supernet.
        protocol: How a search was run: the label of its preset, or its epochs, images and whatever
            else differs. Empty for a split without a warm-up.
        reduced: Whether the protocol is shorter than the paper's.
        space: Name of the search space; empty for NAS-Bench-201.
        batch: The batch that a metric scored by, where it is not the usual one: its size and the
            mode of batch norm.
        tree: How a tree was grown, where not as usual: its decisions and groups.
    """

    dataset: str
    channels: int | None = None
    cells_per_stage: int | None = None
    images: str = "unknown"
    weights: str = "unknown"
    protocol: str = ""
    reduced: bool = False
    space: str = ""
    batch: str = ""
    tree: str = ""

    @property
    def scale(self) -> str:
        """The scale: ``"full"``, ``"reduced"``, ``"smoke"`` or ``"unknown"``."""
        if self.channels is None or self.cells_per_stage is None:
            return "unknown"
        if not self.channels:
            return "full"
        if self.channels < SMALLEST_CHANNELS:
            return "smoke"
        deep = not self.cells_per_stage or self.cells_per_stage >= FULL_CELLS
        full = deep and self.channels >= FULL_CHANNELS
        return "full" if full and not self.reduced else "reduced"

    @property
    def badges(self) -> tuple[str, ...]:
        """What a reader must know of a number, the most important first; empty for the best."""
        scale = _BADGES.get(self.scale)
        found = [
            scale,
            "synthetic" if self.images == "synthetic" else None,
            "trained weights" if self.weights == "trained" else None,
        ]
        return tuple(badge for badge in found if badge)

    def notes(self, demo: bool = False, one_seed: bool = False) -> tuple[str, ...]:
        """The badges, with those of a single result: a demonstration, one seed only."""
        return (*self.badges, *(["demo"] * demo), *(["one seed"] * one_seed))

    @property
    def conclusive(self) -> bool:
        """Whether a verdict may rest on it: a smoke test gets none."""
        return self.scale != "smoke"

    @property
    def network(self) -> str:
        """The size of the network."""
        if self.channels is None or self.cells_per_stage is None:
            return "unknown"
        return size_label(self.channels, self.cells_per_stage) if self.channels else "none"

    @property
    def label(self) -> str:
        """All of it in words, but for the data set."""
        if self.channels is None or self.cells_per_stage is None:
            return " · ".join(filter(None, [self.space, "imported, network unknown"]))
        if not self.channels:
            return " · ".join(filter(None, [self.space, "no network", self.tree]))
        images = {"": "no images", "unknown": "images unknown"}.get(
            self.images, f"{self.images} images"
        )
        weights = "" if self.protocol and self.weights == "untrained" else self.weights
        parts = [self.space, self.network, images, weights, self.protocol, self.tree, self.batch]
        return " · ".join(part for part in parts if part)

    @property
    def key(self) -> str:
        """All of it as one word for URLs, commands and files: ``16x5-real-untrained``."""
        cells = "" if self.cells_per_stage == 0 else f"x{self.cells_per_stage or ''}"
        network = f"{self.channels or ''}{cells}"
        parts = [
            self.space,
            network,
            self.images or "no-images",
            self.weights,
            self.protocol.lower(),
            self.tree.lower(),
            self.batch,
        ]
        return "-".join(filter(None, (re.sub(r"[^a-z0-9.]+", "-", part) for part in parts)))

    def accepts(self, other: "Evidence") -> bool:
        """Whether a result with other evidence may stand beside one with this.

        It may if it is the same, or differs only in that it uses no images.
        """
        return other == self or (not other.images and other == replace(self, images="", batch=""))

    @property
    def rank(self) -> tuple[int, int, bool, bool, bool, int, int]:
        """Order of strength: scale, images, untrained before trained weights, tree, batch, size."""
        return (
            _SCALES.index(self.scale),
            _IMAGES.index(self.images),
            self.weights != "untrained",
            self.tree != "",
            self.batch != "",
            -(self.channels or 0),
            -(self.cells_per_stage or 0),
        )


def group_by_evidence(items: Iterable[tuple[T, Evidence]]) -> dict[Evidence, list[T]]:
    """Group results that may stand side by side, the strongest evidence first, then the largest.

    A result that uses no images belongs to every group of the same network and protocol, and has a
    group of its own only where there is no such group.

    Args:
        items: Results with their evidence.
    """
    pairs = list(items)
    keys = list(dict.fromkeys(evidence for _, evidence in pairs))
    groups = {
        key: [item for item, evidence in pairs if key.accepts(evidence)]
        for key in keys
        if not any(other != key and other.accepts(key) for other in keys)
    }
    order = sorted(groups, key=lambda key: (key.rank, -len(groups[key]), key.key))
    return {key: groups[key] for key in order}


def find_evidence(keys: Iterable[Evidence], name: str | None) -> Evidence | None:
    """Find one by its key; the first where no name is given, and None where there are none.

    Raises:
        UnknownNameError: If none has this key; the message names those that there are.
    """
    known = {evidence.key: evidence for evidence in keys}
    if name is None:
        return next(iter(known.values()), None)
    if name not in known:
        expected = ", ".join(known) or "none, as nothing was recorded"
        raise UnknownNameError(f"unknown evidence {name!r}: expected one of {expected}")
    return known[name]
