"""The claims of the paper on the command line."""

import re
import shutil
from pathlib import Path

import pytest
from recorded_searches import keep_search, keep_searches

from fewshot_core.runs import list_runs
from fewshot_core.space import SubSpace

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


def first_splits():
    splits = [run for run in list_runs(DEMO) if run.kind().name == "split"]
    asked = [(run, run.split_request()) for run in splits]
    return [run for run, one in asked if one.seed == 0 and one.network.checkpoint is None]


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
    assert summary(page).count("not measured") == 16
    assert "    fewshot split --metric all --batch-size 64\n" in page


def test_searches_are_measured_once_all_sub_spaces_have_one(fewshot, only_splits, data_folder):
    for metric in ("gradientmatching", "gradnorm", "params"):
        keep_searches(data_folder, leaves_of(metric), epochs=20)
    keep_search(data_folder, SubSpace.full(), epochs=20)
    page = fewshot("reproduce").out
    # No random split is searched, so that there is nothing to compare metrics with.
    assert summary(page).count("not measured") == 1
    assert "(gradientmatching, gradnorm, synflow, params; seed 777)" in page
    assert "synthetic images" in page and "Incomplete" not in page
    assert len(re.findall(r"`search-snas-cifar10-\w+`", page)) >= 24


def test_searches_of_some_sub_spaces_are_named_and_not_counted(fewshot, only_splits, data_folder):
    keep_searches(data_folder, leaves_of("params")[:6], epochs=20)
    page = fewshot("reproduce").out
    assert "Incomplete, not counted: synflow, params, SNAS" in page
    assert "seed 777: not searched: S7, S8" in page
    assert "No split with a finished search in every sub-space" in page


def test_only_the_results_of_the_project(fewshot, only_splits, data_folder, tmp_path):
    keep_searches(data_folder, leaves_of("params"), epochs=20)
    target = tmp_path / "deep" / "page.md"
    answer = fewshot("reproduce", "--only-demo", "--output", target)
    assert (answer.code, answer.out) == (0, "")
    # The searches of the data folder, which are on synthetic images, are left out.
    assert "synthetic images" not in target.read_text()
    assert "synthetic images" in fewshot("reproduce").out


def test_the_page_is_what_the_project_says(fewshot, demo):
    page = fewshot("reproduce", "--only-demo", "--accuracy", "validation").out
    assert (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8") == page, HOW


def test_the_page_with_test_accuracies_is_what_the_project_says(fewshot, demo, nats_csv, published):
    splits = published.with_name("published_splits_all.json")
    page = fewshot("reproduce", "--only-demo", "--published", splits, "--table", nats_csv).out
    kept = ROOT / "docs" / "reproduction-test-accuracy.md"
    assert kept.read_text(encoding="utf-8") == page, HOW
    known = "| gradientmatching | ImageNet16-120 | – | – |"
    assert f"{known} 125, 500, 500, 2000, 500, 2000, 2000, 8000 | 51.2% | lopsided |" in page
    assert f"{known} 8, 25, 15, 54, 9, 20, 2, 24 | 8 |" in page
    assert "| cifar10 | test, nats_bench.csv | 94.3733 | 54.2967 |" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--table", "nowhere"], "nowhere"),
        (["--accuracy", "test"], "test accuracies"),
        (["--published", "nowhere.json"], "nowhere.json"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(fewshot, arguments, words):
    assert words in fewshot("reproduce", *arguments).complaint
