"""Training between the levels of a tree, by a stand-in for the training."""

import pytest
import torch

from fewshot_core.errors import SplittingError
from fewshot_core.metrics import ScoreCache, score_operations
from fewshot_core.splitting import TreeOptions, split


class Scaling:
    """Doubles the classifier's weights in place of training."""

    def __init__(self):
        self.seen = []
        self.weights = []

    def __call__(self, supernet):
        self.seen.append(supernet.sub_space)
        with torch.no_grad():
            supernet.classifier.weight.mul_(2)
        self.weights.append(supernet.classifier.weight)


def test_every_sub_supernet_is_trained_once_before_it_is_split_further(small, batch):
    scaling = Scaling()
    tree = split("gradnorm", small, batch, (0, 1, 2), warm_up=scaling)
    assert scaling.seen == [node.sub_space for node in tree.nodes[1:]]
    assert TreeOptions(warm_up_epochs=1).warm_ups == len(scaling.seen) == 6


def test_weights_are_inherited_and_shared_with_nobody(small, batch):
    before = small.classifier.weight.clone()
    scaling = Scaling()
    split("gradnorm", small, batch, (0, 1, 2), warm_up=scaling)
    assert torch.equal(small.classifier.weight, before)
    factors = [2, 2, 4, 4, 4, 4]
    for weight, factor in zip(scaling.weights, factors, strict=True):
        assert torch.equal(weight, factor * before)


def test_what_was_trained_is_what_is_scored(small, batch):
    plain = split("gradnorm", small, batch, (0, 1))
    tree = split("gradnorm", small, batch, (0, 1), warm_up=Scaling())
    assert tree.nodes[0].values == plain.nodes[0].values
    for node in tree.nodes[1:]:
        trained = small.restrict(node.sub_space)
        with torch.no_grad():
            trained.classifier.weight.mul_(2)
        expected = score_operations("gradnorm", trained, 1, batch).values
        with torch.no_grad():
            trained.classifier.weight.div_(2)
        assert node.values == pytest.approx(expected, rel=1e-6)


def test_a_tree_of_one_level_is_not_trained(small, batch):
    scaling = Scaling()
    split("gradnorm", small, batch, (0,), 5, warm_up=scaling)
    assert scaling.seen == []
    assert TreeOptions.create((0,), 5, warm_up_epochs=1).warm_ups == 0


def test_trained_weights_are_another_question_to_the_memory(small, batch, tmp_path):
    cache = ScoreCache(tmp_path, pytest.fail)
    split("gradnorm", small, batch, (0, 1), cache=cache)
    split("gradnorm", small, batch, (0, 1), cache=cache, warm_up=Scaling())
    assert (cache.hits, cache.computed) == (5, 15 + 10)


def test_without_warm_up_nothing_will_be_trained():
    assert TreeOptions().warm_ups == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"warm_up_epochs": -1}, "expected warm_up_epochs of at least 0, got -1"),
        ({"warm_up_images": 1}, "expected warm_up_images of at least 2, got 1"),
    ],
)
def test_impossible_warm_ups_are_refused(change, message):
    with pytest.raises(SplittingError, match=message):
        TreeOptions(**change)
