"""Figures of several splits."""

import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import (
    SplitEvaluator,
    agreement_matrix,
    describe_sub_spaces,
    report_frame,
)
from fewshot_core.plots import (
    agreement_figure,
    alternative,
    informativeness_figure,
    keep_figure,
    top_map_figure,
)
from fewshot_core.space import ARCHITECTURE_COUNT, SubSpace

FULL = SubSpace.full()
SPLITS = {
    "a<b": (FULL.keep(0, [3]), FULL.keep(0, [0, 1, 2, 4])),
    "pool": (FULL.keep(0, [4]), FULL.keep(0, [0, 1, 2, 3])),
}


@pytest.fixture(scope="module")
def accuracy():
    """A table in which 3x3 on the first edge is what counts."""
    architectures = np.arange(ARCHITECTURE_COUNT)
    first = architectures // 5**5
    values = 50 + 10 * (first == 3) + architectures / ARCHITECTURE_COUNT
    return pd.DataFrame({"architecture": architectures, "accuracy_mean": values})


@pytest.fixture(scope="module")
def evaluator(accuracy):
    return SplitEvaluator(accuracy, 0.01, random_trees=200)


@pytest.fixture(scope="module")
def reports(evaluator):
    return report_frame(SPLITS, evaluator)


def test_splits_have_rows_with_the_best_on_top(reports):
    figure = informativeness_figure(reports, [0.0, 0.01], 0.05)
    points = figure.data[-1]
    assert list(points.x) == list(reports["gain_bits"])
    assert list(points.y) == [1, 0]
    assert list(figure.layout.yaxis.ticktext) == ["a&lt;b", "pool"]
    assert "a<b has the highest" in alternative(figure)
    assert "0.0500 bits" in alternative(figure)


def test_splits_by_one_metric_may_share_a_row(reports):
    more = reports.assign(split=["pool, seed 1", "a, seed 1"], gain_bits=0.001)
    frame = pd.concat([reports, more], ignore_index=True)
    frame["row"] = ["a", "pool", "pool", "a"]
    frame["symbol"] = ["circle", "circle", "diamond", "circle-open"]
    frame["notes"] = ["", "", "demo", "trained weights"]
    figure = informativeness_figure(frame, [0.0, 0.01], 0.05)
    points = figure.data[-1]
    assert list(figure.layout.yaxis.ticktext) == ["a", "pool"]
    assert list(points.y) == [1, 0, 0, 1]
    assert list(points.marker.symbol) == ["circle", "circle", "diamond", "circle-open"]
    assert "a, seed 1" in points.hovertext[3] and "trained weights" in points.hovertext[3]
    assert figure.layout.height == informativeness_figure(reports, [0.0, 0.01], 0.05).layout.height


def test_the_axis_reaches_from_zero_to_the_best_tree(reports):
    low, high = informativeness_figure(reports, [0.0, 0.01], 5.0).layout.xaxis.range
    assert low < 0 < 5.0 < high


def test_without_a_common_shape_there_are_neither_random_trees_nor_a_best(reports):
    figure = informativeness_figure(reports, [], None)
    assert len(figure.data) == 1
    assert not figure.layout.shapes and not figure.layout.annotations
    assert "best tree" not in alternative(figure)


def test_bands_are_where_random_trees_end(reports):
    gains = np.linspace(0.0, 1.0, 201)
    figure = informativeness_figure(reports.assign(key=["one", "two"]), gains, 2.0)
    ends = [(shape.x0, shape.x1) for shape in figure.layout.shapes]
    assert ends[0][0] < 0 and ends[0][1] == ends[1][0] == pytest.approx(0.025)
    assert ends[1][1] == ends[2][0] == pytest.approx(0.975) and ends[2][1] == 2.0
    names = [label.text for label in figure.layout.annotations]
    assert names == ["worse than chance", "chance", "better", "best possible"]
    more = reports.assign(gain_bits=3.0)  # a partition may gain more than any tree
    labels = informativeness_figure(more, gains, 2.0).layout.annotations
    assert [label.text for label in labels][-1] == "best tree"
    assert list(figure.data[-1].customdata) == ["one", "two"]
    assert "grey: 201 random trees" in figure.layout.title.text


def test_a_map_has_the_largest_sub_space_first(accuracy):
    described = {name: describe_sub_spaces(leaves, accuracy) for name, leaves in SPLITS.items()}
    heat = top_map_figure(described).data[0]
    assert list(heat.text[0]) == ["S2 0", "S1 157"]
    assert heat.z[0].tolist() == [0.0, 100.0]
    assert "a<b: S1 with 157" in alternative(top_map_figure(described))


def test_splits_with_fewer_sub_spaces_leave_the_rest_of_their_row_empty(accuracy):
    described = {
        "two": describe_sub_spaces(SPLITS["pool"], accuracy),
        "five": describe_sub_spaces([FULL.keep(0, [number]) for number in range(5)], accuracy),
    }
    heat = top_map_figure(described).data[0]
    assert np.isnan(heat.z[0]).tolist() == [False, False, True, True, True]


def test_curves_over_the_number_kept_differ_by_more_than_colour():
    frame = pd.DataFrame(
        {"split": ["a", "a", "b", "b"], "k": [1, 2, 1, 2], "best": [90.0, 94.0, 92.0, 94.0]}
    )
    figure = keep_figure(frame)
    assert len({curve.marker.symbol for curve in figure.data}) == 2
    assert "b has the highest, 92.00%" in alternative(figure)
    tied = frame.assign(best=94.0)
    assert "a and b have the highest, 94.00%" in alternative(keep_figure(tied))


def test_cells_are_readable_where_there_is_room_for_it(accuracy):
    few = top_map_figure({"pool": describe_sub_spaces(SPLITS["pool"], accuracy)})
    many = [FULL.keep(0, [first]).keep(1, [second]) for first in range(5) for second in range(5)]
    assert few.data[0].textfont.size >= 11
    crowded = top_map_figure({"many": describe_sub_spaces(many, accuracy)})
    assert crowded.data[0].textfont.size is None
    assert "how many of the top 1% it holds" in few.layout.title.text


def test_the_legend_of_the_number_kept_takes_no_width():
    frame = pd.DataFrame({"split": ["snip", "ntk", "grasp"], "k": 1, "best": [91.5, 91.0, 90.0]})
    legend = keep_figure(frame).layout.legend
    assert (legend.orientation, legend.y, legend.yanchor) == ("h", 1, "bottom")


def test_agreement_names_the_closest_pair():
    splits = SPLITS | {"same": SPLITS["pool"]}
    figure = agreement_figure(agreement_matrix(splits))
    assert "pool and same agree most" in alternative(figure).replace(
        "same and pool", "pool and same"
    )
    assert "1.00" in alternative(figure)


def test_names_under_an_agreement_of_two_splits_have_room():
    name = "gradientmatching · 16 channels, 5 cells · seed 0"
    matrix = pd.DataFrame(np.eye(2), index=[name, "b"], columns=[name, "b"])
    assert agreement_figure(matrix).layout.height > 7 * len(name) + 100


@pytest.mark.parametrize(
    "figure",
    [
        informativeness_figure(pd.DataFrame(columns=["split", "gain_bits"]), [], None),
        top_map_figure({}),
        keep_figure(pd.DataFrame(columns=["split", "k", "best"])),
        agreement_figure(pd.DataFrame()),
    ],
)
def test_an_empty_comparison_has_a_message(figure):
    assert not figure.data
    assert figure.layout.annotations[0].text
