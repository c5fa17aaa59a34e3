from dataclasses import dataclass

import pytest

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import UnknownNameError
from fewshot_core.metrics import METRICS
from fewshot_core.registry import Registry


@dataclass(frozen=True)
class Fruit:
    name: str
    colour: str


APPLE, PEAR = Fruit("apple", "red"), Fruit("pear", "green")


@pytest.fixture
def fruits():
    registry = Registry[Fruit]("fruit")
    assert registry.add(PEAR) is PEAR
    registry.add(APPLE)
    return registry


def test_records_are_found_by_name_in_the_order_they_were_added(fruits):
    assert fruits.names() == ["pear", "apple"]
    assert list(fruits) == [PEAR, APPLE]
    assert fruits.get("apple") is APPLE
    assert len(fruits) == 2
    assert "pear" in fruits and "plum" not in fruits


def test_the_list_of_names_is_the_readers_own(fruits):
    fruits.names().clear()
    assert fruits.names() == ["pear", "apple"]


def test_a_name_that_is_taken_is_refused_and_the_first_stays(fruits):
    with pytest.raises(ValueError, match="the fruit 'apple' is registered twice"):
        fruits.add(Fruit("apple", "green"))
    assert fruits.get("apple") is APPLE and len(fruits) == 2


def test_an_unknown_name_is_refused_with_the_known_ones(fruits):
    with pytest.raises(UnknownNameError) as caught:
        fruits.get("plum")
    assert str(caught.value) == "unknown fruit 'plum': expected one of pear, apple"
    with pytest.raises(UnknownNameError, match="unknown fruit 'plum': expected one of none"):
        Registry[Fruit]("fruit").get("plum")


def test_an_unknown_name_can_be_looked_up_and_labelled(fruits):
    assert fruits.find("apple") is APPLE and fruits.find("plum") is None
    assert fruits.label("apple") == "apple"  # these records have no label of their own
    assert METRICS.find("not installed") is None
    assert METRICS.label("linear_regions") == "#lr"
    assert METRICS.label("not_installed") == "not_installed"


def test_the_data_sets_and_metrics_have_names_and_words():
    assert DATASETS.names() == ["cifar10", "cifar100", "ImageNet16-120"]
    for info in METRICS:
        assert info.label and info.description and info.equation and info.source and info.cost
        assert next(iter(info.variants)) == "paper"
        assert info.baseline or callable(info.score)
