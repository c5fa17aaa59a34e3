import shutil

import pytest

from fewshot_core.runs import list_runs

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
def made(packaged_dir, tmp_path_factory, new_process, config):
    """A data folder with the runs of a grid, and the result of the command."""
    folder = shutil.copytree(packaged_dir, tmp_path_factory.mktemp("made") / "data")
    return folder, new_process(folder, "grid", config, "--workers", 1, "--json")


@pytest.fixture
def data_folder(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "data")


def test_a_grid_is_computed(made):
    folder, result = made
    document = result.document
    assert document["total"] == 3 and document["failed"] == {} and document["skipped"] == []
    assert {run.run_id for run in list_runs(folder)} == set(document["done"])
    assert "INFO" not in result.err


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
    result = fewshot("grid", config, "--cluster", "slurm", "--job-script")
    assert result.code == 0 and result.out.startswith("#!") and "#SBATCH" in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.toml"], "expected a grid in TOML"),
        (["--cluster", "cloud"], "expected the cluster"),
    ],
)
def test_errors_are_one_line(fewshot, config, arguments, words):
    given = arguments if arguments[0].endswith("toml") else [config, *arguments]
    assert words in fewshot("grid", *given).complaint
