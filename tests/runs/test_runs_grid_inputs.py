"""What a worker of a grid computes with: the driver's files, or those that were sent to it."""

import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewshot_core.errors import CheckpointError
from fewshot_core.runs import SearchRequest, SplitRequest
from fewshot_core.runs.cluster.tasks import Sent, place_inputs, read_inputs
from fewshot_core.search import PRESETS
from fewshot_core.space import SubSpace


@pytest.fixture(autouse=True)
def workers_folder(tmp_path, monkeypatch):
    """The folder into which workers unpack what they are sent."""
    place = tmp_path / "worker"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"trained")
    return path


@pytest.fixture
def images(tmp_path):
    """A tiny CIFAR-10 in its official layout."""
    place = tmp_path / "given" / "cifar-10-batches-py"
    place.mkdir(parents=True)
    content = pickle.dumps({"data": np.zeros((10, 3072), np.uint8), "labels": list(range(10))})
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (place / name).write_bytes(content)
    return place


def search_request(images, weights):
    return SearchRequest(
        "cifar10",
        "snas",
        tuple(SubSpace.full().rows),
        PRESETS.get("smoke").search,
        images=str(images),
        checkpoint=str(weights),
    )


def with_weights(request: SplitRequest, path: Path) -> SplitRequest:
    return replace(request, network=replace(request.network, checkpoint=str(path)))


def test_a_worker_that_sees_the_same_files_is_sent_nothing(params, weights, tmp_path):
    request = with_weights(params, weights)
    fingerprints = request.fingerprints(tmp_path)
    assert place_inputs(request, fingerprints, tmp_path, None) == (request, tmp_path)


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"others")])
def test_weights_that_are_missing_or_others_are_asked_for(params, weights, tmp_path, change):
    request = with_weights(params, weights)
    fingerprints, sent = request.fingerprints(tmp_path), read_inputs(request, tmp_path)
    assert sent == Sent({}, "", b"trained")
    change(weights)
    assert place_inputs(request, fingerprints, tmp_path, None) is None
    placed, folder = place_inputs(request, fingerprints, tmp_path, sent)
    assert folder is None and placed != request
    assert Path(placed.network.checkpoint).read_bytes() == b"trained"
    assert placed.run_id(placed.fingerprints(tmp_path)) == request.run_id(fingerprints)


def test_a_search_finds_the_images_and_weights_that_were_sent(
    images, weights, tmp_path, workers_folder
):
    request = search_request(images, weights)
    fingerprints, sent = request.fingerprints(tmp_path), read_inputs(request, tmp_path)
    weights.unlink()
    images.rename(tmp_path / "moved")
    placed, folder = place_inputs(request, fingerprints, tmp_path, sent)
    assert folder is None and workers_folder in Path(placed.images).parents
    assert placed.fingerprints(tmp_path) == fingerprints
    again, _ = place_inputs(request, fingerprints, tmp_path, sent)
    assert again == placed and len(list(workers_folder.iterdir())) == 1


def test_missing_weights_are_said_before_anything_is_sent(images, weights, tmp_path):
    request = search_request(images, weights)
    weights.unlink()
    with pytest.raises(CheckpointError, match="found none at"):
        read_inputs(request, tmp_path)
