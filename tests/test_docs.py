"""The documentation: examples run, links and modules exist, terms have one explanation."""

import ast
import importlib
import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

from fewshot_core.dashboard.shared.glossary import GLOSSARY

ROOT = Path(__file__).resolve().parents[1]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
EXAMPLES = [
    (page, number, code)
    for page in (ROOT / "README.md", ROOT / "docs" / "notebook.md", ROOT / "docs" / "analysis.md")
    for number, code in enumerate(
        re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL), 1
    )
]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
FILE = re.compile(r"\b(?:fewshot_core|pages|benchmarks|tests)/[\w./-]*\w/?")
MODULE = re.compile(r"\bfewshot_core(?:\.\w+)+")


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
    assert {page.stem for page, _, _ in EXAMPLES} == {"README", "notebook", "analysis"}


each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def local_links(page):
    """List the file and the heading, either possibly empty, of the links inside the project."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    return [link for link in links if "://" not in link[0] and not link[0].startswith("mailto")]


def headings(page):
    """List the anchors of a page's headings, formed as GitHub forms them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in found}


@each_page
def test_linked_files_and_headings_exist(page):
    missing = [
        (target, heading)
        for target, heading in local_links(page)
        if not (page.parent / target).exists()
        or (heading and heading not in headings(page.parent / target if target else page))
    ]
    assert missing == []


def test_every_page_is_linked_from_the_readme():
    found = {(ROOT / target).resolve() for target, _ in local_links(ROOT / "README.md")}
    assert {page.resolve() for page in PAGES} <= found | {ROOT / "README.md"}


@each_page
def test_files_and_modules_named_in_the_text_exist(page):
    text = page.read_text(encoding="utf-8")
    files = [name for name in FILE.findall(text) if not re.search(r"/N_Name|/NAME", name)]
    missing = [name for name in files if not (ROOT / name).exists()]
    assert missing == []
    for name in MODULE.findall(text):
        assert is_importable(name), f"{page.name} names {name}"


def is_importable(name):
    """Whether a dotted name is a module, or an attribute of one."""
    module, _, attribute = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return hasattr(importlib.import_module(module), attribute)
    return True


def test_the_glossary_is_that_of_the_app():
    text = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8").split("## Glossary")[1]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", text, flags=re.MULTILINE)
    assert dict(rows) == {"term": "meaning", "---": "---", **GLOSSARY}


def section(page, heading):
    """The text of a page under a heading."""
    return page.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]


def imported_parts(file):
    """Yield the folders and modules directly in ``fewshot_core`` that a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fewshot_core."):
            yield node.module.split(".")[1]


def test_folders_import_only_from_those_above_them_in_the_map():
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", section(CONTRIBUTING, "The map"), flags=re.M)
    core = ROOT / "fewshot_core"
    folders = {file.parent.name for file in core.glob("*/__init__.py")}
    assert set(rows) == folders | {"store"}
    below = [
        f"{file.relative_to(ROOT)} imports {part}"
        for number, name in enumerate(rows)
        for file in [core / f"{name}.py", *(core / name).rglob("*.py")]
        if file.exists()
        for part in imported_parts(file)
        if part in rows[number + 1 :]
    ]
    assert below == []


@pytest.mark.parametrize(
    "heading",
    [
        "From the Split page to the score of a metric",
        "From the run folder of a search to the Halving figure",
    ],
)
def test_a_walk_takes_at_most_eight_files(heading):
    steps = re.findall(r"^\d+\. `[\w/.]+`", section(CONTRIBUTING, heading), flags=re.MULTILINE)
    assert 1 < len(steps) <= 8
