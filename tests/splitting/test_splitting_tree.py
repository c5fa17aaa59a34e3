"""Options of trees, trees in JSON, and damaged documents of trees."""

import copy
import itertools
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.errors import SplittingError
from fewshot_core.space import SubSpace, check_partition
from fewshot_core.splitting import EDGE_POLICIES, SplitNode, SplitTree, TreeOptions

FULL = SubSpace.full()

patient = settings(max_examples=60)

numbers = st.floats(allow_nan=False) | st.sampled_from([math.inf, -math.inf, math.nan])


def make_node(path=(), sub_space=FULL, edge=0, groups=((3,), (0, 1, 2, 4)), **more):
    operations = sub_space.enabled[edge]
    count = len(operations)
    fields = {
        "values": (None,) * count,
        "similarity": ((0.5,) * count,) * count,
        "cut": 2.0,
        **more,
    }
    return SplitNode(
        path=path, edge=edge, sub_space=sub_space, operations=operations, groups=groups, **fields
    )


def make_tree():
    """Return a tree of two decisions: edge 0 at the root, edge 2 in its second branch."""
    root = make_node(ties=(((0,), (1, 2, 3, 4)),), degenerate=True, reason="a tie", seconds=0.5)
    below = make_node(
        (1,), root.children[1], 2, ((4,), (1,), (0, 2, 3)), values=(1.0, 2.5, math.nan, None, -1e9)
    )
    return SplitTree("gradnorm", (root, below), {"seed": 3, "edges": [0, 2]})


@st.composite
def trees(draw):
    """Draw a tree, complete or growing, with any scores."""
    tree = SplitTree(draw(st.text(max_size=5)), (), {"note": draw(st.text(max_size=5))})
    for _ in range(draw(st.integers(0, 5))):
        path, sub_space = draw(st.sampled_from(tree.open_paths()))
        edge = draw(st.sampled_from([e for e in range(6) if len(sub_space.enabled[e]) > 1]))
        node = draw(nodes(path, sub_space, edge))
        tree = SplitTree(tree.metric, (*tree.nodes, node), tree.details)
    return tree


@st.composite
def nodes(draw, path, sub_space, edge):
    operations = draw(st.permutations(sub_space.enabled[edge]))
    count = len(operations)
    cuts = draw(st.sets(st.integers(1, count - 1), min_size=1))
    bounds = itertools.pairwise([0, *sorted(cuts), count])
    groups = tuple(tuple(operations[start:end]) for start, end in bounds)
    rows = st.tuples(*[numbers] * count)
    return make_node(
        path,
        sub_space,
        edge,
        groups,
        values=draw(st.tuples(*[st.none() | numbers] * count)),
        similarity=draw(st.tuples(*[rows] * count)),
        cut=draw(numbers),
        degenerate=draw(st.booleans()),
        reason=draw(st.none() | st.text(max_size=5)),
    )


def refuse_constant(name):
    raise AssertionError(f"{name} is not JSON")


@patient
@given(trees())
def test_a_tree_survives_json(tree):
    text = tree.to_json()
    json.loads(text, parse_constant=refuse_constant)
    twin = SplitTree.from_json(text)
    assert twin.to_json() == text
    assert repr(twin) == repr(tree)


@patient
@given(trees())
def test_leaves_cover_the_space_once_and_follow_tree_order(tree):
    check_partition(tree.leaves)
    places = tree.open_paths()
    assert [path for path, _ in places] == sorted(path for path, _ in places)
    assert [sub_space for _, sub_space in places] == tree.leaves
    assert not {path for path, _ in places} & {node.path for node in tree.nodes}


def test_a_tree_without_nan_is_equal_to_its_twin(random_tree):
    assert SplitTree.from_json(random_tree.to_json()) == random_tree
    assert SplitTree.from_dict(random_tree.to_dict()) == random_tree


def test_a_tree_without_decisions_has_one_leaf():
    tree = SplitTree("params", ())
    assert tree.leaves == [FULL]
    assert tree.open_paths() == [((), FULL)]
    assert tree.node(()) is None and not tree.degenerate


def test_branches_keep_their_group_on_the_edge():
    root, below = make_tree().nodes
    assert root.children == [FULL.keep(0, [3]), FULL.keep(0, [0, 1, 2, 4])]
    assert [child.enabled[2] for child in below.children] == [(4,), (1,), (0, 2, 3)]


def test_open_places_come_first_group_first():
    tree = make_tree()
    rest = FULL.keep(0, [0, 1, 2, 4])
    assert tree.open_paths() == [
        ((0,), FULL.keep(0, [3])),
        ((1, 0), rest.keep(2, [4])),
        ((1, 1), rest.keep(2, [1])),
        ((1, 2), rest.keep(2, [0, 2, 3])),
    ]


def test_decisions_are_found_by_their_path():
    tree = make_tree()
    assert tree.node(()) is tree.nodes[0]
    assert tree.node((1,)) is tree.nodes[1]
    assert tree.node((0,)) is None and tree.node((1, 2)) is None


def test_one_arbitrary_decision_makes_the_tree_degenerate():
    root, below = make_tree().nodes
    assert root.degenerate and not below.degenerate
    assert make_tree().degenerate
    assert not SplitTree("gradnorm", (make_node(), below)).degenerate


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
def test_text_that_is_not_json_is_refused(text):
    with pytest.raises(SplittingError, match=r"expected a splitting tree as JSON|format"):
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


@settings(max_examples=200)
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


def test_without_wishes_the_tree_is_that_of_the_paper():
    options = TreeOptions.create()
    assert options == TreeOptions()
    assert (options.edges, options.groups) == ((0, 1, 2), (2, 2, 2))
    assert (options.balanced, options.policy) == (False, "fixed")


@pytest.mark.parametrize(
    ("edges", "groups", "levels"),
    [
        ([3], 5, (5,)),
        ((0, 5), 3, (3, 3)),
        ((0, 1, 2), (2, 3, 4), (2, 3, 4)),
        (range(6), 2, (2,) * 6),
    ],
)
def test_one_number_of_groups_stands_for_every_level(edges, groups, levels):
    options = TreeOptions.create(edges, groups)
    assert options.edges == tuple(edges)
    assert options.groups == levels


@pytest.mark.parametrize("edges", [[], [0, 0], [6], [-1], [0, 1, 9]])
def test_edges_must_be_distinct_and_exist(edges):
    with pytest.raises(SplittingError, match="one or more distinct edges from 0 to 5") as caught:
        TreeOptions.create(edges)
    assert str(caught.value).endswith(f"got {edges}")


@pytest.mark.parametrize("groups", [(1, 2), (2, 6), (2,), (2, 2, 2), (), (0, 0)])
def test_every_level_needs_two_to_five_groups(groups):
    with pytest.raises(SplittingError, match="expected 2 to 5 groups for each of 2 level") as error:
        TreeOptions.create((0, 1), groups)
    assert str(error.value).endswith(f"got {list(groups)}")


def test_an_unknown_policy_is_refused_with_the_known_ones():
    known = ", ".join(EDGE_POLICIES)
    with pytest.raises(SplittingError, match=f"unknown edge policy 'best': .* one of {known}"):
        TreeOptions.create(policy="best")


def test_fixed_edges_follow_the_levels():
    options = TreeOptions.create((4, 0, 2))
    chosen = [options.edges_to_score((0,) * level, FULL, set(), seed=0) for level in range(3)]
    assert chosen == [[4], [0], [2]]


def test_every_edge_not_split_yet_competes_for_the_gradient_policy():
    options = TreeOptions.create(policy="gradient")
    assert options.edges_to_score((), FULL, set(), seed=0) == [0, 1, 2, 3, 4, 5]
    assert options.edges_to_score((0, 1), FULL, {1, 4}, seed=0) == [0, 2, 3, 5]


def test_an_edge_with_too_few_operations_does_not_compete():
    options = TreeOptions.create(groups=4, policy="gradient")
    narrow = FULL.keep(2, [0, 1, 2])
    assert options.edges_to_score((0,), narrow, {0}, seed=0) == [1, 3, 4, 5]


def test_a_random_edge_depends_on_the_seed_and_the_node_and_was_not_split_yet():
    options = TreeOptions.create((0, 1), policy="random")
    drawn = [options.edges_to_score((), FULL, set(), seed) for seed in range(200)]
    assert drawn == [options.edges_to_score((), FULL, set(), seed) for seed in range(200)]
    counts = [drawn.count([edge]) for edge in range(6)]
    assert sum(counts) == 200 and min(counts) > 15
    below = [options.edges_to_score((seed % 2,), FULL, {3}, seed) for seed in range(200)]
    assert {edge for (edge,) in below} == {0, 1, 2, 4, 5}
    left, right = (
        [options.edges_to_score((side,), FULL, {3}, seed) for seed in range(200)] for side in (0, 1)
    )
    assert left != right


# Fixed: 5 for the root, 2 * 5 below, 4 * 5 below that.
# By gradient: 6 edges at the root, 5 at each of 2 nodes, 4 at each of 4.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (TreeOptions.create(), 5 + 10 + 20),
        (TreeOptions.create(policy="random"), 35),
        (TreeOptions.create(policy="gradient"), 5 * (6 + 2 * 5 + 4 * 4)),
        (TreeOptions.create((0,), 5), 5),
        (TreeOptions.create((0, 1), (3, 2)), 5 + 15),
    ],
)
def test_scorings_are_counted_in_advance(options, expected):
    assert options.scorings() == expected
