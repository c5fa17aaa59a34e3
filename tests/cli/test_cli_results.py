"""The commands ``fewshot results``, ``fewshot findings`` and ``fewshot reproduce``."""

import csv
import io
import re
import shutil
from pathlib import Path

import pytest
from recorded_searches import keep_search, keep_searches

from fewshot_core.bench import load_accuracy
from fewshot_core.runs import list_runs
from fewshot_core.space import NAS_BENCH_201, SubSpace
from fewshot_core.splitting.files import store_splits
from fewshot_core.splitting.tree import NamedSplit

FULL = SubSpace.full()
ESTIMATES = ("one_shot", "few_shot", "balanced_seed0", "decomposed_balanced_seed0")
HALVES = (FULL.keep(0, [3]), FULL.keep(0, [0, 1, 2, 4]))


@pytest.fixture
def searched(data_folder):
    """A data folder with a split in two by parameters, searched, and the whole space."""
    store_splits([NamedSplit("params", "cifar10", HALVES, None)], "mine", data_folder)
    runs = keep_searches(data_folder, HALVES)
    keep_search(data_folder, FULL, algorithm="dsnas")
    return runs


def test_cells_hold_the_best_that_was_found(fewshot, searched):
    document = fewshot("results", "--json").document
    assert (document["dataset"], document["accuracy"]) == ("cifar10", "validation")
    assert document["table"] == "nasbench201-validation"
    cells = {(cell["metric"], cell["algorithm"]): cell for cell in document["cells"]}
    assert len(cells) == 44
    means = load_accuracy("cifar10").set_index("architecture")["accuracy_mean"]
    found = [means[run.records()[-1]["architecture_index"]] for run in searched]
    cell = cells["params", "snas"]
    assert cell["mean"] == max(found)
    assert (cell["std"], cell["difference"], cell["published_mean"]) == (None, None, 93.91)
    assert cell["missing_seeds"] == [888, 999]
    assert cells["no splitting", "dsnas"]["seeds"] == 1
    assert cells["gradnorm", "snas"]["mean"] is None


def test_forms(fewshot, searched):
    markdown = fewshot("results", "--show", "published").out
    assert "| #params | 91.88 | 92.71 | 93.91 ± 0.32 | 94.30 ± 0.09 |" in markdown
    assert "on another scale" in fewshot("results").out
    assert r"\begin{tabular}{lrrrr}" in fewshot("results", "--format", "latex").out
    rows = list(csv.DictReader(io.StringIO(fewshot("results", "--format", "csv").out)))
    assert len(rows) == 44
    measured = [row for row in rows if row["seeds"] == "1"]
    assert {row["evidence"] for row in measured} == {
        "2 channels, 1 cell · synthetic images · Smoke test"
    }
    assert [row["notes"] for row in measured] == [
        "smoke test, synthetic",
        "smoke test, synthetic, split: network unknown",
    ]
    assert {row["best"] for row in rows} == {"False"}


def test_one_kind_of_evidence_is_shown_and_the_others_named(fewshot, searched, data_folder):
    keep_search(data_folder, FULL, preset="quick", synthetic=False)
    result = fewshot("results", "--json")
    assert result.document["evidence"] == "8x1-real-untrained-quick"
    assert [cell["metric"] for cell in result.document["cells"] if cell["seeds"]] == [
        "no splitting"
    ]
    smoke = "2x1-synthetic-untrained-smoke-test"
    cells = fewshot("results", "--json", "--evidence", smoke).document["cells"]
    assert sum(cell["seeds"] for cell in cells) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset", "mnist"], "expected one of cifar10"),
        (["--format", "word"], "expected one of markdown, csv, latex"),
        (["--show", "all"], "expected one of measured, published, both"),
        (["--accuracy", "test"], "test"),
        (["--table", "nowhere"], "nowhere"),
        (["--evidence", "all"], "expected one of none, as nothing was recorded"),
    ],
)
def test_errors_are_reported_in_one_line(fewshot, arguments, words):
    assert words in fewshot("results", *arguments).complaint


ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "demo"
HOW = "make the page again: the commands are in docs/command-line.md"


@pytest.fixture
def demo(monkeypatch):
    monkeypatch.setenv("FEWSHOT_DEMO_DIR", str(DEMO))


@pytest.fixture
def only_splits(monkeypatch, tmp_path):
    """The splits of untrained networks that come with the project, one of each metric."""
    for run in first_splits():
        shutil.copytree(run.path, tmp_path / "demo" / "runs" / run.run_id)
    monkeypatch.setenv("FEWSHOT_DEMO_DIR", str(tmp_path / "demo"))


def test_splits_with_different_evidence_are_in_no_figure_together(fewshot, demo, tmp_path):
    splits = [run for run in demo_splits() if run.run_id.startswith("split-snip")]
    trained = next(run for run in splits if run.request().network.checkpoint)
    untrained = next(run for run in first_splits() if run in splits)
    runs = ["--run", untrained.run_id, "--run", trained.run_id]
    figure = ["--figure", tmp_path / "gains.html"]
    said = fewshot("analyse", *runs, *figure).complaint
    assert "equal evidence in one figure, got 16x5-real-untrained, 16x5-real-trained" in said
    assert not (tmp_path / "gains.html").exists()
    document = fewshot("analyse", *runs, "--json").document
    assert [split["notes"] for split in document["splits"]] == [[], ["trained weights"]]


def demo_splits():
    """The splits of NAS-Bench-201 that come with the project."""
    splits = [run for run in list_runs(DEMO) if run.request().kind == "split"]
    return [run for run in splits if run.split_request().space == NAS_BENCH_201.name]


def first_splits():
    """Those from the first seed, untrained, by the usual batch and tree."""
    requests = [(run, run.split_request()) for run in demo_splits()]
    return [
        run
        for run, one in requests
        if (one.seed, one.evidence.weights, one.evidence.batch, one.evidence.tree)
        == (0, "untrained", "", "")
    ]


def leaves_of(metric):
    trees = [run.tree() for run in first_splits()]
    return next(tree.leaves for tree in trees if tree.metric == metric)


def summary(page):
    """Return the last column of the summary: every verdict."""
    table = page.split("## Summary")[1].split("##")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
    return [row[-1].strip(" |*") for row in rows]


def test_a_data_folder_without_runs_measures_nothing(fewshot):
    page = fewshot("reproduce").out
    assert "No split with a finished search in every sub-space" in page
    assert "Nothing was measured in runs." in page
    assert summary(page).count("not measured") == 14
    assert "    fewshot split --metric all --batch-size 64\n" in page


def test_searches_are_measured_once_all_sub_spaces_have_one(fewshot, only_splits, data_folder):
    for metric in ("gradientmatching", "gradnorm", "params"):
        keep_searches(data_folder, leaves_of(metric), epochs=20)
    keep_search(data_folder, SubSpace.full(), epochs=20)
    page = fewshot("reproduce").out
    # No random split is searched, so that there is nothing to compare metrics with.
    assert summary(page).count("not measured") == 1
    assert "(gradientmatching, gradnorm, synflow, params; seed 777)" in page
    assert "synthetic images" in page and "some sub-spaces only" not in page
    assert len(re.findall(r"`search-snas-cifar10-\w+`", page)) >= 24


def test_searches_of_some_sub_spaces_are_named_and_not_counted(fewshot, only_splits, data_folder):
    keep_searches(data_folder, leaves_of("params")[:6], epochs=20)
    page = fewshot("reproduce").out
    assert "* Searches in some sub-spaces only, not counted: SNAS" in page
    assert "seed 777: synflow, params: not searched: S7, S8." in page
    assert "No split with a finished search in every sub-space" in page


def test_only_the_results_of_the_project(fewshot, only_splits, data_folder, tmp_path):
    keep_searches(data_folder, leaves_of("params"), epochs=20)
    target = tmp_path / "deep" / "page.md"
    result = fewshot("reproduce", "--only-demo", "--output", target)
    assert (result.code, result.out) == (0, "")
    # The searches of the data folder, which are on synthetic images, are left out.
    assert "synthetic images" not in target.read_text()
    assert "synthetic images" in fewshot("reproduce").out


def test_the_committed_page_is_up_to_date(fewshot, demo):
    page = fewshot("reproduce", "--only-demo", "--accuracy", "validation").out
    assert (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8") == page, HOW


def test_the_committed_page_with_test_accuracies_is_up_to_date(fewshot, demo, nats_csv, published):
    splits = published.with_name("published_splits_all.json")
    options = ("--published", splits, "--table", nats_csv)
    page = fewshot("reproduce", "--only-demo", *options).out
    kept = ROOT / "docs" / "reproduction-test-accuracy.md"
    assert kept.read_text(encoding="utf-8") == page, HOW
    known = "| gradientmatching | ImageNet16-120 | – | – |"
    sizes = "125, 500, 500, 2000, 500, 2000, 2000, 8000 | 51.2% | imbalanced"
    assert f"{known} {sizes} | 8, 25, 15, 54, 9, 20, 2, 24 | 8 |" in page
    assert "| cifar10 | test, nats_bench.csv | 94.3733 | 54.2967 |" in page


def test_the_committed_findings_are_up_to_date(fewshot, demo, tmp_path):
    result = fewshot("findings", "--only-demo", "--output", tmp_path / "findings.md")
    assert (result.code, result.out) == (0, "")
    for path in tmp_path.glob("findings*"):
        assert (ROOT / "docs" / path.name).read_text("utf-8") == path.read_text("utf-8"), HOW
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    page = (tmp_path / "findings.md").read_text("utf-8")
    quoted = re.findall(r"> \*(.+?)\*", readme)
    assert quoted and all(sentence in page for sentence in quoted)


def test_the_committed_findings_with_all_tables_are_up_to_date(
    fewshot, demo, nats_csv, data_folder, tmp_path
):
    spaces = nats_csv.parents[1] / "spaces"
    maps = [f"--map={name}=estimate:cifar10" for name in ESTIMATES]
    for file, options in {
        nats_csv: [],
        nats_csv.with_name("estimates.csv"): ["--architecture", "arch", *maps],
        spaces / "nas_bench_macro.csv": ["--space", "nas-bench-macro"],
        spaces / "trans_nas_bench_101_micro.csv": ["--space", "trans-nas-bench-101-micro"],
    }.items():
        assert fewshot("import-table", file, *options).code == 0
    assert fewshot("import-split", nats_csv.parents[1] / "published_splits_all.json").code == 0
    target = tmp_path / "findings-all-tables.md"
    assert fewshot("findings", "--only-demo", "--output", target).code == 0
    page = target.read_text("utf-8")
    assert (ROOT / "docs" / target.name).read_text("utf-8") == page, HOW
    for name, tau in (("one_shot", "0.4841"), ("few_shot", "0.5504")):
        found = page.partition(f"Estimate {name} of NAS-Bench-201 on CIFAR-10")[2]
        assert found.partition("tau over the space ")[2].startswith(tau)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--table", "nowhere"], "nowhere"),
        (["--accuracy", "test"], "test accuracies"),
        (["--published", "nowhere.json"], "nowhere.json"),
    ],
)
def test_reproduce_errors_are_reported_in_one_line(fewshot, arguments, words):
    assert words in fewshot("reproduce", *arguments).complaint
