"""Metrics and algorithms of other packages: on the Split page, and no longer installed."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

Open = Callable[..., AppTest]

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["app.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]

GONE = {"params": "largest_weight", "snas": "likeliest"}
"""A metric and an algorithm of ours, and the plug-ins that pretend to have made their runs."""

OPEN_PAGE = """
import json
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("pages/1_Split.py", default_timeout=60)
page.query_params["new"] = "split"
page.run()
assert not page.exception, page.exception
page.selectbox(key="metric").set_value("largest_weight").run()
print(json.dumps({"options": page.selectbox(key="metric").options,
                  "texts": [caption.value for caption in page.caption],
                  "equation": page.latex[0].value}))
"""


def code_blocks() -> list[str]:
    """Return the code of the worked example, in its order."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    return re.findall(r"```(?:python|toml)\n(.*?)```", text, flags=re.DOTALL)


def install(folder: Path) -> None:
    """Install the worked example into a folder."""
    module, project = code_blocks()
    package = folder / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "largest_weight.py").write_text(module)
    info = folder / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    group, point = project.strip().splitlines()
    assert group == '[project.entry-points."fewshot.metrics"]'
    lines = ["[fewshot.metrics]", point.replace('"', ""), ""]
    (info / "entry_points.txt").write_text("\n".join(lines))


def run(folder: Path, data: Path, *command: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(folder), "FEWSHOT_DATA_DIR": str(data)}
    answer = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_worked_example_appears_on_the_split_page_and_splits(tmp_path: Path):
    install(tmp_path)
    data = tmp_path / "data"
    found = json.loads(run(tmp_path, data, "-c", OPEN_PAGE).splitlines()[-1])
    assert "largest weight" in found["options"]
    assert any("The largest weight that is left" in text for text in found["texts"])
    assert found["equation"].strip("$\n ") == r"f(m) = \max_i |w_i|"
    options = ["--metric", "largest_weight", "--channels", "2", "--cells", "1", "--json"]
    tree = json.loads(run(tmp_path, data, "-m", "fewshot_core", "split", *options))
    assert tree["metric"] == "largest_weight"
    assert len(tree["leaves"]) == 8


def pretend(runs: Path) -> None:
    """Rename the metric and the algorithm in all run folders, as if plug-ins had made them."""
    for path in [*runs.glob("*/*.json"), *runs.glob("*/*.jsonl")]:
        text = path.read_text(encoding="utf-8")
        for name, gone in GONE.items():
            for key in ("metric", "algorithm"):
                text = text.replace(f'"{key}": "{name}"', f'"{key}": "{gone}"')
                text = text.replace(f'"{key}":"{name}"', f'"{key}":"{gone}"')
        path.write_text(text, encoding="utf-8")
    for folder in sorted(runs.glob("*-*-*")):
        kind, name, *rest = folder.name.split("-")
        folder.rename(runs / "-".join([kind, GONE.get(name, name), *rest]))


@pytest.fixture
def runs_of_plugins(split_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Own and demonstration runs by plug-ins that are not installed."""
    demo = tmp_path / "demo"
    shutil.copytree(ROOT / "data" / "demo", demo)
    pretend(demo / "runs")
    pretend(split_data / "runs")
    monkeypatch.setenv("FEWSHOT_DEMO_DIR", str(demo))
    return split_data


def test_a_run_of_a_plugin_that_is_not_installed_breaks_no_page(
    runs_of_plugins: Path, open_page: Open
):
    [own] = (runs_of_plugins / "runs").glob("split-largest_weight-*")
    for script in SCRIPTS:
        page = open_page(script, split=own.name)
        assert not page.error, (script, page.error[0].value)
        unreadable = [text.value for text in page.warning if "largest_weight" in text.value]
        assert not unreadable, (script, unreadable)
        assert page.session_state["split"] == own.name
        page.sidebar.button(key="pick_split").click().run()
        table = next(frame.value for frame in page.dataframe if "differs in" in frame.value)
        shown = [label for label in table["metric"] if label.startswith("largest_weight")]
        assert shown and all("(not installed)" in label for label in shown), script
