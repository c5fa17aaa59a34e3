"""The limit of the cost on the pages, and accuracy against cost."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from recorded_searches import keep_searches
from streamlit.testing.v1 import AppTest

from fewshot_core.bench import ColumnMapping, TableColumn, import_table, load_accuracy
from fewshot_core.dashboard.shared.page import PAGES
from fewshot_core.space import NAS_BENCH_201, SubSpace
from fewshot_core.splitting.files import store_splits
from fewshot_core.splitting.tree import NamedSplit
from fewshot_core.store import Store

Open = Callable[..., AppTest]

DISTRIBUTIONS, COMPARE = "pages/2_Distributions.py", "pages/3_Compare.py"
HALVING, RESULTS, RUNS = "pages/5_Halving.py", "pages/6_Results.py", "pages/7_Runs.py"
HALVES = [" ".join([digits, *["11111"] * 5]) for digits in ("11100", "00011")]
KEY = "phones:ms"


@pytest.fixture(scope="module")
def costs_folder(split_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two splits and a latency: the index of an architecture over a thousand."""
    place = tmp_path_factory.mktemp("costs")
    folder, path = shutil.copytree(split_folder, place / "data"), place / "phones.csv"
    rows = [f"{NAS_BENCH_201.digits(index)},{index / 1000}" for index in range(15_625)]
    path.write_text("\n".join(["arch,ms", *rows]))
    cost = TableColumn("ms", "cost", unit="ms")
    import_table(path, mapping=ColumnMapping("arch", (), "digits", others=(cost,)), data_dir=folder)
    with closing(Store(folder)) as store:
        store.sync()
    return folder


@pytest.fixture
def costs(costs_folder: Path, use_copy: Callable[[Path], Path]) -> Path:
    return use_copy(costs_folder)


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def frame(page: AppTest, column: str):
    return next(table.value for table in page.dataframe if column in table.value)


@pytest.mark.parametrize("script", [page.path for page in PAGES])
def test_every_page_says_that_there_is_a_limit(script: str, costs: Path, open_page: Open):
    for at_most, within in (("6", "6,001"), ("0", "1")):  # one architecture costs nothing
        page = open_page(script, cost=KEY, at_most=at_most)
        assert not page.exception and not page.error
        expected = f"Only architectures with ms at most {at_most} ms count: {within} of 15,625."
        assert expected in captions(page)
    page = open_page(script, cost="nasbench201-validation:parameters", at_most="10")
    assert not page.exception and not page.error
    assert "No architecture with an accuracy has parameters at most 10" in page.warning[0].value


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


def test_searches_find_infeasible_architectures(costs: Path, open_page: Open):
    leaves = [SubSpace.from_rows(text.split(" ")) for text in HALVES]
    [split] = store_splits([NamedSplit("halves", "cifar10", tuple(leaves), None)], "mine", costs)
    runs = keep_searches(costs, leaves)
    low = min(run.records()[-1]["architecture_index"] for run in runs)
    limit = {"cost": KEY, "at_most": f"{(low + 50) / 1000:.2f}"}
    page = open_page(HALVING, split=f"file-{split}", **limit)
    assert not page.error
    assert "1 of 2 sub-supernets find an architecture beyond the limit" in captions(page)
    best = load_accuracy("cifar10", data_dir=costs)["accuracy_mean"][low]
    tiles = {tile.label: tile.value for tile in page.metric}
    assert tiles["Best found"] == f"{best:.2f}%"
    [command] = [code.value for code in page.code if "fewshot halve" in code.value]
    assert f"--at-most {KEY}={limit['at_most']}" in command
    page = open_page(RESULTS, **limit)
    assert not page.error
    assert page.info[0].value.startswith("1 search of 2 found an architecture beyond the limit (ms")
    found_on_runs = frame(open_page(RUNS, **limit), "found").set_index("run")["found"]
    assert found_on_runs.notna().sum() == 1
    # Feasible architectures, but no search found one.
    page = open_page(HALVING, split=f"file-{split}", cost=KEY, at_most="0")
    assert "no architecture that is found by epoch 2 is within the limit" in page.error[0].value
    page = open_page(RESULTS, cost=KEY, at_most="0")
    assert page.info[0].value.startswith("2 searches of 2 found") and not page.error


def test_the_limit_of_a_link_is_of_a_cost_that_is_here(costs: Path, open_page: Open):
    page = open_page(COMPARE, cost="nowhere:ms", at_most="ten")
    assert "There is no such cost here" in page.warning[0].value
    assert not page.exception and page.selectbox(key="cost").value == ""


def test_splits_are_compared_by_gain_under_the_limit_and_by_their_cost(
    costs: Path, open_page: Open
):
    free = frame(open_page(COMPARE), "gain, bits").set_index("split")
    assert free["training"].between(3, 7).all()
    assert free["memory"].str.endswith("GB").all() and free["scoring"].notna().all()
    page = open_page(COMPARE, cost=KEY, at_most="6")
    assert any("(top 1% with ms at most 6 ms, " in text.value for text in page.markdown)
    limited = frame(page, "gain, bits").set_index("split")
    assert set(limited.index) == set(free.index)
    assert (limited["gain, bits"] - free.loc[limited.index, "gain, bits"]).abs().min() > 1e-6
