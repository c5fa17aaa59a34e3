"""The About page: figures, terms, citation and documentation, all from this machine."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from streamlit.testing.v1 import AppTest

from fewshot_core.dashboard.shared.glossary import GLOSSARY

Open = Callable[..., AppTest]
SCRIPT = "pages/10_About.py"
ROOT = Path(__file__).resolve().parents[2]


def said(page: AppTest) -> str:
    return "\n".join(text.value for text in page.main.markdown)


def test_it_explains_the_workbench_and_its_figures_and_terms(empty_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert "@inproceedings{few-shot-nas" in page.code[0].value
    assert "Ly-Manson, Timotée and Léonardon, Mathieu" in page.code[0].value
    page = open_page(SCRIPT, part="How to read the figures")
    assert "exports it for a paper" in said(page)
    page = open_page(SCRIPT, part="Terms")
    assert all(f"**{term}**: {text}" in said(page) for term, text in GLOSSARY.items())


def test_links_of_the_documentation_stay_in_the_app(empty_data: Path, open_page: Open):
    page = open_page(SCRIPT, part="Documentation")
    assert page.main.header[0].value == "Concepts"
    options = page.selectbox(key="doc").options
    assert len(options) == len(list(ROOT.glob("docs/*.md")))
    for name in ("Concepts", "Sources and licences", "Grids and clusters"):
        page = open_page(SCRIPT, part="Documentation", doc=name)
        assert page.main.header[0].value == name
        links = re.findall(r"\]\(([^)]*)\)", said(page))
        inside = [parse_qs(link[1:])["doc"][0] for link in links if link.startswith("?")]
        assert set(inside) <= set(options)
        assert all(re.match(r"\?|https://|#", link) for link in links)
        if name == "Concepts":
            assert "Informativeness of a split" in inside
