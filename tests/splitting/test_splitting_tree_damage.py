"""Damaged documents of trees: refused with a clear message, never half read."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.errors import SplittingError
from fewshot_core.splitting import SplitTree

junk = st.sampled_from(
    [None, True, -1, 0, 4, 99, 0.5, 1e999, "", "x", "nan", [], {}, [0], [[0]], ["11111"] * 6]
)


@pytest.fixture
def document(random_tree):
    return random_tree.to_dict()


def places(value, path=()):
    """Yield where everything inside a document is."""
    yield path
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


def change(document, path, value):
    """Return a copy with another value at a place."""
    changed = copy.deepcopy(document)
    *way, last = path
    inner = changed
    for key in way:
        inner = inner[key]
    inner[last] = value
    return changed


def remove(document, path):
    changed = copy.deepcopy(document)
    *way, last = path
    inner = changed
    for key in way:
        inner = inner[key]
    del inner[last]
    return changed


@pytest.mark.parametrize(
    "text", ["", "{", "tree", '{"format": "fewshot-split-tree/1"', "\x00", "[NaN]", "-Infinity"]
)
def test_what_is_not_json_is_refused(text):
    with pytest.raises(SplittingError, match="expected a splitting tree as JSON: "):
        SplitTree.from_json(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "'list'"),
        ("3", "'int'"),
        ("null", "'NoneType'"),
        ("{}", "None"),
        ('{"format": "fewshot-split-tree/2"}', "'fewshot-split-tree/2'"),
        ('{"format": ["fewshot-split-tree/1"]}', "['fewshot-split-tree/1']"),
    ],
)
def test_another_format_is_refused(text, found):
    with pytest.raises(SplittingError) as caught:
        SplitTree.from_json(text)
    assert str(caught.value) == f"expected a tree of format 'fewshot-split-tree/1', got {found}"


KEYS = ["metric", "details", "nodes", "leaves"]
NODE_KEYS = [
    "path",
    "edge",
    "rows",
    "operations",
    "values",
    "similarity",
    "groups",
    "cut",
    "ties",
    "degenerate",
    "reason",
    "seconds",
]


@pytest.mark.parametrize("path", [(key,) for key in KEYS] + [("nodes", 2, k) for k in NODE_KEYS])
def test_what_is_missing_is_named(path, document):
    with pytest.raises(SplittingError, match=f"the tree's JSON is damaged: .*'{path[-1]}'"):
        SplitTree.from_dict(remove(document, path))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("nodes", 0, "edge"), 6),
        (("nodes", 0, "edge"), -1),
        (("nodes", 0, "edge"), "first"),
        (("nodes", 0, "edge"), float("inf")),
        (("nodes", 0, "rows"), ["11111"] * 5),
        (("nodes", 0, "rows", 3), "00000"),
        (("nodes", 0, "cut"), "low"),
        (("nodes", 0, "cut"), None),
        (("nodes", 0, "groups"), 3),
        (("nodes", 0, "values", 1), [1.0]),
        (("nodes", 0, "similarity", 1), 0.5),
        (("nodes", 0, "seconds"), -1.0),
        (("nodes", 0, "seconds"), "nan"),
        (("nodes", 0, "reason"), ["a tie"]),
        (("nodes", 3), "root"),
        (("nodes",), None),
        (("leaves", 0), "11111"),
        (("details",), "none"),
    ],
)
def test_values_of_another_kind_are_refused(path, value, document):
    with pytest.raises(SplittingError, match="the tree's JSON is damaged: "):
        SplitTree.from_dict(change(document, path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("nodes", 0, "groups"), [[0], [1, 2, 3]], r"must divide .* \[0, 1, 2, 3, 4\] .* got"),
        (("nodes", 0, "groups"), [[0, 1], [1, 2, 3, 4]], "must divide the operations"),
        (("nodes", 0, "groups"), [[], [0, 1, 2, 3, 4]], "must divide the operations"),
        (("nodes", 0, "groups"), [[0], [1, 2, 3, 4, 5]], "must divide the operations"),
        (("nodes", 0, "operations"), [4, 3, 2, 1, 0], "must divide the operations"),
        (("nodes", 0, "values"), [None] * 4, "must have 5 values and 5 rows of 5 similarities"),
        (("nodes", 0, "similarity"), [[0.0] * 5] * 4, "must have 5 values and 5 rows"),
        (("nodes", 0, "similarity", 2), [0.0] * 6, "must have 5 values and 5 rows"),
        (("nodes", 0, "rows", 5), "11110", r"the node \[\] on edge 1<-0 does not follow"),
        (("nodes", 2, "rows", 0), "11111", r"the node \[1\] on edge 2<-0 does not follow"),
        (("nodes", 2, "path"), [2], r"the node \[2\] on edge 2<-0 does not follow"),
        (("nodes", 2, "path"), [0], r"the node \[0\] on edge 2<-0 does not follow"),
        (("leaves", 0), ["11111"] * 6, "its leaves do not follow from its nodes"),
        (("leaves",), [], "its leaves do not follow from its nodes"),
    ],
)
def test_a_contradiction_is_refused(path, value, message, document):
    with pytest.raises(SplittingError, match=f"the tree contradicts itself: .*{message}"):
        SplitTree.from_dict(change(document, path, value))


def test_a_place_cannot_be_decided_twice(document):
    document["nodes"].append(copy.deepcopy(document["nodes"][0]))
    with pytest.raises(SplittingError, match=r"the node \[\] on edge 1<-0 does not follow"):
        SplitTree.from_dict(document)


def test_a_child_cannot_come_before_its_parent(document):
    document["nodes"].reverse()
    with pytest.raises(SplittingError, match="does not follow from the nodes before it"):
        SplitTree.from_dict(document)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_one_damage_is_refused_or_leaves_a_tree(random_tree, data):
    document = random_tree.to_dict()
    place = data.draw(st.sampled_from([place for place in places(document) if place]))
    damaged = change(document, place, data.draw(junk))
    try:
        tree = SplitTree.from_json(json.dumps(damaged))
    except SplittingError as error:
        assert "tree" in str(error)
    else:
        assert tree.leaves == random_tree.leaves
        assert [node.children for node in tree.nodes] == [
            node.children for node in random_tree.nodes
        ]
        assert SplitTree.from_json(tree.to_json()).to_json() == tree.to_json()
