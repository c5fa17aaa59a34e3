import math

import numpy as np
import pytest

from fewshot_core.plots import (
    OPERATION_COLOURS,
    alternative,
    scores_figure,
    similarity_figure,
)
from fewshot_core.plots.template import number_text


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
def test_numbers_are_short_texts(value, text):
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


@pytest.mark.parametrize(("operations", "values"), [([], []), ([0, 1], None), ([0], [None])])
def test_no_scores(operations, values):
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


def test_a_matrix_before_the_cut_and_none():
    figure = similarity_figure([1, 2], [[1, 0], [0, 1]])
    assert not figure.layout.shapes
    assert list(figure.data[0].x) == ["skip", "1x1"]
    assert not similarity_figure([], []).data
