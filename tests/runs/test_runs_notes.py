"""Names, notes and tags of runs: stored beside the runs, and no part of them."""

import pytest

from fewshot_core.errors import RunError
from fewshot_core.runs import find_finished
from fewshot_core.runs.overview import NOTES, Notes, read_notes, summarise, write_notes


def test_notes_are_stored_beside_the_runs_and_change_no_identity(done_split, params, tmp_path):
    before = {path.name: path.read_bytes() for path in done_split.path.iterdir()}
    run_id = find_finished(params, tmp_path).run_id
    assert read_notes(tmp_path) == {}
    notes = Notes("mine", "first *try*\n", ("a", "b"), pinned=True)
    write_notes({run_id: notes}, tmp_path)
    write_notes({"other": Notes(text="x")}, tmp_path)
    assert read_notes(tmp_path) == {run_id: notes, "other": Notes(text="x")}
    assert {path.name: path.read_bytes() for path in done_split.path.iterdir()} == before
    assert find_finished(params, tmp_path).run_id == run_id
    assert [run.notes for run in summarise(tmp_path)] == [notes]
    write_notes({"other": Notes()}, tmp_path)
    assert set(read_notes(tmp_path)) == {run_id}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "Expecting property name"),
        ("[]", "expected notes by run"),
        ('{"one": {"tags": "a"}}', "entry one is damaged"),
        ('{"one": {"colour": "red"}}', "unknown 'colour'"),
    ],
)
def test_a_damaged_file_is_named_and_never_overwritten(content, expected, done_split, tmp_path):
    path = tmp_path / "runs" / NOTES
    path.write_text(content)
    with pytest.raises(RunError, match=f"(?s){expected}.*delete it to start over"):
        write_notes({"one": Notes("mine")}, tmp_path)
    assert path.read_text() == content
    assert [run.state for run in summarise(tmp_path)] == ["done"]
