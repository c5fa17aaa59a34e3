"""Template and colours, and the small figures of operations: cell, scores and similarity."""

import math

import numpy as np
import pytest

from fewshot_core.plots import alternative, cell_figure, scores_figure, similarity_figure
from fewshot_core.plots.template import (
    ACTIVE_COLOUR,
    DEGENERATE_COLOUR,
    FONT_SIZE,
    INK,
    OPERATION_COLOURS,
    SMALL_FONT_SIZE,
    SUB_SPACE_COLOURS,
    TEMPLATE,
    base_figure,
    empty_figure,
    number_text,
    sub_space_look,
    translucent,
)
from fewshot_core.space import Architecture

THEMES = ("#FFFFFF", "#0E1117")


def test_contrast_of_black_and_white(contrast):
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#0072B2", "#0072B2") == 1


def test_the_colours_of_sub_spaces_are_fixed():
    expected = "#E69F00 #56B4E9 #009E73 #F0E442 #0072B2 #D55E00 #CC79A7 #8C8C8C"
    assert " ".join(SUB_SPACE_COLOURS) == expected
    assert sub_space_look(3).colour == sub_space_look(11).colour == "#F0E442"


def test_a_repeated_colour_has_another_dash_and_pattern():
    looks = [sub_space_look(position) for position in range(32)]
    assert len({(look.colour, look.dash) for look in looks}) == 32
    assert len({(look.colour, look.pattern) for look in looks}) == 32


@pytest.mark.parametrize("theme", THEMES)
def test_lines_and_text_stand_out_in_both_themes(theme, contrast):
    assert contrast(INK, theme) > 4
    for colour in (*(sub_space_look(i).outline for i in range(8)), *OPERATION_COLOURS):
        assert contrast(colour, theme) > 3
    for colour in (DEGENERATE_COLOUR, ACTIVE_COLOUR):
        assert contrast(colour, theme) > 3


def test_text_on_colours_is_readable(contrast):
    for look in map(sub_space_look, range(8)):
        assert contrast(look.text, look.colour) > 4.5
    for colour in OPERATION_COLOURS:
        assert contrast("#FFFFFF", colour) > 4.5


def test_an_opacity_is_added_to_a_colour():
    assert translucent("#0072B2", 0.5) == "rgba(0,114,178,0.5)"


def test_an_empty_figure_has_its_reason():
    figure = empty_figure("Scores <1>", "nothing here")
    assert figure.layout.annotations[0].text == "nothing here"
    assert figure.layout.title.text == "Scores &lt;1&gt;"
    assert alternative(figure) == "Scores <1>: nothing here"
    assert figure.layout.height


def test_the_template_is_transparent_and_large_enough():
    layout = base_figure("Title", 100, "alt", ["one", "two"]).layout
    assert "one · two" in layout.title.text
    assert layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert layout.template.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert min(FONT_SIZE, SMALL_FONT_SIZE) >= 12


@pytest.mark.parametrize("kind", ["bar", "scatter"])
def test_a_click_on_one_point_fades_no_other(kind):
    assert TEMPLATE.data[kind][0].unselected.marker.opacity == 1


def test_long_notes_are_on_lines_of_their_own():
    short = base_figure("A title", 300, "", ["one", "two"])
    assert short.layout.title.text.count("<br>") == 1
    assert "one · two" in short.layout.title.text
    long = base_figure("A title", 300, "", ["one " * 15, "two " * 15])
    assert long.layout.title.text.count("<br>") == 2
    assert long.layout.margin.t == short.layout.margin.t + 20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "no score"),
        (math.nan, "not finite"),
        (-math.inf, "not finite"),
        (-0.0, "0"),
        (3400.0, "3,400"),
        (1200.53, "1,200.5"),
        (0.123456, "0.1235"),
        (1.5e-7, "1.5e-07"),
        (2e9, "2e+09"),
    ],
)
def test_format_of_numbers(value, text):
    assert number_text(value) == text


def test_scores_of_all_kinds():
    figure = scores_figure([0, 2, 4], [2.5, math.inf, None], "Scores on edge 2<-0", "synflow")
    bars = figure.data[0]
    assert list(bars.y) == ["none", "1x1", "pool"]
    assert list(bars.x) == [2.5, 0, 0]
    assert list(bars.text) == ["2.5", "not finite", "no score"]
    assert list(bars.marker.color) == [OPERATION_COLOURS[i] for i in (0, 2, 4)]
    expected = "Scores on edge 2<-0: none 2.5, 1x1 not finite, pool no score."
    assert alternative(figure) == expected
    assert figure.layout.title.text == "Scores on edge 2&lt;-0"


@pytest.mark.parametrize("values", [[1.0, 2.0], [-1.0, -2.0], [-1.0, 2.0], [0.0, 0.0]])
def test_the_axis_holds_zero_and_all_scores(values):
    low, high = scores_figure([0, 1], values).layout.xaxis.range
    assert low <= min(0, *values) <= max(0, *values) <= high
    assert low < high


@pytest.mark.parametrize(("operations", "values"), [([], []), ([0, 1], [None] * 2), ([0], [None])])
def test_empty_scores(operations, values):
    figure = scores_figure(operations, values)
    assert not figure.data
    assert figure.layout.annotations[0].text


def test_a_matrix_is_ordered_by_group_and_outlined():
    matrix = np.array([[0.0, 0.1, 0.2], [0.1, 0.0, np.nan], [0.2, np.nan, 0.0]])
    figure = similarity_figure([1, 2, 3], matrix, [[3], [1, 2]])
    heat = figure.data[0]
    assert list(heat.x) == list(heat.y) == ["3x3", "skip", "1x1"]
    assert heat.z[0][1] == 0.2
    assert heat.text[0][2] == "not finite"
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(-0.5, 0.5), (0.5, 2.5)]
    assert alternative(figure) == "Similarity of 3 operations, cut into {3x3} against {skip 1x1}."


def test_a_matrix_without_groups():
    figure = similarity_figure([1, 2], [[1, 0], [0, 1]])
    assert not figure.layout.shapes
    assert list(figure.data[0].x) == ["skip", "1x1"]


def test_six_edges_with_their_operations():
    figure = cell_figure(Architecture((0, 1, 2, 3, 4, 3)))
    labels = [a for a in figure.layout.annotations if a.text]
    assert [a.text for a in labels] == ["none", "skip", "1x1", "3x3", "pool", "3x3"]
    assert [a.bgcolor for a in labels] == [OPERATION_COLOURS[i] for i in (0, 1, 2, 3, 4, 3)]
    assert labels[1].hovertext == "edge 2&lt;-0: skip_connect"
    arrows = [a for a in figure.layout.annotations if a.showarrow]
    assert len(arrows) == 5
    assert figure.data[0].line.dash == "dot"
    assert "2<-0 skip" in alternative(figure)
