"""The commands that pages show run as they are pasted, on the same data folder."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from fewshot_core.cli.app import build_app

Open = Callable[..., AppTest]
PAGES = ["app", "pages/1_Split", "pages/2_Distributions", "pages/3_Compare", "pages/6_Results"]


def commands(page: AppTest) -> list[str]:
    texts = [code.value for code in page.code if code.value.startswith("fewshot ")]
    return [line for text in texts for line in text.splitlines()]


@pytest.mark.parametrize("script", PAGES)
def test_commands_run_as_pasted(
    script: str,
    split_data: Path,
    open_page: Open,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    shown = list(dict.fromkeys(commands(open_page(f"{script}.py"))))
    assert shown and all(
        shlex.split(line)[-2:] == ["--data-dir", str(split_data)] for line in shown
    )
    monkeypatch.delenv("FEWSHOT_DATA_DIR")
    monkeypatch.chdir(tmp_path)
    before = sorted((split_data / "runs").iterdir())
    for line in shown:
        result = CliRunner().invoke(build_app(), shlex.split(line)[1:])
        assert result.exit_code == 0, (line, result.output, result.exception)
    assert sorted((split_data / "runs").iterdir()) == before
    if script in ("app", "pages/3_Compare"):
        assert "Information gain about the top 1%" in Path("information-gain.html").read_text()
