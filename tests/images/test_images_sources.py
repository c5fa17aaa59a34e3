import shutil

import pytest
import requests
from whole_splits import load_images

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import ImagesError, UnknownNameError
from fewshot_core.images import (
    SYNTHETIC,
    download,
    list_sources,
    load_batch,
    register_source,
    source_fingerprint,
    unregister_source,
)


@pytest.mark.parametrize("dataset", DATASETS.names())
def test_synthetic_is_always_there_and_never_chosen(dataset, tmp_path):
    (only,) = list_sources(dataset, tmp_path)
    assert only.name == SYNTHETIC and only.synthetic
    with pytest.raises(ImagesError) as caught:
        load_batch(dataset, 4, data_dir=tmp_path)
    message, commands = str(caught.value), " ".join(caught.value.__notes__)
    assert f"images/{dataset}/" in message and "fewshot" not in message
    assert f"fewshot images register {dataset} PATH" in commands
    assert "'synthetic'" in message
    wanted = "image-net.org" if dataset == "ImageNet16-120" else f"images download {dataset}"
    assert wanted in message + commands


def test_the_data_folder_comes_first_and_synthetic_last(tmp_path, make_pickles, make_parquet):
    data = tmp_path / "data"
    register_source("cifar10", make_parquet("cifar10", tmp_path / "mine"), data_dir=data)
    make_pickles("cifar10", data / "images" / "cifar10")
    names = [source.name for source in list_sources("cifar10", data)]
    assert names == ["data-folder", "mine", SYNTHETIC]
    assert load_images("cifar10", data_dir=data).provenance.source == "data-folder"


def test_a_path_is_registered_and_unregistered(tmp_path, make_parquet):
    data, place = tmp_path / "data", make_parquet("cifar10", tmp_path / "mine" / "data").parent
    first = register_source("cifar10", place, data_dir=data)
    assert register_source("cifar10", place, data_dir=data) == first
    assert [item.name for item in list_sources("cifar10", data)] == ["mine", SYNTHETIC]
    assert load_images("cifar10", data_dir=data).provenance.source == "mine"
    unregister_source("cifar10", "mine", data)
    assert [item.name for item in list_sources("cifar10", data)] == [SYNTHETIC]
    with pytest.raises(UnknownNameError, match="registered are none"):
        unregister_source("cifar10", "mine", data)


@pytest.mark.parametrize("name", [SYNTHETIC, "data-folder", "taken"])
def test_a_taken_name_is_refused(name, tmp_path, make_parquet):
    data = tmp_path / "data"
    register_source("cifar10", make_parquet("cifar10", tmp_path / "one"), "taken", data)
    other = make_parquet("cifar10", tmp_path / "two")
    with pytest.raises(ImagesError, match="is taken by"):
        register_source("cifar10", other, name, data)


def test_registering_another_data_set_is_refused(tmp_path, make_parquet):
    data = tmp_path / "data"
    with pytest.raises(ImagesError, match="all 100 classes"):
        register_source("cifar100", make_parquet("cifar10", tmp_path / "ten"), data_dir=data)
    with pytest.raises(ImagesError, match="holds no CIFAR-10"):
        register_source("cifar10", tmp_path, data_dir=data)
    assert not (data / "images" / "registered.json").exists()


def test_a_missing_path_is_listed_with_its_problem(tmp_path, make_parquet):
    data, place = tmp_path / "data", make_parquet("cifar10", tmp_path / "mine")
    register_source("cifar10", place, data_dir=data)
    shutil.rmtree(place)
    gone, synthetic = list_sources("cifar10", data)
    assert "no longer at" in gone.problem and synthetic.problem is None
    with pytest.raises(ImagesError, match="there are no images of CIFAR-10"):
        load_images("cifar10", data_dir=data)
    with pytest.raises(ImagesError, match="no longer at"):
        load_images("cifar10", source="mine", data_dir=data)


def test_an_unknown_source_lists_the_known(tmp_path):
    with pytest.raises(ImagesError, match="expected one of synthetic, or a path that exists"):
        load_images("cifar10", source="nonsense", data_dir=tmp_path)


def test_the_fingerprint_follows_the_content(tmp_path, make_pickles):
    place = make_pickles("cifar10", tmp_path / "a")
    copy = shutil.copytree(place, tmp_path / "b")
    first = source_fingerprint("cifar10", place, tmp_path)
    assert len(first) == 64 and source_fingerprint("cifar10", copy, tmp_path) == first
    with (copy / "data_batch_1").open("ab") as file:
        file.write(b"more")
    assert source_fingerprint("cifar10", copy, tmp_path) != first


def test_synthetic_fingerprints_differ_between_data_sets(tmp_path):
    prints = {source_fingerprint(name, SYNTHETIC, tmp_path) for name in DATASETS.names()}
    assert len(prints) == len(DATASETS)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_without_a_network_connection_every_choice_is_named(dataset, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests, "get", refuse)
    with pytest.raises(ImagesError) as caught:
        download(dataset, tmp_path)
    for part in ("no route", "images register", "images download", "'synthetic'"):
        assert part in " ".join([str(caught.value), *caught.value.__notes__])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_wrong_checksum_leaves_nothing(tmp_path, monkeypatch):
    class Answer:
        def __init__(self):
            self.headers = {}

        def raise_for_status(self):
            pass

        def iter_content(self, chunk_size):
            yield b"something else"

        def close(self):
            pass

    monkeypatch.setattr(requests, "get", lambda *args, **kwargs: Answer())
    with pytest.raises(ImagesError, match="could not be downloaded"):
        download("cifar10", tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_imagenet_cannot_be_downloaded(tmp_path):
    with pytest.raises(ImagesError, match=r"image-net.org.*train_data_batch_1"):
        download("ImageNet16-120", tmp_path)


@pytest.mark.parametrize("name", ["loop", "~nobody-of-this-name/images", "a\0b"])
def test_a_path_that_leads_nowhere_is_refused(name, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ImagesError, match="holds no CIFAR-10"):
        register_source("cifar10", tmp_path / name if name == "loop" else name, data_dir=tmp_path)
