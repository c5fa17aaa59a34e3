"""Figures of every search space: cells and chains, decisions with different operations, units."""

import pytest
from random_spaces import make_space, random_accuracies

from fewshot_core import plots
from fewshot_core.analysis import (
    DISTRIBUTION_FRAMES,
    branchings,
    describe_sub_spaces,
    importance,
    keep_k,
    operation_effects,
    top_architectures,
)
from fewshot_core.plots.operations import operation_colour
from fewshot_core.space import NAS_BENCH_201, SPACES, Architecture, Decision, SubSpace, get_space

UNIT = "negative <loss>"
LONG = Decision("kind", ("separable_convolution_3x3", "separable_convolution_5x5"))
SPACES_DRAWN = [*map(get_space, SPACES.names()), make_space((2, 8, 3, 5))]


@pytest.fixture(params=SPACES_DRAWN, ids=lambda space: space.name)
def space(request):
    return request.param


@pytest.fixture
def leaves(space):
    """The whole space, split by its second and its first decision."""
    found = [SubSpace.full(space)]
    for number in (1, 0):
        groups = (0,), range(1, space.shape[number])
        found = [leaf.keep(number, group) for leaf in found for group in groups]
    return found


def texts(figure):
    return [annotation.text for annotation in figure.layout.annotations if annotation.text]


def test_the_operations_of_a_decision_have_glyphs_and_colours_of_their_own(space):
    for number, decision in enumerate(space.decisions):
        operations = range(len(decision.operations))
        assert len(set(decision.glyphs)) == len(operations)
        assert len({operation_colour(space, number, one) for one in operations}) == len(operations)


def test_glyphs_are_short():
    assert NAS_BENCH_201.decisions[0].glyphs == ("n", "s", "1x1", "3x3", "p")
    assert get_space("nas-bench-macro").decisions[0].glyphs == ("i", "MB3", "MB6")
    assert LONG.glyphs == ("0", "1")


def test_an_architecture_has_a_label_for_each_decision(space):
    architecture = Architecture.from_index(space.size - 1, space)
    figure = plots.cell_figure(architecture)
    labels = [decision.labels[-1] for decision in space.decisions]
    assert texts(figure) == labels
    for decision, label in zip(space.decisions, labels, strict=True):
        assert f"{decision.name} {label}" in plots.alternative(figure)
    if not space.edges:
        assert list(figure.layout.yaxis.ticktext) == [one.name for one in space.decisions]


def test_a_node_shows_the_groups_of_its_decision(space, leaves):
    groups = (0,), tuple(range(1, space.shape[0]))
    figure = plots.node_cell_figure(leaves[-1].keep(0, (1,)), 0, groups)
    glyphs = space.decisions[0].glyphs
    shown = [text for text in texts(figure) if not text.startswith("all ")]
    assert shown[: len(glyphs)] == list(glyphs)
    assert f"{space.decision_label(0)} highlighted" in plots.alternative(figure)


def test_a_tree_names_its_decisions_and_every_operation(space, leaves):
    accuracy = random_accuracies(space, 0)
    branches = [plots.TreeBranch((), edge=1)]
    for node in branchings(leaves):
        for number, group in enumerate(node.groups):
            edge = 0 if not node.path else None
            branches.append(plots.TreeBranch((*node.path, number), group, edge))
    described = describe_sub_spaces(leaves, accuracy)
    drawing = plots.TreeDrawing(tuple(branches), described, space=space, unit=UNIT)
    figure = plots.tree_figure(drawing)
    assert f"<b>{space.decision_label(1).replace('<', '&lt;')}</b>" in texts(figure)
    for number in (0, 1):
        assert set(space.decisions[number].glyphs) <= set(texts(figure))
    [bars] = [trace for trace in figure.data if trace.name == "top"]
    assert "negative &lt;loss&gt;" in bars.hovertext[0]
    scores = plots.scores_figure([0, 1], [1.0, 2.0], edge=1, space=space)
    assert list(scores.data[0].y) == list(space.decisions[1].labels[:2])
    matrix = plots.similarity_figure([0, 1], [[1, 0], [0, 1]], edge=1, space=space)
    assert list(matrix.data[0].x) == list(space.decisions[1].labels[:2])


def test_scores_have_their_unit_in_figures_and_alternatives(space, leaves):
    accuracy = random_accuracies(space, 1).assign(accuracy_std=0.0, seeds=1)
    accuracy["accuracy_mean"] -= 100
    described = describe_sub_spaces(leaves, accuracy)
    for style, frame in DISTRIBUTION_FRAMES.items():
        drawn = frame(leaves, accuracy, (-100.0, 0.0))
        figure = plots.distributions_figure(drawn, described, UNIT, style, unit=UNIT)
        assert UNIT in plots.alternative(figure) and "%" not in plots.alternative(figure)
        assert "negative &lt;loss&gt;" in figure.to_json().replace("\\u003c", "<")
    keep = keep_k(leaves, accuracy).assign(split="one")
    figure = plots.keep_figure(keep[keep["strategy"] == "mean"], f"best, {UNIT}", UNIT)
    assert UNIT in plots.alternative(figure)


def test_importance_and_decisions_of_every_space(space, leaves):
    accuracy = random_accuracies(space, 2)
    shares = plots.importance_figure(importance(accuracy, space), space=space)
    names = [decision.name for decision in space.decisions]
    assert [name.replace("&lt;", "<") for name in shares.data[0].x] == names
    assert f"Importance of {space.noun}s" in shares.layout.title.text
    effects = operation_effects(accuracy, space=space)
    figure = plots.effects_figure(effects, space=space, unit=UNIT)
    [cells] = figure.data
    across = space.shape == (2, 8, 3, 5)  # a column for each decision makes fewer columns
    assert (cells.text[0][1] if across else cells.text[1][0]) == space.decisions[1].labels[0]
    assert list(cells.x) == names if across else len(cells.y) == len(names)
    assert cells.textfont.size == (12 if across else None)  # else Plotly may shrink it
    assert UNIT in plots.alternative(figure)
    top = top_architectures(leaves, accuracy)
    drawn = plots.decisions_figure(top, space=space, unit=UNIT)
    labels = {*(drawn.layout.yaxis.ticktext or ()), *texts(drawn)}
    assert labels == {label for decision in space.decisions for label in decision.labels}
    program = plots.figure_source(drawn)
    made: dict = {}
    exec(program.replace(".write_html", ".to_html"), made)
    assert plots.alternative(made["figure"]) == plots.alternative(drawn)


def test_probabilities_of_decisions_with_different_operations():
    space = make_space((2, 8, 3))
    probabilities = [[1 / count] * count for count in space.shape]
    records = [{"epoch": epoch, "probabilities": probabilities} for epoch in range(3)]
    figure = plots.probabilities_figure(records, SubSpace.full(space).keep(0, (1,)), 5)
    assert len([name for name in figure.layout.yaxis.ticktext if name.strip()]) == 11
    assert "d0 is op1" in figure.layout.title.text
