"""Facts about networks that need no PyTorch: batch norm modes, checkpoint files, supernets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewshot_core import limits
from fewshot_core.data_folder import file_fingerprint
from fewshot_core.datasets import DATASETS
from fewshot_core.documents import check_size
from fewshot_core.errors import CheckpointError, SpaceError
from fewshot_core.space import NAS_BENCH_201, SearchSpace, get_space

if TYPE_CHECKING:
    from fewshot_core.nets import Supernet

BATCH_NORM_MODES = {
    "batch": "statistics of the batch",
    "running": "stored statistics; on an untrained network these are the identity",
}
"""The modes of batch norm, with what they mean."""


def _cells() -> type[Supernet]:
    from fewshot_core.nets.nas_bench_201 import CellSupernet

    return CellSupernet


def _chain() -> type[Supernet]:
    from fewshot_core.nets.nas_bench_macro import MacroSupernet

    return MacroSupernet


_SUPERNETS = {
    NAS_BENCH_201: _cells,
    get_space("trans-nas-bench-101-micro"): _cells,
    get_space("nas-bench-macro"): _chain,
}


def supernet_class(space: SearchSpace) -> type[Supernet]:
    """Import the class of a space's supernet; raises SpaceError where there is none."""
    load = space.supernet or _SUPERNETS.get(space)
    if load is None:
        raise SpaceError(f"{space.label} has no supernet: expected a search space with one")
    found: type[Supernet] = load()
    return found


def has_supernet(space: SearchSpace, dataset: str | None = None) -> bool:
    """Whether metrics and searches work in a space: with its supernet, on images.

    ``dataset`` is that of the images, by default any of the space's.
    """
    names = [task.name for task in space.datasets] if dataset is None else [dataset]
    return supernet_exists(space) and any(name in DATASETS for name in names)


def supernet_exists(space: SearchSpace) -> bool:
    """Whether the network of a space can be built, images or not."""
    return space.supernet is not None or space in _SUPERNETS


def check_checkpoint(path: Path) -> None:
    """Check that a checkpoint is there, and not so large that it cannot be one of a supernet.

    Raises CheckpointError if it is not a file, or too large.
    """
    if not path.is_file():
        raise CheckpointError(f"expected a checkpoint file, found none at {path}")
    try:
        check_size(path, limits.CHECKPOINT_BYTES)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}; is it a checkpoint of another network?") from error


def checkpoint_fingerprint(checkpoint: str | None) -> str | None:
    """Return the SHA-256 of a request's checkpoint, or None where it has none.

    Raises CheckpointError as ``check_checkpoint``.
    """
    if checkpoint is None:
        return None
    check_checkpoint(Path(checkpoint))
    return file_fingerprint(Path(checkpoint))
