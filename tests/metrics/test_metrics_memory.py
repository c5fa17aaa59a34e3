"""Scores that are remembered: the same as computed ones, and of the same question only."""

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
    ScoreKey,
    most_sharing_first,
    score_operations,
)
from fewshot_core.metrics import (
    contract as probe,
)
from fewshot_core.metrics import score_cache as remembering
from fewshot_core.metrics.base import Answer
from fewshot_core.space import SubSpace

ALL = [(info.name, variant) for info in METRICS for variant in info.variants]
ALONGSIDE = [
    (first.name, info.name, variant)
    for first in METRICS
    for info in METRICS
    for variant, made_of in info.passes.items()
    if made_of in first.brings("paper") and (first.name, "paper") != (info.name, variant)
]
ROWS = ["01000", "10011", "00100", "01010", "00001", "10010"]
EDGE = 1

KEY = ScoreKey(
    metric="gradnorm",
    variant="paper",
    source=None,
    rows=tuple(ROWS),
    edge=EDGE,
    network="some",
    images="some",
    image_size=32,
    batch_norm="batch",
    drawn=None,
    computed="torch, cpu",
)


@pytest.fixture
def supernet(small):
    return small.restrict(SubSpace.from_rows(ROWS))


@pytest.fixture
def reports():
    return []


@pytest.fixture
def memory(tmp_path, reports):
    return ScoreCache(tmp_path / "scores", reports.append)


@pytest.fixture
def score(supernet, tiny_batch, memory):
    """Score an edge of the small network with what is remembered, unless told otherwise."""

    def run(metric, variant="paper", **options):
        arguments = {"supernet": supernet, "edge": EDGE, "batch": tiny_batch, "memory": memory}
        return score_operations(metric, variant=variant, **(arguments | options))

    return run


def same(left, right):
    assert left.operations == right.operations
    assert left.values == right.values
    assert_array_equal(left.similarity, right.similarity)
    assert left.reason == right.reason


@pytest.mark.parametrize(("metric", "variant"), ALL)
def test_remembered_scores_are_the_computed_ones(metric, variant, score, memory):
    computed = score(metric, variant, memory=None)
    same(score(metric, variant), computed)
    assert (memory.found, memory.made) == (0, 3)
    reported = []
    same(score(metric, variant, on_operation=reported.append), computed)
    assert (memory.found, memory.made) == (3, 3)
    assert reported == [0, 3, 4]


@pytest.mark.parametrize(("first", "metric", "variant"), ALONGSIDE)
def test_what_comes_along_is_what_is_computed_alone(first, metric, variant, score, memory):
    score(first)
    found = score(metric, variant)
    assert (memory.found, memory.made) == (3, 3)
    alone = score(metric, variant, memory=None)
    assert found.reason == alone.reason
    assert_allclose(found.similarity, alone.similarity, rtol=1e-5, atol=1e-12)
    if alone.values[0] is not None:
        assert_allclose(found.values, alone.values, rtol=1e-6)


def count(monkeypatch, name):
    """Count the calls of a pass."""
    calls = []
    function = getattr(probe, name)

    def counted(*arguments):
        calls.append(arguments)
        return function(*arguments)

    monkeypatch.setattr(probe, name, counted)
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


def test_every_batch_is_remembered_by_itself(score, memory, tiny_batch):
    other = replace(tiny_batch, images=tiny_batch.images.flip(3))
    score("gradnorm")
    both = score("gradnorm", batch=[tiny_batch, other])
    assert (memory.found, memory.made) == (3, 6)
    same(both, score("gradnorm", batch=[tiny_batch, other], memory=None))


def other_weights(supernet):
    with torch.no_grad():
        supernet.classifier.weight.mul_(2)


def other_statistics(supernet):
    supernet.norm.running_mean.add_(1)


@pytest.mark.parametrize("change", [other_weights, other_statistics])
def test_another_network_is_another_question(change, score, memory, supernet):
    score("gradnorm")
    change(supernet)
    same(score("gradnorm"), score("gradnorm", memory=None))
    assert memory.found == 0


@pytest.mark.parametrize(
    "options",
    [{"batch_norm": "running"}, {"edge": 3}, {"metric": "snip", "variant": "paper"}],
    ids=str,
)
def test_another_question_is_computed(options, score, memory):
    score("jacobcov")
    score(**({"metric": "jacobcov"} | options))
    assert memory.found == 0


def test_other_images_are_another_question(score, memory, tiny_batch):
    score("gradnorm")
    score("gradnorm", batch=replace(tiny_batch, labels=tiny_batch.labels.flip(0)))
    score("gradnorm", batch=replace(tiny_batch, images=tiny_batch.images.flip(2)))
    assert memory.found == 0


@pytest.mark.parametrize(("metric", "variant"), ALL)
def test_the_seed_counts_where_something_is_drawn(metric, variant, score, memory):
    score(metric, variant)
    other = score(metric, variant, seed=1)
    same(other, score(metric, variant, seed=1, memory=None))
    assert (memory.found == 0) == (metric in {"random", "linear_regions"})


def test_the_groups_count_for_a_grouping_by_chance(score, memory):
    score("random")
    score("random", groups=3)
    score("random", balanced=True)
    assert memory.found == 0


def test_synflow_remembers_the_size_of_images(score, memory):
    score("synflow", batch=None, image_size=8)
    score("synflow", batch=None, image_size=16)
    assert memory.found == 0
    score("synflow", batch=None, image_size=8, batch_norm="running")
    assert memory.found == 3


def test_scores_of_another_version_are_not_looked_at(score, memory, monkeypatch):
    score("gradnorm")
    monkeypatch.setattr(remembering, "SCORING_VERSION", remembering.SCORING_VERSION + 1)
    score("gradnorm")
    assert (memory.found, memory.made) == (0, 6)


@pytest.fixture
def own_metric(monkeypatch):
    """A metric of another package."""
    info = MetricInfo("own", "own", "", "", "", "", f"{__name__}:constant", needs_images=False)
    monkeypatch.setitem(METRICS._records, info.name, info)
    monkeypatch.setitem(METRICS._origins, info.name, ("my-metrics", "1.0"))


def constant(question):
    """A score function of another package."""
    return Answer(tuple(float(operation) for operation in question.operations))


def test_a_metric_of_another_version_of_its_package_is_computed(
    own_metric, score, memory, monkeypatch
):
    score("own")
    score("own")
    assert (memory.found, memory.made) == (3, 3)
    monkeypatch.setitem(METRICS._origins, "own", ("my-metrics", "1.1"))
    score("own")
    assert (memory.found, memory.made) == (3, 6)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"format": "fewshot-scores/1"', '"format": "other"'),
        lambda text: text.replace('"edge": 1', '"edge": 2'),
        lambda text: json.dumps(json.loads(text) | {"values": [1.0]}),
        lambda text: json.dumps(json.loads(text) | {"values": "some"}),
        lambda text: json.dumps(json.loads(text) | {"similarity": [[1.0]]}),
        lambda text: json.dumps(json.loads(text) | {"reason": 3}),
        lambda text: text.encode().replace(b"paper", b"\xff"),
    ],
)
def test_a_damaged_file_is_set_aside_and_computed_anew(damage, score, memory, reports):
    computed = score("params")
    [path] = memory.folder.rglob("*.json")
    broken = damage(path.read_text())
    path.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    same(score("params"), computed)
    assert (memory.found, memory.made) == (0, 6)
    [report] = reports
    [aside] = memory.folder.rglob("*.set-aside-*")
    assert str(aside) in report and "damaged" in report
    same(score("params"), computed)
    assert memory.found == 3


def test_scores_that_cannot_be_written_are_only_reported(score, memory, reports, tmp_path):
    (tmp_path / "scores").write_text("a file where the folder should be")
    same(score("params"), score("params", memory=None))
    [report] = reports
    assert report.startswith("scores cannot be remembered: ")


def test_two_at_once_never_see_half_a_file(tmp_path, reports):
    answer = Answer(tuple(float(number) for number in range(3)), np.eye(3), None)

    def work(number):
        mine = ScoreCache(tmp_path, reports.append)
        for _ in range(20):
            mine.keep(KEY, answer)
            assert mine.find(KEY).values == answer.values

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
def test_an_answer_comes_back_bit_by_bit(tmp_path_factory, values, similarity, reason):
    memory = ScoreCache(tmp_path_factory.mktemp("scores"), pytest.fail)
    memory.keep(KEY, Answer(values, similarity, reason))
    found = memory.find(KEY)
    assert_array_equal(np.array(found.values, dtype=np.float64), np.array(values, dtype=np.float64))
    assert [value is None for value in found.values] == [value is None for value in values]
    assert found.reason == reason
    if similarity is None:
        assert found.similarity is None
    else:
        assert_array_equal(found.similarity, similarity)


def test_what_brings_the_most_is_asked_first():
    order = most_sharing_first([info.name for info in METRICS])
    assert order[0] == "grasp"
    assert sorted(order) == sorted(info.name for info in METRICS)
    rest = [name for name in order if METRICS.get(name).passes == {}]
    assert order[-len(rest) :] == rest
