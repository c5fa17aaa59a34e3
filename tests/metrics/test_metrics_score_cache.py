"""Cached scores: the same as computed ones, and only for the same input."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from fewshot_core.metrics import (
    METRICS,
    MetricInfo,
    ScoreCache,
    base,
    most_sharing_first,
    per_sample,
    score_cache,
    score_operations,
)
from fewshot_core.metrics.base import MetricOutput
from fewshot_core.space import SubSpace

ALL = [(info.name, variant) for info in METRICS if not info.baseline for variant in info.variants]
SAME_PASS = [
    (first.name, info.name, variant)
    for first in METRICS
    for info in METRICS
    for variant, needed in info.passes.items()
    if needed in first.computed_passes("paper") and (first.name, "paper") != (info.name, variant)
]
ROWS = ["01000", "10011", "00100", "01010", "00001", "10010"]
EDGE = 1

KEY = {"metric": "gradnorm", "edge": EDGE}


@pytest.fixture
def supernet(small):
    return small.restrict(SubSpace.from_rows(ROWS))


@pytest.fixture
def reports():
    return []


@pytest.fixture
def cache(tmp_path, reports):
    return ScoreCache(tmp_path / "scores", reports.append)


@pytest.fixture
def score(supernet, tiny_batch, cache):
    """Score an edge of the small network with the cache, unless told otherwise."""

    def run(metric, variant="paper", **options):
        arguments = {"supernet": supernet, "edge": EDGE, "batch": tiny_batch, "cache": cache}
        return score_operations(metric, variant=variant, **(arguments | options))

    return run


def same(left, right):
    assert left.operations == right.operations
    assert left.values == right.values
    assert_array_equal(left.similarity, right.similarity)
    assert left.reason == right.reason


@pytest.mark.parametrize(("metric", "variant"), ALL)
def test_cached_scores_are_the_computed_ones(metric, variant, score, cache):
    computed = score(metric, variant, cache=None)
    same(score(metric, variant), computed)
    assert (cache.hits, cache.computed) == (0, 3)
    reported = []
    same(score(metric, variant, on_operation=reported.append), computed)
    assert (cache.hits, cache.computed) == (3, 3)
    assert reported == [0, 3, 4]


@pytest.mark.parametrize(("first", "metric", "variant"), SAME_PASS)
def test_scores_of_the_same_pass_are_those_computed_alone(first, metric, variant, score, cache):
    score(first)
    found = score(metric, variant)
    assert (cache.hits, cache.computed) == (3, 3)
    alone = score(metric, variant, cache=None)
    assert found.reason == alone.reason
    assert_allclose(found.similarity, alone.similarity, rtol=1e-5, atol=1e-12)
    if alone.values[0] is not None:
        assert_allclose(found.values, alone.values, rtol=1e-6)


def count(monkeypatch, name):
    """Count the calls of a pass."""
    calls = []
    module = base if hasattr(base, name) else per_sample
    function = getattr(module, name)

    def counted(*arguments):
        calls.append(arguments)
        return function(*arguments)

    monkeypatch.setattr(module, name, counted)
    return calls


@pytest.mark.parametrize(
    ("passes", "metrics", "calls"),
    [
        ("loss_gradients", ["snip", "gradnorm", "gradientmatching"], 3),
        ("loss_gradients", ["grasp", "snip", "gradnorm", "gradientmatching"], 0),
        ("loss_gradients", ["snip", "grasp"], 3),
        ("loss_curvature", ["grasp", "snip", "grasp"], 3),
        ("weight_gradient_products", ["jacobcov", "ntk"], 3),
        ("weight_gradient_products", ["ntk", "jacobcov", "snip"], 3),
    ],
)
def test_metrics_share_their_passes(passes, metrics, calls, monkeypatch, score):
    made = count(monkeypatch, passes)
    for metric in metrics:
        score(metric)
    assert len(made) == calls


def test_every_batch_is_cached_separately(score, cache, tiny_batch):
    other = replace(tiny_batch, images=tiny_batch.images.flip(3))
    score("gradnorm")
    both = score("gradnorm", batch=[tiny_batch, other])
    assert (cache.hits, cache.computed) == (3, 6)
    same(both, score("gradnorm", batch=[tiny_batch, other], cache=None))


def other_weights(supernet):
    with torch.no_grad():
        supernet.classifier.weight.mul_(2)


def other_statistics(supernet):
    supernet.norm.running_mean.add_(1)


@pytest.mark.parametrize("change", [other_weights, other_statistics])
def test_another_network_is_computed(change, score, cache, supernet):
    score("gradnorm")
    change(supernet)
    same(score("gradnorm"), score("gradnorm", cache=None))
    assert cache.hits == 0


@pytest.mark.parametrize(
    "options",
    [{"batch_norm": "running"}, {"edge": 3}, {"metric": "snip", "variant": "paper"}],
    ids=str,
)
def test_another_input_is_computed(options, score, cache):
    score("jacobcov")
    score(**({"metric": "jacobcov"} | options))
    assert cache.hits == 0


def test_other_images_are_computed(score, cache, tiny_batch):
    score("gradnorm")
    score("gradnorm", batch=replace(tiny_batch, labels=tiny_batch.labels.flip(0)))
    score("gradnorm", batch=replace(tiny_batch, images=tiny_batch.images.flip(2)))
    assert cache.hits == 0


@pytest.mark.parametrize(("metric", "variant"), ALL)
def test_the_seed_counts_only_where_it_is_used(metric, variant, score, cache):
    score(metric, variant)
    other = score(metric, variant, seed=1)
    same(other, score(metric, variant, seed=1, cache=None))
    assert (cache.hits == 0) == (metric == "linear_regions")


def test_the_image_size_counts_for_synflow(score, cache):
    score("synflow", batch=None, image_size=8)
    score("synflow", batch=None, image_size=16)
    assert cache.hits == 0
    score("synflow", batch=None, image_size=8, batch_norm="running")
    assert cache.hits == 3


def test_scores_of_another_version_are_computed(score, cache, monkeypatch):
    score("gradnorm")
    monkeypatch.setattr(score_cache, "SCORING_VERSION", score_cache.SCORING_VERSION + 1)
    score("gradnorm")
    assert (cache.hits, cache.computed) == (0, 6)


def constant(metric_input):
    """A score function of another package."""
    return MetricOutput(tuple(float(operation) for operation in metric_input.operations))


@pytest.fixture
def own_metric(monkeypatch):
    """A metric of another package."""
    info = MetricInfo("own", "own", "", "", "", "", constant, needs_images=False)
    monkeypatch.setitem(METRICS._records, info.name, info)
    monkeypatch.setitem(METRICS._origins, info.name, ("my-metrics", "1.0"))


def test_a_metric_of_another_version_of_its_package_is_computed(
    own_metric, score, cache, monkeypatch
):
    score("own")
    score("own")
    assert (cache.hits, cache.computed) == (3, 3)
    monkeypatch.setitem(METRICS._origins, "own", ("my-metrics", "1.1"))
    score("own")
    assert (cache.hits, cache.computed) == (3, 6)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"version": ', '"version": 1'),
        lambda text: text.replace('"edge": 1', '"edge": 2'),
        lambda text: json.dumps(json.loads(text) | {"values": [1.0]}),
        lambda text: json.dumps(json.loads(text) | {"values": "some"}),
        lambda text: json.dumps(json.loads(text) | {"similarity": [[1.0]]}),
        lambda text: json.dumps(json.loads(text) | {"reason": 3}),
        lambda text: text.encode().replace(b"paper", b"\xff"),
    ],
)
def test_a_damaged_file_is_ignored_and_replaced(damage, score, cache, reports):
    computed = score("params")
    [path] = cache.folder.rglob("*.json")
    broken = damage(path.read_text())
    path.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    same(score("params"), computed)
    assert (cache.hits, cache.computed) == (0, 6)
    [report] = reports
    assert str(path) in report and "damaged" in report
    same(score("params"), computed)
    assert cache.hits == 3


def test_scores_that_cannot_be_written_are_only_reported(score, cache, reports, tmp_path):
    (tmp_path / "scores").write_text("a file where the folder should be")
    same(score("params"), score("params", cache=None))
    [report] = reports
    assert report.startswith("scores cannot be cached: ")


def test_two_at_once_never_see_half_a_file(tmp_path, reports):
    output = MetricOutput(tuple(float(number) for number in range(3)), np.eye(3), None)

    def work(number):
        mine = ScoreCache(tmp_path, reports.append)
        for _ in range(20):
            mine.store(KEY, output)
            assert mine.load(KEY, 3).values == output.values

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert reports == []
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


numbers = st.floats(width=64) | st.none()


@given(
    values=st.tuples(numbers, numbers, numbers),
    similarity=st.none() | arrays(np.float64, (3, 3), elements=st.floats(width=64)),
    reason=st.none() | st.text(),
)
def test_an_output_is_read_bit_by_bit(tmp_path_factory, values, similarity, reason):
    cache = ScoreCache(tmp_path_factory.mktemp("scores"), pytest.fail)
    cache.store(KEY, MetricOutput(values, similarity, reason))
    found = cache.load(KEY, 3)
    assert_array_equal(np.array(found.values, dtype=np.float64), np.array(values, dtype=np.float64))
    assert [value is None for value in found.values] == [value is None for value in values]
    assert found.reason == reason
    if similarity is None:
        assert found.similarity is None
    else:
        assert_array_equal(found.similarity, similarity)


def test_metrics_are_sorted_by_the_passes_they_share():
    order = most_sharing_first([info.name for info in METRICS])
    assert order[0] == "grasp"
    assert sorted(order) == sorted(info.name for info in METRICS)
    rest = [name for name in order if METRICS.get(name).passes == {}]
    assert order[-len(rest) :] == rest
