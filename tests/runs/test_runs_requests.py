"""Requests: their documents, their runs' names, and the kinds of runs."""

import json
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path

import pytest

from fewshot_core.errors import (
    CheckpointError,
    FewshotError,
    ImagesError,
    MetricError,
    RunError,
    UnknownNameError,
)
from fewshot_core.metrics import METRICS
from fewshot_core.runs import (
    KINDS,
    EstimateRequest,
    Network,
    ProxyRequest,
    RunFolder,
    SearchRequest,
    SplitRequest,
    TrainingRequest,
    list_runs,
    plan,
)
from fewshot_core.runs.requests import FORMAT, name_of_format_1, read_request
from fewshot_core.search import PRESETS, SearchOptions, TrainingOptions, list_algorithms
from fewshot_core.space import SubSpace
from fewshot_core.splitting import TreeOptions

DEMO = list_runs(Path(__file__).resolve().parents[2] / "data" / "demo")
ROWS = ("01110", "10000", "00011", "11111", "10010", "01001")
SPLIT = SplitRequest("cifar10", "gradientmatching", images="synthetic")
SEARCH = SearchRequest("cifar10", "snas", ROWS, seed=777, images="synthetic")
TRAINING = TrainingRequest("cifar100", TrainingOptions(epochs=5), seed=3)
PROXY = ProxyRequest("cifar10", run="search-snas-cifar10-0123456789ab", sample=20)
ESTIMATE = EstimateRequest("cifar10", "snip", sample=9)
REQUESTS = {
    "split": SPLIT,
    "search": SEARCH,
    "train": TRAINING,
    "proxy": PROXY,
    "estimate": ESTIMATE,
}
PRINTS = {"images": "a" * 64, "checkpoint": None}

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
    {"space": "nas-bench-macro"},
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
SEARCH_CHANGES = [
    {"seed": 888},
    {"algorithm": "dsnas"},
    {"rows": ("11111",) * 6},
    {"dataset": "cifar100"},
    {"options": SearchOptions(epochs=600)},
    {"options": SearchOptions(temperature_schedule="linear")},
    {"device": "cuda"},
]
COUNTING = [change for change in IMAGE_OPTIONS + OTHER_OPTIONS if "images" not in change]


def through_json(request):
    return type(request).from_dict(json.loads(json.dumps(request.to_dict())))


# Names


def test_every_option_of_a_split_is_tried_here():
    tried = {name for change in IMAGE_OPTIONS + OTHER_OPTIONS for name in change}
    assert tried == {field.name for field in fields(SplitRequest)}


def test_the_default_space_adds_nothing_to_a_request():
    assert "space" not in SPLIT.to_dict() and SPLIT.evidence.space == ""
    macro = SplitRequest("cifar10", "random", space="nas-bench-macro")
    assert macro.to_dict()["space"] == macro.evidence.space == "nas-bench-macro"
    assert macro.evidence.key.startswith("nas-bench-macro-")
    assert through_json(macro) == macro


def test_a_request_is_checked_against_its_space(tmp_path):
    macro = SplitRequest("cifar10", "random", space="nas-bench-macro")
    assert macro.fingerprints(tmp_path) == {"images": None, "checkpoint": None}
    for change, message in (
        (
            {"metric": "params", "space": "trans-nas-bench-101-micro", "dataset": "jigsaw"},
            "TransNAS-Bench-101 micro has no images of jigsaw, which params needs",
        ),
        ({"dataset": "cifar100"}, "unknown data set 'cifar100': expected one of cifar10"),
        ({"tree": TreeOptions((9,), (2,))}, "distinct decisions from 0 to 7"),
        ({"space": "gone"}, "unknown search space 'gone'"),
    ):
        with pytest.raises(FewshotError, match=message):
            replace(macro, **change).fingerprints(tmp_path)


@pytest.mark.parametrize("request_", [SPLIT, SEARCH, TRAINING], ids=lambda one: one.kind)
def test_cells_do_not_count_in_a_space_of_fixed_depth(request_):
    macro = {"space": "nas-bench-macro", "dataset": "cifar10"}
    if request_ is SEARCH:
        macro["rows"] = tuple(SubSpace.full("nas-bench-macro").rows)
    one = replace(request_, **macro)
    field = "network" if request_ is SPLIT else "options"
    other = replace(one, **{field: replace(getattr(one, field), cells_per_stage=2)})
    assert one.run_id(PRINTS) == other.run_id(PRINTS) and one.evidence == other.evidence
    assert type(one).from_dict(other.to_dict()).run_id(PRINTS) == one.run_id(PRINTS)
    assert "cells_per_stage" not in other.to_dict()[field]
    narrow = replace(one, **{field: replace(getattr(one, field), channels=9)})
    assert narrow.run_id(PRINTS) != one.run_id(PRINTS)
    assert narrow.evidence.key.startswith("nas-bench-macro-9-")
    assert "nas-bench-macro · width 9/16 · " in narrow.evidence.label


@pytest.mark.parametrize(
    ("request_", "change"),
    [*((SPLIT, change) for change in COUNTING), *((SEARCH, change) for change in SEARCH_CHANGES)],
    ids=str,
)
def test_every_option_that_matters_makes_another_run(request_, change):
    assert replace(request_, **change).run_id(PRINTS) != request_.run_id(PRINTS)


def test_runs_of_different_options_have_different_names():
    names = {replace(SPLIT, **change).run_id(PRINTS) for change in COUNTING}
    assert len(names) == len(COUNTING)


@pytest.mark.parametrize("metric", [info.name for info in METRICS if not info.needs_images])
@pytest.mark.parametrize("change", IMAGE_OPTIONS)
def test_options_of_images_do_not_count_for_a_metric_without_images(metric, change):
    plain = SplitRequest("cifar10", metric)
    other = replace(plain, **change)
    assert other != plain
    assert other.to_dict() == plain.to_dict()
    assert other.run_id(PRINTS) == plain.run_id(PRINTS)


@pytest.mark.parametrize("change", IMAGE_OPTIONS)
def test_options_of_images_are_stored_for_a_metric_with_images(change):
    assert replace(SPLIT, **change).to_dict() != SPLIT.to_dict()


def test_options_of_a_warm_up_do_not_count_without_one():
    assert set(SPLIT.to_dict()["tree"]) == {"edges", "groups", "balanced", "policy"}
    unused = replace(SPLIT, tree=TreeOptions.create(warm_up_images=64))
    assert unused.run_id(PRINTS) == SPLIT.run_id(PRINTS)
    assert SplitRequest.from_dict(SPLIT.to_dict()) == SPLIT


def test_a_warm_up_needs_images_for_every_metric():
    request = SplitRequest("cifar10", "synflow", images="synthetic")
    assert not request.needs_images
    warm = replace(request, tree=TreeOptions.create(warm_up_epochs=2))
    assert warm.needs_images
    assert through_json(warm) == warm


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        ("darts-1st", SearchOptions(temperature=2.0, stopping_threshold=0.5)),
        ("darts-2nd", SearchOptions(final_temperature=0.2)),
        ("snas", SearchOptions(stopping_threshold=0.5)),
        ("dsnas", SearchOptions(temperature_schedule="linear")),
    ],
)
def test_options_that_an_algorithm_does_not_read_do_not_count(algorithm, options):
    usual = replace(SEARCH, algorithm=algorithm)
    assert replace(usual, options=options).run_id(PRINTS) == usual.run_id(PRINTS)


def test_the_precision_counts_only_where_it_is_used():
    for request in (SEARCH, TRAINING, replace(SEARCH, device="cuda", algorithm="darts-2nd")):
        assert replace(request, precision="tf32").run_id(PRINTS) == request.run_id(PRINTS)
    on_cuda = replace(SEARCH, device="cuda")
    assert replace(on_cuda, precision="tf32").run_id(PRINTS) != on_cuda.run_id(PRINTS)


def test_a_whole_number_for_a_decimal_one_is_the_same_value():
    whole, decimal = (
        replace(SEARCH, options=SearchOptions(temperature=value)) for value in (2, 2.0)
    )
    assert whole.run_id(PRINTS) == decimal.run_id(PRINTS)


def test_the_version_of_a_metrics_package_makes_another_run(monkeypatch, tmp_path):
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


@pytest.mark.parametrize(
    ("request_", "prefix"),
    [
        (SplitRequest("ImageNet16-120", "params"), "split-params-ImageNet16-120-"),
        (SEARCH, "search-snas-cifar10-"),
        (TRAINING, "train-cifar100-"),
    ],
)
def test_the_name_of_a_run_is_descriptive_and_a_file_name(request_, prefix):
    name = request_.run_id(PRINTS)
    assert name.startswith(prefix)
    assert Path(name).name == name


@pytest.mark.parametrize("request_", REQUESTS.values())
def test_equal_requests_have_the_same_name(request_):
    name = request_.run_id(PRINTS)
    assert through_json(request_).run_id(dict(reversed(PRINTS.items()))) == name


@pytest.mark.parametrize("request_", REQUESTS.values())
def test_other_images_or_weights_give_another_name(request_):
    for prints in (PRINTS | {"images": "b" * 64}, PRINTS | {"checkpoint": "c" * 64}):
        assert request_.run_id(prints) != request_.run_id(PRINTS)


def test_the_places_of_images_and_checkpoint_do_not_count(tmp_path):
    moved = replace(SEARCH, images=str(tmp_path), checkpoint=str(tmp_path / "net.pt"))
    assert moved.run_id(PRINTS) == SEARCH.run_id(PRINTS)


# Names and the format: demonstration runs, new options, changed defaults


@pytest.mark.parametrize("folder", DEMO, ids=lambda folder: folder.run_id)
def test_a_demonstration_run_has_the_name_of_its_request(folder):
    manifest = folder.manifest()
    assert manifest["request"]["format"] == f"fewshot-request/{FORMAT}"
    assert folder.request().run_id(manifest["fingerprints"]) == folder.run_id


@dataclass(frozen=True)
class MoreTreeOptions(TreeOptions):
    depth_first: bool = False


@dataclass(frozen=True)
class MoreSearchOptions(SearchOptions):
    dropout: float = 0.0


@dataclass(frozen=True)
class MoreTrainingOptions(TrainingOptions):
    dropout: float = 0.0


@dataclass(frozen=True)
class MoreNetwork(Network):
    width: int | None = None


@dataclass(frozen=True)
class MoreSplitRequest(SplitRequest):
    network: Network = field(default_factory=MoreNetwork)
    tree: TreeOptions = field(default_factory=MoreTreeOptions)
    confidence: float = 0.5


@dataclass(frozen=True)
class MoreSearchRequest(SearchRequest):
    options: SearchOptions = field(default_factory=MoreSearchOptions)
    workers: int = 1


@dataclass(frozen=True)
class MoreTrainingRequest(TrainingRequest):
    options: TrainingOptions = field(default_factory=MoreTrainingOptions)
    workers: int = 1


@dataclass(frozen=True)
class MoreProxyRequest(ProxyRequest):
    workers: int = 1


@dataclass(frozen=True)
class MoreEstimateRequest(EstimateRequest):
    network: Network = field(default_factory=MoreNetwork)
    workers: int = 1


MORE = {
    SplitRequest: (MoreSplitRequest, {"confidence": 0.9}),
    SearchRequest: (MoreSearchRequest, {"workers": 2}),
    TrainingRequest: (MoreTrainingRequest, {"workers": 2}),
    ProxyRequest: (MoreProxyRequest, {"workers": 2}),
    EstimateRequest: (MoreEstimateRequest, {"workers": 2}),
}
NESTED = {
    Network: MoreNetwork,
    TreeOptions: MoreTreeOptions,
    SearchOptions: MoreSearchOptions,
    TrainingOptions: MoreTrainingOptions,
}


def with_more_options(request):
    """Copy a request into a class that has a new option, with its default, on every level."""
    values = {each.name: getattr(request, each.name) for each in fields(request)}
    nested = {
        name: NESTED[type(value)](**vars(value))
        for name, value in values.items()
        if is_dataclass(value)
    }
    return MORE[type(request)][0](**values | nested)


@pytest.mark.parametrize("folder", DEMO, ids=lambda folder: folder.run_id)
def test_a_new_option_changes_no_name_of_a_demonstration_run(folder):
    more = with_more_options(folder.request())
    assert more.run_id(folder.manifest()["fingerprints"]) == folder.run_id


@pytest.mark.parametrize("request_", REQUESTS.values())
def test_a_new_option_counts_only_with_another_value_than_its_default(request_):
    more = with_more_options(request_)
    assert len(more.to_dict()) == len(request_.to_dict()) + 1
    assert more.run_id(PRINTS) == request_.run_id(PRINTS)
    assert replace(more, **MORE[type(request_)][1]).run_id(PRINTS) != request_.run_id(PRINTS)


DEFAULTS_OF_FORMAT_2 = {
    SplitRequest("cifar10", "ntk"): {
        "variant": "paper",
        "batch_norm": "batch",
        "images": None,
        "batch_size": 64,
        "batches": 1,
        "batch_seed": 0,
        "seed": 0,
        "device": "cpu",
    },
    Network(): {"channels": 16, "cells_per_stage": 5, "seed": 0, "checkpoint": None},
    TreeOptions(): {
        "edges": (0, 1, 2),
        "groups": (2, 2, 2),
        "balanced": False,
        "policy": "fixed",
        "warm_up_epochs": 0,
        "warm_up_images": 2048,
    },
    SearchRequest("cifar10", "snas", ROWS): {
        "seed": 0,
        "images": None,
        "checkpoint": None,
        "device": "cpu",
        "precision": "float32",
        "compiled": False,
    },
    SearchOptions(): {
        "epochs": 50,
        "batch_size": 64,
        "learning_rate": 0.025,
        "final_learning_rate": 0.001,
        "momentum": 0.9,
        "weight_decay": 3e-4,
        "gradient_clip": 5.0,
        "architecture_learning_rate": 3e-4,
        "architecture_betas": (0.5, 0.999),
        "architecture_weight_decay": 1e-3,
        "temperature": 1.0,
        "final_temperature": 0.1,
        "temperature_schedule": "cosine",
        "stopping_threshold": 0.8,
        "channels": 16,
        "cells_per_stage": 5,
        "images": None,
        "split_seed": 0,
        "augment": True,
    },
    TrainingRequest("cifar10"): {
        "seed": 0,
        "images": None,
        "device": "cpu",
        "precision": "float32",
        "compiled": False,
    },
    TrainingOptions(): {
        "epochs": 200,
        "batch_size": 128,
        "learning_rate": 0.1,
        "final_learning_rate": 0.0,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "sampling": "mean",
        "trained_on": "half",
        "channels": 16,
        "cells_per_stage": 5,
        "images": None,
        "split_seed": 0,
        "augment": True,
    },
}


@pytest.mark.parametrize(
    ("made", "defaults"), DEFAULTS_OF_FORMAT_2.items(), ids=lambda value: type(value).__name__
)
def test_the_defaults_are_those_of_the_format(made, defaults):
    """If this fails, a default was changed: raise ``FORMAT``, then correct the table."""
    assert FORMAT == 2
    assert {name: getattr(made, name) for name in defaults} == defaults


OLD_SPLIT = {
    "format": "fewshot-split-request/1",
    "dataset": "cifar10",
    "metric": "synflow",
    "variant": "paper",
    "batch_norm": None,
    "images": None,
    "batch_size": None,
    "batches": None,
    "batch_seed": None,
    "seed": 0,
    "network": {"channels": 16, "cells_per_stage": 5, "seed": 0, "checkpoint": None},
    "tree": {"edges": [0, 1, 2], "groups": [2, 2, 2], "balanced": False, "policy": "fixed"},
    "device": "cpu",
}
OLD_SEARCH = {
    "format": "fewshot-search-request/1",
    "dataset": "cifar10",
    "algorithm": "snas",
    "rows": ["11001", "01111", "00100", "11111", "11111", "11111"],
    "options": {
        "epochs": 50,
        "batch_size": 64,
        "learning_rate": 0.025,
        "final_learning_rate": 0.001,
        "momentum": 0.9,
        "weight_decay": 0.0003,
        "gradient_clip": 5.0,
        "architecture_learning_rate": 0.01,
        "architecture_betas": [0.5, 0.999],
        "architecture_weight_decay": 0.001,
        "temperature": 1.0,
        "final_temperature": 0.1,
        "temperature_schedule": "cosine",
        "stopping_threshold": None,
        "channels": 8,
        "cells_per_stage": 1,
        "images": 3200,
        "split_seed": 0,
        "augment": True,
    },
    "seed": 777,
    "images": None,
    "checkpoint": None,
    "device": "cpu",
    "mixed_precision": None,
    "compiled": False,
}
CIFAR10_PRINT = "9623b34f19e8224701f23f2262a9f649a14551262c575b32b1648b480165f50e"


@pytest.mark.parametrize(
    ("kind", "document", "images", "name"),
    [
        ("split", OLD_SPLIT, None, "split-synflow-cifar10-9a5b51061378"),
        ("search", OLD_SEARCH, CIFAR10_PRINT, "search-snas-cifar10-23182953e507"),
    ],
)
def test_requests_of_version_0_1_are_read_and_their_names_known(kind, document, images, name):
    request = read_request(kind, document)
    prints = {"images": images, "checkpoint": None}
    assert name_of_format_1(kind, document, prints) == name
    assert request.run_id(prints) in {folder.run_id for folder in DEMO}


# Fingerprints


def _cifar(folder, content):
    folder.mkdir()
    for number in range(1, 6):
        (folder / f"data_batch_{number}").write_bytes(content + bytes([number]))
    return folder


def test_images_count_by_content_not_by_place(tmp_path):
    here = _cifar(tmp_path / "here", b"images")

    def name(place):
        request = replace(SPLIT, images=str(place))
        return request.run_id(request.fingerprints(tmp_path))

    first = name(here)
    there = here.rename(tmp_path / "there")
    assert name(there) == first
    assert name(_cifar(tmp_path / "other", b"others")) != first
    assert SPLIT.run_id(SPLIT.fingerprints(tmp_path)) != first


@pytest.mark.parametrize("kind", ["split", "search"])
def test_a_checkpoint_counts_by_content_not_by_place(kind, tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"one")

    def name(place):
        change = {"checkpoint": str(place)}
        if kind == "split":
            change = {"network": Network(**change)}
        request = replace(REQUESTS[kind], **change)
        return request.run_id(request.fingerprints(tmp_path))

    first = name(path)
    assert name(path.rename(tmp_path / "moved.pt")) == first
    path.write_bytes(b"two")
    assert name(path) != first
    assert SPLIT.run_id(SPLIT.fingerprints(tmp_path)) != first


def test_fingerprints_are_of_the_content(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"weights")
    request = replace(SEARCH, checkpoint=str(tmp_path / "net.pt"))
    found = request.fingerprints(tmp_path)
    assert found["images"] == SEARCH.fingerprints(tmp_path)["images"]
    assert len(found["checkpoint"]) == 64
    (tmp_path / "net.pt").write_bytes(b"others")
    assert request.fingerprints(tmp_path)["checkpoint"] != found["checkpoint"]
    assert SEARCH.fingerprints(tmp_path)["checkpoint"] is None


def test_missing_files_are_named(tmp_path):
    missing = tmp_path / "weights.pt"
    for request in (
        replace(SPLIT, network=Network(checkpoint=str(missing))),
        replace(SEARCH, checkpoint=str(missing)),
    ):
        with pytest.raises(CheckpointError, match=r"found none at .*weights\.pt"):
            request.fingerprints(tmp_path)
    with pytest.raises(ImagesError, match="there are no images of CIFAR-10 here"):
        replace(SPLIT, images=None).fingerprints(tmp_path)


def test_a_metric_without_images_needs_none(tmp_path):
    request = SplitRequest("cifar10", "params", images="nowhere")
    assert request.fingerprints(tmp_path) == {"images": None, "checkpoint": None}


# Documents


@pytest.mark.parametrize(
    "request_",
    [
        TRAINING,
        *(replace(SPLIT, **change) for change in [{}, *IMAGE_OPTIONS, *OTHER_OPTIONS]),
        *(
            replace(SEARCH, algorithm=algorithm, options=preset.search)
            for algorithm in list_algorithms()
            for preset in PRESETS
        ),
    ],
    ids=str,
)
def test_a_request_comes_back_from_its_document(request_):
    assert through_json(request_) == request_
    assert read_request(request_.kind, request_.to_dict()) == request_


def test_a_request_without_images_comes_back_with_all_that_counts():
    request = SplitRequest("cifar100", "random", batch_size=3, network=Network(checkpoint="w.pt"))
    twin = SplitRequest.from_dict(request.to_dict())
    assert twin.to_dict() == request.to_dict()
    assert twin.network == request.network


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"format": "fewshot-split-request/0"},
        SPLIT.to_dict() | {"format": "fewshot-request/3"},
        {name: value for name, value in SPLIT.to_dict().items() if name != "format"},
    ],
)
def test_another_format_is_refused(document):
    with pytest.raises(RunError, match="expected a request of format 'fewshot-request/2'"):
        SplitRequest.from_dict(document)


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("split", {"dataset": None}),
        ("split", {"metric": None}),
        ("split", {"dataset": ["cifar10"]}),
        ("split", {"network": None}),
        ("split", {"network": [16, 5]}),
        ("split", {"network": {"width": 16}}),
        ("split", {"network": {"channels": "many"}}),
        ("split", {"tree": None}),
        ("split", {"tree": {"edges": 0, "groups": [2], "balanced": False, "policy": "fixed"}}),
        ("split", {"tree": {"edges": [[0]], "groups": [2], "balanced": False, "policy": "fixed"}}),
        ("split", {"batch_size": "64"}),
        ("split", {"colour": "red"}),
        ("search", {"options": None}),
        ("search", {"options": {"wings": 1}}),
        ("search", {"wings": 1}),
        ("search", {"rows": None}),
        ("train", {"options": None}),
        ("train", {"options": {"wings": 1}}),
        ("train", {"wings": 1}),
        ("train", {"seed": "no"}),
    ],
)
def test_a_damaged_document_is_refused(kind, damage):
    with pytest.raises(RunError, match=r"the request is damaged: (expected|unknown)"):
        read_request(kind, REQUESTS[kind].to_dict() | damage)


@pytest.mark.parametrize("request_", REQUESTS.values())
def test_required_fields_must_exist(request_):
    with pytest.raises(RunError, match="expected a value of dataset"):
        type(request_).from_dict({"format": f"fewshot-request/{FORMAT}"})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network(channels=0), "expected channels from 1 to 256, got 0"),
        (lambda: Network(channels=257), "expected channels from 1 to 256, got 257"),
        (lambda: Network(cells_per_stage=0), "expected cells_per_stage from 1 to 256, got 0"),
        (lambda: replace(SPLIT, batch_size=0), "expected batch_size of at least 1, got 0"),
        (lambda: replace(SPLIT, batches=-1), "expected batches of at least 1, got -1"),
        (lambda: replace(SPLIT, batch_seed=-1), "expected batch_seed of at least 0, got -1"),
        (lambda: replace(SPLIT, batch_norm="none"), "'none': expected one of batch, running"),
        (lambda: replace(SEARCH, rows=("11111",)), "expected 6 rows"),
        (lambda: replace(SEARCH, seed=-1), "expected seed, an integer from 0"),
        (lambda: replace(SEARCH, seed="1"), "expected seed, an integer from 0"),
        (lambda: replace(SPLIT, dataset="mnist"), "expected one of .*ImageNet16-120"),
        (lambda: replace(SEARCH, dataset="mnist"), "expected one of .*ImageNet16-120"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(FewshotError, match=message):
        make()


# Metrics and algorithms that may not be installed


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (replace(SPLIT, metric="x"), "unknown metric 'x': expected one of .*gradnorm"),
        (replace(SEARCH, algorithm="enas"), "unknown search algorithm 'enas': .*snas"),
    ],
)
def test_a_request_of_an_unknown_method_can_be_read_but_not_run(request_, message, tmp_path):
    assert through_json(request_) == request_
    assert request_.method_label == request_.method
    assert f"{request_.method!r}, which is not installed" in request_.missing
    assert request_.run_id(PRINTS)
    with pytest.raises(UnknownNameError, match=message):
        request_.fingerprints(tmp_path)


def test_an_unknown_variant_is_refused_with_the_known_ones(tmp_path):
    request = replace(SPLIT, variant="own")
    with pytest.raises(MetricError, match=r"'own' of gradientmatching.* paper, shared"):
        request.fingerprints(tmp_path)


@pytest.mark.parametrize("request_", REQUESTS.values())
def test_nothing_is_missing_for_our_own_methods(request_):
    assert request_.missing is None


# Networks, families, plans


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
    request = replace(SPLIT, seed=1, batch_seed=2)
    again = request.repeated(3)
    seeds = (again.seed, again.batch_seed, again.network.seed)
    assert seeds == (4, 5, request.network.seed + 3)
    assert again.family == request.family
    assert request.repeated(0) == request


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 3},
        {"variant": "shared"},
        {"batches": 2},
        {"network": Network(checkpoint="w.pt")},
    ],
)
def test_a_split_with_other_options_is_of_another_family(change):
    assert replace(SPLIT, **change).family != SPLIT.family


def test_searches_that_differ_by_sub_space_and_seed_are_of_one_family():
    assert replace(SEARCH, seed=1, rows=("11111",) * 6).family(PRINTS) == SEARCH.family(PRINTS)
    assert replace(SEARCH, algorithm="dsnas").family(PRINTS) != SEARCH.family(PRINTS)
    assert SEARCH.family(PRINTS | {"images": "b" * 64}) != SEARCH.family(PRINTS)


def test_a_plan_has_a_run_for_each_sub_space_and_seed():
    halves = [SubSpace.full().keep(0, [0, 1]), SubSpace.full().keep(0, [2, 3, 4])]
    planned = plan(SEARCH, halves, (777, 888, 999))
    found = [(request.rows[0], request.seed) for request in planned]
    assert found == [(row, seed) for row in ("11000", "00111") for seed in (777, 888, 999)]
    assert len({request.run_id(PRINTS) for request in planned}) == 6
    assert {request.options for request in planned} == {SEARCH.options}


# Kinds


def test_every_kind_is_tried_here():
    assert KINDS.names() == list(REQUESTS)


@pytest.mark.parametrize("name", REQUESTS)
def test_kinds_have_a_job_and_name_their_runs(name):
    assert callable(KINDS.get(name).load())
    assert REQUESTS[name].run_id({}).startswith(f"{name}-")


@pytest.mark.parametrize(
    ("kind", "words"), [("dance", "unknown kind of run"), ("train", "the request is damaged")]
)
def test_an_unreadable_request_is_a_run_error(kind, words, tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_manifest({"kind": kind, "request": SPLIT.to_dict()})
    with pytest.raises(RunError, match=words):
        folder.request()


def test_a_manifest_from_before_there_were_kinds_is_one_of_a_split(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_manifest({"request": SPLIT.to_dict()})
    assert folder.request() == folder.split_request() == SPLIT


def test_a_search_is_no_split(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_manifest({"kind": "search", "request": SEARCH.to_dict()})
    with pytest.raises(RunError, match="is no split"):
        folder.split_request()
