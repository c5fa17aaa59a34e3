"""The commands ``fewshot train`` and ``fewshot proxy``."""

import json

import pytest

from fewshot_core.cli import search as cli_train
from fewshot_core.nets import Supernet
from fewshot_core.runs import (
    RunFolder,
    SearchRequest,
    State,
    Status,
    TrainingRequest,
    jobs,
    list_runs,
    search_job,
)
from fewshot_core.runs.search_job import run, run_proxy
from fewshot_core.search import PRESETS
from fewshot_core.search.proxy import read_shared
from fewshot_core.space import SubSpace


@pytest.fixture
def requests(monkeypatch):
    """The requests whose time was estimated; each would take 40 minutes."""
    requests = []

    def result(request, place):
        requests.append(request)
        return 2400.0

    monkeypatch.setattr(cli_train, "expected_seconds", result)
    return requests


def test_an_estimate_starts_nothing(fewshot, data_folder, requests):
    arguments = ("--preset", "smoke", "--set", "epochs=7", "--images", "synthetic", "--estimate")
    result = fewshot("train", *arguments)
    assert (result.code, result.out.strip()) == (0, "about 40 min")
    assert fewshot("train", *arguments, "--json").document == {"seconds": 2400.0}
    assert [request.options.epochs for request in requests] == [7, 7]
    assert list_runs(data_folder) == []


def test_an_unknown_option_is_reported(fewshot, data_folder):
    result = fewshot("train", "--set", "patience=3", "--images", "synthetic")
    assert result.code == 1 and "patience" in result.err
    assert list_runs(data_folder) == []


SMOKE = PRESETS.get("smoke")
PART = SubSpace.full().keep(0, (1, 3)).keep(1, (3,)).keep(2, (2,)).keep(3, (3,)).keep(4, (1, 2))
SEARCH = SearchRequest("cifar10", "dsnas", tuple(PART.rows), SMOKE.search, 1, "synthetic")
TRAINING = TrainingRequest("cifar10", SMOKE.training, 1, "synthetic")


@pytest.fixture
def made(data_folder):
    """Do a run in this process."""

    def make(kind, request):
        run_folder = RunFolder(data_folder / "runs" / request.run_id({}))
        run_folder.path.mkdir(parents=True)
        run_folder.write_manifest({"kind": kind, "request": request.to_dict()})
        run_folder.write_status(Status(State.QUEUED))
        run(run_folder, data_folder)
        return run_folder

    return make


def test_architectures_of_the_sub_space_are_ranked_and_stored(
    made, fewshot, data_folder, monkeypatch
):
    search = made("search", SEARCH)
    document = json.loads(fewshot("proxy", search.run_id, "--sample", 8, "--json").out)
    rows = document["architectures"]
    assert {row["architecture"] for row in rows} <= set(PART.architecture_indices().tolist())
    assert len(rows) == 8 and (document["epoch"], document["images"]) == (2, 32)
    assert document["held_out"] is True
    assert all(0 <= row["shared_accuracy"] <= 100 for row in rows)
    (stored,) = [one for one in list_runs(data_folder) if one.request().kind == "proxy"]
    shared = read_shared(stored.path)
    assert list(shared.accuracies) == [row["shared_accuracy"] for row in rows]
    monkeypatch.setattr(jobs, "_launch", None)  # a second time nothing is measured
    again = json.loads(fewshot("proxy", search.run_id, "--sample", 8, "--json").out)
    assert again == document
    options = ("--estimate", document["estimate"], "--json")
    [judged] = fewshot("estimates", *options).document["estimates"]
    assert judged["known"] == 8 and judged["tau"] == document["kendall"]["value"]


def test_the_accuracies_are_those_of_the_checkpoint(made, fewshot, data_folder, monkeypatch):
    search = made("search", SEARCH)
    seen = []

    def run_here(folder, *rest):
        """Do the run in this process."""
        folder.write_status(Status(State.QUEUED))
        run_proxy(folder, data_folder)

    monkeypatch.setattr(jobs, "_launch", run_here)
    monkeypatch.setattr(
        search_job,
        "shared_accuracies",
        lambda supernet, found, *rest: seen.append(supernet) or [float(n % 97) for n in found],
    )
    result = fewshot("proxy", search.run_id, "--sample", 99)
    assert "20 architectures with the weights of epoch 2, on 32 images (held out)" in result.out
    assert "Kendall's tau: " in result.out and "interval" in result.out
    fresh = Supernet(PART, 10, 2, 1, seed=1).state_dict()
    trained = seen[0].state_dict()
    assert "checkpoint.pt" in seen[0].weights
    assert any((fresh[name] != trained[name]).any() for name in fresh)


def test_a_trained_supernet_is_measured_over_the_whole_space(made, fewshot):
    training = made("train", TRAINING)
    result = fewshot("proxy", training.run_id, "--sample", 3)
    assert result.code == 0 and "3 architectures" in result.out


@pytest.mark.parametrize("sample", [0, 1])
def test_too_few_architectures_are_refused(made, fewshot, sample):
    search = made("search", SEARCH)
    result = fewshot("proxy", search.run_id, "--sample", sample)
    assert result.code == 1 and "expected sample, an integer from 2 to 15,625" in result.err


def test_a_run_without_shared_weights_is_refused(fewshot):
    assert "there is no run 'nothing'" in fewshot("proxy", "nothing").err
