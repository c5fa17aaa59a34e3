import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from whole_splits import load_images

from fewshot_core import limits
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import ImagesError
from fewshot_core.images import load_batch


class Attack:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("dataset", DATASETS.names())
def test_official_pickles_are_read(dataset, tmp_path, make_pickles):
    make_pickles(dataset, tmp_path)
    info = DATASETS.get(dataset)
    for split in ("train", "test"):
        arrays = load_images(dataset, split, source=tmp_path, data_dir=tmp_path / "data")
        assert arrays.pixels.shape[1:] == (3, info.image_size, info.image_size)
        assert arrays.pixels.dtype == np.uint8 and arrays.labels.dtype == np.int64
        assert set(arrays.labels) == set(range(info.classes))
        assert arrays.provenance.split == split


def test_the_keys_of_python_2_are_read(tmp_path, make_pickles):
    place = make_pickles("cifar10", tmp_path)
    plain = load_images("cifar10", source=place, data_dir=tmp_path / "data")
    for path in place.iterdir():
        content = {key.decode(): value for key, value in pickle.loads(path.read_bytes()).items()}
        written = pickle.dumps(content, protocol=2)
        for key in (b"data", b"labels"):
            short = bytes([len(key)])
            written = written.replace(b"X" + short + b"\0\0\0" + key, b"U" + short + key)
        path.write_bytes(written)
    old = load_images("cifar10", source=place, data_dir=tmp_path / "data")
    np.testing.assert_array_equal(old.pixels, plain.pixels)


def test_a_pickle_with_other_keys_is_refused(tmp_path, make_pickles):
    place = make_pickles("cifar10", tmp_path)
    (place / "test_batch").write_bytes(pickle.dumps({b"data": [], b"fine_labels": []}))
    with pytest.raises(ImagesError, match=r"test_batch: expected the keys 'data' and 'labels'"):
        load_images("cifar10", "test", source=place, data_dir=tmp_path / "data")


def test_pixels_keep_their_order(tmp_path, make_pickles):
    place = make_pickles("cifar10", tmp_path)
    first = pickle.loads((place / "data_batch_1").read_bytes())[b"data"][0]
    pixels = load_images("cifar10", source=place, data_dir=tmp_path / "data").pixels
    np.testing.assert_array_equal(pixels[0].ravel(), first)


def test_imagenet_leaves_other_classes_out(tmp_path, make_pickles):
    make_pickles("ImageNet16-120", tmp_path)
    arrays = load_images("ImageNet16-120", source=tmp_path, data_dir=tmp_path / "data")
    assert len(arrays.labels) == 10 * 120
    assert arrays.labels[0] == 0


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_an_archive_reads_like_its_folder(dataset, tmp_path, make_pickles):
    place = make_pickles(dataset, tmp_path / "plain")
    archive = tmp_path / "packed.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(place, place.name)
    packed = load_images(dataset, source=archive, data_dir=tmp_path / "data")
    plain = load_images(dataset, source=place, data_dir=tmp_path / "data")
    np.testing.assert_array_equal(packed.pixels, plain.pixels)
    np.testing.assert_array_equal(packed.labels, plain.labels)


def test_a_truncated_archive_is_named(tmp_path, make_pickles):
    place = make_pickles("cifar10", tmp_path / "plain")
    archive = tmp_path / "packed.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(place, place.name)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImagesError, match=r"packed\.tar\.gz cannot be read"):
        load_images("cifar10", source=archive, data_dir=tmp_path / "data")


def test_another_archive_is_refused(tmp_path, make_pickles):
    place = make_pickles("cifar100", tmp_path / "plain")
    archive = tmp_path / "packed.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(place, place.name)
    with pytest.raises(
        ImagesError, match="expected the file cifar-10-batches-py/data_batch_1 in it"
    ):
        load_images("cifar10", source=archive, data_dir=tmp_path / "data")
    with pytest.raises(ImagesError, match="holds no CIFAR-10"):
        load_images("cifar10", source=place, data_dir=tmp_path / "data")


def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, make_pickles):
    place = make_pickles("cifar10", tmp_path)
    trace = tmp_path / "trace"
    (place / "data_batch_3").write_bytes(pickle.dumps({b"data": Attack(trace), b"labels": []}))
    with pytest.raises(ImagesError, match=r"data_batch_3 asks for posix\.mkdir"):
        load_images("cifar10", source=place, data_dir=tmp_path / "data")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a pickle", "data_batch_2 is not a whole pickle"),
        (pickle.dumps([1, 2]), "expected a dictionary, got a list"),
        (pickle.dumps({b"data": np.zeros((2, 5), np.uint8), b"labels": [0, 1]}), "3072 bytes"),
        (
            pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}),
            "expected labels from 0 to 9 for CIFAR-10",
        ),
    ],
)
def test_damaged_batches_are_named(content, message, tmp_path, make_pickles):
    place = make_pickles("cifar10", tmp_path)
    (place / "data_batch_2").write_bytes(content)
    with pytest.raises(ImagesError, match=message):
        load_images("cifar10", source=place, data_dir=tmp_path / "data")


def test_a_missing_batch_is_named(tmp_path, make_pickles):
    place = make_pickles("cifar10", tmp_path)
    (place / "data_batch_4").unlink()
    with pytest.raises(ImagesError, match="data_batch_4 is missing"):
        load_images("cifar10", source=place, data_dir=tmp_path / "data")


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize(
    ("dataset", "image", "label"),
    [("cifar10", "img", "label"), ("cifar100", "image", "fine_label")],
)
def test_parquet_is_read(dataset, image, label, shards, tmp_path, make_parquet):
    make_parquet(dataset, tmp_path, image, label, shards)
    arrays = load_images(dataset, source=tmp_path, data_dir=tmp_path / "data")
    classes = DATASETS.get(dataset).classes
    np.testing.assert_array_equal(arrays.labels, np.arange(2 * classes) % classes)
    expected = np.random.default_rng(5).integers(0, 256, arrays.pixels.shape, dtype=np.uint8)
    np.testing.assert_array_equal(arrays.pixels, expected)


def test_parquet_of_another_data_set_is_refused(tmp_path, make_parquet):
    make_parquet("cifar100", tmp_path / "fine", "img", "fine_label")
    with pytest.raises(ImagesError, match="expected a column label"):
        load_images("cifar10", source=tmp_path / "fine", data_dir=tmp_path / "data")
    make_parquet("cifar100", tmp_path / "plain")
    with pytest.raises(ImagesError, match="expected labels from 0 to 9"):
        load_images("cifar10", source=tmp_path / "plain", data_dir=tmp_path / "data")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"img": [b"x"], "label": [0]}, "expected encoded images"),
        ({"img": [{"bytes": b"x"}], "label": ["cat"]}, "expected encoded images"),
        (
            {"img": [{"bytes": b"x"}] * 2, "label": pa.array([0, None], pa.int64())},
            "expected a label for every image",
        ),
        ({"img": [{"bytes": b"x"}], "label": [0]}, "image 0 cannot be decoded"),
        (
            {
                "img": pa.array([], pa.struct([("bytes", pa.binary())])),
                "label": pa.array([], pa.int64()),
            },
            "found none",
        ),
    ],
)
def test_damaged_parquet_is_refused(columns, message, tmp_path):
    pq.write_table(pa.table(columns), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(ImagesError, match=message):
        load_images("cifar10", source=tmp_path, data_dir=tmp_path / "data")


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(b"nothing")
    with pytest.raises(ImagesError, match=r"train-00000-of-00001.parquet cannot be read"):
        load_images("cifar10", source=tmp_path, data_dir=tmp_path / "data")


def test_images_of_another_size_are_refused(tmp_path, make_parquet):
    make_parquet("ImageNet16-120", tmp_path)
    for path in tmp_path.glob("*.parquet"):
        table = pq.read_table(path)
        labels = pa.array(np.arange(len(table)) % 10)
        pq.write_table(table.set_column(1, "label", labels), path)
    with pytest.raises(ImagesError, match="expected 32x32 pixels, got 16x16"):
        load_images("cifar10", source=tmp_path, data_dir=tmp_path / "data")


def test_a_batch_decodes_only_its_own_images(tmp_path, make_parquet):
    make_parquet("cifar10", tmp_path)
    path = tmp_path / "train-00000-of-00001.parquet"
    chosen = set(np.random.default_rng(0).choice(20, 4, replace=False).tolist())
    rows = pq.read_table(path).to_pylist()
    for number, row in enumerate(rows):
        if number not in chosen:
            row["img"]["bytes"] = b"damaged"
    pq.write_table(pa.Table.from_pylist(rows), path)
    batch = load_batch("cifar10", 4, source=tmp_path, data_dir=tmp_path / "data")
    assert batch.images.shape == (4, 3, 32, 32)


def test_parquet_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    zeros = [{"bytes": bytes(100_000), "path": None}] * 20
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"img": pa.array(zeros, kind), "label": [0] * 20})
    path = tmp_path / "train-00000-of-00001.parquet"
    pq.write_table(table, path, compression="gzip", use_dictionary=False)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(limits, "IMAGES_BYTES", 1_000_000)
    with pytest.raises(ImagesError, match="holds 2 MB, expected at most 1 MB"):
        load_images("cifar10", source=tmp_path, data_dir=tmp_path / "data")
