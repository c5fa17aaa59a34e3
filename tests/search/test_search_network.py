"""The supernet with weighted operations, and the architecture parameters."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_search import slow_logits
from torch.utils.flop_counter import FlopCounterMode

from fewshot_core.nets import Supernet
from fewshot_core.search import SearchError
from fewshot_core.search.network import Alphas, EdgeWeights, WeightedSupernet, path_weights
from fewshot_core.space import Architecture, SubSpace

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(4)).double()

edge_sets = st.sets(st.integers(0, 4), min_size=1).map(lambda chosen: tuple(sorted(chosen)))
sub_spaces = st.tuples(*[edge_sets] * 6).map(SubSpace)
patient = settings(max_examples=10)


def network(sub_space):
    return WeightedSupernet(Supernet(sub_space, 4, 2, 1).double())


def random_weights(sub_space, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = (torch.randn(len(row), generator=generator).double() for row in sub_space.enabled)
    return EdgeWeights(tuple(rows))


@patient
@given(sub_spaces, st.integers(0, 100))
def test_edges_output_weighted_sums(sub_space, seed):
    net, weights = network(sub_space), random_weights(sub_space, seed)
    tensors = dict(net.supernet.named_parameters())
    expected = slow_logits(tensors, sub_space, IMAGES, weights.values)
    torch.testing.assert_close(net(IMAGES, weights), expected, rtol=1e-8, atol=1e-9)


@patient
@given(sub_spaces)
def test_equal_weights_are_the_mean(sub_space):
    net = network(sub_space)
    rows = (torch.full((len(row),), 1 / len(row), dtype=torch.float64) for row in sub_space.enabled)
    expected = net.supernet(IMAGES)
    torch.testing.assert_close(net(IMAGES, EdgeWeights(tuple(rows))), expected)
    assert torch.equal(net(IMAGES), expected)


def first_path(sub_space):
    return tuple(len(row) - 1 for row in sub_space.enabled)


@patient
@given(sub_spaces)
def test_a_path_is_the_architecture_with_shared_weights(sub_space):
    net, path = network(sub_space), first_path(sub_space)
    pairs = zip(sub_space.enabled, path, strict=True)
    single = SubSpace(tuple((row[k],) for row, k in pairs))
    expected = net.supernet.restrict(single)(IMAGES)
    found = net(IMAGES, path_weights(net.supernet, path))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("index", [0, 3_906, 8_000, 11_718, 15_624])
def test_a_path_costs_no_more_than_its_own_network(index):
    net = network(SubSpace.full())
    path = Architecture.from_index(index).operations
    single = net.supernet.restrict(SubSpace(tuple((operation,) for operation in path)))
    with FlopCounterMode(display=False) as found:
        net(IMAGES, path_weights(net.supernet, path))
    with FlopCounterMode(display=False) as least:
        single(IMAGES)
    assert found.get_total_flops() == least.get_total_flops()


def test_operations_outside_a_path_get_no_gradient():
    net = network(SubSpace.full())
    net(IMAGES, path_weights(net.supernet, (3, 0, 1, 2, 4, 3))).sum().backward()
    with_gradient = {
        name.split(".")[1:3][0] + "." + name.split(".")[2]
        for name, parameter in net.supernet.named_parameters()
        if "edge" in name and parameter.grad is not None
    }
    assert with_gradient == {
        "edge_1_0.nor_conv_3x3",
        "edge_3_0.nor_conv_1x1",
        "edge_3_2.nor_conv_3x3",
    }


def test_a_weight_gets_the_gradient_of_its_operation():
    net = network(SubSpace.full())
    weights = random_weights(SubSpace.full())
    for row in weights.values:
        row.requires_grad_()
    net(IMAGES, weights).square().sum().backward()
    shift = 1e-6
    moved = [row.detach().clone() for row in weights.values]
    moved[3][2] += shift
    after = net(IMAGES, EdgeWeights(tuple(moved))).square().sum()
    before = net(IMAGES, EdgeWeights(tuple(row.detach() for row in weights.values))).square().sum()
    slope = float((after - before).detach() / shift)
    assert float(weights.values[3].grad[2]) == pytest.approx(slope, rel=1e-3)


def test_it_adds_no_parameters_of_its_own():
    net = network(SubSpace.full())
    own = {id(parameter) for parameter in net.parameters()}
    assert own == {id(parameter) for parameter in net.supernet.parameters()}


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


def test_probabilities_have_no_more_digits_than_their_precision(alphas):
    with torch.no_grad():
        alphas.logits[3].zero_()
    assert alphas.table()[3] == (0.2,) * 5
    for row, tensor in zip(alphas.table(), alphas.probabilities(), strict=True):
        known = [value for value in row if value]
        assert torch.equal(torch.tensor(known, dtype=tensor.dtype), tensor.detach())


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
