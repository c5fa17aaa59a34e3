"""The command line as a whole: help, doctor, exit codes, progress."""

import io
import json

import pytest
from rich.console import Console

from fewshot_core import __version__
from fewshot_core import data_folder as datafolder
from fewshot_core.cli import common as cli_progress
from fewshot_core.cli.common import DownloadBar, follow
from fewshot_core.runs import RunFolder, State, Status, list_runs

COMMANDS = ["doctor", "app", "split", "analyse", "import-table", "images"]


def test_the_version_is_printed_by_the_process(tmp_path, new_process):
    result = new_process(tmp_path, "--version")
    assert (result.code, result.out, result.err) == (0, f"{__version__}\n", "")


def test_help_names_every_command(fewshot):
    result = fewshot("--help")
    assert result.code == 0
    for command in COMMANDS:
        assert command in result.out
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
    result = fewshot(*arguments)
    assert result.code == 2
    assert "Traceback" not in result.err


def test_doctor_says_that_all_is_well(fewshot, data_folder):
    result = fewshot("doctor")
    assert (result.code, result.err) == (0, "")
    assert "no problems found" in result.out and "nasbench201-validation" in result.out


def test_doctor_prints_one_document_from_a_process(data_folder, new_process):
    document = new_process(data_folder, "doctor", "--json").document
    assert document["problems"] == [] and document["devices"][-1] == "cpu"
    assert document["data_dir"] == str(data_folder)
    assert document["runs"] == {}


def test_doctor_is_status_1_where_there_is_a_problem(fewshot, data_folder):
    damaged = data_folder / "tables" / "bad"
    damaged.mkdir()
    result = fewshot("doctor")
    assert result.code == 1 and "PROBLEM: the table 'bad' is damaged" in result.out
    result = fewshot("doctor", "--json")
    assert result.code == 1
    assert "'bad' is damaged" in json.loads(result.out)["problems"][0]


def test_the_option_names_another_data_folder(fewshot, tmp_path):
    other = tmp_path / "other"
    found = fewshot("doctor", "--data-dir", other, "--json").document
    assert found["data_dir"] == str(other) and (other / "tables").is_dir()


def test_a_data_folder_that_is_a_file_is_reported_in_one_line(fewshot, tmp_path):
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

    monkeypatch.setattr("fewshot_core.doctor.examine", interrupt)
    result = fewshot("doctor")
    assert result.code == 130 and "Traceback" not in result.err


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=100)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that goes through some states, one at each look; an exception is raised instead."""
    monkeypatch.setattr(cli_progress, "POLL_SECONDS", 0.0)

    def of(*states):
        left = list(states)

        def status(folder):
            state = left.pop(0)
            if isinstance(state, BaseException):
                raise state
            return state

        monkeypatch.setattr(RunFolder, "status", status)
        return RunFolder(tmp_path / "split-params-cifar10-x")

    return of


def test_progress_is_shown_until_the_run_ends(run, terminal):
    going = Status(State.RUNNING, "scoring none on edge 1<-0, node 1", done=3, total=35)
    end = Status(State.DONE, "done in 1.0 s", done=35, total=35)
    assert follow(run(Status(State.QUEUED, "loading PyTorch"), going, end), terminal) == end
    shown = terminal.file.getvalue()
    assert "scoring none on edge 1<-0, node 1" in shown and "3/35" in shown


def test_nothing_is_shown_where_no_one_looks(run):
    file = Console(file=io.StringIO())
    end = Status(State.DONE, "done")
    assert follow(run(Status(State.RUNNING, "scoring"), end), file) == end
    assert file.file.getvalue() == ""


def test_a_run_that_has_ended_is_not_waited_for(run, terminal):
    end = Status(State.FAILED, "why")
    assert follow(run(end), terminal) == end


def test_an_interruption_cancels_the_run_and_continues(run, terminal, monkeypatch):
    cancelled = []
    monkeypatch.setattr(cli_progress, "cancel", cancelled.append)
    followed = run(Status(State.RUNNING), KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        follow(followed, terminal)
    assert cancelled == [followed]
    assert f"{followed.run_id} cancelled" in terminal.file.getvalue()


def test_a_download_shows_how_much_of_it_is_here(terminal):
    bar = DownloadBar(terminal)
    bar.total = 2_000_000
    bar.update(500_000)
    assert bar.total == 2_000_000
    bar.reset()
    bar.update(1_000_000)
    bar.close()
    shown = terminal.file.getvalue()
    assert "downloading" in shown and "1.0/2.0 MB" in shown
