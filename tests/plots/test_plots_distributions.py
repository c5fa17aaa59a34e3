import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import (
    DISTRIBUTION_FRAMES,
    describe_sub_spaces,
    distribution_frame,
    top_architectures,
    top_mask,
)
from fewshot_core.plots import STYLES, alternative, distributions_figure, top_figure
from fewshot_core.plots.template import SUB_SPACE_COLOURS, translucent

NAMES = [f"S{number}" for number in range(1, 9)]


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def hover(trace):
    return f"{trace.text} {trace.hovertemplate}"


@pytest.fixture
def top(leaves, accuracy, top_rows):
    values = top_rows["accuracy_mean"]
    frame = distribution_frame(leaves, top_rows, (values.min(), values.max()))
    return frame, top_architectures(leaves, accuracy)


def test_there_is_a_frame_for_every_style():
    assert set(STYLES) == set(DISTRIBUTION_FRAMES)


@pytest.mark.parametrize("style", STYLES)
def test_every_style(style, leaves, accuracy, sub_spaces):
    frame = DISTRIBUTION_FRAMES[style](leaves, accuracy)
    figure = distributions_figure(frame, sub_spaces, "test accuracy, %", style, caption=["seen"])
    for name, row in zip(NAMES, sub_spaces.to_dict("records"), strict=True):
        text = hover(named(figure, name))
        assert f"{row['size']:,} architectures" in text
        assert f"{row['share']:.1%}" in text
    assert len(figure.to_json()) < 60_000
    assert figure.layout.xaxis.title.text == "test accuracy, %"
    assert "not shown: 782 architectures below" in figure.layout.title.text
    assert "seen" in figure.layout.title.text
    assert "highest mean" in alternative(figure)
    again = distributions_figure(frame, sub_spaces, "test accuracy, %", style, caption=["seen"])
    assert figure.to_json() == again.to_json()


@pytest.mark.parametrize("style", ["ridgeline", "violin", "histogram"])
def test_rows_have_their_colours_and_a_contrasting_line(style, leaves, accuracy, sub_spaces):
    frame = DISTRIBUTION_FRAMES[style](leaves, accuracy)
    figure = distributions_figure(frame, sub_spaces, style=style)
    for name, colour in zip(NAMES, SUB_SPACE_COLOURS, strict=True):
        trace = named(figure, name)
        assert trace.fillcolor == translucent(colour, 0.66)
        assert trace.line.width > 0
        assert named(figure, f"{name} whole").fillcolor.startswith("rgba(140,140,140")
    labels = list(figure.layout.yaxis.ticktext)
    assert labels[3] == "<b>S4</b>  2,000"


def test_ten_small_violins_are_below_150_kilobytes(leaves, accuracy, sub_spaces):
    frame = DISTRIBUTION_FRAMES["violin"](leaves, accuracy, points=21)
    figure = distributions_figure(frame, sub_spaces, style="violin", compact=True)
    assert len(figure.to_json()) < 15_000
    [whole] = [trace for trace in figure.data if trace.fill == "toself"]
    assert np.isnan(whole.y.astype(float)).sum() == len(NAMES)  # a closed shape in each row
    assert [trace.name for trace in figure.data if trace.name in NAMES] == list(NAMES)


@pytest.mark.parametrize("style", ["overlay", "cumulative"])
def test_lines_have_their_colours(style, leaves, accuracy, sub_spaces):
    frame = DISTRIBUTION_FRAMES[style](leaves, accuracy)
    figure = distributions_figure(frame, sub_spaces, style=style)
    assert tuple(named(figure, name).line.color for name in NAMES) == SUB_SPACE_COLOURS
    assert named(figure, "whole space").fill == "tozeroy"


def test_a_highlight_dims_the_others(leaves, accuracy, sub_spaces):
    frame = distribution_frame(leaves, accuracy)
    figure = distributions_figure(frame, sub_spaces, highlight="S4")
    assert named(figure, "S4").fillcolor.endswith("0.66)")
    assert named(figure, "S5").fillcolor.endswith("0.14)")


@pytest.mark.parametrize("style", STYLES)
def test_no_and_one_accuracy(style, leaves, accuracy):
    for rows in (accuracy.iloc[:0], accuracy.iloc[:1]):
        frame = DISTRIBUTION_FRAMES[style](leaves, rows)
        sub_spaces = describe_sub_spaces(leaves, rows)
        figure = distributions_figure(frame, sub_spaces, style=style)
        assert figure.layout.title.text.startswith("All architectures")
        assert (len(figure.data) == 0) == rows.empty
    empty = distributions_figure(pd.DataFrame(), pd.DataFrame(), style=style)
    assert empty.layout.annotations[0].text == "no accuracy to draw"


def test_missing_accuracies_are_counted(leaves, accuracy):
    rows = accuracy.iloc[:10_000]
    figure = distributions_figure(
        distribution_frame(leaves, rows), describe_sub_spaces(leaves, rows)
    )
    assert "accuracy known for 10,000 of 15,625" in figure.layout.title.text


def test_no_note_of_a_cut_when_all_is_shown(leaves, accuracy, sub_spaces):
    frame = distribution_frame(leaves, accuracy, (0.0, 50.0))
    figure = distributions_figure(frame, sub_spaces)
    assert "not shown" not in figure.layout.title.text
    assert "beside each sub-space: its size" in figure.layout.title.text


def test_more_than_eight_sub_spaces_look_different(leaves, accuracy):
    many = [leaf.keep(3, group) for leaf in leaves for group in ([0], [1, 2, 3, 4])]
    figure = distributions_figure(
        distribution_frame(many, accuracy), describe_sub_spaces(many, accuracy)
    )
    assert named(figure, "S9").fillpattern.shape
    assert named(figure, "S9").line.dash != named(figure, "S1").line.dash


def test_every_top_architecture_is_a_tick(top, sub_spaces):
    frame, listed = top
    figure = top_figure(frame, listed, sub_spaces)
    ticks = [trace for trace in figure.data if trace.name and trace.name.endswith(" top")]
    assert sum(len(trace.x) for trace in ticks) == len(listed) == 157
    assert set(listed["string"]) == {text for trace in ticks for text in trace.text}
    assert "%{text}" in ticks[0].hovertemplate
    assert "%{x:.2f}" in ticks[0].hovertemplate
    assert "<b>S1</b>" in ticks[0].hovertemplate
    assert len(figure.to_json()) < 60_000


def test_areas_at_the_top_are_in_proportion_to_counts(top, sub_spaces):
    frame, listed = top
    figure = top_figure(frame, listed, sub_spaces)
    drawn = [trace.name for trace in figure.data]
    assert [name for name in NAMES if name in drawn] == ["S6", "S8"]  # those with twenty or more
    areas = {i: (named(figure, NAMES[i]).y - (7 - i)).sum() for i in (5, 7)}
    ratio = areas[7] / areas[5]
    counts = sub_spaces["top_count"]
    assert ratio == pytest.approx(counts[7] / counts[5], rel=0.1)


@pytest.mark.parametrize("style", ["ridgeline", "violin", "overlay"])
def test_few_architectures_are_ticks(style, leaves, accuracy):
    few = leaves[0].architecture_indices()[:19]
    rows = accuracy[~accuracy["architecture"].isin(leaves[0].architecture_indices()[19:])]
    figure = distributions_figure(
        DISTRIBUTION_FRAMES[style](leaves, rows, (0.0, 50.0)),
        describe_sub_spaces(leaves, rows),
        style=style,
    )
    strip = named(figure, "S1")
    assert strip.mode == "markers" and not strip.fill
    assert list(strip.x) == sorted(accuracy["accuracy_mean"][few])
    assert named(figure, "S2").mode == "lines"


@pytest.mark.parametrize("style", STYLES)
def test_grey_and_diamonds_are_explained_and_a_star_marks_one(style, leaves, accuracy, sub_spaces):
    frame = DISTRIBUTION_FRAMES[style](leaves, accuracy)
    figure = distributions_figure(frame, sub_spaces, style=style, marked=("S3", 48.5))
    for words in ("grey: whole space", "diamond: best", "star: found"):
        assert words in figure.layout.title.text
    star = named(figure, "architecture found")
    row = 0 if style in ("overlay", "cumulative") else 5
    assert (star.x[0], star.y[0], star.marker.symbol) == (48.5, row, "star")


def test_the_top_without_top(leaves, accuracy, sub_spaces):
    figure = top_figure(pd.DataFrame(), pd.DataFrame(), sub_spaces)
    assert figure.layout.annotations[0].text == "no top architecture to draw"


def test_the_finding_of_the_paper(published):
    leaves, accuracy = published
    rows = accuracy[top_mask(accuracy["accuracy_mean"])]
    figure = top_figure(
        distribution_frame(leaves, rows),
        top_architectures(leaves, accuracy),
        describe_sub_spaces(leaves, accuracy),
    )
    assert alternative(figure).startswith("S4 holds 54 of the 157 best architectures")
