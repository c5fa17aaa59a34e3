import json

import pytest

from fewshot_core.errors import RunError
from fewshot_core.runs import list_runs, quarantine, unknown_folders


def test_a_folder_that_is_set_aside_is_no_run_any_more_and_whole(done_split, tmp_path):
    before = {path.name: path.read_bytes() for path in done_split.path.iterdir()}
    target = quarantine(done_split)
    assert target.parent == tmp_path / "runs" / ".set-aside"
    assert target.name.startswith(f"{done_split.run_id}-")
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert list_runs(tmp_path) == unknown_folders(tmp_path) == []
    with pytest.raises(RunError, match="there is no run"):
        quarantine(done_split)


def test_a_run_that_is_worked_on_is_not_set_aside(own_folder):
    with pytest.raises(RunError, match="is running: cancel it before"):
        quarantine(own_folder)
    assert json.loads((own_folder.path / "status.json").read_text())["state"] == "running"


def test_foreign_folders_are_listed_but_hidden_ones_are_not(done_split, tmp_path):
    for name in ("holiday", ".hidden"):
        (tmp_path / "runs" / name).mkdir()
    (tmp_path / "runs" / "note.txt").write_text("a file is no folder")
    assert [folder.run_id for folder in unknown_folders(tmp_path)] == ["holiday"]
    assert list_runs(tmp_path) == [done_split]
