"""Architecture parameters: only what can be chosen has any."""

import math

import pytest
import torch

from fewshot_core.search import SearchError
from fewshot_core.search.network import Alphas
from fewshot_core.space import SubSpace


@pytest.fixture
def alphas(mixed):
    return Alphas(mixed, torch.Generator().manual_seed(1))


def test_only_enabled_operations_of_edges_with_a_choice_have_parameters(alphas):
    assert [len(logits) for logits in alphas.learnable()] == [3, 2, 5, 2]
    assert alphas.open_edges == [0, 2, 3, 5]
    learning = [edge for edge, logits in enumerate(alphas.logits) if logits.requires_grad]
    assert learning == [0, 2, 3, 5]


def test_the_first_logits_are_small_and_drawn(alphas):
    drawn = torch.cat([logits.detach() for logits in alphas.learnable()])
    assert 0 < float(drawn.abs().max()) < 0.01
    assert len(set(drawn.tolist())) == len(drawn)


def test_a_table_has_zeros_where_an_operation_is_disabled(alphas):
    with torch.no_grad():
        alphas.logits[0].copy_(torch.tensor([0.5, 0.25, 0.25]).log())
    table = alphas.table()
    assert table[0] == pytest.approx((0, 0.5, 0.25, 0.25, 0))
    assert table[1] == (1, 0, 0, 0, 0)
    assert table[4] == (0, 0, 0, 1, 0)
    assert [sum(row) for row in table] == pytest.approx([1] * 6)


def test_entropy_is_in_bits(alphas):
    with torch.no_grad():
        alphas.logits[0].copy_(torch.tensor([0.5, 0.25, 0.25]).log())
        alphas.logits[3].zero_()
    entropy = alphas.entropy()
    assert entropy[0] == pytest.approx(1.5)
    assert entropy[3] == pytest.approx(math.log2(5))
    assert (entropy[1], entropy[4]) == (0, 0)


def test_the_architecture_is_of_the_likeliest_enabled_operations(alphas, mixed):
    with torch.no_grad():
        alphas.logits[0].copy_(torch.tensor([0.0, 1.0, 0.0]))
        alphas.logits[2].copy_(torch.tensor([0.0, 1.0]))
        alphas.logits[3].copy_(torch.tensor([0.0, 0.0, 3.0, 0.0, 1.0]))
        alphas.logits[5].copy_(torch.tensor([1.0, 0.0]))
    architecture = alphas.architecture()
    assert architecture.operations == (2, 0, 4, 2, 3, 1)
    assert architecture in mixed


def test_of_equal_operations_the_first_counts():
    alphas = Alphas(SubSpace.full(), torch.Generator())
    with torch.no_grad():
        for logits in alphas.logits:
            logits.zero_()
    assert alphas.architecture().operations == (0,) * 6


def test_its_state_goes_into_another_one(alphas, mixed):
    alphas.decide(3, 2)
    other = Alphas(mixed, torch.Generator().manual_seed(2))
    other.load_state_dict(alphas.state_dict())
    assert other.table() == alphas.table()
    assert other.decided == {1: 0, 3: 2, 4: 0}


def test_a_state_is_a_copy(alphas):
    state = alphas.state_dict()
    with torch.no_grad():
        alphas.logits[0].add_(1)
    alphas.decide(0, 1)
    assert 0 not in state["decided"]
    assert float(state["logits"][0].abs().max()) < 0.01


def test_a_state_of_another_sub_space_is_an_error(alphas):
    other = Alphas(SubSpace.full(), torch.Generator())
    with pytest.raises(SearchError, match="expected logits of shapes"):
        other.load_state_dict(alphas.state_dict())
