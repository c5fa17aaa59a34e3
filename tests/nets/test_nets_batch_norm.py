import pytest
import torch

from fewshot_core.errors import MetricError
from fewshot_core.nets import BatchNorm, Supernet, held_statistics
from fewshot_core.nets.layers import initialise, normalisations
from fewshot_core.space import SubSpace


def features(seed=0, channels=4):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(5, channels, 6, 6, generator=generator) + 2


def statistics(network):
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


@pytest.mark.parametrize("training", [True, False])
def test_batch_mode_normalises_by_the_batch(training):
    layer = BatchNorm(4).train(training)
    output = layer(features())
    torch.testing.assert_close(output.mean(dim=(0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-5)
    variance = output.var(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(variance, torch.ones(4), rtol=0, atol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_running_mode_is_the_identity_on_an_untrained_layer(training):
    layer = BatchNorm(4).train(training)
    layer.mode = "running"
    torch.testing.assert_close(layer(features()), features(), rtol=1e-5, atol=0)


def test_running_mode_uses_stored_statistics():
    layer = BatchNorm(2)
    layer.mode = "running"
    layer.running_mean.copy_(torch.tensor([1.0, -1.0]))
    layer.running_var.copy_(torch.tensor([4.0, 9.0]))
    output = layer(torch.full((1, 2, 1, 1), 5.0)).flatten().tolist()
    assert output == pytest.approx([(5 - 1) / 2, (5 + 1) / 3], rel=1e-5)


def test_each_image_is_on_its_own_in_running_mode_only(small, images):
    small.batch_norm = "running"
    torch.testing.assert_close(small(images)[:1], small(images[:1]), rtol=1e-4, atol=1e-5)
    small.batch_norm = "batch"
    assert not torch.allclose(small(images)[:1], small(images[:1]), rtol=1e-2)


@pytest.mark.parametrize("batch_norm", ["batch", "running"])
@pytest.mark.parametrize("training", [True, False])
def test_the_stored_statistics_never_change(batch_norm, training, small, images):
    small.batch_norm = batch_norm
    before = statistics(small)
    small.train(training)(images).sum().backward()
    after = statistics(small)
    assert len(before) == 3 * len(normalisations(small))
    assert all(torch.equal(buffer, after[name]) for name, buffer in before.items())


def test_on_an_untrained_network_running_mode_is_no_batch_norm(small, images, monkeypatch):
    by_batch = small(images)
    small.batch_norm = "running"
    by_storage = small(images)
    monkeypatch.setattr(BatchNorm, "forward", lambda layer, features: features)
    torch.testing.assert_close(by_storage, small(images), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(by_batch, small(images), rtol=1e-1)


def test_the_mode_of_a_network_is_that_of_all_its_layers(small):
    for mode in ("running", "batch"):
        small.batch_norm = mode
        assert small.batch_norm == mode
        assert {layer.mode for layer in normalisations(small)} == {mode}


def test_an_unknown_mode_is_refused_and_changes_nothing(small):
    with pytest.raises(MetricError, match="unknown batch norm 'eval': expected one of batch, run"):
        small.batch_norm = "eval"
    assert {layer.mode for layer in normalisations(small)} == {"batch"}


def gradient_of_the_first(layer, batch):
    """Return how the output of the first sample depends on each sample, shape (5,)."""
    batch = batch.requires_grad_()
    (gradient,) = torch.autograd.grad((layer(batch)[0] ** 2).sum(), batch)
    return gradient.abs().sum(dim=(1, 2, 3))


def test_held_statistics_give_the_same_values_but_no_gradient_to_other_samples():
    layer = BatchNorm(4)
    free = layer(features())
    assert (gradient_of_the_first(layer, features()) > 0).all()
    with held_statistics(layer):
        torch.testing.assert_close(layer(features()), free, rtol=1e-5, atol=1e-5)
        own, *others = gradient_of_the_first(layer, features()).tolist()
    assert own > 0 and others == [0.0] * 4
    assert (gradient_of_the_first(layer, features()) > 0).all()


def test_holding_the_statistics_changes_nothing_where_they_are_stored(small, images):
    small.batch_norm = "running"
    free = small(images)
    with held_statistics(small):
        assert torch.equal(small(images), free)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_statistics_are_free_again_after_an_error(error, small):
    with held_statistics(small):
        with pytest.raises(error), held_statistics(small):
            raise error
        assert all(layer.held for layer in normalisations(small))
    assert not any(layer.held for layer in normalisations(small))


def test_initialising_resets_a_layer():
    layer = BatchNorm(3)
    fresh = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    with torch.no_grad():
        for tensor in layer.state_dict().values():
            tensor.add_(7)
    initialise(layer, seed=0)
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in layer.state_dict().items())


def test_all_layers_of_a_network_are_found():
    network = Supernet(SubSpace.from_rows(["01000"] * 6), channels=2, cells_per_stage=1)
    assert len(normalisations(network)) == 1 + 2 * 2 + 1
