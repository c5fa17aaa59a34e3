"""Requests: the same name for the same question, and plans of many."""

import json
from dataclasses import replace

import pytest

from fewshot_core.errors import CheckpointError, FewshotError
from fewshot_core.search import (
    PRESETS,
    SearchOptions,
    SearchRequest,
    TrainingOptions,
    TrainingRequest,
    list_algorithms,
    plan,
)
from fewshot_core.space import SubSpace

ROWS = ("01110", "10000", "00011", "11111", "10010", "01001")
REQUEST = SearchRequest("cifar10", "snas", ROWS, seed=777, images="synthetic")
TRAINING = TrainingRequest("cifar100", TrainingOptions(epochs=5), seed=3)
PRINTS = {"images": "a" * 64, "checkpoint": None}


@pytest.mark.parametrize("algorithm", list_algorithms())
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_request_goes_through_json(algorithm, preset):
    request = replace(REQUEST, algorithm=algorithm, options=preset.search)
    document = json.loads(json.dumps(request.canonical()))
    assert SearchRequest.from_dict(document) == request
    assert request.sub_space.rows == list(ROWS)


def test_a_training_request_goes_through_json():
    assert TrainingRequest.from_dict(json.loads(json.dumps(TRAINING.canonical()))) == TRAINING


def test_the_name_says_what_is_asked():
    assert REQUEST.run_id(PRINTS).startswith("search-snas-cifar10-")
    assert TRAINING.run_id(PRINTS).startswith("train-cifar100-")


CHANGES = [
    {"seed": 888},
    {"algorithm": "dsnas"},
    {"rows": ("11111",) * 6},
    {"dataset": "cifar100"},
    {"options": SearchOptions(epochs=600)},
    {"options": SearchOptions(temperature_schedule="linear")},
    {"device": "cuda"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_another_question_has_another_name(change):
    assert replace(REQUEST, **change).run_id(PRINTS) != REQUEST.run_id(PRINTS)


def test_other_images_or_weights_give_another_name():
    for prints in (PRINTS | {"images": "b" * 64}, PRINTS | {"checkpoint": "c" * 64}):
        assert REQUEST.run_id(prints) != REQUEST.run_id(PRINTS)


def test_where_images_and_checkpoint_are_does_not_count(tmp_path):
    moved = replace(REQUEST, images=str(tmp_path), checkpoint=str(tmp_path / "net.pt"))
    assert moved.run_id(PRINTS) == REQUEST.run_id(PRINTS)


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        ("darts-1st", SearchOptions(temperature=2.0, stopping_threshold=0.5)),
        ("darts-2nd", SearchOptions(final_temperature=0.2)),
        ("snas", SearchOptions(stopping_threshold=0.5)),
        ("dsnas", SearchOptions(temperature_schedule="linear")),
    ],
)
def test_what_an_algorithm_does_not_read_does_not_count(algorithm, options):
    usual = replace(REQUEST, algorithm=algorithm)
    assert replace(usual, options=options).run_id(PRINTS) == usual.run_id(PRINTS)


def test_mixed_precision_counts_only_where_it_is_used():
    for request in (REQUEST, replace(REQUEST, device="cuda", algorithm="darts-2nd")):
        assert replace(request, mixed_precision=False).run_id(PRINTS) == request.run_id(PRINTS)
    on_cuda = replace(REQUEST, device="cuda")
    assert replace(on_cuda, mixed_precision=False).run_id(PRINTS) != on_cuda.run_id(PRINTS)


def test_fingerprints_are_of_the_content(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"weights")
    request = replace(REQUEST, checkpoint=str(tmp_path / "net.pt"))
    found = request.fingerprints(tmp_path)
    assert found["images"] == REQUEST.fingerprints(tmp_path)["images"]
    assert len(found["checkpoint"]) == 64
    (tmp_path / "net.pt").write_bytes(b"others")
    assert request.fingerprints(tmp_path)["checkpoint"] != found["checkpoint"]
    assert REQUEST.fingerprints(tmp_path)["checkpoint"] is None


def test_a_missing_checkpoint_is_an_error(tmp_path):
    request = replace(REQUEST, checkpoint=str(tmp_path / "net.pt"))
    with pytest.raises(CheckpointError, match="expected a checkpoint file, found none at"):
        request.fingerprints(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "mnist"},
        {"algorithm": "enas"},
        {"rows": ("11111",)},
        {"seed": -1},
        {"seed": "1"},
    ],
)
def test_a_request_that_makes_no_sense_is_an_error(change):
    with pytest.raises(FewshotError):
        replace(REQUEST, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"options": None},
        {"options": {"wings": 1}},
        {"wings": 1},
        {"rows": None},
    ],
)
@pytest.mark.parametrize("request_of", [REQUEST, TRAINING], ids=["search", "training"])
def test_a_damaged_request_is_an_error(request_of, change):
    if request_of is TRAINING and "rows" in change:
        change = {"seed": "no"}
    with pytest.raises(FewshotError):
        type(request_of).from_dict(request_of.canonical() | change)


def test_a_plan_has_a_run_for_each_sub_space_and_seed():
    halves = [SubSpace.full().keep(0, [0, 1]), SubSpace.full().keep(0, [2, 3, 4])]
    requests = plan(REQUEST, halves, (777, 888, 999))
    found = [(request.rows[0], request.seed) for request in requests]
    assert found == [(row, seed) for row in ("11000", "00111") for seed in (777, 888, 999)]
    assert len({request.run_id(PRINTS) for request in requests}) == 6
    assert {request.options for request in requests} == {REQUEST.options}
