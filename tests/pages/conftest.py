"""The app's pages without a browser, on a small data folder with two finished splits."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.bench import list_tables
from fewshot_core.dashboard.shared import page as page_frame
from fewshot_core.runs import Network, RunFolder, SplitRequest, start

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 180

Open = Callable[..., AppTest]

PARAMS = SplitRequest("cifar10", "params", network=Network(2, 1))
GRADNORM = SplitRequest(
    "cifar10", "gradnorm", images="synthetic", batch_size=4, network=Network(2, 1)
)


def _wait_for(folder: RunFolder) -> RunFolder:
    """Wait for a run to end."""
    deadline = time.monotonic() + WAIT_SECONDS
    while folder.status().state.active:
        assert time.monotonic() < deadline, folder.log_tail()
        time.sleep(0.1)
    return folder


@pytest.fixture
def wait_for() -> Callable[[RunFolder], RunFolder]:
    return _wait_for


@pytest.fixture(scope="session")
def split_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a split of each kind, for copying."""
    folder = tmp_path_factory.mktemp("pages") / "data"
    list_tables(folder)
    for request in (PARAMS, GRADNORM):
        _wait_for(start(request, folder))
    return folder


@pytest.fixture
def empty_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def split_data(split_folder: Path, empty_data: Path) -> Path:
    return shutil.copytree(split_folder, empty_data)


@pytest.fixture
def open_page() -> Open:
    """Run a page's script; a page that raised fails the test."""
    # What else is cached names its data folder or its table, so it stays for the next test.
    page_frame._open_store.clear()

    def open_page(script: str, **query: str) -> AppTest:
        page = AppTest.from_file(str(ROOT / script), default_timeout=60)
        for name, value in query.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception, page.exception
        return page

    return open_page
