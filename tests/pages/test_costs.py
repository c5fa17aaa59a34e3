"""The limit of the cost on the pages, and accuracy against cost."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.bench import ColumnMapping, TableColumn, import_table, load_accuracy
from fewshot_core.dashboard.shared.page import PAGES
from fewshot_core.space import NAS_BENCH_201

Open = Callable[..., AppTest]

DISTRIBUTIONS, COMPARE = "pages/2_Distributions.py", "pages/3_Compare.py"
KEY = "phones:ms"


@pytest.fixture
def costs(split_data: Path, tmp_path: Path) -> Path:
    """A data folder with two splits and a latency: the index of an architecture over a thousand."""
    path = tmp_path / "phones.csv"
    rows = [f"{NAS_BENCH_201.digits(index)},{index / 1000}" for index in range(15_625)]
    path.write_text("\n".join(["arch,ms", *rows]))
    cost = TableColumn("ms", "cost", unit="ms")
    mapping = ColumnMapping("arch", (), "digits", others=(cost,))
    import_table(path, mapping=mapping, data_dir=split_data)
    return split_data


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def frame(page: AppTest, column: str):
    return next(table.value for table in page.dataframe if column in table.value)


@pytest.mark.parametrize("script", [page.path for page in PAGES])
def test_every_page_says_that_there_is_a_limit(script: str, costs: Path, open_page: Open):
    for at_most, within in (("6", "6,001"), ("0", "1")):  # one architecture costs nothing
        page = open_page(script, cost=KEY, at_most=at_most)
        assert not page.exception and not page.error
        if script in ("pages/5_Halving.py", "pages/6_Results.py"):
            expected = f"The limit (ms at most {at_most} ms) does not apply on this page"
        else:
            expected = f"Only architectures with ms at most {at_most} ms count: {within} of 15,625."
        assert expected in captions(page)


def test_a_limit_restricts_what_is_top_and_is_in_the_url(costs: Path, open_page: Open):
    page = open_page(DISTRIBUTIONS)
    assert page.selectbox(key="cost").value == "" and "at most" not in captions(page)
    page.selectbox(key="cost").set_value(KEY).run()
    assert page.slider(key="at_most").value == pytest.approx(7.9)  # the median, rounded up
    page.slider(key="at_most").set_value(6.0).run()
    assert page.query_params["cost"] == KEY and page.query_params["at_most"] == "6"
    [command] = [code.value for code in page.code if "fewshot analyse" in code.value]
    assert "--threshold 0.01 --at-most phones:ms=6" in command
    within = load_accuracy("cifar10", data_dir=costs)["accuracy_mean"][:6001]
    page.query_params["show"] = "Cost"
    page.run()
    table = frame(page, "hypervolume").set_index("sub-space")
    assert table.loc["all", "known"] == 6001 == table["known"][1:].sum()
    assert table.loc["all", "best"] == within.max() == table["best"][1:].max()
    assert table.loc["all", "front"] == table["of all"][1:].sum()
    assert page.get("plotly_chart")
    finding = next(text.value for text in page.markdown if "Pareto front of ms" in text.value)
    assert f"**{table.loc['all', 'front']:,} of 6,001 architectures" in finding
    [command] = [code.value for code in page.code if "fewshot analyse" in code.value]
    assert "--at-most phones:ms=6 --cost phones:ms" in command
    page.selectbox(key="cost").set_value("nasbench201-validation:parameters").run()
    assert page.slider(key="at_most").value > 100_000  # not the limit of the other cost


def test_an_empty_feasible_set_is_explained(costs: Path, open_page: Open):
    params = {"cost": "nasbench201-validation:parameters", "at_most": "10"}
    for script in (DISTRIBUTIONS, COMPARE):
        page = open_page(script, **params)
        assert not page.exception and not page.error
        [warning] = page.warning
        assert warning.value == (
            "No architecture with an accuracy has parameters at most 10: it is between 73,306 and "
            "1.53 M; raise the limit."
        )
    page = open_page(COMPARE, cost="nowhere:ms", at_most="ten")
    assert "There is no such cost here" in page.warning[0].value
    assert not page.exception and page.selectbox(key="cost").value == ""


def test_splits_are_compared_by_gain_under_the_limit_and_by_their_cost(
    costs: Path, open_page: Open
):
    free = frame(open_page(COMPARE), "gain, bits").set_index("split")
    assert free["training"].between(3, 7).all()
    assert free["memory"].str.endswith("GB").all() and free["scoring"].notna().all()
    limited = frame(open_page(COMPARE, cost=KEY, at_most="6"), "gain, bits").set_index("split")
    assert set(limited.index) == set(free.index)
    assert (limited["gain, bits"] - free.loc[limited.index, "gain, bits"]).abs().min() > 1e-6
