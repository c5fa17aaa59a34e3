import pandas as pd
import pytest

from fewshot_core.plots import alternative, proxy_figure, schedules_figure
from fewshot_core.selection import Choice, proxy_correlation, schedule_grid


@pytest.fixture(scope="module")
def seeds(synthetic_search):
    parts = [synthetic_search(seed, epochs=60).assign(seed=seed) for seed in range(3)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def grid(seeds):
    return schedule_grid(seeds)


def points(figure):
    """Cost and regret of every point, by its row."""
    return {
        row: (x, y)
        for trace in figure.data
        if trace.customdata is not None
        for row, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)
    }


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_every_strategy_is_a_point(grid):
    figure = schedules_figure(grid)
    found = points(figure)
    assert sorted(found) == list(range(len(grid)))
    for row, (cost, regret) in found.items():
        assert (cost, regret) == (grid["cost"][row], grid["regret"][row])
    assert "means of 3 seeds" in figure.layout.title.text
    assert len(figure.to_json()) < 90_000
    assert figure.to_json() == schedules_figure(grid).to_json()


def test_the_pareto_front(grid):
    front = named(schedules_figure(grid), "Pareto front")
    best = grid[grid["pareto"]].sort_values("cost")
    assert list(front.x) == sorted(set(best["cost"]))
    assert list(front.y) == sorted(front.y, reverse=True)
    assert front.line.shape == "hv"


def test_references_and_published_schedules_have_names(grid):
    signs = {sign.text for sign in schedules_figure(grid).layout.annotations}
    expected = {"paper", "GM-NAS", "ceiling", "chance", "oracle"}
    assert signs == {f"<b>{mark}</b>" for mark in expected}


def test_hover_text_has_name_and_cost(grid):
    choice = Choice(milestones=(3, 10))
    at = int(grid.index[(grid["label"] == choice.label)][0])
    trace = named(schedules_figure(grid), "Successive halving")
    text = trace.hovertext[list(trace.customdata).index(at)]
    assert choice.label in text
    assert "(paper)" in text
    assert f"cost {grid['cost'][at]:.2f} runs" in text
    assert "±" in text


def test_points_with_a_name_are_not_in_the_legend(grid):
    figure = schedules_figure(grid, selected=4)
    shown = {trace.name for trace in figure.data if trace.showlegend is not False}
    assert shown == {"Pareto front", "Successive halving", "Top k"}
    assert "ring: the replayed strategy" in figure.layout.title.text
    assert "ring" not in schedules_figure(grid).layout.title.text


def test_a_ring_around_the_replayed_strategy(grid):
    ring = named(schedules_figure(grid, selected=4), "replayed")
    assert (ring.x[0], ring.y[0]) == (grid["cost"][4], grid["regret"][4])


def test_one_seed_has_no_bars(seeds):
    grid = schedule_grid(seeds[seeds["seed"] == 0])
    trace = named(schedules_figure(grid), "Successive halving")
    assert trace.error_y.array is None
    assert "±" not in trace.hovertext[0]


def test_alternative_of_the_comparison(grid):
    text = alternative(schedules_figure(grid))
    assert text.startswith(f"Cost against regret of {len(grid)} strategies. On the Pareto front: ")
    paper = grid[grid["mark"] == "paper"].iloc[0]
    on = "on" if paper["pareto"] else "not on"
    expected = f"{paper['cost']:.2f} runs, regret {paper['regret']:.2f} points, {on} the front."
    assert f"The schedule of the paper: {expected}" in text
    assert "The schedule of GM-NAS:" in text


def test_nothing_to_compare(synthetic_search):
    for frame in (pd.DataFrame(), schedule_grid(synthetic_search(epochs=5), [])):
        figure = schedules_figure(frame)
        assert not figure.data
        assert figure.layout.annotations[0].text == "no strategy to compare"


def test_correlations_over_epochs(seeds):
    frame = proxy_correlation(seeds)
    figure = proxy_figure(frame, milestones=(3, 10))
    tau, rho = named(figure, "Kendall's tau"), named(figure, "Spearman's rho")
    assert list(tau.y) == pytest.approx(frame["kendall"].tolist(), abs=1e-6)
    assert list(rho.y) == pytest.approx(frame["spearman"].tolist(), abs=1e-6)
    assert figure.layout.yaxis.range == (-1.05, 1.05)
    assert "lowest to highest of 3 seeds" in figure.layout.title.text
    area = next(trace for trace in figure.data if trace.fill == "tonexty")
    assert list(area.y) == pytest.approx(frame["kendall_high"].tolist(), abs=1e-6)
    random, *lines = figure.layout.shapes
    assert (random.y0, random.y1) == pytest.approx((-18 / 28, 18 / 28))
    assert [line.x0 for line in lines] == [0, 3, 10]
    assert len(figure.to_json()) < 20_000
    again = proxy_figure(frame, milestones=(3, 10))
    assert figure.to_json() == again.to_json()


def test_alternative_of_correlations(seeds, synthetic_search):
    frame = proxy_correlation(seeds[seeds["seed"] == 0])
    text = alternative(proxy_figure(frame))
    last = frame.iloc[-1]
    assert f"{last['kendall']:.2f} at epoch 60" in text
    above = int((frame["kendall"] >= 18 / 28).sum())
    assert f"at {above} of {len(frame)} epochs" in text
    few = proxy_correlation(synthetic_search(sub_spaces=3, epochs=5))
    assert "random order" not in alternative(proxy_figure(few))
    assert len(proxy_figure(few).layout.shapes) == 1


def test_no_correlation(synthetic_search):
    equal = synthetic_search(epochs=5).assign(valid_accuracy=50.0)
    for frame in (pd.DataFrame(), proxy_correlation(equal)):
        figure = proxy_figure(frame)
        assert not figure.data
        assert figure.layout.annotations[0].text == "no correlation to draw"
