"""Devices to compute on, and the threads of a process."""

import subprocess

import pytest

from fewshot_core.runs import available_devices, jobs
from fewshot_core.runs.jobs import COMPUTING_ENVIRONMENT, choose_device, computing_environment


@pytest.fixture(autouse=True)
def _ask_again():
    available_devices.cache_clear()
    yield
    available_devices.cache_clear()


@pytest.fixture
def pytorch_devices(monkeypatch):
    """Replace PyTorch's list of devices, on a machine with a driver."""

    def make(text, status=0):
        monkeypatch.setattr(jobs, "_may_have_accelerator", lambda: True)
        monkeypatch.setattr(jobs, "_LIST_DEVICES", f"print({text!r}); raise SystemExit({status})")

    return make


def test_without_a_driver_pytorch_is_not_queried(monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("PyTorch was queried")

    monkeypatch.setattr(jobs, "_may_have_accelerator", lambda: False)
    monkeypatch.setattr(jobs.subprocess, "run", fail)
    assert available_devices() == ("cpu",)
    assert choose_device("auto") == "cpu"


@pytest.mark.parametrize(("system", "found"), [("Darwin", True), ("Linux", False)])
def test_drivers_are_detected(monkeypatch, tmp_path, system, found):
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr(jobs, "_DRIVERS", (str(tmp_path / "nvidiactl"),))
    assert jobs._may_have_accelerator() is found
    (tmp_path / "nvidiactl").touch()
    assert jobs._may_have_accelerator()


def test_with_a_driver_the_fastest_device_is_first(pytorch_devices):
    pytorch_devices('["cuda"]')
    assert available_devices() == ("cuda", "cpu")
    assert choose_device("auto") == "cuda"
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize(("text", "status"), [("[]", 0), ("no JSON", 0), ('["cuda"]', 1)])
def test_where_pytorch_fails_there_is_only_the_cpu(pytorch_devices, text, status):
    pytorch_devices(text, status)
    assert available_devices() == ("cpu",)


def test_where_pytorch_hangs_there_is_only_the_cpu(pytorch_devices, monkeypatch):
    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    pytorch_devices("[]")
    monkeypatch.setattr(jobs.subprocess, "run", hang)
    assert available_devices() == ("cpu",)


def test_a_device_that_is_named_is_taken_as_it_is(pytorch_devices):
    pytorch_devices("[]")
    assert choose_device("mps") == "mps"


def test_what_the_environment_sets_is_respected():
    assert computing_environment({"A": "b"}) == {"A": "b"} | COMPUTING_ENVIRONMENT
    given = {"GOMP_SPINCOUNT": "7", "MALLOC_ARENA_MAX": "2"}
    assert computing_environment(given) == given
    given = {"OMP_WAIT_POLICY": "ACTIVE", "MALLOC_ARENA_MAX": "2"}
    assert computing_environment(given) == given
