"""The layers a NAS-Bench-201 network is made of, apart from its cells."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fewshot_core.nets.batch_norm import BatchNorm


class ConvNorm(nn.Module):
    """A convolution without bias, then batch norm. The ReLU before it is its caller's."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = BatchNorm(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        normalised: Tensor = self.norm(self.conv(features))
        return normalised


class ReductionBlock(nn.Module):
    """The residual block between two stages: half the size, twice the channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_a = ConvNorm(inputs, outputs, 3, stride=2)
        self.conv_b = ConvNorm(outputs, outputs, 3)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        main: Tensor = self.conv_b(torch.relu(self.conv_a(torch.relu(features))))
        short: Tensor = self.shortcut(functional.avg_pool2d(features, 2, 2))
        return short + main
