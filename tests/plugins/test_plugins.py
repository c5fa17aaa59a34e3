"""Metrics and algorithms of other packages: found, used, and harmless where they are broken."""

import json
import re
from pathlib import Path
from textwrap import dedent

import pytest

from fewshot_core.metrics import METRICS, list_metrics
from fewshot_core.metrics.base import MetricInfo
from fewshot_core.registry import PluginRegistry
from fewshot_core.runs import SearchRequest
from fewshot_core.search import ALGORITHMS, list_algorithms
from fewshot_core.search.algorithms import options_of_others
from fewshot_core.space import SubSpace

METRICS_PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"

RECORD = """
    from fewshot_core.metrics.base import MetricInfo, score_each

    def score(metric_input):
        return score_each(metric_input, largest_weight)

    def largest_weight(probe):
        from fewshot_core.nets import probed_weights

        return max(float(weight.abs().max()) for weight in probed_weights(probe.supernet).values())

    RECORD = MetricInfo(
        name="{name}",
        label="largest weight",
        description="The largest weight that is left with only this operation on the edge.",
        equation="max",
        source="a test",
        cost="nothing",
        score=score,
        needs_images=False,
    )
"""


def install(package, points, distribution="my-metrics", **modules):
    package.install(points, METRICS.group, distribution, **modules)


def look(package):
    """Return the names of all metrics and the problems, as a process sees them."""
    code = """
        import json, sys
        from fewshot_core.metrics import METRICS, list_metrics
        found = [list_metrics(), dict(METRICS.problems), "torch" in sys.modules]
        print(json.dumps(found))
    """
    names, problems, torch_loaded = json.loads(package.python("-c", dedent(code)))
    assert not torch_loaded
    return names, problems


OURS = [info.name for info in METRICS if METRICS.origin(info.name) is None]


def test_the_documented_metric_splits_the_space_and_is_on_the_page(package, tmp_path):
    text = METRICS_PAGE.read_text(encoding="utf-8")
    [module] = re.findall(r"```python\n# my_package/largest_weight\.py\n(.*?)```", text, re.DOTALL)
    [point] = re.findall(r'^(\S+) = "my_package\.(largest_weight:\w+)"$', text, re.MULTILINE)
    install(package, dict([point]), largest_weight=module)
    assert look(package) == ([*OURS, "largest_weight"], {})
    code = """
        import json
        from fewshot_core.metrics import METRICS, score_operations
        from fewshot_core.nets import Supernet
        from fewshot_core.space import SubSpace

        supernet = Supernet(SubSpace.full(), channels=2, cells_per_stage=1)
        scores = score_operations("largest_weight", supernet, 0, None)
        print(json.dumps([METRICS.get("largest_weight").label, list(scores.values)]))
    """
    label, values = json.loads(package.python("-c", dedent(code)))
    assert label == "largest weight"
    assert len(values) == 5
    assert min(values) > 0
    folder = ["--data-dir", str(tmp_path / "data")]
    network = ["--channels", "2", "--cells", "1", "--device", "cpu"]
    split = ["-m", "fewshot_core", "split", "--metric", "largest_weight", "--json"]
    tree = json.loads(package.python(*split, *network, *folder))
    assert tree["metric"] == "largest_weight"
    assert tree["nodes"][0]["values"] == values
    assert len(tree["leaves"]) == 8
    code = """
        import json
        from streamlit.testing.v1 import AppTest
        page = AppTest.from_file("pages/1_Split.py", default_timeout=60)
        page.query_params["new"] = "split"
        page.run()
        assert not page.exception, page.exception
        page.selectbox(key="metric").set_value("largest_weight").run()
        print(json.dumps([page.selectbox(key="metric").options, page.latex[0].value,
                          [caption.value for caption in page.caption]]))
    """
    found = package.python("-c", dedent(code), data_dir=tmp_path / "data").splitlines()[-1]
    options, equation, texts = json.loads(found)
    assert "largest weight" in options
    assert any("The largest weight that is left" in text for text in texts)
    assert equation.strip("$\n ") == r"f(m) = \max_i |w_i|"


def test_an_entry_point_may_name_a_function(package):
    text = dedent(RECORD.format(name="made")) + "\ndef make():\n    return RECORD\n"
    install(package, {"made": "records:make"}, records=text)
    assert look(package) == ([*OURS, "made"], {})


def test_a_package_that_is_imported_first_is_found_too(package):
    install(package, {"early": "records:RECORD"}, records=RECORD.format(name="early"))
    code = "import records; from fewshot_core.metrics import list_metrics; print(list_metrics())"
    assert "'early'" in package.python("-c", code)


def test_a_record_s_module_may_look_at_the_metrics(package):
    text = dedent(RECORD.format(name="curious")) + dedent("""
        from fewshot_core.metrics import METRICS, list_metrics
        assert "gradnorm" in METRICS and len(METRICS) == len(list_metrics())
    """)
    install(package, {"curious": "records:RECORD"}, records=text)
    assert look(package) == ([*OURS, "curious"], {})


BROKEN = {
    "no such module": ("nowhere:RECORD", "", "ModuleNotFoundError: No module named 'nowhere'"),
    "no such name": ("records:MISSING", "", "has no attribute 'MISSING'"),
    "not a record": (
        "records:RECORD",
        "RECORD = dict",
        "expected a record of MetricInfo, got dict",
    ),
    "not even callable": ("records:RECORD", "RECORD = 3", "TypeError: 'int' object"),
    "ends the process": ("records:RECORD", "raise SystemExit(3)", "SystemExit: 3"),
    "does not parse": ("records:RECORD", "RECORD = (", "SyntaxError"),
    "fails in its own way": (
        "records:RECORD",
        "class Odd(Exception): pass\nraise Odd('it rains')",
        "Odd: it rains",
    ),
    "a name that is no folder": (
        "records:RECORD",
        RECORD.format(name="../up"),
        "expected a name of letters, digits, hyphens and underscores",
    ),
    "a name that is taken": (
        "records:RECORD",
        RECORD.format(name="gradnorm"),
        "the metric 'gradnorm' is registered twice",
    ),
    "without variants": (
        "records:RECORD",
        RECORD.format(name="bare").replace("needs_images=False", "variants={}"),
        "expected at least one variant, got none",
    ),
    "without a score function": (
        "records:RECORD",
        RECORD.format(name="bare").replace("score=score", "score=None"),
        "expected a score function, got None",
    ),
}


@pytest.mark.parametrize(("place", "text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_entry_point_is_a_problem_and_no_more(place, text, message, package):
    good = {"good": "good_records:RECORD"}
    install(
        package, {"broken": place} | good, records=text, good_records=RECORD.format(name="good")
    )
    names, problems = look(package)
    assert names == [*OURS, "good"]
    assert list(problems) == ["broken"]
    assert problems["broken"].startswith(f"the metric 'broken' of my-metrics ({place}) cannot be")
    assert message in problems["broken"]


def test_of_two_metrics_of_one_name_the_first_counts(package):
    record = RECORD.format(name="twin")
    install(package, {"twin": "records:RECORD"}, distribution="a-first", records=record)
    install(package, {"twin": "others:RECORD"}, distribution="b-second", others=record)
    names, problems = look(package)
    assert names == [*OURS, "twin"]
    assert problems["twin"].startswith("the metric 'twin' of b-second (others:RECORD) cannot be")
    assert "registered twice" in problems["twin"]


def test_the_registry_looks_once(monkeypatch):
    looks = []
    monkeypatch.setattr(
        "fewshot_core.registry.entry_points", lambda group: looks.append(group) or ()
    )
    registry = PluginRegistry("metric", "a.group", MetricInfo)
    assert looks == []
    assert registry.names() == []
    assert dict(registry.problems) == {}
    assert len(registry) == 0
    assert looks == ["a.group"]


def test_what_is_installed_here_has_no_problem():
    assert dict(METRICS.problems) == {}
    assert set(OURS) <= set(list_metrics())


SEARCH_PAGE = Path(__file__).parents[2] / "docs" / "search.md"

FULL = tuple(SubSpace.full().rows)


def documented():
    """Return the modules of the documentation's example, by name."""
    blocks = re.findall(r"```python\n# my_package/(\w+)\.py.*?\n(.*?)```", text(), flags=re.DOTALL)
    return {name: code.replace("my_package.", "") for name, code in blocks}


def text():
    return SEARCH_PAGE.read_text(encoding="utf-8")


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
        page = AppTest.from_file("pages/4_Search.py", default_timeout=100)
        page.query_params["where"] = "whole"
        page.run().button(key="new_search").click().run()
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


def test_a_missing_class_is_reported_when_it_is_needed(package, tmp_path):
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


def test_a_package_adds_a_search_space(package):
    package.install(
        {"chain": "mine:CHAIN"},
        "fewshot.spaces",
        mine="""
        from fewshot_core.space import Decision, SearchSpace, Task

        CHAIN = SearchSpace(
            "chain", "Chain", (Decision("a", ("x", "y")), Decision("b", ("x", "y", "z"))),
            (Task("toy"),),
        )
        """,
    )
    code = (
        "from fewshot_core.space import SubSpace, list_spaces;"
        "print(list_spaces()[-1], SubSpace.full('chain').rows)"
    )
    assert package.python("-c", code) == "chain ['11', '111']\n"


SPACES_PAGE = Path(__file__).parents[2] / "docs" / "search-spaces.md"


def test_the_documented_space_has_a_supernet_for_metrics_and_searches(package, tmp_path):
    text = SPACES_PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n# my_package/(\w+)\.py\n(.*?)```", text, re.DOTALL)
    modules = {name: code.replace("my_package.", "") for name, code in blocks}
    assert set(modules) == {"space", "network"}
    [point] = re.findall(r'^(\S+) = "my_package\.(space:\w+)"$', text, re.MULTILINE)
    package.install(dict([point]), "fewshot.spaces", **modules)
    code = """
        import json, sys
        from fewshot_core.metrics import METRICS, score_operations
        from fewshot_core.networks import has_supernet
        from fewshot_core.space import SubSpace, get_space

        assert has_supernet(get_space("toy")) and "torch" not in sys.modules
        from fewshot_core.images import load_batch
        from fewshot_core.nets import Supernet

        supernet = Supernet(SubSpace.full("toy"), channels=4)
        batch = load_batch("cifar10", 4, source="synthetic")
        found = {}
        for info in METRICS:
            if not info.baseline:
                variant = list(info.variants)[-1]
                scores = score_operations(info.name, supernet, 1, batch, variant)
                found[info.name] = [list(scores.values), scores.similarity.tolist()]
        print(json.dumps(found))
    """
    data = tmp_path / "data"
    found = json.loads(package.python("-c", dedent(code), data_dir=data))
    assert [len(values) for values, _ in found.values()] == [3] * 9
    rest = 3 * 4 * 9 + (4 * 4 * 9 + 2 * 4) + 4 * 10 + 10  # stem, first decision, classifier
    assert found["params"][0] == [rest, rest + 16 * 9 + 8, rest + 16 * 25 + 8]
    command = ["-m", "fewshot_core", "search", "--space", "toy", "--no-splitting", "--json"]
    small = ["--preset", "smoke", "--images", "synthetic"]
    [run] = json.loads(package.python(*command, *small, data_dir=data))["runs"]
    assert run["rows"] == ["11", "111"] and run["architecture_index"] in range(6)
