from dataclasses import replace

import pytest

from fewshot_core.runs import Network, SplitRequest, estimate_seconds
from fewshot_core.runs.estimate import record_pace
from fewshot_core.splitting import TreeOptions

REQUEST = SplitRequest("cifar10", "gradnorm", batch_size=64, network=Network(16, 5))
PARAMS = SplitRequest("cifar10", "params")


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
