"""The Estimates page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.bench import (
    ColumnMapping,
    TableColumn,
    import_table,
    list_columns,
    load_accuracy,
    store_estimate,
)
from fewshot_core.runs import list_runs
from fewshot_core.space import NAS_BENCH_201, get_space, partition_by_rule
from fewshot_core.splitting.files import store_splits
from fewshot_core.splitting.tree import NamedSplit

Open = Callable[..., AppTest]

SCRIPT = "pages/9_Estimates.py"


@pytest.fixture
def estimates(split_data: Path, tmp_path: Path) -> Path:
    """A data folder with two splits and two estimates: accuracy itself, and its negative."""
    table = load_accuracy("cifar10", data_dir=split_data)
    frame = table[["architecture"]].assign(
        truth=table["accuracy_mean"], opposite=-table["accuracy_mean"]
    )
    path = tmp_path / "guesses.csv"
    frame.to_csv(path, index=False)
    columns = tuple(TableColumn(name, "estimate", "cifar10") for name in ("truth", "opposite"))
    mapping = ColumnMapping("architecture", (), "index", others=columns)
    import_table(path, mapping=mapping, data_dir=split_data)
    return split_data


def table(page: AppTest):
    return next(each.value for each in page.dataframe if "tau of the top" in each.value)


def test_estimates_are_ranked_in_the_space_and_in_the_split_in_view(
    estimates: Path, open_page: Open
):
    page = open_page(SCRIPT)
    [finding] = [text for text in page.markdown if "ranks best" in text.value]
    assert finding.value.startswith("**truth ranks best: Kendall's tau 1.000** with validation")
    assert "1.00 to 1.00, between them 1.00" in finding.value
    assert finding.value.endswith(
        "loses 0.00, taking the sub-space that it rates highest 0.00 points."
    )
    assert "**Kendall's tau**" in finding.help
    rows = table(page).set_index("estimate")
    assert rows.loc["truth", ["tau", "rho", "tau of the top"]].tolist() == pytest.approx([1] * 3)
    assert rows.loc["opposite", "tau"] == pytest.approx(-1)
    assert rows.loc["opposite", "regret"] > 80
    assert any("estimates_csv" in b.proto.id for b in page.get("download_button"))
    [command] = [code.value for code in page.code if "fewshot estimates" in code.value]
    assert "--estimate guesses:truth --estimate guesses:opposite --run split-" in command
    page = open_page(SCRIPT, estimates="guesses:opposite", estimates_tab="Sub-spaces")
    inside = next(each.value for each in page.dataframe if "its accuracy" in each.value)
    assert len(inside) == 8 and (inside["regret"] >= 0).all()
    page = open_page(SCRIPT, estimates_tab="Against accuracy", against="opposite")
    assert page.get("plotly_chart")


def test_estimates_are_listed_and_imported_on_the_data_page(estimates: Path, open_page: Open):
    page = open_page("pages/8_Data.py")
    listed = next(each.value for each in page.dataframe if "architectures" in each.value)
    assert listed["column"].tolist()[-2:] == ["estimate truth", "estimate opposite"]
    path = estimates / "more.csv"
    rows = [f"{index:d},{index / 3}" for index in range(15_625)]
    path.write_text("\n".join(["architecture,few_shot", *rows]))
    page.text_input(key="table_path").set_value(str(path)).run()
    assert page.selectbox(key="map_column_few_shot").value == "estimate"
    page.selectbox(key="map_column_few_shot").set_value("cifar100 estimate").run()
    page.button(key="import_table").click().run()
    assert not page.exception and not page.error
    [(info, column)] = list_columns("estimate", "cifar100", estimates)
    assert (info.name, column.name, column.complete) == ("more", "few_shot", True)


def test_the_estimates_of_a_space_are_forgotten_with_it(estimates: Path, open_page: Open):
    column = TableColumn("luck", "estimate", "cifar10")
    macro = get_space("nas-bench-macro")
    store_estimate("macro", {0: 1.0, 1: 2.0}, column, "by hand", macro, estimates)
    page = open_page(SCRIPT, estimates="guesses:opposite", against="opposite")
    assert page.multiselect(key="estimates").value == ["guesses:opposite"]
    page.selectbox(key="space").set_value(macro.name).run()
    assert not page.exception and not page.error
    assert "estimates" not in page.query_params and "against" not in page.query_params
    assert not any("opposite" in text.value for text in page.markdown)
    page.selectbox(key="space").set_value("nas-bench-201").run()
    assert page.multiselect(key="estimates").value == ["guesses:truth", "guesses:opposite"]


def test_a_sample_is_not_ranked_beside_whole_estimates(estimates: Path, open_page: Open):
    column = TableColumn("perfect", "estimate", "cifar10")
    truth = load_accuracy("cifar10", data_dir=estimates)["accuracy_mean"].tolist()
    store_estimate("few", dict(enumerate(truth[:50])), column, "x", NAS_BENCH_201, estimates)
    groups = partition_by_rule("convolutions")
    split = NamedSplit("convolutions", "cifar10", groups)
    (name,) = store_splits([split], "", estimates)
    query = {"estimates": "few:perfect,guesses:opposite", "estimates_tab": "Sub-spaces"}
    page = open_page(SCRIPT, split=f"file-{name}", **query)
    assert not page.exception and not page.error
    assert any(text.value.startswith("**opposite ranks:") for text in page.markdown)
    inside = next(each.value for each in page.dataframe if "its accuracy" in each.value)
    assert inside["label"].tolist() == list("0123456")


def test_without_estimates_the_page_says_how_to_get_some(split_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert any("**No estimates yet.**" in text.value for text in page.markdown)


def test_an_estimate_of_a_link_that_is_not_here_is_named(estimates: Path, open_page: Open):
    page = open_page(SCRIPT, estimates="gone:luck,guesses:truth")
    assert page.multiselect(key="estimates").value == ["guesses:truth"]
    assert any("gone:luck" in code.value for code in page.code)


def test_architectures_are_scored_from_a_form(empty_data: Path, open_page: Open, wait_for):
    page = open_page(SCRIPT)
    page.button(key="new_estimate").click().run()
    assert page.query_params["new"] == "estimate"
    assert "random" not in page.selectbox(key="metric").options
    page.selectbox(key="metric").set_value("params").run()
    assert not any(box.label == "Images" for box in page.selectbox)
    page.segmented_control(key="scored").set_value("a random sample").run()
    page.number_input(key="sample").set_value(40).run()
    page.number_input(key="sample_seed").set_value(3).run()
    assert "was timed on this device yet" in "\n".join(text.value for text in page.caption)
    page.button(key="measure_steps").click().run()
    assert any("estimated from architectures on" in text.value for text in page.caption)
    page.button(key="start").click().run()
    assert not page.exception and "new" not in page.query_params
    [run] = list_runs(empty_data)
    request = wait_for(run).request()
    assert (request.metric, request.sample, request.sample_seed) == ("params", 40, 3)
    page.run()
    assert table(page)["architectures"].tolist() == [40]
    page.button(key="new_estimate").click().run()
    assert "These scores are on the page." in [text.value for text in page.caption]
    assert page.button(key="start").disabled
