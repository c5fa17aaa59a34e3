"""Searches and trainings as runs: stopped anywhere and started again, they end the same."""

import os
import signal
from dataclasses import dataclass, field, replace

import pandas as pd
import pytest

from fewshot_core.datasets import DATASETS
from fewshot_core.runs import (
    RunFolder,
    SearchRequest,
    State,
    Status,
    TrainingRequest,
    cancel,
    find_finished,
    start,
)
from fewshot_core.runs.search_job import noise, run, run_epochs
from fewshot_core.search import (
    PRESETS,
    EpochRecord,
    SearchOptions,
    TrainingOptions,
    list_algorithms,
    read_records,
)
from fewshot_core.search.loop import SearchState
from fewshot_core.search.records import CHECKPOINT, DAMAGED, RECORDS, TABLE, append_record
from fewshot_core.space import Architecture, SubSpace

SMOKE = PRESETS.get("smoke")
SEARCH = SearchRequest(
    "cifar10", "darts-1st", tuple(SubSpace.full().rows), SMOKE.search, 777, "synthetic"
)
TRAINING = TrainingRequest("cifar10", SMOKE.training, 1, "synthetic")


@pytest.fixture
def prepare(tmp_path):
    """Make the folder of a run that nobody works on yet."""

    def make(kind, request):
        folder = RunFolder(tmp_path / "runs" / request.run_id({}))
        folder.path.mkdir(parents=True)
        folder.write_manifest({"kind": kind, "request": request.to_dict()})
        folder.write_status(Status(State.QUEUED, "starting"))
        return folder

    return make


def test_a_search_leaves_its_epochs_and_says_how_it_went(prepare, tmp_path, capsys):
    folder = prepare("search", SEARCH)
    assert folder.records() == [] and not folder.is_complete()
    run(folder, tmp_path)
    assert [record["epoch"] for record in folder.records()] == [0, 1, 2]
    assert folder.is_complete()
    status = folder.status()
    assert status.state is State.DONE and status.message.startswith("done in ")
    assert status.done == status.total == 2 * 2
    assert "epoch 2 of 2" in capsys.readouterr().out


def test_a_training_leaves_a_supernet(prepare, tmp_path):
    folder = prepare("train", TRAINING)
    run(folder, tmp_path)
    assert [record["epoch"] for record in folder.records()] == [1, 2]
    assert folder.is_complete() and folder.status().state is State.DONE
    assert (folder.path / "checkpoint.pt").is_file()


def test_a_search_that_lacks_epochs_is_not_complete(prepare, tmp_path):
    folder = prepare("search", SEARCH)
    run(folder, tmp_path)
    path = folder.path / "epochs.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert not folder.is_complete()


def test_earlier_epochs_of_a_resumed_search_do_not_count_for_its_pace():
    status = Status(State.RUNNING, done=60, total=100, step_started=0.0, updated=10.0)
    assert status.seconds_left == pytest.approx(40 / 6)
    assert replace(status, first_step=50).seconds_left == pytest.approx(40.0)
    assert replace(status, first_step=60).seconds_left is None
    resumed = replace(status, first_step=50, earlier=30.0)
    assert resumed.seconds_left == pytest.approx(40.0) and resumed.seconds == 40.0
    assert Status(State.QUEUED, earlier=30.0).seconds == 30.0


def test_a_killed_search_resumes_and_ends_as_an_uninterrupted_one(tmp_path, wait_until):
    request = replace(SEARCH, options=replace(SMOKE.search, epochs=8))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    first, second = start(request, whole), start(request, broken)
    wait_until(lambda: len(second.records()) > 2, "some epochs")
    os.killpg(second.status().pid, signal.SIGKILL)
    wait_until(lambda: second.status().state is State.LOST, "the process to be missed")
    done = len(second.records())
    worked = second.status().seconds
    assert start(request, broken) == second
    assert second.status().earlier == worked > 0
    wait_until(lambda: not second.status().state.active, "the end of the second")
    wait_until(lambda: not first.status().state.active, "the end of the first")
    assert first.status().state is second.status().state is State.DONE
    assert second.status().seconds > worked
    curves = [[r | {"seconds": 0} for r in run.records()] for run in (first, second)]
    assert curves[0] == curves[1] and len(curves[0]) == 9
    assert f"resuming after epoch {done - 1}" in second.log_tail(1000)
    assert find_finished(request, broken) == second
    assert first.manifest()["synthetic"] is True
    cancel(first)  # a run that has ended is left as it is
    assert first.status().state is State.DONE


OPTIONS = SearchOptions(
    epochs=3,
    batch_size=8,
    channels=2,
    cells_per_stage=1,
    images=32,
    architecture_learning_rate=0.05,
)
ROWS = ("00110", "01000", "10110", "01000", "00001", "10010")
SMALL = SearchRequest("ImageNet16-120", "snas", ROWS, OPTIONS)
SMALL_TRAINING = TrainingRequest(
    "ImageNet16-120",
    TrainingOptions(epochs=3, batch_size=8, channels=2, cells_per_stage=1, images=32),
)


class Killed(BaseException):
    """What ends a process in the middle of its work."""


@dataclass
class Seen:
    """Remembers what is reported, and ends the job at a moment."""

    moment: int | None = None
    steps: list = field(default_factory=list)

    def say(self, message):
        self.step(0, 0, message)

    def step(self, done, total, message, now=False):
        self.steps.append((done, total, message))
        if len(self.steps) == self.moment:
            raise Killed

    @property
    def messages(self):
        return [message for *_, message in self.steps]


def do(request, folder, data_dir=None, progress=None, data=None):
    return run_epochs(request, folder, progress or Seen(), data_dir, data).records


def lines(folder):
    return [{**record, "seconds": None} for record in read_records(folder / RECORDS)]


@pytest.fixture(scope="module")
def images():
    return noise(DATASETS.get("ImageNet16-120"), 32, "cpu")


@pytest.fixture
def whole(tmp_path, images):
    folder = tmp_path / "whole"
    do(SMALL, folder, data=images)
    return folder


def test_a_job_leaves_records_a_table_and_a_checkpoint(whole):
    assert {path.name for path in whole.iterdir()} == {RECORDS, TABLE, CHECKPOINT}
    records = [EpochRecord.from_dict(record) for record in read_records(whole / RECORDS)]
    assert [record.epoch for record in records] == [0, 1, 2, 3]
    table = pd.read_parquet(whole / TABLE)
    assert table["valid_accuracy"].tolist() == [record.valid_accuracy for record in records]


# Reports: loading, evaluating, record 0, then for each epoch two steps and its record.
@pytest.mark.parametrize("moment", [1, 2, 3, 4, 5, 6, 8, 9, 11, 12])
def test_a_job_that_was_killed_ends_with_the_same_records(whole, tmp_path, images, moment):
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        do(SMALL, folder, progress=Seen(moment), data=images)
    records = do(SMALL, folder, data=images)
    assert len(records) == 4
    assert lines(folder) == lines(whole)


def test_an_epoch_beyond_the_checkpoint_is_repeated(whole, tmp_path, images):
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        do(SMALL, folder, progress=Seen(8), data=images)
    append_record(folder / RECORDS, {"epoch": 2, "wrong": True})
    (folder / RECORDS).write_bytes((folder / RECORDS).read_bytes() + b'{"ep')
    do(SMALL, folder, data=images)
    assert lines(folder) == lines(whole)


def test_a_finished_job_does_nothing_again(whole, images):
    before = (whole / RECORDS).read_bytes()
    seen = Seen()
    do(SMALL, whole, progress=seen, data=images)
    assert (whole / RECORDS).read_bytes() == before
    assert seen.messages == ["loading images", "resuming after epoch 3"]


def test_a_damaged_checkpoint_is_renamed_and_all_epochs_are_repeated(whole, tmp_path, images):
    folder = tmp_path / "damaged"
    with pytest.raises(Killed):
        do(SMALL, folder, progress=Seen(8), data=images)
    content = (folder / CHECKPOINT).read_bytes()
    (folder / CHECKPOINT).write_bytes(content[:-100])
    seen = Seen()
    do(SMALL, folder, progress=seen, data=images)
    assert any(text.startswith("starting again from epoch 0: ") for text in seen.messages)
    assert (folder / DAMAGED).read_bytes() == content[:-100]
    assert lines(folder) == lines(whole)


def test_the_checkpoint_of_another_request_is_not_used(whole, images):
    other = replace(SMALL, seed=1)
    seen = Seen()
    do(other, whole, progress=seen, data=images)
    assert any("starting again" in text for text in seen.messages)


@pytest.mark.parametrize("algorithm", list_algorithms())
def test_a_search_in_nas_bench_macro_inherits_resumes_and_returns_an_architecture(
    algorithm, macro_training, tmp_path
):
    weights, images = macro_training
    options = replace(OPTIONS, epochs=2, channels=1)
    rows = ("011", "111", "101", "110", "100", "010", "011", "111")
    checkpoint = str(weights / CHECKPOINT)
    request = SearchRequest(
        "cifar10", algorithm, rows, options, checkpoint=checkpoint, space="nas-bench-macro"
    )
    records = do(request, tmp_path / "whole", data=images)
    with pytest.raises(Killed):
        do(request, tmp_path / "killed", progress=Seen(8), data=images)  # in the last epoch
    do(request, tmp_path / "killed", data=images)
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")
    assert SearchState.load(tmp_path / "killed" / CHECKPOINT).identity["space"] == request.space
    for record in records:
        found = Architecture.from_index(record.architecture_index, request.space)
        assert found.to_string() == record.architecture and found in request.sub_space
        assert [len(row) for row in record.probabilities] == [3] * 8
        assert record.probabilities[4] == (1, 0, 0)
    assert records[-1].probabilities != records[0].probabilities


@pytest.fixture(scope="module")
def macro_training(tmp_path_factory):
    """A trained supernet of NAS-Bench-Macro, and the images."""
    data = noise(DATASETS.get("cifar10"), 32, "cpu")
    options = replace(SMALL_TRAINING.options, epochs=1, channels=1, sampling="single-path")
    folder = tmp_path_factory.mktemp("macro") / "training"
    do(TrainingRequest("cifar10", options, space="nas-bench-macro"), folder, data=data)
    return folder, data


def test_progress_counts_the_steps_of_all_epochs(tmp_path, images):
    seen = Seen()
    do(SMALL, tmp_path, progress=seen, data=images)
    assert [(done, total) for done, total, _ in seen.steps[3:]] == [
        (0, 6),
        (1, 6),
        (2, 6),
        (2, 6),
        (3, 6),
        (4, 6),
        (4, 6),
        (5, 6),
        (6, 6),
    ]
    assert seen.messages[4] == "epoch 1 of 3, step 2 of 2"
    done = [text for text in seen.messages if text.endswith("done")]
    assert done == [f"epoch {epoch} of 3 done" for epoch in range(4)]


def test_a_training_resumes_too_and_searches_inherit_its_checkpoint(tmp_path, images):
    do(SMALL_TRAINING, tmp_path / "whole", data=images)
    with pytest.raises(Killed):
        do(SMALL_TRAINING, tmp_path / "killed", progress=Seen(5), data=images)
    records = do(SMALL_TRAINING, tmp_path / "killed", data=images)
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")
    assert [record.epoch for record in records] == [1, 2, 3]
    rows = tuple(SubSpace.full().rows)
    inherited = replace(SMALL, rows=rows, checkpoint=str(tmp_path / "whole" / CHECKPOINT))
    first = do(inherited, tmp_path / "search", data=images)[0]
    assert first.valid_accuracy == records[-1].valid_accuracy
    assert first.valid_loss == pytest.approx(records[-1].valid_loss)


def test_the_smoke_preset_runs_on_synthetic_images(tmp_path):
    options = PRESETS.get("smoke").search
    request = replace(SMALL, algorithm="dsnas", options=options, images="synthetic")
    records = do(request, tmp_path / "run", tmp_path)
    assert len(records) == options.epochs + 1
