"""Several runs that belong together."""

from fewshot_core.runs import SearchRequest, State, plan
from fewshot_core.runs.jobs import cancel_all, planned_folders, start_all, state_of
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace

FULL = SubSpace.full()
SEARCH = SearchRequest(
    "cifar10", "snas", tuple(FULL.rows), PRESETS.get("smoke").search, 0, "synthetic"
)
PLAN = plan(SEARCH, [FULL.keep(0, (1, 2)), FULL.keep(0, (0, 3, 4))], (777, 888))


def test_where_runs_would_be_is_where_they_are(idle):
    folders = planned_folders(PLAN, SEARCH.fingerprints(idle), idle)
    assert len(set(folders)) == 4
    assert [state_of(folder) for folder in folders] == [None] * 4
    assert start_all(PLAN, idle) == folders
    assert [folder.request() for folder in folders] == PLAN


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
    monkeypatch.setattr("fewshot_core.runs.jobs.cancel", cancelled.append)
    cancel_all(folders)
    assert cancelled == folders[::-1]
