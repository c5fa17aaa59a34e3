"""The app's pages without a browser, on a small data folder with two finished splits."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from fewshot_core.dashboard.shared import page as page_frame
from fewshot_core.runs import Network, RunFolder, SplitRequest, start
from fewshot_core.store import Store

ROOT = Path(__file__).resolve().parents[2]

Open = Callable[..., AppTest]

PARAMS = SplitRequest("cifar10", "params", network=Network(2, 1))
GRADNORM = SplitRequest(
    "cifar10", "gradnorm", images="synthetic", batch_size=4, network=Network(2, 1)
)


@pytest.fixture(scope="session", autouse=True)
def _scanned_components() -> Iterator[None]:
    """Read what is installed once for all pages; Streamlit would for each, for half a second."""
    with pytest.MonkeyPatch.context() as patch:
        scan = lru_cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


def _sync(folder: Path, demo: Path | None = None) -> Path:
    """Write the packaged table and the cache, which the first page would do."""
    with closing(Store(folder, demo=demo)) as store:
        store.sync()
    return folder


@pytest.fixture(scope="session")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder without runs, for copying."""
    return _sync(tmp_path_factory.mktemp("empty") / "data")


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, whose cache has the demonstration results."""
    return _sync(tmp_path_factory.mktemp("demo") / "data", ROOT / "data" / "demo")


@pytest.fixture(scope="session")
def split_folder(
    tmp_path_factory: pytest.TempPathFactory, wait_for: Callable[[RunFolder], RunFolder]
) -> Path:
    """A data folder with a split of each kind, for copying."""
    folder = tmp_path_factory.mktemp("pages") / "data"
    for request in (PARAMS, GRADNORM):
        wait_for(start(request, folder))
    return _sync(folder)


@pytest.fixture
def use_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Have pages show a copy of a data folder."""

    def use(folder: Path) -> Path:
        monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path / "data"))
        return shutil.copytree(folder, tmp_path / "data", dirs_exist_ok=True)

    return use


@pytest.fixture
def empty_data(use_copy: Callable[[Path], Path], empty_folder: Path) -> Path:
    return use_copy(empty_folder)


@pytest.fixture
def split_data(use_copy: Callable[[Path], Path], split_folder: Path) -> Path:
    return use_copy(split_folder)


@pytest.fixture
def new_machine(
    use_copy: Callable[[Path], Path], demo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A data folder without runs, beside the demonstration results."""
    monkeypatch.delenv("FEWSHOT_DEMO_DIR")
    return use_copy(demo_folder)


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
