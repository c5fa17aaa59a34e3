"""Operations, edges and architectures."""

import itertools

import numpy as np
import pytest

from fewshot_core.errors import SpaceError
from fewshot_core.space import (
    ARCHITECTURE_COUNT,
    EDGES,
    OPERATION_LABELS,
    OPERATIONS,
    Architecture,
    edge_label,
    operation_set_label,
)

TEXT = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"

DIGITS = (3, 1, 0, 4, 2, 3)


def slow_string(digits):
    """Write an architecture as NAS-Bench-201 does, node by node."""
    first, *rest = (OPERATIONS[digit] for digit in digits)
    second, third = rest[:2], rest[2:]
    return f"|{first}~0|+|{second[0]}~0|{second[1]}~1|+|{third[0]}~0|{third[1]}~1|{third[2]}~2|"


def test_the_space_is_the_agreed_one():
    assert OPERATIONS == ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    assert EDGES == ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
    assert ARCHITECTURE_COUNT == 15625


def test_every_architecture_survives_every_code():
    all_digits = itertools.product(range(5), repeat=6)
    for index, digits in enumerate(all_digits):
        architecture = Architecture.from_index(index)
        text = architecture.to_string()
        assert architecture.operations == digits
        assert architecture.index == index
        assert text == slow_string(digits)
        assert Architecture.from_string(text) == architecture


def test_edge_0_is_the_most_significant_digit():
    expected = 3 * 5**5 + 1 * 5**4 + 0 * 5**3 + 4 * 5**2 + 2 * 5 + 3
    assert Architecture(DIGITS).index == expected == 10113
    assert Architecture((1, 0, 0, 0, 0, 0)).index == 3125
    assert Architecture((0, 0, 0, 0, 0, 1)).index == 1
    assert Architecture((4,) * 6).index == 15624


def test_a_string_is_read_edge_by_edge():
    assert Architecture.from_string(TEXT).operations == DIGITS
    assert Architecture.from_string(f"  {TEXT}\n").operations == DIGITS


def test_architectures_sort_by_index():
    some = [Architecture.from_index(index) for index in (15624, 0, 3125, 624, 1)]
    assert [architecture.index for architecture in sorted(some)] == [0, 1, 624, 3125, 15624]


def test_an_index_may_be_a_number_of_numpy():
    architecture = Architecture.from_index(np.int64(10113))
    assert architecture == Architecture(DIGITS)
    assert all(type(operation) is int for operation in architecture.operations)


@pytest.mark.parametrize("index", [-1, 15625, 10**12])
def test_an_index_out_of_range_is_refused(index):
    with pytest.raises(SpaceError, match=f"index from 0 to 15624, got {index}"):
        Architecture.from_index(index)


@pytest.mark.parametrize(
    "operations", [(), DIGITS[:5], (*DIGITS, 0), (5, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, -1)]
)
def test_wrong_operation_numbers_are_refused(operations):
    with pytest.raises(SpaceError, match="expected 6 operation numbers from 0 to 4") as caught:
        Architecture(operations)
    assert repr(operations) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|",
        "nor_conv_3x3",
        TEXT.replace("+", ""),
        TEXT.removesuffix("|nor_conv_3x3~2|") + "|",
        TEXT + "+|none~0|",
        TEXT.removeprefix("|"),
        TEXT.removesuffix("|"),
        "|" + TEXT + "|",
        TEXT.replace("|none", "||none"),
        "|none~0|none~1|+|none~0|+|none~0|none~1|none~2|",
    ],
)
def test_another_form_is_refused_with_an_example(text):
    expected = "expected an architecture string with 1, 2 and 3 operations, like '|nor_conv_3x3~0|+"
    with pytest.raises(SpaceError) as caught:
        Architecture.from_string(text)
    assert str(caught.value).startswith(expected)
    assert str(caught.value).endswith(f"got {text!r}")


@pytest.mark.parametrize(
    ("item", "wrong", "node", "source"),
    [
        ("nor_conv_3x3~2", "nor_conv_5x5~2", 3, 2),
        ("nor_conv_3x3~2", "Nor_Conv_3x3~2", 3, 2),
        ("nor_conv_3x3~2", "nor_conv_3x3~1", 3, 2),
        ("nor_conv_3x3~2", "nor_conv_3x3", 3, 2),
        ("nor_conv_3x3~2", "nor_conv_3x3~", 3, 2),
        ("nor_conv_3x3~2", "nor_conv_3x3~02", 3, 2),
        ("nor_conv_3x3~2", "nor_conv_3x3~" + "9" * 5000, 3, 2),
        ("nor_conv_3x3~2", "nor_conv_3x3~\N{ARABIC-INDIC DIGIT TWO}", 3, 2),
        ("none~1", " none~1", 2, 1),
        ("none~1", "", 2, 1),
        ("none~1", "none~1~1", 2, 1),
        ("skip_connect~0", "none~1", 2, 0),
    ],
)
def test_a_wrong_item_is_refused_by_name(item, wrong, node, source):
    text = TEXT.replace(f"|{item}|", f"|{wrong}|")
    assert text != TEXT
    with pytest.raises(SpaceError) as caught:
        Architecture.from_string(text)
    message = str(caught.value)
    assert f"expected operation~{source} into node {node}" in message
    assert "one of none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3" in message
    assert f"got {wrong!r}" in message


@pytest.mark.parametrize("value", [None, 3, b"|none~0|", float("nan")])
def test_values_that_are_not_strings_are_refused(value):
    with pytest.raises(SpaceError, match="expected an architecture string like"):
        Architecture.from_string(value)


def test_every_operation_has_a_short_name_of_its_own():
    assert len(set(OPERATION_LABELS)) == len(OPERATION_LABELS) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("edge", "label"), list(enumerate(["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]))
)
def test_an_edge_is_written_target_first(edge, label):
    assert edge_label(edge) == label


def test_a_set_of_operations_is_written_in_the_order_given():
    assert operation_set_label([0, 1, 4]) == "none skip pool"
    assert operation_set_label((3, 2)) == "3x3 1x1"
    assert operation_set_label([]) == ""
