"""What stands in a URL is a choice among what there is, or nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.runs import list_runs

Open = Callable[..., AppTest]

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["app.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]
NAMES = ("dataset", "accuracy", "table", "split", "top", "metric", "plan", "seed", "run", "images")
HOSTILE = ("../../../../etc/passwd", "<script>alert(1)</script>'; DROP TABLE runs; --")


@pytest.mark.parametrize("script", SCRIPTS)
def test_hostile_names_in_a_url_change_nothing(script: str, split_data: Path, open_page: Open):
    before = {path: path.read_bytes() for path in split_data.glob("runs/*/*.json")}
    for text in HOSTILE:
        page = open_page(script, **dict.fromkeys(NAMES, text))
        said = [element.value for kind in ("markdown", "html") for element in page.get(kind)]
        assert not any("<script>" in str(value) for value in said)
    assert {path: path.read_bytes() for path in split_data.glob("runs/*/*.json")} == before
    assert len(list_runs(split_data)) == 2
