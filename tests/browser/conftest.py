"""The app in Chromium, on real images where they are available.

Fixtures of the package are closed before other tests, which could not run event loops meanwhile.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    BrowserContext,
    Page,
    Playwright,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from fewshot_core.images import register_source

ROOT = Path(__file__).resolve().parents[2]
CIFAR10 = ROOT.parent / "shared" / "data" / "cifar10"
SCREENSHOTS = ROOT / "artefacts" / "screenshots"
START_SECONDS = 60

CHROMIUM = shutil.which("chromium")
WINDOW: ViewportSize = {"width": 1500, "height": 1500}

FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # Nothing that a page requests from another host can be answered.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# Every address in a page that a browser may load: icons, scripts, styles, images.
ADDRESSES = "[...document.querySelectorAll('link[href], [src]')].map(e => e.href || e.src)"

# For a machine that is busy with other tests.
expect.set_options(timeout=60_000)

Visit = Callable[..., Page]


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        reason = "needs Chromium: `make browser` installs it from Debian's packages"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def context(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """A browser with a profile, so that the app's scripts are loaded and compiled once."""
    opened = playwright.chromium.launch_persistent_context(
        tmp_path_factory.mktemp("profile"), executable_path=CHROMIUM, args=FLAGS, viewport=WINDOW
    )
    yield opened
    opened.close()


@pytest.fixture
def private(playwright: Playwright) -> Iterator[BrowserContext]:
    """A browser that shares nothing with the other one."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser.new_context(viewport=WINDOW)
    browser.close()


@pytest.fixture(scope="package")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new data folder, with CIFAR-10 where it is available."""
    folder = tmp_path_factory.mktemp("browser") / "data"
    if CIFAR10.is_dir():
        register_source("cifar10", CIFAR10, data_dir=folder)
    return folder


@pytest.fixture(scope="package")
def address(data_folder: Path) -> Iterator[str]:
    """The address of the app, started with its own command."""
    with served(data_folder) as address:
        yield address


@pytest.fixture(scope="session")
def serve() -> Callable[[Path], AbstractContextManager[str]]:
    return served


@contextmanager
def served(data_folder: Path) -> Iterator[str]:
    """Serve the app on a data folder."""
    port = _free_port()
    command = [sys.executable, "-m", "fewshot_core", "app", "--port", str(port)]
    app = subprocess.Popen(
        [*command, "--data-dir", str(data_folder)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_served(address, app)
        yield address
    finally:
        os.killpg(app.pid, 15)
        app.wait(timeout=20)


def is_foreign(url: str) -> bool:
    """Tell whether an address is of another host than this machine."""
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1"


@pytest.fixture
def visit(context: BrowserContext, address: str) -> Iterator[Visit]:
    """Open a page of the app.

    An uncaught error in a page fails the test, and so does every address or request of another
    host. Requests are those of the whole context, which has the page icon among them. (The icon
    used to come from another host unnoticed because the check was defined here but not connected
    to any event.)
    """
    problems: list[str] = []
    addresses: list[str] = []

    def note_request(request: Request) -> None:
        addresses.append(request.url)

    def note(error: str) -> None:
        # Plotly rejects a promise, without a reason, for an animation that is paused.
        if error != "undefined":
            problems.append(error)

    def visit(path: str, theme: Literal["light", "dark"] = "light") -> Page:
        page = context.new_page()
        page.emulate_media(color_scheme=theme)
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: note(str(error)))
        page.goto(path if "://" in path else address + path)
        page.get_by_role("heading", level=1).first.wait_for()
        return page

    context.on("request", note_request)
    yield visit
    for page in context.pages:
        addresses.extend(page.evaluate(ADDRESSES))
        page.close()
    context.remove_listener("request", note_request)
    assert not problems
    assert [address for address in addresses if is_foreign(address)] == []


@pytest.fixture
def screenshot() -> Callable[[Page, str], None]:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def screenshot(page: Page, name: str) -> None:
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    return screenshot


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_served(address: str, app: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert app.poll() is None, "the app ended before it served a page"
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the app did not serve a page within {START_SECONDS} s")
