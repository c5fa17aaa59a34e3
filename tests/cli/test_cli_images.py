import json
import pickle

import numpy as np
import pytest

from fewshot_core import data_folder as datafolder

CHOICES = [
    "cifar-10-python.tar.gz",
    "images/cifar10/",
    "fewshot images register cifar10 PATH",
    "fewshot images download cifar10",
    "use 'synthetic'",
]


@pytest.fixture
def cifar(tmp_path):
    """Tiny official pickles of CIFAR-10."""
    folder = tmp_path / "my cifar"
    folder.mkdir()
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for name in names:
        content = {b"data": np.zeros((10, 3072), dtype=np.uint8), b"labels": list(range(10))}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def test_without_images_there_are_synthetic_ones(fewshot):
    rows = fewshot("images", "list", "--json").document["images"]
    assert [(row["dataset"], row["name"]) for row in rows] == [
        (name, "synthetic") for name in ("cifar10", "cifar100", "ImageNet16-120")
    ]
    assert all(row["synthetic"] and row["path"] is None and not row["problem"] for row in rows)


def test_images_are_registered_listed_and_forgotten(fewshot, cifar):
    answer = fewshot("images", "register", "cifar10", cifar, "--name", "mine")
    assert answer.code == 0 and answer.err == ""
    assert answer.out.startswith("registered mine for cifar10: ") and str(cifar) in answer.out
    first = fewshot("images", "list", "--json").document["images"][0]
    assert (first["name"], first["path"], first["synthetic"]) == ("mine", str(cifar), False)
    shown = fewshot("images", "list").out
    assert "mine" in shown and "synthetic" in shown
    assert (
        fewshot("images", "remove", "cifar10", "mine").out
        == "removed mine of cifar10; its files stay\n"
    )
    rows = fewshot("images", "list", "--json").document["images"]
    assert [row["name"] for row in rows] == ["synthetic"] * 3
    assert (cifar / "test_batch").exists()


def test_registered_images_that_have_vanished_are_listed_with_the_problem(fewshot, cifar):
    fewshot("images", "register", "cifar10", cifar, "--name", "mine")
    cifar.rename(cifar.with_name("moved"))
    first = fewshot("images", "list", "--json").document["images"][0]
    assert first["name"] == "mine" and "no longer at" in first["problem"]
    found = fewshot("doctor", "--json")
    assert found.code == 1
    assert first["problem"] in json.loads(found.out)["problems"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["register", "mnist", "."], "expected one of cifar10"),
        (["register", "cifar10", "nowhere"], "holds no CIFAR-10 in a known format"),
        (["forget", "cifar10", "mine"], "unknown images 'mine' of cifar10: registered are none"),
        (["download", "mnist"], "expected one of cifar10"),
        (["download", "ImageNet16-120"], "cannot be downloaded freely"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(fewshot, arguments, words):
    assert words in fewshot("images", *arguments).complaint


def test_a_download_without_a_network_names_every_choice(tmp_path, stranger):
    nowhere = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), nowhere)
    answer = stranger(tmp_path, "images", "download", "cifar10", env=proxies | {"NO_PROXY": ""})
    assert (answer.code, answer.out) == (1, "")
    assert "Traceback" not in answer.err
    last = answer.err.splitlines()[-1]
    assert last.startswith("fewshot: CIFAR-10 could not be downloaded")
    for choice in CHOICES:
        assert choice in last


def test_a_full_disk_is_one_line_and_leaves_what_is_registered(
    fewshot, cifar, data_folder, full_disk
):
    fewshot("images", "register", "cifar10", cifar, "--name", "mine")
    path = data_folder / "images" / "registered.json"
    before = path.read_bytes()
    full_disk(datafolder, "_sync")
    complaint = fewshot("images", "register", "cifar10", cifar, "--name", "again").complaint
    assert "No space left on device" in complaint
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["registered.json"]
