"""What ``fewshot analyse`` says of splits in every form of file."""

import json
import math
from itertools import combinations, pairwise, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_trees import CONVOLUTION, convolution_tree, grow, random_table

from fewshot_core.analysis import (
    KEEP_STRATEGIES,
    SplitEvaluator,
    best_tree,
    conclusion,
    describe_sub_spaces,
    information_gain,
    keep_k,
    random_trees,
    report_frame,
    report_split,
    top_mask,
)
from fewshot_core.analysis.sub_spaces import binary_entropy, leaf_numbers
from fewshot_core.analysis.trees import random_percentile, tree_shape
from fewshot_core.cli import app as cli
from fewshot_core.errors import SpaceError, TableError
from fewshot_core.space import SubSpace
from fewshot_core.splitting import TreeOptions
from fewshot_core.splitting.files import write_masks
from fewshot_core.splitting.tree import NamedSplit

GAINS = {
    ("gradientmatching", "cifar10"): 0.0144,
    ("gradientmatching", "cifar100"): 0.0128,
    ("gradientmatching", "ImageNet16-120"): 0.0090,
    ("params", "cifar10"): 0.0088,
    ("params", "cifar100"): 0.0086,
    ("params", "ImageNet16-120"): 0.0091,
    ("synflow", "cifar10"): 0.0048,
    ("synflow", "cifar100"): 0.0078,
    ("synflow", "ImageNet16-120"): 0.0086,
}


def slow_entropy(share):
    return sum(-part * math.log2(part) for part in (share, 1 - share) if part > 0)


def slow_gain(leaves, table, threshold):
    top = dict(zip(table["architecture"], top_mask(table["accuracy_mean"], threshold), strict=True))
    gain = slow_entropy(sum(top.values()) / len(top))
    for leaf in leaves:
        inside = [top[index] for index in leaf.architecture_indices().tolist() if index in top]
        if inside:
            gain -= len(inside) / len(top) * slow_entropy(sum(inside) / len(inside))
    return gain


def cut(edge, group):
    rest = set(range(5)) - set(group)
    return [SubSpace.full().keep(edge, group), SubSpace.full().keep(edge, rest)]


@pytest.mark.parametrize(("metric", "dataset"), GAINS)
def test_published_splits(metric, dataset, tables, splits):
    gain = information_gain(splits[metric][dataset], tables[dataset])
    assert round(gain, 4) == GAINS[metric, dataset]
    assert gain == pytest.approx(slow_gain(splits[metric][dataset], tables[dataset], 0.01))


def test_the_entropy_of_the_top():
    assert round(float(binary_entropy(157 / 15625)), 4) == 0.0811
    assert binary_entropy([0, 0.5, 1]).tolist() == [0, 1, 0]


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 300),
    st.integers(0, 5),
    st.sets(st.integers(0, 4), min_size=1, max_size=4),
    st.sampled_from([0.01, 0.1, 0.5, 1.0]),
)
def test_the_gain_lies_between_zero_and_the_entropy(seed, known, edge, group, threshold):
    generator = np.random.default_rng(seed)
    chosen = generator.choice(15625, known, replace=False)
    accuracy = generator.integers(0, 30, known).astype(float)
    table = pd.DataFrame({"architecture": chosen, "accuracy_mean": accuracy})
    leaves = cut(edge, group)
    gain = information_gain(leaves, table, threshold)
    share = top_mask(table["accuracy_mean"], threshold).mean()
    assert 0 <= gain <= float(binary_entropy(share)) + 1e-12
    assert gain == pytest.approx(slow_gain(leaves, table, threshold), abs=1e-12)


def test_the_whole_space_is_uninformative_and_a_perfect_split_fully_informative():
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 1.0})
    assert information_gain([SubSpace.full()], table) == 0
    leaves = cut(0, [4])
    table["accuracy_mean"] = 0.0
    table.loc[leaves[0].architecture_indices(), "accuracy_mean"] = 1.0
    assert information_gain(leaves, table, 0.2) == pytest.approx(float(binary_entropy(0.2)))


def test_gains_without_accuracies_or_coverage_are_refused():
    table = pd.DataFrame({"architecture": [0, 15624], "accuracy_mean": [1.0, 2.0]})
    with pytest.raises(SpaceError, match="is in none"):
        information_gain(cut(0, [0])[:1], table)
    with pytest.raises(TableError, match="got none"):
        information_gain([SubSpace.full()], table.iloc[:0])


LEFT, RIGHT = grow([(0, CONVOLUTION)])
WITHOUT_SHAPE = [
    *(LEFT.keep(1, group) for group in CONVOLUTION),
    *(RIGHT.keep(2, group) for group in CONVOLUTION),
]


def test_a_report_agrees_with_the_functions():
    table, leaves = random_table(0), convolution_tree()
    report = SplitEvaluator(table, 0.02, random_trees=500).report(leaves)
    assert report.sub_spaces == 8
    assert report.threshold == 0.02
    assert report.gain_bits == information_gain(leaves, table, 0.02)
    assert report.gini == leaf_numbers(leaves, table, 0.02).gini
    comparison, gains = report.comparison, random_trees(table, 500, threshold=0.02)
    best = best_tree(table, threshold=0.02).gain_bits
    assert comparison.best_bits == best
    assert comparison.share_of_best == report.gain_bits / best
    assert comparison.random_trees == 500
    assert comparison.random_mean_bits == pytest.approx(gains.mean())
    stands = random_percentile(report.gain_bits, gains)
    assert stands == (
        comparison.percentile,
        comparison.percentile_low,
        comparison.percentile_high,
    )


def test_the_published_fault_hid_a_split_that_is_close_to_the_best(tables, splits):
    for dataset, table in tables.items():
        evaluator = SplitEvaluator(table)
        named = {metric: of_metric[dataset] for metric, of_metric in splits.items()}
        frame = report_frame(named | {"ours": convolution_tree()}, evaluator).set_index("split")
        assert frame.index[0] == "ours"
        assert frame.loc["ours", "percentile_low"] > 98
        assert frame.loc["params", "percentile_high"] < 90
        assert frame["top_entropy_bits"].round(4).tolist() == [0.0811] * 4


def test_the_optimum_of_a_published_split_is_not_where_the_mean_is_best(tables, splits):
    leaves, table = splits["gradientmatching"]["ImageNet16-120"], tables["ImageNet16-120"]
    report, described = SplitEvaluator(table).report(leaves), describe_sub_spaces(leaves, table)
    described = described.set_index("sub_space")
    assert report.optimum == (described["best"].idxmax(),)
    assert report.best_mean == (described["mean"].idxmax(),)
    assert report.optimum != report.best_mean and not report.optimum_in_best_mean


def test_an_optimum_in_several_sub_spaces_is_in_all_of_them():
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 1.0})
    report = SplitEvaluator(table).report(grow([(0, CONVOLUTION)]))
    assert report.optimum == report.best_mean == ("S1", "S2")
    assert report.optimum_in_best_mean
    assert (report.gain_bits, report.gini) == (0, 0)
    assert report.comparison.best_bits == 0 and report.comparison.share_of_best is None
    assert report.comparison.percentile == 50


def test_a_split_without_shape_is_compared_with_nothing():
    report = SplitEvaluator(random_table(1)).report(WITHOUT_SHAPE)
    assert report.comparison is None
    assert report.gain_bits > 0
    frame = report_frame({"a": WITHOUT_SHAPE}, SplitEvaluator(random_table(1)))
    assert frame[["best_bits", "percentile", "random_trees"]].isna().all(axis=None)


def test_the_baseline_of_a_shape_is_computed_once():
    evaluator = SplitEvaluator(random_table(2), random_trees=50)
    first = evaluator.baseline(TreeOptions())
    evaluator.report(convolution_tree())
    assert evaluator.baseline(TreeOptions((0, 1, 2), (2, 2, 2))) is first
    assert evaluator.baseline(TreeOptions((2, 1), (2, 2))) is not first
    assert tree_shape(first.best.leaves) == TreeOptions()
    assert len(first.gains) == 50 and (np.diff(first.gains) >= 0).all()


def test_reports_are_sorted_by_informativeness():
    evaluator = SplitEvaluator(random_table(3), random_trees=50)
    named = {
        "one": grow([(0, CONVOLUTION)]),
        "three": convolution_tree(),
        "other": WITHOUT_SHAPE,
        "all": [SubSpace.full()],
    }
    frame = report_frame(named, evaluator)
    assert frame["gain_bits"].is_monotonic_decreasing
    assert set(frame["split"]) == set(named)
    assert frame.set_index("split").loc["all", "gain_bits"] == 0
    assert frame.dtypes[["gain_bits", "percentile", "best_bits"]].tolist() == ["float64"] * 3
    empty = report_frame({}, evaluator)
    assert empty.empty and list(empty.columns) == list(frame.columns)


def test_incomplete_tables_are_evaluated_by_their_known_part():
    table = random_table(4, 300)
    report = SplitEvaluator(table, 0.1).report(convolution_tree())
    assert report.comparison.best_bits >= report.gain_bits
    assert report.optimum


def test_invalid_evaluations_are_refused():
    with pytest.raises(TableError, match="got none"):
        SplitEvaluator(random_table(0)[:0]).report(convolution_tree())
    with pytest.raises(TableError, match="above 0 and at most 1"):
        SplitEvaluator(random_table(0), 2).report(convolution_tree())
    with pytest.raises(SpaceError, match="is in none"):
        SplitEvaluator(random_table(0)).report(convolution_tree()[1:])


FIVE = [SubSpace.full().keep(2, [operation]) for operation in range(5)]


def expected_best(bests, order, k):
    """Try every order of the sub-spaces that has the higher ones first."""
    fitting = [
        [bests[place] for place in places[:k]]
        for places in permutations(range(len(bests)))
        if all(order[a] >= order[b] for a, b in pairwise(places))
    ]
    return sum(map(max, fitting)) / len(fitting)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.sampled_from([2, 4, 1000]))
def test_ties_are_averaged_over_all_orders(seed, known, values):
    table = random_table(seed, known, values)
    described = describe_sub_spaces(FIVE, table).query("known > 0")
    bests = described["best"].tolist()
    orders = {
        "oracle": bests,
        "mean": described["mean"].round(9).tolist(),
        "size": [1] * len(bests),
        "random": [1] * len(bests),
    }
    kept = keep_k(FIVE, table)
    assert list(kept.columns) == ["k", "strategy", "best", "regret"]
    assert list(kept["strategy"].unique()) == list(KEEP_STRATEGIES) == list(orders)
    for strategy, order in orders.items():
        rows = kept[kept["strategy"] == strategy]
        assert rows["k"].tolist() == list(range(1, len(bests) + 1))
        expected = [expected_best(bests, order, k) for k in rows["k"]]
        assert rows["best"].tolist() == pytest.approx(expected)
        assert rows["regret"].tolist() == pytest.approx([max(bests) - best for best in expected])


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_random_is_the_mean_over_all_choices(seed, k):
    table, leaves = random_table(seed), convolution_tree()
    bests = describe_sub_spaces(leaves, table)["best"].tolist()
    expected = np.mean([max(chosen) for chosen in combinations(bests, k)])
    kept = keep_k(leaves, table).set_index(["strategy", "k"])["best"]
    assert kept["random", k] == pytest.approx(expected)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_keeping_more_never_loses_and_nothing_beats_the_oracle(seed):
    kept = keep_k(convolution_tree(), random_table(seed)).pivot(
        index="k", columns="strategy", values="regret"
    )
    assert (kept.diff().dropna() <= 1e-9).all(axis=None)
    assert (kept.ge(kept["oracle"] - 1e-9, axis=0)).all(axis=None)
    assert kept.loc[8].tolist() == [0] * 4
    assert (kept["oracle"] == 0).all()


def test_larger_sub_spaces_are_kept_first():
    leaves = grow([(0, ((3,), (0, 1, 2, 4)))])
    table = pd.DataFrame({"architecture": range(15625), "accuracy_mean": 10.0})
    table.loc[leaves[0].architecture_indices(), "accuracy_mean"] = 90.0
    kept = keep_k(leaves, table).set_index(["strategy", "k"])
    assert kept.loc[("size", 1), "regret"] == 80
    assert kept.loc[("mean", 1), "regret"] == 0
    assert kept.loc[("random", 1), "regret"] == 40


def test_sub_spaces_without_accuracies_are_not_kept():
    table = pd.DataFrame({"architecture": [0, 1], "accuracy_mean": [1.0, 2.0]})
    kept = keep_k(convolution_tree(), table)
    assert kept["k"].tolist() == [1] * 4
    assert kept["best"].tolist() == [2.0] * 4
    with pytest.raises(TableError, match="got none"):
        keep_k(convolution_tree(), table[:0])


def test_a_published_split_loses_its_optimum(splits, tables):
    kept = keep_k(splits["params"]["ImageNet16-120"], tables["ImageNet16-120"])
    kept = kept.set_index(["strategy", "k"])["best"].round(4)
    assert kept["oracle", 1] == 47.3111
    assert kept["mean", 1] < kept["mean", 4] < kept["mean", 8] == 47.3111


HALVES = [
    SubSpace.from_rows(rows) for rows in (["11000", *["11111"] * 5], ["00111", *["11111"] * 5])
]


def test_a_document_has_plain_values():
    table = pd.DataFrame({"architecture": [0, 1], "accuracy_mean": [1.0, 2.0]})
    report = report_split("params", "cifar10", "test", "mine", HALVES, SplitEvaluator(table, 0.5))
    first, second = report["sub_spaces"]
    assert (first["size"], first["top_count"], first["best"], first["mean"]) == (6250, 1, 2.0, 1.5)
    assert (second["best"], second["mean"]) == (None, None)
    assert report["keep_k"] == {name: [2.0] for name in ("oracle", "mean", "size", "random")}
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_a_document_agrees_with_the_report():
    evaluator, leaves = SplitEvaluator(random_table(0)), convolution_tree()
    report = report_split("params", "cifar10", "test", "mine", leaves, evaluator)
    report_of_split = evaluator.report(leaves)
    assert report["information_gain_bits"] == report_of_split.gain_bits
    assert report["best_tree_bits"] == report_of_split.comparison.best_bits
    low, high = report["random_percentile_interval"]
    assert 0 <= low <= report["random_percentile"] <= high <= 100
    assert report["gini"] == report_of_split.gini
    kept = keep_k(leaves, evaluator.accuracy).query("strategy == 'random'")["best"]
    assert report["keep_k"]["random"] == pytest.approx(kept.tolist())
    assert {len(best) for best in report["keep_k"].values()} == {8}


def test_a_document_of_a_split_without_shape_has_no_comparison():
    left, right = HALVES
    leaves = [left, right.keep(1, [0]), right.keep(1, [1, 2, 3, 4])]
    evaluator = SplitEvaluator(random_table(0))
    report = report_split("own", "cifar10", "test", "mine", leaves, evaluator)
    assert report["best_tree_bits"] is None
    assert report["random_percentile"] is report["random_percentile_interval"] is None
    assert report["information_gain_bits"] > 0


def row(split, gain, percentile=None, best=0.02, threshold=0.01):
    known = percentile is not None
    return {
        "split": split,
        "threshold": threshold,
        "gain_bits": gain,
        "share_of_best": gain / best if known and best else np.nan,
        "percentile": percentile if known else np.nan,
    }


def said(*rows):
    return conclusion(pd.DataFrame(rows, columns=list(row("a", 0.0))))


def test_splits_are_grouped_by_how_they_compare_with_random_trees():
    assert said(
        row("worst", 0.0001, 1),
        row("params", 0.018, 100),
        row("snip", 0.008, 90),
        row("exact", 0.02, 99.9),
        row("ntk", 0.015, 98),
        row("own", 0.004),
    ) == (
        "exact is the best possible; params beats all random splits; ntk is better than chance; "
        "snip looks like chance; worst is worse than chance; own has no random splits of its shape."
    )


def test_many_that_look_like_chance_are_counted_and_come_last():
    ordinary = [row(name, 0.005, 40) for name in "abcd"]
    both = row("params", 0.018, 100), row("synflow", 0.019, 100)
    assert said(*both, *ordinary, row("e", 0.001, 0)) == (
        "Only synflow and params beat all random splits; e is worse than chance; the other 4 look "
        "like chance."
    )
    assert said(*both, *ordinary[:1]) == (
        "synflow and params beat all random splits; a looks like chance."
    )
    assert said(*ordinary, row("e", 0.001, 0)) == (
        "None is better than chance: e is worse than chance; the other 4 look like chance."
    )
    many = [row(name, 0.018, 100) for name in "abcd"]
    assert said(*many, row("e", 0.001, 0)) == (
        "a, b, c and d beat all random splits; e is worse than chance."
    )


@pytest.mark.parametrize(
    ("percentile", "words"),
    [
        (100, "beats all random splits"),
        (99.99, "is better than chance"),
        (97.5, "looks like chance"),
        (2.5, "looks like chance"),
        (2.4, "is worse than chance"),
        (0, "is worse than chance"),
    ],
)
def test_chance_is_the_middle_of_the_random_trees(percentile, words):
    assert said(row("a", 0.01, percentile)) == f"a {words}, with 50.0% of the best tree's gain."


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.02, "a is the best possible, with 100.0% of"),
        (0.019999, "a looks like chance, with over 99.9% of"),
        (0.0198, "with 99.0% of"),
        (0.00885, "with 44.2% of"),
    ],
)
def test_a_share_of_the_best_tree_is_not_rounded_up_to_all(gain, words):
    assert words in said(row("a", gain, 90))


def test_splits_that_are_alike_are_not_listed():
    alike = [row(name, 0.01, 95) for name in "abc"]
    assert said(*alike[:2]) == "Both look like chance."
    assert said(*alike) == "All 3 look like chance."
    assert said(row("mine", 0.0088)) == "mine has no random splits of its shape."
    assert said(row("a", 0.0, 50, best=0)) == "a looks like chance."
    assert said() == "There are no splits to compare."


def test_splits_of_different_tops_are_not_compared():
    with pytest.raises(TableError, match=r"the top 1%, 10%"):
        said(row("a", 0.01, 90), row("b", 0.01, 90, threshold=0.1))


def test_the_summary_for_the_benchmark(tables, splits):
    named = {metric: of["cifar10"] for metric, of in splits.items()} | {"ours": convolution_tree()}
    words = conclusion(report_frame(named, SplitEvaluator(tables["cifar10"])))
    assert words == (
        "ours beats all random splits; gradientmatching is better than chance; params and synflow "
        "look like chance."
    )


SPLIT = NamedSplit("params", "cifar10", tuple(convolution_tree()))


@pytest.fixture
def analyse(tmp_path, monkeypatch, capsys):
    def run(*arguments):
        chosen = ["--data-dir", tmp_path / "data", *arguments]
        monkeypatch.setattr("sys.argv", ["fewshot", "analyse", *map(str, chosen)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return (out, err) if not ended.value.code else (None, err)

    return run


@pytest.mark.parametrize("form", ["masks", "folder"])
def test_splits_are_evaluated_in_every_form(analyse, tmp_path, form, write_search_configs):
    path = tmp_path / "split"
    if form == "masks":
        write_masks(path, [SPLIT])
    else:
        write_search_configs(path, SPLIT)
    [report] = json.loads(analyse("--masks", path, "--json")[0])["splits"]
    assert (report["metric"], report["dataset"]) == ("params", "cifar10")
    assert 0.9 < report["information_gain_bits"] / report["best_tree_bits"] < 1
    assert report["random_percentile"] > 99
    assert 0.5 < report["gini"] < 1
    assert report["keep_k"]["oracle"][0] == max(row["best"] for row in report["sub_spaces"])


def test_the_informativeness_is_printed(analyse, tmp_path):
    write_masks(tmp_path / "masks.json", [SPLIT])
    out, _ = analyse("--masks", tmp_path / "masks.json")
    words = " ".join(out.split())
    assert "information gain 0.0159 bits, 95.9% of the best tree, percentile 100.0 of" in words


def test_a_split_that_does_not_say_its_data_set_needs_one(analyse, tmp_path, write_search_configs):
    write_search_configs(tmp_path / "own", SPLIT)
    for path in (tmp_path / "own").iterdir():
        path.write_text(path.read_text().replace("dataset: cifar10\n", ""))
    out, err = analyse("--masks", tmp_path / "own", "--json")
    assert out is None and "own does not say its data set: name it with --dataset" in err
    out, _ = analyse("--masks", tmp_path / "own", "--dataset", "cifar100", "--json")
    assert json.loads(out)["splits"][0]["dataset"] == "cifar100"


def test_an_incomplete_folder_is_refused_with_the_architectures_counted(
    analyse, tmp_path, write_search_configs
):
    write_search_configs(tmp_path / "own", SPLIT)[0].unlink()
    out, err = analyse("--masks", tmp_path / "own")
    assert out is None and "params on cifar10" in err and "125 are missing" in err
