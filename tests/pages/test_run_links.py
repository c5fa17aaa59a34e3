"""On which page a run is shown, and what brings it into view."""

import json
from types import SimpleNamespace

import pytest

from fewshot_core.dashboard.shared.page import SEARCH, SPLIT, page_of
from fewshot_core.runs import RunFolder, SearchRequest, SplitRequest, State, Status, TrainingRequest
from fewshot_core.runs.overview import RunSummary
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace

SMOKE = PRESETS.get("smoke")
WHOLE = SubSpace.full()
HALF = WHOLE.keep(0, (0, 1))
SPACE = {"space": "nas-bench-201"}
FINGERPRINTS = {"images": "abc", "checkpoint": None}


def search_in(sub_space: SubSpace) -> SearchRequest:
    return SearchRequest("cifar100", "snas", tuple(sub_space.rows), SMOKE.search)


@pytest.fixture
def place_of(tmp_path):
    """Return the page of a run; a split of the data folder has the sub-space ``HALF``."""
    known = {("cifar100", HALF): "split-of-half"}
    store = SimpleNamespace(split_with=lambda *query: known.get(query))

    def ask(request, state=State.DONE, problem=None):
        folder = RunFolder(tmp_path / "runs" / "one")
        manifest = {
            "kind": request.kind,
            "request": request.to_dict(),
            "fingerprints": FINGERPRINTS,
        }
        kind, text = request.kind, json.dumps(manifest)
        run = RunSummary(folder, 0, Status(state), problem, kind=kind, manifest=text)
        return page_of(SimpleNamespace(store=store), run)

    return ask


def test_a_finished_split_is_chosen_on_its_page(place_of):
    request = SplitRequest("cifar10", "params")
    assert place_of(request) == (SPLIT, {**SPACE, "dataset": "cifar10", "split": "one"})


@pytest.mark.parametrize("options", [{"state": State.FAILED}, {"problem": "damaged"}])
def test_a_split_without_a_result_only_leads_to_the_page(place_of, options):
    assert place_of(SplitRequest("cifar10", "params"), **options) == (
        SPLIT,
        {**SPACE, "dataset": "cifar10"},
    )


@pytest.mark.parametrize(
    ("sub_space", "where"),
    [(WHOLE, {"where": "whole"}), (HALF, {"split": "split-of-half"}), (HALF.keep(1, (0,)), {})],
)
def test_a_search_is_shown_with_its_plan_where_it_was_done(place_of, sub_space, where):
    request = search_in(sub_space)
    plan = "snas-2x1-real-untrained-smoke-test"
    assert place_of(request) == (SEARCH, {**SPACE, "dataset": "cifar100", "plan": plan} | where)


def test_a_training_leads_to_the_search_page(place_of):
    assert place_of(TrainingRequest("cifar10", SMOKE.training)) == (
        SEARCH,
        {**SPACE, "dataset": "cifar10"},
    )


def test_unreadable_runs_have_no_link(tmp_path):
    run = RunSummary(RunFolder(tmp_path / "runs" / "one"), 0, problem="no manifest")
    assert page_of(SimpleNamespace(), run) is None
