"""Who may import what: no layer of the project reaches where it may not."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADERS = {"import_module", "__import__"}
FOR_PAGES = {"fewshot_core", "streamlit", "pandas"} | sys.stdlib_module_names


@dataclass(frozen=True)
class Rule:
    """Which packages some files may not import."""

    text: str
    concerns: Callable[[str], bool]
    forbids: Callable[[str], bool]


def within(*places: str) -> Callable[[str], bool]:
    """Tell whether a file is one of some modules or inside one of some packages."""
    return lambda path: any(
        path == f"{place}.py" or path.startswith(f"{place}/") for place in places
    )


def outside(*places: str) -> Callable[[str], bool]:
    inside = within(*places)
    return lambda path: not inside(path)


RULES = (
    Rule(
        "plots, analysis, reproduction, selection, space and store never import torch",
        within(
            *(
                f"fewshot_core/{n}"
                for n in ("plots", "analysis", "reproduction", "selection", "space", "store")
            )
        ),
        lambda package: package == "torch",
    ),
    Rule(
        "pure mathematics imports neither torch nor streamlit",
        within(*(f"fewshot_core/{n}" for n in ("space", "splitting/partition", "selection"))),
        lambda package: package in {"torch", "streamlit"},
    ),
    Rule(
        "only store imports duckdb",
        outside("fewshot_core/store"),
        lambda package: package == "duckdb",
    ),
    Rule(
        "only pages, app.py and dashboard import streamlit",
        outside("pages", "app", "fewshot_core/dashboard"),
        lambda package: package == "streamlit",
    ),
    Rule(
        "pages and app.py import only fewshot_core, streamlit, pandas and the standard library",
        within("pages", "app"),
        lambda package: package not in FOR_PAGES,
    ),
)


def imported_modules(source: str, path: str) -> Iterator[str]:
    """Yield the modules that a file imports anywhere in it, by their full names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = path.split("/")[: -node.level] if node.level else []
            yield ".".join([*above, *([node.module] if node.module else [])])
        elif isinstance(node, ast.Call) and node.args and _called(node) in LOADERS:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def broken_rules(source: str, path: str) -> list[str]:
    """Return what a file breaks: the rule and the module it should not import."""
    return [
        f"{path} imports {module}, but {rule.text}"
        for module in sorted(set(imported_modules(source, path)))
        for rule in RULES
        if rule.concerns(path) and rule.forbids(module.split(".")[0])
    ]


def project_files() -> list[Path]:
    """Return every module of the core, of the pages, and the app; folders may be missing."""
    files = [
        file for folder in ("fewshot_core", "pages") for file in ROOT.glob(f"{folder}/**/*.py")
    ]
    return sorted([*files, ROOT / "app.py"])


def test_no_file_reaches_where_it_may_not():
    broken = [
        message
        for file in project_files()
        for message in broken_rules(
            file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix()
        )
    ]
    assert broken == []


def test_all_files_are_checked():
    found = {file.relative_to(ROOT).as_posix() for file in project_files()}
    expected = {"app.py", "fewshot_core/cli/app.py", "fewshot_core/space/sub_space.py"}
    assert expected <= found
    concerned = [sum(map(rule.concerns, found)) for rule in RULES]
    assert min(concerned) > 1


@pytest.mark.parametrize(
    ("path", "source", "module"),
    [
        ("fewshot_core/plots/tree.py", "import torch", "torch"),
        ("fewshot_core/analysis/new/deep.py", "from torch.nn import functional", "torch.nn"),
        ("fewshot_core/selection/halving.py", "import numpy, torch as t", "torch"),
        ("fewshot_core/selection.py", "import torch", "torch"),
        ("fewshot_core/space/x.py", "def f():\n    import torch.nn", "torch.nn"),
        ("fewshot_core/store/x.py", "if TYPE_CHECKING:\n    from torch import Tensor", "torch"),
        ("fewshot_core/store/x.py", "torch = importlib.import_module('torch')", "torch"),
        ("fewshot_core/store/x.py", "torch = __import__('torch')", "torch"),
        ("fewshot_core/splitting/partition.py", "from torch import Tensor", "torch"),
        ("fewshot_core/splitting/partition.py", "import streamlit as st", "streamlit"),
        ("fewshot_core/analysis/x.py", "import duckdb", "duckdb"),
        ("fewshot_core/dashboard/x.py", "try:\n    import duckdb\nexcept OSError: ...", "duckdb"),
        ("pages/1_Split.py", "import duckdb", "duckdb"),
        ("fewshot_core/runs/x.py", "import streamlit as st", "streamlit"),
        ("fewshot_core/cli/app.py", "from streamlit.web import cli", "streamlit.web"),
        ("fewshot_core/storehouse/x.py", "import duckdb", "duckdb"),
        ("fewshot_core/app.py", "import streamlit", "streamlit"),
        ("pages/1_Split.py", "import numpy as np", "numpy"),
        ("pages/1_Split.py", "from torch import Tensor", "torch"),
        ("pages/1_Split.py", "from plotly import graph_objects", "plotly"),
        ("app.py", "import plotly.express", "plotly.express"),
        ("app.py", "from tests.pages import helper", "tests.pages"),
    ],
)
def test_a_forbidden_import_is_found(path, source, module):
    messages = broken_rules(source, path)
    assert messages
    assert all(message.startswith(f"{path} imports {module}, but ") for message in messages)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("app.py", "import json\nimport pandas as pd\nimport streamlit as st"),
        ("pages/1_Split.py", "from fewshot_core.dashboard import setup"),
        ("fewshot_core/dashboard/x.py", "import streamlit as st\nimport torchlike"),
        ("fewshot_core/store.py", "import duckdb"),
        ("fewshot_core/nets/cell.py", "import torch\nfrom torch import nn"),
        ("fewshot_core/splitting/split.py", "import torch"),
        ("fewshot_core/space/x.py", "from .torch import helper\nfrom . import streamlit"),
        ("fewshot_core/plots/x.py", "name = 'import torch'  # import torch\nload('torch')"),
    ],
)
def test_other_imports_pass(path, source):
    assert broken_rules(source, path) == []


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("from . import b", ["fewshot_core.space"]),
        ("from .b import c", ["fewshot_core.space.b"]),
        ("from ..nets import c", ["fewshot_core.nets"]),
        ("import a.b, c", ["a.b", "c"]),
        ("import_module(name)", []),
    ],
)
def test_modules_are_named_in_full(source, modules):
    assert list(imported_modules(source, "fewshot_core/space/a.py")) == modules


ORDER = (
    "errors limits registry documents data_folder evidence safe_pickle archives",
    "space datasets",
    "bench images nets networks",
    "metrics",
    "splitting",
    "search",
    "selection analysis",
    "runs",
    "store",
    "plots",
    "reproduction",
    "dashboard cli doctor",
)
"""The packages and modules of ``fewshot_core``, bottom to top: a line imports none above it."""

LEVELS = {name: level for level, names in enumerate(ORDER) for name in names.split()}


def imports_at_run_time(source: str) -> Iterator[str]:
    """Yield what of ``fewshot_core`` a file imports, also in functions, but not for types only."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "fewshot_core":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fewshot_core."):
            yield str(node.module).split(".")[1]
        waiting.extend(ast.iter_child_nodes(node))


def upward_imports(source: str, path: str) -> list[str]:
    """Return the imports of a file from packages that are above its own."""
    own = path.split("/")[1].removesuffix(".py")
    return [
        f"{path} imports {name}"
        for name in imports_at_run_time(source)
        if LEVELS.get(name, -1) > LEVELS.get(own, len(ORDER))
    ]


def test_imports_go_downward():
    core = [file for file in project_files() if (ROOT / "fewshot_core") in file.parents]
    broken = [
        message
        for file in core
        for message in upward_imports(
            file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix()
        )
    ]
    assert broken == []


def test_every_package_has_its_place_in_the_order():
    entry_points = {"__init__", "__main__"}
    found = {
        path.name.removesuffix(".py")
        for path in (ROOT / "fewshot_core").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert found - entry_points <= set(LEVELS)


@pytest.mark.parametrize(
    ("path", "source", "count"),
    [
        ("fewshot_core/search/loop.py", "from fewshot_core.runs import SplitRequest", 1),
        ("fewshot_core/search/loop.py", "def f():\n    from fewshot_core.runs.jobs import a", 1),
        ("fewshot_core/space/x.py", "from fewshot_core import nets", 1),
        ("fewshot_core/errors.py", "from fewshot_core.space import SubSpace", 1),
        ("fewshot_core/search/x.py", "if TYPE_CHECKING:\n    from fewshot_core.runs import a", 0),
        ("fewshot_core/cli/x.py", "from fewshot_core.runs import SplitRequest", 0),
        ("fewshot_core/analysis/x.py", "from fewshot_core.selection import top_k", 0),
        ("fewshot_core/__main__.py", "from fewshot_core.cli.app import main", 0),
    ],
)
def test_an_import_from_above_is_found(path, source, count):
    assert len(upward_imports(source, path)) == count


def test_no_message_of_the_app_advises_a_command_line_option():
    advice = []
    for path in (ROOT / "fewshot_core").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "cli" in path.relative_to(ROOT).parts or not re.search("--[a-z]", source):
            continue
        for node in ast.walk(ast.parse(source)):
            error = isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("Error", "append")
            )
            if error and re.search(r"[^\w-]--[a-z]", text := ast.unparse(node)):
                advice.append(f"{path.name}: {text}")
    assert [text for text in advice if not text.startswith("commands.py")] == []
