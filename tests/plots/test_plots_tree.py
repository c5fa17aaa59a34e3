import math

import pandas as pd
import pytest

from fewshot_core.analysis import describe_sub_spaces
from fewshot_core.plots import (
    TreeBranch,
    TreeDrawing,
    alternative,
    node_cell_figure,
    tree_figure,
)
from fewshot_core.plots.template import ACTIVE_COLOUR, DEGENERATE_COLOUR, SUB_SPACE_COLOURS
from fewshot_core.space import SubSpace

CUT = ((3,), (0, 1, 2, 4))


def full_tree(levels, edge=1):
    branches = [TreeBranch((), edge=edge)]
    paths = [()]
    for level in range(levels):
        paths = [(*path, group) for path in paths for group in range(2)]
        label = edge if level < levels - 1 else None
        branches += [TreeBranch(path, CUT[path[-1]], label) for path in paths]
    return branches


def texts(figure):
    return [annotation.text for annotation in figure.layout.annotations]


def nodes(figure):
    return next(trace for trace in figure.data if trace.name == "nodes")


def test_leaves_have_name_colour_size_and_count(sub_spaces):
    figure = tree_figure(TreeDrawing(tuple(full_tree(3)), sub_spaces))
    names = [a for a in figure.layout.annotations if a.text.startswith("<b>S")]
    assert [a.text for a in names] == [f"<b>S{number}</b>" for number in range(1, 9)]
    assert tuple(a.bgcolor for a in names) == SUB_SPACE_COLOURS
    assert [a.y for a in names] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert f"{sub_spaces['size'][7]:,}" in texts(figure)
    bars = next(trace for trace in figure.data if trace.name == "top")
    assert list(bars.text) == [str(count) for count in sub_spaces["top_count"]]
    assert f"{sub_spaces['share'][0]:.1%}" in bars.hovertext[0]
    assert "Splitting tree with 8 sub-spaces" in alternative(figure)
    assert "best architectures" in alternative(figure)
    assert len(figure.to_json()) < 60_000


def test_edges_are_headings_and_groups_are_labels():
    figure = tree_figure(TreeDrawing(tuple(full_tree(1)), levels=3))
    assert texts(figure).count("<b>edge 2&lt;-0</b>") == 1
    assert texts(figure).count("<b>...</b>") == 2
    labels = [text for text in texts(figure) if "<b>" not in text]
    assert labels[:5] == ["3x3", "n", "s", "1x1", "p"]
    assert labels[5:9] == ["n", "none", "s", "skip_connect"]  # the legend


def test_the_cell_at_a_node_shows_its_edge_and_what_was_decided_before():
    space = SubSpace.full().keep(0, (2, 3))
    figure = node_cell_figure(space, 1, ((0, 1), (2, 3, 4)))
    labels = [label for label in figure.layout.annotations if label.text]
    assert [label.text for label in labels] == ["1x1", "3x3", "n", "s", "1x1", "3x3", "p"]
    assert {label.hovertext for label in labels[2:]} == {"edge 2&lt;-0: none skip | 1x1 3x3 pool"}
    places = [label.xshift for label in labels[2:]]
    assert places == sorted(places) and places[0] < 0 < places[-1]
    arrows = [arrow.arrowcolor for arrow in figure.layout.annotations if arrow.showarrow]
    assert [colour == ACTIVE_COLOUR for colour in arrows] == [False, True, *[False] * 4]
    assert alternative(figure) == (
        "Cell with edge 2<-0 highlighted; edge 1<-0 1x1 3x3; edge 2<-0 none skip | 1x1 3x3 pool."
    )


def test_a_growing_tree_marks_the_operation_being_scored():
    branches = full_tree(1)
    branches[1] = TreeBranch((0,), CUT[0], active=True)
    figure = tree_figure(TreeDrawing(tuple(branches), None, 3))
    assert "scoring" in nodes(figure).text
    assert list(nodes(figure).customdata) == ["", "0", "1"]
    assert alternative(figure) == "A splitting tree that is growing, with 2 leaves so far."


def test_a_degenerate_node_is_amber_and_has_a_reason():
    branches = full_tree(2)
    scores = ((0, 1.5), (1, math.nan), (2, None))
    branches[1] = TreeBranch((0,), CUT[0], 1, scores, True, "two cuts tie")
    figure = tree_figure(TreeDrawing(tuple(branches)))
    position = list(nodes(figure).customdata).index("0")
    hover = nodes(figure).hovertext[position]
    assert "?" in nodes(figure).text[position]
    assert nodes(figure).marker.line.color[position] == DEGENERATE_COLOUR
    for part in ("two cuts tie", "edge 2&lt;-0", "none: 1.5", "skip: not finite", "1x1: no score"):
        assert part in hover
    assert "groups: 3x3 | none skip 1x1 pool" in hover
    assert "Arbitrary choices: 1." in alternative(figure)


def test_five_groups_on_one_edge(accuracy):
    branches = [TreeBranch((), edge=0)]
    branches += [TreeBranch((group,), (group,)) for group in range(5)]
    leaves = [SubSpace.full().keep(0, [group]) for group in range(5)]
    figure = tree_figure(TreeDrawing(tuple(branches), describe_sub_spaces(leaves, accuracy)))
    assert {"n", "s", "1x1", "3x3", "p", "<b>S5</b>"} <= set(texts(figure))


def test_unequal_depth_and_varying_edges():
    branches = (
        TreeBranch((), edge=0),
        TreeBranch((0,), (3,)),
        TreeBranch((1,), (0, 1, 2, 4), 2),
        TreeBranch((1, 0), (0,)),
        TreeBranch((1, 1), (1, 2, 3, 4)),
    )
    layout = TreeDrawing(branches)
    assert [end.path for end in layout.ends] == [(0,), (1, 0), (1, 1)]
    assert layout.rows[(1,)] == 0.5
    assert layout.rows[()] == 1.25
    assert layout.columns == 2
    varying = (*branches[:1], TreeBranch((0,), (3,), 3), *branches[2:])
    varying += (TreeBranch((0, 0), (1,)), TreeBranch((0, 1), (2,)))
    figure = tree_figure(TreeDrawing(varying))
    assert "<b>various edges</b>" in texts(figure)
    assert "3&lt;-0" in nodes(figure).text


def test_thirty_two_leaves(accuracy):
    leaves = [SubSpace.full()]
    for edge in range(5):
        leaves = [leaf.keep(edge, group) for leaf in leaves for group in CUT]
    drawing = TreeDrawing(tuple(full_tree(5)), describe_sub_spaces(leaves, accuracy))
    figure = tree_figure(drawing)
    assert "<b>S32</b>" in texts(figure)
    assert figure.layout.height > tree_figure(TreeDrawing(tuple(full_tree(3)))).layout.height


@pytest.mark.parametrize("branches", [(), (TreeBranch(()),), (TreeBranch((), active=True),)])
def test_a_tree_of_one_node_or_none(branches, sub_spaces, accuracy):
    for leaves in (None, sub_spaces, pd.DataFrame()):
        assert alternative(tree_figure(TreeDrawing(branches, leaves, 3)))
    whole = describe_sub_spaces([SubSpace.full()], accuracy.iloc[:0])
    assert tree_figure(TreeDrawing(branches, whole, 3)).layout.height
