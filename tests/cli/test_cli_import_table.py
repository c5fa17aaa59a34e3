import pytest

from fewshot_core import data_folder as datafolder
from fewshot_core.bench import load_accuracy
from fewshot_core.space import Architecture

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


def test_a_stranger_imports_the_table_and_it_reads_the_known_values(
    data_folder, stranger, nats_csv
):
    answer = stranger(data_folder, "import-table", nats_csv, "--name", "nats")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
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
    assert shown.count("3 architectures, incomplete") == 6
    found = fewshot("doctor")
    assert found.code == 0 and "(incomplete)" in found.out


def test_a_refused_table_names_the_row_and_leaves_what_is_stored(
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
    assert "there is a table 'nats' already" in complaint and "--replace" in complaint
    assert files(nats_data) == before
    named = ["--name", "nats", "--label", "Again", "--replace", "--json"]
    assert fewshot("import-table", nats_csv, *named).document["label"] == "Again"


def test_a_preview_says_what_was_understood_and_stores_nothing(fewshot, data_folder, nats_csv):
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
    assert "State it with --architecture COLUMN" in fewshot("import-table", path).complaint
    mapping = ["--architecture", "arch", "--map", "two=cifar100:test"]
    [item] = fewshot("import-table", path, *mapping, "--json").document["sets"]
    assert (item["dataset"], item["kind"], item["complete"]) == ("cifar100", "test", True)
    best = load_accuracy("cifar100", "test", "own", data_folder)["accuracy_mean"].max()
    assert best == pytest.approx(73.5133, abs=5e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nothing.csv"], "nothing.csv"),
        (["nothing.csv", "--map", "two"], "expected COLUMN=DATASET:KIND, got 'two'"),
        (["nothing.csv", "--name", "../up"], "expected a table name"),
        (
            ["nothing.csv", "--architecture", "a", "--map", "b=mnist:test"],
            "expected one of cifar10",
        ),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_line(fewshot, data_folder, options, words):
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


def test_a_disk_that_refuses_to_write_is_one_line_and_leaves_what_is_stored(
    data_folder, stranger, nats_csv
):
    before = files(data_folder)
    small_files = ("sh", "-c", 'ulimit -f 100; exec "$@"', "sh")
    complaint = stranger(data_folder, "import-table", nats_csv, prefix=small_files).complaint
    assert "File too large" in complaint
    assert files(data_folder) == before
