"""Figures of estimates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import (
    join_cost,
    join_estimate,
    judge_estimate,
    judge_in_split,
    report_costs,
)
from fewshot_core.plots import (
    alternative,
    costs_figure,
    estimate_figure,
    figure_numbers,
    ranking_figure,
)
from fewshot_core.space import SubSpace

FULL = SubSpace.full()
LEAVES = (FULL.keep(0, [3]), FULL.keep(0, [0, 1, 2, 4]))


@pytest.fixture(scope="module")
def frame():
    """A noisy estimate of all architectures."""
    choice = np.random.default_rng(0)
    accuracy = choice.uniform(50, 95, 15_625)
    indices = pd.DataFrame({"architecture": range(15_625)})
    noisy = indices.assign(estimate=accuracy + choice.normal(0, 9, 15_625))
    return join_estimate(noisy, indices.assign(accuracy_mean=accuracy))


def test_an_estimate_against_accuracy_is_light_and_marks_what_it_picks(frame):
    report = judge_estimate(frame)
    figure = estimate_figure(frame, report, "noisy", "accuracy, %")
    assert len(figure.to_json()) < 40_000
    density, top, picked = figure.data
    counts = 10 ** np.nan_to_num(density.z.astype(float)) - 1
    assert counts.sum() == pytest.approx(0.95 * 15_625, rel=1e-3)  # without the lowest
    assert "not shown: 78" in figure.layout.title.text
    assert len(top.x) == 157 and picked.customdata.tolist() == list(report.picked)
    assert f"Kendall's tau {report.overall.kendall.value:.3f}" in alternative(figure)
    assert len(figure_numbers(figure)) == 15_625


def test_the_ranking_has_a_row_for_the_space_the_top_and_each_sub_space(frame):
    opposite = frame.assign(estimate=-frame["estimate"])
    judged = {
        name: (judge_estimate(one), judge_in_split(one, LEAVES))
        for name, one in (("noisy", frame), ("opposite", opposite))
    }
    figure = ranking_figure(judged, split="by hand")
    rows = ["whole space", "top 1%", "S1", "S2", "between sub-spaces"]
    assert list(figure.layout.yaxis.ticktext) == rows
    noisy, other = figure.data[:2]
    assert list(noisy.text) == rows
    np.testing.assert_allclose(noisy.x, -np.array(other.x), atol=1e-9)
    report, inside = judged["noisy"]
    assert noisy.x[0] == report.overall.kendall.value
    assert list(noisy.x[2:4]) == inside.sub_spaces["tau"].tolist()
    assert "noisy ranks best" in alternative(figure)
    assert "no estimate" in alternative(ranking_figure({}))
    alone = ranking_figure({"noisy": (report, None)})
    assert list(alone.layout.yaxis.ticktext) == rows[:2]


def test_accuracy_against_cost_is_light_and_has_a_front_for_each_sub_space():
    choice = np.random.default_rng(0)
    cost = choice.uniform(1, 20, 15_625)
    accuracy = pd.DataFrame({"architecture": range(15_625)}).assign(
        accuracy_mean=60 + cost + choice.normal(0, 4, 15_625)
    )
    frame = join_cost(accuracy[["architecture"]].assign(cost=cost), accuracy)
    report = report_costs(frame, LEAVES)
    report = replace(report, worst=(report.worst[0], 62.0))
    figure = costs_figure(frame, report, "latency, ms", "accuracy, %", highlight="S2")
    assert len(figure.to_json()) < 60_000
    whole, one, two = figure.data[1:]
    assert [trace.name for trace in (whole, one, two)] == ["all", "S1", "S2"]
    for trace in (whole, one, two):
        front = report.fronts[report.fronts["sub_space"] == trace.name]
        assert set(trace.customdata) == set(front["architecture"][front["accuracy_mean"] >= 62])
    assert (one.opacity, two.opacity) == (0.25, 1.0)
    below = int((frame["accuracy_mean"] < 62).sum())
    assert f"not shown: {below:,} architectures below 62" in figure.layout.title.text
    assert f"{report.table['front'].iloc[0]} architectures are on the Par" in alternative(figure)
    alone = costs_figure(frame, report_costs(frame), "latency, ms", "accuracy, %")
    assert [trace.name for trace in alone.data[1:]] == ["all"]
