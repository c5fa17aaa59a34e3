"""What options mean."""

from dataclasses import fields

from fewshot_core.dashboard.shared.requests import OPTION_TEXTS, readers_of
from fewshot_core.search import SearchOptions, TrainingOptions


def test_every_option_is_explained_and_nothing_else():
    names = {field.name for kind in (SearchOptions, TrainingOptions) for field in fields(kind)}
    assert set(OPTION_TEXTS) == names


def test_who_reads_an_option_is_known():
    assert readers_of("temperature") == ("SNAS",)
    assert readers_of("stopping_threshold") == ("DSNAS",)
    assert readers_of("epochs") == ()
