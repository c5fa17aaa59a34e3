"""Training a sub-supernet a little before it is split further."""

import copy

import pytest
import torch

from fewshot_core.nets import Supernet
from fewshot_core.search.options import TrainingOptions
from fewshot_core.search.training import SupernetTraining, WarmUp
from fewshot_core.space import SubSpace


@pytest.fixture
def inherited(mixed):
    """A sub-supernet with weights of its own."""
    return copy.deepcopy(Supernet(SubSpace.full(), 10, 2, 1, seed=5).restrict(mixed))


def trained(supernet, data, epochs=1, seed=0):
    """A copy of a sub-supernet after its warm-up, and what did it."""
    twin = copy.deepcopy(supernet)
    warm_up = WarmUp(data, epochs, seed)
    warm_up(twin)
    return twin, warm_up


def same(left, right):
    return all(
        torch.equal(tensor, right.state_dict()[name]) for name, tensor in left.state_dict().items()
    )


def test_it_is_a_training_from_the_inherited_weights(inherited, tiny_data, mixed):
    found, warm_up = trained(inherited, tiny_data, epochs=2)
    options = TrainingOptions(epochs=2, trained_on="all", channels=2, cells_per_stage=1)
    training = SupernetTraining(tiny_data, options, warm_up._seed_of(inherited), sub_space=mixed)
    training.supernet.load_state_dict(inherited.state_dict())
    list(training.run())
    assert same(found, training.supernet)
    assert not same(found, inherited)
    assert found.sub_space == mixed
    assert warm_up.trained == 1 and warm_up.seconds > 0


def test_it_is_the_same_again_and_another_with_another_seed(inherited, tiny_data):
    first, _ = trained(inherited, tiny_data)
    assert same(first, trained(inherited, tiny_data)[0])
    assert not same(first, trained(inherited, tiny_data, seed=1)[0])


def test_statistics_are_stored_for_metrics_that_use_them(inherited, tiny_data):
    found, _ = trained(inherited, tiny_data)
    assert not torch.equal(found.norm.running_mean, inherited.norm.running_mean)


def test_its_steps_are_reported(inherited, tiny_data):
    seen = []
    WarmUp(tiny_data, 3, progress=seen.append)(copy.deepcopy(inherited))
    assert [(step.epoch, step.epochs, step.step) for step in seen] == [
        (1, 3, 0),
        (2, 3, 0),
        (3, 3, 0),
    ]
