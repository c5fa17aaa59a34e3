import io

import pytest
from rich.console import Console

from fewshot_core.cli import common as cli_progress
from fewshot_core.cli.common import DownloadBar, follow
from fewshot_core.runs import RunFolder, State, Status


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


def test_an_interruption_cancels_the_run_and_goes_on(run, terminal, monkeypatch):
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
