import pytest
import torch

from fewshot_core.errors import MetricError
from fewshot_core.nets.layers import normalisations


def settings_of(network):
    """Return everything that probing may touch, and what it must not."""
    return {
        "needed": [parameter.requires_grad for parameter in network.parameters()],
        "modes": [layer.mode for layer in normalisations(network)],
        "training": [module.training for module in network.modules()],
        "gradients": [parameter.grad for parameter in network.parameters()],
    }


@pytest.fixture
def frozen(small):
    """A network with some weights frozen, in evaluation mode, with stored statistics."""
    for number, parameter in enumerate(small.parameters()):
        parameter.requires_grad_(number % 3 == 0)
    small.batch_norm = "running"
    return small.eval()


def test_inside_every_weight_is_differentiable_and_the_batch_norm_set(frozen):
    with frozen.probing("batch"):
        assert all(parameter.requires_grad for parameter in frozen.parameters())
        assert {layer.mode for layer in normalisations(frozen)} == {"batch"}


def test_afterwards_all_is_as_before(frozen, images):
    before = settings_of(frozen)
    weights = {name: tensor.clone() for name, tensor in frozen.state_dict().items()}
    with frozen.probing("batch"):
        loss = frozen(images).sum()
        torch.autograd.grad(loss, frozen.stem.conv.weight)
    assert settings_of(frozen) == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in frozen.state_dict().items())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_inside_puts_all_back_and_gets_out(error, frozen):
    before = settings_of(frozen)
    with pytest.raises(error, match="inside"), frozen.probing("batch"):
        raise error("inside")
    assert settings_of(frozen) == before


def test_an_unknown_mode_is_refused_and_changes_nothing(frozen):
    before = settings_of(frozen)
    reached = []
    with pytest.raises(MetricError, match="unknown batch norm 'none'"), frozen.probing("none"):
        reached.append("inside")
    assert settings_of(frozen) == before and not reached


def test_probing_may_be_nested(frozen):
    before = settings_of(frozen)
    with frozen.probing("batch"):
        outer = settings_of(frozen)
        with frozen.probing("running"):
            assert frozen.batch_norm == "running"
        assert settings_of(frozen) == outer
    assert settings_of(frozen) == before


def test_a_network_restricted_inside_is_set_in_the_same_way(frozen, mixed):
    with frozen.probing("batch"):
        probe = frozen.restrict(mixed)
        assert probe.batch_norm == "batch"
        assert all(parameter.requires_grad for parameter in probe.parameters())
