"""Options of searches and trainings: values, checks, presets, schedules and overrides."""

import json
import math
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.documents import read_dataclass
from fewshot_core.errors import UnknownNameError
from fewshot_core.search import (
    PRESETS,
    SearchError,
    SearchOptions,
    TrainingOptions,
    preset_of,
)
from fewshot_core.search.options import (
    as_text,
    changed,
    cosine,
    linear,
    override,
    temperature,
)


def test_the_defaults_are_those_of_appendix_a():
    options = SearchOptions()
    weights = (options.epochs, options.batch_size, options.learning_rate)
    assert weights == (50, 64, 0.025)
    assert (options.final_learning_rate, options.momentum) == (0.001, 0.9)
    assert (options.weight_decay, options.gradient_clip) == (3e-4, 5.0)
    assert options.architecture_learning_rate == 3e-4
    assert options.architecture_betas == (0.5, 0.999)
    assert options.architecture_weight_decay == 1e-3
    assert (options.temperature, options.final_temperature) == (1.0, 0.1)
    assert (options.temperature_schedule, options.stopping_threshold) == ("cosine", 0.8)
    assert (options.channels, options.cells_per_stage, options.images) == (16, 5, None)


def test_the_defaults_of_a_training_are_those_of_appendix_a_2():
    options = TrainingOptions()
    assert (options.epochs, options.batch_size, options.learning_rate) == (200, 128, 0.1)
    assert (options.final_learning_rate, options.momentum) == (0.0, 0.9)
    assert (options.weight_decay, options.sampling) == (5e-4, "mean")


BAD = [
    ("epochs", 0),
    ("epochs", 2.5),
    ("epochs", True),
    ("batch_size", 1),
    ("learning_rate", 0.0),
    ("learning_rate", math.nan),
    ("final_learning_rate", 0.5),
    ("final_learning_rate", -0.1),
    ("momentum", 1.0),
    ("weight_decay", -1e-4),
    ("weight_decay", math.inf),
    ("channels", 0),
    ("channels", 257),
    ("cells_per_stage", 0),
    ("images", 3),
    ("split_seed", -1),
]


@pytest.mark.parametrize(("name", "value"), BAD)
@pytest.mark.parametrize("kind", [SearchOptions, TrainingOptions])
def test_a_value_out_of_range_is_named(kind, name, value):
    with pytest.raises(SearchError, match=f"expected {name}.*got"):
        kind(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gradient_clip", 0),
        ("architecture_learning_rate", 0),
        ("architecture_weight_decay", -1),
        ("architecture_betas", (0.5,)),
        ("architecture_betas", (0.5, 1.0)),
        ("temperature", 0),
        ("final_temperature", -0.1),
        ("temperature_schedule", "step"),
        ("stopping_threshold", 0),
        ("stopping_threshold", 1.1),
    ],
)
def test_a_value_of_a_search_out_of_range_is_named(name, value):
    with pytest.raises(SearchError, match=name):
        SearchOptions(**{name: value})


@pytest.mark.parametrize(("name", "value"), [("sampling", "two"), ("trained_on", "none")])
def test_an_unknown_choice_of_a_training_is_named(name, value):
    with pytest.raises(SearchError, match=f"unknown {name} '{value}': expected one of"):
        TrainingOptions(**{name: value})


def test_a_limit_is_described_in_words():
    with pytest.raises(SearchError, match="momentum, a number of at least 0 and below 1, got 2"):
        SearchOptions(momentum=2)


@pytest.mark.parametrize("kind", [SearchOptions, TrainingOptions])
def test_options_go_through_json(kind):
    options = kind(epochs=7, images=64)
    assert read_dataclass(kind, json.loads(json.dumps(asdict(options))), "options") == options


@pytest.mark.parametrize("kind", [SearchOptions, TrainingOptions])
def test_an_unknown_option_is_an_error(kind):
    with pytest.raises(SearchError, match="wings"):
        read_dataclass(kind, {"wings": 2}, "options", SearchError)


def test_the_paper_preset_is_exactly_the_paper():
    paper = PRESETS.get("paper")
    assert paper.search == SearchOptions()
    assert paper.training == TrainingOptions()


@pytest.mark.parametrize("name", ["quick", "smoke"])
def test_other_presets_only_reduce(name):
    preset = PRESETS.get(name)
    for options, usual in ((preset.search, SearchOptions()), (preset.training, TrainingOptions())):
        for size in ("epochs", "channels", "cells_per_stage", "batch_size"):
            assert getattr(options, size) <= getattr(usual, size)
        assert options.images is not None


def test_a_preset_differs_from_the_paper_only_as_described():
    quick, paper = PRESETS.get("quick").search, SearchOptions()
    changed = {f.name for f in fields(paper) if getattr(quick, f.name) != getattr(paper, f.name)}
    allowed = {"epochs", "channels", "cells_per_stage", "images", "architecture_learning_rate"}
    assert changed <= allowed


def test_every_preset_has_words_for_people_and_can_be_overridden():
    assert PRESETS.names() == ["paper", "quick", "smoke"]
    for preset in PRESETS:
        assert preset.label
        assert preset.description.endswith(".")
        assert replace(preset.search, epochs=600).epochs == 600


def test_an_unknown_preset_is_an_error():
    with pytest.raises(UnknownNameError, match="unknown preset 'slow': expected one of paper"):
        PRESETS.get("slow")


def test_options_know_which_preset_they_are_of():
    for preset in PRESETS:
        assert preset_of(preset.search) == preset_of(preset.training) == preset.name
    assert preset_of(SearchOptions(epochs=600)) is None


PAPER = SearchOptions()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("epochs=7", "epochs", 7),
        ("images=none", "images", None),
        ("images=64", "images", 64),
        ("learning-rate=0.05", "learning_rate", 0.05),
        ("augment=False", "augment", False),
        ("architecture_betas=0.9,0.99", "architecture_betas", (0.9, 0.99)),
        ("temperature_schedule = linear", "temperature_schedule", "linear"),
    ],
)
def test_a_value_is_replaced(text, name, value):
    options = override(PAPER, [text])
    assert getattr(options, name) == value
    assert asdict(options) == asdict(PAPER) | {name: value}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs", "name=value"),
        ("epoch=3", "with one of epochs"),
        ("epochs=many", "to be a number"),
        ("epochs=0", "epochs"),
        ("augment=1", "true or false"),
        ("learning_rate=none", "learning_rate"),
        ("temperature_schedule=steep", "temperature_schedule"),
    ],
)
def test_an_invalid_option_is_an_error_that_lists_the_valid_ones(text, words):
    with pytest.raises(SearchError, match=words):
        override(PAPER, [text])


@given(st.sampled_from([preset.search for preset in PRESETS] + [PAPER]))
def test_differences_as_text_lead_back(options):
    texts = [f"{name}={as_text(value)}" for name, value in changed(options, PAPER).items()]
    assert override(PAPER, texts) == options


def test_trainings_have_options_of_their_own():
    assert override(TrainingOptions(), ["sampling=single-path"]).sampling == "single-path"
    with pytest.raises(SearchError):
        override(TrainingOptions(), ["temperature=2"])


@pytest.mark.parametrize("schedule", [cosine, linear])
def test_a_schedule_starts_ends_and_is_half_way_in_the_middle(schedule):
    assert schedule(1.0, 0.1, 0.0) == pytest.approx(1.0)
    assert schedule(1.0, 0.1, 0.5) == pytest.approx(0.55)
    assert schedule(1.0, 0.1, 1.0) == pytest.approx(0.1)


def test_a_schedule_never_rises():
    for schedule in (cosine, linear):
        values = [schedule(1.0, 0.1, step / 20) for step in range(21)]
        assert values == sorted(values, reverse=True)


def test_a_single_epoch_has_the_first_temperature():
    assert temperature("cosine", 1.0, 0.1, 0, 1) == pytest.approx(1.0)
