import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_searches import made_up_search

from fewshot_core.errors import SelectionError
from fewshot_core.plots import SUB_SPACE_COLOURS, alternative, search_curves_figure
from fewshot_core.plots.search import (
    LEADER_COLOUR,
    accuracy_range,
    cut_note,
    epochs_place,
    positions_of,
    stands_out,
    thinned,
)
from fewshot_core.plots.template import luminance, outline_colour
from fewshot_core.selection import leaders, read_frame

THEMES = ("#FFFFFF", "#0E1117")
NAMES = [f"S{number}" for number in range(1, 9)]


@pytest.fixture(scope="module")
def curves():
    return made_up_search()


def core(figure, name):
    """Return the coloured line of a sub-space."""
    return next(trace for trace in figure.data if trace.name == name)


def points(trace):
    """Return where the points of a trace are."""
    y = np.asarray(trace.y, dtype=np.float64)
    x = np.asarray(trace.x) if trace.x is not None else trace.x0 + trace.dx * np.arange(len(y))
    return x, y


def test_every_line_is_that_of_its_sub_space(curves):
    figure = search_curves_figure(curves)
    epochs = np.arange(601)
    for name, colour in zip(NAMES, SUB_SPACE_COLOURS, strict=True):
        trace = core(figure, name)
        assert trace.line.color == colour
        drawn = np.interp(epochs, *points(trace))
        values = curves[curves["sub_space"] == name]["test_accuracy"]
        np.testing.assert_allclose(drawn, values, atol=1e-4)
    assert "%{y:.2f}" in core(figure, "S1").hovertemplate


def test_there_is_a_point_to_hover_over_everywhere(curves):
    figure = search_curves_figure(curves)
    for name in NAMES:
        assert np.diff(points(core(figure, name))[0]).max() <= 10


def test_a_red_dot_is_on_the_leader_of_every_epoch(curves):
    figure = search_curves_figure(curves)
    dots = core(figure, "leader")
    rows = leaders(curves)
    x, y = points(dots)
    assert x.tolist() == rows["epoch"].tolist()
    np.testing.assert_allclose(y, rows["test_accuracy"], atol=1e-4)
    assert dots.marker.color == LEADER_COLOUR
    assert "red: the best validation accuracy" in figure.layout.title.text


def test_only_lines_that_do_not_stand_out_are_outlined(curves):
    figure = search_curves_figure(curves)
    groups = [trace.legendgroup for trace in figure.data if trace.name is None]
    assert groups == ["S1", "S2", "S4"]
    for position, colour in enumerate(SUB_SPACE_COLOURS):
        assert stands_out(colour) == (f"S{position + 1}" not in groups)
        assert stands_out(outline_colour(colour))


@pytest.mark.parametrize("theme", THEMES)
def test_dots_stand_out_in_both_themes(theme):
    low, high = sorted((luminance(LEADER_COLOUR), luminance(theme)))
    assert (high + 0.05) / (low + 0.05) > 3


def test_it_is_small_and_always_the_same(curves):
    figure = search_curves_figure(curves)
    assert len(figure.to_json()) < 30_000
    assert figure.to_json() == search_curves_figure(curves).to_json()
    shuffled = curves.sample(frac=1, random_state=0)
    assert figure.to_json() == search_curves_figure(shuffled).to_json()
    assert figure.to_json() == search_curves_figure(read_frame(curves)).to_json()


def test_values_without_constant_stretches_are_all_drawn(curves):
    noise = np.random.default_rng(0).uniform(0, 100, len(curves))
    figure = search_curves_figure(curves.assign(test_accuracy=noise))
    assert all(len(core(figure, name).y) == 601 for name in NAMES)
    assert len(figure.to_json()) < 60_000


def test_the_finding_in_words(curves):
    rows = leaders(curves)
    last = rows.iloc[-1]
    found = curves[curves["epoch"] == 600].set_index("sub_space")["test_accuracy"]
    text = alternative(search_curves_figure(curves))
    assert f"At epoch 600 the one with the best validation accuracy, {last['sub_space']}" in text
    assert f"{found.idxmax()} finds {found.max():.2f}%" in text
    highest = curves.groupby("epoch")["test_accuracy"].max().to_numpy()
    count = int((rows["test_accuracy"].to_numpy() == highest).sum())
    assert f"also finds the best architecture at {count} of 601 epochs" in text


def test_a_leader_that_finds_the_best_in_words():
    frame = made_up_search(sub_spaces=1, epochs=5, first=1)
    best = frame["test_accuracy"].iloc[-1]
    assert f"S1, finds the best architecture, {best:.2f}%" in alternative(
        search_curves_figure(frame)
    )


def test_what_lies_below_the_axis_is_counted(curves):
    figure = search_curves_figure(curves, caption=["seen"])
    low, high = figure.layout.yaxis.range
    below = (curves["test_accuracy"] < low).sum()
    assert below
    assert f"not shown: {below} of 4,808 points below {low:.1f}%" in figure.layout.title.text
    assert "seen" in figure.layout.title.text
    assert high > curves["test_accuracy"].max()


def test_an_axis_that_needs_no_cut():
    assert accuracy_range(np.array([90.0, 91.0, 92.0, np.nan])) == pytest.approx((89.94, 92.06))
    assert accuracy_range(np.array([90.0])) == pytest.approx((89.97, 90.03))
    assert accuracy_range(np.array([np.nan])) == (0, 100)
    assert cut_note(np.array([90.0, np.nan]), 89.0) == []


def test_a_missing_sub_space_does_not_shift_the_colours(curves):
    figure = search_curves_figure(curves[curves["sub_space"] != "S1"])
    assert core(figure, "S2").line.color == SUB_SPACE_COLOURS[1]
    assert positions_of(["S9", "S2"]) == [8, 1]
    assert positions_of(["left", "S2"]) == [0, 1]
    assert core(search_curves_figure(made_up_search(0, 9, 20)), "S9").line.dash == "dash"


def test_gaps_and_missing_values(curves):
    frame = curves.query("sub_space != 'S2' or epoch % 7 == 3")
    frame = frame.assign(test_accuracy=frame["test_accuracy"].where(frame["epoch"] != 300))
    figure = search_curves_figure(frame)
    x, _ = points(core(figure, "S2"))
    assert set(x) <= set(range(3, 601, 7))
    assert np.isnan(points(core(figure, "S1"))[1]).sum() == 1
    assert alternative(search_curves_figure(frame.assign(test_accuracy=np.nan)))


def test_nothing_to_draw():
    for frame in (pd.DataFrame(), made_up_search().iloc[:0]):
        figure = search_curves_figure(frame, title="Found")
        assert not figure.data
        assert alternative(figure) == "Found: no search to draw"
    with pytest.raises(SelectionError):
        search_curves_figure(pd.concat([made_up_search().assign(seed=seed) for seed in (0, 1)]))


@settings(deadline=None)
@given(st.lists(st.sampled_from([1.0, 1.0, 1.0, 2.0, np.nan]), min_size=1, max_size=80))
def test_thinning_changes_no_line(values):
    epochs, full = np.arange(len(values)), np.array(values)
    x, y = thinned(epochs, full)
    known = np.interp(epochs, x, np.nan_to_num(y, nan=-1))
    np.testing.assert_array_equal(known, np.nan_to_num(full, nan=-1))


def test_even_epochs_take_few_bytes():
    assert epochs_place(np.array([5, 10, 15])) == {"x0": 5, "dx": 5}
    assert epochs_place(np.array([5, 10, 16]))["x"].dtype == np.int16
    assert epochs_place(np.array([5, 10, 40_000]))["x"].dtype == np.int32
    assert epochs_place(np.array([5]))["x"].tolist() == [5]
    assert epochs_place(np.array([], dtype=np.int64))["x"].tolist() == []
