"""Figures of searches that go on."""

import numpy as np
import pandas as pd
import pytest

from fewshot_core.plots import (
    EPOCH_MEASURES,
    SUB_SPACE_COLOURS,
    alternative,
    epochs_figure,
    probabilities_figure,
    search_panels_figure,
    shared_accuracy_figure,
)
from fewshot_core.plots.template import WHOLE_COLOUR
from fewshot_core.space import SubSpace


def made_up(names=("S1", "S3"), epochs=5):
    rows = [
        {
            "sub_space": name,
            "epoch": epoch,
            "valid_accuracy": 10.0 + number + 5 * epoch,
            "valid_loss": 2.0 - 0.1 * epoch + number,
            "entropy": 8.0 - epoch - number,
            "benchmark_accuracy": 80.0 + number,
        }
        for number, name in enumerate(names)
        for epoch in range(epochs)
    ]
    return pd.DataFrame(rows)


def record(epoch, rows):
    return {"epoch": epoch, "probabilities": rows}


def lines(figure):
    return {trace.name: trace for trace in figure.data if trace.mode == "lines" and trace.name}


@pytest.mark.parametrize("measure", EPOCH_MEASURES)
def test_every_measure_has_a_curve_in_the_colour_of_its_sub_space(measure):
    frame = made_up()
    figure = epochs_figure(frame, measure, 20)
    drawn = lines(figure)
    assert set(drawn) == {"S1", "S3"}
    assert drawn["S3"].line.color == SUB_SPACE_COLOURS[2]
    trace, expected = drawn["S3"], frame[frame["sub_space"] == "S3"][measure]
    x = trace.x if trace.x is not None else trace.x0 + trace.dx * np.arange(len(trace.y))
    np.testing.assert_allclose(np.interp(np.arange(5), x, trace.y), expected, rtol=1e-6)
    assert EPOCH_MEASURES[measure].label in alternative(figure)


def test_the_axis_does_not_move_while_curves_grow():
    ranges = [epochs_figure(made_up(epochs=n), "entropy", 50).layout.xaxis.range for n in (1, 5)]
    assert ranges[0] == ranges[1] and ranges[0][1] > 50


def test_a_curve_that_goes_on_ends_in_a_dot():
    def dots(**options):
        figure = epochs_figure(made_up(), "valid_accuracy", 20, **options)
        return [(trace.x[0], trace.y[0]) for trace in figure.data if trace.mode == "markers"]

    assert dots() == []
    assert dots(running={"S3"}) == [(4, 31.0)]


def test_a_single_epoch_is_seen():
    figure = epochs_figure(made_up(["S2"], 1), "valid_accuracy", 20)
    assert [trace.mode for trace in figure.data].count("markers") == 1


def test_the_whole_space_is_grey():
    figure = epochs_figure(made_up(["whole"]), "valid_accuracy", 20)
    assert lines(figure)["whole"].line.color == WHOLE_COLOUR


def test_guessing_is_drawn_where_it_is_on_the_axis():
    frame = made_up()
    assert len(epochs_figure(frame, "valid_accuracy", 20, chance=20.0).layout.shapes) == 1
    assert len(epochs_figure(frame, "valid_accuracy", 20, chance=99.0).layout.shapes) == 0


def test_the_words_say_who_leads_at_the_last_epoch():
    text = alternative(epochs_figure(made_up(), "valid_accuracy", 20))
    assert "Highest: S3 with 31.00% at epoch 4; lowest: S1 with 30.00%" in text
    text = alternative(epochs_figure(made_up(), "valid_loss", 20))
    assert "Lowest: S1 with 1.600 at epoch 4" in text


def test_what_is_not_known_is_said():
    frame = made_up().assign(benchmark_accuracy=np.nan)
    assert "no epoch to draw" in alternative(epochs_figure(frame, "benchmark_accuracy", 20))
    assert "no epoch" in alternative(epochs_figure(frame.iloc[:0], "entropy", 20))


def test_probabilities_have_a_row_for_each_choice_and_name_the_likeliest():
    space = SubSpace.full().keep(0, (3,)).keep(1, (1, 2))
    even = [[0, 0, 0, 1, 0], [0, 0.5, 0.5, 0, 0], *[[0.2] * 5] * 4]
    sure = [[0, 0, 0, 1, 0], [0, 0.1, 0.9, 0, 0], *[[0.2] * 5] * 4]
    figure = probabilities_figure([record(0, even), record(1, sure)], space, 8)
    (heat,) = figure.data
    ticks = list(figure.layout.yaxis.ticktext)
    assert len(ticks) == 2 + 4 * 5
    name = figure.layout.yaxis.tickvals[ticks.index("<b>2&lt;-0 1x1</b>")]
    np.testing.assert_allclose(heat.z[list(heat.y).index(name)], [0.5, 0.9], rtol=1e-6)
    assert len(set(heat.y)) == len(heat.z) == 22 + 4
    assert "1&lt;-0 is 3x3" in figure.layout.title.text
    assert "2<-0 1x1 with 0.90, since epoch 1" in alternative(figure)
    assert figure.layout.xaxis.range == (-0.5, 8.5)


def test_nothing_to_choose_and_nothing_done_are_said():
    single = SubSpace.from_rows(["00010"] * 6)
    assert "nothing to choose" in alternative(probabilities_figure([], single, 8))
    assert "no epoch" in alternative(probabilities_figure([], SubSpace.full(), 8))


def panel_frame(temperature):
    return pd.DataFrame(
        {
            "epoch": [0, 1, 2],
            "train_loss": [np.nan, 2.0, 1.5],
            "valid_loss": [2.3, 2.1, 1.9],
            "entropy": [13.9, 13.0, 12.0],
            "temperature": temperature,
        }
    )


def test_a_search_without_temperature_has_no_panel_for_it():
    figure = search_panels_figure(panel_frame([1.0, 1.0, 0.55]), 4)
    assert [trace.name for trace in figure.data] == [
        "training loss",
        "validation loss",
        "entropy",
        "temperature",
    ]
    assert "training loss from 2.00 to 1.50" in alternative(figure)
    assert "temperature 0.55" in alternative(figure)
    without = search_panels_figure(panel_frame([np.nan] * 3), 4)
    assert "temperature" not in [trace.name for trace in without.data]
    assert without.data[-1].xaxis == "x2"
    assert "no epoch" in alternative(search_panels_figure(panel_frame([1.0] * 3).iloc[:0], 4))


def test_architectures_with_shared_weights_are_points():
    frame = pd.DataFrame(
        {
            "architecture": [3, 5],
            "shared_accuracy": [20.0, 30.0],
            "benchmark_accuracy": [80.0, 90.0],
        }
    )
    figure = shared_accuracy_figure(frame, "Kendall's tau 1.000", "validation accuracy, %")
    (points,) = figure.data
    assert (list(points.x), list(points.y)) == ([20.0, 30.0], [80.0, 90.0])
    assert list(points.customdata) == [3, 5]
    assert "2 architectures" in alternative(figure) and "tau 1.000" in alternative(figure)
    empty = shared_accuracy_figure(frame.iloc[:0], "", "validation accuracy, %")
    assert "knows none" in alternative(empty)
