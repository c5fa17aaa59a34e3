import json

import pytest

from fewshot_core import __version__
from fewshot_core import data_folder as datafolder
from fewshot_core.runs import list_runs

COMMANDS = ["doctor", "app", "split", "analyse", "import-table", "images"]


def test_the_version_is_printed_to_a_stranger(tmp_path, stranger):
    answer = stranger(tmp_path, "--version")
    assert (answer.code, answer.out, answer.err) == (0, f"{__version__}\n", "")


def test_help_names_every_command(fewshot):
    answer = fewshot("--help")
    assert answer.code == 0
    for command in COMMANDS:
        assert command in answer.out
        assert fewshot(command, "--help").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["images"],
        ["images", "nothing"],
        ["split"],
        ["split", "--colour", "red"],
        ["split", "--metric", "params", "--channels", "many"],
        ["import-table"],
    ],
)
def test_a_command_that_is_not_understood_is_status_2(fewshot, arguments):
    answer = fewshot(*arguments)
    assert answer.code == 2
    assert "Traceback" not in answer.err


def test_doctor_says_that_all_is_well(fewshot, data_folder):
    answer = fewshot("doctor")
    assert (answer.code, answer.err) == (0, "")
    assert "no problems found" in answer.out and "nasbench201-validation" in answer.out


def test_doctor_prints_one_document_to_a_stranger(data_folder, stranger):
    document = stranger(data_folder, "doctor", "--json").document
    assert document["problems"] == [] and document["devices"][-1] == "cpu"
    assert document["data_dir"] == str(data_folder)
    assert document["runs"] == {}


def test_doctor_is_status_1_where_there_is_a_problem(fewshot, data_folder):
    damaged = data_folder / "tables" / "bad"
    damaged.mkdir()
    answer = fewshot("doctor")
    assert answer.code == 1 and "PROBLEM: the table 'bad' is damaged" in answer.out
    answer = fewshot("doctor", "--json")
    assert answer.code == 1
    assert "'bad' is damaged" in json.loads(answer.out)["problems"][0]


def test_the_option_names_another_data_folder(fewshot, tmp_path):
    other = tmp_path / "other"
    found = fewshot("doctor", "--data-dir", other, "--json").document
    assert found["data_dir"] == str(other) and (other / "tables").is_dir()


def test_a_data_folder_that_is_a_file_is_said_in_one_line(fewshot, tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    complaint = fewshot("split", "--metric", "params", "--data-dir", place).complaint
    assert str(place) in complaint


def test_a_full_disk_is_one_line_and_starts_no_split(fewshot, data_folder, full_disk):
    full_disk(datafolder, "_sync")
    complaint = fewshot("split", "--metric", "params").complaint
    assert "operating system error: [Errno 28] No space left on device" in complaint
    assert list_runs(data_folder) == []


def test_an_interruption_is_status_130(fewshot, monkeypatch):
    def interrupt(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr("fewshot_core.cli.app.examine", interrupt)
    answer = fewshot("doctor")
    assert answer.code == 130 and "Traceback" not in answer.err
