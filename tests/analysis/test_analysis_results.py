"""Recorded searches as one table."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded_searches import keep_search, keep_searches

from fewshot_core.analysis import (
    NO_SPLITTING,
    found_by_seed,
    mean_over_seeds,
    published_results,
    recorded_results,
    results_csv,
    results_latex,
    results_markdown,
    results_table,
    search_epochs,
    smooth,
)
from fewshot_core.analysis.results import PAPER_SEEDS, cell_text, escape_latex, latex_table
from fewshot_core.analysis.search_epochs import COLUMNS
from fewshot_core.bench import load_accuracy
from fewshot_core.errors import TableError, UnknownNameError
from fewshot_core.evidence import Evidence
from fewshot_core.space import NAS_BENCH_201, SubSpace
from fewshot_core.store import KnownSplit, Store

TABLES = Path(__file__).resolve().parents[2].parent / "shared" / "paper" / "tables.csv"


REAL = Evidence("cifar10", 16, 5, "real", "untrained")
PAPER = Evidence("cifar10", 16, 5, "real", "untrained", "Paper")
QUICK = Evidence("cifar10", 8, 1, "real", "untrained", "Quick", reduced=True)
SMOKE = Evidence("cifar10", 2, 1, "real", "untrained", "Smoke test", reduced=True)


def searches(metric, algorithm, found, evidence=PAPER, **columns):
    """Return searches of one metric: for each seed, what was found in each sub-space."""
    rows = [
        {
            "dataset": "cifar10",
            "metric": metric,
            "algorithm": algorithm,
            "seed": seed,
            "evidence": evidence,
            "sub_space": f"S{number}",
            "test_accuracy": accuracy,
        }
        for seed, accuracies in found.items()
        for number, accuracy in enumerate(accuracies, 1)
    ]
    return pd.DataFrame(rows).assign(**columns)


def eight(best):
    """Return eight accuracies, the best of them at a place of its own."""
    return [best - 1.0, best, *(best - 2.0 for _ in range(6))]


def cell(table, metric, algorithm):
    return table[(table["metric"] == metric) & (table["algorithm"] == algorithm)].iloc[0]


@pytest.fixture
def recorded():
    return pd.concat(
        [
            searches("params", "snas", {777: eight(94.0), 888: eight(94.3), 999: eight(94.3)}),
            searches("gradnorm", "snas", {777: eight(93.0), 888: eight(93.5)[:5]}),
            searches(NO_SPLITTING, "snas", {777: [94.2], 888: [94.2], 999: [94.2]}),
            searches("snip", "darts-1st", {777: eight(92.0)}),
        ],
        ignore_index=True,
    )


def test_the_published_numbers():
    if not TABLES.exists():
        pytest.skip("the folder shared is not beside the project")
    theirs = pd.read_csv(TABLES).rename(
        columns={"test_accuracy_mean": "mean", "test_accuracy_std": "std"}
    )
    ours = published_results()
    keys = ["dataset", "metric", "algorithm"]
    both = ours.merge(theirs, on=keys, how="outer", suffixes=("", "_theirs"), indicator=True)
    assert (both["_merge"] == "both").all()
    assert len(both) == len(ours) == 132
    np.testing.assert_array_equal(both["mean"], both["mean_theirs"])
    np.testing.assert_array_equal(both["std"], both["std_theirs"])
    assert ours[keys].to_numpy().tolist() == theirs[keys].to_numpy().tolist()


def test_the_published_best():
    best = published_results().query("best")
    bold = best.groupby(["dataset", "algorithm"])["metric"].apply(list).to_dict()
    assert bold["cifar10", "darts-1st"] == ["snip", "grasp"]
    assert bold["cifar10", "darts-2nd"] == ["gradnorm"]
    assert bold["cifar10", "snas"] == ["gradientmatching"]
    assert bold["cifar100", "dsnas"] == ["gradientmatching", "linear_regions"]
    assert bold["ImageNet16-120", "darts-1st"] == ["jacobcov", "ntk"]
    assert bold["ImageNet16-120", "dsnas"] == ["linear_regions"]
    assert published_results()["std"].isna().sum() == 66


def test_the_published_table_cannot_be_changed():
    mine = published_results()
    mine.loc[0, "mean"] = 0.0
    assert published_results()["mean"].min() > 18


def test_a_result_is_the_best_of_all_sub_spaces(recorded):
    found = cell(results_table(recorded, "cifar10"), "params", "snas")
    assert found["mean"] == pytest.approx(94.2)
    assert found["std"] == pytest.approx(np.std([94.0, 94.3, 94.3]))
    assert found["seeds"] == 3
    assert (found["missing"], found["missing_seeds"]) == ("", ())
    assert found["evidence"] == "16 channels, 5 cells · real images · Paper"
    assert found["notes"] == ""
    assert (found["published_mean"], found["published_std"]) == (93.91, 0.32)
    assert found["difference"] == pytest.approx(0.29)
    assert found["label"] == "#params"


def test_the_best_are_equal_in_the_digits_shown(recorded):
    table = results_table(recorded, "cifar10")
    best = table[table["best"]]
    assert list(zip(best["metric"], best["algorithm"], strict=True)) == [
        (NO_SPLITTING, "snas"),
        ("params", "snas"),
    ]


def test_a_single_seed_is_never_the_best_beside_means():
    one = searches("ntk", "snas", {777: eight(95.0)})
    two = [searches(name, "snas", {1: eight(90.0), 2: eight(91.0)}) for name in ("snip", "grasp")]
    best = results_table(pd.concat([one, *two]), "cifar10").query("best")
    assert list(best["metric"]) == ["snip", "grasp"]
    best = results_table(pd.concat([one, two[0]]), "cifar10").query("best")
    assert best.empty


def test_the_best_are_among_splits_of_equal_evidence_and_never_in_a_smoke_test():
    real = Evidence("cifar10", 16, 5, "real", "untrained")
    toy = Evidence("cifar10", 16, 5, "synthetic", "untrained")
    one = {777: eight(93.0)}
    rows = [
        searches("ntk", "snas", {777: eight(95.0)}, split="a", split_evidence=toy),
        searches("snip", "snas", one, split="b", split_evidence=real),
        searches("grasp", "snas", {777: eight(92.0)}, split="c", split_evidence=real),
    ]
    table = results_table(pd.concat(rows), "cifar10")
    assert list(table.query("best")["metric"]) == ["snip"]
    assert cell(table, "ntk", "snas")["notes"] == "split: synthetic"
    smoke = [searches(name, "snas", one, SMOKE) for name in ("ntk", "snip")]
    table = results_table(pd.concat(smoke), "cifar10")
    assert table.query("best").empty
    assert cell(table, "ntk", "snas")["notes"] == "smoke test"


def test_an_incomplete_seed_is_no_result(recorded):
    found = cell(results_table(recorded, "cifar10"), "gradnorm", "snas")
    assert (found["mean"], found["seeds"]) == (93.0, 1)
    assert np.isnan(found["std"])
    assert found["missing"] == (
        "seed 888: S6, S7, S8 to be searched; seed 999: all sub-spaces to be searched"
    )
    assert found["missing_seeds"] == (888, 999)


def test_an_empty_cell_lists_the_missing_searches(recorded):
    table = results_table(recorded, "cifar10")
    empty = cell(table, "ntk", "dsnas")
    assert empty["seeds"] == 0
    assert np.isnan(empty["mean"])
    assert np.isnan(empty["difference"])
    assert empty["missing"] == "seeds 777, 888, 999: all sub-spaces to be searched"
    assert cell(table, NO_SPLITTING, "darts-2nd")["missing"] == (
        "seed 777: the whole space to be searched"
    )
    assert cell(table, "ntk", "darts-1st")["missing_seeds"] == (777,)


def test_any_other_seeds_are_as_good():
    found = {seed: eight(93.0) for seed in (1, 2)}
    table = results_table(searches("ntk", "snas", found), "cifar10")
    assert cell(table, "ntk", "snas")["missing_seeds"] == (777,)
    table = results_table(searches("ntk", "darts-1st", found), "cifar10")
    assert cell(table, "ntk", "darts-1st")["missing_seeds"] == ()
    table = results_table(pd.DataFrame(), "cifar10")
    assert cell(table, "ntk", "snas")["missing_seeds"] == PAPER_SEEDS
    assert cell(table, "ntk", "dsnas")["missing_seeds"] == PAPER_SEEDS


def test_searches_with_different_evidence_are_never_in_one_table():
    both = pd.concat(
        [
            searches("ntk", "snas", {777: eight(91.0), 888: eight(91.0)}, QUICK, demo=True),
            searches("ntk", "snas", {777: eight(93.0)}),
        ]
    )
    strongest = cell(results_table(both, "cifar10"), "ntk", "snas")
    assert (strongest["mean"], strongest["seeds"]) == (93.0, 1)
    table = results_table(both, "cifar10", QUICK)
    quick = cell(table, "ntk", "snas")
    assert (quick["mean"], quick["std"], quick["seeds"]) == (91.0, 0.0, 2)
    assert quick["missing_seeds"] == (999,)
    assert quick["notes"] == "reduced scale, demo"
    text = results_markdown(table)
    assert "91.00 ± 0.00 [2 of 3 seeds, reduced scale, demo] (93.71" in text
    assert "Searches: 8 channels, 1 cell · real images · Quick." in text
    latex = results_latex(table)
    assert r"Searches: 8 channels, 1 cell $\cdot$ real images $\cdot$ Quick." in latex
    assert "reduced scale, demo" in latex and "reduced scale, demo" in results_csv(table)


def test_a_mean_is_over_the_seeds_of_one_split():
    first = searches("ntk", "snas", {777: eight(93.0)}, split="a")
    second = searches("ntk", "snas", {777: eight(92.0), 888: eight(92.0)}, split="b")
    found = cell(results_table(pd.concat([first, second]), "cifar10"), "ntk", "snas")
    assert (found["mean"], found["std"], found["seeds"]) == (92.0, 0.0, 2)
    assert (found["split"], found["other_splits"]) == ("b", 1)
    toy = Evidence("cifar10", 4, 1, "synthetic", "untrained")
    better = first.assign(split_evidence=[REAL] * len(first))
    worse = second.assign(split_evidence=[toy] * len(second))
    found = cell(results_table(pd.concat([worse, better]), "cifar10"), "ntk", "snas")
    assert (found["mean"], found["split"]) == (93.0, "a")
    unknown = pd.concat([first.iloc[:4], second.iloc[4:8]])
    found = cell(results_table(unknown, "cifar10"), "ntk", "snas")
    assert found["seeds"] == 0


def test_a_split_may_have_another_number_of_sub_spaces():
    two = searches("ntk", "snas", {777: [93.0, 92.0]}, sub_spaces=2)
    assert cell(results_table(two, "cifar10"), "ntk", "snas")["seeds"] == 1
    five = searches("ntk", "snas", {777: [93.0, 92.0]}, sub_spaces=5)
    assert (
        "S3, S4, S5 to be searched"
        in cell(results_table(five, "cifar10"), "ntk", "snas")["missing"]
    )


def test_unknown_accuracies_do_not_count():
    found = searches("ntk", "snas", {777: [None, *eight(93.0)[1:]]})
    empty = cell(results_table(found, "cifar10"), "ntk", "snas")
    assert empty["missing"].startswith("seed 777: S1 to be searched")


def test_metrics_and_algorithms_of_others_follow():
    found = searches("my_metric", "my_search", {777: eight(93.0)})
    table = results_table(found, "cifar10")
    assert table["metric"].iloc[-1] == "my_metric"
    assert table["algorithm"].iloc[-1] == "my_search"
    own = table.iloc[-1]
    assert own["mean"] == 93.0
    assert np.isnan(own["published_mean"])
    assert not own["published_best"]
    assert "| my_metric | – (–) |" in results_markdown(table)
    assert r"my\_metric & -- (--)" in results_latex(table)


def test_another_data_set_is_another_table(recorded):
    table = results_table(recorded, "cifar100")
    assert (table["seeds"] == 0).all()
    assert cell(table, "snip", "snas")["published_mean"] == 71.15


def test_damaged_searches(recorded):
    with pytest.raises(TableError, match="a column 'evidence', got dataset"):
        results_table(recorded.drop(columns="evidence"), "cifar10")
    twice = pd.concat([recorded, recorded.iloc[[3]]])
    with pytest.raises(TableError, match="got two of cifar10, params, snas, 777, S4"):
        results_table(twice, "cifar10")


def test_markdown(recorded):
    text = results_markdown(results_table(recorded, "cifar10"))
    lines = text.splitlines()
    assert lines[0] == "| Metric | DARTS-1st | DARTS-2nd | SNAS | DSNAS |"
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: |"
    params = next(line for line in lines if line.startswith("| #params"))
    assert "**94.20 ± 0.14** [3 seeds] (93.91 ± 0.32, +0.29)" in params
    assert "– (94.30 ± 0.09)" in params
    snip = next(line for line in lines if line.startswith("| snip"))
    assert "92.00 [1 seed] (**92.17**, −0.17)" in snip
    assert "Searches: 16 channels, 5 cells · real images · Paper." in text
    assert "Fewer seeds than in the paper: gradnorm with SNAS (1 seed)." in text
    assert "CC BY 4.0" in text
    assert text.endswith("\n")


def test_contents_of_cells(recorded):
    table = results_table(recorded, "cifar10")
    measured = results_markdown(table, "measured")
    assert "| #params | – | – | **94.20 ± 0.14** [3 seeds] | – |" in measured
    assert "Published" not in measured
    published = results_markdown(table, "published")
    assert "| #params | 91.88 | 92.71 | 93.91 ± 0.32 | 94.30 ± 0.09 |" in published
    assert "Searches:" not in published
    with pytest.raises(UnknownNameError, match="expected one of measured, published, both"):
        results_markdown(table, "none")


def test_latex(recorded):
    text = results_latex(results_table(recorded, "cifar10"))
    assert r"\begin{tabular}{lrrrr}" in text
    assert r"Metric & DARTS-1st & DARTS-2nd & SNAS & DSNAS \\" in text
    assert r"\textbf{94.20 $\pm$ 0.14} [3 seeds] (93.91 $\pm$ 0.32, +0.29)" in text
    assert r"92.00 [1 seed] (\textbf{92.17}, $-$0.17)" in text
    assert r"\#lr &" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 12
    assert all(line.count(" & ") == 4 for line in rows)


HOSTILE = r"100% of #1 & a_b ~ {x} ^ \\ $5 <a|b> ± − – · × Δ → “q” ★"


@pytest.fixture
def latex_tables(recorded):
    """Tables with measured results, without any, and with texts that mean something to TeX."""
    full, bare = results_table(recorded, "cifar10"), results_table(recorded, "cifar100")
    row = pd.DataFrame({escape_latex(HOSTILE): [escape_latex(HOSTILE)], "gain": ["0.1"]})
    hostile = latex_table(row, escape_latex(HOSTILE), "hostile", [HOSTILE])
    return [results_latex(full), results_latex(bare, "published"), hostile]


def test_latex_tables_have_caption_label_and_what_they_rest_on(latex_tables):
    first = latex_tables[0]
    assert r"\caption{CIFAR-10: test accuracy in percent of the best architecture found" in first
    assert r"\label{tab:results-cifar10}" in first and r"\toprule" in first
    assert first.index("Searches: 16 channels, 5 cells") > first.index(r"\end{tabular}")
    for text in latex_tables:
        assert text.isascii()
        opened = re.findall(r"\\begin{([a-z*]+)}", text)
        assert opened == re.findall(r"\\end{([a-z*]+)}", text)[::-1] == ["table*", "tabular"]
        assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
        body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        columns = re.search(r"\\begin{tabular}{(l[lr]*)}", text)
        assert columns and {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {
            len(columns[1]) - 1
        }
        assert re.search(r"(?<!\\)[#_~^]", text) is None


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex with booktabs")
def test_latex_tables_compile(latex_tables, tmp_path):
    packages = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
    source = "\n".join([packages, *latex_tables, r"\end{document}"])
    (tmp_path / "tables.tex").write_text(source, encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout
    assert (tmp_path / "tables.pdf").read_bytes().startswith(b"%PDF")


def test_csv(recorded):
    table = results_table(recorded, "cifar10")
    read = pd.read_csv(io.StringIO(results_csv(table)))
    assert list(read.columns) == list(table.columns)
    np.testing.assert_array_equal(read["mean"], table["mean"])
    assert cell(read, "gradnorm", "snas")["missing_seeds"] == "888 999"


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [(94.125, 0.304, "94.12 ± 0.30"), (90.0, np.nan, "90.00"), (np.nan, np.nan, "–")],
)
def test_cells_are_printed_as_in_the_paper(mean, std, text):
    assert cell_text(mean, std) == text


FULL = SubSpace.full()


def known(key, metric, leaves, **settings):
    return KnownSplit(
        key, metric, leaves, Evidence("cifar10", 16, 5, "real", "untrained"), **settings
    )


HALVES = (FULL.keep(0, [3]), FULL.keep(0, [0, 1, 2, 4]))
OTHERS = (FULL.keep(0, [3, 4]), FULL.keep(0, [0, 1, 2]))


@pytest.fixture
def collect(tmp_path):
    def collect(*splits, allowed=None):
        store = Store(tmp_path, in_memory=True)
        store.sync()
        assert not store.problems
        searches = store.searches("cifar10")
        records = store.search_records(list(searches["run_id"]))
        accuracies = load_accuracy("cifar10"), NAS_BENCH_201, allowed
        return recorded_results(splits, searches, records, *accuracies)

    return collect


def test_a_result_is_the_architecture_found_at_the_end(tmp_path, collect):
    runs = keep_searches(tmp_path, HALVES)
    frame = collect(known("a", "params", HALVES))
    means = load_accuracy("cifar10").set_index("architecture")["accuracy_mean"]
    assert list(frame["run_id"].sort_values()) == sorted(run.run_id for run in runs)
    for run, row in zip(runs, frame.sort_values("sub_space").to_dict("records"), strict=True):
        assert row["run_id"] == run.run_id
        assert row["test_accuracy"] == means[run.records()[-1]["architecture_index"]]
    table = results_table(frame, "cifar10")
    cell = table[(table["metric"] == "params") & (table["algorithm"] == "snas")].iloc[0]
    assert cell["mean"] == frame["test_accuracy"].max()
    assert (cell["seeds"], cell["split"], cell["missing_seeds"]) == (1, "a", (888, 999))


def test_what_is_found_beyond_a_limit_counts_as_searched_only(tmp_path, collect):
    first, second = keep_searches(tmp_path, HALVES)
    found = [run.records()[-1]["architecture_index"] for run in (first, second)]
    allowed = np.ones(15_625, dtype=bool)
    for number, index in enumerate(found):
        allowed[index] = False
        frame = collect(known("a", "params", HALVES), allowed=allowed)
        table = results_table(frame, "cifar10", accuracy="test")
        row = table[(table["metric"] == "params") & (table["algorithm"] == "snas")].iloc[0]
        assert (row["infeasible"], row["missing_seeds"]) == (number + 1, (888, 999))
        assert f"{number + 1} of 2 searches infeasible" in row["notes"]
        assert row["seeds"] == 1 - number and pd.isna(row["difference"])
        if number == 0:  # the other one is the best feasible
            means = load_accuracy("cifar10").set_index("architecture")["accuracy_mean"]
            assert row["mean"] == means[found[1]]
        text = results_markdown(table, "measured", limit="ms at most 6 ms")
        assert f"{number + 1} of 2 searches infeasible]" in text
        assert "Only architectures with ms at most 6 ms count: others found are infeas" in text


def test_a_search_counts_for_every_split_with_its_sub_space(tmp_path, collect):
    keep_search(tmp_path, HALVES[0])
    keep_search(tmp_path, FULL)
    splits = known("a", "params", HALVES), known("b", "snip", HALVES)
    frame = collect(*splits, known("c", "ntk", OTHERS))
    assert list(frame["metric"]) == [NO_SPLITTING, "params", "snip"]
    assert list(frame["sub_spaces"]) == [1, 2, 2]


def test_the_same_split_counts_once_and_others_are_distinguished(tmp_path, collect):
    keep_searches(tmp_path, [*HALVES, *OTHERS])
    frame = collect(
        known("a", "random", HALVES),
        known("b", "random", HALVES),
        known("c", "random", OTHERS),
    )
    assert sorted(frame["split"]) == ["a", "a", "c", "c"]
    table = results_table(frame, "cifar10")
    row = table[(table["metric"] == "random") & (table["algorithm"] == "snas")].iloc[0]
    assert (row["other_splits"], row["seeds"]) == (1, 1)


def test_the_evidence_of_searches_contains_all_that_differs(tmp_path, collect):
    keep_search(tmp_path, FULL)
    keep_search(tmp_path, FULL, epochs=3)
    keep_search(tmp_path, FULL, epochs=3, preset="quick")
    keep_search(tmp_path, FULL, preset="quick", synthetic=False)
    assert sorted(one.label for one in collect()["evidence"]) == [
        "2 channels, 1 cell · synthetic images · 3 epochs, 64 images, batch size 16",
        "2 channels, 1 cell · synthetic images · Smoke test",
        "8 channels, 1 cell · real images · Quick",
        "8 channels, 1 cell · synthetic images · 3 epochs, 3,200 images",
    ]
    assert results_table(collect(), "cifar10")["evidence"].iloc[0].endswith("· Quick")


def test_without_searches_all_cells_are_empty(collect):
    frame = collect(known("a", "params", HALVES))
    assert frame.empty
    assert (results_table(frame, "cifar10")["seeds"] == 0).all()


def test_validation_accuracies_have_no_difference_to_the_published(tmp_path, collect):
    keep_search(tmp_path, FULL)
    for kind, there in (("test", True), ("validation", False)):
        table = results_table(collect(), "cifar10", accuracy=kind)
        assert table["difference"].notna().any() == there
        assert table["published_mean"].notna().all()


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


def test_each_epoch_is_a_row_with_the_accuracy_of_the_architecture():
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
    assert mean_over_seeds(empty, "entropy").empty
    assert found_by_seed(empty, pd.Series(dtype=float)).empty


def test_a_moving_average_is_one_of_each_search():
    searches = [("S1", 1, [record(0, 10.0), record(1, 30.0)]), ("S1", 2, [record(0, 20.0)])]
    frame = search_epochs(searches)
    smoothed = smooth(frame, "valid_accuracy", 0.5)["valid_accuracy"]
    assert smoothed.tolist() == pytest.approx([10.0, (30 + 0.5 * 10) / 1.5, 20.0])
    assert smooth(frame, "valid_accuracy", 0.0) is frame


def test_the_best_found_of_each_seed_is_beside_what_supernet_accuracy_selects():
    table = pd.DataFrame({"architecture": [7, 8, 5], "accuracy_mean": [91.0, 92.5, 95.0]})
    searches = [
        ("S1", 1, [record(0, 99.0, 8), record(1, 50.0, 8)]),
        ("S2", 1, [record(0, 60.0, 7)]),
        ("S1", 2, [record(0, 40.0, 7)]),
        ("S2", 2, [record(0, 50.0, 9)]),  # not in the table
        ("S1", 3, [record(0, 40.0, 9)]),
    ]
    known = table.set_index("architecture")["accuracy_mean"]
    found = found_by_seed(search_epochs(searches, table), known).set_index(["choice", "seed"])
    assert found["sub_space"].to_dict() == {
        ("best", 1): "S1",
        ("best", 2): "S1",
        ("selected", 1): "S2",
        ("selected", 2): "S2",
    }
    assert found["rank"].tolist()[:3] == [2, 3, 3] and np.isnan(found["rank"].iloc[3])


def test_means_are_over_the_seeds_that_have_come_as_far():
    searches = [("S1", 1, [record(0, 10.0), record(1, 30.0)]), ("S1", 2, [record(0, 20.0)])]
    means = mean_over_seeds(search_epochs(searches), "valid_accuracy")
    assert means["low"].tolist() == [10.0, 30.0] and means["high"].tolist() == [20.0, 30.0]
    assert means["epoch"].tolist() == [0, 1]
    assert means["valid_accuracy"].tolist() == pytest.approx([15.0, 30.0])
    assert means["seeds"].tolist() == [2, 1]
