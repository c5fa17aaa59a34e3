"""Figures of what matters for accuracy."""

import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import importance, operation_effects, top_architectures
from fewshot_core.plots import (
    alternative,
    decisions_figure,
    effects_figure,
    figure_source,
    importance_figure,
)
from fewshot_core.space import Architecture


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Accuracies that depend on the second edge alone: 3x3 is better by 8 points."""
    operations = np.arange(15625) // 5**4 % 5
    return pd.DataFrame(
        {"architecture": np.arange(15625), "accuracy_mean": 50 + 8.0 * (operations == 3)}
    )


def test_the_diagonal_has_the_shares_of_single_edges(table):
    figure = importance_figure(importance(table))
    values = np.array(figure.data[0].z, dtype=float)
    assert values[1, 1] == pytest.approx(100)
    assert values[2, 1] == pytest.approx(0) and np.isnan(values[1, 2])
    assert figure.data[0].text[1][1] == "100.0%"
    assert "2<-0 explains 100.0% of the variance by itself" in alternative(figure)
    assert not importance_figure(importance(table.assign(accuracy_mean=1.0))).data


def test_effects_are_points_above_the_mean(table):
    figure = effects_figure(operation_effects(table))
    values = np.array(figure.data[0].z, dtype=float)
    assert values[1].tolist() == pytest.approx([-1.6, -1.6, -1.6, 6.4, -1.6])
    assert np.allclose(values[0], 0)
    assert "3x3 on 2<-0 raises the mean accuracy most, by 6.40" in alternative(figure)


def test_every_top_architecture_is_a_line_through_its_operations(leaves, accuracy):
    top = top_architectures(leaves, accuracy)
    figure = decisions_figure(top, highlight="S8")
    drawn = {}
    for trace in figure.data:
        heights = np.reshape(trace.y, (-1, 7))
        for number, line in zip(np.reshape(trace.customdata, (-1, 7))[:, 0], heights, strict=True):
            drawn[int(number)] = tuple(np.rint(line[:6]).astype(int))
            assert np.isnan(line[6])
    assert drawn == {
        int(index): Architecture.from_index(int(index)).operations for index in top["architecture"]
    }
    counts = top["sub_space"].value_counts()
    assert {trace.name for trace in figure.data} == {f"{n} ({c})" for n, c in counts.items()}
    assert [trace.opacity for trace in figure.data if trace.name.startswith("S8")] == [0.75]
    assert min(trace.opacity for trace in figure.data) < 0.2
    assert len(figure.to_json()) < 60_000
    assert "decisions_figure" in figure_source(figure)


def test_decisions_without_a_split_and_of_very_many(accuracy):
    many = top_architectures((), accuracy, 0.1)
    figure = decisions_figure(many)
    assert [trace.name for trace in figure.data] == ["whole space (200)"]
    assert "the best 200 of 1,563" in figure.layout.title.text
    assert not decisions_figure(many.iloc[:0]).data
