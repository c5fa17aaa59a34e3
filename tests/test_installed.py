"""The built wheel works in an environment and a folder that hold nothing else of the project."""

import os
import site
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
import venv
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from fewshot_core import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
START_SECONDS = 120


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """Folder of the commands of a new environment with the wheel, which sees our packages."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*wheel, str(ROOT)], check=True, cwd=folder)
    [built] = folder.glob(f"fewshot_workbench-{__version__}-*.whl")
    venv.create(folder / "venv", symlinks=True)
    scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = ["--python", str(scripts / "python"), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, *install, str(built)], check=True, cwd=folder)
    [packages] = (folder / "venv").glob("**/site-packages")
    app = packages / "fewshot_core" / "workbench"
    assert (app / "docs" / "concepts.md").is_file() and (app / "CITATION.cff").is_file()
    (packages / "packages_of_the_tests.pth").write_text("\n".join(site.getsitepackages()))
    return scripts


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Environment variables of a user who has set none of ours, with a new home."""
    ours = ("FEWSHOT_", "STREAMLIT_", "PYTHON", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    home = str(tmp_path_factory.mktemp("home"))
    return kept | {"HOME": home, "USERPROFILE": home}


@pytest.fixture
def empty(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_doctor_finds_no_problem_and_uses_the_data_directory_of_the_user(
    scripts, environment, empty
):
    done = subprocess.run(
        [scripts / "fewshot", "doctor"],
        cwd=empty,
        env=environment | {"COLUMNS": "500"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    home = Path(environment["HOME"])
    assert str(home) in done.stdout
    assert [path.name for path in home.glob("**/fewshot-workbench/tables")] == ["tables"]
    assert list(empty.iterdir()) == []


def test_the_app_opens_on_the_demonstration_results(scripts, environment, empty):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = empty.parent / "log.txt"
    with log.open("w") as file:
        app = subprocess.Popen(
            [scripts / "fewshot-workbench", "app", "--port", str(port)],
            cwd=empty,
            env=environment,
            stdout=file,
            stderr=file,
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health", app, log)
        messages = run_page(f"ws://127.0.0.1:{port}/_stcore/stream")
    finally:
        app.terminate()
        app.wait(timeout=20)
    session = messages[0].new_session
    assert Path(session.main_script_path).is_relative_to(scripts.parent)
    assert not session.config.gather_usage_stats
    assert session.config.toolbar_mode == session.config.ToolbarMode.MINIMAL
    assert session.config.hide_sidebar_nav
    assert session.custom_theme.base_font_size == 15
    elements = [message.delta.new_element for message in messages]
    assert [item.exception.message for item in elements if item.HasField("exception")] == []
    assert any("demo" in item.markdown.body for item in elements)
    assert any(item.HasField("plotly_chart") for item in elements)
    links = [item.page_link.page for item in elements if item.HasField("page_link")]
    assert {"Split", "Distributions", "Compare"} <= set(links)
    assert list(empty.iterdir()) == []
    assert "127.0.0.1" in log.read_text() and "Traceback" not in log.read_text()


def wait_until_healthy(address, app, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert app.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"no answer within {START_SECONDS} s: {log.read_text()}")


def run_page(address):
    """Open the first page as a browser does; return the messages it gets until the page is done."""
    messages = []
    with connect(address, subprotocols=["streamlit"], max_size=None) as socket:
        request = BackMsg()
        request.rerun_script.query_string = ""
        socket.send(request.SerializeToString())
        while True:
            message = ForwardMsg.FromString(socket.recv(timeout=START_SECONDS))
            messages.append(message)
            if message.WhichOneof("type") == "script_finished":
                return [item for item in messages if item.WhichOneof("type") != "session_event"]


def test_the_tested_requirements_lie_in_the_ranges_of_the_package():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    tested = [Requirement(line) for line in lines if line and not line.startswith("#")]
    ranges = {item.name: item for item in map(Requirement, PROJECT["dependencies"])}
    assert {item.name for item in tested} == set(ranges)
    for item in tested:
        installed = version(item.name)
        assert installed in item.specifier and installed in ranges[item.name].specifier
