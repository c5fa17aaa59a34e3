"""Names from files are text on every page, never Markdown or HTML."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.bench import import_table
from fewshot_core.bench.table import ColumnMapping
from fewshot_core.runs import list_runs
from fewshot_core.runs.notes import Notes, write_notes
from fewshot_core.selection.imported import store_curves
from fewshot_core.space import NAS_BENCH_201, SubSpace
from fewshot_core.splitting.files import imported_names, store_splits
from fewshot_core.splitting.tree import NamedSplit

NAME = "![x](http://example.org/a.png)<img src=http://example.org/b.png>"
SCRIPTS = ("app.py", *(f"pages/{name}.py" for name in ("1_Split", "3_Compare", "5_Halving")))
SCRIPTS = (*SCRIPTS, "pages/7_Runs.py", "pages/8_Data.py")

PLAIN = {"Dataframe", "Selectbox", "Multiselect", "TextInput", "TextArea", "Code", "Json"}
"""Elements that show text as it is."""


@pytest.fixture(scope="module")
def named_folder(split_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose splits, table, curves, notes and damaged runs have a hostile name."""
    folder = shutil.copytree(split_folder, tmp_path_factory.mktemp("names") / "data")
    whole = SubSpace.full()
    halves = whole.keep(0, (0, 1)), whole.keep(0, (2, 3, 4))
    store_splits([NamedSplit(NAME, "cifar10", halves)], "x", folder)
    rows = (
        f"{NAS_BENCH_201.format(index)},{10 + index / 200}\n" for index in range(NAS_BENCH_201.size)
    )
    table = folder / "table.csv"
    table.write_text("arch,val\n" + "".join(rows))
    mapping = ColumnMapping("arch", (("val", "cifar10", "validation"),))
    import_table(table, "named", NAME, mapping, data_dir=folder)
    lines = [f"{NAME}{s},{epoch},{10 + s + epoch},20" for s in range(4) for epoch in range(1, 4)]
    table.write_text("\n".join(["sub_space,epoch,valid_accuracy,test_accuracy", *lines, ""]))
    store_curves(table, folder, "named")
    run = list_runs(folder)[0]
    tree = json.loads(run.tree_path.read_text())
    run.tree_path.write_text(json.dumps(tree | {"metric": NAME}))
    write_notes({run.run_id: Notes(NAME, NAME, (NAME,))}, folder)
    damaged = shutil.copytree(run.path, folder / "runs" / "split-damaged")
    (damaged / "manifest.json").write_text(json.dumps({"kind": NAME, "request": {NAME: 1}}))
    (folder / "runs" / "![x](http:example.org)").mkdir()
    return folder


def shown(node: Any) -> Iterator[tuple[str, str]]:
    """Yield the kind and the content of every element."""
    for child in getattr(node, "children", {}).values():
        yield type(child).__name__, str(getattr(child, "proto", ""))
        yield from shown(child)


@pytest.mark.parametrize("script", SCRIPTS)
def test_names_are_text(
    script: str,
    named_folder: Path,
    use_copy: Callable[[Path], Path],
    open_page: Callable[..., AppTest],
):
    data = use_copy(named_folder)
    [name] = imported_names(data)
    page = open_page(script, split=f"file-{name}", table="named", accuracy="validation")
    assert not page.exception
    found = [(kind, text) for kind, text in shown(page._tree) if "example" in text]
    assert found
    rendered = [
        f"{kind}: {text[max(0, match.start() - 80) : match.end() + 40]}"
        for kind, text in found
        if kind not in PLAIN and "spec:" not in text  # of a figure
        for match in re.finditer("<img" if kind == "Html" else r"!\[x\]\(|(?<!\\)<img", text)
    ]
    assert rendered == []
