import json

import numpy as np
import pytest

from fewshot_core.plots import (
    alternative,
    replay_figure,
    schedules_figure,
    search_curves_figure,
)
from fewshot_core.plots.halving import cursor_stops
from fewshot_core.plots.template import SUB_SPACE_COLOURS, sub_space_look
from fewshot_core.selection import (
    Choice,
    curves_by_seed,
    leaders,
    read_frame,
    schedule_grid,
    successive_halving,
    top_k,
    verdict,
)

train_all, oracle, random_sub_supernet = (
    Choice(name).apply for name in ("train_all", "oracle", "one_at_random")
)


@pytest.fixture(scope="module")
def curves(synthetic_search):
    return read_frame(synthetic_search())


@pytest.fixture(scope="module")
def result(curves):
    return successive_halving(curves, (30, 103))


@pytest.fixture(scope="module")
def figure(curves, result):
    return replay_figure(curves, result)


def selection(figure):
    """Traces of the lower panel that have a name, by name."""
    return {trace.name: trace for trace in figure.data if trace.yaxis == "y2" and trace.name}


def last_epoch(trace):
    if trace.x is not None:
        return int(np.asarray(trace.x)[-1])
    return trace.x0 + trace.dx * (len(trace.y) - 1)


def test_a_curve_ends_where_its_sub_supernet_is_discarded(figure, curves, result):
    for position, name in enumerate(curves.sub_spaces):
        trace = selection(figure)[name]
        assert last_epoch(trace) == result.trained[name]
        assert trace.line.color == SUB_SPACE_COLOURS[position]
        assert trace.opacity == (0.45 if name in result.discarded else None)
        values = curves.values["valid_accuracy"][position, : result.trained[name] + 1]
        np.testing.assert_allclose(np.asarray(trace.y), values, atol=1e-4)


def test_it_ends_in_a_small_cross_and_the_winner_in_a_ring(figure, curves, result):
    crosses, ring = selection(figure)["discarded"], selection(figure)["chosen"]
    assert list(crosses.x) == list(result.discarded.values())
    assert crosses.marker.symbol == "x-thin"
    assert crosses.text[0].startswith(f"<b>{next(iter(result.discarded))}</b> discarded at epoch")
    assert list(ring.x) == [600]
    winner = curves.sub_spaces.index(result.winner)
    assert list(ring.marker.color) == [sub_space_look(winner).outline]
    assert ring.y[0] == curves.value("valid_accuracy", winner, 600)


def test_milestones_show_how_many_are_left(figure):
    notes = [note for note in figure.layout.annotations if note.yref == "y2 domain"]
    assert [(note.x, note.text) for note in notes] == [(30, "→ 4"), (103, "→ 2")]
    assert notes[0].hovertext == "epoch 30: 8 sub-supernets become 4"
    lower = [trace for trace in figure.data if trace.yaxis == "y2"]
    dotted = [trace.x for trace in lower if trace.line.dash == "dot"]
    assert dotted == [(30, 30), (103, 103)]


def test_its_alternative_has_the_verdict(curves):
    result = successive_halving(curves, (30, 100))
    text = alternative(replay_figure(curves, result))
    assert verdict(result) in text
    assert "milestones at 30 and 100 of 600 epochs, as in the paper" in text
    gone = [name for name, epoch in result.discarded.items() if epoch == 30]
    assert f"At epoch 30 {', '.join(gone)} are discarded." in text


def test_curves_of_other_strategies(curves):
    random = selection(replay_figure(curves, random_sub_supernet(curves)))
    assert all(last_epoch(random[name]) == 600 for name in curves.sub_spaces)
    assert "chosen" not in random
    best = oracle(curves)
    known = selection(replay_figure(curves, best))
    assert [name for name in curves.sub_spaces if name in known] == [best.winner]
    top = selection(replay_figure(curves, top_k(curves, 1)))
    assert list(top["discarded"].x) == [0] * 7
    everything = selection(replay_figure(curves, train_all(curves)))
    assert "discarded" not in everything
    assert list(everything["chosen"].x) == [600]


def test_one_sub_supernet_of_one_epoch(synthetic_search):
    frame = read_frame(synthetic_search(sub_spaces=1, epochs=1, first=1))
    figure = replay_figure(frame, successive_halving(frame, []))
    assert list(selection(figure)["chosen"].x) == [1]


def test_a_cursor_has_a_dot_on_every_remaining_curve(curves, result):
    for epoch in (0, 30, 103, 600):
        figure = replay_figure(curves, result, epoch)
        left, right = figure.data[-2:]
        lead = leaders(curves, result.trained).set_index("epoch").loc[epoch]
        assert result.trained[lead["sub_space"]] >= epoch
        assert left.y[1] == round(lead["test_accuracy"], 2)
        for position, name in enumerate(curves.sub_spaces):
            value = curves.value("valid_accuracy", position, epoch)
            dot = right.y[position + 1]
            assert dot == (round(value, 2) if epoch <= result.trained[name] else None)
        low, high = figure.layout.yaxis2.range
        assert right.y[0] == pytest.approx(low, abs=0.01)
        assert right.y[-1] == pytest.approx(high, abs=0.01)


def test_no_discarded_sub_supernet_leads_and_its_curves_are_faded(curves, result):
    figure = replay_figure(curves, result)
    upper = [trace for trace in figure.data if trace.yaxis != "y2"]
    living = leaders(curves, result.trained)["test_accuracy"]
    (dots,) = [trace for trace in upper if trace.name == "leader"]
    assert list(dots.y) == pytest.approx(list(living), abs=1e-4)
    faded = {trace.name for trace in upper if trace.opacity is not None and trace.opacity < 1}
    assert faded - {None} == set(result.discarded)


def test_a_cursor_is_upright(figure):
    for trace in figure.data[-2:]:
        assert 0 < trace.dx * len(trace.y) < 1e-6
        assert trace.connectgaps
        sizes = list(trace.marker.size)
        assert sizes[0] == sizes[-1] == 0


def test_it_stops_at_even_epochs_milestones_and_ends(curves, result, synthetic_search):
    assert cursor_stops(curves, result) == sorted({*range(0, 601, 10), 30, 103, 600})
    assert cursor_stops(curves, result, 600) == list(range(601))
    assert cursor_stops(curves, result, 7) == [0, 30, 100, 103, 200, 300, 400, 500, 600]
    short = read_frame(synthetic_search(epochs=20, first=1))
    assert cursor_stops(short, successive_halving(short, (1, 3))) == list(range(1, 21))
    few = read_frame(synthetic_search().query("epoch % 7 == 4 or epoch == 600"))
    stops = cursor_stops(few, successive_halving(few, (32,)), 20)
    assert set(stops) <= set(few.epochs.tolist())
    assert {4, 32, 600} <= set(stops)


def test_the_cursor_starts_at_the_given_epoch(curves, result):
    figure = replay_figure(curves, result, cursor=98)
    assert [trace.x0 for trace in figure.data[-2:]] == [98, 98]
    assert replay_figure(curves, result).data[-1].x0 == 0


def test_moving_the_cursor_changes_no_curve(curves, result):
    one = replay_figure(curves, result, cursor=0).to_plotly_json()
    other = replay_figure(curves, result, cursor=300).to_plotly_json()
    assert json.dumps(one["data"][:-2], default=str) == json.dumps(other["data"][:-2], default=str)


def test_it_is_small_and_deterministic(figure, curves, result):
    assert len(figure.to_json()) < 46_000
    assert figure.to_json() == replay_figure(curves, result).to_json()


def test_each_sub_space_is_once_in_the_legend(figure, curves):
    shown = [trace.name for trace in figure.data if trace.name and trace.showlegend is not False]
    assert sorted(shown) == sorted(curves.sub_spaces)
    title = figure.layout.title.text
    assert all(sign in title for sign in ("red: ", "cross: discarded", "ring: chosen"))


def test_both_panels_are_in_its_alternative(figure, result):
    assert "The leader finds the best architecture at" in alternative(figure)
    assert f"({result.best})" in alternative(figure)


def test_one_panel_is_above_the_other_over_the_same_epochs(figure):
    layout = figure.layout
    assert layout.yaxis.domain[0] > layout.yaxis2.domain[1]
    assert layout.xaxis.matches == "x2"
    headings = {note.text: note.y for note in layout.annotations if note.xref == "paper"}
    assert headings == {
        "test accuracy of the architecture found, %": layout.yaxis.domain[1],
        "validation accuracy of the supernet, %": layout.yaxis2.domain[1],
    }


@pytest.mark.parametrize("strategy", [random_sub_supernet, oracle, lambda c: top_k(c, 2)])
def test_dots_of_other_strategies(strategy, curves):
    selected = strategy(curves)
    figure = replay_figure(curves, selected, 600)
    dots = [value for value in figure.data[-1].y[1:-1] if value is not None]
    expected = {"one_at_random": 8, "oracle": 1, "top_k": 2}[selected.strategy]
    assert len(dots) == expected


def test_gaps_have_no_dots(synthetic_search):
    frame = synthetic_search(epochs=20).query("sub_space != 'S2' or epoch != 10")
    frame = frame.assign(test_accuracy=frame["test_accuracy"].where(frame["epoch"] != 4, np.nan))
    data = read_frame(frame)
    result = successive_halving(frame, [])
    assert replay_figure(data, result, 10).data[-1].y[2] is None
    assert replay_figure(data, result, 4).data[-2].y[1] is None


def test_scores_in_another_unit_are_named_with_it(synthetic_search):
    frame = synthetic_search()
    frame = frame.assign(test_accuracy=frame["test_accuracy"] / 100 - 1)
    (other,) = curves_by_seed(frame, "negative loss").values()
    figures = [
        search_curves_figure(other),
        replay_figure(other, successive_halving(other, (2,))),
        schedules_figure(schedule_grid({0: other}), unit=other.unit),
    ]
    for figure in figures:
        texts = [trace.hovertemplate or " ".join(trace.hovertext or ()) for trace in figure.data]
        found = [text for text in [*texts, alternative(figure)] if "find" in text.lower()]
        assert found and all("negative loss" in text and "%<" not in text for text in found)
