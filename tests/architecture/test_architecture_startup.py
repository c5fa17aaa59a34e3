"""The app starts without PyTorch: nothing that a page imports loads it, however indirectly."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_TORCH = (
    "analysis",
    "plots",
    "reproduction",
    "selection",
    "space",
    "splitting",
    "store",
)
REPORT = "import sys\nprint(*(name for name in sys.argv[1:] if name in sys.modules))"


def import_statements(source: str) -> list[str]:
    """Return all import statements of a file, wherever they are in it."""
    nodes = ast.walk(ast.parse(source))
    return [
        ast.unparse(node)
        for node in nodes
        if isinstance(node, ast.Import)
        or (isinstance(node, ast.ImportFrom) and node.module != "__future__")
    ]


def loaded(statements: list[str], wanted: set[str]) -> set[str]:
    """Run import statements in a fresh process; return which of some modules it then has."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*statements, REPORT]), *sorted(wanted)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_no_page_loads_torch():
    files = [ROOT / "app.py", *sorted(ROOT.glob("pages/**/*.py"))]
    statements = [line for file in files for line in import_statements(file.read_text("utf-8"))]
    assert any("fewshot_core.dashboard" in statement for statement in statements)
    found = loaded(statements, {"torch", "streamlit", "fewshot_core.dashboard"})
    assert found == {"streamlit", "fewshot_core.dashboard"}


def test_neither_torch_nor_streamlit_comes_with_the_layers_that_do_without():
    packages = [name for name in WITHOUT_TORCH if list(ROOT.glob(f"fewshot_core/{name}*"))]
    modules = [f"fewshot_core.{name}" for name in packages]
    statements = [f"import {module}" for module in modules]
    assert loaded(statements, {"torch", "streamlit", *modules}) == set(modules)


def test_a_run_that_waits_for_its_turn_and_the_command_that_starts_it_load_little():
    heavy = {"torch", "pandas", "pyarrow", "scipy", "streamlit", "duckdb"}
    command = ["from fewshot_core.cli.app import build_app", "build_app('split')"]
    assert loaded(["import fewshot_core.runs.worker", *command], heavy) == set()


def test_what_a_module_imports_itself_is_noticed(tmp_path):
    (tmp_path / "outer.py").write_text("import inner")
    (tmp_path / "inner.py").write_text("import wave")
    statements = ["import sys", f"sys.path.insert(0, {str(tmp_path)!r})", "import outer"]
    assert loaded(statements, {"wave", "inner", "torch"}) == {"wave", "inner"}


@pytest.mark.parametrize(
    ("source", "statements"),
    [
        ("import streamlit as st", ["import streamlit as st"]),
        ("from a.b import c, d as e", ["from a.b import c, d as e"]),
        ("from __future__ import annotations\nif x:\n    import y", ["import y"]),
        ("print('import torch')", []),
    ],
)
def test_import_statements_are_found(source, statements):
    assert import_statements(source) == statements
