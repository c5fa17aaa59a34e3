"""``fewshot search`` and ``fewshot train``, with a fast preset and synthetic images."""

import json
import shlex
import shutil
from dataclasses import replace

import pytest

from fewshot_core.cli import common
from fewshot_core.cli import search as cli_search
from fewshot_core.errors import FewshotError
from fewshot_core.runs import SearchRequest, TrainingRequest, list_runs, run_folder
from fewshot_core.runs.commands import command
from fewshot_core.runs.estimate import record_pace
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace

SMOKE = ["--preset", "smoke", "--images", "synthetic"]
HALVES = {"splits": {"halves": {"cifar10": [
    ["11000", *["11111"] * 5],
    ["00111", *["11111"] * 5],
]}}}  # fmt: skip


@pytest.fixture
def halves(tmp_path):
    path = tmp_path / "halves.json"
    path.write_text(json.dumps(HALVES))
    return path


@pytest.fixture(scope="module")
def made(packaged_dir, tmp_path_factory, run_here):
    """A data folder with the searches of a command, and the result of the command."""
    folder = shutil.copytree(packaged_dir, tmp_path_factory.mktemp("made") / "data")
    path = folder.parent / "halves.json"
    path.write_text(json.dumps(HALVES))
    arguments = ["search", "--masks", path, "--algorithm", "dsnas", *SMOKE, "--json"]
    return folder, run_here(folder, *arguments)


@pytest.fixture
def data_folder(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "data")


def test_a_search_in_every_sub_space_of_a_file(made):
    folder, result = made
    document = result.document
    assert (document["split"], document["dataset"]) == ("halves on cifar10", "cifar10")
    rows = document["runs"]
    assert [(row["sub_space"], row["seed"], row["epochs"]) for row in rows] == [
        ("S1", 777, 2),
        ("S2", 777, 2),
    ]
    for row in rows:
        space = SubSpace.from_rows(row["rows"])
        assert row["architecture_index"] in space.architecture_indices()
        assert 0 <= row["valid_accuracy"] <= 100 < 1000 * row["accuracy"]
        records = run_folder(row["run_id"], folder).records()
        assert records[-1]["architecture"] == row["architecture"]
    assert document["accuracy"].startswith("validation accuracy")


def test_finished_searches_are_shown_without_computing(made, fewshot, halves):
    again = fewshot("search", "--masks", halves, "--algorithm", "dsnas", *SMOKE, "--json")
    assert again.document == made[1].document
    table = fewshot("search", "--masks", halves, "--algorithm", "dsnas", *SMOKE, "--only", "S2")
    assert table.code == 0 and "S2" in table.out and "S1" not in table.out


def test_an_estimate_measures_once_and_starts_nothing(fewshot, halves, data_folder):
    before = list_runs(data_folder)
    arguments = [
        "search",
        "--masks",
        halves,
        *SMOKE,
        "--seeds",
        "1,2",
        "--seeds",
        "2",
        "--estimate",
    ]
    result = fewshot(*arguments, "--json")
    document = result.document
    assert [(row["sub_space"], row["seed"]) for row in document["searches"]] == [
        ("S1", 1), ("S1", 2), ("S2", 1), ("S2", 2)
    ]  # fmt: skip
    assert document["seconds"] == pytest.approx(sum(r["seconds"] for r in document["searches"]))
    assert all(row["seconds"] > 0 for row in document["searches"])
    assert document["options"]["epochs"] == PRESETS.get("smoke").search.epochs
    assert "measuring" in result.err
    assert "measuring" not in fewshot(*arguments).err
    assert list_runs(data_folder) == before


def test_a_supernet_is_trained_and_its_weights_are_inherited(fewshot):
    trained = fewshot("train", *SMOKE, "--json").document
    assert [record["epoch"] for record in trained["epochs"]] == [1, 2]
    space = ["--sub-space", "00110 01000 01000 01000 00001 10000", "--set", "epochs=1"]
    found = fewshot("search", *space, "--checkpoint", trained["checkpoint"], *SMOKE, "--json")
    [row] = found.document["runs"]
    assert row["epochs"] == 1
    assert "validation accuracy" in fewshot("train", *SMOKE).out


@pytest.fixture
def measured(monkeypatch):
    """Have a step take a second."""
    monkeypatch.setattr(common, "measure", lambda place, request: record_pace(place, request, 1.0))


def test_a_split_that_was_made_here_is_searched(fewshot, data_folder, measured):
    small = ["--channels", "2", "--cells", "1", "--edges", "0"]
    made = fewshot("split", "--metric", "random", *small, "--json").document
    run = run_folder(made["run_id"], data_folder)
    result = fewshot("search", "--split", run.run_id, *SMOKE, "--estimate", "--json")
    rows = result.document["searches"]
    assert [row["size"] for row in rows] == [leaf.size for leaf in run.tree().leaves]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected one of --split RUN"),
        (["--no-splitting", "--sub-space", "x"], "expected one of --split RUN"),
        (["--sub-space", "01110 11111"], "expected 6 rows"),
        (["--split", "nothing"], "no run 'nothing'"),
        (["--no-splitting", "--algorithm", "luck"], "unknown search algorithm"),
        (["--no-splitting", "--preset", "slow"], "unknown preset"),
        (["--no-splitting", "--seeds", "one"], "--seeds"),
        (["--no-splitting", "--only", "S1"], "--only"),
        (["--no-splitting", "--checkpoint", "none.pt"], "expected a checkpoint file"),
        (["--no-splitting", "--set", "epochs=0"], "epochs"),
    ],
)
def test_search_errors_are_one_line(fewshot, arguments, words):
    assert words in fewshot("search", *arguments, "--images", "synthetic").complaint


def test_a_file_of_several_splits_needs_a_name(fewshot, published, measured):
    complaint = fewshot("search", "--masks", published, *SMOKE).complaint
    assert "gradientmatching on cifar10" in complaint and "--name" in complaint
    chosen = ["--name", "params", "--dataset", "cifar10", "--only", "S1", "--estimate", "--json"]
    [row] = fewshot("search", "--masks", published, *SMOKE, *chosen).document["searches"]
    assert row["sub_space"] == "S1"


def test_a_search_that_fails_says_where_its_log_is(fewshot, halves):
    broken = ["--set", "learning_rate=1e30", "--set", "gradient_clip=1e30"]
    result = fewshot("search", "--masks", halves, *SMOKE, *broken)
    assert result.code == 1 and result.out == ""
    assert "failed" in result.err and "log: " in result.err


SEARCH = SearchRequest("cifar10", "snas", tuple(SubSpace.full().rows), images="synthetic")


@pytest.mark.parametrize(
    "request_",
    [
        SEARCH,
        replace(SEARCH, options=PRESETS.get("quick").search, seed=888),
        replace(SEARCH, options=replace(PRESETS.get("quick").search, epochs=3, augment=False)),
        replace(SEARCH, algorithm="darts-2nd", dataset="cifar100", device="cuda"),
        replace(SEARCH, precision="bfloat16", compiled=True, device="cuda"),
        TrainingRequest("cifar10", images="synthetic"),
        TrainingRequest("cifar100", PRESETS.get("quick").training, 3, device="cuda"),
    ],
)
def test_the_command_of_a_request_asks_for_the_same(fewshot, monkeypatch, request_):
    requests = []

    def look(request, place):
        requests.append(request)
        raise FewshotError("only looking")

    monkeypatch.setattr(common, "start", look)
    monkeypatch.setattr(cli_search, "choose_device", lambda name: name)
    result = fewshot(*shlex.split(command(request_))[1:])
    assert "only looking" in result.complaint
    assert requests[0].to_dict() == request_.to_dict()
