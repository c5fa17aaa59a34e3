import json
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fewshot_core.metrics import list_metrics, most_sharing_first
from fewshot_core.runs import RunFolder, State, Status, list_runs, run_folder
from fewshot_core.space import SubSpace, check_partition

SMALL = ["split", "--metric", "params", "--channels", "2", "--cells", "1"]


@pytest.fixture(scope="module")
def made(packaged_dir, tmp_path_factory, at_terminal):
    """A data folder with the split of a command at a terminal, and the result of the command."""
    folder = shutil.copytree(packaged_dir, tmp_path_factory.mktemp("made") / "data")
    return folder, at_terminal(folder, *SMALL, "--json")


@pytest.fixture
def data_folder(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "data")


def test_a_split_prints_one_json_document_and_shows_progress_elsewhere(made):
    folder, result = made
    document = result.document
    assert document["metric"] == "params" and document["details"]["dataset"] == "cifar10"
    leaves = [SubSpace.from_rows(rows) for rows in document["leaves"]]
    assert len(leaves) == 8
    check_partition(leaves)
    assert run_folder(document["run_id"], folder).path == Path(document["folder"])
    assert "loading PyTorch" in result.err and "Traceback" not in result.err


def test_a_split_that_was_made_before_is_shown_at_once(made, fewshot, data_folder):
    _, first = made
    result = fewshot(*SMALL, "--batch-size", "5", "--json")
    again = result.document
    assert result.err == ""
    assert again["run_id"] == first.document["run_id"]
    assert {**again, "folder": None} == {**first.document, "folder": None}
    assert len(list_runs(data_folder)) == 1


def test_a_split_is_printed_for_people(made, fewshot):
    result = fewshot(*SMALL)
    assert result.code == 0 and result.err == ""
    assert result.out.startswith(f"{made[1].document['run_id']}: #params on cifar10\n")
    for words in ("root", "S1", "S8", " ".join(made[1].document["leaves"][7])):
        assert words in result.out


def test_a_finished_split_is_analysed_by_its_run(made, fewshot):
    run_id = made[1].document["run_id"]
    [report] = fewshot("analyse", "--run", run_id, "--json").document["splits"]
    assert (report["metric"], report["dataset"]) == ("params", "cifar10")
    assert (report["accuracy"], report["table"]) == ("validation", "nasbench201-validation")
    assert [row["rows"] for row in report["sub_spaces"]] == made[1].document["leaves"]
    assert sum(row["size"] for row in report["sub_spaces"]) == 15625
    [other] = fewshot("analyse", "--run", run_id, "--dataset", "cifar100", "--json").document[
        "splits"
    ]
    assert other["dataset"] == "cifar100"


def test_a_split_that_is_not_done_is_not_analysed(made, fewshot, data_folder):
    run = run_folder(made[1].document["run_id"], data_folder)
    run.write_status(Status(State.CANCELLED, "cancelled"))
    complaint = fewshot("analyse", "--run", run.run_id).complaint
    assert run.run_id in complaint and "not done: cancelled" in complaint
    assert "there is no run 'other'" in fewshot("analyse", "--run", "other").complaint


def test_a_damaged_split_is_reported_in_one_line(made, fewshot, data_folder):
    run = run_folder(made[1].document["run_id"], data_folder)
    run.tree_path.write_text("{")
    complaint = fewshot("analyse", "--run", run.run_id).complaint
    assert f"{run.run_id}: tree.json cannot be read" in complaint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--metric", "accuracy"], ", ".join(list_metrics())),
        (["--dataset", "mnist"], "cifar10, cifar100, ImageNet16-120"),
        (["--variant", "own"], "expected one of paper"),
        (["--channels", "0"], "expected channels from 1 to 256, got 0"),
        (["--batch-size", "0"], "expected batch_size of at least 1, got 0"),
        (["--batch-seed", "-1"], "expected batch_seed of at least 0, got -1"),
        (["--edges", "0,1,x"], "--edges: expected numbers like 0,1,2, got '0,1,x'"),
        (["--edges", "0,0"], "distinct edges from 0 to 5, got [0, 0]"),
        (["--groups", "2,2"], "2 to 5 groups for each of 3 levels, got [2, 2]"),
        (["--policy", "best"], "expected one of fixed, random, gradient"),
        (["--batch-norm", "none"], "expected one of batch, running"),
        (["--checkpoint", "nothing.pt"], "expected a checkpoint file, found none at"),
        (["--metric", "gradnorm"], "use 'synthetic' images"),
        (["--metric", "gradnorm", "--images", "elsewhere"], "unknown images 'elsewhere'"),
    ],
)
def test_invalid_options_are_reported_in_one_line(fewshot, data_folder, options, words):
    assert words in fewshot("split", "--metric", "params", *options).complaint
    assert len(list_runs(data_folder)) == 1


def test_a_split_that_fails_says_why_and_where_its_log_is(fewshot, data_folder, monkeypatch):
    run = RunFolder(data_folder / "runs" / "split-params-cifar10-failed")
    run.path.mkdir()
    run.write_status(Status(State.FAILED, "out of memory: choose a smaller batch"))
    monkeypatch.setattr("fewshot_core.cli.split.start", lambda request, folder: run)
    result = fewshot(*SMALL, "--json")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        f"{run.run_id} failed: out of memory: choose a smaller batch\nlog: {run.log_path}\n"
    )


def test_an_interrupted_split_is_cancelled_and_says_so(tmp_path, open_process):
    options = ["--metric", "gradnorm", "--images", "synthetic", "--batch-size", "128", "--json"]
    process = open_process(tmp_path, "split", *options)
    deadline = time.monotonic() + 120
    while not [run for run in list_runs(tmp_path) if run.status().state is State.RUNNING]:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    [run] = list_runs(tmp_path)
    assert process.returncode == 130
    assert out == "" and f"{run.run_id} cancelled" in err and "Traceback" not in err
    assert run.status().state is State.CANCELLED
    assert not run.status().process_alive()
    assert json.loads((run.path / "status.json").read_text())["state"] == "cancelled"


def test_repeats_print_every_split_and_how_often_each_decision_recurs(fewshot):
    options = ["--metric", "random", "--channels", "2", "--cells", "1", "--repeats", "3"]
    result = fewshot("split", *options, "--json")
    document = json.loads(result.out)
    assert [tree["details"]["seed"] for tree in document["splits"]] == [0, 1, 2]
    assert len(document["stability"]) == 7
    assert document["stability"][0]["arrived"] == 3
    single = json.loads(fewshot("split", *options[:-2], "--json").out)
    assert single["run_id"] == document["splits"][0]["run_id"]
    assert "Over all seeds" in fewshot("split", *options).out


def test_all_metrics_are_computed_in_the_order_that_shares_most_and_listed_in_their_own(
    fewshot, made, monkeypatch
):
    order = []

    def make(requests, place):
        order.append(requests[0].metric)
        run = run_folder(made[1].document["run_id"], made[0])
        return [(run, replace(run.tree(), metric=requests[0].metric))]

    monkeypatch.setattr("fewshot_core.cli.split._make", make)
    splits = fewshot("split", "--metric", "all", "--json").document["splits"]
    assert order == most_sharing_first(list_metrics())
    assert [split["metric"] for split in splits] == list_metrics()


def test_no_repeat_is_refused(fewshot):
    result = fewshot("split", "--metric", "random", "--repeats", "0")
    assert (result.code, result.out) == (1, "")
    assert "--repeats: expected at least 1, got 0" in result.complaint


def test_architectures_are_scored_and_the_estimate_is_compared(fewshot):
    options = ("--metric", "params", "--channels", "2", "--cells", "1", "--sample", "40")
    timed = fewshot("estimate", *options, "--time", "--json").document
    assert timed["architectures"] == 40 and 0 < timed["seconds"] < 60
    found = fewshot("estimate", *options, "--json")
    assert "40 architectures, about" in found.err
    assert (found.document["architectures"], found.document["known"]) == (40, 40)
    judged = fewshot("estimates", "--estimate", found.document["estimate"], "--json").document
    [one] = judged["estimates"]
    assert (one["name"], one["known"]) == ("params", 40) and 0.2 < one["tau"] < 1
    again = fewshot("estimate", *options, "--json")
    assert again.err == "" and again.document == found.document
