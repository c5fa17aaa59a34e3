"""Metrics against slow textbook forms, in both modes of batch norm, and against values by hand."""

import copy
import math
from dataclasses import replace

import metrics_textbook as textbook
import numpy as np
import pytest
import torch
from metrics_textbook import PlainNet, gradient, loss
from numpy.testing import assert_allclose

from fewshot_core.metrics import METRICS, score_operations
from fewshot_core.metrics.gradientmatching import cosines
from fewshot_core.metrics.gradients import dot, loss_gradients, saliency
from fewshot_core.metrics.jacobcov import correlation, spread
from fewshot_core.metrics.per_sample import GradientProducts
from fewshot_core.nets import Supernet, probed_weights
from fewshot_core.space import EDGES, SubSpace, get_space
from fewshot_core.splitting import partition

FULL = SubSpace.full()
EDGE = 2
OPERATIONS = (0, 2, 3, 4)
SUB_SPACE = SubSpace.from_rows(["11011", "01110", "11111", "10110", "00111", "01011"])
PROBED = "edge_{}_{}".format(*EDGES[EDGE])
MACRO_ROWS = ["111", "011", "111", "110", "101", "111", "010", "111"]
MACRO = SubSpace.from_rows(MACRO_ROWS, "nas-bench-macro")
PROBED_LAYER = f"layers.{EDGE}."
STATISTICS = ("batch", "running")

ROUNDING = {"gradientmatching": 1e-3}
"""What float32 may cost, where it is more than 1e-4. With statistics of the batch, one ReLU that
float32 switches the other way is enough for that much."""

PER_SAMPLE = ("jacobcov", "ntk")
"""Metrics that such a ReLU changes by more than that at full size, where few images count."""

every_value = pytest.mark.parametrize(("metric", "variant"), list(textbook.VALUES))
every_mode = pytest.mark.parametrize("statistics", STATISTICS)


@pytest.fixture(scope="module", params=["nas-bench-201", "nas-bench-macro"])
def precise_net(request, small_net, small_macro):
    """A small network of each space in float64, so that what is compared is mathematics."""
    if request.param == "nas-bench-macro":
        return copy.deepcopy(small_macro).double().restrict(MACRO)
    return copy.deepcopy(small_net).double().restrict(SUB_SPACE.keep(EDGE, OPERATIONS))


@pytest.fixture(scope="module")
def batch(image_batch):
    return image_batch(5)


@pytest.fixture(scope="module")
def precise_batch(batch):
    return replace(batch, images=batch.images.double())


def test_every_metric_has_a_textbook_form():
    known = {*textbook.VALUES, ("linear_regions", "paper")} | {  # that one has tests of its own
        ("gradientmatching", name) for name in ("paper", "shared")
    }
    ours = [info for info in METRICS if METRICS.origin(info.name) is None and not info.baseline]
    assert {(info.name, variant) for info in ours for variant in info.variants} == known


@every_value
@every_mode
def test_values(metric, variant, statistics, precise_net, precise_batch):
    found = score_operations(metric, precise_net, EDGE, precise_batch, variant, statistics)
    nets = textbook.probes(precise_net, EDGE, found.operations, statistics)
    assert_allclose(found.values, textbook.values(metric, variant, nets, precise_batch), rtol=1e-9)


@pytest.mark.parametrize("variant", ["paper", "shared"])
@every_mode
def test_cosines(variant, statistics, precise_net, precise_batch):
    found = score_operations(
        "gradientmatching", precise_net, EDGE, precise_batch, variant, statistics
    )
    nets = textbook.probes(precise_net, EDGE, found.operations, statistics)
    probed = PROBED if precise_net.sub_space.space == FULL.space else PROBED_LAYER
    left_out = probed if variant == "shared" else None
    truth = textbook.gradientmatching(nets, precise_batch.images, precise_batch.labels, left_out)
    assert found.values == (None,) * len(nets)
    assert_allclose(found.similarity, truth, rtol=1e-9)


@pytest.mark.parametrize(("metric", "variant"), [*textbook.VALUES, ("gradientmatching", "paper")])
@every_mode
def test_single_precision_is_close(metric, variant, statistics, small_net, batch, precise_batch):
    pair = SUB_SPACE.keep(EDGE, [1, 3])
    single, double = small_net.restrict(pair), copy.deepcopy(small_net).double().restrict(pair)
    found = score_operations(metric, single, EDGE, batch, variant, statistics)
    truth = score_operations(metric, double, EDGE, precise_batch, variant, statistics)
    tolerance = ROUNDING.get(metric, 1e-4)
    if metric == "gradientmatching":
        assert_allclose(found.similarity, truth.similarity, atol=tolerance)
    else:
        assert_allclose(found.values, truth.values, rtol=tolerance)


@pytest.mark.slow(reason="a plain network of full size, 1.7 million weights, sample by sample")
@pytest.mark.parametrize(
    ("metric", "variant", "statistics"),
    [(*value, STATISTICS[number % 2]) for number, value in enumerate(textbook.VALUES)],
)
def test_values_on_the_full_supernet(metric, variant, statistics, full_net, image_batch):
    batch = image_batch(4)
    alone = full_net.restrict(full_net.sub_space.keep(EDGE, [3]))
    if metric in PER_SAMPLE or batch.provenance.synthetic:  # noise is harder on float32
        alone, batch = copy.deepcopy(alone).double(), replace(batch, images=batch.images.double())
    found = score_operations(metric, alone, EDGE, batch, variant, statistics)
    nets = textbook.probes(full_net, EDGE, [3], statistics)
    assert_allclose(found.values, textbook.values(metric, variant, nets, batch), rtol=1e-4)


@pytest.mark.slow(reason="plain networks of full size")
@pytest.mark.parametrize(
    ("variant", "left_out", "statistics"),
    [("paper", None, "batch"), ("shared", PROBED, "running")],
)
def test_cosines_on_the_full_supernet(variant, left_out, statistics, full_net, image_batch):
    batch = image_batch(4)
    pair = full_net.restrict(full_net.sub_space.keep(EDGE, [1, 3]))
    found = score_operations("gradientmatching", pair, EDGE, batch, variant, statistics)
    nets = textbook.probes(full_net, EDGE, [1, 3], statistics)
    truth = textbook.gradientmatching(nets, batch.images.double(), batch.labels, left_out)
    assert_allclose(found.similarity, truth, atol=1e-4)


# The product of Hessian and gradient in ``grasp``, against the Hessian itself.

TINY_ROWS = ["00100", "01000", "10000", "00001", "01000", "00100"]


@pytest.fixture(scope="module")
def tiny_images(image_batch):
    """Real images, shrunk to 8x8 pixels."""
    whole = image_batch(4)
    return replace(whole, images=whole.images.double().unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5)))


@pytest.fixture(scope="module")
def tiny():
    """A network with two hundred weights."""
    return Supernet(SubSpace.from_rows(TINY_ROWS), channels=1, cells_per_stage=1).double()


def flat_gradient(net, batch, create_graph=False):
    """The gradient as a vector."""
    gradients = gradient(
        loss(net(batch.images), batch.labels), net.weights, create_graph=create_graph
    )
    return torch.cat([each.flatten() for each in gradients.values()])


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_against_the_hessian_of_a_tiny_network(statistics, tiny, tiny_images):
    net = PlainNet(tiny, tiny.sub_space, statistics)
    slope = flat_gradient(net, tiny_images, create_graph=True)
    rows = torch.autograd.grad(
        slope,
        list(net.weights.values()),
        torch.eye(len(slope), dtype=slope.dtype),
        is_grads_batched=True,
        materialize_grads=True,
    )
    hessian = torch.cat([row.flatten(1) for row in rows], dim=1)
    assert torch.allclose(hessian, hessian.T, atol=1e-10)
    weights = torch.cat([weight.detach().flatten() for weight in net.weights.values()])
    expected = -float(weights @ hessian @ slope.detach())
    found = score_operations("grasp", tiny, 0, tiny_images, batch_norm=statistics)
    assert found.values[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_against_a_difference_of_gradients(statistics, small_net, tiny_images):
    """H g is how the gradient changes on a small step along itself."""
    supernet = copy.deepcopy(small_net).double()
    sub_space = supernet.sub_space.keep(3, [3])
    net = PlainNet(supernet, sub_space, statistics)
    slope = flat_gradient(net, tiny_images)
    step = 1e-6 / float(slope.norm())
    weights = torch.cat([weight.detach().flatten() for weight in net.weights.values()])
    ends = [gradient_at(net, tiny_images, weights + sign * step * slope) for sign in (1, -1)]
    expected = -float(weights @ (ends[0] - ends[1])) / (2 * step)
    alone = supernet.restrict(sub_space)
    found = score_operations("grasp", alone, 3, tiny_images, batch_norm=statistics)
    assert found.values[0] == pytest.approx(expected, rel=1e-5)


def gradient_at(net, batch, place):
    """The gradient where the weights are these, in one vector."""
    start = 0
    for weight in net.weights.values():
        weight.data = place[start : start + weight.numel()].reshape(weight.shape)
        start += weight.numel()
    return flat_gradient(net, batch)


# Values by hand.


def of_rows(rows):
    """The products of gradients that are given."""
    rows = np.array(rows, dtype=np.float64)
    return GradientProducts(rows @ rows.T, rows.sum(axis=1), rows.shape[1])


def test_correlation_of_samples():
    rows = [[1, 2, 3, 4], [2, 4, 6, 8.5], [1, -1, 1, -1]]
    assert_allclose(correlation(of_rows(rows)), np.corrcoef(rows), rtol=1e-12)


def test_samples_without_correlation():
    """All eigenvalues are one: three times -(log(1 + e) + 1 / (1 + e))."""
    found = spread(of_rows([[1, -1, 0, 0, 0, 0], [0, 0, 2, -2, 0, 0], [0, 0, 0, 0, 3, -3]]))
    assert found.value == pytest.approx(-3 * (math.log(1 + 1e-5) + 1 / (1 + 1e-5)), rel=1e-12)


def test_identical_samples():
    """One eigenvalue is two, the other zero."""
    found = spread(of_rows([[1, 2, 4], [10, 20, 40]]))
    expected = -(math.log(2 + 1e-5) + 1 / (2 + 1e-5) + math.log(1e-5) + 1e5)
    assert found.value == pytest.approx(expected, rel=1e-6)


def test_a_sample_without_variance_has_no_correlation():
    assert math.isnan(spread(of_rows([[1, 2], [3, 3]])).value)
    assert spread(of_rows([[1, 2], [0, 0]])).reason == "the gradient is zero"


def test_products_and_saliency_are_exact_in_double_precision():
    large = {"a": torch.tensor([1e8, 1.0]), "b": torch.tensor([3.0])}
    small = {"a": torch.tensor([1.0, 1.0]), "c": torch.tensor([5.0])}
    assert dot(large, small) == 100000001.0
    assert saliency({"a": torch.tensor([1.0, -1.0])}, large) == 100000001.0


def test_gradients_of_weights_only(small, tiny_batch):
    gradients = loss_gradients(small, tiny_batch)
    assert set(gradients) == set(probed_weights(small))
    assert not any(".norm." in name or name.endswith("bias") for name in gradients)
    assert all(
        gradients[name].shape == weight.shape
        for name, weight in small.named_parameters()
        if name in gradients
    )


def test_a_small_step_down_the_gradient_lowers_the_loss_by_its_square(small, tiny_batch):
    """What ``gradnorm`` measures: the slope of the loss."""
    small.double()
    batch = replace(tiny_batch, images=tiny_batch.images.double())
    alone = small.restrict(FULL.keep(0, [2]))
    norm = score_operations("gradnorm", alone, 0, batch).values[0]
    gradients = loss_gradients(alone, batch)

    def loss():
        return torch.nn.functional.cross_entropy(alone(batch.images), batch.labels).item()

    before, step = loss(), 1e-6
    with torch.no_grad():
        for name, weight in probed_weights(alone).items():
            weight -= step * gradients[name]
    assert before - loss() == pytest.approx(step * norm**2, rel=1e-3)


@pytest.fixture
def chain():
    """Cells that are the identity, residual blocks of which only the shortcut is left."""
    rows = ["01000", "10000", "10000", "01000", "10000", "10000"]
    supernet = Supernet(SubSpace.from_rows(rows), channels=1, cells_per_stage=1)
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            parameter.fill_(0.0 if "conv_b.conv" in name else -1.0)  # norms and biases, too
    return supernet


def test_synaptic_flow_by_hand(chain, tiny_batch):
    """Of 8x8 pixels, 36 see 27 weights, 24 see 18 and 4 see 12. Poolings keep the mean of that;
    the shortcuts make 2 channels of 1 and 4 of 2, the classifier 10 logits of 4. R is linear in
    each of the four layers, so that it counts four times."""
    batch = replace(tiny_batch, images=tiny_batch.images[:, :, :8, :8])
    mean = (36 * 27 + 24 * 18 + 4 * 12) / 64
    for batch_norm in ("batch", "running"):
        scores = score_operations("synflow", chain, 0, batch, batch_norm=batch_norm)
        assert scores.values[0] == pytest.approx(4 * (mean * 1 * 2 * 4 * 10), rel=1e-12)


@pytest.mark.parametrize("space", ["nas-bench-201", "nas-bench-macro"])
def test_synaptic_flow_without_a_backward_pass(space, monkeypatch):
    """The derivative along the weights is what the general form adds up, for networks of ours."""
    supernet = Supernet(SubSpace.full(get_space(space)), 10, 2, 1)
    with torch.no_grad():
        supernet.classifier.bias.uniform_(-1, 1)
    fast = score_operations("synflow", supernet, 0, None, image_size=16)
    monkeypatch.setattr(type(supernet), "only_convolves", False)
    general = score_operations("synflow", supernet, 0, None, image_size=16)
    assert_allclose(fast.values, general.values, rtol=1e-12)


def test_synaptic_flow_depends_on_the_size_of_images_and_on_nothing_else_of_them(small, tiny_batch):
    values = score_operations("synflow", small, 0, tiny_batch).values
    other = replace(tiny_batch, images=torch.randn(2, 3, 12, 12))
    assert score_operations("synflow", small, 0, other).values == values
    larger = replace(tiny_batch, images=torch.randn(2, 3, 16, 16))
    assert score_operations("synflow", small, 0, larger).values != values


def test_synaptic_flow_beyond_single_precision(full_net, image_batch):
    """On the network of full size the score is larger than any float32."""
    alone = full_net.restrict(FULL.keep(0, [3]))
    scores = score_operations("synflow", alone, 0, image_batch(1))
    assert np.isfinite(scores.values[0])
    assert scores.values[0] > torch.finfo(torch.float32).max


def test_parameters_by_hand(small):
    """In each stage of 4, 8 and 16 channels one convolution and its batch norm more."""
    scores = score_operations("params", small, 1, None)
    none, skip, conv1, conv3, pool = scores.values
    assert none == skip == pool
    assert conv1 - none == sum(width**2 + 2 * width for width in (4, 8, 16))
    assert conv3 - none == sum(9 * width**2 + 2 * width for width in (4, 8, 16))


def test_parameters_that_do_not_matter_are_ties(small):
    """The scores of none, skip and pool are equal; that of a 3x3 convolution differs."""
    chosen = partition(score_operations("params", small, 0, None).similarity)
    assert chosen.groups == ((3,), (0, 1, 2, 4))


def test_cosines_by_hand():
    """A weight that one network lacks counts as zero, and so does a gradient of zero."""
    first = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([4.0])}
    second = {"a": torch.tensor([1.0, 0.0])}
    third = {"c": torch.tensor([2.0])}
    fourth = {"a": torch.tensor([0.0, 0.0])}
    expected = [[1, 0.6, 0, 0], [0.6, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert_allclose(cosines([first, second, third, fourth]), expected, rtol=1e-12)
