"""Algorithms of other packages, written as the documentation shows."""

import json
import re
from pathlib import Path
from textwrap import dedent

import pytest

from fewshot_core.runs import SearchRequest
from fewshot_core.search import ALGORITHMS, list_algorithms
from fewshot_core.search.algorithms import options_of_others
from fewshot_core.space import SubSpace

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "search.md"
FULL = tuple(SubSpace.full().rows)


def documented():
    """Return the modules of the documentation's example, by name."""
    blocks = re.findall(r"```python\n# my_package/(\w+)\.py.*?\n(.*?)```", text(), flags=re.DOTALL)
    return {name: code.replace("my_package.", "") for name, code in blocks}


def text():
    return DOCUMENTATION.read_text(encoding="utf-8")


@pytest.fixture
def straight_through(package):
    modules = documented()
    assert set(modules) == {"straight_through", "record"}
    [point] = re.findall(r'^(\S+) = "my_package\.(record:\w+)"$', text(), flags=re.MULTILINE)
    package.install(dict([point]), ALGORITHMS.group, "my-algorithms", **modules)
    return package


def test_the_documented_algorithm_searches(straight_through, tmp_path):
    folder = ["--data-dir", str(tmp_path / "data"), "--json"]
    images = ["--images", "synthetic"]
    command = ["-m", "fewshot_core", "search", "--no-splitting", "--algorithm", "straight-through"]
    straight_through.python(*command, "--preset", "smoke", "--seeds", "777", *images, *folder)
    [run] = (tmp_path / "data" / "runs").glob("search-*")
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["packages"]["my-algorithms"] == "1.0"
    assert manifest["fingerprints"]["plugin"] == "my-algorithms 1.0"
    records = [json.loads(line) for line in (run / "epochs.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [0, 1, 2]
    assert records[0]["probabilities"] != records[-1]["probabilities"]


def test_the_documented_algorithm_is_on_the_page(straight_through, tmp_path):
    code = """
        from streamlit.testing.v1 import AppTest
        page = AppTest.from_file("pages/4_Search.py", default_timeout=100).run()
        assert not page.exception, page.exception
        [box] = [box for box in page.selectbox if box.label == "Algorithm"]
        print(box.options)
    """
    found = straight_through.python("-c", dedent(code), data_dir=tmp_path / "data")
    assert "Straight-through" in found


def test_it_changes_no_request_of_ours(straight_through):
    code = f"""
        import json
        from fewshot_core.runs import SearchRequest
        request = SearchRequest("cifar10", "snas", {FULL})
        print(json.dumps(request.to_dict()))
    """
    ours = SearchRequest("cifar10", "snas", FULL).to_dict()
    assert json.loads(straight_through.python("-c", dedent(code))) == json.loads(json.dumps(ours))


def test_an_option_that_no_search_has_is_a_problem(package):
    record = documented()["record"].replace("passes=2,", 'passes=2, options=("mood",),')
    package.install({"moody": "record:STRAIGHT_THROUGH"}, ALGORITHMS.group, record=record)
    code = "from fewshot_core.search import ALGORITHMS; print(dict(ALGORITHMS.problems))"
    found = package.python("-c", code)
    assert "the search algorithm 'moody' of my-package" in found
    assert "expected options of a search, got mood" in found


def test_a_class_that_is_not_there_is_told_when_it_is_needed(package, tmp_path):
    package.install(
        {"lost": "record:STRAIGHT_THROUGH"}, ALGORITHMS.group, record=documented()["record"]
    )
    code = """
        from fewshot_core.errors import FewshotError
        from fewshot_core.search import PRESETS, search
        from fewshot_core.space import SubSpace

        options = PRESETS.get("smoke").search
        try:
            next(search("straight-through", SubSpace.full(), options=options, images="synthetic"))
        except FewshotError as error:
            print(error)
    """
    found = package.python("-c", dedent(code), data_dir=tmp_path)
    expected = "the algorithm straight-through cannot be imported: No module named"
    assert expected in found


@pytest.mark.parametrize("name", list_algorithms())
def test_an_option_of_another_algorithm_does_not_count(name):
    own = set(ALGORITHMS.get(name).options)
    others = {option for info in ALGORITHMS for option in info.options} - own
    assert options_of_others(name) == others
    assert not options_of_others(name) & own
