"""The paper's tables on the command line."""

import csv
import io

import pytest
from recorded_searches import keep_search, keep_searches

from fewshot_core.bench import load_accuracy
from fewshot_core.space import SubSpace
from fewshot_core.splitting.files import store_splits
from fewshot_core.splitting.tree import NamedSplit

FULL = SubSpace.full()
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
    assert [row["presets"] for row in rows if row["seeds"] == "1"] == [
        "smoke on synthetic images"
    ] * 2


def test_a_preset_without_searches_leaves_all_cells_empty(fewshot, searched):
    cells = fewshot("results", "--preset", "paper", "--json").document["cells"]
    assert {cell["mean"] for cell in cells} == {None}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset", "mnist"], "expected one of cifar10"),
        (["--format", "word"], "expected one of markdown, csv, latex"),
        (["--show", "all"], "expected one of measured, published, both"),
        (["--accuracy", "test"], "test"),
        (["--table", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(fewshot, arguments, words):
    assert words in fewshot("results", *arguments).complaint
