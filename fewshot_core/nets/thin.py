"""TE-NAS's thin network, whose linear regions can be counted."""

import torch
from torch import Tensor, nn

from fewshot_core.nets.batch_norm import BatchNorm, normalisations
from fewshot_core.nets.cell import Cell
from fewshot_core.nets.initialisation import initialise
from fewshot_core.space import SubSpace


class ThinNet(nn.Module):
    """One cell of one channel, then batch norm and ReLU (Chen et al., 2021, TE-NAS).

    There is no stem. TE-NAS asks for one cell in each stage and then cuts the network off after
    its first block, so that nothing is left of the later stages. They would not fit either: of an
    image of 3x3 pixels, the residual block's convolution of stride 2 makes 2x2 pixels and the
    pooling of its shortcut 1x1.

    Args:
        sub_space: The operations enabled on each edge.
        seed: Seed of the weights: Kaiming normal, for which fan-in and fan-out are here the same.
        batch_norm: ``"batch"`` or ``"running"``.
    """

    def __init__(self, sub_space: SubSpace, seed: int, batch_norm: str = "batch") -> None:
        super().__init__()
        with torch.device("meta"):  # PyTorch's own initial weights would use the global seed
            self.cell = Cell(1, sub_space)
            self.norm = BatchNorm(1)
        self.to_empty(device="cpu")
        initialise(self, seed)
        for layer in normalisations(self):
            layer.mode = batch_norm

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 1, H, W) to the same shape."""
        return torch.relu(self.norm(self.cell(images)))
