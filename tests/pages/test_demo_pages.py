"""The app on a new machine: it opens on the results that came with the project, and says so."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.metrics import METRICS
from fewshot_core.runs import Network, SplitRequest, list_runs, start

Open = Callable[..., AppTest]

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"
LABELS = {info.label for info in METRICS}


@pytest.fixture
def new_machine(empty_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FEWSHOT_DEMO_DIR")
    return empty_data


def summary(page: AppTest):
    return next(frame.value for frame in page.dataframe if "gain, bits" in frame.value)


def test_the_home_page_opens_on_what_every_metric_tells(new_machine: Path, open_page: Open):
    page = open_page("app.py")
    [sentence] = [text.value for text in page.markdown if text.value.startswith("**On CIFAR-10**")]
    assert all(label in sentence for label in LABELS)
    assert "·" not in sentence
    [source] = [text.value for text in page.caption if "random trees, seed 0" in text.value]
    assert " · 37 splits · " in source
    assert "run split-" not in source
    assert "demonstration, came with the project" in " ".join(c.value for c in page.caption)
    assert page.sidebar.selectbox(key="split").options[0] == "gradientmatching · seed 0 · demo"
    assert sum("random ·" in name for name in page.sidebar.selectbox(key="split").options) == 3


def test_splits_that_are_compared_have_the_names_of_their_metrics(
    new_machine: Path, open_page: Open
):
    table = summary(open_page("pages/3_Compare.py"))
    assert set(table["split"]) < LABELS
    assert len(table) == 9


def test_demonstration_data_says_so_beside_one_s_own(
    new_machine: Path, open_page: Open, wait_for: Callable
):
    own = wait_for(start(SplitRequest("cifar10", "params", network=Network(2, 1)), new_machine))
    demo = next(r.run_id for r in list_runs(DEMO) if r.run_id.startswith("split-params"))
    page = open_page("pages/3_Compare.py")
    names = page.sidebar.selectbox(key="split").options
    assert names[0] == "#params · 2 channels, 1 cell · seed 0"
    page.multiselect(key="splits").set_value([own.run_id, demo]).run()
    shown = set(summary(page)["split"])
    assert len(shown) == 2
    assert sum(name.endswith("· demo") for name in shown) == 1


def test_the_runs_page_counts_them_apart(new_machine: Path, open_page: Open):
    page = open_page("pages/9_Runs_and_data.py")
    captions = " ".join(caption.value for caption in page.caption)
    assert f"{len(list_runs(DEMO))} demonstration runs" in captions
    assert not any("run" in frame.value.columns for frame in page.dataframe)
