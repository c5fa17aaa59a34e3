"""Weights of a trained supernet, from a file."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fewshot_core.data_folder import file_fingerprint
from fewshot_core.errors import CheckpointError
from fewshot_core.nets.supernet import Supernet
from fewshot_core.networks import check_checkpoint
from fewshot_core.safe_pickle import DAMAGE

_DAMAGE = (*DAMAGE, RuntimeError, AssertionError, struct.error)
"""Exceptions of ``torch.load`` for a damaged file, depending on where the damage is."""


def load_checkpoint(supernet: Supernet, path: Path) -> None:
    """Replace a supernet's weights and stored statistics by those of a checkpoint.

    It is a file written by ``torch.save``: the state dictionary of a supernet of the same shape,
    alone or under the key ``"supernet"``. It is read without running any code. Afterwards the
    supernet's ``weights`` and ``history`` say where they are from.

    Raises:
        CheckpointError: If the file is missing, too large, damaged or of another shape.
    """
    content = _read(path)
    state = _state(content, path)
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
    supernet.history = _history(content)


def _read(path: Path) -> Any:
    check_checkpoint(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        raise CheckpointError(
            f"{path}: expected a file of tensors written by torch.save, got one that cannot be "
            f"read ({error.__class__.__name__})"
        ) from error


def _state(content: Any, path: Path) -> dict[str, torch.Tensor]:
    state = content.get("supernet", content) if isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not state or not all(map(_holds_numbers, state.values())):
        raise CheckpointError(f"{path}: expected a state dictionary of tensors, got something else")
    return dict(state)


def _history(content: Any) -> str:
    """How far the weights were trained; empty where the file does not say."""
    try:
        last = content["rest"]["records"][-1]
        epochs, accuracy = int(last["epoch"]), last["valid_accuracy"]
        found = "" if accuracy is None else f", validation accuracy {float(accuracy):.1f}%"
    except (KeyError, IndexError, TypeError, ValueError):
        return ""
    return f"trained for {epochs} epoch{'s' * (epochs != 1)}{found}"


def _holds_numbers(value: Any) -> bool:
    """Whether a value is a tensor whose real numbers are all in the file."""
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and not value.is_meta
        and not value.is_complex()
    )
