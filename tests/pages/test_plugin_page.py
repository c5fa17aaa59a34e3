"""Runs by metrics and algorithms of other packages that are no longer installed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

Open = Callable[..., AppTest]

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["app.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]

GONE = {"params": "largest_weight", "snas": "likeliest"}
"""A metric and an algorithm of ours, and the plug-ins that pretend to have made their runs."""


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
