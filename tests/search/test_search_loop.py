"""The epoch loop: randomness, optimisers, epochs, and states to resume from."""

import math
import pickle
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import nn

from fewshot_core.search import EpochRecord, SearchError, list_algorithms, search
from fewshot_core.search.algorithms.base import mean_loss
from fewshot_core.search.compute import Compute, Randomness, generator_for
from fewshot_core.search.data import halved
from fewshot_core.search.loop import Search, SearchState, Start, make_start
from fewshot_core.space import Architecture, SubSpace

EVERY = pytest.mark.parametrize("algorithm", list_algorithms())


@pytest.fixture
def make_search(tiny_data, tiny_options, mixed):
    def make(algorithm, sub_space=mixed, seed=0, progress=None, **changes):
        options = replace(tiny_options, **changes)
        start = make_start(sub_space, 4, options, seed)
        extra = {} if progress is None else {"progress": progress}
        return Search(algorithm, start, tiny_data, options, seed, **extra)

    return make


def curve(records):
    """Return records without the time they took, as JSON-like values."""
    return [{**record.to_dict(), "seconds": None} for record in records]


@EVERY
def test_a_search_yields_a_record_from_before_and_one_for_each_epoch(make_search, algorithm, mixed):
    records = list(make_search(algorithm).run())
    assert [record.epoch for record in records] == [0, 1, 2, 3]
    assert (records[0].train_loss, records[0].train_accuracy) == (None, None)
    for record in records:
        assert Architecture.from_string(record.architecture).index == record.architecture_index
        assert Architecture.from_string(record.architecture) in mixed
        assert 0 <= record.valid_accuracy <= 100
        assert math.isfinite(record.valid_loss)
        assert record.seconds > 0
        assert len(record.probabilities) == len(record.entropy) == 6
        assert record == EpochRecord.from_dict(record.to_dict())
    assert all(0 <= record.train_accuracy <= 100 for record in records[1:])


@EVERY
def test_probabilities_are_zero_outside_the_sub_space(make_search, algorithm, mixed):
    for record in make_search(algorithm).run():
        for row, enabled, bits in zip(
            record.probabilities, mixed.enabled, record.entropy, strict=True
        ):
            assert len(row) == 5
            assert sum(row) == pytest.approx(1)
            assert {number for number, share in enumerate(row) if share > 0} <= set(enabled)
            shares = [share for share in row if share > 0]
            expected = -sum(share * math.log2(share) for share in shares)
            assert bits == pytest.approx(expected, abs=1e-5)


def test_only_snas_has_a_temperature(make_search):
    for algorithm in list_algorithms():
        found = [record.temperature for record in make_search(algorithm).run()]
        expected = [None, 1.0, 0.55, 0.1] if algorithm == "snas" else [None] * 4
        assert found == pytest.approx(expected) if algorithm == "snas" else found == expected


@EVERY
def test_a_search_trains_weights_and_moves_its_architecture(make_search, algorithm):
    search = make_search(algorithm, epochs=8)
    before = {name: tensor.clone() for name, tensor in search.supernet.state_dict().items()}
    records = list(search.run())
    changed = [n for n, t in search.supernet.state_dict().items() if not torch.equal(before[n], t)]
    assert any("nor_conv_3x3" in name for name in changed)
    assert not any("running" in name for name in changed)
    assert records[-1].train_loss < records[1].train_loss
    assert records[-1].probabilities != records[0].probabilities


def test_disabled_operations_do_not_exist(make_search, mixed):
    search = make_search("snas")
    names = [name for name, _ in search.network.named_parameters()]
    assert not any("edge_2_0" in name for name in names)
    assert any("edge_1_0.nor_conv_1x1" in name for name in names)
    assert sum(len(logits) for logits in search.alphas.learnable()) == 12


@EVERY
def test_a_single_architecture_is_only_trained(make_search, algorithm):
    single = SubSpace.from_rows(["00010", "01000", "00010", "10000", "00100", "00001"])
    search = make_search(algorithm, single)
    records = list(search.run())
    expected = Architecture((3, 1, 3, 0, 2, 4)).index
    assert {record.architecture_index for record in records} == {expected}
    assert all(record.entropy == (0.0,) * 6 for record in records)
    assert search.alphas.learnable() == []


@EVERY
def test_the_same_seed_gives_the_same_curve_and_another_one_does_not(make_search, algorithm):
    one, two, other = (list(make_search(algorithm, seed=s).run()) for s in (1, 1, 2))
    assert curve(one) == curve(two)
    assert curve(one) != curve(other)


def test_nothing_depends_on_or_changes_the_global_random_state(make_search):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = list(make_search("snas").run())
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert curve(one) == curve(make_search("snas").run())


@EVERY
@pytest.mark.parametrize("stop", [0, 2])
def test_a_search_resumes_bit_for_bit_after_a_stop(make_search, algorithm, stop, tmp_path):
    whole = make_search(algorithm)
    list(whole.run())
    first = make_search(algorithm)
    records = first.run()
    for _ in range(stop + 1):
        next(records)
    first.state().save(tmp_path / "state.pt")
    second = make_search(algorithm)
    second.restore(SearchState.load(tmp_path / "state.pt"))
    list(second.run())
    assert curve(second.records) == curve(whole.records)
    assert second.alphas.table() == whole.alphas.table()
    ends = [search.supernet.state_dict() for search in (second, whole)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_a_search_with_fixed_edges_resumes_too(make_search, tmp_path):
    changes = {"architecture_learning_rate": 0.5, "epochs": 6, "stopping_threshold": 0.2}
    whole = make_search("dsnas", **changes)
    list(whole.run())
    first = make_search("dsnas", **changes)
    records = first.run()
    while len(first.alphas.decided) == 2:
        next(records)
    assert 0 < len(first.records) < 7
    second = make_search("dsnas", **changes)
    first.state().save(tmp_path / "state.pt")
    second.restore(SearchState.load(tmp_path / "state.pt"))
    assert second.alphas.decided == first.alphas.decided
    list(second.run())
    assert curve(second.records) == curve(whole.records)


def test_a_state_does_not_change_when_the_search_resumes(make_search):
    search = make_search("snas")
    records = search.run()
    next(records)
    state = search.state()
    first = make_search("snas")
    list(records)
    first.restore(state)
    list(first.run())
    assert curve(first.records) == curve(search.records)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seed": 1}, "seed"),
        ({"epochs": 4}, "options"),
        ({"sub_space": SubSpace.full()}, "sub_space"),
    ],
)
def test_the_state_of_another_search_is_refused(make_search, change, what):
    state = make_search("snas").state()
    with pytest.raises(SearchError, match=f"another search: its {what} is"):
        make_search("snas", **change).restore(state)


def test_a_finished_search_has_nothing_left_to_yield(make_search):
    search = make_search("snas")
    list(search.run())
    again = make_search("snas")
    again.restore(search.state())
    assert list(again.run()) == []


def test_progress_is_reported_before_each_step(make_search):
    seen = []
    list(make_search("snas", progress=seen.append).run())
    assert [(p.epoch, p.step) for p in seen] == [
        (0, 0),
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
    ]
    assert {(p.epochs, p.steps) for p in seen} == {(3, 2)}


def test_divergence_is_an_error_with_advice(make_search):
    with pytest.raises(SearchError, match="diverged; choose a smaller learning rate"):
        list(make_search("darts-1st", learning_rate=1e30, gradient_clip=1e30).run())


def test_an_odd_number_of_images_leaves_one_more_held_out(tiny_data, tiny_options, mixed):
    from_fewer = halved(
        type(tiny_data.whole)(
            tiny_data.whole.pixels[:31], tiny_data.whole.labels[:31], tiny_data.whole.black
        ),
        tiny_data.dataset,
        tiny_data.provenance,
    )
    assert (len(from_fewer.train), len(from_fewer.valid)) == (15, 16)
    start = make_start(mixed, 4, tiny_options)
    assert len(list(Search("snas", start, from_fewer, tiny_options).run())) == 4


def test_a_start_says_where_its_weights_are_from(mixed, tiny_options):
    start = make_start(mixed, 4, tiny_options, seed=3)
    assert isinstance(start, Start)
    assert start.fingerprint is None
    assert start.supernet.sub_space == mixed


STATE = SearchState({"kind": "search", "seed": 1}, {"weight": torch.ones(2)}, {"records": []})


def test_a_state_comes_back_from_its_file(tmp_path):
    STATE.save(tmp_path / "state.pt")
    found = SearchState.load(tmp_path / "state.pt")
    assert found.identity == STATE.identity
    assert torch.equal(found.supernet["weight"], torch.ones(2))
    assert found.rest == {"records": []}
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.pt"
    STATE.save(path)
    before = path.read_bytes()
    unwritable = SearchState({}, {}, {"generator": (number for number in range(3))})
    with pytest.raises(TypeError):
        unwritable.save(path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["state.pt"]


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(SearchError, match="found no file at"):
        SearchState.load(tmp_path / "state.pt")


@pytest.mark.parametrize("length", [0, 10, 400, -30])
def test_a_damaged_file_is_an_error(tmp_path, length):
    path = tmp_path / "state.pt"
    STATE.save(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(SearchError, match=r"cannot be read .*; delete it to start again"):
        SearchState.load(path)


@pytest.mark.parametrize("content", [{"format": "other"}, {}, [1, 2], torch.ones(2)])
def test_a_file_of_something_else_is_an_error(tmp_path, content):
    torch.save(content, tmp_path / "state.pt")
    with pytest.raises(SearchError, match=r"state\.pt: expected"):
        SearchState.load(tmp_path / "state.pt")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code in a checkpoint was run",))


def test_code_in_a_file_is_not_run(tmp_path):
    (tmp_path / "state.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(SearchError):
        SearchState.load(tmp_path / "state.pt")
    torch.save({"format": Bomb()}, tmp_path / "state.pt")
    with pytest.raises(SearchError):
        SearchState.load(tmp_path / "state.pt")


def test_differences_are_named():
    with pytest.raises(SearchError, match="its seed is 1, expected 2"):
        STATE.check({"kind": "search", "seed": 2})
    STATE.check({"seed": 1, "kind": "search"})


def test_purposes_draw_independently():
    random = Randomness(5, ("one", "two"))
    torch.rand(100, generator=random["one"])
    assert torch.equal(
        torch.rand(3, generator=random["two"]), torch.rand(3, generator=generator_for(5, "two"))
    )
    assert not torch.equal(
        torch.rand(3, generator=generator_for(5, "one")),
        torch.rand(3, generator=generator_for(5, "two")),
    )


def test_generators_resume_from_their_saved_state():
    random = Randomness(5, ("one",))
    torch.rand(3, generator=random["one"])
    state = random.state_dict()
    expected = torch.rand(3, generator=random["one"])
    other = Randomness(6, ("one",))
    other.load_state_dict(state)
    assert torch.equal(torch.rand(3, generator=other["one"]), expected)


MIXED = Compute(torch.device("cpu"), "bfloat16")


def test_other_precisions_are_for_cuda_only():
    assert Compute.create("cpu", "bfloat16").precision == "float32"
    assert isinstance(Compute.create("cpu").autocast(), nullcontext)


def test_an_unknown_precision_is_an_error():
    with pytest.raises(SearchError, match="unknown precision 'half': expected one of float32, tf"):
        Compute.create("cpu", "half")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("algorithm", ["snas", "darts-2nd"])
def test_cuda_searches_like_the_cpu(algorithm, tmp_path, tiny_options, mixed):
    losses = {}
    for device in ("cpu", "cuda"):
        options = replace(tiny_options, images=64)
        found = search(
            algorithm, mixed, "cifar10", options, 0, "synthetic", tmp_path, device=device
        )
        losses[device] = [record.valid_loss for record in found]
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-2)


def test_a_missing_device_is_an_error():
    with pytest.raises(SearchError, match=r"the device 'gpu' cannot be used here .* choose 'cpu'"):
        Compute.create("gpu")


def test_forward_passes_are_in_bfloat16_and_losses_in_float32(tiny_data):
    seen = []

    def network(images, weights):
        logits = nn.functional.linear(images.flatten(1), torch.ones(4, 192))
        seen.append(logits.dtype)
        return logits

    loss, _ = mean_loss(network, None, tiny_data.train.take(torch.arange(4)), MIXED)
    assert seen == [torch.bfloat16]
    assert loss.dtype == torch.float32


def test_a_search_in_mixed_precision_stays_close(tiny_data, tiny_options, mixed):
    losses = []
    for compute in (MIXED, Compute(torch.device("cpu"))):
        start = make_start(mixed, 4, tiny_options)
        search = Search("snas", start, tiny_data, tiny_options, compute=compute)
        losses.append([record.valid_loss for record in search.run()])
        assert search.supernet.stem.conv.weight.dtype == torch.float32
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    assert losses[0] != losses[1]


def test_finite_differences_are_never_in_mixed_precision(tiny_data, tiny_options, mixed):
    start = make_start(mixed, 4, tiny_options)
    search = Search("darts-2nd", start, tiny_data, tiny_options, compute=MIXED)
    assert search.compute.precision == "float32"


def test_a_network_is_compiled_only_on_request(monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    network = nn.Linear(2, 2)
    Compute.create("cpu").prepare(network)
    assert compiled == []
    Compute.create("cpu", compiled=True).prepare(network)
    assert compiled == [network]


def test_importing_the_package_does_not_load_torch():
    question = (
        "import sys, fewshot_core.search, fewshot_core.search.proxy, fewshot_core.runs"
        "; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", question]).returncode == 0
