import numpy as np
import pandas as pd
import pytest
from made_up_searches import made_up_search

from fewshot_core.plots import SUB_SPACE_COLOURS, alternative, halving_figure
from fewshot_core.plots.template import outline_colour
from fewshot_core.selection import (
    oracle,
    random_sub_supernet,
    read_frame,
    successive_halving,
    top_k,
    train_all,
    verdict,
)


@pytest.fixture(scope="module")
def curves():
    return read_frame(made_up_search())


@pytest.fixture(scope="module")
def result(curves):
    return successive_halving(curves, (30, 100))


def named(figure, name):
    return next((trace for trace in figure.data if trace.name == name), None)


def last_epoch(trace):
    if trace.x is not None:
        return int(np.asarray(trace.x)[-1])
    return trace.x0 + trace.dx * (len(trace.y) - 1)


def test_a_curve_ends_where_its_sub_supernet_is_discarded(curves, result):
    figure = halving_figure(curves, result)
    for position, name in enumerate(curves.sub_spaces):
        trace = named(figure, name)
        assert last_epoch(trace) == result.trained[name]
        assert trace.line.color == SUB_SPACE_COLOURS[position]
        assert trace.opacity == (0.45 if name in result.discarded else None)
        values = curves.values["valid_accuracy"][position, : result.trained[name] + 1]
        np.testing.assert_allclose(np.asarray(trace.y), values, atol=1e-4)


def test_it_ends_in_a_small_cross_and_the_winner_in_a_ring(curves, result):
    figure = halving_figure(curves, result)
    crosses, ring = named(figure, "discarded"), named(figure, "chosen")
    assert list(crosses.x) == list(result.discarded.values())
    assert crosses.marker.symbol == "x-thin"
    assert crosses.text[0].startswith(f"<b>{next(iter(result.discarded))}</b> discarded at epoch")
    assert list(ring.x) == [600]
    winner = curves.sub_spaces.index(result.winner)
    assert list(ring.marker.color) == [outline_colour(SUB_SPACE_COLOURS[winner])]
    assert ring.y[0] == curves.value("valid_accuracy", winner, 600)


def test_milestones_say_how_many_are_left(curves, result):
    figure = halving_figure(curves, result)
    assert [(sign.x, sign.text) for sign in figure.layout.annotations] == [
        (30, "→ 4"),
        (100, "→ 2"),
    ]
    assert figure.layout.annotations[0].hovertext == "epoch 30: 8 sub-supernets become 4"
    dotted = [trace.x for trace in figure.data if trace.line.dash == "dot"]
    assert dotted == [(30, 30), (100, 100)]


def test_its_words_hold_the_verdict(curves, result):
    text = alternative(halving_figure(curves, result))
    assert verdict(result) in text
    assert "milestones at 30 and 100 of 600 epochs, as in the paper" in text
    gone = [name for name, epoch in result.discarded.items() if epoch == 30]
    assert f"At epoch 30 {', '.join(gone)} are discarded." in text


def test_it_is_small_and_always_the_same(curves, result):
    figure = halving_figure(curves, result)
    assert len(figure.to_json()) < 25_000
    assert figure.to_json() == halving_figure(made_up_search(), result).to_json()
    assert len(halving_figure(curves, train_all(curves)).to_json()) < 50_000


def test_other_strategies(curves):
    chance = halving_figure(curves, random_sub_supernet(curves))
    assert all(last_epoch(named(chance, name)) == 600 for name in curves.sub_spaces)
    assert named(chance, "chosen") is None
    best = oracle(curves)
    known = halving_figure(curves, best)
    drawn = [name for name in curves.sub_spaces if named(known, name)]
    assert drawn == [best.winner]
    copied = halving_figure(curves, top_k(curves, 1))
    assert list(named(copied, "discarded").x) == [0] * 7
    everything = halving_figure(curves, train_all(curves))
    assert named(everything, "discarded") is None
    assert list(named(everything, "chosen").x) == [600]


def test_nothing_to_draw(curves, result):
    for figure in (halving_figure(curves, None), halving_figure(pd.DataFrame(), result)):
        assert not figure.data
        assert figure.layout.annotations[0].text == "no search to draw"


def test_one_sub_supernet_of_one_epoch():
    frame = made_up_search(sub_spaces=1, epochs=1, first=1)
    figure = halving_figure(frame, successive_halving(frame, []), caption=["seen"])
    assert list(named(figure, "chosen").x) == [1]
    assert "seen" in figure.layout.title.text
