"""The training of supernets, and the warm-up of sub-supernets."""

import copy
from dataclasses import replace

import pytest
import torch

from fewshot_core.data_folder import file_fingerprint
from fewshot_core.errors import CheckpointError
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.search import SearchError, TrainingOptions
from fewshot_core.search.compute import Compute
from fewshot_core.search.evaluation import evaluate
from fewshot_core.search.loop import Search, SearchState, make_start
from fewshot_core.search.network import WeightedSupernet
from fewshot_core.search.records import TrainingRecord
from fewshot_core.search.training import SupernetTraining, WarmUp, uniform_path
from fewshot_core.space import SubSpace

OPTIONS = TrainingOptions(epochs=3, batch_size=8, channels=2, cells_per_stage=1)
CPU = Compute(torch.device("cpu"))


@pytest.fixture
def make_training(tiny_data):
    def make(seed=0, **changes):
        return SupernetTraining(tiny_data, replace(OPTIONS, **changes), seed)

    return make


@pytest.fixture
def checkpoint(make_training, tmp_path):
    training = make_training(epochs=8)
    list(training.run())
    path = tmp_path / "supernet.pt"
    training.state().save(path)
    return path


def curve(records):
    return [{**record.to_dict(), "seconds": None} for record in records]


def test_the_loss_falls_and_the_learning_rate_follows_the_cosine(make_training):
    records = list(make_training(epochs=12).run())
    assert [record.epoch for record in records] == list(range(1, 13))
    assert records[-1].train_loss < records[0].train_loss
    rates = [record.learning_rate for record in records]
    assert rates[0] == pytest.approx(0.1)
    assert rates[6] == pytest.approx(0.05)
    assert 0 < rates[-1] < 0.002  # zero would follow the last epoch
    assert rates == sorted(rates, reverse=True)
    assert all(record == TrainingRecord.from_dict(record.to_dict()) for record in records)


@pytest.mark.parametrize("sampling", ["mean", "single-path"])
def test_a_training_resumes_bit_for_bit_after_a_stop(make_training, sampling, tmp_path):
    whole = make_training(sampling=sampling)
    list(whole.run())
    first = make_training(sampling=sampling)
    next(first.run())
    first.state().save(tmp_path / "state.pt")
    second = make_training(sampling=sampling)
    second.restore(SearchState.load(tmp_path / "state.pt"))
    list(second.run())
    assert curve(second.records) == curve(whole.records)
    ends = [training.supernet.state_dict() for training in (second, whole)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_the_state_of_a_search_is_refused(make_training, tiny_data, tiny_options):
    search = Search("snas", make_start(SubSpace.full(), 10, tiny_options), tiny_data, tiny_options)
    with pytest.raises(SearchError, match="another search"):
        make_training().restore(search.state())


def test_trained_on_all_images_nothing_is_held_out(make_training, tiny_data):
    training = make_training(trained_on="all", epochs=1)
    record = next(training.run())
    assert (record.valid_loss, record.valid_accuracy) == (None, None)
    assert len(training._images) == len(tiny_data.whole)


def test_a_single_path_is_drawn_uniformly_among_enabled_operations(mixed):
    supernet = Supernet(mixed, 4, 2, 1)
    generator = torch.Generator().manual_seed(0)
    paths = [uniform_path(supernet, generator).path for _ in range(2000)]
    for edge, operations in enumerate(mixed.enabled):
        for position in range(len(operations)):
            share = sum(path[edge] == position for path in paths) / 2000
            assert share == pytest.approx(1 / len(operations), abs=0.05)


def test_a_training_step_is_sgd_with_momentum_and_weight_decay(make_training, tiny_data):
    training = make_training()
    parameter = training.supernet.classifier.weight
    batch = tiny_data.train.take(torch.arange(8))
    value, velocity = parameter.detach().clone(), torch.zeros_like(parameter)
    for _ in range(3):
        training.step(batch)
        velocity = 0.9 * velocity + parameter.grad + 5e-4 * value
        value = value - 0.1 * velocity
        torch.testing.assert_close(parameter.detach(), value)


def test_a_state_is_a_checkpoint_of_the_network(checkpoint):
    supernet = Supernet(SubSpace.full(), 10, 2, 1)
    load_checkpoint(supernet, checkpoint)
    assert supernet.weights.startswith("checkpoint supernet.pt")


def test_a_search_inherits_the_weights_of_enabled_operations(checkpoint, mixed, tiny_options):
    whole = Supernet(SubSpace.full(), 10, 2, 1)
    load_checkpoint(whole, checkpoint)
    start = make_start(mixed, 10, tiny_options, checkpoint=checkpoint)
    expected = whole.restrict(mixed).state_dict()
    found = start.supernet.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in found)
    assert start.fingerprint == file_fingerprint(checkpoint)


def test_record_0_is_the_accuracy_right_after_copying(checkpoint, mixed, tiny_options, tiny_data):
    whole = Supernet(SubSpace.full(), 10, 2, 1)
    load_checkpoint(whole, checkpoint)
    expected = evaluate(WeightedSupernet(whole.restrict(mixed)), tiny_data.valid, 8, CPU)
    for algorithm in ("darts-1st", "dsnas"):
        start = make_start(mixed, 10, tiny_options, checkpoint=checkpoint)
        record = next(Search(algorithm, start, tiny_data, tiny_options).run())
        assert (record.epoch, record.valid_accuracy) == (0, expected.accuracy)
        assert record.valid_loss == expected.loss
    assert expected.accuracy > 40  # of four classes it has learned some


def test_a_checkpoint_of_another_size_is_an_error(checkpoint, mixed, tiny_options):
    with pytest.raises(CheckpointError, match="channels"):
        make_start(mixed, 10, replace(tiny_options, channels=3), checkpoint=checkpoint)


def test_statistics_are_stored_after_the_last_epoch_only(make_training, tiny_data):
    training = make_training(epochs=2, batch_size=16)
    records = training.run()
    next(records)
    norm = training.supernet.stem.norm
    assert torch.equal(norm.running_mean, torch.zeros(2))
    next(records)
    convolved = training.supernet.stem.conv(tiny_data.train.pixels).detach()
    assert len(tiny_data.train) == 16
    torch.testing.assert_close(norm.running_mean, convolved.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_var, convolved.var(dim=(0, 2, 3)))


def test_stored_statistics_recognise_about_as_much(make_training, tiny_data):
    training = make_training(epochs=10, batch_size=16)
    list(training.run())
    losses = []
    for mode in ("batch", "running"):
        training.supernet.batch_norm = mode
        losses.append(evaluate(training.network, tiny_data.train, 16, CPU).loss)
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


@pytest.fixture
def inherited(mixed):
    """A sub-supernet with its own weights."""
    return copy.deepcopy(Supernet(SubSpace.full(), 10, 2, 1, seed=5).restrict(mixed))


def trained(supernet, data, epochs=1, seed=0):
    """A copy of a sub-supernet after its warm-up, and what did it."""
    twin = copy.deepcopy(supernet)
    warm_up = WarmUp(data, epochs, seed)
    warm_up(twin)
    return twin, warm_up


def same(left, right):
    return all(
        torch.equal(tensor, right.state_dict()[name]) for name, tensor in left.state_dict().items()
    )


SUB_SPACES = (
    SubSpace.from_rows(["01110", "10000", "00011", "11111", "00010", "01001"]),
    SubSpace.from_rows(["011", "100", "111", "110", "101", "010", "001", "111"], "nas-bench-macro"),
)


@pytest.mark.parametrize("sub_space", SUB_SPACES, ids=lambda one: one.space.name)
def test_it_is_a_training_from_the_inherited_weights(sub_space, tiny_data):
    whole = Supernet(SubSpace.full(sub_space.space), 10, 2, 1, seed=5)
    inherited = copy.deepcopy(whole.restrict(sub_space))
    found, warm_up = trained(inherited, tiny_data, epochs=2)
    options = TrainingOptions(epochs=2, trained_on="all", channels=2, cells_per_stage=1)
    training = SupernetTraining(
        tiny_data, options, warm_up._seed_of(inherited), sub_space=sub_space
    )
    training.supernet.load_state_dict(inherited.state_dict())
    list(training.run())
    assert same(found, training.supernet)
    assert not same(found, inherited)
    assert found.sub_space == sub_space
    assert warm_up.trained == 1 and warm_up.seconds > 0


def test_it_is_the_same_again_and_another_with_another_seed(inherited, tiny_data):
    first, _ = trained(inherited, tiny_data)
    assert same(first, trained(inherited, tiny_data)[0])
    assert not same(first, trained(inherited, tiny_data, seed=1)[0])


def test_statistics_are_stored_for_metrics_that_use_them(inherited, tiny_data):
    found, _ = trained(inherited, tiny_data)
    assert not torch.equal(found.norm.running_mean, inherited.norm.running_mean)


def test_its_steps_are_reported(inherited, tiny_data):
    seen = []
    WarmUp(tiny_data, 3, progress=seen.append)(copy.deepcopy(inherited))
    assert [(step.epoch, step.epochs, step.step) for step in seen] == [
        (1, 3, 0),
        (2, 3, 0),
        (3, 3, 0),
    ]
