"""The network of NAS-Bench-201 as Appendix A of the paper tells it, one operation at a time.

It knows a supernet only by the names of its tensors, and shares no line with it. Everything is
float64, every tensor a copy.
"""

import torch
from torch.nn import functional

from fewshot_core.space import EDGES, OPERATIONS

EPSILON = 1e-5


class PlainNet:
    """The network of a sub-space with a supernet's weights.

    ``statistics`` says what batch norm uses: "batch", "held" (those of the batch, as constants),
    "running" or "none" (it does nothing). ``active`` has, after a forward pass, which ReLUs were.
    """

    def __init__(self, supernet, sub_space, statistics):
        self.sub_space = sub_space
        self.statistics = statistics
        self.cells = supernet.cells_per_stage
        enabled = set(supernet.restrict(sub_space).state_dict())
        self.tensors = {
            name: tensor.detach().double().clone()
            for name, tensor in supernet.state_dict().items()
            if name in enabled
        }
        self.weights = {
            name: self.tensors[name].requires_grad_()
            for name, tensor in self.tensors.items()
            if name.endswith(("conv.weight", "shortcut.weight", "classifier.weight"))
        }
        self.active = []

    def __call__(self, images):
        self.active = []
        features = self.conv_norm("stem", images)
        for stage in (1, 2, 3):
            if stage > 1:
                features = self.reduction(f"reduction{stage - 1}", features)
            for number in range(1, self.cells + 1):
                features = self.cell(f"stage{stage}_cell{number}", features)
        features = self.relu(self.norm("norm", features)).mean(dim=(2, 3))
        return features @ self.tensors["classifier.weight"].T + self.tensors["classifier.bias"]

    def reduction(self, name, features):
        main = self.conv_norm(f"{name}.conv_a", self.relu(features), stride=2)
        main = self.conv_norm(f"{name}.conv_b", self.relu(main))
        pooled = functional.avg_pool2d(features, 2)
        return main + functional.conv2d(pooled, self.tensors[f"{name}.shortcut.weight"])

    def cell(self, name, features):
        nodes = [features, *[torch.zeros_like(features)] * 3]
        for edge, (target, source) in enumerate(EDGES):
            outputs = [
                self.operation(f"{name}.edge_{target}_{source}", OPERATIONS[number], nodes[source])
                for number in self.sub_space.enabled[edge]
            ]
            nodes[target] = nodes[target] + sum(outputs) / len(outputs)
        return nodes[3]

    def operation(self, name, operation, features):
        if operation == "none":
            return torch.zeros_like(features)
        if operation == "skip_connect":
            return features
        if operation == "avg_pool_3x3":
            return functional.avg_pool2d(features, 3, 1, 1, count_include_pad=False)
        return self.conv_norm(f"{name}.{operation}", self.relu(features))

    def relu(self, features):
        self.active.append((features.detach() > 0).flatten(1))
        return features.clamp(min=0)

    def conv_norm(self, name, features, stride=1):
        weight = self.tensors[f"{name}.conv.weight"]
        padding = weight.shape[-1] // 2
        features = functional.conv2d(features, weight, stride=stride, padding=padding)
        return self.norm(f"{name}.norm", features)

    def norm(self, name, features):
        if self.statistics == "none":
            return features
        if self.statistics == "running":
            mean, variance = (self.tensors[f"{name}.running_{part}"] for part in ("mean", "var"))
        else:
            source = features.detach() if self.statistics == "held" else features
            mean = source.mean(dim=(0, 2, 3))
            variance = ((source - mean[:, None, None]) ** 2).mean(dim=(0, 2, 3))
        scale = self.tensors[f"{name}.weight"] / (variance + EPSILON).sqrt()
        shift = self.tensors[f"{name}.bias"] - mean * scale
        return features * scale[:, None, None] + shift[:, None, None]
