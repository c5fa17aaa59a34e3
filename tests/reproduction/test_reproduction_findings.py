"""Questions beyond the paper, the bounds of trees, and the figures of the page."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewshot_core.analysis import best_tree, information_gain, random_trees
from fewshot_core.analysis.trees import count_table, product_gain
from fewshot_core.bench import load_accuracy
from fewshot_core.plots import dots_figure, dots_svg
from fewshot_core.reproduction import FINDINGS, Verdict, findings_markdown, read_bounds
from fewshot_core.reproduction.findings import variance_share
from fewshot_core.reproduction.material import MOST_PARAMETERS, differences
from fewshot_core.reproduction.reading import recorded_splits
from fewshot_core.space import SubSpace
from fewshot_core.store import Store

NEAR, INFORMATIVE, CHANCE, BATCH, TIES, ESTIMATE, _, PARAMETERS, BETTER = FINDINGS
DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "runs"


@pytest.fixture
def across(split, accuracies, trees):
    """Rows of ``read_across`` of splits by metric and seed, each at a position."""

    def make(positions, batch="batch of 64", leaves=None, **others):
        report = accuracies.evaluator.report(trees["alone"])
        rows = [
            {
                **{"space": "A", "dataset": "B", "kind": "test", "table": "T", "evidence": batch},
                **{"network": "E", "tree": "", "batch": batch},
                **{"strongest": True, "float32_ties": 0},
                **{"split": f"{metric}-{seed}-{batch}", "gain_bits": 0.01 * report.gain_bits},
                **{"metric": metric, "seed": str(seed), "position": value, "conclusive": True},
                "ties": split("params", trees["alone"]).ties,
                "share_of_best": report.comparison.share_of_best,
                "percentile_low": report.comparison.percentile_low,
                "percentile_high": 99.0,
                "percentile": 50 + 40 * value,
                "leaves": leaves or (metric, seed),
                "runs": (f"split-{metric}-{seed}",),
                **others,
            }
            for metric, values in positions.items()
            for seed, value in enumerate(values)
        ]
        return pd.DataFrame(rows)

    return make


def one(claim, material):
    [(finding, _)] = claim.evidence(material)
    return finding


def test_the_gain_of_equal_groups_is_that_of_their_tree(accuracies, trees):
    table = count_table(accuracies.evaluator.accuracy)
    groups = [((3,), (0, 1, 2, 4))] * 3
    expected = information_gain(trees["alone"], accuracies.evaluator.accuracy)
    assert product_gain(table, groups) == pytest.approx(expected, abs=1e-12)


def test_counting_parameters_is_placed_without_a_network(tmp_path):
    bounds = read_bounds(tmp_path)
    assert set(bounds["space"]) == {"NAS-Bench-201"} and set(bounds["kind"]) == {"validation"}
    sizes = bounds[bounds["dataset"] == "CIFAR-10"]["decisions"].map(len).value_counts()
    assert sizes.to_dict() == {3: 20, 4: 1, 5: 1}
    row = bounds[bounds["decisions"] == (0, 2, 5)].iloc[0]
    accuracy = load_accuracy("cifar10", data_dir=tmp_path)
    parts = [SubSpace.full()]
    for edge in (0, 2, 5):
        parts = [part.keep(edge, g) for part in parts for g in ([3], [0, 1, 2, 4])]
    chance = random_trees(accuracy, 1_000, (0, 2, 5)).mean()
    best = best_tree(accuracy, (0, 2, 5)).gain_bits
    gain = information_gain(parts, accuracy)
    assert row["position"] == pytest.approx((gain - chance) / (best - chance))


def test_near_everywhere_or_not(material):
    rows = [
        {"space": "A", "dataset": "B", "kind": "test", "table": "T", "decisions": decisions}
        | {"position": value, "percentile": 99.0, "best_bits": 0.1, "random_bits": 0.05}
        for decisions, value in [((0, 1, 2), 0.95), ((0, 1, 3), 0.9), ((0, 1, 4), 0.2)]
    ]
    found = [finding for finding, _ in NEAR.evidence(material(bounds=pd.DataFrame(rows[:2])))]
    assert [finding.verdict for finding in found] == [Verdict.HOLDS] * 2
    others = list(NEAR.evidence(material(bounds=pd.DataFrame(rows))))[1][0]
    assert others.verdict is Verdict.FAILS and others.measured.startswith("Near the best tree in 1")


def test_a_metric_is_informative_over_seeds_only(material, across):
    found = one(INFORMATIVE, material(across=across({"snip": [0.5, 0.6, 0.7], "ntk": [0.5]})))
    assert {row["metric"]: row["informative"] for row in found.table} == {
        "snip": "yes",
        "ntk": "inconclusive",
    }
    positions = {"snip": [0.5], "ntk": [0.6], "random": [0.5, 0.6, 0.7]}
    alone = one(INFORMATIVE, material(across=across(positions)))
    assert "Closest to the best tree: ntk, with" in alone.measured
    assert alone.verdict is Verdict.UNKNOWN


def test_other_trees_are_counted_apart_and_not_folded(material, across):
    positions = {"snip": [0.5, 0.6, 0.7], "ntk": [0.6, 0.7, 0.8]}
    batches = ("batch of 64", "batch of 16")
    usual = [across(positions, f"E · {batch}") for batch in batches]
    other = [across(positions, f"E · edges 5 · {batch}", tree="edges 5") for batch in batches]
    found = list(INFORMATIVE.evidence(material(across=pd.concat(usual + other))))
    assert [group.secondary for _, group in found] == [False, True, False, True]
    own = ["batch of 64", "batch of 16", "edges 5, batch of 64", "edges 5, batch of 16"]
    assert [group.title for _, group in found] == [f"6 splits of A on B, {text}" for text in own]


def test_evidence_is_named_by_what_distinguishes_it():
    labels = ["E · untrained · batch of 64", "E · trained · batch of 64", "imported"]
    assert [*differences(labels).values()] == [["untrained"], ["trained"], ["imported"]]
    assert differences(["E · untrained"]) == {"E · untrained": []}
    assert differences([]) == {}


def test_searches_of_two_networks_have_different_titles(material, searched):
    curves = dict.fromkeys(range(3), (90.0,) * 8)
    cells = [searched(curves, (90.0,) * 8, "params", seed) for seed in range(2)]
    scales = ("SNAS · 8 channels · 2 epochs", "SNAS · 16 channels · 2 epochs")
    cells = [
        replace(cell, kind=cell.kind._replace(scale=scale, name="SNAS, 2 epochs"))
        for cell, scale in zip(cells, scales, strict=True)
    ]
    titles = [group.title for group in material(searched=tuple(cells)).search_groups]
    start = "1 searched split on cifar10, SNAS, 2 epochs"
    assert titles == [f"{start}, 8 channels", f"{start}, 16 channels"]


def test_batches_of_two_networks_have_different_titles(material, across):
    positions = {"snip": [0.5, 0.6, 0.7], "ntk": [0.6, 0.7, 0.8]}
    parts = [
        across(positions, batch, network=f"E · {weights}", evidence=f"E · {weights} · {batch}")
        for weights in ("untrained", "trained")
        for batch in ("batch of 64", "batch of 16")
    ]
    found = list(BATCH.evidence(material(across=pd.concat(parts, ignore_index=True))))
    start = "2 kinds of batches, A on B"
    assert [group.title for _, group in found] == [f"{start}, untrained", f"{start}, trained"]


def test_the_share_of_variance_between_groups():
    values = pd.Series([1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 6.0, 7.0, 8.0])
    groups = pd.Series(list("aaabbbccc"))
    # Means squares between and within are 21 and 1: (21 - 1) / (21 + 2).
    share, low, high = variance_share(values, groups)
    assert share == pytest.approx(20 / 23)
    # F of 97.5% with 2 and 6 degrees of freedom is 7.2599, its 2.5% is 1 / 39.3315.
    assert low == pytest.approx((21 / 7.2599 - 1) / (21 / 7.2599 + 2), abs=1e-4)
    assert high == pytest.approx((21 * 39.3315 - 1) / (21 * 39.3315 + 2), abs=1e-4)


@pytest.mark.parametrize(("spread", "verdict"), [(1.0, Verdict.HOLDS), (0.0, Verdict.FAILS)])
def test_chance_is_told_from_metrics(material, across, spread, verdict):
    noise = np.random.default_rng(0).normal(0, 0.05, (8, 30))
    positions = {f"m{n}": list(spread * n + noise[n]) for n in range(8)}
    assert one(CHANCE, material(across=across(positions))).verdict is verdict


@pytest.mark.parametrize(
    ("moved", "verdict"), [(0.4, Verdict.HOLDS), (0.0, Verdict.FAILS), (None, Verdict.UNKNOWN)]
)
def test_batches_are_compared_by_seed(material, across, moved, verdict):
    noise = np.random.default_rng(0).normal(0, 0.01, 5)
    snip = [0.1, 0.2, 0.3, 0.4, 0.5]
    other = [0.9, 0.0, 0.8, 0.1, 0.9] if moved is None else list(np.add(snip, moved + noise))
    same = {"params": [0.9] * 5}
    parts = [
        across({"snip": snip}),
        across({"snip": other}, "batch of 64, running statistics"),
        across(same, split="one"),
        across(same, "batch of 64, running statistics", split="one"),
    ]
    found = one(BATCH, material(across=pd.concat(parts, ignore_index=True)))
    assert found.verdict is verdict
    assert "From batch statistics to running statistics (batch of 64)" in found.measured
    assert "over 1 metric," in found.measured and "params" not in found.measured
    assert ("snip (+0.40)" in found.measured) == (verdict is Verdict.HOLDS)
    assert found.table[1]["batch of 64, batch statistics"] == "0.90 (0.90 to 0.90); 5"
    assert not list(BATCH.evidence(material(across=across({"snip": snip}))))


@pytest.mark.parametrize(
    ("first", "ties", "verdict", "word"),
    [
        (0, 7, Verdict.HOLDS, "supported"),
        (0, 0, Verdict.UNKNOWN, "by its form only"),
        (3, 2, Verdict.HOLDS, "ties recorded"),
        (3, 0, Verdict.FAILS, "no"),
    ],
)
def test_tie_breaks_are_known_by_form_and_by_scores(
    material, across, trees, first, ties, verdict, word
):
    published = across(
        {"snip": [0.1]}, leaves=trees["alone" if first else "first"], runs=(), split="file-snip"
    )
    recorded = across({"snip": [0.1]}, leaves=trees["even"], float32_ties=ties)
    found = one(TIES, material(across=pd.concat([published, recorded], ignore_index=True)))
    assert found.verdict is verdict
    [row] = found.table
    assert row["tie-breaks"] == word and row["recorded: tied in float32"] == f"{ties} of 7"
    assert row["imported: first operation alone"] == ("7 of 7" if first == 0 else "0 of 7")


def test_the_mode_of_batch_norm_is_evidence_and_scores_may_overflow_float32(tmp_path):
    snip, synflow = "split-snip-cifar10-0dd5cfb8bd22", "split-synflow-cifar10-66dfebafa9c2"
    for number, name in enumerate((snip, synflow, snip)):
        copied = shutil.copytree(DEMO / name, tmp_path / "runs" / f"{name[:-1]}{number}")
        manifest = json.loads((copied / "manifest.json").read_text())
        manifest["request"] |= {"batch_norm": "running"} if number == 2 else {}
        (copied / "manifest.json").write_text(json.dumps(manifest))
    with closing(Store(tmp_path, in_memory=True)) as store:
        store.sync()
        splits = [split for split in recorded_splits(store) if split.seeds]
    assert {(split.metric, split.batch, split.float32_ties) for split in splits} == {
        ("snip", "batch of 64", 0),
        ("snip", "batch of 64, running statistics", 0),
        ("synflow", "", 7),
    }


def test_choosing_by_estimate_is_judged_over_seeds(material):
    rows = [
        {"space": "A", "dataset": "B", "kind": "test", "table": "T", "source": "S", "runs": ()}
        | {
            "estimate": "E",
            "metric": metric,
            "seed": str(seed),
            "tau": None,
            "top": None,
            "pick": 1.0,
        }
        | {"within": 0.4, "between": 0.1, "regret": 0.5 * (metric == "snip")}
        for metric, seed in product(("snip", "ntk", "random"), range(3))
    ]
    found = one(ESTIMATE, material(estimates=pd.DataFrame(rows)))
    assert "3 of 6" in found.measured and found.verdict is Verdict.UNKNOWN
    assert len(found.table) == 3


def test_a_schedule_that_wins_on_every_seed_is_found(material, searched):
    generator = np.random.default_rng(0)
    found = (90.0, 91.0, 92.0, 93.0, 94.0, 88.0, 87.0, 86.0)
    sizes = {f"S{number}": 1e5 + (number == 5) for number in range(1, 9)}
    cells = []
    for seed, metric in product(range(12), ("params", "snip")):
        worst = tuple(100 - value for value in found)
        some = tuple(value + generator.normal(0, 0.5) for value in found)
        curves = dict.fromkeys(range(61), worst)
        cell = searched(curves, some, metric, seed)
        known = cell.curves.assign(parameters=cell.curves["sub_space"].map(sizes))
        cells.append(replace(cell, curves=known))
    better = one(BETTER, material(searched=tuple(cells)))
    assert better.verdict is Verdict.HOLDS and MOST_PARAMETERS in better.reason
    points = better.points.drop_duplicates("series").set_index("series")
    assert set(points.index) == {"others", "halving (paper)", "one at random", "most parameters"}
    assert points.loc["most parameters", ["cost", "value"]].tolist() == pytest.approx(
        [1, 0], abs=0.1
    )
    assert points.loc["one at random", "low"] < points.loc["one at random", "high"]
    assert one(BETTER, material(searched=tuple(cells[:2]))).verdict is Verdict.UNKNOWN
    chosen = one(PARAMETERS, material(searched=tuple(cells)))
    assert chosen.verdict is Verdict.HOLDS and "in points: 3.80 (" in chosen.measured
    assert [row["split by"] for row in chosen.table] == ["params", "snip"]
    assert all(row["searched splits"] == 12 for row in chosen.table)
    unknown = [replace(one, curves=one.curves.drop(columns="parameters")) for one in cells]
    without = one(PARAMETERS, material(searched=tuple(unknown)))
    assert without.verdict is Verdict.UNKNOWN and "no table here" in without.reason


def test_the_page_says_what_is_missing_and_draws_figures(material, across, trees):
    positions = {"snip": [0.5, 0.6, 0.7], "ntk": [0.5, 0.2, 0.1]}
    parts = [across(positions, leaves=trees["even"])]
    parts += [across(positions, "batch of 16", trees["alone"], strongest=False)]
    there = material(
        across=pd.concat(parts, ignore_index=True),
        bounds=pd.DataFrame({"space": [], "kind": pd.Series([], dtype=str), "decisions": []}),
    )
    page, figures = findings_markdown(there, "fewshot findings", "page")
    assert "* Test scores of NAS-Bench-201" in page and "* Estimates of architectures" in page
    assert "* Searches in every sub-space of a split." in page
    assert "* Published splits" in page and "* Splits by other batch sizes" not in page
    assert list(figures) == ["page-2.svg", "page-2-2.svg"] and "](page-2.svg)" in page
    # The numbers of the weaker evidence are folded, and not in the summary.
    folded = page.partition("<details>")[2].partition("</details>")[0]
    assert "](page-2-2.svg)" in folded and "| snip | 3 |" in folded
    assert page.partition("## Method")[0].count("Mean percentile") == 1
    assert "split-snip-0" in page.split("## Runs")[1]


def test_costs_are_drawn_across():
    points = pd.DataFrame(
        [("a", "others", 2.0, 1.0, 3.0, 4.0), ("b & c", "halving", 0.5, 0.5, 0.5, 2.5)],
        columns=["label", "series", "value", "low", "high", "cost"],
    )
    svg = dots_svg(points, "Title", "regret")
    assert svg.count("<circle") == 4 and "cost, full runs" in svg
    background, halving = dots_figure(points, "Title", "regret, points (mean)").data
    assert list(halving.x) == [2.5] and list(background.error_y.array) == [1.0]


def test_dots_have_their_intervals():
    points = pd.DataFrame(
        [("a & b", "one", 0.25, 0.0, 0.5), ("c", "two", 1.0, 1.0, 1.0)],
        columns=["label", "series", "value", "low", "high"],
    )
    svg = dots_svg(points, "Title", "bits")
    assert svg.count("<circle") == 4 and "a &amp; b" in svg and ">bits</text>" in svg
    assert svg == dots_svg(points, "Title", "bits")
    figure = dots_figure(points, "Title", "bits")
    assert list(figure.data[0].error_x.arrayminus) == [0.25]
    assert dots_figure(points[:0], "Title", "bits").data == ()
