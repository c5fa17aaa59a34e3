from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.search import PRESETS, SearchError, SearchOptions, TrainingOptions
from fewshot_core.search.options import as_text, changed, override

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
def test_what_cannot_be_set_is_an_error_that_says_what_can(text, words):
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
