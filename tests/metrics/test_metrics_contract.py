"""What a metric returns, and what is made of it."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fewshot_core.errors import MetricError
from fewshot_core.metrics import METRICS, MetricInfo, OperationScores, score_operations
from fewshot_core.metrics.base import Answer, minus_distance
from fewshot_core.metrics.contract import Score, score_each

TOLD = {}


def as_told(question):
    """Answer what the test says."""
    return TOLD["answer"](question)


@pytest.fixture
def answer(monkeypatch, small, tiny_batch):
    """Score edge 0 with a metric that answers what it is told; return the scores."""
    info = MetricInfo(
        name="told",
        label="told",
        description="",
        equation="",
        source="",
        cost="",
        implementation=f"{__name__}:as_told",
    )
    monkeypatch.setitem(METRICS._records, info.name, info)

    def score(told, **options):
        TOLD["answer"] = told
        return score_operations("told", small, 0, options.pop("batch", tiny_batch), **options)

    return score


def by_operation(numbers):
    """A value function that knows each operation's number."""

    def value(probe):
        return numbers[probe.supernet.sub_space.enabled[0][0]]

    return lambda question: score_each(question, value)


def test_a_question_tells_what_is_asked(answer, tiny_batch):
    asked = []

    def remember(question):
        asked.append(question)
        return Answer((0.0, 1.0, 2.0, 3.0, 4.0))

    answer(remember, seed=3, groups=3, balanced=True)
    (question,) = asked
    assert (question.edge, question.variant, question.seed) == (0, "paper", 3)
    assert (question.groups, question.balanced) == (3, True)
    assert question.operations == (0, 1, 2, 3, 4)
    assert question.image_size == 12
    probes = list(question.probes())
    assert [probe.supernet.sub_space.enabled[0] for probe in probes] == [
        (0,),
        (1,),
        (2,),
        (3,),
        (4,),
    ]
    for probe in probes:
        assert_array_equal(probe.batch.images, tiny_batch.images)
    assert list(question.probes()) == probes


def test_one_number_for_each_operation(answer):
    scores = answer(by_operation([3.0, 1.0, 4.0, 1.5, 9.0]))
    assert scores.values == (3.0, 1.0, 4.0, 1.5, 9.0)
    assert scores.similarity[0].tolist() == [0.0, -2.0, -1.0, -1.5, -6.0]
    assert not scores.degenerate


def test_numbers_are_averaged_over_the_batches(answer, tiny_batch):
    seen = iter([1.0, 0.0, 0.0, 0.0, 0.0, 3.0, 10.0, 0.0, 0.0, 0.0])
    scores = answer(
        lambda question: score_each(question, lambda probe: next(seen)),
        batch=[tiny_batch, tiny_batch],
    )
    assert scores.values == (2.0, 5.0, 0.0, 0.0, 0.0)


def test_a_flaw_is_told_with_its_operations(answer):
    flawed = [Score(1.0, "it is odd"), 2.0, Score(3.0, "it is odd"), 4.0, Score(5.0, "it is five")]
    scores = answer(by_operation(flawed))
    assert scores.values == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert scores.degenerate
    assert scores.reason == (
        "it is odd with only none, 1x1 on the edge; it is five with only pool on the edge"
    )


def test_a_flaw_in_one_of_the_batches_counts(answer, tiny_batch):
    seen = iter([Score(1.0), *range(4), Score(3.0, "it is odd"), *range(4)])
    scores = answer(
        lambda question: score_each(question, lambda probe: next(seen)),
        batch=[tiny_batch, tiny_batch],
    )
    assert scores.reason == "it is odd with only none on the edge"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([2.0] * 5, "all operations have the same score"),
        ([0.0] * 5, "all operations have the same score"),
        ([1e9, 1e9 + 1, 1e9, 1e9, 1e9], "all operations have the same score"),
        ([-1e-30] * 5, "all operations have the same score"),
        ([1.0, 1.0 + 1e-5, 1.0, 1.0, 1.0], None),
        ([1e-30, 2e-30, 1e-30, 1e-30, 1e-30], None),
        ([1.0, math.inf, 2.0, math.nan, 3.0], "2 of 5 scores are not finite"),
        ([-math.inf, 1.0, 2.0, 3.0, 4.0], "1 of 5 scores are not finite"),
    ],
)
def test_numbers_that_say_nothing(values, reason, answer):
    scores = answer(by_operation(values))
    assert scores.reason == reason
    assert scores.degenerate == (reason is not None)
    finite = np.isfinite(values)
    assert_array_equal(np.isnan(scores.similarity), ~(finite[:, None] & finite[None, :]))


def test_a_similarity_that_is_not_finite_says_nothing(answer):
    similarity = np.eye(5)
    similarity[0, 1] = similarity[1, 0] = np.nan
    scores = answer(lambda question: Answer((None,) * 5, similarity))
    assert scores.reason == "a similarity is not finite"


def test_a_metric_s_own_similarity_is_kept(answer):
    similarity = np.arange(25.0).reshape(5, 5)
    similarity += similarity.T
    scores = answer(lambda question: Answer((None,) * 5, similarity))
    assert_array_equal(scores.similarity, similarity)
    assert not scores.degenerate


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Answer((1.0, 2.0)), r"expected 5 scores.* got 2 scores and None"),
        (Answer((None,) * 5, np.eye(4)), r"shape \(5, 5\) or none; got 5 scores and \(4, 4\)"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], "expected an Answer from a metric, got list"),
    ],
)
def test_an_answer_of_another_shape_is_refused(wrong, message, answer):
    with pytest.raises(MetricError, match=message):
        answer(lambda question: wrong)


def test_one_operation_cannot_be_degenerate():
    scores = OperationScores.from_answer((3,), Answer((1.0,)))
    assert not scores.degenerate
    assert scores.similarity.tolist() == [[0.0]]


def test_distance_of_scores():
    assert minus_distance([1.0, -2.0]).tolist() == [[0.0, -3.0], [-3.0, 0.0]]
    assert np.isnan(minus_distance([1.0, None])[0, 1])
