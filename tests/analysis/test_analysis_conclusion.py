import numpy as np
import pandas as pd
import pytest
from textbook_trees import CONVOLUTION, convolution_tree, grow, random_table

from fewshot_core.analysis import SplitEvaluator, conclusion, report_frame
from fewshot_core.errors import TableError


def row(split, gain, percentile=None, best=0.02, width=1.0, **others):
    known = percentile is not None
    return {
        "split": split,
        "threshold": 0.01,
        "gain_bits": gain,
        "best_bits": best if known else np.nan,
        "share_of_best": gain / best if known and best else np.nan,
        "percentile": percentile if known else np.nan,
        "percentile_low": max(percentile - width, 0) if known else np.nan,
        "percentile_high": min(percentile + width, 100) if known else np.nan,
        "random_trees": 10_000 if known else pd.NA,
    } | others


def said(*rows):
    return conclusion(pd.DataFrame(rows, columns=list(row("a", 0.0, 1.0, dataset="x"))[:9]))


def test_several_splits_are_ranked_beside_chance():
    assert said(
        row("synflow", 0.002, 10),
        row("params", 0.018, 99.97),
        row("snip", 0.008, 90),
        row("ntk", 0.009, 92),
        row("grasp", 0.005, 50.5),
        row("own", 0.004),
    ) == (
        "Of 6 splits, params tells the most about where the top 1% lies: 0.0180 bits, 90% of the "
        "best tree of this shape, at percentile 99.9 of 10,000 random trees; ntk (0.0090) and snip "
        "(0.0080) tell more than most random trees; grasp (0.0050) is in the middle of the random "
        "trees; synflow (0.0020) tells less than most random trees; own (0.0040) has a shape of "
        "its own, without random trees to compare with."
    )


def test_the_interval_decides_what_is_said_of_chance():
    lead = row("first", 0.01, 99)
    assert "b (0.0050) is in the middle" in said(lead, row("b", 0.005, 50.9))
    assert "b (0.0050) tells more than" in said(lead, row("b", 0.005, 51.1))
    assert "b (0.0050) is in the middle" in said(lead, row("b", 0.005, 49.1))
    assert "b (0.0050) tells less than" in said(lead, row("b", 0.005, 48.9))
    assert "b (0.0050) and c (0.0040) are in the middle" in said(
        lead, row("b", 0.005, 50), row("c", 0.004, 50)
    )


@pytest.mark.parametrize(
    ("percentile", "words"),
    [
        (100, "above all of 10,000 random trees"),
        (99.99, "at percentile 99.9 of"),
        (87.18, "at percentile 87.2 of"),
        (0.005, "at percentile 0.1 of"),
        (0, "below all of 10,000 random trees"),
    ],
)
def test_a_place_among_random_trees_is_not_rounded_beyond_all(percentile, words):
    assert words in said(row("a", 0.01, percentile))


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.02, "as much as the best tree of this shape"),
        (0.01999, "over 99% of the best tree"),
        (0.0198, "99% of the best tree"),
        (0.00885, "44% of the best tree"),
    ],
)
def test_a_share_of_the_best_tree_is_not_rounded_up_to_all(gain, words):
    assert words in said(row("a", gain, 90))


def test_one_split_is_not_called_the_best():
    assert said(row("params", 0.0088, 87.2)) == (
        "params tells 0.0088 bits about where the top 1% lies, 44% of the best tree of this shape, "
        "at percentile 87.2 of 10,000 random trees."
    )
    assert said(row("mine", 0.0088)) == (
        "mine tells 0.0088 bits about where the top 1% lies, in a shape of its own."
    )


def test_equal_splits_share_the_lead():
    assert said(row("a", 0.01, 95), row("c", 0.002, 9), row("b", 0.01, 95)) == (
        "Of 3 splits, a and b tell the most about where the top 1% lies: 0.0100 bits each, 50% of "
        "the best tree of this shape, at percentile 95.0 of 10,000 random trees; c (0.0020) tells "
        "less than most random trees."
    )
    assert said(row("a", 0.01, 95), row("b", 0.01, 95)).startswith(
        "Both splits tell the same about where the top 1% lies: 0.0100 bits each, 50%"
    )
    assert said(*(row(name, 0.01, 95) for name in "abc")).startswith("All 3 splits tell the same")


def test_equal_splits_of_other_shapes_stand_in_no_common_place():
    words = said(row("a", 0.01, 95), row("b", 0.01, 60, best=0.04))
    assert words == "Both splits tell the same about where the top 1% lies: 0.0100 bits each."


def test_splits_that_tell_nothing_are_not_ranked():
    assert said(row("a", 0.0, 50, best=0)) == "The split tells nothing about where the top 1% lies."
    assert said(row("a", 0.0, 0), row("b", 1e-15, 0)) == (
        "None of the splits tells anything about where the top 1% lies."
    )
    assert said() == "There are no splits to compare."


def test_every_data_set_has_a_sentence():
    rows = [row("a", 0.01, 90, dataset="cifar10"), row("a", 0.0, 0, dataset="cifar100")]
    assert conclusion(pd.DataFrame(rows)) == (
        "On cifar10, a tells 0.0100 bits about where the top 1% lies, 50% of the best tree of this "
        "shape, at percentile 90.0 of 10,000 random trees. On cifar100, the split tells nothing "
        "about where the top 1% lies."
    )


def test_the_threshold_is_named_and_must_be_one():
    assert "the top 0.1% lies" in said(row("a", 0.01, 90, threshold=0.001))
    with pytest.raises(TableError, match=r"the top 1%, 10%"):
        said(row("a", 0.01, 90), row("b", 0.01, 90, threshold=0.1))


def test_reports_are_put_into_words():
    splits = {"ours": convolution_tree(), "mine": grow([(0, CONVOLUTION)])}
    words = conclusion(report_frame(splits, SplitEvaluator(random_table(0), 0.05)))
    assert words.startswith("Of 2 splits, ours tells the most about where the top 5% lies: ")
    assert words.count(".") - words.count("0.") <= 2 and "; mine (0.00" in words


def test_the_words_for_the_benchmark(tables, splits):
    named = {metric: of["cifar10"] for metric, of in splits.items()} | {"ours": convolution_tree()}
    words = conclusion(report_frame(named, SplitEvaluator(tables["cifar10"])))
    assert words == (
        "Of 4 splits, ours tells the most about where the top 1% lies: 0.0162 bits, 99% of the "
        "best tree of this shape, above all of 10,000 random trees; gradientmatching (0.0144) and "
        "params (0.0088) tell more than most random trees; synflow (0.0048) tells less than most "
        "random trees."
    )
