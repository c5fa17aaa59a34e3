"""What a network has: its parameters, and the weights that metrics look at."""

from torch import Tensor, nn


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters (the metric ``params``)."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def probed_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return all convolution and linear weights by name, without batch norm and biases.

    These are the weights w of Appendix B of the paper.
    """
    return {
        f"{name}.weight": module.weight
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def weight_layer_count(network: nn.Module) -> int:
    """Return the number of convolution and linear layers."""
    return len(probed_weights(network))
