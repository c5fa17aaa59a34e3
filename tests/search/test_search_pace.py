"""How long a search will take, from one measured step."""

from dataclasses import replace

import pytest
from fewshot_core.search.job import measure
from fewshot_core.search.pace import Pace, count_images, measure_pace

from fewshot_core.runs import SearchRequest, TrainingRequest
from fewshot_core.search import (
    PRESETS,
    SearchError,
    SearchOptions,
    TrainingOptions,
    list_algorithms,
    pace,
)
from fewshot_core.space import SubSpace

SMOKE = PRESETS.get("smoke")
REQUEST = SearchRequest("ImageNet16-120", "snas", tuple(SubSpace.full().rows), SMOKE.search)
TRAINING = TrainingRequest("cifar10", SMOKE.training)


def test_the_time_is_that_of_all_steps_and_evaluations():
    options = SearchOptions(epochs=10, batch_size=64, images=1000)
    steps, batches = 8, 8
    expected = 10 * (steps * 0.5 + batches * 0.1) + batches * 0.1
    assert Pace(0.5, 0.1).seconds(options, 50_000) == pytest.approx(expected)


def test_all_images_are_those_there_are():
    options = SearchOptions(epochs=1, batch_size=64)
    assert Pace(1.0, 0.0).seconds(options, 50_000) == pytest.approx(391)


def test_a_training_evaluates_only_what_is_held_out():
    half = TrainingOptions(epochs=2, batch_size=100)
    assert Pace(1.0, 0.1).seconds(half, 1000) == pytest.approx(2 * (5 + 0.5))
    whole = replace(half, trained_on="all")
    assert Pace(1.0, 0.1).seconds(whole, 1000) == pytest.approx(2 * 10)


@pytest.mark.parametrize("algorithm", list_algorithms())
def test_a_step_of_every_algorithm_can_be_measured(algorithm):
    found = measure(replace(REQUEST, algorithm=algorithm), steps=1)
    assert found.step > 0
    assert found.evaluation > 0


def test_a_step_of_a_training_can_be_measured():
    assert measure(TRAINING, steps=1).step > 0


def test_a_process_of_its_own_measures():
    found = measure_pace(replace(REQUEST, checkpoint="missing.pt"))
    assert 0 < found.step < 60


def test_a_process_that_fails_is_an_error(monkeypatch):
    monkeypatch.setattr(pace, "_QUESTION", "raise SystemExit('no torch here')")
    with pytest.raises(SearchError, match="a step cannot be measured: no torch here"):
        measure_pace(REQUEST)


def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises(SearchError, match="the device 'meta3' cannot be used here"):
        measure(replace(REQUEST, device="meta3"))


def test_images_are_counted_without_reading_them():
    assert count_images("cifar10", "synthetic") == 10_000
