"""Slow, plain forms to compare the searches with: written down from the papers, nothing shared."""

import torch
from torch.nn import functional

from fewshot_core.space import EDGES, OPERATIONS

CHANNELS, CLASSES = 2, 4


def slow_logits(tensors, sub_space, images, weights=None, ones=None):
    """Return the logits of a supernet with one cell per stage, every operation by itself.

    Args:
        tensors: The supernet's parameters, by name.
        sub_space: The operations enabled on each edge.
        images: (B, 3, H, W).
        weights: For each edge the weights of its enabled operations; None for their mean.
        ones: For each edge a number its output is multiplied by.
    """
    features = _conv_norm(tensors, "stem", images)
    for stage in (1, 2, 3):
        if stage > 1:
            features = _reduce(tensors, f"reduction{stage - 1}", features)
        features = _cell(tensors, f"stage{stage}_cell1", features, sub_space, weights, ones)
    features = functional.relu(_norm(tensors, "norm", features)).mean(dim=(2, 3))
    return features @ tensors["classifier.weight"].T + tensors["classifier.bias"]


def _cell(tensors, name, features, sub_space, weights, ones):
    nodes = [features]
    for target in (1, 2, 3):
        total = torch.zeros_like(features)
        for edge, (end, source) in enumerate(EDGES):
            if end == target:
                prefix = f"{name}.edge_{target}_{source}"
                operations = [OPERATIONS[number] for number in sub_space.enabled[edge]]
                outputs = [_operation(tensors, prefix, o, nodes[source]) for o in operations]
                row = [1 / len(outputs)] * len(outputs) if weights is None else weights[edge]
                mixed = sum(weight * output for weight, output in zip(row, outputs, strict=True))
                total = total + (mixed if ones is None else ones[edge] * mixed)
        nodes.append(total)
    return nodes[3]


def _operation(tensors, prefix, operation, features):
    if operation == "none":
        return torch.zeros_like(features)
    if operation == "skip_connect":
        return features
    if operation == "avg_pool_3x3":
        return functional.avg_pool2d(features, 3, 1, 1, count_include_pad=False)
    return _conv_norm(tensors, f"{prefix}.{operation}", functional.relu(features))


def _reduce(tensors, name, features):
    main = _conv_norm(tensors, f"{name}.conv_a", functional.relu(features), stride=2)
    main = _conv_norm(tensors, f"{name}.conv_b", functional.relu(main))
    pooled = functional.avg_pool2d(features, 2, 2)
    return main + functional.conv2d(pooled, tensors[f"{name}.shortcut.weight"])


def _conv_norm(tensors, name, features, stride=1):
    weight = tensors[f"{name}.conv.weight"]
    convolved = functional.conv2d(features, weight, stride=stride, padding=weight.shape[-1] // 2)
    return _norm(tensors, f"{name}.norm", convolved)


def _norm(tensors, name, features):
    mean = features.mean(dim=(0, 2, 3), keepdim=True)
    variance = features.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
    scale, shift = (tensors[f"{name}.{part}"].reshape(1, -1, 1, 1) for part in ("weight", "bias"))
    return (features - mean) / torch.sqrt(variance + 1e-5) * scale + shift


def slow_loss(logits, labels):
    """Return the mean cross-entropy."""
    return -torch.log_softmax(logits, dim=1)[torch.arange(len(labels)), labels].mean()


def slow_softmax(logits):
    """Return the softmax of a vector."""
    powers = torch.exp(logits - logits.max().detach())
    return powers / powers.sum()
