import hashlib
import os
import pickle
import random

import pytest
import torch

from fewshot_core.errors import CheckpointError, FewshotError
from fewshot_core.nets import Supernet, load_checkpoint
from fewshot_core.space import SubSpace


def build(seed=0, sub_space=None, **sizes):
    sizes = {"channels": 2, "cells_per_stage": 1, **sizes}
    return Supernet(sub_space or SubSpace.full(), seed=seed, **sizes)


def trained():
    """Return a supernet whose tensors are unlike those of any fresh one."""
    supernet = build(seed=9)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for tensor in supernet.state_dict().values():
            tensor.add_(torch.randint(1, 9, tensor.shape, generator=generator))
    return supernet


def same(one, two):
    one, two = one.state_dict(), two.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "supernet.pt"


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "wrap", [lambda state: state, lambda state: {"epoch": 3, "supernet": state}]
)
def test_weights_and_statistics_come_back(wrap, zipped, path):
    original, loaded = trained(), build()
    torch.save(wrap(original.state_dict()), path, _use_new_zipfile_serialization=zipped)
    load_checkpoint(loaded, path)
    assert same(original, loaded)


def test_the_network_says_where_its_weights_are_from(path, mixed):
    torch.save(trained().state_dict(), path)
    loaded = build()
    load_checkpoint(loaded, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.weights == f"checkpoint supernet.pt, SHA-256 {digest[:12]}"
    assert loaded.restrict(mixed).weights == loaded.weights


@pytest.mark.parametrize(
    ("records", "history"),
    [
        (
            [{"epoch": 1, "valid_accuracy": 30.0}, {"epoch": 2, "valid_accuracy": 55.26}],
            "trained for 2 epochs, validation accuracy 55.3%",
        ),
        ([{"epoch": 1, "valid_accuracy": None}], "trained for 1 epoch"),
        ([], ""),
        ([{"epoch": "some", "valid_accuracy": 30.0}], ""),
        (None, ""),
    ],
)
def test_the_network_says_how_far_it_was_trained(records, history, path):
    torch.save({"supernet": trained().state_dict(), "rest": {"records": records}}, path)
    loaded = build()
    assert loaded.history == ""
    load_checkpoint(loaded, path)
    assert loaded.history == history


def test_a_network_restricted_before_sees_the_new_weights(path, mixed, images):
    torch.save(trained().state_dict(), path)
    loaded = build()
    restricted = loaded.restrict(mixed)
    load_checkpoint(loaded, path)
    expected = trained().restrict(mixed)
    assert torch.equal(restricted(images), expected(images))


def test_another_precision_is_converted(path):
    original = trained()
    torch.save({name: tensor.double() for name, tensor in original.state_dict().items()}, path)
    loaded = build()
    load_checkpoint(loaded, path)
    assert same(original, loaded)
    assert loaded.stem.conv.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("sizes", "missing", "unknown"),
    [
        ({"num_classes": 100}, 2, 0),
        ({"cells_per_stage": 2}, 0, 3 * 12 * 6),
        ({"sub_space": SubSpace.full().keep(0, [3])}, 3 * 6, 0),
    ],
)
def test_another_shape_is_refused_and_loads_nothing(sizes, missing, unknown, path):
    torch.save(build(seed=1, **sizes).state_dict(), path)
    supernet = build()
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(supernet, path)
    message = str(caught.value)
    count = len(supernet.state_dict())
    assert f"{path}: expected the {count} tensors of a supernet with channels=2" in message
    assert "cells_per_stage=1 and num_classes=10" in message
    assert f"{missing} are missing or of another shape, {unknown} are unknown" in message
    assert "(first: " in message and message.endswith("network the checkpoint was trained with.")
    assert same(supernet, build()) and supernet.weights == "untrained, seed 0"


def test_a_missing_file_is_named(path, tmp_path):
    for absent in (path, tmp_path):
        with pytest.raises(CheckpointError, match="expected a checkpoint file, found none at") as e:
            load_checkpoint(build(), absent)
        assert str(absent) in str(e.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x80\x02", b"PK\x03\x04", bytes(1000), bytes(range(256)), b"\x80\x02."],
)
def test_garbage_is_refused(content, path):
    path.write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"tensors written by torch\.save, got one that cannot be read"
    ):
        load_checkpoint(build(), path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_damaged_file_is_refused_or_still_fits(zipped, path):
    torch.save(build().state_dict(), path, _use_new_zipfile_serialization=zipped)
    whole, chance = path.read_bytes(), random.Random(0)
    supernet, refused = build(), 0
    for number in range(60):
        damaged = bytearray(whole)
        position = chance.randrange(min(len(whole), 3000))
        if number % 2:
            del damaged[position:]
        else:
            damaged[position] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            load_checkpoint(supernet, path)
        except FewshotError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused >= 30


STATE = build().state_dict()


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        3,
        torch.zeros(3),
        {},
        {"supernet": {}},
        {"supernet": [1]},
        {"supernet": 3},
        {"supernet": None},
        {"supernet": torch.zeros(3)},
        {"epoch": 3, "weights": STATE},
        {**STATE, "classifier.bias": [0.0] * 10},
        {**STATE, "classifier.bias": STATE["classifier.bias"].to_sparse()},
        {**STATE, "classifier.bias": STATE["classifier.bias"].to("meta")},
        {**STATE, "classifier.bias": STATE["classifier.bias"].to(torch.complex64)},
    ],
)
def test_a_file_without_a_state_dictionary_is_refused(content, path):
    torch.save(content, path)
    supernet = build()
    with pytest.raises(CheckpointError, match="expected a state dictionary of tensors"):
        load_checkpoint(supernet, path)
    assert same(supernet, build())


def test_names_that_are_no_texts_are_unknown(path):
    torch.save({1: torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="1 are unknown"):
        load_checkpoint(build(), path)


class Harmful:
    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return os.mkdir, (str(self.made),)


@pytest.mark.parametrize(
    "save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, 2))]
)
def test_code_is_refused_and_not_run(save, path, tmp_path):
    made = tmp_path / "made"
    save({**STATE, "classifier.bias": Harmful(made)}, path)
    supernet = build()
    with pytest.raises(CheckpointError, match="got one that cannot be read"):
        load_checkpoint(supernet, path)
    assert not made.exists() and same(supernet, build())
