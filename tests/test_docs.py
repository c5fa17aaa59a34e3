"""The documentation: its examples run, and its links lead somewhere."""

import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md")])
EXAMPLES = [
    (page, number, code)
    for page in (ROOT / "README.md", ROOT / "docs" / "notebook.md")
    for number, code in enumerate(
        re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL), 1
    )
]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize(
    ("page", "code"),
    [(page, code) for page, _, code in EXAMPLES],
    ids=[f"{page.stem}-{number}" for page, number, _ in EXAMPLES],
)
def test_examples_run(page, code, monkeypatch, tmp_path, capsys):
    shown = []
    monkeypatch.setattr(go.Figure, "show", lambda figure: shown.append(figure))
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path))
    exec(compile(code, str(page), "exec"), {"__name__": "example"})
    assert shown or capsys.readouterr().out


def test_there_are_examples():
    assert {page.stem for page, _, _ in EXAMPLES} == {"README", "notebook"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_what_is_there(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [
        target for target in targets if "://" not in target and not target.startswith("mailto")
    ]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert missing == []


def test_every_page_is_reached_from_the_readme():
    found = {(ROOT / target).resolve() for target in LINK.findall((ROOT / "README.md").read_text())}
    assert {page.resolve() for page in ROOT.glob("docs/*.md")} <= found
