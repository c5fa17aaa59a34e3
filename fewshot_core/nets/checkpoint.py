"""Weights of a trained supernet, from a file."""

from pathlib import Path

import torch

from fewshot_core import limits
from fewshot_core.archives import read_apart
from fewshot_core.data_folder import file_fingerprint
from fewshot_core.errors import CheckpointError
from fewshot_core.nets.supernet import Supernet
from fewshot_core.networks import check_checkpoint


def load_checkpoint(supernet: Supernet, path: Path) -> None:
    """Replace a supernet's weights and stored statistics by those of a checkpoint.

    It is a file written by ``torch.save``: the state dictionary of a supernet of the same shape,
    alone or under the key ``"supernet"``. It is read in another process, without running any
    code. Afterwards the supernet's ``weights`` and ``history`` say where they are from.

    Raises:
        CheckpointError: If the file is missing, too large, damaged or of another shape.
    """
    check_checkpoint(path)
    limit = limits.CHECKPOINT_BYTES
    content = read_apart("checkpoint", [path], CheckpointError, largest=limit, limit=limit)
    state = {name: torch.from_numpy(array) for name, array in content["state"].items()}
    expected = supernet.state_dict()
    wrong = [
        name
        for name, tensor in expected.items()
        if name not in state or state[name].shape != tensor.shape
    ]
    extra = [name for name in state if name not in expected]
    if wrong or extra:
        raise CheckpointError(
            f"{path}: expected the {len(expected)} tensors of a supernet with "
            f"channels={supernet.channels}, cells_per_stage={supernet.cells_per_stage} and "
            f"num_classes={supernet.num_classes}; {len(wrong)} are missing or of another shape, "
            f"{len(extra)} are unknown (first: {(wrong + extra)[0]}). Choose the network the "
            "checkpoint was trained with."
        )
    supernet.load_state_dict(state)
    supernet.weights = f"checkpoint {path.name}, SHA-256 {file_fingerprint(path)[:12]}"
    supernet.history = content["history"]
