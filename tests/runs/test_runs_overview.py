"""Overview of runs: damage, quarantine, and runs of other versions and packages."""

import json
from dataclasses import replace

import pytest

from fewshot_core.errors import RunError, UnknownNameError
from fewshot_core.runs import (
    RunFolder,
    SearchRequest,
    State,
    Status,
    command,
    find_finished,
    list_folders,
    list_runs,
    quarantine,
    reading_problem,
    search_job,
    start,
)
from fewshot_core.runs.jobs import planned_folder
from fewshot_core.runs.overview import find_damage, summarise
from fewshot_core.runs.requests import name_of_format_1
from fewshot_core.search import PRESETS
from fewshot_core.search.records import CHECKPOINT, RECORDS, TABLE
from fewshot_core.space import SubSpace


@pytest.fixture(scope="module")
def finished_search(tmp_path_factory):
    """The folder of a finished search of smoke size, for copying."""
    folder = tmp_path_factory.mktemp("search")
    request = SearchRequest(
        "cifar10",
        "darts-1st",
        tuple(SubSpace.full().rows),
        PRESETS.get("smoke").search,
        images="synthetic",
    )
    fingerprints = request.fingerprints(folder)
    run = RunFolder(folder / "runs" / request.run_id(fingerprints))
    run.path.mkdir(parents=True)
    run.write_manifest(
        {"kind": "search", "request": request.to_dict(), "fingerprints": fingerprints}
    )
    run.write_status(Status(State.DONE))
    search_job.run(run, folder)
    return run


@pytest.fixture
def done_search(finished_search, tmp_path):
    copy = RunFolder(tmp_path / "runs" / finished_search.run_id)
    copy.path.mkdir(parents=True)
    for path in finished_search.path.iterdir():
        (copy.path / path.name).write_bytes(path.read_bytes())
    return copy


def test_nothing_is_wrong_with_what_is_whole(done_split, done_search):
    assert find_damage(done_split) == find_damage(done_search) == []
    assert reading_problem(done_split) is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("manifest.json", "{", "manifest.json cannot be read"),
        ("manifest.json", '{"request": {}}', "expected a request of format"),
        ("manifest.json", '{"request": {}, "kind": "party"}', "unknown kind of run 'party'"),
        ("status.json", "[]", "status.json is damaged"),
        ("tree.json", "{", "tree.json cannot be read"),
        ("tree.json", None, "result is incomplete"),
        ("manifest.json", None, "no manifest.json"),
    ],
)
def test_damage_of_a_split_is_found(done_split, name, content, words):
    path = done_split.path / name
    path.unlink() if content is None else path.write_text(content)
    [problem] = find_damage(done_split)
    assert words in problem and done_split.run_id in problem


@pytest.mark.parametrize("name", [TABLE, CHECKPOINT])
@pytest.mark.parametrize("part", ["cut", "changed"])
def test_damage_of_a_search_is_found(done_search, name, part):
    path = done_search.path / name
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if part == "cut":
        del content[middle:]
    else:
        content[4:middle] = bytes(middle - 4)
    path.write_bytes(content)
    [problem] = find_damage(done_search)
    assert name in problem


def test_a_search_without_all_its_epochs_is_incomplete(done_search):
    path = done_search.path / RECORDS
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    problems = find_damage(done_search)
    assert len(problems) == 2
    assert "incomplete" in problems[0] and "other epochs" in problems[1]


def test_the_table_for_other_programs_can_be_deleted(done_search):
    (done_search.path / TABLE).unlink()
    assert find_damage(done_search) == []


def test_a_run_that_was_not_finished_may_lack_its_results(done_search):
    for name in (TABLE, RECORDS, CHECKPOINT):
        (done_search.path / name).unlink()
    done_search.write_status(Status(State.CANCELLED))
    assert find_damage(done_search) == []


def test_a_quarantined_folder_is_whole_and_no_run_any_more(done_split, tmp_path):
    before = {path.name: path.read_bytes() for path in done_split.path.iterdir()}
    target = quarantine(done_split)
    assert target.parent == tmp_path / "runs" / ".quarantine"
    assert target.name.startswith(f"{done_split.run_id}-")
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert list_folders(tmp_path) == []
    with pytest.raises(RunError, match="there is no run"):
        quarantine(done_split)


def test_an_active_run_is_not_quarantined(own_folder):
    with pytest.raises(RunError, match="is running: cancel it before"):
        quarantine(own_folder)
    assert json.loads((own_folder.path / "status.json").read_text())["state"] == "running"


def test_foreign_folders_are_listed_but_hidden_ones_are_not(done_split, tmp_path):
    for name in ("holiday", ".hidden"):
        (tmp_path / "runs" / name).mkdir()
    (tmp_path / "runs" / "note.txt").write_text("a file is no folder")
    assert [folder.run_id for folder in list_folders(tmp_path)] == ["holiday", done_split.run_id]
    assert list_runs(tmp_path) == [done_split]


# Runs of metrics, algorithms and kinds that are not installed


@pytest.fixture
def gone(done_split, params):
    """A finished split by a metric that is not installed."""
    request = replace(params, metric="my-metric")
    run = RunFolder(done_split.path.with_name("split-my-metric-cifar10-0123456789ab"))
    done_split.path.rename(run.path)
    run.write_manifest({"kind": "split", "request": request.to_dict(), "fingerprints": {}})
    return run


def test_a_run_of_a_missing_metric_is_listed_and_says_so(gone, tmp_path):
    [summary] = summarise(tmp_path)
    assert summary.state == "done" and summary.kind == "split"
    assert summary.message == "made with the metric 'my-metric', which is not installed"
    assert not summary.restartable
    assert reading_problem(gone) is None and find_damage(gone) == []
    assert gone.is_complete()
    assert "--metric my-metric" in command(gone.request())
    with pytest.raises(UnknownNameError, match="unknown metric 'my-metric'"):
        start(gone.request(), tmp_path)


def test_a_run_of_an_unknown_kind_is_listed_as_damaged(done_split, tmp_path):
    done_split.write_manifest({"kind": "party", "request": {}})
    [summary] = summarise(tmp_path)
    assert summary.state == "damaged" and "unknown kind of run 'party'" in summary.message


# Runs of version 0.1


@pytest.fixture
def old_run(done_split, params):
    """A finished split with the manifest and the name that version 0.1 gave it."""
    document = {
        "format": "fewshot-split-request/1",
        "dataset": "cifar10",
        "metric": "params",
        "variant": "paper",
        **dict.fromkeys(("batch_norm", "images", "batch_size", "batches", "batch_seed")),
        "seed": 0,
        "network": {"channels": 2, "cells_per_stage": 1, "seed": 0, "checkpoint": None},
        "tree": {"edges": [0, 1, 2], "groups": [2, 2, 2], "balanced": False, "policy": "fixed"},
        "device": "cpu",
    }
    fingerprints = {"images": None, "checkpoint": None}
    name = name_of_format_1("split", document, fingerprints)
    run = RunFolder(done_split.path.with_name(name))
    done_split.path.rename(run.path)
    run.write_manifest({"kind": "split", "request": document, "fingerprints": fingerprints})
    return run


def test_a_run_of_version_0_1_keeps_its_name_and_is_found(old_run, params, tmp_path):
    assert old_run.request() == params
    assert old_run.run_id != params.run_id({})
    assert find_damage(old_run) == []
    assert find_finished(params, tmp_path) == start(params, tmp_path) == old_run
    assert [run.run_id for run in list_runs(tmp_path)] == [old_run.run_id]


def test_a_run_of_version_0_1_may_have_its_new_name(old_run, params):
    run = RunFolder(old_run.path.with_name(params.run_id({})))
    old_run.path.rename(run.path)
    assert find_damage(run) == []
    other = RunFolder(run.path.with_name("split-renamed"))
    run.path.rename(other.path)
    [problem] = find_damage(other)
    assert old_run.run_id in problem and run.run_id in problem


def test_an_unfinished_run_of_version_0_1_is_started_under_its_new_name(old_run, params, tmp_path):
    old_run.write_status(Status(State.CANCELLED))
    assert find_finished(params, tmp_path) is None
    planned = planned_folder(params, {}, tmp_path)
    assert planned.run_id == params.run_id({})
