"""What holds for halving whatever the curves are."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_selection import random_curves, textbook_halving

from fewshot_core.selection import (
    RANKINGS,
    read_frame,
    successive_halving,
    top_k,
    train_all,
)

unhurried = settings(deadline=None, max_examples=40)
searches = st.tuples(
    st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(2, 12), st.sampled_from([3, 20, 1000])
)
shares = st.sampled_from([0.05, 0.25, 0.3, 0.5, 0.7, 0.75, 1.0])
ranked_by = st.sampled_from(RANKINGS.names())


@unhurried
@given(searches, st.sets(st.integers(1, 12), max_size=4), shares)
def test_it_equals_the_textbook(search, milestones, keep):
    frame = random_curves(*search)
    chosen = [epoch for epoch in milestones if epoch <= search[2]]
    slow = textbook_halving(frame, chosen, keep)
    result = successive_halving(frame, chosen, keep)
    assert result.survivors == slow["survivors"]
    assert result.winner == slow["winner"]
    assert result.cost == pytest.approx(slow["cost"])
    assert result.regret == pytest.approx(slow["regret"])


@unhurried
@given(searches, st.sets(st.integers(1, 12), max_size=4), shares, ranked_by)
def test_what_always_holds(search, milestones, keep, rank_by):
    frame = random_curves(*search)
    curves = read_frame(frame)
    chosen = [epoch for epoch in milestones if epoch <= search[2]]
    result = successive_halving(curves, chosen, keep, rank_by=rank_by)
    left = set(result.sub_spaces)
    for survivors in result.survivors.values():
        assert left >= set(survivors)
        left = set(survivors)
        assert result.winner in left
    assert result.cost >= 1 - 1e-12
    assert result.cost <= train_all(curves).cost * (1 + 1e-12)
    assert result.regret >= 0
    assert result.ceiling == train_all(curves).test_accuracy
    assert (result.discarded_at is None) == (result.best not in result.discarded)
    shuffled = frame.sample(frac=1, random_state=search[0] % 1000)
    assert successive_halving(shuffled, chosen, keep, rank_by=rank_by) == result


@unhurried
@given(searches, st.sets(st.integers(1, 12), max_size=4))
def test_keeping_all_is_training_all(search, milestones):
    curves = read_frame(random_curves(*search))
    chosen = [epoch for epoch in milestones if epoch <= search[2]]
    result, ceiling = successive_halving(curves, chosen, 1), train_all(curves)
    assert result.cost == ceiling.cost == search[1]
    assert result.trained == ceiling.trained
    assert all(len(result.survivors[epoch]) == search[1] for epoch in result.milestones)
    assert result.winner == successive_halving(curves, []).winner
    assert ceiling.regret == 0


@unhurried
@given(searches, st.sets(st.integers(1, 12), max_size=4), shares)
def test_only_the_order_of_accuracies_counts(search, milestones, keep):
    frame = random_curves(*search)
    chosen = [epoch for epoch in milestones if epoch <= search[2]]
    other = read_frame(frame.assign(valid_accuracy=frame["valid_accuracy"] ** 3 / 1e4))
    curves = read_frame(frame)
    for rank_by in ("valid_accuracy", "best_so_far"):
        result = successive_halving(curves, chosen, keep, rank_by=rank_by)
        again = successive_halving(other, chosen, keep, rank_by=rank_by)
        assert again.survivors == result.survivors


@unhurried
@given(searches, st.integers(1, 9), st.integers(1, 12))
def test_top_k_is_halving_once(search, k, epoch):
    curves, living = read_frame(random_curves(*search)), search[1]
    k, epoch = min(k, living), min(epoch, search[2] - 1)
    once = successive_halving(curves, [epoch], k / living)
    assert replace(top_k(curves, k, epoch), strategy="halving") == once
