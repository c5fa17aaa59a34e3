"""``fewshot cache``: what it says and how it ends."""

import pytest

from fewshot_core.runs import Network, RunFolder, SplitRequest, State, Status
from fewshot_core.runs.overview import NOTES, Notes, write_notes
from fewshot_core.splitting import SplitTree
from fewshot_core.store import Store


@pytest.fixture
def runs(data_folder):
    """Two finished splits."""
    made = []
    for seed in (0, 1):
        request = SplitRequest("cifar10", "params", seed=seed, network=Network(2, 1))
        run = RunFolder(data_folder / "runs" / request.run_id({}))
        run.path.mkdir(parents=True)
        run.write_manifest({"kind": "split", "request": request.to_dict()})
        run.write_tree(SplitTree("params", ()))
        run.write_status(Status(State.DONE))
        made.append(run)
    return made


def test_a_cache_is_rebuilt_and_verified(fewshot, runs):
    result = fewshot("cache", "rebuild")
    assert result.code == 0, result.err
    assert "finished runs: 2 split" in result.out
    result = fewshot("cache", "verify")
    assert result.code == 0
    assert "2 run folders, 2 with a result" in result.out and "no problems found" in result.out
    assert "2 runs compared" in result.out
    document = fewshot("cache", "verify", "--json").document
    assert (document["compared"], document["damaged"], document["problems"]) == (2, {}, {})


def test_damage_is_listed_and_ends_with_1(fewshot, runs):
    runs[0].tree_path.write_text("{")
    result = fewshot("cache", "verify")
    assert result.code == 1
    assert f"PROBLEM {runs[0].run_id}" in result.out and "tree.json cannot be read" in result.out
    assert "--quarantine" in result.out and runs[0].path.exists()
    assert runs[0].run_id in fewshot("cache", "rebuild", "--json").document["left_out"]


def test_damage_is_moved_to_quarantine(fewshot, runs, data_folder):
    runs[0].tree_path.write_text("{")
    result = fewshot("cache", "verify", "--quarantine")
    assert result.code == 0 and "moved to" in result.out
    [aside] = (data_folder / "runs" / ".quarantine").iterdir()
    assert (aside / "tree.json").read_text() == "{"
    assert not runs[0].path.exists() and runs[1].path.exists()
    assert fewshot("cache", "verify").code == 0


def test_a_cache_in_use_is_reported(new_process, runs, data_folder):
    store = Store(data_folder)
    result = new_process(data_folder, "cache", "rebuild")
    store.close()
    assert "is open in another process" in result.complaint


def test_runs_are_listed_with_their_notes(fewshot, runs, data_folder):
    notes = Notes("mine", "see *this*", ("paper",), pinned=True)
    write_notes({runs[0].run_id: notes}, data_folder)
    listed = fewshot("runs", "--json").document
    assert {each["run"] for each in listed} == {run.run_id for run in runs}
    [found] = fewshot("runs", "--tag", "paper", "--json").document
    assert found["run"] == runs[0].run_id and found["name"] == "mine" and found["pinned"]
    assert "no runs" in fewshot("runs", "--tag", "other").out
    (data_folder / "runs" / NOTES).write_text("{")
    assert "notes and tags of runs cannot be read" in fewshot("runs").err


@pytest.mark.parametrize(
    "command",
    [
        "runs --json",
        "cache verify --json",
        "analyse --run split-params-cifar10-438be11500b1 --json",
        "export-split split-params-cifar10-438be11500b1 {folder}/masks.json",
        "halve --curves mine --json",
        "curves list",
        "results --json",
        "images list",
        "doctor --json",
    ],
)
def test_commands_read_a_folder_of_version_0_1(run_here, old, command):
    result = run_here(old, *command.format(folder=old.parent).split())
    assert result.code == 0, result.err
