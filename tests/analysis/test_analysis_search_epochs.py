"""Recorded searches as one table."""

import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import mean_over_seeds, search_epochs
from fewshot_core.analysis.search_epochs import COLUMNS


def record(epoch, valid=50.0, architecture=7, loss=1.0):
    return {
        "epoch": epoch,
        "train_loss": loss if epoch else None,
        "train_accuracy": 30.0 if epoch else None,
        "valid_loss": 1.5,
        "valid_accuracy": valid,
        "architecture": "",
        "architecture_index": architecture,
        "probabilities": [[0.2] * 5] * 6,
        "entropy": [1.0, 0.5, 0.0, 0.0, 0.25, 0.0],
        "temperature": None,
        "seconds": 2.0,
    }


def test_each_epoch_is_a_row_with_what_the_table_says_of_the_architecture():
    table = pd.DataFrame({"architecture": [7, 8], "accuracy_mean": [91.0, 92.5]})
    searches = [("S1", 777, [record(0), record(1, 60.0, 8)]), ("S2", 777, [record(0, 40.0, 9)])]
    frame = search_epochs(searches, table)
    assert tuple(frame.columns) == COLUMNS
    assert frame["sub_space"].tolist() == ["S1", "S1", "S2"]
    assert frame["valid_accuracy"].tolist() == [50.0, 60.0, 40.0]
    assert frame["benchmark_accuracy"].tolist()[:2] == [91.0, 92.5]
    assert np.isnan(frame["benchmark_accuracy"].iloc[2])
    assert np.isnan(frame["train_loss"].iloc[0]) and frame["temperature"].isna().all()


def test_the_entropies_of_edges_add_up():
    assert search_epochs([("S1", 0, [record(0)])])["entropy"].tolist() == [1.75]


def test_without_a_table_or_without_an_epoch_there_is_still_a_table():
    assert search_epochs([("S1", 0, [record(0)])])["benchmark_accuracy"].isna().all()
    empty = search_epochs([("S1", 0, [])])
    assert empty.empty and tuple(empty.columns) == COLUMNS
    assert mean_over_seeds(empty).empty


def test_means_are_over_the_seeds_that_have_come_as_far():
    searches = [("S1", 1, [record(0, 10.0), record(1, 30.0)]), ("S1", 2, [record(0, 20.0)])]
    means = mean_over_seeds(search_epochs(searches))
    assert means["epoch"].tolist() == [0, 1]
    assert means["valid_accuracy"].tolist() == pytest.approx([15.0, 30.0])
    assert means["seeds"].tolist() == [2, 1]
