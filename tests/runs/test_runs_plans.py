"""Several runs that belong together."""

from dataclasses import replace

import pytest

from fewshot_core.errors import ImagesError
from fewshot_core.runs import State
from fewshot_core.runs.plans import cancel_all, planned_folders, start_all, state_of
from fewshot_core.search import PRESETS, SearchError, SearchRequest, plan
from fewshot_core.space import SubSpace

FULL = SubSpace.full()
SEARCH = SearchRequest(
    "cifar10", "snas", tuple(FULL.rows), PRESETS.get("smoke").search, 0, "synthetic"
)
PLAN = plan(SEARCH, [FULL.keep(0, (1, 2)), FULL.keep(0, (0, 3, 4))], (777, 888))


def test_where_runs_would_be_is_where_they_are(idle):
    folders = planned_folders(PLAN, idle)
    assert len(set(folders)) == 4
    assert [state_of(folder) for folder in folders] == [None] * 4
    assert start_all(PLAN, idle) == folders
    assert [folder.request() for folder in folders] == PLAN
    assert planned_folders([], idle) == []


def test_starting_again_starts_only_what_does_not_go_on(idle, wait_until, numbers):
    folders = start_all(PLAN[:2], idle)
    wait_until(lambda: len(numbers(idle / "started")) == 2, "two workers")
    cancel_all(folders[:1])
    assert [state_of(folder) for folder in folders] == [State.CANCELLED, State.QUEUED]
    start_all(PLAN, idle)
    wait_until(lambda: len(numbers(idle / "started")) == 5, "three more workers")


def test_all_are_cancelled_the_last_first(idle, monkeypatch):
    cancelled = []
    folders = start_all(PLAN, idle)
    monkeypatch.setattr("fewshot_core.runs.plans.cancel", cancelled.append)
    cancel_all(folders)
    assert cancelled == folders[::-1]


def test_what_is_missing_is_said(idle, tmp_path):
    with pytest.raises(SearchError, match="expected a checkpoint file"):
        planned_folders([replace(SEARCH, checkpoint=str(tmp_path / "none.pt"))], idle)
    with pytest.raises(ImagesError):
        planned_folders([replace(SEARCH, images="nowhere")], idle)
