from torch import nn

from fewshot_core.nets import (
    BatchNorm,
    count_parameters,
    probed_weights,
    weight_layer_count,
)


def tiny():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), BatchNorm(4), nn.Flatten(), nn.Linear(4, 2)
    )


def test_trainable_parameters_are_counted_by_hand():
    network = tiny()
    assert count_parameters(network) == 3 * 4 * 9 + 2 * 4 + (4 * 2 + 2)
    network[0].weight.requires_grad_(False)
    assert count_parameters(network) == 2 * 4 + (4 * 2 + 2)


def test_only_convolution_and_linear_weights_are_probed():
    network = tiny()
    weights = probed_weights(network)
    assert list(weights) == ["0.weight", "3.weight"]
    assert weights["0.weight"] is network[0].weight and weights["3.weight"] is network[3].weight
    assert weight_layer_count(network) == 2


def test_the_probed_weights_of_a_supernet_have_more_than_one_dimension(small):
    weights = probed_weights(small)
    others = {name: tensor for name, tensor in small.named_parameters() if name not in weights}
    assert all(weight.dim() in (2, 4) for weight in weights.values())
    assert all(tensor.dim() == 1 for tensor in others.values())
    assert all(weight is small.get_parameter(name) for name, weight in weights.items())
    assert len(weights) + len(others) == len(list(small.parameters()))


def test_a_network_without_weights_has_none():
    network = nn.Sequential(nn.ReLU(), nn.Flatten())
    assert count_parameters(network) == weight_layer_count(network) == 0
