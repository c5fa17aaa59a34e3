"""The networks and every metric as the paper writes them, slowly, with plain autograd in float64.

``PlainNet`` is the network of Appendix A, one operation at a time, ``PlainMacro`` that of
NAS-Bench-Macro. They know a supernet only by the names of its tensors, of which they have copies,
and share no code with it.
"""

import itertools

import numpy as np
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
        groups = features.shape[1] // weight.shape[1]
        padding = weight.shape[-1] // 2
        features = functional.conv2d(features, weight, None, stride, padding, groups=groups)
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


class PlainMacro(PlainNet):
    """The same for NAS-Bench-Macro; see the table in its paper (Su et al., 2021)."""

    def __call__(self, images):
        self.active = []
        features = self.relu(self.conv_norm("stem", images))
        for layer in range(8):
            features = self.layer(layer, features, stride=2 if layer in (0, 2, 5) else 1)
        features = self.relu(self.conv_norm("head", features)).mean(dim=(2, 3))
        return features @ self.tensors["classifier.weight"].T + self.tensors["classifier.bias"]

    def layer(self, layer, features, stride):
        outputs = []
        for number in self.sub_space.enabled[layer]:
            name = f"layers.{layer}." + ("identity", "mb3_k3", "mb6_k5")[number]
            if number:
                hidden = self.relu(self.conv_norm(f"{name}.expand", features))
                hidden = self.relu(self.conv_norm(f"{name}.depthwise", hidden, stride))
                output = self.conv_norm(f"{name}.project", hidden)
                outputs.append(output if stride == 2 else output + features)
            else:
                outputs.append(self.conv_norm(name, features, 2) if stride == 2 else features)
        return sum(outputs) / len(outputs)


def plain_net(supernet, sub_space, statistics):
    """The plain network of a sub-space, of the class of its search space."""
    known = {"nas-bench-201": PlainNet, "nas-bench-macro": PlainMacro}
    return known[sub_space.space.name](supernet, sub_space, statistics)


def loss(logits, labels):
    """The mean cross-entropy."""
    return -logits.log_softmax(dim=1)[range(len(labels)), labels].mean()


def gradient(value, weights, **options):
    """The gradient with respect to every weight, by name."""
    found = torch.autograd.grad(
        value, list(weights.values()), allow_unused=True, materialize_grads=True, **options
    )
    return dict(zip(weights, found, strict=True))


def vector(gradients, names):
    """One long vector; a weight that is not there counts as zero."""
    return torch.cat([gradients[name].flatten() for name in names])


def gradnorm(net, images, labels):
    gradients = gradient(loss(net(images), labels), net.weights)
    return sum(float((each**2).sum()) for each in gradients.values()) ** 0.5


def snip(net, images, labels):
    gradients = gradient(loss(net(images), labels), net.weights)
    return sum(
        float((each * net.weights[name].detach()).abs().sum()) for name, each in gradients.items()
    )


def grasp(net, images, labels):
    gradients = gradient(loss(net(images), labels), net.weights, create_graph=True)
    flow = sum((each * each.detach()).sum() for each in gradients.values())
    products = gradient(flow, net.weights)
    return -sum(float((each * net.weights[name].detach()).sum()) for name, each in products.items())


def synflow(net, images, labels):
    net.statistics = "none"
    for weight in net.weights.values():
        weight.data = weight.data.abs()
    total = net(torch.ones_like(images[:1])).sum()
    gradients = gradient(total, net.weights)
    return sum(
        float((each * net.weights[name].detach()).abs().sum()) for name, each in gradients.items()
    )


def sample_gradients(net, images, quantity, leaf=None):
    """The gradient of each sample's own number, one after the other, as the rows of a matrix."""
    if net.statistics == "batch":
        net.statistics = "held"
    leaves = net.weights if leaf is None else {"images": leaf}
    numbers = quantity(net(images if leaf is None else leaf))
    rows = [vector(gradient(number, leaves, retain_graph=True), leaves) for number in numbers]
    return torch.stack(rows).numpy()


def losses(labels):
    return lambda logits: [loss(logits[[i]], labels[[i]]) for i in range(len(labels))]


def spread(rows):
    eigenvalues = np.linalg.eigvals(np.corrcoef(rows)).real + 1e-5
    return -sum(np.log(eigenvalues) + 1 / eigenvalues)


def jacobcov(net, images, labels):
    return spread(sample_gradients(net, images, losses(labels)))


def jacobcov_inputs(net, images, labels):
    leaf = images.clone().requires_grad_()
    rows = sample_gradients(net, images, losses(labels), leaf).reshape(len(images), len(images), -1)
    return spread(np.stack([rows[i, i] for i in range(len(images))]))


def condition(rows):
    eigenvalues = np.linalg.svd(rows, compute_uv=False) ** 2
    return eigenvalues.max() / eigenvalues.min()


def ntk(net, images, labels):
    return condition(sample_gradients(net, images, losses(labels)))


def ntk_logits(net, images, labels):
    return condition(sample_gradients(net, images, lambda logits: logits.sum(dim=1)))


def linear_regions_batch(net, images, labels):
    net(images)
    return len({tuple(torch.cat(bits).tolist()) for bits in zip(*net.active, strict=True)})


def params(net, images, labels):
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return sum(
        tensor.numel() for name, tensor in net.tensors.items() if not name.endswith(statistics)
    )


VALUES = {
    ("gradnorm", "paper"): gradnorm,
    ("snip", "paper"): snip,
    ("grasp", "paper"): grasp,
    ("synflow", "paper"): synflow,
    ("jacobcov", "paper"): jacobcov,
    ("jacobcov", "inputs"): jacobcov_inputs,
    ("ntk", "paper"): ntk,
    ("ntk", "logits"): ntk_logits,
    ("linear_regions", "batch"): linear_regions_batch,
    ("params", "paper"): params,
}
"""The score of one sub-supernet, by metric and variant."""


def gradientmatching(nets, images, labels, probed=None):
    """The cosine of every two gradients (Eq. 1), of weights whose name has not ``probed`` in it."""
    gradients = [gradient(loss(net(images), labels), net.weights) for net in nets]
    everything = {name: torch.zeros_like(each) for one in gradients for name, each in one.items()}
    names = [name for name in everything if probed is None or probed not in name]
    cosines = np.eye(len(nets))
    for (i, left), (j, right) in itertools.permutations(enumerate(gradients), 2):
        a, b = vector(everything | left, names), vector(everything | right, names)
        cosines[i, j] = float(a @ b / (a.norm() * b.norm()))
    return cosines


def probes(supernet, edge, operations, statistics):
    """The sub-supernet of each operation of an edge."""
    return [
        plain_net(supernet, supernet.sub_space.keep(edge, [operation]), statistics)
        for operation in operations
    ]


def values(metric, variant, nets, batch):
    """The score of every sub-supernet."""
    function = VALUES[metric, variant]
    return [function(net, batch.images.double(), batch.labels) for net in nets]
