"""The runs on the Runs page: what is shown of them, and what can be done with them."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.analysis import information_gain
from fewshot_core.bench import load_accuracy
from fewshot_core.dashboard.shared.controls import plain
from fewshot_core.runs import (
    Network,
    RunFolder,
    SearchRequest,
    SplitRequest,
    State,
    Status,
    TrainingRequest,
    list_runs,
    run_folder,
)
from fewshot_core.runs.overview import NOTES, Notes, read_notes, write_notes
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace

Open = Callable[..., AppTest]
Make = Callable[..., RunFolder]

SCRIPT = "pages/7_Runs.py"
SMOKE = PRESETS.get("smoke")
PARAMS = SplitRequest("cifar10", "params", network=Network(2, 1))
SEARCH = SearchRequest("cifar100", "snas", tuple(SubSpace.full().rows), SMOKE.search)
TRAIN = TrainingRequest("cifar10", SMOKE.training)


@pytest.fixture
def make(empty_data: Path) -> Make:
    """Store the folder of a run that no process has made."""

    def make(
        request: SplitRequest | SearchRequest | TrainingRequest,
        state: State = State.FAILED,
        message: str = "the end",
    ) -> RunFolder:
        kind = request.run_id({}).partition("-")[0]
        run = RunFolder(empty_data / "runs" / request.run_id({}))
        run.path.mkdir(parents=True)
        run.write_manifest({"kind": kind, "request": request.to_dict(), "fingerprints": {}})
        run.write_status(Status(state, message, started=1.7e9))
        run.log_path.write_text("first line\nlast line\n")
        return run

    return make


def shown(page: AppTest) -> list[str]:
    """Return the names of the runs in the table."""
    return next(list(frame.value["run"]) for frame in page.dataframe if "run" in frame.value)


def texts(page: AppTest) -> str:
    parts = [*page.markdown, *page.caption, *page.error, *page.warning, *page.code]
    return "\n".join(part.value for part in parts)


def test_every_run_is_listed_with_its_kind_and_state(make: Make, open_page: Open):
    make(PARAMS, State.CANCELLED)
    make(SEARCH, State.FAILED, "no images")
    make(TRAIN, State.LOST)
    page = open_page(SCRIPT)
    table = next(frame.value for frame in page.dataframe if "run" in frame.value)
    rows = {(row["kind"], row["state"], row["data set"]) for row in table.to_dict("records")}
    assert rows == {
        ("Split", "cancelled", "CIFAR-10"),
        ("Search", "failed", "CIFAR-100"),
        ("Training", "lost", "CIFAR-10"),
    }
    assert (table["size"] > 0).all()
    assert "3 runs, " in texts(page)


def test_a_search_is_listed_with_its_sub_space_and_split(
    split_data: Path, make: Make, open_page: Open
):
    [split] = [run for run in list_runs(split_data) if "params" in run.run_id]
    leaves = split.tree().leaves
    whole = SearchRequest("cifar10", "snas", tuple(SubSpace.full().rows), SMOKE.search)
    make(whole)
    make(replace(whole, rows=tuple(leaves[2].rows)))
    make(replace(whole, rows=tuple(leaves[2].keep(5, [1]).rows)))
    page = open_page(SCRIPT, run_kind="Search")
    table = next(frame.value for frame in page.dataframe if "run" in frame.value)
    places = {what.split(" · ")[2] for what in table["what"]}
    assert {"whole space", "S3 of #params"} < places
    assert any(place.endswith("edge 5 01000") for place in places)


@pytest.mark.parametrize(
    ("key", "value", "kinds"),
    [
        ("run_state", "lost", {"train"}),
        ("run_kind", "Search", {"search"}),
        ("run_dataset", "CIFAR-10", {"split", "train"}),
        ("run_text", "NO IMAGES", {"search"}),
        ("run_text", "nothing of the kind", set()),
    ],
)
def test_runs_are_filtered(make: Make, open_page: Open, key: str, value: str, kinds: set[str]):
    make(PARAMS, State.CANCELLED)
    make(SEARCH, State.FAILED, "no images")
    make(TRAIN, State.LOST)
    page = open_page(SCRIPT, **{key: value})
    assert {name.partition("-")[0] for name in shown(page)} == kinds
    assert f"; {len(kinds)} shown" in texts(page)


def test_of_many_runs_the_first_and_the_chosen_ones_are_listed_and_all_are_found(
    make: Make, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fewshot_core.dashboard.runs._MOST_LISTED", 1)
    runs = [make(replace(PARAMS, seed=seed)) for seed in range(3)]
    for number, run in enumerate(runs):
        os.utime(run.manifest_path, (1.7e9, 1.7e9 + number))
    page = open_page(SCRIPT)
    assert shown(page) == [runs[2].run_id]
    assert "1 of 3 listed" in texts(page)
    assert shown(open_page(SCRIPT, run=runs[0].run_id)) == [runs[2].run_id, runs[0].run_id]
    assert shown(open_page(SCRIPT, run_text=runs[1].run_id)) == [runs[1].run_id]


def test_a_chosen_run_is_shown_in_full(make: Make, open_page: Open):
    run = make(PARAMS, State.FAILED, "out of memory: choose a smaller batch or network")
    make(SEARCH)
    page = open_page(SCRIPT, run=run.run_id)
    said = texts(page)
    assert "**Failed**: out of memory" in said and "start it again" in said
    assert "fewshot split --metric params --dataset cifar10 --channels 2" in said
    assert "first line\nlast line" in said
    assert json.loads(page.json[0].value)["request"]["metric"] == "params"


def test_a_name_in_the_url_that_is_no_run_chooses_nothing(make: Make, open_page: Open):
    make(PARAMS)
    page = open_page(SCRIPT, run="../../../etc/passwd")
    assert "Choose a row" in texts(page)
    assert "This run is not in this data folder" in texts(page)


def open_chosen(*runs: RunFolder) -> AppTest:
    """Open the page with some runs ticked."""
    page = AppTest.from_file(str(Path(__file__).parents[2] / SCRIPT), default_timeout=60)
    page.session_state["chosen_runs"] = [run.run_id for run in runs]
    page.run()
    assert not page.exception
    return page


def table_of(page: AppTest, column: str) -> pd.DataFrame:
    frame: pd.DataFrame = next(f.value for f in page.dataframe if column in f.value)
    return frame


def test_requests_and_results_of_two_runs_are_compared(split_data: Path, open_page: Open):
    runs = list_runs(split_data)
    page = open_chosen(*runs)
    options = table_of(page, "option").set_index("option")
    metrics = [run.request().metric for run in runs]
    assert list(options.loc["metric", [run.run_id for run in runs]]) == metrics
    assert "dataset" not in options.index
    results = table_of(page, "result").set_index("result")
    [params] = [run.run_id for run in runs if "params" in run.run_id]
    tree = run_folder(params, split_data).tree()
    assert tree is not None
    gain = information_gain(tree.leaves, load_accuracy("cifar10", "validation", None, split_data))
    assert results.loc["information gain, bits", params] == f"{gain:.4f}"
    assert results.loc["sizes", params] == ", ".join(f"{leaf.size:,}" for leaf in tree.leaves)


def field(page: AppTest, kind: str, label: str) -> Any:
    return next(each for each in page.get(kind) if each.label == label)


def test_a_run_is_named_tagged_and_pinned(split_data: Path, open_page: Open):
    [run] = [run for run in list_runs(split_data) if "params" in run.run_id]
    page = open_page(SCRIPT, run=run.run_id)
    field(page, "text_input", "Name").set_value("the *baseline*")
    field(page, "multiselect", "Tags").set_value(["paper"])
    field(page, "text_area", "Notes").set_value("see Figure 3")
    field(page, "toggle", "Pin").set_value(True)
    page.button[[each.label for each in page.button].index("Save")].click().run()
    assert not page.exception and not page.error
    assert [toast.value for toast in page.toast] == ["Saved the notes of 1 run"]
    expected = Notes("the *baseline*", "see Figure 3", ("paper",), pinned=True)
    assert read_notes(split_data) == {run.run_id: expected}
    page = open_page(SCRIPT, run_text="figure 3")
    [row] = table_of(page, "run").to_dict("records")
    assert row["what"].startswith("★ the *baseline* · #params")
    assert list(row["tags"]) == ["paper"]
    page = open_page(SCRIPT, run_text="figure 3", split=run.run_id)
    assert page.sidebar.button(key="pick_split").label == plain("#params · “the *baseline*”")
    assert list(table_of(open_page(SCRIPT, run_tags="paper"), "run")["run"]) == [run.run_id]
    (split_data / "runs" / NOTES).write_text("{")
    page = open_page(SCRIPT)
    assert "notes and tags of runs cannot be read" in page.error[0].value
    assert len(table_of(page, "run")) == 2


def test_several_runs_are_tagged_at_once(make: Make, open_page: Open, empty_data: Path):
    runs = [make(PARAMS), make(replace(PARAMS, seed=3))]
    write_notes({runs[0].run_id: Notes("one", tags=("a",))}, empty_data)
    page = open_chosen(*runs)
    page.multiselect(key="new_tags").set_value(["b"])
    page.button(key="add_tags").click().run()
    assert not page.exception
    notes = read_notes(empty_data)
    assert notes[runs[0].run_id] == Notes("one", tags=("a", "b"))
    assert notes[runs[1].run_id] == Notes(tags=("b",))


def test_groups_have_means_over_runs_of_equal_evidence(split_data: Path, open_page: Open):
    [params] = [run for run in list_runs(split_data) if "params" in run.run_id]
    for seed, channels in ((1, 2), (2, 4)):
        request = replace(params.request(), seed=seed, network=Network(channels, 1))
        copy = shutil.copytree(params.path, params.path.with_name(request.run_id({})))
        RunFolder(copy).write_manifest(params.manifest() | {"request": request.to_dict()})
    leaves = [run.tree().leaves for run in list_runs(split_data) if "params" in run.run_id]
    accuracy = load_accuracy("cifar10", "validation", None, split_data)
    [gain] = {round(information_gain(each, accuracy), 4) for each in leaves}
    page = open_page(SCRIPT, run_group="metric or algorithm")
    table = table_of(page, "metric or algorithm")
    groups = table[table["metric or algorithm"] == "#params"].set_index("evidence")["gain"]
    assert dict(groups) == {
        "2 channels, 1 cell · no images · untrained · smoke test": f"{gain:.4f} ± 0.0000 (2)",
        "4 channels, 1 cell · no images · untrained · smoke test": f"{gain:.4f} (1)",
    }
    assert any("Choose a group to list its runs" in caption.value for caption in page.caption)


def test_a_run_is_deleted_after_confirmation_and_no_other(
    make: Make, open_page: Open, empty_data: Path
):
    run, other = make(PARAMS), make(SEARCH)
    page = open_page(SCRIPT, run=run.run_id)
    assert run.run_id in texts(page)
    page.button(key="delete_runs").click().run()
    assert not page.exception and list_runs(empty_data) == [other]


def test_a_run_that_comes_meanwhile_does_not_take_the_place_of_the_chosen_one(
    make: Make, open_page: Open, empty_data: Path
):
    chosen = make(PARAMS)
    page = open_page(SCRIPT, run=chosen.run_id)
    newer = make(SEARCH)
    page.run()
    assert shown(page)[0] == newer.run_id
    page.button(key="delete_runs").click().run()
    assert list_runs(empty_data) == [newer]


def test_a_damaged_and_a_foreign_folder_are_shown_and_set_aside(
    make: Make, open_page: Open, empty_data: Path
):
    run, good = make(PARAMS), make(SEARCH)
    (run.path / "status.json").write_text("{")
    (empty_data / "runs" / "holiday").mkdir()
    page = open_page(SCRIPT, run_state="damaged")
    assert set(shown(page)) == {run.run_id, "holiday"}
    page = open_page(SCRIPT, run=run.run_id)
    assert "status.json cannot be read" in texts(page)
    page.button(key="quarantine_runs").click().run()
    assert not page.exception and list_runs(empty_data) == [good]
    [aside] = (empty_data / "runs" / ".quarantine").iterdir()
    assert (aside / "status.json").read_text() == "{"


def test_many_damaged_runs_are_reported_in_one_line(make: Make, open_page: Open, empty_data: Path):
    for seed in range(6):
        (make(replace(PARAMS, seed=seed)).path / "status.json").write_text("{")
    page = open_page("pages/2_Distributions.py")
    warnings = [warning.value for warning in page.warning if "status.json" in warning.value]
    assert len(warnings) == 1 and "and 5 more" in warnings[0]


def test_a_stopped_run_starts_again_from_the_page(
    make: Make, open_page: Open, empty_data: Path, wait_for: Callable[[RunFolder], RunFolder]
):
    request = replace(PARAMS, seed=1)
    fingerprints = request.fingerprints(empty_data)
    run = make(request)
    run.path.rename(run.path.with_name(request.run_id(fingerprints)))
    run = run_folder(request.run_id(fingerprints), empty_data)
    run.write_status(Status(State.CANCELLED, "cancelled"))
    page = open_page(SCRIPT, run=run.run_id)
    page.button(key="resume_runs").click().run()
    assert not page.exception
    assert wait_for(run).status().state is State.DONE
