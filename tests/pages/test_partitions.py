"""Splits from files, and partitions that are no splits into products of operation sets."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.space import SubSpace, partition_by_rule, partition_of
from fewshot_core.splitting.files import imported_names, open_imported, store_splits
from fewshot_core.splitting.tree import NamedSplit

Open = Callable[..., AppTest]

DATA, SPLIT, COMPARE = "pages/8_Data.py", "pages/1_Split.py", "pages/3_Compare.py"
FULL = SubSpace.full()
MASKS = [FULL.keep(0, [3]).rows, FULL.keep(0, [0, 1, 2, 4]).rows]


def upload(page: AppTest, masks: list[list[str]]) -> None:
    content = json.dumps({"splits": {"own": {"cifar10": masks}}}).encode()
    page.file_uploader(key="split_files").upload("own.json", content, "application/json").run()


def test_splits_are_imported_after_a_preview_and_removed(split_data: Path, open_page: Open):
    page = open_page(DATA, data="Splits")
    upload(page, [FULL.rows, FULL.keep(0, [3]).rows])
    assert "3,125 are in more than one" in page.error[0].value
    page = open_page(DATA, data="Splits")
    upload(page, MASKS)
    assert any("own (2 groups)" in text.value for text in page.markdown)
    page.button(key="import_splits").click().run()
    assert page.toast[0].value.startswith("Imported 1 split: ")
    page.button(key="remove_split").click().run()
    assert imported_names(split_data) == []
    assert not page.exception


@pytest.fixture
def partition(split_data: Path) -> str:
    """The key of a partition by a rule, on CIFAR-10."""
    groups = partition_by_rule("active-convolutions")
    split = NamedSplit("active-convolutions", "cifar10", groups, source="rule active-convolutions")
    (name,) = store_splits([split], "", split_data)
    return f"file-{name}"


def test_a_rule_is_imported_for_every_data_set(split_data: Path, open_page: Open):
    page = open_page(DATA, data="Splits")
    page.selectbox(key="split_rule").set_value("cost-quantile").run()
    offered = page.selectbox(key="split_cost").options
    assert "nasbench201-validation:parameters" in offered and not page.exception
    page.selectbox(key="split_rule").set_value("active-convolutions").run()
    page.button(key="import_splits").click().run()
    assert not page.exception and not page.error
    names = imported_names(split_data)
    assert len(names) == 3
    found = open_imported(names[0], split_data)
    assert found.leaves == partition_by_rule("active-convolutions")
    listed = next(frame.value for frame in page.dataframe if "what" in frame.value)
    assert set(listed["what"]) == {"partition"}
    assert set(listed["source"]) == {"rule active-convolutions"}


def test_a_partition_has_groups_in_place_of_a_tree(partition: str, open_page: Open):
    page = open_page(SPLIT, split=partition)
    assert not page.exception and not page.error and not page.get("plotly_chart")
    [finding] = [text.value for text in page.markdown if "the best tree gains" in text.value]
    assert "the 7 groups of active-convolutions gain 0." in finding
    groups = next(frame.value for frame in page.dataframe if "label" in frame.value)
    assert groups["label"].tolist() == list("0123456")
    assert groups["size"].sum() == 15_625
    assert len(page.dataframe) == 1
    assert any("a partition; rule active" in caption.value for caption in page.caption)


@pytest.mark.parametrize("script", ["pages/4_Search.py", "pages/5_Halving.py"])
def test_what_needs_a_supernet_says_that_a_partition_has_none(
    script: str, partition: str, open_page: Open
):
    page = open_page(script, split=partition)
    assert not page.exception
    assert any("no product of operation sets" in info.value for info in page.info)


def test_distributions_work_on_a_partition(partition: str, open_page: Open):
    text = FULL.space.format(13714)
    page = open_page("pages/2_Distributions.py", split=partition, sub_space="S3", architecture=text)
    assert not page.exception and not page.error
    assert page.success[0].value.startswith("**S")
    shown = next(frame.value for frame in page.dataframe if "label" in frame.value)
    assert len(shown) == 7


def test_a_large_partition_is_drawn_in_bounded_figures(split_data: Path, open_page: Open):
    groups = partition_of(np.arange(15_625) % 400)
    (name,) = store_splits([NamedSplit("many", "cifar10", groups)], "", split_data)
    page = open_page("pages/2_Distributions.py", split=f"file-{name}", sub_space="S400")
    assert not page.exception and not page.error
    for chart in page.get("plotly_chart")[:2]:
        text = chart.proto.spec
        assert len(text) < 150_000
        assert "other: the 369 of 400 with the fewest top ones" in text and "S400" in text


def test_splits_are_compared_with_a_partition(partition: str, open_page: Open):
    page = open_page(COMPARE, split=partition)
    assert not page.exception and not page.error
    table = next(frame.value for frame in page.dataframe if "of bound" in frame.value)
    assert 0 < table["of bound"].iloc[0] < 100
    assert 0 < table["best tree, bits"].iloc[0] < table["bound, bits"].iloc[0]
    gained = 100 * table["gain, bits"] / table["best tree, bits"]
    assert table["of best"].tolist() == pytest.approx(gained.tolist())
    # Agreement is of groupings, also with what rests on other things.
    page = open_page(COMPARE, split=partition, compare="Agreement")
    computed = page.multiselect(key="agree_with").options
    assert len(computed) == 2 and not page.multiselect(key="agree_with").value
    page.multiselect(key="agree_with").set_value([computed[0]]).run()
    assert not page.exception and page.get("plotly_chart")
    [finding] = [text.value for text in page.markdown if "agree most" in text.value]
    assert "active-convolutions" in finding
    for tab in ("Keep k", "Other data sets"):
        page = open_page(COMPARE, split=partition, compare=tab)
        assert not page.exception and not page.error


@pytest.mark.parametrize("script", ["app.py", "pages/6_Results.py"])
def test_other_pages_open_with_a_partition(script: str, partition: str, open_page: Open):
    page = open_page(script, split=partition)
    assert not page.exception and not page.error
