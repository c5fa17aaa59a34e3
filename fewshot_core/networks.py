"""Facts about networks that need no PyTorch: batch norm modes, checkpoint files, supernets."""

from pathlib import Path

from fewshot_core.data_folder import check_size, file_fingerprint
from fewshot_core.errors import CheckpointError
from fewshot_core.space import NAS_BENCH_201, SearchSpace

BATCH_NORM_MODES = {
    "batch": "statistics of the batch",
    "running": "stored statistics; on an untrained network these are the identity",
}
"""The modes of batch norm, with what they mean."""


def has_supernet(space: SearchSpace) -> bool:
    """Whether there is a supernet of a search space, so that metrics and searches work in it."""
    return space == NAS_BENCH_201 or space.supernet is not None


LARGEST = 2_000_000_000
"""The most bytes of a checkpoint; one of a full-size supernet is far smaller."""


def check_checkpoint(path: Path) -> None:
    """Check that a checkpoint is there, and not so large that it cannot be one of a supernet.

    Raises CheckpointError if it is not a file, or too large.
    """
    if not path.is_file():
        raise CheckpointError(f"expected a checkpoint file, found none at {path}")
    try:
        check_size(path, LARGEST)
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
