"""The supernet of NAS-Bench-Macro (Su et al., 2021): a chain of eight layers."""

from functools import reduce
from itertools import pairwise

import torch
from torch import Tensor, nn

from fewshot_core.nets.layers import BatchNorm, ConvNorm
from fewshot_core.nets.supernet import Choice, Path, Shares, Supernet
from fewshot_core.space import SubSpace

_BLOCKS = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}
"""The expansion of each MobileNetV2 block, and the size of its depthwise kernel."""

_STRIDES = (2, 1, 2, 1, 1, 2, 1, 1)
"""The stride of each layer; one of stride 2 also doubles the channels."""


class MobileBlock(nn.Module):
    """A MobileNetV2 block: 1x1 expansion, depthwise convolution, 1x1 projection."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = expansion * inputs
        self.expand = ConvNorm(inputs, width, 1)
        self.depthwise = ConvNorm(width, width, kernel, stride, groups=width)
        self.project = ConvNorm(width, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        hidden = torch.relu(self.depthwise(torch.relu(self.expand(features))))
        projected: Tensor = self.project(hidden)
        return features + projected if self.residual else projected


class Layer(Choice):
    """A layer: the weighted sum of its enabled operations."""

    def __init__(
        self, decision: int, sub_space: SubSpace, inputs: int, outputs: int, stride: int
    ) -> None:
        super().__init__(decision, sub_space)
        for name in self.operations:
            if name in _BLOCKS:
                self.add_module(name, MobileBlock(inputs, outputs, *_BLOCKS[name], stride))
            elif stride > 1 or inputs != outputs:
                self.add_module(name, ConvNorm(inputs, outputs, 1, stride))

    def forward(
        self, features: Tensor, shares: Shares | None = None, path: Path | None = None
    ) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        outputs = [
            (self.get_submodule(name)(features) if name in self._modules else features) * weight
            for name, weight in self.weighted(shares, path)
        ]
        return reduce(torch.add, outputs)


class MacroSupernet(Supernet):
    """The NAS-Bench-Macro network of a sub-space.

    A 3x3 stem of twice ``channels`` channels, eight layers in stages of two, three and three, a 1x1
    convolution to five times the channels (1,280 at full size), global average pooling and a
    linear classifier. The number of layers is fixed: ``cells_per_stage`` is not used.
    """

    only_convolves = True

    def build(self) -> None:
        """Add stem, layers, head and classifier."""
        widths = [2 * self.channels]
        for stride in _STRIDES:
            widths.append(stride * widths[-1])
        self.stem = ConvNorm(3, widths[0], 3)
        self.layers = nn.Sequential(
            *(
                Layer(decision, self.sub_space, *sizes, _STRIDES[decision])
                for decision, sizes in enumerate(pairwise(widths))
            )
        )
        self.head = ConvNorm(widths[-1], 5 * widths[-1], 1)
        self.classifier = nn.Linear(5 * widths[-1], self.num_classes)

    def forward(
        self, images: Tensor, shares: Shares | None = None, path: Path | None = None
    ) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, num_classes); see ``Supernet.forward``."""
        features = torch.relu(self.stem(images))
        for layer in self.layers:
            features = layer(features, shares, path)
        features = torch.relu(self.head(features)).mean(dim=(2, 3))
        logits: Tensor = self.classifier(features)
        return logits

    @staticmethod
    def thin(sub_space: SubSpace, decision: int) -> nn.Module:
        """Build the layer of a decision with one channel, then batch norm and ReLU.

        As in TE-NAS's thin network there is no stem, and one of what the network repeats. All
        eight layers with their hundreds of ReLUs would put almost every input into its own region.
        """
        network = nn.Sequential()
        network.add_module(f"layer{decision}", Layer(decision, sub_space, 1, 1, 1))
        network.add_module("norm", BatchNorm(1))
        network.add_module("relu", nn.ReLU())
        return network
