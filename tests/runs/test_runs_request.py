import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from fewshot_core.errors import CheckpointError, ImagesError, RunError, UnknownNameError
from fewshot_core.metrics import METRICS
from fewshot_core.runs import Network, SplitRequest
from fewshot_core.splitting import TreeOptions

REQUEST = SplitRequest("cifar10", "gradientmatching", images="synthetic")
FINGERPRINTS = {"images": "a" * 64, "checkpoint": None}

IMAGE_OPTIONS = [
    {"images": "elsewhere"},
    {"batch_size": 8},
    {"batches": 2},
    {"batch_seed": 1},
    {"batch_norm": "running"},
]
OTHER_OPTIONS = [
    {"dataset": "cifar100"},
    {"metric": "gradnorm"},
    {"variant": "shared"},
    {"seed": 1},
    {"device": "cuda"},
    {"network": Network(channels=8)},
    {"network": Network(cells_per_stage=1)},
    {"network": Network(seed=1)},
    {"tree": TreeOptions.create((3, 4, 5))},
    {"tree": TreeOptions.create((0, 1, 2), 3)},
    {"tree": TreeOptions.create((0,), 5)},
    {"tree": TreeOptions.create(balanced=True)},
    {"tree": TreeOptions.create(policy="gradient")},
    {"tree": TreeOptions.create(warm_up_epochs=1)},
    {"tree": TreeOptions.create(warm_up_epochs=1, warm_up_images=64)},
]
COUNTING = [change for change in IMAGE_OPTIONS + OTHER_OPTIONS if "images" not in change]


def test_every_option_is_tried_here():
    tried = {name for change in IMAGE_OPTIONS + OTHER_OPTIONS for name in change}
    assert tried == {field.name for field in fields(SplitRequest)}


@pytest.mark.parametrize("metric", [info.name for info in METRICS if not info.needs_images])
@pytest.mark.parametrize("change", IMAGE_OPTIONS)
def test_options_of_images_do_not_count_for_a_metric_without_images(metric, change):
    plain = SplitRequest("cifar10", metric)
    other = replace(plain, **change)
    assert other != plain
    assert other.canonical() == plain.canonical()
    assert other.run_id(FINGERPRINTS) == plain.run_id(FINGERPRINTS)


@pytest.mark.parametrize("change", IMAGE_OPTIONS)
def test_options_of_images_are_kept_for_a_metric_with_images(change):
    assert replace(REQUEST, **change).canonical() != REQUEST.canonical()


@pytest.mark.parametrize("change", COUNTING)
def test_every_option_that_matters_makes_another_run(change):
    assert replace(REQUEST, **change).run_id(FINGERPRINTS) != REQUEST.run_id(FINGERPRINTS)


def test_all_runs_of_different_options_have_different_names():
    names = {replace(REQUEST, **change).run_id(FINGERPRINTS) for change in COUNTING}
    assert len(names) == len(COUNTING)


def test_without_a_warm_up_a_request_is_as_it_was_before_there_were_any():
    assert set(REQUEST.canonical()["tree"]) == {"edges", "groups", "balanced", "policy"}
    unused = replace(REQUEST, tree=TreeOptions.create(warm_up_images=64))
    assert unused.run_id(FINGERPRINTS) == REQUEST.run_id(FINGERPRINTS)
    assert SplitRequest.from_dict(REQUEST.canonical()) == REQUEST


def test_a_warm_up_needs_images_whatever_the_metric():
    request = SplitRequest("cifar10", "synflow", images="synthetic")
    assert not request.needs_images
    warm = replace(request, tree=TreeOptions.create(warm_up_epochs=2))
    assert warm.needs_images
    assert SplitRequest.from_dict(json.loads(json.dumps(warm.canonical()))) == warm


def test_the_version_of_a_metric_s_package_makes_another_run(monkeypatch, tmp_path):
    request = SplitRequest("cifar10", "params")
    ours = request.fingerprints(tmp_path)
    assert "plugin" not in ours
    names = {request.run_id(ours)}
    for version in ("1.0", "1.1"):
        monkeypatch.setitem(METRICS._origins, "params", ("my-metrics", version))
        found = request.fingerprints(tmp_path)
        assert found["plugin"] == f"my-metrics {version}"
        names.add(request.run_id(found))
    assert len(names) == 3


def test_the_name_of_a_run_says_what_it_is_and_is_a_file_name():
    name = SplitRequest("ImageNet16-120", "params").run_id(FINGERPRINTS)
    assert name.startswith("split-params-ImageNet16-120-")
    assert Path(name).name == name


def test_equal_requests_have_the_same_name():
    twin = SplitRequest.from_dict(json.loads(json.dumps(REQUEST.canonical())))
    assert twin.run_id(dict(reversed(FINGERPRINTS.items()))) == REQUEST.run_id(FINGERPRINTS)


def _cifar(folder, content):
    folder.mkdir()
    for number in range(1, 6):
        (folder / f"data_batch_{number}").write_bytes(content + bytes([number]))
    return folder


def test_images_count_by_content_not_by_place(tmp_path):
    here = _cifar(tmp_path / "here", b"images")

    def name(place):
        request = replace(REQUEST, images=str(place))
        return request.run_id(request.fingerprints(tmp_path))

    first = name(here)
    there = here.rename(tmp_path / "there")
    assert name(there) == first
    assert name(_cifar(tmp_path / "other", b"others")) != first
    assert REQUEST.run_id(REQUEST.fingerprints(tmp_path)) != first


def test_a_checkpoint_counts_by_content_not_by_place(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"one")

    def name(place):
        request = replace(REQUEST, network=Network(checkpoint=str(place)))
        return request.run_id(request.fingerprints(tmp_path))

    first = name(path)
    assert name(path.rename(tmp_path / "moved.pt")) == first
    path.write_bytes(b"two")
    assert name(path) != first
    assert REQUEST.run_id(REQUEST.fingerprints(tmp_path)) != first


def test_what_is_missing_is_named(tmp_path):
    missing = tmp_path / "weights.pt"
    with pytest.raises(CheckpointError, match=r"found none at .*weights\.pt"):
        replace(REQUEST, network=Network(checkpoint=str(missing))).fingerprints(tmp_path)
    with pytest.raises(ImagesError, match="there are no images of CIFAR-10 here"):
        replace(REQUEST, images=None).fingerprints(tmp_path)


def test_a_metric_without_images_asks_for_none(tmp_path):
    request = SplitRequest("cifar10", "params", images="nowhere")
    assert request.fingerprints(tmp_path) == {"images": None, "checkpoint": None}


@pytest.mark.parametrize("change", [{}, *IMAGE_OPTIONS, *OTHER_OPTIONS])
def test_a_request_comes_back_from_its_document(change):
    request = replace(REQUEST, **change)
    document = json.loads(json.dumps(request.canonical()))
    assert SplitRequest.from_dict(document) == request


def test_a_request_without_images_comes_back_as_the_same_question():
    request = SplitRequest("cifar100", "random", batch_size=3, network=Network(checkpoint="w.pt"))
    twin = SplitRequest.from_dict(request.canonical())
    assert twin.canonical() == request.canonical()
    assert twin.network == request.network


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"format": "fewshot-split-request/0"},
        REQUEST.canonical() | {"format": "fewshot-split-request/2"},
        asdict(REQUEST),
    ],
)
def test_another_format_is_refused(document):
    with pytest.raises(RunError, match="expected a request of format 'fewshot-split-request/1'"):
        SplitRequest.from_dict(document)


@pytest.mark.parametrize(
    "damage",
    [
        {"dataset": None},
        {"metric": None},
        {"dataset": ["cifar10"]},
        {"network": None},
        {"network": [16, 5]},
        {"network": {"width": 16}},
        {"network": {"channels": "many"}},
        {"tree": None},
        {"tree": {}},
        {"tree": {"edges": 0, "groups": [2], "balanced": False, "policy": "fixed"}},
        {"tree": {"edges": [[0]], "groups": [2], "balanced": False, "policy": "fixed"}},
        {"batch_size": "64"},
        {"colour": "red"},
    ],
)
def test_a_damaged_document_is_refused(damage):
    with pytest.raises(RunError, match="the request is damaged"):
        SplitRequest.from_dict(REQUEST.canonical() | damage)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network(channels=0), "expected channels from 1 to 256, got 0"),
        (lambda: Network(channels=257), "expected channels from 1 to 256, got 257"),
        (lambda: Network(cells_per_stage=0), "expected cells_per_stage from 1 to 256, got 0"),
        (lambda: replace(REQUEST, batch_size=0), "expected batch_size of at least 1, got 0"),
        (lambda: replace(REQUEST, batches=-1), "expected batches of at least 1, got -1"),
        (lambda: replace(REQUEST, batch_seed=-1), "expected batch_seed of at least 0, got -1"),
        (lambda: replace(REQUEST, variant="own"), "'own' of gradientmatching.* paper, shared"),
        (lambda: replace(REQUEST, batch_norm="none"), "'none': expected one of batch, running"),
    ],
)
def test_what_is_out_of_range_is_refused_with_the_value(make, message):
    with pytest.raises(RunError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "known"), [({"dataset": "mnist"}, "ImageNet16-120"), ({"metric": "x"}, "gradnorm")]
)
def test_unknown_names_are_refused_with_the_known_ones(change, known):
    with pytest.raises(UnknownNameError, match=f"expected one of .*{known}"):
        replace(REQUEST, **change)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (Network(), "16 channels, 5 cells per stage, untrained (seed 0)"),
        (
            Network(2, 1, 3, "far/away/best.pt"),
            "2 channels, 1 cell per stage, weights of best.pt",
        ),
    ],
)
def test_a_network_is_described_in_words(network, text):
    assert network.describe() == text


def test_a_repeat_differs_in_all_its_seeds_and_stays_in_the_family():
    request = replace(REQUEST, seed=1, batch_seed=2)
    again = request.repeated(3)
    seeds = (again.seed, again.batch_seed, again.network.seed)
    assert seeds == (4, 5, request.network.seed + 3)
    assert again.family == request.family
    assert request.repeated(0) == request


@pytest.mark.parametrize("change", [{"batch_size": 3}, {"variant": "shared"}, {"batches": 2}])
def test_another_question_is_of_another_family(change):
    base = replace(REQUEST, metric="gradientmatching")
    assert replace(base, **change).family != base.family
