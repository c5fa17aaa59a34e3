import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.analysis import mean_over_seeds
from fewshot_core.plots import (
    EPOCH_MEASURES,
    alternative,
    epochs_figure,
    probabilities_figure,
    search_curves_figure,
    search_panels_figure,
    shared_accuracy_figure,
)
from fewshot_core.plots.search import (
    LEADER_COLOUR,
    accuracy_range,
    cut_note,
    epoch_points,
    positions_of,
    thinned,
)
from fewshot_core.plots.template import SUB_SPACE_COLOURS, WHOLE_COLOUR, sub_space_look
from fewshot_core.selection import leaders, read_frame
from fewshot_core.space import SubSpace

THEMES = ("#FFFFFF", "#0E1117")
NAMES = [f"S{number}" for number in range(1, 9)]


@pytest.fixture(scope="module")
def curves(synthetic_search):
    return synthetic_search()


def found_figure(frame):
    return search_curves_figure(read_frame(frame))


def core(figure, name):
    """The coloured line of a sub-space."""
    return next(trace for trace in figure.data if trace.name == name)


def points(trace):
    """The points of a trace."""
    y = np.asarray(trace.y, dtype=np.float64)
    x = np.asarray(trace.x) if trace.x is not None else trace.x0 + trace.dx * np.arange(len(y))
    return x, y


def test_every_line_is_that_of_its_sub_space(curves):
    figure = found_figure(curves)
    epochs = np.arange(601)
    for name, colour in zip(NAMES, SUB_SPACE_COLOURS, strict=True):
        trace = core(figure, name)
        assert trace.line.color == colour
        drawn = np.interp(epochs, *points(trace))
        values = curves[curves["sub_space"] == name]["test_accuracy"]
        np.testing.assert_allclose(drawn, values, atol=1e-4)
    assert "%{y:.2f}" in core(figure, "S1").hovertemplate


def test_there_is_a_point_to_hover_over_everywhere(curves):
    figure = found_figure(curves)
    for name in NAMES:
        assert np.diff(points(core(figure, name))[0]).max() <= 10


def test_a_red_dot_is_on_the_leader_of_every_epoch(curves):
    figure = found_figure(curves)
    dots = core(figure, "leader")
    rows = leaders(curves)
    x, y = points(dots)
    assert x.tolist() == rows["epoch"].tolist()
    np.testing.assert_allclose(y, rows["test_accuracy"], atol=1e-4)
    assert dots.marker.color == LEADER_COLOUR
    assert "red: leader (highest validation accuracy)" in figure.layout.title.text


def test_only_lines_with_low_contrast_are_outlined(curves, contrast):
    figure = found_figure(curves)
    groups = [trace.legendgroup for trace in figure.data if trace.name is None]
    assert groups == ["S1", "S2", "S4"]
    for position, colour in enumerate(SUB_SPACE_COLOURS):
        visible = all(contrast(colour, theme) >= 3 for theme in THEMES)
        assert visible == (f"S{position + 1}" not in groups)
        outline = sub_space_look(position).outline
        assert all(contrast(outline, theme) >= 3 for theme in THEMES)


@pytest.mark.parametrize("theme", THEMES)
def test_dots_stand_out_in_both_themes(theme, contrast):
    assert contrast(LEADER_COLOUR, theme) > 3


def test_it_is_small_and_deterministic(curves):
    figure = found_figure(curves)
    assert len(figure.to_json()) < 30_000
    assert figure.to_json() == found_figure(curves).to_json()
    shuffled = curves.sample(frac=1, random_state=0)
    assert figure.to_json() == found_figure(shuffled).to_json()


def test_values_without_constant_stretches_are_all_drawn(curves):
    noise = np.random.default_rng(0).uniform(0, 100, len(curves))
    figure = found_figure(curves.assign(test_accuracy=noise))
    assert all(len(core(figure, name).y) == 601 for name in NAMES)
    assert len(figure.to_json()) < 60_000


def test_alternative_of_search_curves(curves):
    rows = leaders(curves)
    last = rows.iloc[-1]
    found = curves[curves["epoch"] == 600].set_index("sub_space")["test_accuracy"]
    text = alternative(found_figure(curves))
    assert f"At epoch 600 the leader by validation accuracy, {last['sub_space']}" in text
    assert f"{found.idxmax()} finds {found.max():.2f}%" in text
    highest = curves.groupby("epoch")["test_accuracy"].max().to_numpy()
    count = int((rows["test_accuracy"].to_numpy() == highest).sum())
    assert f"The leader finds the best architecture at {count} of 601 epochs" in text


def test_alternative_of_a_leader_that_finds_the_best(synthetic_search):
    frame = synthetic_search(sub_spaces=1, epochs=5, first=1)
    best = frame["test_accuracy"].iloc[-1]
    assert f"S1, finds the best architecture, {best:.2f}%" in alternative(found_figure(frame))


def test_points_below_the_axis_are_counted(curves):
    figure = found_figure(curves)
    low, high = figure.layout.yaxis.range
    below = (curves["test_accuracy"] < low).sum()
    assert below
    assert f"not shown: {below} of 4,808 points below {low:.1f}%" in figure.layout.title.text
    assert high > curves["test_accuracy"].max()


def test_an_axis_that_needs_no_cut():
    assert accuracy_range(np.array([90.0, 91.0, 92.0, np.nan])) == pytest.approx((89.94, 92.06))
    assert accuracy_range(np.array([90.0])) == pytest.approx((89.97, 90.03))
    assert accuracy_range(np.array([np.nan])) == (0, 100)
    assert cut_note(np.array([90.0, np.nan]), 89.0) == []


def test_a_missing_sub_space_does_not_shift_the_colours(curves, synthetic_search):
    figure = found_figure(curves[curves["sub_space"] != "S1"])
    assert core(figure, "S2").line.color == SUB_SPACE_COLOURS[1]
    assert positions_of(["S9", "S2"]) == [8, 1]
    assert positions_of(["left", "S2"]) == [0, 1]
    assert core(found_figure(synthetic_search(0, 9, 20)), "S9").line.dash == "dash"


def test_gaps_and_missing_values(curves):
    frame = curves.query("sub_space != 'S2' or epoch % 7 == 3")
    frame = frame.assign(test_accuracy=frame["test_accuracy"].where(frame["epoch"] != 300))
    figure = found_figure(frame)
    x, _ = points(core(figure, "S2"))
    assert set(x) <= set(range(3, 601, 7))
    assert np.isnan(points(core(figure, "S1"))[1]).sum() == 1
    assert alternative(found_figure(frame.assign(test_accuracy=np.nan)))


@given(st.lists(st.sampled_from([1.0, 1.0, 1.0, 2.0, np.nan]), min_size=1, max_size=80))
def test_thinning_changes_no_line(values):
    epochs, full = np.arange(len(values)), np.array(values)
    x, y = thinned(epochs, full)
    known = np.interp(epochs, x, np.nan_to_num(y, nan=-1))
    np.testing.assert_array_equal(known, np.nan_to_num(full, nan=-1))


def test_even_epochs_take_few_bytes():
    assert epoch_points(np.array([5, 10, 15])) == {"x0": 5, "dx": 5}
    assert epoch_points(np.array([5, 10, 16]))["x"].dtype == np.int16
    assert epoch_points(np.array([5, 10, 40_000]))["x"].dtype == np.int32
    assert epoch_points(np.array([5]))["x"].tolist() == [5]
    assert epoch_points(np.array([], dtype=np.int64))["x"].tolist() == []


def epochs_frame(names=("S1", "S3"), epochs=5):
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
    frame = epochs_frame()
    figure = epochs_figure(frame, measure, 20)
    drawn = lines(figure)
    assert set(drawn) == {"S1", "S3"}
    assert drawn["S3"].line.color == SUB_SPACE_COLOURS[2]
    trace, expected = drawn["S3"], frame[frame["sub_space"] == "S3"][measure]
    x = trace.x if trace.x is not None else trace.x0 + trace.dx * np.arange(len(trace.y))
    np.testing.assert_allclose(np.interp(np.arange(5), x, trace.y), expected, rtol=1e-6)
    assert EPOCH_MEASURES[measure].label in alternative(figure)


def test_means_have_a_band_over_seeds_and_single_curves_a_name_each():
    both = pd.concat([epochs_frame().assign(seed=seed) for seed in (7, 8)], ignore_index=True)
    both.loc[both["seed"] == 8, "entropy"] -= 1
    means = epochs_figure(mean_over_seeds(both, "entropy"), "entropy", 20)
    areas = [trace for trace in means.data if trace.fill == "tonexty"]
    assert len(areas) == 2 and list(areas[0].y) == [8.0, 7.0, 6.0, 5.0, 4.0]
    np.testing.assert_allclose(lines(means)["S1"].y, [7.5, 6.5, 5.5, 4.5, 3.5])
    assert means.layout.hovermode == "x unified"
    single = epochs_figure(both, "entropy", 20)
    texts = [trace.hovertemplate for trace in single.data if trace.hovertemplate]
    assert [text.split(":")[0] for text in texts[:2]] == ["S1, seed 7", "S1, seed 8"]
    assert sum(bool(trace.showlegend) for trace in single.data if trace.name == "S1") == 1
    assert "4 curves" in alternative(single)
    one = mean_over_seeds(both[both["seed"] == 7], "entropy")
    assert not [trace for trace in epochs_figure(one, "entropy", 20).data if trace.fill]


def test_the_axis_does_not_move_while_curves_grow():
    ranges = [
        epochs_figure(epochs_frame(epochs=n), "entropy", 50).layout.xaxis.range for n in (1, 5)
    ]
    assert ranges[0] == ranges[1] and ranges[0][1] > 50


def test_a_running_curve_ends_in_a_dot():
    def dots(**options):
        figure = epochs_figure(epochs_frame(), "valid_accuracy", 20, **options)
        return [(trace.x[0], trace.y[0]) for trace in figure.data if trace.mode == "markers"]

    assert dots() == []
    assert dots(running={"S3"}) == [(4, 31.0)]


def test_a_single_epoch_is_seen():
    figure = epochs_figure(epochs_frame(["S2"], 1), "valid_accuracy", 20)
    assert [trace.mode for trace in figure.data].count("markers") == 1


def test_the_whole_space_is_grey():
    figure = epochs_figure(epochs_frame(["whole"]), "valid_accuracy", 20)
    assert lines(figure)["whole"].line.color == WHOLE_COLOUR


def test_random_guessing_is_drawn_if_it_is_on_the_axis():
    frame = epochs_frame()
    assert len(epochs_figure(frame, "valid_accuracy", 20, random_accuracy=20.0).layout.shapes) == 1
    assert len(epochs_figure(frame, "valid_accuracy", 20, random_accuracy=99.0).layout.shapes) == 0


def test_alternative_of_epochs():
    text = alternative(epochs_figure(epochs_frame(), "valid_accuracy", 20))
    assert "Highest: S3 with 31.00% at epoch 4; lowest: S1 with 30.00%" in text
    text = alternative(epochs_figure(epochs_frame(), "valid_loss", 20))
    assert "Lowest: S1 with 1.600 at epoch 4" in text


def test_measures_without_values():
    frame = epochs_frame().assign(benchmark_accuracy=np.nan)
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


def test_probabilities_without_choice_or_epochs():
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
    assert "has none" in alternative(empty)
