"""The About page: what the workbench is, how to read its figures, its terms and documentation."""

import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st
import yaml

from fewshot_core import __version__
from fewshot_core.dashboard.shared.controls import choose_from, choose_one
from fewshot_core.dashboard.shared.glossary import GLOSSARY, explain
from fewshot_core.dashboard.shared.sidebar import open_page
from fewshot_core.data_folder import app_folder

_PURPOSE = """
A workbench for few-shot neural architecture search. It splits the supernet of NAS-Bench-201, or
of another search space, into sub-supernets with any metric, measures how informative the split is
about where the best architectures are, searches in each of them, and replays which one would be
selected, and what that costs.

Start with *Split*: a split by `#params` takes seconds. A page with nothing to show yet says what
to do.
"""
_FIGURES = """
* **Sub-spaces** are called S1, S2, ... in the order of the tree, and keep their colours on all
  pages. *Grey* is the whole search space.
* **Information gain**: a dot is a split. The grey hill is what *random trees* gain, and
  *chance* is the middle 95% of them; the dashed line is the *best tree*. The figure says why a dot
  is hollow; a diamond is a demonstration result.
* **Distributions**: the area of a sub-space is drawn before that of the whole space; the diamond
  is its best architecture. Of fewer than twenty architectures, each is a tick.
* **Tree**: letters are operations: *n* none, *s* skip connection, *1x1* and *3x3* convolution,
  *p* pooling. Amber branches with a question mark are ties: the choice was arbitrary.
* **Curves** are over the epochs of a search. A curve that ends in a cross was discarded, the one
  in a ring was selected.
* **Badges** say what a number rests on: *smoke test* only shows that everything works, *reduced
  scale* is smaller than the paper's, *synthetic* images say nothing about the real data set, *one
  seed* has no spread.
* Below a figure, *i* names the source of its numbers and a command that repeats it; the icon in
  its lower right corner exports it for a paper.
"""
_DOCUMENTATION = "Documentation"
_PARTS = ("About", "How to read the figures", "Terms", _DOCUMENTATION)


def show_about_page() -> None:
    """Draw the page."""
    open_page("About")
    part = choose_one("Show", _PARTS, "part", label_visibility="collapsed")
    if part == _PARTS[0]:
        st.markdown(_PURPOSE)
        st.caption(f"Version {__version__}, MIT licence. To cite it, cite the paper:")
        st.code(_citation(app_folder() / "CITATION.cff"), language="bibtex", wrap_lines=True)
    elif part == _PARTS[1]:
        st.markdown(_FIGURES)
    elif part == _PARTS[2]:
        st.markdown(explain(*GLOSSARY))
    else:
        _show_documentation(app_folder() / "docs")


def _citation(path: Path) -> str:
    """Return the paper to cite, as BibTeX."""
    paper: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["preferred-citation"]
    names = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    fields = {
        "title": f"{{{paper['title']}}}",
        "author": " and ".join(names),
        "booktitle": paper["conference"]["name"],
        "year": paper["year"],
        "url": paper["url"],
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@inproceedings{{few-shot-nas,\n{lines}}}"


def _show_documentation(folder: Path) -> None:
    """Show a page of the documentation, whose links to others stay in the app."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    titles = {name: text.partition("\n")[0].removeprefix("# ") for name, text in pages.items()}
    often = Counter(titles.values())
    labels = {
        name: title if often[title] == 1 else f"{title} ({name})" for name, title in titles.items()
    }
    name = choose_from("Page", labels, "doc", index=list(labels).index("concepts"))
    st.header(titles[name])

    def in_app(link: re.Match[str]) -> str:
        text, target, anchor = link.groups()
        if target in pages:
            return f"[{text}](?{urlencode({'part': _DOCUMENTATION, 'doc': labels[target]})})"
        return link[0] if "://" in link[0] or (anchor and not target) else str(text)

    body = pages[name].partition("\n")[2]
    st.markdown(re.sub(r"\[([^\]]*)\]\(([^)#\s]*?)(?:\.md)?(#[^)\s]*)?\)", in_app, body))
