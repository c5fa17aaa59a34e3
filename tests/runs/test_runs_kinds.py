import pytest

from fewshot_core.errors import RunError
from fewshot_core.resolve import resolve
from fewshot_core.runs import KINDS, RunFolder, SplitRequest
from fewshot_core.runs.requests import kind_of, read_request
from fewshot_core.search import SearchRequest, TrainingRequest
from fewshot_core.space import SubSpace

REQUESTS = {
    "split": SplitRequest("cifar100", "params"),
    "search": SearchRequest("cifar10", "snas", tuple(SubSpace.full().rows)),
    "train": TrainingRequest("cifar10"),
}


def test_every_kind_is_tried_here():
    assert KINDS.names() == list(REQUESTS)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_comes_back_from_its_document(name):
    request = REQUESTS[name]
    assert kind_of(request).name == name
    assert read_request(name, request.canonical()).canonical() == request.canonical()


@pytest.mark.parametrize("name", REQUESTS)
def test_runs_are_named_after_their_kind(name):
    assert REQUESTS[name].run_id({}).startswith(f"{name}-")


@pytest.mark.parametrize("name", REQUESTS)
def test_every_job_can_be_found(name):
    assert callable(resolve(KINDS.get(name).job))


@pytest.mark.parametrize(("kind", "words"), [("dance", "unknown kind of run"), ("train", "format")])
def test_what_cannot_be_read_is_a_run_error(kind, words, tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_manifest({"kind": kind, "request": REQUESTS["split"].canonical()})
    with pytest.raises(RunError, match=words):
        folder.request()


def test_a_manifest_from_before_there_were_kinds_is_one_of_a_split(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_manifest({"request": REQUESTS["split"].canonical()})
    assert folder.request() == REQUESTS["split"]
    assert folder.split_request() == REQUESTS["split"]


def test_a_search_is_no_split(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_manifest({"kind": "search", "request": REQUESTS["search"].canonical()})
    with pytest.raises(RunError, match="is no split"):
        folder.split_request()
