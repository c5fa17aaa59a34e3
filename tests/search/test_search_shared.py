"""Accuracies with shared weights, kept beside a run and compared to a table."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from fewshot_core.search import SearchError
from fewshot_core.search.proxy import (
    FILE,
    Correlation,
    SharedAccuracies,
    compare,
    correlation_text,
    draw,
    rank_correlation,
    read_shared,
    write_shared,
)

SHARED = SharedAccuracies(2, 0, 32, True, (3, 5, 8, 9), (10.0, 30.0, 20.0, 40.0))


def test_what_was_measured_is_kept(tmp_path):
    assert read_shared(tmp_path) is None
    write_shared(tmp_path, SHARED)
    assert read_shared(tmp_path) == SHARED


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"architectures": [1], "accuracies": []}'])
def test_a_damaged_file_is_an_error(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SearchError):
        read_shared(tmp_path)


def test_each_architecture_has_one_accuracy():
    with pytest.raises(SearchError, match="for each of 4 architectures, got 1"):
        SharedAccuracies.from_dict(asdict(SHARED) | {"accuracies": [1.0]})


def test_only_what_the_table_knows_is_compared():
    table = pd.DataFrame({"architecture": [3, 5, 8], "accuracy_mean": [80.0, 90.0, 91.0]})
    correlation, frame = compare(SHARED, table)
    assert frame["architecture"].tolist() == [3, 5, 8]
    assert correlation == rank_correlation([10.0, 30.0, 20.0], [80.0, 90.0, 91.0])
    assert compare(SHARED, table.head(1))[0] is None


def test_a_sample_is_drawn_without_replacement():
    known = np.arange(100, 150)
    drawn = draw(known, 20, 1)
    assert drawn == sorted(set(drawn)) and len(drawn) == 20 and set(drawn) <= set(known.tolist())
    assert draw(known, 20, 1) == drawn != draw(known, 20, 2)
    assert draw(known, 999, 0) == known.tolist()


def test_a_correlation_is_said_with_its_interval():
    assert correlation_text(Correlation(0.5, 0.2, 0.7)) == "0.500 (interval 0.200 to 0.700)"
    assert correlation_text(Correlation(0.5, None, None)) == "0.500"
    assert "single tie" in correlation_text(Correlation(None, None, None))
