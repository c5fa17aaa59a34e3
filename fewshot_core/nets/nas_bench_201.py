"""The supernet of NAS-Bench-201, whose cells have a fast form on the CPU."""

from typing import Self

import torch
from torch import Tensor, nn

from fewshot_core.nets.cell import Cell
from fewshot_core.nets.layers import BatchNorm, ConvNorm, ReductionBlock
from fewshot_core.nets.supernet import Path, Shares, Supernet
from fewshot_core.nets.tangent_pass import gradient_tangent
from fewshot_core.space import SubSpace

_STAGES = 3


class CellSupernet(Supernet):
    """The NAS-Bench-201 network of a sub-space (Appendix A of the paper).

    A 3x3 stem, three stages of cells with a residual block of stride 2 between them, batch norm,
    ReLU, global average pooling and a linear classifier. The first stage has ``channels`` channels,
    each later one twice as many. The cells of TransNAS-Bench-101 micro are the same.
    """

    only_convolves = True

    def build(self) -> None:
        """Add stem, cells, residual blocks and classifier."""
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

    @property
    def blocks(self) -> list[nn.Module]:
        """All cells and residual blocks, in the order that images go through them."""
        return [self.get_submodule(name) for name in self._blocks]

    def forward(
        self, images: Tensor, shares: Shares | None = None, path: Path | None = None
    ) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, num_classes); see ``Supernet.forward``."""
        features = self.stem(images)
        for block in self.blocks:
            cell = isinstance(block, Cell)
            features = block(features, shares, path) if cell else block(features)
        features = torch.relu(self.norm(features)).mean(dim=(2, 3))
        logits: Tensor = self.classifier(features)
        return logits

    def restrict(self, sub_space: SubSpace) -> Self:
        """Build the sub-supernet of a smaller sub-space; see ``Supernet.restrict``."""
        twin = super().restrict(sub_space)
        for block in twin.blocks:
            if isinstance(block, Cell):
                block.sub_space = sub_space
        return twin

    @staticmethod
    def thin(sub_space: SubSpace, decision: int) -> nn.Module:
        """Build one cell of one channel, then batch norm and ReLU (Chen et al., 2021, TE-NAS).

        There is no stem. TE-NAS asks for one cell in each stage and then cuts the network off after
        its first block, so that nothing is left of the later stages. They would not fit either: of
        an image of 3x3 pixels, the residual block's convolution of stride 2 makes 2x2 pixels and
        the pooling of its shortcut 1x1.
        """
        network = nn.Sequential()
        network.add_module("cell", Cell(1, sub_space))
        network.add_module("norm", BatchNorm(1))
        network.add_module("relu", nn.ReLU())
        return network

    def gradient_tangent(
        self, images: Tensor, labels: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Compute both in one pass without a graph; see ``Supernet.gradient_tangent``."""
        return gradient_tangent(self, images, labels)
