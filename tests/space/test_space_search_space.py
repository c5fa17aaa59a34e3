"""Search spaces: indices, texts, declarations, and the registry."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.errors import SpaceError, UnknownNameError
from fewshot_core.space import (
    ARCHITECTURE_COUNT,
    NAS_BENCH_201,
    Architecture,
    Decision,
    SearchSpace,
    SubSpace,
    Task,
    check_partition,
    get_space,
    list_spaces,
    read_space,
    space_of,
    store_space,
)
from tests.random_spaces import make_space, search_spaces

OURS = ("nas-bench-201", "trans-nas-bench-101-micro", "nas-bench-macro")
TOML = """
name = "mine"

[[decisions]]
name = "stem"
operations = ["a", "b"]

[[decisions]]
name = "head"
operations = ["x", "y", "z"]
labels = ["X", "Y", "Z"]

[[datasets]]
name = "loss"
kinds = ["test"]
unit = "nats"
larger_is_better = false
"""


@pytest.fixture
def declared(tmp_path):
    path = tmp_path / "somewhere.toml"
    path.write_text(TOML)
    return path


@given(search_spaces(), st.data())
def test_index_and_choices_are_inverse(space, data):
    choices = data.draw(st.tuples(*(st.integers(0, count - 1) for count in space.shape)))
    index = space.encode(choices)
    assert 0 <= index < space.size
    assert space.decode(index) == choices
    assert index == np.ravel_multi_index(choices, space.shape)
    text = "".join(map(str, choices))
    assert space.format(index) == text
    assert space.parse(text) == index
    assert Architecture.from_index(index, space).operations == choices
    assert Architecture.from_string(text, space).index == index


@given(search_spaces(), st.data())
def test_many_texts_are_written_and_read_like_one(space, data):
    indices = data.draw(st.lists(st.integers(0, space.size - 1)))
    texts = space.format_many(indices)
    assert texts == [space.format(index) for index in indices]
    for form in ("string", "digits"):
        assert space.parse_many(texts, form).tolist() == indices
    assert space.parse_many([str(index) for index in indices], "index").tolist() == indices
    assert set(space.parse_many([*"é9", "", str(space.size), "-1", "01"], "index")) <= {-1, 9}


@pytest.mark.parametrize("name", OURS)
def test_our_spaces_write_and_read_every_architecture(name):
    space = get_space(name)
    indices = range(space.size)
    texts = space.format_many(indices)
    assert len(set(texts)) == space.size
    assert space.parse_many(texts).tolist() == [*indices]
    assert [space.parse(text) for text in texts[:: space.size // 50]] == [
        *indices[:: space.size // 50]
    ]
    digits = ["".join(map(str, space.decode(index))) for index in indices]
    assert space.parse_many(digits, "digits").tolist() == [*indices]
    assert space.parse(digits[-1]) == space.size - 1


def test_the_sizes_are_those_of_the_papers():
    assert [get_space(name).size for name in OURS] == [15_625, 4_096, 6_561]
    assert get_space() is NAS_BENCH_201 and NAS_BENCH_201.size == ARCHITECTURE_COUNT
    assert list_spaces(Path("/nowhere"))[:3] == [*OURS]


def test_the_micro_space_has_the_cell_of_nas_bench_201():
    micro = get_space("trans-nas-bench-101-micro")
    text = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    assert micro.parse(text) == micro.parse("310023")
    assert micro.format(micro.parse("310023")) == text
    with pytest.raises(SpaceError, match="one of none, skip_connect, nor_conv_1x1, nor_conv_3x3,"):
        micro.parse(text.replace("none~0", "avg_pool_3x3~0"))


def test_more_than_ten_operations_have_letters_for_digits():
    space = make_space([12, 2])
    assert space.format(space.encode((11, 1))) == "b1"
    assert space.parse("b1") == 23


@pytest.mark.parametrize("text", ["", "012", "0a", "20", " ", None, 3, "é0"])
def test_a_text_that_is_no_architecture_is_refused(text):
    with pytest.raises(SpaceError, match="expected 2"):
        make_space([2, 3]).parse(text)


@given(search_spaces(), st.data())
def test_sub_spaces_of_any_space(space, data):
    enabled = [
        data.draw(st.sets(st.integers(0, count - 1), min_size=1).map(sorted).map(tuple))
        for count in space.shape
    ]
    sub_space = SubSpace(tuple(enabled), space)
    assert SubSpace.from_rows(sub_space.rows, space) == sub_space
    assert [len(row) for row in sub_space.rows] == [*space.shape]
    indices = sub_space.architecture_indices()
    assert len(indices) == len(set(indices)) == sub_space.size
    assert all(Architecture.from_index(index, space) in sub_space for index in indices[:5])
    assert SubSpace.full(space).contains(sub_space)
    edge = data.draw(st.integers(0, len(space.shape) - 1))
    others = sorted(set(range(space.shape[edge])) - set(enabled[edge]))
    if others:
        full = SubSpace.full(space)
        check_partition([full.keep(edge, enabled[edge]), full.keep(edge, others)])


def test_sub_spaces_of_different_spaces_are_different():
    macro, other = get_space("nas-bench-macro"), make_space([3] * 8)
    assert SubSpace.full(macro) != SubSpace.full(other)
    assert not SubSpace.full(macro).contains(SubSpace.full(other))
    assert Architecture.from_index(0, macro) not in SubSpace.full(other)
    assert hash(SubSpace.full(macro)) == hash(SubSpace.full("nas-bench-macro"))
    with pytest.raises(SpaceError, match="of one search space, got nas-bench-macro, random"):
        space_of([SubSpace.full(macro), SubSpace.full(other)])


def test_messages_name_decisions():
    macro = get_space("nas-bench-macro")
    with pytest.raises(SpaceError, match="expected 8 rows, one for each decision"):
        SubSpace.from_rows(["111"], macro)
    with pytest.raises(SpaceError, match="layer 2: expected 3 characters 0 or 1, one for each of"):
        SubSpace.from_rows(["111", "1111", *["111"] * 6], macro)
    with pytest.raises(SpaceError, match="operation numbers below 2, 3, one for each decision"):
        make_space([2, 3]).encode((2, 0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decisions": ()}, "decisions of distinct names"),
        ({"decisions": (Decision("a", ("x", "y")),) * 2}, "decisions of distinct names"),
        ({"edges": ((1, 0),)}, "expected 2 edges"),
        ({"datasets": (Task("a"), Task("a"))}, "distinct data sets"),
    ],
)
def test_a_contradictory_space_is_refused(change, message):
    two = (Decision("a", ("x", "y")), Decision("b", ("x", "y")))
    with pytest.raises(SpaceError, match=message):
        SearchSpace(**{"name": "s", "label": "S", "decisions": two} | change)


def test_other_contradictions_are_refused():
    with pytest.raises(SpaceError, match="at most 20,000,000 architectures, got 100,000,000"):
        make_space([10] * 8)
    with pytest.raises(SpaceError, match="2 to 36 distinct operations"):
        Decision("a", ("x",))
    with pytest.raises(SpaceError, match="expected 2 labels"):
        Decision("a", ("x", "y"), ("X",))
    with pytest.raises(SpaceError, match="kinds of scores among validation, test"):
        Task("a", kinds=("train",))


def test_a_declared_space_is_read_stored_and_listed(declared, tmp_path):
    folder = tmp_path / "data"
    space = store_space(declared, folder)
    assert (space.name, space.label, space.shape) == ("mine", "mine", (2, 3))
    assert space.decisions[1].labels == ("X", "Y", "Z")
    task = space.dataset("loss")
    assert (task.unit, task.percent, task.sign, task.kinds) == ("nats", False, -1, ("test",))
    assert list_spaces(folder) == [*OURS, "mine"]
    assert get_space("mine", folder) == space
    assert store_space(declared, folder) == space  # again: nothing changes
    declared.write_text(TOML.replace('"z"]', '"z", "u"]').replace('"Z"]', '"Z", "U"]'))
    with pytest.raises(SpaceError, match="another search space 'mine' already"):
        store_space(declared, folder)
    assert store_space(declared, folder, replace=True).size == 8
    assert get_space("mine", folder).size == 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"mine"', '"nas-bench-201"', "and none of nas-bench-201"),
        ('"mine"', '"../mine"', "expected a name of letters, digits"),
        ("[[datasets]]", "[[sets]]", "unknown 'sets'"),
        ('["a", "b"]', '"a b"', "expected decisions"),
        ("name =", "name", "expected the TOML file"),
        ('"loss"', '"a loss"', "expected a name of a data set"),
    ],
)
def test_a_damaged_declaration_is_refused(declared, old, new, message):
    declared.write_text(TOML.replace(old, new))
    with pytest.raises(SpaceError, match=message):
        read_space(declared)


def test_an_unknown_space_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UnknownNameError, match="expected one of nas-bench-201, trans-"):
        get_space("nas-bench-202", tmp_path)
    with pytest.raises(
        UnknownNameError, match="unknown data set 'imagenet': expected one of cifar10"
    ):
        get_space("nas-bench-macro").dataset("imagenet")
