import json
from dataclasses import replace

import pytest
from textbook_selection import hand_curves, long_form

from fewshot_core.selection import (
    cost_text,
    oracle,
    random_sub_supernet,
    result_document,
    successive_halving,
    top_k,
    train_all,
    verdict,
)


def curves_of(valid, found):
    return long_form(valid, found, first=1)


def test_the_best_was_discarded():
    assert verdict(successive_halving(hand_curves(), (2, 4))) == (
        "Found 93.80% (S5), best 94.30% (S3) was discarded at epoch 2, cost 4.7 runs."
    )


def test_the_winner_is_the_best():
    assert verdict(successive_halving(hand_curves(), (3,))) == (
        "Found 94.30% (S3), the best there is to find, cost 6 runs."
    )


def test_the_best_was_there_to_the_end_but_not_chosen():
    frame = curves_of({"S1": [1, 2], "S2": [2, 1]}, {"S1": 90.0, "S2": 91.25})
    assert verdict(successive_halving(frame, [])) == (
        "Found 90.00% (S1), best 91.25% (S2) was trained to the end but not chosen: S1 was ahead "
        "by validation accuracy, cost 2 runs."
    )
    with_loss = frame.assign(valid_loss=[2.0, 1.0, 2.0, 3.0])
    assert "S1 was ahead by validation loss" in verdict(
        successive_halving(with_loss, [], rank_by="valid_loss")
    )


def test_a_tie_at_the_end():
    frame = curves_of({"S1": [1, 50], "S2": [2, 50]}, {"S1": 90.0, "S2": 91.0})
    assert verdict(successive_halving(frame, [])) == (
        "Found 90.00% (S1), best 91.00% (S2) was trained to the end but not chosen: it tied with "
        "S1, cost 2 runs. At the end S1 and S2 were exactly equal in validation accuracy "
        "(50.00%): S1 was kept only for coming first."
    )


def test_a_tie_at_a_milestone():
    frame = curves_of(
        {"S1": [5, 9], "S2": [5, 8], "S3": [5, 7], "S4": [1, 6]},
        {"S1": 90.0, "S2": 91.0, "S3": 92.0, "S4": 89.0},
    )
    assert verdict(successive_halving(frame, [1])) == (
        "Found 90.00% (S1), best 92.00% (S3) was discarded at epoch 1, cost 3 runs. At epoch 1 "
        "S1, S2 and S3 were exactly equal in validation accuracy (5.00%): S1 and S2 were kept only "
        "for coming first."
    )


def test_others_would_have_found_as_much():
    frame = curves_of({"S1": [1], "S2": [2], "S3": [0]}, dict.fromkeys(["S1", "S2", "S3"], 90.0))
    assert verdict(successive_halving(frame, [])) == (
        "Found 90.00% (S2), the best there is to find, as S1 and S3 would have, cost 3 runs."
    )


def test_what_selection_is_measured_against():
    frame = hand_curves()
    assert verdict(train_all(frame)) == "Found 94.30% (S3), the best there is to find, cost 8 runs."
    assert verdict(oracle(frame)) == (
        "Found 94.30% (S3), the best there is to find, cost 1 run if it had been known beforehand."
    )
    assert verdict(random_sub_supernet(frame)) == (
        "One sub-supernet at random finds 91.39% on average, best 94.30% (S3), cost 1 run."
    )
    assert verdict(top_k(frame, 1)) == (
        "Found 93.80% (S5), best 94.30% (S3) was discarded at epoch 0, cost 1 run."
    )


def test_small_differences_are_still_seen():
    result = successive_halving(hand_curves(), (2, 4))
    close = replace(result, test_accuracy=94.2999, regret=0.0001)
    assert "Found 94.2999% (S5), best 94.3000% (S3)" in verdict(close)


@pytest.mark.parametrize(
    ("cost", "text"),
    [(1, "1 run"), (1.04, "1 run"), (2.5333, "2.5 runs"), (8, "8 runs"), (10.0, "10 runs")],
)
def test_costs_in_words(cost, text):
    assert cost_text(cost) == text


def test_a_document_goes_to_json_and_back():
    frame = hand_curves().assign(architecture=range(56))
    for result in (
        successive_halving(frame, (2, 4)),
        train_all(frame),
        oracle(frame),
        random_sub_supernet(frame),
    ):
        document = result_document(result)
        assert json.loads(json.dumps(document, allow_nan=False)) == document
        assert document["verdict"] == verdict(result)
    document = result_document(successive_halving(frame, (2, 4)))
    assert document["survivors"]["4"] == ["S2", "S5"]
    assert document["milestones"] == [2, 4]
    assert document["architecture"] == 34
    assert document["discarded_at"] == 2
