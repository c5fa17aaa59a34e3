"""The Compare and Distributions pages, and splits that come from files."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.analysis import SplitEvaluator
from fewshot_core.runs import list_runs
from fewshot_core.space import SubSpace
from fewshot_core.splitting.files import store_splits
from fewshot_core.splitting.tree import NamedSplit

Open = Callable[..., AppTest]

SCRIPT, DISTRIBUTIONS = "pages/3_Compare.py", "pages/2_Distributions.py"
FULL = SubSpace.full()
BY_HAND = NamedSplit("byhand", "cifar10", (FULL.keep(0, [3]), FULL.keep(0, [0, 1, 2, 4])), None)


def summary(page: AppTest):
    return next(frame.value for frame in page.dataframe if "gain, bits" in frame.value)


def test_one_split_of_each_metric_is_compared(split_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    table = summary(page)
    assert len(table) == 2
    assert table["gain, bits"].is_monotonic_decreasing
    assert table["split"].iloc[0].startswith("#params")
    assert table["of best"].between(0, 100.0001).all()
    verdict = next(text for text in page.markdown if "there is no verdict" in text.value)
    assert "**random trees**: Splitting trees of the same shape" in verdict.help
    assert set(table["notes"]) == {"smoke test, synthetic, one seed", "smoke test, one seed"}
    page = open_page(SCRIPT, compare="Distributions")
    assert not any("gain, bits" in frame.value for frame in page.dataframe)
    page.button(key="export_compare_map").click().run()
    assert not page.exception
    exported = json.loads(page.get("bidi_component")[1].proto.json)["figure"]
    for note in ("smoke test", "synthetic", "2 channels, 1 cell", "table NAS-Bench-201"):
        assert note in exported


def test_imported_splits_are_compared_by_themselves(split_data: Path, open_page: Open):
    (name,) = store_splits([BY_HAND], "mine.json", split_data)
    page = open_page(SCRIPT)
    assert page.selectbox(key="evidence").options == [
        "imported, network unknown (1 split)",
        "2 channels, 1 cell · synthetic images · untrained · batch of 4 (2 splits)",
    ]
    assert page.multiselect(key="splits").value == [f"file-{name}"]
    assert list(summary(page)["split"]) == ["byhand · mine"]
    assert list(summary(page)["notes"]) == ["network unknown, one seed"]
    page.selectbox(key="evidence").set_value("2x1-synthetic-untrained-batch-of-4").run()
    assert not page.exception
    assert len(summary(page)) == 2
    own = next(key for key in page.multiselect(key="splits").value if "gradnorm" in key)
    page = open_page(
        SCRIPT, splits=f"{own},file-{name}", evidence="2x1-synthetic-untrained-batch-of-4"
    )
    assert page.multiselect(key="splits").value == [own]
    assert [warning.value for warning in page.warning] == [
        "1 split of the link cannot be compared with these: choose *imported, network unknown* "
        "under *Results with* to see it."
    ]
    page = open_page(SCRIPT, splits=own)
    assert page.query_params["evidence"] == "2x1-synthetic-untrained-batch-of-4"
    assert not page.warning


@pytest.mark.parametrize(
    ("tab", "said"),
    [
        ("Agreement", "Agreement of splits: "),
        ("Keep k", "with one sub-space kept"),
        ("Other data sets", "in % of that of the best tree there"),
    ],
)
def test_a_tab_computes_only_what_it_shows(
    tab: str, said: str, split_data: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    if tab != "Other data sets":
        monkeypatch.setattr(SplitEvaluator, "report", lambda *_: pytest.fail("trees were drawn"))
    page = open_page(SCRIPT, compare=tab)
    assert any(said in text.value for text in page.markdown)
    assert len(page.get("plotly_chart")) == (tab != "Other data sets")


def test_links_name_the_runs_that_are_compared(split_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert "splits" not in page.query_params
    (run,) = [run.run_id for run in list_runs(split_data) if "params" in run.run_id]
    page.multiselect(key="splits").set_value([run]).run()
    assert page.query_params["splits"] == run
    page = open_page(SCRIPT, splits=f"{run},split-of-nothing")
    assert page.multiselect(key="splits").value == [run]
    assert "This run is not in this data folder" in page.warning[0].value
    assert "split-of-nothing" in [code.value for code in page.code]


def test_an_empty_choice_explains_what_to_do(split_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    page.multiselect(key="splits").set_value([]).run()
    assert not page.exception
    assert "Choose two splits" in page.info[0].value


def test_an_imported_split_is_shown_on_every_page(split_data: Path, open_page: Open):
    (name,) = store_splits([BY_HAND], "mine.json", split_data)
    for script in ("app.py", "pages/1_Split.py", "pages/2_Distributions.py", SCRIPT):
        page = open_page(script, split=f"file-{name}")
        assert page.session_state["split"] == f"file-{name}"
        assert not page.error


def test_a_damaged_imported_split_is_named_and_the_rest_continues(
    split_data: Path, open_page: Open
):
    (name,) = store_splits([BY_HAND], "mine.json", split_data)
    (split_data / "splits" / f"{name}.json").write_text("{")
    page = open_page(SCRIPT)
    assert name in page.warning[0].value
    assert len(summary(page)) == 2


def test_the_split_in_view_is_exported_as_masks(split_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert {"export_labels", "export_tree", "export_masks", "export_configs"} <= {
        button.proto.id.rpartition("-")[2] for button in page.get("download_button")
    }


def test_all_splits_are_small_multiples_with_missing_ones_counted(
    split_data: Path, open_page: Open
):
    page = open_page("pages/2_Distributions.py", show="All metrics and data sets")
    said = "\n".join(caption.value for caption in page.caption)
    assert "2 of 6 splits exist" in said
    assert "No split of CIFAR-100 yet." in said
    assert [text.value for text in page.markdown if text.value.startswith("**")] == ["**CIFAR-10**"]
    charts = [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]
    assert [chart["layout"]["title"]["text"] for chart in charts] == ["gradnorm", "#params"]
    assert "Grey: the whole space. Diamond: the best architecture." in said
    assert all(len(chart.proto.spec) < 17_000 for chart in page.get("plotly_chart"))


def test_a_metric_has_a_row_where_several_data_sets_have_splits(split_data: Path, open_page: Open):
    others = [replace(BY_HAND, name=name, dataset="cifar100") for name in ("byhand", "other")]
    store_splits([BY_HAND, *others], "mine.json", split_data)
    page = open_page("pages/2_Distributions.py", show="All metrics and data sets")
    rows = [text.value for text in page.markdown if text.value.startswith("**")]
    assert rows == ["**byhand**", "**other**"]
    said = [caption.value for caption in page.caption]
    assert said.count("No split of CIFAR-10 yet.") == 1
    assert said.count("No split of CIFAR-100 yet.") == 0
    assert said.count("No split of ImageNet16-120 yet.") == 1
    page.selectbox(key="evidence").set_value("2x1-synthetic-untrained-batch-of-4").run()
    rows = [text.value for text in page.markdown if text.value.startswith("**")]
    assert rows == ["**CIFAR-10**"]


def test_resampled_trainings_say_how_sure_the_numbers_are(split_data: Path, open_page: Open):
    page = open_page(SCRIPT, compare="Training seeds")
    assert page.query_params["compare"] == "Training seeds"
    table = next(frame.value for frame in page.dataframe if "tables" in frame.value)
    assert list(table["tables"]) == [100, 100]
    assert (table["min"] <= table["mean"]).all() and (table["mean"] <= table["max"]).all()


def test_a_link_brings_a_sub_space_forward(split_data: Path, open_page: Open):
    page = open_page("pages/2_Distributions.py", sub_space="S3")
    assert any(heading.value.startswith("S3: ") for heading in page.subheader)
    assert page.query_params["sub_space"] == "S3"
    page = open_page("pages/2_Distributions.py", sub_space="S99")
    assert not any(heading.value.startswith("S99") for heading in page.subheader)


def test_an_architecture_is_found_by_its_string_and_marked(split_data: Path, open_page: Open):
    string = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|"
    page = open_page(DISTRIBUTIONS, architecture=f"{string}nor_conv_1x1~2|")
    said = page.success[0].value
    assert said.startswith("**S") and "rank 1 of 15,625, 91.61%" in said
    charts = [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]
    names = [trace.get("name") for chart in charts for trace in chart["data"]]
    assert names.count("architecture found") == 2  # in both figures: it is of the top
    page.text_input(key="architecture").set_value("|none~0|").run()
    assert page.error[0].value.startswith("This is not an architecture: expected ")
    assert not page.success and not page.exception


def test_importance_is_computed_from_the_whole_table(split_data: Path, open_page: Open):
    page = open_page(DISTRIBUTIONS, show="Importance", split="file-nothing")
    [found] = [text.value for text in page.markdown if "matters most" in text.value]
    assert "Edge 3\\<-0 matters most for validation accuracy on CIFAR-10" in found
    assert "alone it explains 12.5% of the variance" in found
    charts = [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]
    titles = [chart["layout"]["title"]["text"].partition("<")[0] for chart in charts]
    assert titles == [
        "Importance of edges",
        "Effects of operations",
        "Decisions of the top 1%",
        "Rank 1: 91.61%",
    ]
    assert [trace["name"] for trace in charts[2]["data"]] == ["whole space (157)"]
    assert sum(len(chart.proto.spec) for chart in page.get("plotly_chart")) < 150_000
    page = open_page(DISTRIBUTIONS, show="Importance")
    lines = json.loads(page.get("plotly_chart")[2].proto.spec)["data"]
    assert {trace["name"].partition(" ")[0] for trace in lines} <= {f"S{n}" for n in range(1, 9)}
