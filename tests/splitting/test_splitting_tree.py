import itertools
import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.space import SubSpace, check_partition
from fewshot_core.splitting import SplitNode, SplitTree

FULL = SubSpace.full()
patient = settings(max_examples=60, deadline=None)
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
