"""Every page, in every state a reader can meet."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., AppTest]
SCRIPTS = ["app.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]


def texts(page: AppTest) -> str:
    """Return everything a page says, joined."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "metric")
    words = []
    for kind in kinds:
        for element in page.get(kind):
            words += [str(getattr(element, "label", "")), str(element.value)]
    return "\n".join(words)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_without_data_says_what_to_do(script: str, empty_data: Path, open_page: Open):
    page = open_page(script)
    assert not page.error
    said = texts(page)
    assert "yet" in said
    assert any(word in said for word in ("Make", "Start", "Import", "Add"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_with_splits_opens(script: str, split_data: Path, open_page: Open):
    page = open_page(script)
    assert not page.error
    assert page.sidebar.selectbox(key="split").value.startswith("split-")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_page_of_an_unknown_table_says_where_to_import(
    script: str, split_data: Path, open_page: Open
):
    page = open_page(script, accuracy="test")
    assert "No table has test accuracies" in texts(page)
    assert not page.error


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_link_brings_back_what_was_chosen(script: str, split_data: Path, open_page: Open):
    page = open_page(script, dataset="cifar100", top="2.5")
    assert page.sidebar.selectbox(key="dataset").value == "cifar100"
    assert page.sidebar.slider(key="top").value == 2.5
    assert page.sidebar.selectbox(key="no_split").disabled


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_link_that_names_nothing_known_shows_the_default(
    script: str, split_data: Path, open_page: Open
):
    page = open_page(script, dataset="mnist", top="much", split="split-of-nothing", accuracy="x")
    assert page.sidebar.selectbox(key="dataset").value == "cifar10"
    assert page.sidebar.slider(key="top").value == 1.0
    assert page.sidebar.selectbox(key="split").value.startswith("split-")


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_chosen_is_in_the_url(script: str, split_data: Path, open_page: Open):
    page = open_page(script)
    page.sidebar.slider(key="top").set_value(5.0).run()
    assert page.query_params["top"] == "5.0"
    assert page.query_params["split"] == page.sidebar.selectbox(key="split").value
    page.sidebar.slider(key="top").set_value(1.0).run()
    assert "top" not in page.query_params


def test_a_second_app_on_the_folder_is_told_so(split_data: Path):
    hold = (
        "import sys; from pathlib import Path; from fewshot_core.store import Store; "
        "store = Store(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(split_data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    holder.communicate()
    assert "open in another process" in page.error[0].value
    assert "--data-dir" in page.error[0].value


def test_a_damaged_run_is_named_and_the_rest_goes_on(split_data: Path, open_page: Open):
    damaged = next((split_data / "runs").glob("split-params-*"))
    (damaged / "tree.json").write_text("{")
    page = open_page("app.py")
    assert damaged.name in page.warning[0].value
    assert "gradnorm" in texts(page)


def test_every_metric_is_offered_with_its_equation(empty_data: Path, open_page: Open):
    page = open_page("pages/1_Split.py")
    select = page.selectbox(key="metric")
    labels = [METRICS.get(name).label for name in METRICS.names()]
    assert select.options == [*labels, "all metrics"]
    for name in METRICS.names():
        page.selectbox(key="metric").set_value(name).run()
        assert METRICS.get(name).equation in page.latex[0].value
        assert METRICS.get(name).description in texts(page)


def test_the_style_comes_before_everything_it_would_move(empty_data: Path, open_page: Open):
    first, *_ = open_page("pages/6_Results.py").main.children.values()
    assert first.type == "html"
    assert "stMainBlockContainer" in first.proto.body
