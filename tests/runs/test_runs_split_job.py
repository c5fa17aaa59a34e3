"""Splits in their own processes: all of them at once, since each has to load PyTorch."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from fewshot_core.errors import RunError
from fewshot_core.nets import Supernet
from fewshot_core.runs import (
    Network,
    RunFolder,
    SplitRequest,
    State,
    cancel,
    estimate_seconds,
    run_folder,
    split_job,
    start,
)
from fewshot_core.space import SubSpace
from fewshot_core.splitting import SplitTree, TreeOptions

STARTER = """
import json, sys
from pathlib import Path
from fewshot_core.runs import SplitRequest, start
request = SplitRequest.from_dict(json.loads(sys.argv[2]))
sys.stdout.write(start(request, Path(sys.argv[1])).run_id)
"""


@dataclass
class Jobs:
    """Runs that have ended, and what was seen while they went on."""

    data_dir: Path
    runs: dict[str, RunFolder]
    seen: dict[str, list[dict]]
    lost: State
    trees: dict[str, list[SplitTree]]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Keep processes that compute at the same time from fighting for the cores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def requests(params, gradnorm, tmp_path_factory) -> dict[str, SplitRequest]:
    checkpoint = tmp_path_factory.mktemp("checkpoint") / "wide.pt"
    supernet = Supernet(SubSpace.full(), channels=3, cells_per_stage=1)
    torch.save(supernet.state_dict(), checkpoint)
    return {
        "params": params,
        "gradnorm": gradnorm,
        "wrong": replace(params, network=Network(2, 1, checkpoint=str(checkpoint))),
        "killed": replace(params, seed=1),
    }


@pytest.fixture(scope="module")
def jobs(requests, tmp_path_factory, wait_until) -> Jobs:
    """Start all at once, the first from a process that ends; read their files until they end."""
    folder = tmp_path_factory.mktemp("jobs")
    document = json.dumps(requests["params"].to_dict())
    command = [sys.executable, "-c", STARTER, str(folder), document]
    starter = subprocess.run(command, capture_output=True, text=True, check=True)
    runs = {name: start(request, folder) for name, request in requests.items()}
    assert run_folder(starter.stdout, folder) == runs["params"]
    os.killpg(runs["killed"].status().pid, signal.SIGKILL)
    wait_until(lambda: not runs["killed"].status().state.active, "the end of a killed process")
    lost = runs["killed"].status().state
    start(requests["killed"], folder)
    jobs = Jobs(folder, runs, {name: [] for name in runs}, lost, {name: [] for name in runs})

    def read_all() -> bool:
        active = [run.status().state.active for run in runs.values()]
        for name, run in runs.items():
            jobs.seen[name].append(json.loads((run.path / "status.json").read_text()))
            tree = run.tree()
            if tree is not None:
                jobs.trees[name].append(tree)
        return not any(active)

    wait_until(read_all, "the end of all runs")
    return jobs


@pytest.mark.parametrize("name", ["params", "gradnorm", "killed"])
def test_a_split_is_done(jobs, name):
    run = jobs.runs[name]
    status = run.status()
    assert status.state is State.DONE, run.log_tail()
    assert status.done == status.total == 35
    assert status.message.startswith("done in ") and status.seconds_left == 0.0
    tree = run.tree()
    assert len(tree.nodes) == 7 and len(tree.leaves) == 8
    assert sum(leaf.size for leaf in tree.leaves) == 15625
    assert status.message in run.log_tail()


def test_a_tree_records_its_inputs(jobs):
    details = jobs.runs["gradnorm"].tree().details
    assert details["synthetic"] is True and "synthetic images" in details["images"]
    assert (details["batch_size"], details["batches"], details["device"]) == (8, 1, "cpu")
    assert details["network"] == "4 channels, 1 cell per stage, untrained (seed 0)"
    values = [value for node in jobs.runs["gradnorm"].tree().nodes for value in node.values]
    assert len(set(values)) > 30 and min(values) > 0
    details = jobs.runs["params"].tree().details
    assert details["synthetic"] is False and details["images"] is None


def test_the_process_of_a_run_that_is_done_is_gone(jobs, wait_until, is_gone):
    wait_until(lambda: is_gone(jobs.runs["gradnorm"].status().pid), "the end of the process")


def test_a_reader_sees_progress_and_never_half_a_file(jobs):
    for name, seen in jobs.seen.items():
        states = list(dict.fromkeys(document["state"] for document in seen))
        end = "failed" if name == "wrong" else "done"
        assert states == [state for state in ("queued", "running", end) if state in states], name
        assert states[-1] == end, name
        done = [document["done"] for document in seen]
        assert done == sorted(done), name
    for trees in jobs.trees.values():
        grown = [len(tree.nodes) for tree in trees]
        assert grown == sorted(grown)
        assert all(sum(leaf.size for leaf in tree.leaves) == 15625 for tree in trees)


def test_a_finished_run_is_returned_for_the_same_request(jobs, requests):
    run = jobs.runs["gradnorm"]
    before = (run.path / "status.json").read_text()
    assert start(requests["gradnorm"], jobs.data_dir) == run
    assert (run.path / "status.json").read_text() == before


def test_a_killed_run_was_lost_and_is_done_when_started_again(jobs):
    assert jobs.lost is State.LOST
    assert jobs.runs["killed"].status().state is State.DONE


def test_a_run_continues_when_the_process_that_started_it_has_ended(jobs):
    assert jobs.runs["params"].status().state is State.DONE
    assert jobs.runs["params"].log_path.read_text().count("building the supernet") == 1


def test_a_checkpoint_of_another_shape_fails_with_the_reason(jobs):
    run = jobs.runs["wrong"]
    status = run.status()
    assert status.state is State.FAILED
    assert "channels=2, cells_per_stage=1" in status.message and "wide.pt" in status.message
    assert status.message in run.log_tail() and "CheckpointError" in run.log_tail()
    assert run.tree() is None


def test_measured_times_give_an_estimate(jobs, requests):
    for name in ("params", "gradnorm"):
        seconds = estimate_seconds(jobs.data_dir, requests[name])
        assert seconds is not None and seconds > 0
    wider = replace(requests["gradnorm"], network=Network(8, 1))
    assert estimate_seconds(jobs.data_dir, wider) == pytest.approx(4 * seconds)
    assert estimate_seconds(jobs.data_dir, replace(wider, metric="gradientmatching")) is None


def test_a_run_that_computes_is_cancelled_and_starts_again(tmp_path, wait_until, is_gone):
    slow = SplitRequest("cifar10", "gradnorm", images="synthetic", batch_size=128)
    run = start(slow, tmp_path)
    wait_until(lambda: run.status().message.startswith("scoring"), "the first operation")
    pid = run.status().pid
    cancel(run)
    assert run.status().state is State.CANCELLED
    assert is_gone(pid)
    assert run.log_tail().endswith("cancelled: cancelled")
    assert start(slow, tmp_path) == run
    assert run.status().state is State.QUEUED and run.status().pid != pid
    cancel(run)
    assert run.status().state is State.CANCELLED


def test_another_run_uses_cached_scores(own_folder, gradnorm, tmp_path, capsys):
    trees = {}
    for metric in ("grasp", "gradnorm", "grasp"):
        own_folder.write_manifest({"request": replace(gradnorm, metric=metric).to_dict()})
        split_job.run(own_folder, tmp_path)
        trees.setdefault(metric, []).append(own_folder.tree())
    printed = capsys.readouterr().out
    assert "35 of 35 scores were cached" in printed
    gradnorm_root, grasp_root = trees["gradnorm"][0].nodes[0], trees["grasp"][0].nodes[0]
    assert gradnorm_root.seconds < grasp_root.seconds / 5
    assert [node.groups for node in trees["grasp"][0].nodes] == [
        node.groups for node in trees["grasp"][1].nodes
    ]
    assert all(path.stat().st_size < 5000 for path in (tmp_path / "scores").rglob("*.json"))


def test_sub_supernets_are_warmed_up_between_levels(own_folder, gradnorm, tmp_path, capsys):
    tree = TreeOptions.create((0, 1), warm_up_epochs=2, warm_up_images=8)
    request = replace(gradnorm, tree=tree)
    own_folder.write_manifest({"request": request.to_dict()})
    split_job.run(own_folder, tmp_path)
    warm = own_folder.tree()
    assert (warm.details["warm_up_epochs"], warm.details["warm_up_images"]) == (2, 8)
    assert "warming up a sub-supernet: epoch" in capsys.readouterr().out
    assert estimate_seconds(tmp_path, request) is not None
    cold = replace(request, tree=TreeOptions.create((0, 1)))
    own_folder.write_manifest({"request": cold.to_dict()})
    split_job.run(own_folder, tmp_path)
    plain = own_folder.tree()
    assert plain.details["warm_up_epochs"] == 0
    assert plain.nodes[0].values == warm.nodes[0].values
    assert plain.nodes[1].values != warm.nodes[1].values


def test_the_seed_of_weights_that_a_checkpoint_replaces_does_not_count(
    own_folder, gradnorm, tmp_path
):
    path = tmp_path / "weights.pt"
    torch.save(Supernet(SubSpace.full(), channels=2, cells_per_stage=1).state_dict(), path)
    roots = []
    for seed in (0, 1):
        request = replace(
            gradnorm,
            metric="linear_regions",
            network=Network(2, 1, seed, str(path)),
            tree=TreeOptions.create((0,)),
        )
        own_folder.write_manifest({"request": request.to_dict()})
        split_job.run(own_folder, tmp_path / str(seed))
        roots.append(own_folder.tree().nodes[0].values)
    assert roots[0] == roots[1]


def test_damaged_cached_scores_are_reported_in_the_log(own_folder, tmp_path, capsys):
    split_job.run(own_folder, tmp_path)
    for path in (tmp_path / "scores").rglob("*.json"):
        path.write_text("{")
    capsys.readouterr()
    split_job.run(own_folder, tmp_path)
    reports = re.findall(r"cached scores in .* are damaged", capsys.readouterr().out)
    assert len(reports) == 7
    assert own_folder.status().state is State.DONE


def test_a_missing_device_is_reported(own_folder, params, tmp_path):
    own_folder.write_manifest({"request": replace(params, device="nowhere").to_dict()})
    with pytest.raises(RunError, match=r"device 'nowhere' cannot be used.*choose 'cpu'"):
        split_job.run(own_folder, tmp_path)


def test_a_pace_that_cannot_be_stored_does_not_make_a_split_fail(own_folder, tmp_path):
    (tmp_path / "pace.json").mkdir()
    split_job.run(own_folder, tmp_path)
    assert own_folder.status().state is State.DONE
