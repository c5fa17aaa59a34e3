"""Supernets: every architecture of a sub-space in one network, and the contract of all of them."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any, ClassVar, Self, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from fewshot_core import limits
from fewshot_core.archives import read_apart
from fewshot_core.data_folder import file_fingerprint
from fewshot_core.errors import CheckpointError, MetricError, SpaceError, check_name
from fewshot_core.nets.layers import (
    BatchNorm,
    fresh_weights,
    initialise,
    normalisations,
    temporarily,
)
from fewshot_core.networks import BATCH_NORM_MODES, check_checkpoint, supernet_class
from fewshot_core.space import SubSpace

Module = TypeVar("Module", bound=nn.Module)

Shares = Tensor | Sequence[float]
"""The weight of each enabled operation, decision by decision, ascending by operation number."""

Path = tuple[int, ...]
"""For each decision, the place of the only operation to compute among those enabled."""


_HOOKS = [name for name, value in vars(nn.Module()).items() if "hooks" in name]


def share(module: Module, sub_space: SubSpace) -> Module:
    """Copy a module and what of the modules inside it is in a sub-space, with the same tensors.

    Parameters and buffers are the same objects; settings are copied, so that changing one of the
    copy's changes nothing in the original. Hooks are not copied.
    """
    twin = object.__new__(type(module))
    own = vars(twin)
    own.update(vars(module))
    own.update({name: OrderedDict() for name in _HOOKS})
    own["_parameters"] = module._parameters.copy()
    own["_buffers"] = module._buffers.copy()
    own["_non_persistent_buffers_set"] = module._non_persistent_buffers_set.copy()
    own["_modules"] = module._modules.copy()
    if isinstance(twin, Choice):
        twin.keep(sub_space)
    own["_modules"] = {
        name: child if child is None else share(child, sub_space)
        for name, child in twin._modules.items()
    }
    return twin


def count_parameters(network: nn.Module) -> int:
    """Count the trainable parameters (the metric ``params``)."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def probed_weights(network: nn.Module) -> dict[str, Tensor]:
    """Collect all convolution and linear weights by name, without batch norm and biases.

    These are the weights w of Appendix B of the paper.
    """
    return {
        f"{name}.weight": module.weight
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


class Choice(nn.Module):
    """The operations of a decision that are enabled: its children, by name.

    An operation without parameters or settings needs no child.

    Attributes:
        decision: The number of the decision.
        operations: The names of its enabled operations, ascending by number.
    """

    def __init__(self, decision: int, sub_space: SubSpace) -> None:
        super().__init__()
        self.decision = decision
        self.keep(sub_space)

    def keep(self, sub_space: SubSpace) -> None:
        """Drop the operations that are not enabled in a sub-space of the present one."""
        names = sub_space.space.decisions[self.decision].operations
        self.operations = [names[number] for number in sub_space.enabled[self.decision]]
        self._start = sum(map(len, sub_space.enabled[: self.decision]))
        for name in [name for name, _ in self.named_children() if name not in self.operations]:
            delattr(self, name)

    def weighted(
        self, shares: Shares | None = None, path: Path | None = None
    ) -> list[tuple[str, Tensor | float]]:
        """List the operations to compute, each with its weight in their sum.

        The arguments are those of the supernet; without shares it is the mean.
        """
        count = len(self.operations)
        places = range(count) if path is None else [path[self.decision]]
        return [
            (self.operations[place], 1 / count if shares is None else shares[self._start + place])
            for place in places
        ]


class Supernet(nn.Module):
    """Every architecture of a sub-space in one network.

    ``Supernet(sub_space)`` builds the network of the sub-space's search space. That of another
    space is a subclass with two methods: ``build`` adds the layers, the operations of each
    decision as children of a ``Choice``, and ``forward`` computes, of each choice, what
    ``Choice.weighted`` lists. Metrics, searches and training need no more: convolutions and linear
    layers of any kind, batch norm by ``fewshot_core.nets.BatchNorm``.

    A decision outputs the uniform mean of its enabled operations, or a weighted sum; a disabled
    operation has no parameters and is not computed. ``weights`` and ``history`` say where the
    weights are from.

    Attributes:
        only_convolves: Whether ``forward`` computes nothing but convolutions, linear layers, ReLUs,
            averages and sums, which map positive numbers to positive ones. ``synflow`` then needs
            no backward pass.

    Args:
        sub_space: The operations enabled for each decision.
        num_classes: Number of outputs.
        channels: The width of the network: 16 is its full size in every space.
        cells_per_stage: Cells in each stage, 5 at full size, where networks are made of cells.
        seed: Seed of the initial weights.

    Raises:
        SpaceError: If one of the three sizes is below 1, or the space has no supernet.
    """

    only_convolves: ClassVar[bool] = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Choose the class of the sub-space's search space."""
        if cls is not Supernet:
            return super().__new__(cls)
        sub_space: SubSpace = args[0] if args else kwargs["sub_space"]
        return cast(Self, nn.Module.__new__(supernet_class(sub_space.space)))

    def __init__(
        self,
        sub_space: SubSpace,
        num_classes: int = 10,
        channels: int = 16,
        cells_per_stage: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.sub_space = sub_space
        self.num_classes = num_classes
        self.channels = channels
        self.cells_per_stage = cells_per_stage
        for name in ("num_classes", "channels", "cells_per_stage"):
            if getattr(self, name) < 1:
                raise SpaceError(f"expected {name} of at least 1, got {getattr(self, name)}")
        self.seed = seed
        self.weights = f"untrained, seed {seed}"
        self.history = ""
        device = torch.get_default_device()
        with fresh_weights(device):
            self.build()
        if device.type != "meta":
            initialise(self, seed)
            self.to(device)

    def build(self) -> None:
        """Add the layers, of ``sub_space`` and the sizes; initial weights are set afterwards."""
        raise NotImplementedError

    def forward(
        self, images: Tensor, shares: Shares | None = None, path: Path | None = None
    ) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, num_classes).

        Args:
            images: A batch.
            shares: See ``Shares``; None for the mean of each decision's operations.
            path: See ``Path``; None to compute all enabled operations.
        """
        raise NotImplementedError

    @staticmethod
    def thin(sub_space: SubSpace, decision: int) -> nn.Module:
        """Build the layers of the thin network by which ``linear_regions`` scores a decision.

        It maps crops (B, 1, 3, 3) to any features. Raises MetricError where there is none.
        """
        raise MetricError(
            f"{sub_space.space.label} has no thin network to count linear regions on: "
            "choose the variant batch"
        )

    def gradient_tangent(
        self, images: Tensor, labels: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Compute the gradient of the mean cross-entropy, and its Hessian times the weights.

        Labels are int64, (B,). Both are returned for every probed weight by name; the derivative
        goes through the statistics of the batch.
        """
        weights = probed_weights(self)
        loss = functional.cross_entropy(self(images), labels)
        gradient = torch.autograd.grad(
            loss, weights, create_graph=True, allow_unused=True, materialize_grads=True
        )
        along = torch.stack([(gradient[name] * weights[name].detach()).sum() for name in weights])
        tangent = torch.autograd.grad(
            along.sum(), weights, allow_unused=True, materialize_grads=True
        )
        return {name: slope.detach() for name, slope in gradient.items()}, tangent

    def choices(self) -> dict[str, Choice]:
        """All choices by name; a decision may have several, as every cell of a network does."""
        return {name: module for name, module in self.named_modules() if isinstance(module, Choice)}

    @property
    def batch_norm(self) -> str:
        """How all layers normalise: ``"batch"`` (default) or ``"running"``."""
        layers = (layer for layer in self.modules() if isinstance(layer, BatchNorm))
        return next((layer.mode for layer in layers), "batch")

    @batch_norm.setter
    def batch_norm(self, mode: str) -> None:
        check_name("batch norm", mode, BATCH_NORM_MODES, MetricError)
        for layer in normalisations(self):
            layer.mode = mode

    def restrict(self, sub_space: SubSpace) -> Self:
        """Build the sub-supernet of a smaller sub-space, with shared weights.

        It has the same ``Parameter`` and buffer objects, under the same names, for whatever is
        still enabled. Raises SpaceError if the sub-space has operations that are not enabled here.
        """
        if not self.sub_space.contains(sub_space):
            raise SpaceError(
                f"expected a sub-space of {self.sub_space.rows} to restrict the supernet to, "
                f"got {sub_space.rows}"
            )
        twin = share(self, sub_space)
        twin.sub_space = sub_space
        return twin

    @contextmanager
    def probing(self, batch_norm: str) -> Iterator[None]:
        """Make every weight differentiable and set the batch norm; restore both afterwards."""
        mode = temporarily([self], "batch_norm", batch_norm)
        with mode, temporarily(self.parameters(), "requires_grad", True):
            yield


def load_checkpoint(supernet: Supernet, path: FilePath) -> None:
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
