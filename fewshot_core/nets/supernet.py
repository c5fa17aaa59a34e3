"""The supernet: every architecture of a sub-space in one network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from fewshot_core.errors import MetricError, SpaceError
from fewshot_core.nets.cell import Cell
from fewshot_core.nets.layers import (
    BatchNorm,
    ConvNorm,
    ReductionBlock,
    initialise,
    normalisations,
    temporarily,
)
from fewshot_core.networks import BATCH_NORM_MODES
from fewshot_core.space import SubSpace

Module = TypeVar("Module", bound=nn.Module)


def share(module: Module) -> Module:
    """Copy a module and the modules inside it, with the same tensors.

    Parameters and buffers are the same objects; settings are copied, so that changing one of the
    copy's changes nothing in the original. Hooks are not copied.
    """
    twin = object.__new__(type(module))
    vars(twin).update(vars(module))
    vars(twin).update(vars(nn.Module()))
    twin.training = module.training
    twin._parameters.update(module._parameters)
    twin._buffers.update(module._buffers)
    for name, child in module.named_children():
        twin.add_module(name, share(child))
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


_STAGES = 3


class Supernet(nn.Module):
    """The NAS-Bench-201 network of a sub-space (Appendix A of the paper).

    A 3x3 stem, three stages of cells with a residual block of stride 2 between them, batch norm,
    ReLU, global average pooling and a linear classifier. An edge outputs the uniform mean of its
    enabled operations; a disabled operation has no parameters and is not computed.

    Args:
        sub_space: The operations enabled on each edge.
        num_classes: Number of outputs.
        channels: Channels of the first stage; each later stage has twice as many.
        cells_per_stage: Cells in each of the three stages.
        seed: Seed of the initial weights.

    Raises:
        SpaceError: If one of the three sizes is below 1.
    """

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
        with torch.device("meta"):  # PyTorch's own initial weights would use the global seed
            self._build()
        if device.type != "meta":
            # to_empty() does the same but imports SymPy, which takes a second.
            self._apply(  # type: ignore[no-untyped-call]
                lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
            )
            initialise(self, seed)

    def _build(self) -> None:
        self.stem = ConvNorm(3, self.channels, 3)
        self._blocks: list[str] = []
        for stage in range(1, _STAGES + 1):
            width = self.channels * 2 ** (stage - 1)
            if stage > 1:
                self._append(f"reduction{stage - 1}", ReductionBlock(width // 2, width))
            for cell in range(1, self.cells_per_stage + 1):
                self._append(f"stage{stage}_cell{cell}", Cell(width, self.sub_space))
        self.norm = BatchNorm(width)
        self.classifier = nn.Linear(width, self.num_classes)

    def _append(self, name: str, block: nn.Module) -> None:
        self.add_module(name, block)
        self._blocks.append(name)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, num_classes)."""
        features = self.stem(images)
        for block in self.blocks:
            features = block(features)
        features = torch.relu(self.norm(features)).mean(dim=(2, 3))
        logits: Tensor = self.classifier(features)
        return logits

    @property
    def blocks(self) -> list[nn.Module]:
        """All cells and residual blocks, in the order that images go through them."""
        return [self.get_submodule(name) for name in self._blocks]

    @property
    def batch_norm(self) -> str:
        """How all layers normalise: ``"batch"`` (default) or ``"running"``."""
        return self.norm.mode

    @batch_norm.setter
    def batch_norm(self, mode: str) -> None:
        if mode not in BATCH_NORM_MODES:
            known = ", ".join(BATCH_NORM_MODES)
            raise MetricError(f"unknown batch norm {mode!r}: expected one of {known}")
        for layer in normalisations(self):
            layer.mode = mode

    def restrict(self, sub_space: SubSpace) -> "Supernet":
        """Build the sub-supernet of a smaller sub-space, with shared weights.

        It has the same ``Parameter`` and buffer objects, under the same names, for whatever is
        still enabled. Raises SpaceError if the sub-space has operations that are not enabled here.
        """
        if not self.sub_space.contains(sub_space):
            raise SpaceError(
                f"expected a sub-space of {self.sub_space.rows} to restrict the supernet to, "
                f"got {sub_space.rows}"
            )
        twin = share(self)
        twin.sub_space = sub_space
        for module in twin.children():
            if isinstance(module, Cell):
                module.keep(sub_space)
        return twin

    @contextmanager
    def probing(self, batch_norm: str) -> Iterator[None]:
        """Make every weight differentiable and set the batch norm; restore both afterwards."""
        mode = temporarily([self], "batch_norm", batch_norm)
        with mode, temporarily(self.parameters(), "requires_grad", True):
            yield
