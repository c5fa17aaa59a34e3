"""The list of algorithms."""

from dataclasses import fields

import pytest
import torch

from fewshot_core.errors import UnknownNameError
from fewshot_core.search import ALGORITHMS, SearchOptions, list_algorithms
from fewshot_core.search.algorithms.base import Algorithm
from fewshot_core.search.network import Alphas
from fewshot_core.space import SubSpace


def test_the_algorithms_of_the_paper_are_there():
    assert list_algorithms() == ["darts-1st", "darts-2nd", "snas", "dsnas"]


@pytest.mark.parametrize("info", ALGORITHMS, ids=lambda info: info.name)
def test_a_record_says_what_a_reader_wants_to_know(info):
    assert info.label
    assert info.description.endswith(".")
    assert "paper" in info.source
    assert set(info.options) <= {field.name for field in fields(SearchOptions)}


@pytest.mark.parametrize("info", ALGORITHMS, ids=lambda info: info.name)
def test_a_factory_makes_an_algorithm(info):
    alphas = Alphas(SubSpace.full(), torch.Generator())
    made = info.create(alphas, SearchOptions())
    assert isinstance(made, Algorithm)
    made.start_epoch(0)
    assert (made.temperature is not None) == (info.name == "snas")
    weights = made.weights(torch.Generator())
    assert [len(row) for row in weights.values] == [5] * 6
    assert (weights.path is not None) == (info.name == "dsnas")


def test_an_unknown_algorithm_is_an_error():
    with pytest.raises(UnknownNameError, match="unknown search algorithm 'enas': expected one of"):
        ALGORITHMS.get("enas")
