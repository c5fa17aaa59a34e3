import shlex
from dataclasses import replace

import pytest

from fewshot_core.cli import app as cli
from fewshot_core.cli import common
from fewshot_core.cli import split as cli_split
from fewshot_core.errors import FewshotError
from fewshot_core.runs import (
    EstimateRequest,
    Network,
    SearchRequest,
    SplitRequest,
    command,
    plan_command,
    split_command,
)
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace
from fewshot_core.splitting import TreeOptions

REQUEST = SplitRequest("cifar10", "gradientmatching", images="synthetic")
CHANGES = [
    {},
    {"dataset": "ImageNet16-120"},
    {"variant": "shared"},
    {"images": None},
    {"images": "my pictures; rm"},
    {"batch_size": 8, "batches": 2, "batch_seed": 3, "batch_norm": "running", "seed": 4},
    {"network": Network(2, 1, 5)},
    {"network": Network(checkpoint="/somewhere/else/best weights.pt")},
    {"tree": TreeOptions.create((5,), 5)},
    {"tree": TreeOptions.create((3, 1), (2, 3), balanced=True)},
    {"tree": TreeOptions.create(policy="gradient")},
    {"tree": TreeOptions.create(warm_up_epochs=2, warm_up_images=64)},
    {"device": "cuda"},
    {"metric": "params", "variant": "paper", "batch_size": 3},
]


@pytest.fixture
def understood(monkeypatch):
    """Return the request that the command line makes of a command."""
    requests = []

    def start(request, data_dir):
        requests.append(request)
        raise FewshotError("only looking")

    def understand(command):
        program, *arguments = shlex.split(command)
        assert program == "fewshot"
        with pytest.raises(FewshotError, match="only looking"):
            cli.build_app()(arguments, standalone_mode=False)
        return requests.pop()

    for module in (cli_split, common):
        monkeypatch.setattr(module, "start", start)
    return understand


@pytest.mark.parametrize("change", CHANGES)
def test_the_command_of_a_request_asks_for_the_same(understood, change):
    request = replace(REQUEST, **change)
    assert understood(split_command(request)).to_dict() == request.to_dict()


@pytest.mark.parametrize(
    "request_of_scores",
    [
        EstimateRequest("cifar100", "snip", images="synthetic", batch_size=8, seed=2),
        EstimateRequest("cifar10", "params", network=Network(2, 1, 5), sample=9, sample_seed=1),
    ],
)
def test_the_command_of_an_estimate_asks_for_the_same(
    understood, request_of_scores, tmp_path, monkeypatch
):
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(common, "estimate_seconds", lambda *_: 1.0)
    found = understood(command(request_of_scores))
    assert found.to_dict() == request_of_scores.to_dict()


def test_a_command_omits_defaults():
    command = split_command(SplitRequest("cifar10", "gradnorm"))
    assert command == "fewshot split --metric gradnorm --dataset cifar10 --device cpu"
    assert "batch" not in split_command(SplitRequest("cifar10", "params", batch_size=8))


@pytest.mark.parametrize(
    ("split", "where"), [(None, "--no-splitting"), ("split-params-cifar10-0", "--split")]
)
def test_the_command_of_a_plan_names_its_split_and_all_seeds(split, where):
    rows = tuple(SubSpace.full().rows)
    quick = PRESETS.get("quick").search
    request = SearchRequest("cifar10", "snas", rows, replace(quick, epochs=3), 777, "synthetic")
    words = shlex.split(plan_command(request, split, (777, 888)))
    assert words[:2] == ["fewshot", "search"] and where in words
    assert words[words.index("--seeds") + 1] == "777,888"
    assert split is None or words[words.index("--split") + 1] == split
    assert "11111" not in " ".join(words) and "--images" in words
