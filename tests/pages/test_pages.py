"""Every page: without data, with splits, with demonstration results, and from any URL."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import duckdb
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.dashboard.shared import page as page_frame
from fewshot_core.dashboard.shared import url
from fewshot_core.metrics import METRICS
from fewshot_core.runs import Network, SplitRequest, list_runs, start
from fewshot_core.store import FILE, Store

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., AppTest]
SCRIPTS = ["app.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]
DEMO = ROOT / "data" / "demo"
LABELS = {info.label for info in METRICS}
NAMES = ("dataset", "accuracy", "table", "split", "top", "metric", "plan", "seed", "run", "images")
HOSTILE = ("../../../../etc/passwd", "<script>alert(1)</script>'; DROP TABLE runs; --")


def texts(page: AppTest) -> str:
    """Return everything a page says, joined."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "metric")
    words = []
    for kind in kinds:
        for element in page.get(kind):
            words += [str(getattr(element, "label", "")), str(element.value)]
    return "\n".join(words)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_without_data_explains_what_to_do(script: str, empty_data: Path, open_page: Open):
    page = open_page(script)
    assert not page.error
    said = texts(page)
    assert "yet" in said
    assert any(word in said for word in ("Make", "Start", "Import", "Add"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_opens_on_a_folder_of_version_0_1(script: str, old: Path, open_page: Open):
    page = open_page(script)
    assert not page.error
    assert page.session_state["split"].startswith("split-")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_page_of_an_unknown_table_says_where_to_import(
    script: str, split_data: Path, open_page: Open
):
    page = open_page(script, accuracy="test")
    assert "No table has test accuracies" in texts(page)
    assert not page.error


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_link_restores_the_choices(script: str, split_data: Path, open_page: Open):
    page = open_page(script, dataset="cifar100", top="2.5")
    assert page.sidebar.selectbox(key="dataset").value == "cifar100"
    assert page.sidebar.slider(key="top").value == 2.5
    assert "none yet" in [text.value for text in page.sidebar.markdown]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_link_that_names_nothing_known_shows_the_default(
    script: str, split_data: Path, open_page: Open
):
    page = open_page(script, dataset="mnist", top="much", accuracy="x")
    assert page.sidebar.selectbox(key="dataset").value == "cifar10"
    assert page.sidebar.slider(key="top").value == 1.0
    assert page.session_state["split"].startswith("split-")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_link_to_a_split_that_is_not_here_says_so_and_opens_no_other(
    script: str, split_data: Path, open_page: Open
):
    page = open_page(script, split="split-of-nothing")
    assert page.session_state["split"] == "split-of-nothing"
    assert "This run is not in this data folder" in page.warning[0].value
    assert "2 others are here" in page.warning[0].value
    assert "split-of-nothing" in [code.value for code in page.code]
    page.sidebar.slider(key="top").set_value(5.0).run()
    assert "not in this data folder" in page.warning[0].value
    page.button(key="show_other").click().run()
    assert not any("not in this data folder" in warning.value for warning in page.warning)
    assert page.query_params["split"] == page.session_state["split"]
    assert page.query_params["split"] != "split-of-nothing"


def test_a_link_to_a_split_shows_its_data_set(split_data: Path, open_page: Open, wait_for):
    wait_for(start(SplitRequest("cifar100", "params", network=Network(2, 1)), split_data))
    (run,) = [r.run_id for r in list_runs(split_data) if "cifar100" in r.run_id]
    page = open_page("pages/1_Split.py", split=run)
    assert page.sidebar.selectbox(key="dataset").value == "cifar100"
    assert page.session_state["split"] == run
    assert page.query_params["dataset"] == "cifar100"


@pytest.mark.parametrize("script", SCRIPTS)
def test_back_restores_what_was_in_view(
    script: str, split_data: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    page = open_page(script)
    page.sidebar.selectbox(key="dataset").set_value("cifar100").run()
    page.sidebar.slider(key="top").set_value(5.0).run()
    assert page.query_params["dataset"] == "cifar100"
    assert "split" not in page.query_params
    run = next(run.run_id for run in list_runs(split_data))
    monkeypatch.setattr(url, "is_restored", lambda: True)
    page.query_params.update({"dataset": "cifar10", "split": run})
    del page.query_params["top"]
    page.run()
    assert page.sidebar.selectbox(key="dataset").value == "cifar10"
    assert page.sidebar.slider(key="top").value == 1.0
    assert page.session_state["split"] == run
    shown = {key: page.query_params[key] for key in ("dataset", "split")}
    assert shown == {"dataset": "cifar10", "split": run}
    assert "top" not in page.query_params


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_with_splits_opens_and_choices_are_in_the_url(
    script: str, split_data: Path, open_page: Open
):
    page = open_page(script)
    assert not page.error
    assert page.session_state["split"].startswith("split-")
    page.sidebar.slider(key="top").set_value(5.0).run()
    assert page.query_params["top"] == "5.0"
    assert page.query_params["split"] == page.session_state["split"]
    page.sidebar.slider(key="top").set_value(1.0).run()
    assert "top" not in page.query_params


@pytest.mark.parametrize("script", SCRIPTS)
def test_hostile_names_in_a_url_change_nothing(script: str, split_data: Path, open_page: Open):
    before = {path: path.read_bytes() for path in split_data.glob("runs/*/*.json")}
    for text in HOSTILE:
        page = open_page(script, **dict.fromkeys(NAMES, text))
        said = [element.value for kind in ("markdown", "html") for element in page.get(kind)]
        assert not any("<script>" in str(value) for value in said)
    assert {path: path.read_bytes() for path in split_data.glob("runs/*/*.json")} == before
    assert len(list_runs(split_data)) == 2


def test_a_second_app_on_the_folder_shows_the_same(split_data: Path):
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
    assert not page.error and not page.exception
    assert "in memory for now" in page.toast[0].value and "another process" in page.toast[0].value
    assert sorted(offered_splits(page)["metric"]) == ["#params", "gradnorm"]


def test_a_damaged_run_is_named_and_the_rest_continues(split_data: Path, open_page: Open):
    (split_data / FILE).unlink()  # a cached run is not read again
    damaged = next((split_data / "runs").glob("split-params-*"))
    (damaged / "tree.json").write_text("{")
    page = open_page("app.py")
    assert damaged.name in page.warning[0].value
    assert list(offered_splits(page)["metric"]) == ["gradnorm"]


def test_every_metric_is_offered_with_its_equation(empty_data: Path, open_page: Open):
    page = open_page("pages/1_Split.py", new="split")
    select = page.selectbox(key="metric")
    labels = [METRICS.get(name).label for name in METRICS.names()]
    assert labels[-1] == "random"
    assert select.options == [*labels[:-1], "random (baseline)", "all metrics"]
    for name in METRICS.names():
        page.selectbox(key="metric").set_value(name).run()
        assert METRICS.get(name).equation in page.latex[0].value
        assert METRICS.get(name).description in texts(page)


def test_the_style_comes_before_everything_it_would_move(empty_data: Path, open_page: Open):
    first, *_ = open_page("pages/6_Results.py").main.children.values()
    assert first.type == "html"
    assert "stMainBlockContainer" in first.proto.body


def summary(page: AppTest):
    return next(frame.value for frame in page.dataframe if "gain, bits" in frame.value)


def test_the_home_page_opens_on_the_informativeness_of_every_metric(
    new_machine: Path, open_page: Open
):
    page = open_page("app.py")
    [sentence] = [text.value for text in page.markdown if text.value.startswith("**On CIFAR-10**")]
    assert "Only synflow and \\#params beat all random splits; the other 7" in sentence
    assert sentence.endswith(" look like chance. (top 1%, demo, median split of each metric)")
    [source] = [text.value for text in page.caption if "random trees, seed 0" in text.value]
    assert " · 50 splits · " in source
    groups = page.selectbox(key="evidence")
    assert groups.options == [
        f"16 channels, 5 cells · real images · {rest}"
        for rest in (
            "untrained (50 splits)",
            "untrained · batch of 16 (50 splits)",
            "untrained · batch of 16, running statistics (50 splits)",
            "untrained · batch of 64, running statistics (50 splits)",
            "untrained · edges 1<-0, 2<-0, 2<-1, 3<-0 · batch of 16 (30 splits)",
            "untrained · edges 3<-2, 3<-1, 3<-0 · batch of 16 (30 splits)",
            "trained (7 splits)",
        )
    ]
    groups.set_value("16x5-real-trained").run()
    [sentence] = [text.value for text in page.markdown if text.value.startswith("**On CIFAR-10**")]
    assert sentence.endswith("(top 1%, trained weights, demo, one seed each)")
    assert page.query_params["evidence"] == "16x5-real-trained"
    assert marks(page) == {"circle-open": 7}
    title = json.loads(page.get("plotly_chart")[0].proto.spec)["layout"]["title"]["text"]
    assert "hollow: trained weights<" in title
    assert "run split-" not in source
    assert "demonstration, came with the project" in " ".join(c.value for c in page.caption)
    shown = page.sidebar.button(key="pick_split").label
    assert shown == "gradientmatching · untrained · batch of 64 · seed 0 · demo"
    table = offered_splits(page)
    assert list(table["metric"]).count("random") == 5 + 2 * 3
    assert all("demo" in notes for notes in table["evidence"])


def test_the_first_action_makes_a_split_and_the_home_page_links_it(
    empty_data: Path, open_page: Open, wait_for: Callable
):
    page = open_page("app.py")
    assert "No split of CIFAR-10 is finished yet." in texts(page)
    page.button(key="first_split").click().run()
    assert not page.exception
    [run] = list_runs(empty_data)
    assert run.split_request() == SplitRequest("cifar10", "params")
    assert page.title[0].value == "Split"
    wait_for(run)
    page = open_page("app.py")
    assert "**Made last**" in [text.value for text in page.markdown]
    links = [link.proto for link in page.get("page_link")]
    [made] = [link for link in links if link.label.startswith("Split \\#params on CIFAR-10 · ")]
    assert f"split={run.run_id}" in made.query_string


def offered_splits(page: AppTest) -> pd.DataFrame:
    """Open the table of splits to choose from."""
    page.sidebar.button(key="pick_split").click().run()
    return next(frame.value for frame in page.dataframe if "differs in" in frame.value)


def marks(page: AppTest) -> Counter[str]:
    """Count the symbols of the dots of the first figure."""
    [*_, dots] = json.loads(page.get("plotly_chart")[0].proto.spec)["data"]
    return Counter(dots["marker"]["symbol"])


def test_a_toy_split_on_synthetic_images_replaces_no_other(
    new_machine: Path, open_page: Open, wait_for: Callable
):
    """Neither in the sentence, nor in the figure, nor in the table."""
    toy = SplitRequest("cifar10", "gradnorm", images="synthetic", network=Network(4, 1))
    wait_for(start(toy, new_machine))
    page = open_page("app.py")
    [before] = [text.value for text in page.markdown if text.value.startswith("**On CIFAR-10**")]
    assert "(top 1%, demo, median split of each metric)" in before
    assert page.selectbox(key="evidence").options[-1] == (
        "4 channels, 1 cell · synthetic images · untrained (1 split)"
    )
    compare = open_page("pages/3_Compare.py")
    assert len(summary(compare)) == 9
    assert set(summary(compare)["notes"]) == {"demo, one seed"}
    link = open_page("pages/3_Compare.py", evidence="4x1-synthetic-untrained")
    assert list(summary(link)["notes"]) == ["smoke test, synthetic, one seed"]
    assert "there is no verdict" in texts(link)
    assert marks(link) == {"circle-open": 1}
    compare.selectbox(key="evidence").set_value("4x1-synthetic-untrained").run()
    assert not compare.exception
    assert len(summary(compare)) == 1


def test_a_link_to_evidence_that_is_not_here_says_so(new_machine: Path, open_page: Open):
    page = open_page("app.py", evidence="7x7-real-untrained")
    assert "no results with the evidence that the link asks for" in page.warning[0].value
    assert page.selectbox(key="evidence").value == "16x5-real-untrained"


def test_splits_that_are_compared_have_the_names_of_their_metrics(
    new_machine: Path, open_page: Open
):
    table = summary(open_page("pages/3_Compare.py"))
    assert set(table["split"]) < LABELS
    assert len(table) == 9


def test_demonstration_splits_are_marked_beside_one_s_own(
    new_machine: Path, open_page: Open, wait_for: Callable
):
    own = wait_for(start(SplitRequest("cifar10", "params", seed=5), new_machine))
    splits = [run for run in list_runs(DEMO) if run.run_id.startswith("split-params")]
    usual = SplitRequest("cifar10", "params").evidence
    demo = next(run.run_id for run in splits if run.request().evidence == usual)
    page = open_page("pages/3_Compare.py")
    assert page.sidebar.button(key="pick_split").label.startswith("\\#params")
    page.multiselect(key="splits").set_value([own.run_id, demo]).run()
    shown = set(summary(page)["split"])
    assert len(shown) == 2
    assert sum(name.endswith("· demo") for name in shown) == 1


def test_the_runs_page_counts_demonstration_runs_separately(new_machine: Path, open_page: Open):
    page = open_page("pages/7_Runs.py")
    captions = " ".join(caption.value for caption in page.caption)
    assert f"{len(list_runs(DEMO))} demonstration runs" in captions
    runs = next(frame.value for frame in page.dataframe if "run" in frame.value)
    assert all("demo" in badges for badges in runs["evidence"])


def test_a_data_folder_that_disappears_is_reported_and_comes_back(
    split_data: Path, open_page: Open
):
    page = open_page("pages/7_Runs.py")
    hidden = split_data.rename(split_data.with_name("hidden"))
    page.run()
    assert not page.exception and "has disappeared" in page.error[0].value
    assert not split_data.exists()
    hidden.rename(split_data)
    page.run()
    assert not page.exception and not page.error and page.dataframe
    with pytest.MonkeyPatch.context() as patch:
        full = duckdb.IOException("Could not write file: No space left on device")
        patch.setattr(Store, "_fetch", Mock(side_effect=full))
        page_frame._readings.clear()
        page.run()
    assert not page.exception and "No space left on device" in page.error[0].value
    for name, found, problem in (
        ("os.access", False, "is read-only: results are shown, and nothing can be"),
        ("shutil.disk_usage", SimpleNamespace(free=0), "is full: runs fail, and nothing can be"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(name, Mock(return_value=found))
            page.run()
        assert not page.exception and problem in page.warning[0].value and page.dataframe
    page.run()
    assert not page.exception and not page.error and not page.warning and page.dataframe
    (split_data / "runs").chmod(0o555)
    page_frame._readings.clear()
    page.run()
    (split_data / "runs").chmod(0o755)
    assert not page.exception
