"""Names from files are text on every page, never Markdown or HTML."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_names import DECLARED, make_hostile_folder
from streamlit.testing.v1 import AppTest

from fewshot_core.space import NAS_BENCH_201

OURS = NAS_BENCH_201.name
PLACES = [
    (OURS, "app.py", {}),
    (OURS, "pages/1_Split.py", {"details": "Sub-spaces"}),
    (OURS, "pages/2_Distributions.py", {"show": "Cost"}),
    (DECLARED, "pages/2_Distributions.py", {"show": "Importance"}),
    (DECLARED, "pages/3_Compare.py", {"compare": "Verdict"}),
    (OURS, "pages/4_Search.py", {"split": ""}),
    (DECLARED, "pages/5_Halving.py", {}),
    (DECLARED, "pages/6_Results.py", {}),
    (OURS, "pages/7_Runs.py", {"run": "split-failed"}),
    (DECLARED, "pages/8_Data.py", {"data": "Search spaces"}),
    (OURS, "pages/9_Estimates.py", {}),
    (DECLARED, "pages/10_About.py", {}),
]

TEXT = {"Dataframe", "Selectbox", "Multiselect", "TextInput", "TextArea", "Code", "Json"}
"""Elements that show text as it is, but for their labels and helps."""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("names") / "data"
    return folder, make_hostile_folder(folder)


def rendered(node: Any) -> Iterator[str]:
    """Yield what elements read as Markdown, HTML or tags of Plotly, and hold a name."""
    for child in getattr(node, "children", {}).values():
        yield from rendered(child)
        kind, proto = type(child).__name__, getattr(child, "proto", None)
        if type(proto).__name__ == "PlotlyChart":
            figure = json.loads(proto.spec)
            figure["layout"].pop("meta")
            yield from (f"figure: {text}" for text in _texts(figure) if "<script" in text)
        elif kind == "Dataframe":
            yield from (f"help: {text}" for text in _texts(json.loads(proto.columns or "{}")))
        elif kind in TEXT:
            yield from (f"{kind}: {getattr(proto, name, '')}" for name in ("label", "help"))
        elif proto is not None and (kind != "Html" or "<img" in str(proto)):
            yield f"{kind}: {proto}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


@pytest.mark.parametrize(("space", "script", "query"), PLACES)
def test_names_are_text(
    space: str,
    script: str,
    query: dict[str, str],
    named: tuple[Path, dict[str, dict[str, str]]],
    use_copy: Callable[[Path], Path],
    open_page: Callable[..., AppTest],
):
    folder, queries = named
    use_copy(folder)
    page = open_page(script, **queries[space] | query)
    texts = list(rendered(page._tree))
    assert any("WWWWWWWW" in text for text in texts)
    marks = re.compile(r"!\[x\]\(|:material/home: :|(?<!\\)<script")
    assert [text for text in texts if marks.search(text)] == []
