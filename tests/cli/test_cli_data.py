"""The commands ``fewshot analyse``, ``fewshot import-table`` and ``fewshot images``."""

import json
import math
import pickle

import numpy as np
import pandas as pd
import pytest

from fewshot_core import data_folder as datafolder
from fewshot_core.bench import load_accuracy
from fewshot_core.space import NAS_BENCH_201, Architecture, partition_by_rule
from fewshot_core.splitting.files import open_imported

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


def test_the_published_sizes_and_counts_are_found(fewshot, published, nats_csv):
    chosen = ["--dataset", "ImageNet16-120", "--accuracy", "test", "--table", nats_csv]
    splits = fewshot("analyse", "--masks", published, *chosen, "--json").document["splits"]
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
    result = fewshot("analyse", "--masks", published, "--accuracy", "test", "--json")
    reports = {(item["metric"], item["dataset"]): item for item in result.document["splits"]}
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
    result = fewshot("analyse", "--masks", path)
    assert result.code == 0 and result.err == ""
    assert "params on cifar10, validation accuracy" in result.out
    for words in ("top 1.000%", "S1", "S2", "6,250", "9,375", "91.61"):
        assert words in result.out


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
def test_analyse_errors_are_reported_in_one_line(fewshot, masks, options, words):
    path = masks({"params": {"cifar10": HALVES}})
    assert words in fewshot("analyse", "--masks", path, *options).complaint


def test_something_to_analyse_is_needed(fewshot):
    assert "either --masks FILE or --run RUN" in fewshot("analyse").complaint


ALL_SKIP = Architecture.from_string(
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|"
    "+|skip_connect~0|skip_connect~1|skip_connect~2|"
).index


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_imported_table_has_the_known_values(data_folder, fewshot, nats_csv):
    result = fewshot("import-table", nats_csv, "--name", "nats")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "imported nats from nats_bench.csv",
        "  cifar10 test: 15,625 architectures, complete",
        "  cifar100 test: 15,625 architectures, complete",
        "  ImageNet16-120 test: 15,625 architectures, complete",
    ]
    for dataset, accuracy in [
        ("cifar10", 54.2967),
        ("cifar100", 15.6067),
        ("ImageNet16-120", 16.3222),
    ]:
        frame = load_accuracy(dataset, "test", "nats", data_folder).set_index("architecture")
        assert frame.loc[ALL_SKIP, "accuracy_mean"] == pytest.approx(accuracy, abs=5e-5)


def test_an_archive_of_some_architectures_is_marked_incomplete(fewshot, nats_folder):
    document = fewshot("import-table", nats_folder, "--name", "some", "--json").document
    assert document["name"] == "some" and len(document["sets"]) == 6
    assert all(item["architectures"] == 3 and not item["complete"] for item in document["sets"])
    shown = fewshot("import-table", nats_folder, "--name", "other").out
    incomplete = [line for line in shown.splitlines() if "3 architectures, incomplete" in line]
    assert len(incomplete) == len(set(incomplete))
    assert sum(not line.startswith(("  cost", "  estimate")) for line in incomplete) == 6
    found = fewshot("doctor")
    assert found.code == 0 and "(incomplete)" in found.out


def test_a_refused_table_names_the_row_and_changes_nothing_stored(
    fewshot, nats_data, nats_csv, tmp_path
):
    lines = nats_csv.read_text().splitlines()
    path = tmp_path / "twice.csv"
    path.write_text("\n".join([*lines, lines[4]]))
    before = files(nats_data)
    complaint = fewshot("import-table", path, "--name", "nats", "--replace").complaint
    assert "15627" in complaint and "twice.csv" in complaint
    assert files(nats_data) == before


def test_a_name_that_is_taken_is_refused_unless_replaced(fewshot, nats_data, nats_csv):
    before = files(nats_data)
    complaint = fewshot("import-table", nats_csv, "--name", "nats").complaint
    assert "there is a table 'nats' already" in complaint and "replace it" in complaint
    assert files(nats_data) == before
    named = ["--name", "nats", "--label", "Again", "--replace", "--json"]
    assert fewshot("import-table", nats_csv, *named).document["label"] == "Again"


def test_a_preview_shows_the_columns_and_stores_nothing(fewshot, data_folder, nats_csv):
    before = files(data_folder)
    document = fewshot("import-table", nats_csv, "--preview").document
    assert (document["name"], document["importer"]) == ("nats_bench", "csv")
    assert document["problem"] is None and len(document["sets"]) == 3
    assert document["mapping"]["architecture"] in document["columns"]
    assert files(data_folder) == before


def test_columns_are_mapped_by_options(fewshot, data_folder, nats_csv, tmp_path):
    lines = nats_csv.read_text().splitlines()
    path = tmp_path / "own.csv"
    path.write_text("\n".join(["one,two,three,arch,unique", *lines[1:]]))
    assert "State which of them holds the architecture" in fewshot("import-table", path).complaint
    mapping = ["--architecture", "arch", "--map", "two=cifar100:test"]
    [item] = fewshot("import-table", path, *mapping, "--json").document["sets"]
    assert (item["dataset"], item["kind"], item["complete"]) == ("cifar100", "test", True)
    best = load_accuracy("cifar100", "test", "own", data_folder)["accuracy_mean"].max()
    assert best == pytest.approx(73.5133, abs=5e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nothing.csv"], "nothing.csv"),
        (["nothing.csv", "--map", "two"], "COLUMN=estimate:DATASET, got 'two'"),
        (["nothing.csv", "--name", "../up"], "expected a table name"),
        (
            ["nothing.csv", "--architecture", "a", "--map", "b=mnist:test"],
            "expected one of cifar10",
        ),
    ],
)
def test_import_errors_are_reported_in_one_line(fewshot, data_folder, options, words):
    before = files(data_folder)
    assert words in fewshot("import-table", *options).complaint
    assert files(data_folder) == before


def test_a_full_disk_is_one_line_and_leaves_the_table_that_is_stored(
    fewshot, nats_data, nats_csv, full_disk
):
    before = files(nats_data)
    full_disk(datafolder, "_sync")
    named = ["--name", "nats", "--replace"]
    complaint = fewshot("import-table", nats_csv, *named).complaint
    assert "operating system error" in complaint and "No space left on device" in complaint
    assert files(nats_data) == before
    assert len(load_accuracy("cifar10", "test", "nats", nats_data)) == 15625


def test_a_write_error_is_one_line_and_changes_nothing_stored(data_folder, new_process, nats_csv):
    before = files(data_folder)
    small_files = ("sh", "-c", 'ulimit -f 100; exec "$@"', "sh")
    complaint = new_process(data_folder, "import-table", nats_csv, prefix=small_files).complaint
    assert "File too large" in complaint
    assert files(data_folder) == before


CHOICES = [
    "cifar-10-python.tar.gz",
    "images/cifar10/",
    "fewshot images register cifar10 PATH",
    "fewshot images download cifar10",
    "use 'synthetic'",
]


@pytest.fixture
def cifar(tmp_path):
    """Tiny official pickles of CIFAR-10."""
    folder = tmp_path / "my cifar"
    folder.mkdir()
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for name in names:
        content = {b"data": np.zeros((10, 3072), dtype=np.uint8), b"labels": list(range(10))}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def test_without_images_there_are_synthetic_ones(fewshot):
    rows = fewshot("images", "list", "--json").document["images"]
    assert [(row["dataset"], row["name"]) for row in rows] == [
        (name, "synthetic") for name in ("cifar10", "cifar100", "ImageNet16-120")
    ]
    assert all(row["synthetic"] and row["path"] is None and not row["problem"] for row in rows)


def test_images_are_registered_listed_and_forgotten(fewshot, cifar):
    result = fewshot("images", "register", "cifar10", cifar, "--name", "mine")
    assert result.code == 0 and result.err == ""
    assert result.out.startswith("registered mine for cifar10: ") and str(cifar) in result.out
    first = fewshot("images", "list", "--json").document["images"][0]
    assert (first["name"], first["path"], first["synthetic"]) == ("mine", str(cifar), False)
    shown = fewshot("images", "list").out
    assert "mine" in shown and "synthetic" in shown
    assert (
        fewshot("images", "remove", "cifar10", "mine").out
        == "removed mine of cifar10; its files stay\n"
    )
    rows = fewshot("images", "list", "--json").document["images"]
    assert [row["name"] for row in rows] == ["synthetic"] * 3
    assert (cifar / "test_batch").exists()


def test_registered_images_that_have_vanished_are_listed_with_the_problem(fewshot, cifar):
    fewshot("images", "register", "cifar10", cifar, "--name", "mine")
    cifar.rename(cifar.with_name("moved"))
    first = fewshot("images", "list", "--json").document["images"][0]
    assert first["name"] == "mine" and "no longer at" in first["problem"]
    found = fewshot("doctor", "--json")
    assert found.code == 1
    assert first["problem"] in json.loads(found.out)["problems"]


def test_a_partition_is_imported_exported_and_analysed(fewshot, data_folder, tmp_path):
    rule = ("--rule", "active-convolutions")
    names = fewshot("import-split", *rule, "--json").document["imported"]
    assert names == [f"active-convolutions-{name}-partition" for name in DATASETS]
    labels = tmp_path / "labels.csv"
    fewshot("export-split", names[0], labels)
    found = fewshot("import-split", labels, "--dataset", "cifar100", "--json").document
    assert found == {"imported": ["labels-cifar100-partition"], "left_out": {}}
    leaves = open_imported("labels-cifar100-partition", data_folder).leaves
    assert leaves == partition_by_rule("active-convolutions")
    by_rule = fewshot("analyse", *rule, "--dataset", "cifar100", "--json").document["splits"]
    [imported] = fewshot("analyse", "--run", names[1], "--json").document["splits"]
    assert imported["sub_spaces"] == by_rule[0]["sub_spaces"]
    assert "no product of operation sets" in fewshot("search", "--split", names[0]).complaint
    path = tmp_path / "masks.json"
    assert "no product of operation sets" in fewshot("export-split", names[0], path).complaint
    assert "either a file or folder, or --rule" in fewshot("import-split").complaint


def test_folders_that_are_left_out_are_named(fewshot, tmp_path):
    for name, rows in (("good", HALVES), ("bad", HALVES[:1])):
        folder = tmp_path / "configs" / name
        folder.mkdir(parents=True)
        for number, one in enumerate(rows):
            arch = [[int(mark) for mark in row] for row in one]
            text = json.dumps({"dataset": "cifar10", "default": {"arch": arch}})
            (folder / f"nb201_gn{number}_darts_cifar10.yml").write_text(text)
    found = fewshot("import-split", tmp_path / "configs").out
    assert "imported gradnorm-cifar10-configs" in found
    assert "left out bad: gradnorm on cifar10: " in found and "are missing" in found


def test_a_partition_by_a_cost(fewshot, tmp_path):
    path = tmp_path / "costs.csv"
    rows = [f"{NAS_BENCH_201.digits(index)},{index % 8}" for index in range(NAS_BENCH_201.size)]
    path.write_text("\n".join(["arch,latency", *rows]))
    options = ("--rule", f"cost-quantile={path}:latency", "--dataset", "cifar10")
    [split] = fewshot("analyse", *options, "--json").document["splits"]
    assert [part["label"] for part in split["sub_spaces"]] == list("1234")
    assert [part["size"] for part in split["sub_spaces"]] == [3907, 3906, 3906, 3906]
    assert "needs a cost" in fewshot("analyse", "--rule", "cost-quantile").complaint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["register", "mnist", "."], "expected one of cifar10"),
        (["register", "cifar10", "nowhere"], "holds no CIFAR-10 in a known format"),
        (["forget", "cifar10", "mine"], "unknown images 'mine' of cifar10: registered are none"),
        (["download", "mnist"], "expected one of cifar10"),
        (["download", "ImageNet16-120"], "cannot be downloaded freely"),
    ],
)
def test_errors_are_reported_in_one_line(fewshot, arguments, words):
    assert words in fewshot("images", *arguments).complaint


def test_a_download_without_a_network_names_every_choice(tmp_path, new_process):
    nowhere = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), nowhere)
    result = new_process(tmp_path, "images", "download", "cifar10", env=proxies | {"NO_PROXY": ""})
    assert (result.code, result.out) == (1, "")
    assert "Traceback" not in result.err
    last = result.err.splitlines()[-1]
    assert last.startswith("fewshot: CIFAR-10 could not be downloaded")
    for choice in CHOICES:
        assert choice in last


def test_a_full_disk_is_one_line_and_changes_nothing_registered(
    fewshot, cifar, data_folder, full_disk
):
    fewshot("images", "register", "cifar10", cifar, "--name", "mine")
    path = data_folder / "images" / "registered.json"
    before = path.read_bytes()
    full_disk(datafolder, "_sync")
    complaint = fewshot("images", "register", "cifar10", cifar, "--name", "again").complaint
    assert "No space left on device" in complaint
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["registered.json"]
