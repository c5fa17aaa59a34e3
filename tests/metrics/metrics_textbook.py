"""Every metric as its equation is written, slowly, with plain autograd in float64."""

import itertools

import numpy as np
import torch
from metrics_plain_net import PlainNet


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
        PlainNet(supernet, supernet.sub_space.keep(edge, [operation]), statistics)
        for operation in operations
    ]


def values(metric, variant, nets, batch):
    """The score of every sub-supernet."""
    function = VALUES[metric, variant]
    return [function(net, batch.images.double(), batch.labels) for net in nets]
