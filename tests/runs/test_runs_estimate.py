from dataclasses import replace

import pytest

from fewshot_core.runs import (
    Network,
    SearchRequest,
    SplitRequest,
    TrainingRequest,
    estimate,
    estimate_seconds,
    search_job,
)
from fewshot_core.runs.estimate import (
    count_images,
    duration_text,
    record_epochs,
    record_pace,
    record_warm_up,
    total_left,
)
from fewshot_core.runs.folder import State, Status
from fewshot_core.runs.search_job import seconds_per_image
from fewshot_core.search import PRESETS, SearchError, list_algorithms
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


SMOKE = PRESETS.get("smoke")
TIMED = SearchRequest("ImageNet16-120", "snas", tuple(SubSpace.full().rows), SMOKE.search)
TIMED_TRAINING = TrainingRequest("cifar10", SMOKE.training)


@pytest.mark.parametrize("algorithm", list_algorithms())
def test_a_step_of_every_algorithm_can_be_timed(algorithm):
    assert seconds_per_image(replace(TIMED, algorithm=algorithm), steps=1) > 0


@pytest.fixture
def timed(monkeypatch):
    """Have a step take 0.5 seconds and a batch that is evaluated 0.1."""
    times = iter([0.5, 0.1])
    monkeypatch.setattr(search_job, "_seconds", lambda *arguments: next(times))


def test_half_of_the_images_are_trained_on_and_half_evaluated(timed):
    assert seconds_per_image(TIMED) == pytest.approx((0.5 + 0.1) / 32)


def test_a_training_evaluates_the_half_that_is_held_out(timed):
    assert seconds_per_image(TIMED_TRAINING) == pytest.approx((0.5 + 0.1) / 32)


def test_a_training_on_all_images_evaluates_none(timed):
    whole = replace(TIMED_TRAINING, options=replace(SMOKE.training, trained_on="all"))
    assert seconds_per_image(whole) == pytest.approx(0.5 / 16)


def test_all_images_of_a_source_count_where_no_number_is_given(tmp_path):
    few = replace(TIMED, images="synthetic")
    whole = replace(few, options=replace(SMOKE.search, images=None))
    record_pace(tmp_path, few, 0.001)
    seconds = [estimate_seconds(tmp_path, request) for request in (few, whole)]
    assert seconds == pytest.approx([2 * 64 * 0.001, 2 * 10_000 * 0.001])


def test_a_process_of_its_own_times_the_steps(tmp_path):
    request = replace(TIMED, images="synthetic", checkpoint="missing.pt")
    estimate.measure(tmp_path, request)
    assert 0 < estimate_seconds(tmp_path, request) < 600


def test_a_process_that_fails_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "_MEASURE", "raise SystemExit('no torch here')")
    with pytest.raises(SearchError, match="a step cannot be measured: no torch here"):
        estimate.measure(tmp_path, replace(TIMED, images="synthetic"))


def test_a_missing_device_is_an_error():
    with pytest.raises(SearchError, match="the device 'meta3' cannot be used here"):
        seconds_per_image(replace(TIMED, device="meta3"))


def test_images_are_counted_without_reading_them():
    assert count_images("cifar10", "synthetic") == 10_000


def test_a_size_that_was_measured_is_not_scaled_from_another(tmp_path):
    small = replace(REQUEST, network=Network(4, 1))
    record_pace(tmp_path, REQUEST, 0.5)
    record_pace(tmp_path, small, 0.1)
    assert estimate_seconds(tmp_path, REQUEST) == pytest.approx(0.5 * 35)
    assert estimate_seconds(tmp_path, small) == pytest.approx(0.1 * 35)
    other = estimate_seconds(tmp_path, replace(REQUEST, network=Network(8, 1)))
    assert other == pytest.approx(0.4 * 35)


def running(seconds: float, done: int, total: int = 10) -> Status:
    return Status(
        State.RUNNING,
        done=done,
        total=total,
        started=1.0,
        step_started=100.0,
        updated=100 + seconds,
    )


@pytest.mark.parametrize(("seconds", "expected"), [(4, 16 + 20), (16, 64 + 100), (32, 128 + 160)])
def test_an_estimate_wrong_by_more_than_half_is_corrected_by_what_runs(tmp_path, seconds, expected):
    record_epochs(tmp_path, SEARCH, EPOCHS)  # 100 seconds for all epochs
    waiting = SEARCH, Status(State.QUEUED), 0
    assert total_left(tmp_path, [waiting, (SEARCH, running(seconds, 2), 2)]) == pytest.approx(
        expected
    )


def test_work_that_is_done_takes_no_time_again(tmp_path):
    record_epochs(tmp_path, SEARCH, EPOCHS)
    half = QUICK.search.epochs // 2
    assert total_left(tmp_path, [(SEARCH, None, half)]) == pytest.approx(50)
    assert total_left(tmp_path, [(PARAMS, None, 0)]) is None
    assert total_left(tmp_path, []) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a second"),
        (1, "1 s"),
        (11.1, "11 s"),
        (61.7, "62 s"),
        (120, "2 min"),
        (9000, "2.5 h"),
    ],
)
def test_a_time_is_rounded_sensibly(seconds, text):
    assert duration_text(seconds) == text
