"""How often decisions recur, worked by hand on trees of one and two levels."""

from fewshot_core.analysis.seeds import score_spread, stability
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitNode, SplitTree

FULL = SubSpace.full()
CONVOLUTIONS = ((2, 3), (0, 1, 4))
THREE = ((3,), (0, 1, 2, 4))


def node(path, sub_space, groups, values=(1.0, 2.0, 3.0, 4.0, 5.0)):
    edge = len(path)
    operations = sub_space.enabled[edge]
    similarity = tuple((0.0,) * len(operations) for _ in operations)
    return SplitNode(path, edge, sub_space, operations, values, similarity, groups, -1.0)


def tree(root, *below):
    """Make a tree of a root and, for each of its branches, the groups of the next edge."""
    nodes = [node((), FULL, root)]
    nodes += [
        node((number,), FULL.keep(0, root[number]), groups) for number, groups in enumerate(below)
    ]
    return SplitTree("gradnorm", tuple(nodes))


def test_no_tree_has_no_decision():
    assert stability([]).empty


def test_one_tree_agrees_with_itself():
    table = stability([tree(THREE, CONVOLUTIONS, THREE)])
    assert list(table["arrived"]) == list(table["same"]) == list(table["groupings"]) == [1, 1, 1]


def test_a_root_is_compared_with_all_and_a_node_with_those_that_come_to_it():
    trees = [
        tree(THREE, CONVOLUTIONS, THREE),
        tree(THREE, THREE, THREE),
        tree(CONVOLUTIONS, THREE, THREE),
    ]
    table = stability(trees)
    assert list(table["path"]) == [(), (0,), (1,)]
    assert list(table["arrived"]) == [3, 2, 2]
    assert list(table["same"]) == [2, 1, 2]
    assert list(table["groupings"]) == [2, 2, 1]
    assert table["commonest"][0] == THREE
    assert list(table["count"]) == [2, 1, 2]


def test_the_same_sub_space_on_another_branch_is_the_same_question():
    last_change = tree((THREE[1], THREE[0]), THREE, CONVOLUTIONS)
    table = stability([tree(THREE, CONVOLUTIONS, THREE), last_change])
    assert list(table["arrived"]) == [2, 2, 2]
    assert list(table["same"]) == [1, 2, 2]


def test_scores_are_spread_over_trees_that_decide_the_same():
    low = SplitTree("gradnorm", (node((), FULL, THREE, (1.0, 2.0, 3.0, 4.0, 5.0)),))
    high = SplitTree("gradnorm", (node((), FULL, THREE, (3.0, 2.0, float("nan"), None, 5.0)),))
    table = score_spread([low, high], low.nodes[0]).set_index("operation")
    assert list(table["scores"]) == [2, 2, 1, 1, 2]
    assert table.loc[0, "mean"] == 2.0
    assert table.loc[0, "std"] == 2.0**0.5
    assert table.loc[0, ["minimum", "maximum"]].tolist() == [1.0, 3.0]
    assert table["std"].isna().tolist() == [False, False, True, True, False]


def test_a_metric_without_scores_has_no_spread():
    pairs = SplitTree("gradientmatching", (node((), FULL, THREE, (None,) * 5),))
    table = score_spread([pairs], pairs.nodes[0])
    assert list(table["scores"]) == [0] * 5
    assert table["mean"].isna().all()
