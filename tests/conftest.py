"""Settings of the tests. Those of PyTorch are set before it is loaded."""

import gc
import os
import tarfile
import time
from functools import lru_cache
from pathlib import Path

import forks
import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# Waiting threads sleep, as in the processes of runs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tests see only what they make; those of the demonstration results name their folder.
os.environ.setdefault("FEWSHOT_DEMO_DIR", "")

# A busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


IN_BROWSER = "tests/browser/"
WAIT_SECONDS = 180


class _Scheduling(LoadFileScheduling):
    """Give a file to one worker, and to one all that share the app and the browser."""

    def _split_scope(self, nodeid):
        return IN_BROWSER if nodeid.startswith(IN_BROWSER) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config, log):
    return _Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Begin with the browser, which takes longest; the other worker runs the rest meanwhile."""
    items.sort(key=lambda item: IN_BROWSER not in item.nodeid)


def pytest_collection_finish():
    """Look for garbage seldom, and not in all that was imported."""
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.fixture(scope="session", autouse=True)
def _forks():
    forks.use()


@pytest.fixture(scope="session", autouse=True)
def _packaged_table():
    """Read the packaged table from its files once, not for each new data folder."""
    from fewshot_core.bench import storage

    read = lru_cache(maxsize=1)(lambda files, read=storage.read_packaged: read())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            storage, "read_packaged", lambda: read(tuple(storage.packaged_files().items()))
        )
        yield


@pytest.fixture(scope="session")
def wait_for():
    """Wait for a run to end, and return its folder."""

    def wait(folder):
        deadline = time.monotonic() + WAIT_SECONDS
        while folder.status().state.active:
            assert time.monotonic() < deadline, folder.log_tail()
            time.sleep(0.1)
        return folder

    return wait


@pytest.fixture(scope="session")
def write_search_configs():
    """Write the search configurations of a split into a new folder."""
    from fewshot_core.splitting.search_configs import search_configs

    def write(folder, split):
        folder.mkdir(parents=True)
        files = search_configs(split)
        for name, text in files.items():
            (folder / name).write_text(text)
        return [folder / name for name in files]

    return write


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that version 0.1 has written, as the one of pages and commands."""
    with tarfile.open(Path(__file__).parent / "store" / "version_0.1.tar.gz") as archive:
        archive.extractall(tmp_path / "data", filter="data")
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"
