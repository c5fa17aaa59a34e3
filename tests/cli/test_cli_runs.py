"""The commands ``fewshot grid`` and ``fewshot cache``."""

import shutil

import pytest

from fewshot_core.runs import Network, RunFolder, SplitRequest, State, Status, list_runs
from fewshot_core.splitting import SplitTree
from fewshot_core.store import Store

GRID = """
[splits]
metrics = ["params"]
network = { channels = 2, cells_per_stage = 1 }
tree = { edges = [0] }

[searches]
preset = "smoke"
set = { epochs = 1 }

[images]
cifar10 = "synthetic"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "grid.toml"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="module")
def made(packaged_dir, tmp_path_factory, stranger, config):
    """A data folder with the runs of a grid, and what was answered."""
    folder = shutil.copytree(packaged_dir, tmp_path_factory.mktemp("made") / "data")
    return folder, stranger(folder, "grid", config, "--workers", 2, "--json")


@pytest.fixture
def data_folder(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "data")


def test_a_grid_is_computed(made):
    folder, answer = made
    document = answer.document
    assert document["total"] == 3 and document["failed"] == {} and document["skipped"] == []
    assert {run.run_id for run in list_runs(folder)} == set(document["done"])
    assert "INFO" not in answer.err


def test_a_grid_that_is_done_starts_no_cluster(fewshot, config, monkeypatch, made):
    monkeypatch.setattr("fewshot_core.cli.runs.open_client", None)
    document = fewshot("grid", config, "--json").document
    assert document["done"] == [] and sorted(document["skipped"]) == sorted(
        made[1].document["done"]
    )
    assert "0 done, 3 already finished" in fewshot("grid", config).out


def test_a_plan_starts_nothing(fewshot, config):
    document = fewshot("grid", config, "--plan", "--json").document
    assert document == {"splits": 1, "searches": 0, "searches_in_splits": 2, "cluster": "local"}
    assert "1 splits, 2 searches in their sub-spaces" in fewshot("grid", config, "--plan").out


def test_the_script_of_a_slurm_job_is_printed(fewshot, config):
    answer = fewshot("grid", config, "--cluster", "slurm", "--job-script")
    assert answer.code == 0 and answer.out.startswith("#!") and "#SBATCH" in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.toml"], "cannot be read as TOML"),
        (["--cluster", "cloud"], "expected the cluster"),
    ],
)
def test_what_cannot_be_done_is_one_line(fewshot, config, arguments, words):
    given = arguments if arguments[0].endswith("toml") else [config, *arguments]
    assert words in fewshot("grid", *given).complaint


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
    answer = fewshot("cache", "rebuild")
    assert answer.code == 0, answer.err
    assert "finished runs: 2 split" in answer.out
    answer = fewshot("cache", "verify")
    assert answer.code == 0
    assert "2 run folders, 2 with a result" in answer.out and "no problems found" in answer.out
    assert "2 runs compared" in answer.out
    document = fewshot("cache", "verify", "--json").document
    assert (document["compared"], document["damaged"], document["problems"]) == (2, {}, {})


def test_damage_is_listed_and_ends_with_1(fewshot, runs):
    runs[0].tree_path.write_text("{")
    answer = fewshot("cache", "verify")
    assert answer.code == 1
    assert f"PROBLEM {runs[0].run_id}" in answer.out and "tree.json cannot be read" in answer.out
    assert "--quarantine" in answer.out and runs[0].path.exists()
    assert runs[0].run_id in fewshot("cache", "rebuild", "--json").document["left_out"]


def test_damage_is_moved_to_quarantine(fewshot, runs, data_folder):
    runs[0].tree_path.write_text("{")
    answer = fewshot("cache", "verify", "--quarantine")
    assert answer.code == 0 and "moved to" in answer.out
    [aside] = (data_folder / "runs" / ".quarantine").iterdir()
    assert (aside / "tree.json").read_text() == "{"
    assert not runs[0].path.exists() and runs[1].path.exists()
    assert fewshot("cache", "verify").code == 0


def test_a_cache_in_use_is_said(stranger, runs, data_folder):
    store = Store(data_folder)
    answer = stranger(data_folder, "cache", "rebuild")
    store.close()
    assert "is open in another process" in answer.complaint
