"""Every cache has a bound: the app lives for months."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "fewshot_core").rglob("*.py"))


def unbounded(source: str) -> Iterator[int]:
    """Yield the lines of caches without a bound; a function without parameters has one value."""
    for node in ast.walk(ast.parse(source)):
        for mark in getattr(node, "decorator_list", ()):
            name = ast.unparse(mark).rpartition(".")[2]
            if name == "cache" and any(vars(node.args).get(part) for part in ("args", "vararg")):
                yield mark.lineno
            if name in ("cache_data", "cache_resource"):
                yield mark.lineno
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            bounds = {key.arg: ast.unparse(key.value) for key in node.keywords}
            if name in ("cache_data", "cache_resource") and "max_entries" not in bounds:
                yield node.lineno
            positional = ast.unparse(node.args[0]) if node.args else ""
            if name == "lru_cache" and "None" in (bounds.get("maxsize"), positional):
                yield node.lineno


def test_every_cache_has_a_bound():
    found = {str(p.relative_to(ROOT)): [*unbounded(p.read_text("utf-8"))] for p in FILES}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "@cache\ndef f(x): ...",
        "@st.cache_data\ndef f(x): ...",
        "@st.cache_resource(show_spinner=False)\ndef f(x): ...",
        "@lru_cache(maxsize=None)\ndef f(x): ...",
        "g = lru_cache(None)(f)",
    ],
)
def test_a_cache_without_a_bound_is_found(source):
    assert [*unbounded(source)]
