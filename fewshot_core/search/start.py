"""The network that a search starts with: fresh, or with the weights of a trained supernet."""

from dataclasses import dataclass
from pathlib import Path

from fewshot_core.datafolder import file_fingerprint
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.search.options import SearchOptions
from fewshot_core.space import SubSpace


@dataclass(frozen=True)
class Start:
    """A network to search in.

    Attributes:
        supernet: The network of the sub-space; disabled operations do not exist in it.
        fingerprint: SHA-256 of the checkpoint its weights are from, or None for initial weights.
    """

    supernet: Supernet
    fingerprint: str | None = None


def make_start(
    sub_space: SubSpace,
    classes: int,
    options: SearchOptions,
    seed: int = 0,
    checkpoint: Path | None = None,
) -> Start:
    """Return the network that a search starts with.

    Args:
        sub_space: The operations to choose from.
        classes: The number of classes.
        options: Its size.
        seed: Seed of the initial weights.
        checkpoint: None for initial weights (the paper: weights are restarted after splitting).
            Otherwise the file of a trained supernet of the full space, whose weights the
            sub-supernet takes over (Zhao et al., 2021, few-shot NAS).

    Raises:
        CheckpointError: If the checkpoint is missing, damaged or of another shape.
    """
    sizes = (classes, options.channels, options.cells_per_stage, seed)
    if checkpoint is None:
        return Start(Supernet(sub_space, *sizes))
    whole = Supernet(SubSpace.full(), *sizes)
    load_checkpoint(whole, checkpoint)
    return Start(whole.restrict(sub_space), file_fingerprint(checkpoint))
