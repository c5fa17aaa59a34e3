"""Runs that score architectures by a metric, in this process."""

import json
from dataclasses import replace

import pytest

from fewshot_core.bench import list_columns, load_column
from fewshot_core.errors import MetricError, RunError
from fewshot_core.images import load_batch
from fewshot_core.nets import Supernet
from fewshot_core.runs import (
    EstimateRequest,
    Network,
    RunFolder,
    State,
    Status,
    estimate_seconds,
    split_job,
)
from fewshot_core.runs.requests import read_request
from fewshot_core.runs.split_job import run_estimate, seconds_per_architecture
from fewshot_core.search.records import SCORES
from fewshot_core.space import NAS_BENCH_201, SubSpace, get_space

SMALL = Network(2, 1)
PARAMS = EstimateRequest("cifar10", "params", network=SMALL, sample=12, sample_seed=3)
NTK = EstimateRequest("cifar10", "ntk", images="synthetic", batch_size=3, network=SMALL, sample=2)


@pytest.fixture
def folder_of(tmp_path):
    """Prepare the run folder of a request."""

    def prepare(request):
        folder = RunFolder(tmp_path / "runs" / request.run_id({}))
        folder.path.mkdir(parents=True)
        folder.write_manifest({"kind": "estimate", "request": request.to_dict()})
        folder.write_status(Status(State.QUEUED))
        return folder

    return prepare


def architecture(index: int) -> SubSpace:
    return SubSpace(tuple((number,) for number in NAS_BENCH_201.decode(index)))


def test_architectures_are_scored_as_networks_of_their_own(folder_of, tmp_path):
    folder = folder_of(PARAMS)
    run_estimate(folder, tmp_path)
    assert folder.status().state is State.DONE and folder.is_complete()
    [(info, column)] = list_columns("estimate", "cifar100", tmp_path)
    assert (info.name, column.name, column.dataset) == (folder.run_id, "params", "")
    assert (column.architectures, column.complete) == (12, False)
    found = load_column(info.name, "params", tmp_path)
    assert found["architecture"].tolist() == PARAMS.architectures(NAS_BENCH_201)
    for index, score in found.itertuples(index=False):
        alone = Supernet(architecture(index), channels=2, cells_per_stage=1)
        assert score == sum(weight.numel() for weight in alone.parameters())
    assert 0 < estimate_seconds(tmp_path, PARAMS) < 10
    assert estimate_seconds(tmp_path, replace(PARAMS, sample=24)) == pytest.approx(
        2 * estimate_seconds(tmp_path, PARAMS)
    )


def test_a_run_that_was_ended_continues_where_it_was(folder_of, tmp_path, monkeypatch):
    folder = folder_of(PARAMS)
    lines = [{"first": 0, "values": [7.0, None, 9.0]}, {"first": 3, "values": [10.0]}]
    text = "".join(f"{json.dumps(line)}\n" for line in lines) + '{"first": 4, "val'
    (folder.path / SCORES).write_text(text)
    assert folder.scores() == [7.0, None, 9.0, 10.0] and not folder.is_complete()
    monkeypatch.setattr(split_job, "STORE_INTERVAL", -1.0)  # after every architecture
    run_estimate(folder, tmp_path)
    assert folder.scores()[:4] == [7.0, None, 9.0, 10.0] and folder.is_complete()
    wanted = PARAMS.architectures(NAS_BENCH_201)
    found = load_column(folder.run_id, "params", tmp_path)
    assert found["architecture"].tolist() == [wanted[0], *wanted[2:]]
    assert folder.store_estimate(tmp_path) == folder.run_id  # it is there already


def test_larger_is_better_in_every_column(folder_of, tmp_path):
    folder = folder_of(NTK)
    run_estimate(folder, tmp_path)
    [(info, column)] = list_columns("estimate", "cifar10", tmp_path)
    assert (column.name, column.dataset) == ("negative_ntk", "cifar10")
    assert list_columns("estimate", "cifar100", tmp_path) == []
    found = load_column(info.name, "negative_ntk", tmp_path)["negative_ntk"]
    known = [score for score in folder.scores() if score is not None]
    assert found.tolist() == [-score for score in known] and min(known) >= 1
    assert seconds_per_architecture(NTK, tmp_path) > 0
    assert load_batch("cifar10", 3, source="synthetic", data_dir=tmp_path).images.shape[0] == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sample": 1}, "expected sample of at least 2, got 1"),
        ({"sample_seed": -1}, "expected sample_seed of at least 0"),
        ({"metric": "gradientmatching"}, "does not score single architectures: expected one of"),
        ({"metric": "random"}, "random does not score single architectures"),
        ({"variant": "luck"}, "unknown variant 'luck' of params"),
    ],
)
def test_what_is_not_possible_is_refused(change, words):
    error = MetricError if "variant" in change else RunError
    with pytest.raises(error, match=words):
        replace(PARAMS, **change).check()


def test_a_chain_needs_the_whole_network_to_count_linear_regions():
    macro = get_space("nas-bench-macro")
    request = EstimateRequest("cifar10", "linear_regions", space=macro.name)
    with pytest.raises(RunError, match="its variant batch"):
        request.check_space(macro)
    replace(request, variant="batch").check_space(macro)


def test_a_request_is_read_again_and_named_by_what_differs():
    assert read_request("estimate", PARAMS.to_dict()) == PARAMS
    whole = replace(PARAMS, sample=None)
    assert whole.run_id({}) == replace(whole, sample_seed=5).run_id({}) != PARAMS.run_id({})
    assert whole.architectures(NAS_BENCH_201) == list(range(15_625))
    assert PARAMS.run_id({}) != replace(PARAMS, sample_seed=4).run_id({})
