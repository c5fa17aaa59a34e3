import json
import math

import pandas as pd
import pytest

DATASETS = {
    "cifar10": "CIFAR10TestAccuracy200Epochs",
    "cifar100": "CIFAR100TestAccuracy200Epochs",
    "ImageNet16-120": "ImageNetTestAccuracy200Epochs",
}
HALVES = [["11000", *["11111"] * 5], ["00111", *["11111"] * 5]]


@pytest.fixture
def masks(tmp_path):
    def write(splits):
        path = tmp_path / "masks.json"
        path.write_text(splits if isinstance(splits, str) else json.dumps({"splits": splits}))
        return path

    return write


def test_the_published_sizes_and_counts_are_found_by_a_stranger(
    tmp_path, stranger, published, nats_csv
):
    chosen = ["--dataset", "ImageNet16-120", "--accuracy", "test", "--table", nats_csv]
    splits = stranger(tmp_path, "analyse", "--masks", published, *chosen, "--json").document[
        "splits"
    ]
    assert {report["dataset"] for report in splits} == {"ImageNet16-120"}
    [report] = [report for report in splits if report["metric"] == "gradientmatching"]
    assert (report["accuracy"], report["table"]) == ("test", "nats_bench.csv")
    rows = report["sub_spaces"]
    assert [row["size"] for row in rows] == [125, 500, 500, 2000, 500, 2000, 2000, 8000]
    assert [row["top_count"] for row in rows] == [8, 25, 15, 54, 9, 20, 2, 24]
    assert max(row["best"] for row in rows) == pytest.approx(47.3111, abs=5e-5)


def test_every_published_split_is_described_in_the_order_of_the_file(
    fewshot, nats_data, nats_csv, published
):
    answer = fewshot("analyse", "--masks", published, "--accuracy", "test", "--json")
    reports = {(item["metric"], item["dataset"]): item for item in answer.document["splits"]}
    expected = json.loads(published.read_text())["splits"]
    assert list(reports) == [(metric, name) for metric, of in expected.items() for name in of]
    table = pd.read_csv(nats_csv)
    for (metric, dataset), report in reports.items():
        assert report["table"] == "nats"
        rows = report["sub_spaces"]
        assert [row["rows"] for row in rows] == expected[metric][dataset]
        assert sum(row["size"] for row in rows) == 15625
        accuracies = table[DATASETS[dataset]].sort_values(ascending=False).to_list()
        top = sum(accuracy >= accuracies[156] for accuracy in accuracies)
        assert sum(row["top_count"] for row in rows) == top >= 157
        assert max(row["best"] for row in rows) == accuracies[0]
        mean = sum(row["mean"] * row["size"] for row in rows) / 15625
        assert mean == pytest.approx(math.fsum(accuracies) / 15625)


def test_splits_are_described_for_people(fewshot, masks):
    path = masks({"params": {"cifar10": HALVES}})
    answer = fewshot("analyse", "--masks", path)
    assert answer.code == 0 and answer.err == ""
    assert "params on cifar10, validation accuracy" in answer.out
    for words in ("top 1.000%", "S1", "S2", "6,250", "9,375", "91.61"):
        assert words in answer.out


def test_the_share_that_counts_as_top_can_be_chosen(fewshot, masks):
    path = masks({"params": {"cifar10": HALVES}})
    chosen = ["--threshold", "1", "--json"]
    [report] = fewshot("analyse", "--masks", path, *chosen).document["splits"]
    assert [row["top_count"] for row in report["sub_spaces"]] == [6250, 9375]


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({"own": {"cifar10": [HALVES[0], ["01111", *["11111"] * 5]]}}, "3,125"),
        ({"own": {"cifar10": HALVES[:1]}}, "9,375"),
        ({"own": {"cifar10": [["11111"] * 5]}}, "expected 6 rows"),
        ({"own": {"cifar10": []}}, "own on cifar10 has no sub-spaces"),
        ({"own": {"mnist": HALVES}}, "expected one of cifar10, cifar100"),
        ({"own": ["cifar10"]}, "masks.json: expected"),
        ("{", "masks.json cannot be read"),
        ("[]", "masks.json: expected"),
    ],
)
def test_masks_that_are_no_split_are_refused_in_one_line(fewshot, masks, splits, words):
    assert words in fewshot("analyse", "--masks", masks(splits), "--json").complaint


def test_masks_that_overlap_are_counted(fewshot, masks):
    path = masks({"own": {"cifar10": [HALVES[0], ["11111"] * 6]}})
    complaint = fewshot("analyse", "--masks", path).complaint
    assert "own on cifar10" in complaint and "6,250" in complaint


def test_a_missing_file_is_named(fewshot, tmp_path):
    complaint = fewshot("analyse", "--masks", tmp_path / "nothing.json").complaint
    assert "nothing.json cannot be read" in complaint and "No such file" in complaint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dataset", "mnist"], "expected one of cifar10"),
        (["--dataset", "cifar100"], "has no split for cifar100"),
        (["--accuracy", "train"], "expected one of validation, test"),
        (["--accuracy", "test"], "fewshot import-table FILE"),
        (["--table", "nothing.csv"], "unknown accuracy table 'nothing.csv'"),
        (["--threshold", "0"], "above 0 and at most 1, got 0"),
        (["--threshold", "nan"], "above 0 and at most 1, got nan"),
        (["--run", "some"], "either --masks FILE or --run RUN"),
    ],
)
def test_what_cannot_be_analysed_is_said_in_one_line(fewshot, masks, options, words):
    path = masks({"params": {"cifar10": HALVES}})
    assert words in fewshot("analyse", "--masks", path, *options).complaint


def test_something_to_analyse_is_needed(fewshot):
    assert "either --masks FILE or --run RUN" in fewshot("analyse").complaint
