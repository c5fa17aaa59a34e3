from dataclasses import replace

import pytest

from fewshot_core.runs import (
    Network,
    SearchRequest,
    SplitRequest,
    TrainingRequest,
    estimate_seconds,
)
from fewshot_core.runs.estimate import record_epochs, record_pace, record_warm_up
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace
from fewshot_core.splitting import TreeOptions

REQUEST = SplitRequest("cifar10", "gradnorm", batch_size=64, network=Network(16, 5))
PARAMS = SplitRequest("cifar10", "params")
QUICK = PRESETS.get("quick")
SEARCH = SearchRequest("cifar10", "snas", tuple(SubSpace.full().rows), QUICK.search)
EPOCHS = [{"epoch": 0, "seconds": 9.0}, {"epoch": 1, "seconds": 4.0}, {"epoch": 2, "seconds": 6.0}]


def test_there_is_no_estimate_before_anything_was_measured(tmp_path):
    assert estimate_seconds(tmp_path, REQUEST) is None


def test_the_same_request_takes_as_long_as_before(tmp_path):
    record_pace(tmp_path, REQUEST, 0.5)
    assert estimate_seconds(tmp_path, REQUEST) == pytest.approx(0.5 * 35)


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({"batch_size": 128}, 2),
        ({"batches": 3}, 3),
        ({"network": Network(16, 10)}, 2),
        ({"network": Network(8, 5)}, 1 / 4),
        ({"dataset": "ImageNet16-120"}, 1 / 4),
        ({"tree": TreeOptions.create((0,))}, 1 / 7),
        ({"tree": TreeOptions.create((0, 1))}, 3 / 7),
        ({"tree": TreeOptions.create((0, 1), 5)}, 6 / 7),
        ({"tree": TreeOptions.create((0,), policy="gradient")}, 6 / 7),
        ({"seed": 1}, 1),
    ],
)
def test_the_estimate_grows_with_the_work(tmp_path, change, factor):
    record_pace(tmp_path, REQUEST, 0.5)
    assert estimate_seconds(tmp_path, replace(REQUEST, **change)) == pytest.approx(17.5 * factor)


def test_a_warm_up_has_a_pace_of_its_own(tmp_path):
    warm = replace(REQUEST, tree=TreeOptions.create(warm_up_epochs=2, warm_up_images=64))
    record_pace(tmp_path, REQUEST, 0.5)
    assert estimate_seconds(tmp_path, warm) is None
    record_warm_up(tmp_path, warm, 3.0)
    assert estimate_seconds(tmp_path, warm) == pytest.approx(17.5 + 6 * 3)
    longer = replace(REQUEST, tree=TreeOptions.create((0, 1), 2, False, "fixed", 4, 128))
    assert estimate_seconds(tmp_path, longer) == pytest.approx(17.5 * 3 / 7 + 2 * 12)
    single = replace(REQUEST, tree=TreeOptions.create((0,), 5, warm_up_epochs=9))
    assert estimate_seconds(tmp_path, single) == pytest.approx(17.5 / 7)
    assert estimate_seconds(tmp_path, REQUEST) == pytest.approx(17.5)


def test_images_do_not_count_for_a_metric_without_images(tmp_path):
    record_pace(tmp_path, PARAMS, 0.01)
    assert estimate_seconds(tmp_path, replace(PARAMS, batch_size=1)) == pytest.approx(0.35)
    assert estimate_seconds(tmp_path, replace(PARAMS, network=Network(16, 1))) == pytest.approx(
        0.07
    )


@pytest.mark.parametrize(
    "change", [{"metric": "gradientmatching"}, {"device": "cuda"}, {"metric": "params"}]
)
def test_another_metric_or_device_is_not_estimated(tmp_path, change):
    record_pace(tmp_path, REQUEST, 0.5)
    assert estimate_seconds(tmp_path, replace(REQUEST, **change)) is None


def test_the_latest_pace_counts_and_others_stay(tmp_path):
    record_pace(tmp_path, REQUEST, 0.5)
    record_pace(tmp_path, PARAMS, 1.0)
    record_pace(tmp_path, REQUEST, 0.25)
    assert estimate_seconds(tmp_path, REQUEST) == pytest.approx(0.25 * 35)
    assert estimate_seconds(tmp_path, PARAMS) == pytest.approx(35)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"gradnorm/paper/cpu": "fast"}'])
def test_a_damaged_pace_is_forgotten(tmp_path, content):
    (tmp_path / "pace.json").write_bytes(content)
    assert estimate_seconds(tmp_path, REQUEST) is None
    record_pace(tmp_path, REQUEST, 0.5)
    assert estimate_seconds(tmp_path, REQUEST) == pytest.approx(17.5)


def test_a_search_takes_as_long_as_the_epochs_of_the_last_one(tmp_path):
    assert estimate_seconds(tmp_path, SEARCH) is None
    record_epochs(tmp_path, SEARCH, EPOCHS)
    assert estimate_seconds(tmp_path, SEARCH) == pytest.approx(5.0 * QUICK.search.epochs)
    longer = replace(SEARCH, options=replace(QUICK.search, epochs=50, images=640))
    expected = 5.0 * 50 * 640 / QUICK.search.images
    assert estimate_seconds(tmp_path, longer) == pytest.approx(expected)


def test_a_smaller_sub_space_takes_less(tmp_path):
    record_epochs(tmp_path, SEARCH, EPOCHS)
    part = replace(SEARCH, rows=("00010", *SEARCH.rows[1:]))
    least = replace(SEARCH, rows=("10000",) * 6)
    seconds = [estimate_seconds(tmp_path, request) for request in (least, part, SEARCH)]
    assert 0 < seconds[0] < seconds[1] < seconds[2]


@pytest.mark.parametrize(
    "request_",
    [
        replace(SEARCH, algorithm="dsnas"),
        replace(SEARCH, options=replace(QUICK.search, channels=16)),
        replace(SEARCH, compiled=True),
        TrainingRequest("cifar10", QUICK.training),
    ],
)
def test_a_search_of_another_kind_is_not_estimated(tmp_path, request_):
    record_epochs(tmp_path, SEARCH, EPOCHS)
    assert estimate_seconds(tmp_path, request_) is None
