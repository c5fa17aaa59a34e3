"""Every metric against its slow textbook form, on real images, in both modes of batch norm."""

import copy
from dataclasses import replace

import metrics_textbook as textbook
import pytest
from numpy.testing import assert_allclose

from fewshot_core.metrics import METRICS, score_operations
from fewshot_core.space import EDGES, SubSpace

EDGE = 2
OPERATIONS = (0, 2, 3, 4)
SUB_SPACE = SubSpace.from_rows(["11011", "01110", "11111", "10110", "00111", "01011"])
PROBED = "edge_{}_{}".format(*EDGES[EDGE])
STATISTICS = ("batch", "running")

ROUNDING = {"gradientmatching": 1e-3}
"""What float32 may cost, where it is more than 1e-4. With statistics of the batch, one ReLU that
float32 switches the other way is enough for that much."""

PER_SAMPLE = ("jacobcov", "ntk")
"""Metrics that such a ReLU changes by more than that at full size, where few images count."""

every_value = pytest.mark.parametrize(("metric", "variant"), list(textbook.VALUES))
every_mode = pytest.mark.parametrize("statistics", STATISTICS)


@pytest.fixture(scope="module")
def precise_net(small_net):
    """The small network in float64, so that what is compared is mathematics."""
    return copy.deepcopy(small_net).double().restrict(SUB_SPACE.keep(EDGE, OPERATIONS))


@pytest.fixture(scope="module")
def batch(real_batch):
    return real_batch(5)


@pytest.fixture(scope="module")
def precise_batch(batch):
    return replace(batch, images=batch.images.double())


def test_every_metric_has_a_textbook_form():
    drawn = {("random", "paper"), ("linear_regions", "paper")}  # have tests of their own
    known = {*textbook.VALUES, *drawn} | {
        ("gradientmatching", name) for name in ("paper", "shared")
    }
    ours = [info for info in METRICS if info.implementation.startswith("fewshot_core.")]
    assert {(info.name, variant) for info in ours for variant in info.variants} == known


@every_value
@every_mode
def test_values(metric, variant, statistics, precise_net, precise_batch):
    found = score_operations(metric, precise_net, EDGE, precise_batch, variant, statistics)
    nets = textbook.probes(precise_net, EDGE, OPERATIONS, statistics)
    assert_allclose(found.values, textbook.values(metric, variant, nets, precise_batch), rtol=1e-9)


@pytest.mark.parametrize(("variant", "left_out"), [("paper", None), ("shared", PROBED)])
@every_mode
def test_cosines(variant, left_out, statistics, precise_net, precise_batch):
    found = score_operations(
        "gradientmatching", precise_net, EDGE, precise_batch, variant, statistics
    )
    nets = textbook.probes(precise_net, EDGE, OPERATIONS, statistics)
    truth = textbook.gradientmatching(nets, precise_batch.images, precise_batch.labels, left_out)
    assert found.values == (None,) * 4
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
@every_value
@every_mode
def test_values_on_the_full_supernet(metric, variant, statistics, full_net, real_batch):
    batch = real_batch(4)
    alone = full_net.restrict(full_net.sub_space.keep(EDGE, [3]))
    if metric in PER_SAMPLE:
        alone, batch = copy.deepcopy(alone).double(), replace(batch, images=batch.images.double())
    found = score_operations(metric, alone, EDGE, batch, variant, statistics)
    nets = textbook.probes(full_net, EDGE, [3], statistics)
    assert_allclose(found.values, textbook.values(metric, variant, nets, batch), rtol=1e-4)


@pytest.mark.slow(reason="plain networks of full size")
@pytest.mark.parametrize(
    ("variant", "left_out", "statistics"),
    [("paper", None, "batch"), ("shared", PROBED, "running")],
)
def test_cosines_on_the_full_supernet(variant, left_out, statistics, full_net, real_batch):
    batch = real_batch(4)
    pair = full_net.restrict(full_net.sub_space.keep(EDGE, [1, 3]))
    found = score_operations("gradientmatching", pair, EDGE, batch, variant, statistics)
    nets = textbook.probes(full_net, EDGE, [1, 3], statistics)
    truth = textbook.gradientmatching(nets, batch.images.double(), batch.labels, left_out)
    assert_allclose(found.similarity, truth, atol=1e-4)
