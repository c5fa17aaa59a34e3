"""The tables of the paper from recorded searches, and starting what is missing."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from recorded_searches import keep_search, keep_searches
from streamlit.testing.v1 import AppTest

from fewshot_core.bench import ColumnMapping, import_table, load_accuracy
from fewshot_core.dashboard.shared import page as page_frame
from fewshot_core.reproduction import CLAIMS, SHARE_RULE
from fewshot_core.runs import RunFolder, SearchRequest, list_runs
from fewshot_core.space import NAS_BENCH_201, SubSpace

Open = Callable[..., AppTest]
SCRIPT = "pages/6_Results.py"


def grid(page: AppTest) -> pd.DataFrame:
    frame: pd.DataFrame = page.dataframe[0].value.set_index("metric")
    return frame


def folder_of(data: Path, metric: str) -> RunFolder:
    return next(run for run in list_runs(data) if run.run_id.startswith(f"split-{metric}"))


@pytest.fixture
def searched(split_data: Path) -> Path:
    """A data folder in which the split by parameters was searched with one seed."""
    tree = folder_of(split_data, "params").tree()
    assert tree is not None
    keep_searches(split_data, tree.leaves)
    return split_data


def test_without_searches_the_published_numbers_stand_there(split_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert any("No split is searched completely yet" in text.value for text in page.info)
    table = grid(page)
    assert list(table.index[:2]) == ["no splitting", "random"] and table.index[-1] == "#params"
    assert table.loc["gradientmatching", "SNAS paper"] == "94.13 ± 0.30"
    assert table.loc["gradientmatching", "SNAS"] == "–"
    assert table.loc["gradientmatching", "DARTS-1st"] == "–"
    page.sidebar.selectbox(key="dataset").set_value("cifar100").run()
    assert "Table 2 of the paper: CIFAR-100" in [heading.value for heading in page.subheader]
    assert grid(page).loc["no splitting", "DARTS-1st paper"] == "38.97"


def test_results_are_next_to_the_published_ones(searched: Path, open_page: Open):
    page = open_page(SCRIPT)
    table = grid(page)
    means = load_accuracy("cifar10").set_index("architecture")["accuracy_mean"]
    ends = [
        run.records()[-1]["architecture_index"]
        for run in list_runs(searched)
        if run.run_id.startswith("search")
    ]
    notes = "[1 of 3 seeds, smoke test, synthetic, split: smoke test]"
    assert table.loc["#params", "SNAS"] == f"{means[ends].max():.2f} {notes}"
    assert table.loc["#params", "SNAS paper"] == "93.91 ± 0.32"
    assert "Δ SNAS" not in table
    assert any("another scale" in text.value for text in page.warning)
    shown = "2 channels, 1 cell · synthetic images · Smoke test · smoke test · synthetic"
    assert shown in [caption.value for caption in page.caption]


def test_searches_with_equal_evidence_are_shown_at_a_time(searched: Path, open_page: Open):
    tree = folder_of(searched, "params").tree()
    assert tree is not None
    keep_searches(searched, tree.leaves, 888, epochs=3, preset="quick", synthetic=False)
    page = open_page(SCRIPT)
    chooser = page.selectbox(key="protocol")
    assert chooser.options == [
        "8 channels, 1 cell · real images · 3 epochs, 3,200 images (8 searches)",
        "2 channels, 1 cell · synthetic images · Smoke test (8 searches)",
    ]
    assert "[1 of 3 seeds, reduced scale, split: smoke test]" in grid(page).loc["#params", "SNAS"]
    chooser.set_value("2x1-synthetic-untrained-smoke-test").run()
    assert "[1 of 3 seeds, smoke test, synthetic" in grid(page).loc["#params", "SNAS"]
    assert page.query_params["protocol"] == "2x1-synthetic-untrained-smoke-test"


def test_what_all_results_rest_on_is_said_once(new_machine: Path, open_page: Open):
    page = open_page(SCRIPT)
    said = "All measured ones: 3 seeds, reduced scale, demo."
    assert any(caption.value.endswith(said) for caption in page.caption)
    assert re.fullmatch(r"[\d.]+ ± [\d.]+", grid(page).loc["#params", "SNAS"])


def test_a_synthetic_split_or_another_preset_fills_no_cell(
    split_data: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    keep_search(split_data, SubSpace.full(), epochs=50, preset="quick", synthetic=False)
    page = open_page(SCRIPT, cell="gradnorm/snas")
    assert "by gradnorm that these searches may fill the cell with" in "".join(
        text.value for text in page.markdown
    )
    assert not [button for button in page.button if button.key == "start"]
    assert not [control for control in page.get("button_group") if control.key == "preset"]
    said = [caption.value for caption in page.caption]
    assert any("8 channels, 1 cell · real images · 50 epochs, 3,200 images" in t for t in said)


def test_a_cell_lists_missing_searches_and_starts_them(
    searched: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    tree = folder_of(searched, "params").tree()
    assert tree is not None
    for leaf in tree.leaves[:6]:
        keep_search(searched, leaf, 888)
    started: list[SearchRequest] = []

    def note(request: SearchRequest, folder: Path) -> SimpleNamespace:
        started.append(request)
        return SimpleNamespace(run_id="noted")

    monkeypatch.setattr(page_frame, "start", note)
    page = open_page(SCRIPT, cell="params/snas", preset="Smoke test")
    assert r"\#params with SNAS" in [heading.value for heading in page.subheader]
    assert any(
        "seed 888: S7, S8 to be searched; seed 999: all sub-spaces to be searched" in text.value
        for text in page.markdown
    )
    page.button(key="start").click().run()
    assert not page.exception
    assert {request.seed for request in started} == {888, 999}
    assert {request.rows for request in started} == {tuple(leaf.rows) for leaf in tree.leaves}
    assert {request.algorithm for request in started} == {"snas"}


def test_a_metric_without_a_split_leads_to_making_it(split_data: Path, open_page: Open):
    page = open_page(SCRIPT, cell="snip/dsnas")
    assert any("There is no split of CIFAR-10 by snip yet" in text.value for text in page.markdown)
    assert not [button for button in page.button if button.key == "start"]


def test_the_whole_space_needs_no_split(split_data: Path, open_page: Open):
    page = open_page(SCRIPT, cell="no splitting/darts-1st")
    assert "the whole space to be searched" in "".join(text.value for text in page.markdown)
    assert page.button(key="start").label == "Start 1 search"


def test_test_accuracies_have_a_difference(searched: Path, open_page: Open, tmp_path: Path):
    path = tmp_path / "made.csv"
    lines = [
        "arch,test",
        *(
            f"{code},{90 + number % 4}"
            for number, code in enumerate(NAS_BENCH_201.format_many(range(NAS_BENCH_201.size)))
        ),
    ]
    path.write_text("\n".join(lines))
    mapping = ColumnMapping("arch", (("test", "cifar10", "test"),))
    import_table(path, name="made", mapping=mapping, data_dir=searched)
    page = open_page(SCRIPT, accuracy="test", cell="params/snas")
    table = grid(page)
    measured = float(table.loc["#params", "SNAS"].split()[0])
    assert table.loc["#params", "Δ SNAS"] == f"{measured - 93.91:+.2f}".replace("-", "−")
    assert not [text for text in page.warning if "another scale" in text.value]
    commands = "\n".join(code.value for code in page.code)
    assert (
        "fewshot results --dataset cifar10 --accuracy test --table made "
        "--evidence 2x1-synthetic-untrained-smoke-test"
    ) in commands


def test_claims_are_checked_on_the_runs_that_are_here(searched: Path, open_page: Open):
    assert not open_page(SCRIPT).expander  # they are computed only when the tab is opened
    page = open_page(SCRIPT, results="Claims")
    claims = {box.label.partition(" :")[0]: box for box in page.expander}
    assert list(claims) == [claim.title for claim in CLAIMS]
    splitting = claims[CLAIMS[0].title]
    assert splitting.label.endswith(":gray-badge[not measured] :green-badge[paper: holds]")
    said = " ".join(text.value for text in splitting.markdown)
    assert CLAIMS[0].statement in said and "Better in 107 of 120" in said
    halving = claims["Successive halving discards the best sub-supernet early"]
    assert halving.label.endswith(":gray-badge[smoke test]")
    assert "Reason" not in " ".join(text.value for text in halving.markdown)
    rules = [caption.value for caption in halving.caption]
    assert any(f"Share rule: {SHARE_RULE}." in text for text in rules)
    assert not [box for box in page.expander if "holds]" in box.label and "paper" not in box.label]
    commands = "\n".join(code.value for code in page.code)
    assert "fewshot reproduce --accuracy validation --table nasbench201-validation" in commands


def test_numbers_are_of_the_evidence_that_is_chosen(split_data: Path, open_page: Open):
    for trees, decisions in {
        "the paper's": "the paper's three",
        "other sets of": "other three",
    }.items():
        title = f"trees over {trees} three decisions"
        box = open_page(SCRIPT, results="Findings", finding_0_numbers=title).expander[0]
        assert box.selectbox[0].value == title
        assert set(box.dataframe[0].value["decisions"]) == {decisions}
        assert len([text for text in box.markdown if "-badge[" in text.value]) == 3


def test_tables_are_exported(searched: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert {"export_csv", "export_md", "export_tex"} <= {
        button.proto.id.rpartition("-")[2] for button in page.get("download_button")
    }


def test_cells_show_measured_or_published_results(searched: Path, open_page: Open):
    assert list(open_page(SCRIPT, cells_show="Measured").dataframe[0].value.columns) == [
        "metric",
        "DARTS-1st",
        "DARTS-2nd",
        "SNAS",
        "DSNAS",
    ]
    published = grid(open_page(SCRIPT, cells_show="Published"))
    assert published.loc["grasp", "DARTS-1st"] == "92.17"


def test_no_search_of_a_part_is_a_result(split_data: Path, open_page: Open):
    keep_search(split_data, SubSpace.full().keep(5, [3]))
    assert (grid(open_page(SCRIPT))["SNAS"] == "–").all()
