"""Searches in a browser: a plan is started, its curves grow, it is stopped and goes on."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from fewshot_core.runs import Network, RunFolder, SplitRequest, list_runs, start
from fewshot_core.splitting import TreeOptions

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]

SECONDS = 240_000
# Long enough to be stopped on its way, short enough to be waited for.
EPOCHS = 30
# The sum of the last epochs of all curves; only their coloured lines have names.
DRAWN = """() => {
    const plot = document.querySelector(".st-key-search_curves .js-plotly-plot");
    const curves = ((plot && plot.calcdata) || []).filter(points => points[0].trace.name in NAMES);
    return curves.map(points => points[points.length - 1].x).reduce((sum, x) => sum + x, 0);
}""".replace("NAMES", "{S1: 0, S2: 0}")


@pytest.fixture
def two_leaves(data_folder: Path) -> RunFolder:
    """A finished split with two sub-spaces."""
    tree = TreeOptions.create((0,))
    folder = start(SplitRequest("cifar10", "params", network=Network(2, 1), tree=tree), data_folder)
    deadline = time.monotonic() + 120
    while folder.status().state.active:
        assert time.monotonic() < deadline, folder.log_tail()
        time.sleep(0.1)
    return folder


def drawn(page: Page) -> int:
    return int(page.evaluate(DRAWN))


def wait_until_drawn(page: Page, epochs: int) -> None:
    page.wait_for_function(f"({DRAWN})() >= {epochs}", timeout=SECONDS)


def wait_until_still(page: Page) -> None:
    page.wait_for_timeout(2000)
    page.locator("[data-test-script-state=notRunning]").wait_for(state="attached")


def test_a_plan_is_started_watched_stopped_and_resumed(
    two_leaves: RunFolder, data_folder: Path, visit: Visit, screenshot: Screenshot
):
    form = f"preset=Smoke+test&algorithm=DSNAS&smoke_epochs={EPOCHS}"
    page = visit(f"/Search?split={two_leaves.run_id}&{form}")
    expect(page.get_by_text("in this split was started yet")).to_be_visible()
    page.get_by_role("button", name="New search").click()
    expect(page.get_by_role("dialog")).to_contain_text("2 searches")
    screenshot(page, "search-plan")
    page.get_by_role("button", name="Start 2 searches").click()
    wait_until_drawn(page, 1)
    wait_until_drawn(page, drawn(page) + 1)
    screenshot(page, "search-running")
    stop = page.get_by_role("button", name="Stop")
    stop.click()
    expect(page.get_by_text(re.compile("2 searches: .*cancelled"))).not_to_have_count(0)
    expect(stop).to_have_count(0)
    stopped = drawn(page)
    assert 1 < stopped < 2 * EPOCHS
    page.get_by_role("button", name=re.compile("Resume")).click()
    wait_until_drawn(page, stopped + 1)
    expect(page.get_by_text("2 searches: 2 done")).not_to_have_count(0, timeout=SECONDS)
    wait_until_drawn(page, 2 * EPOCHS)
    expect(page.get_by_role("link", name="Replay in Halving")).to_have_attribute(
        "href", re.compile("curves=dsnas-2x1-(real|synthetic)-untrained-30-epochs")
    )
    page.get_by_role("link", name="Replay in Halving").click()
    page.wait_for_url("**/Halving?*curves=dsnas*")
    wait_until_still(page)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Search", exact=True).click()
    page.wait_for_url("**/Search?*plan=dsnas*")
    for title in ("Halving", "Search"):  # opening a page is one entry of the history
        wait_until_still(page)
        page.go_back()
        expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    page.wait_for_url("**/Search?*plan=dsnas*")
    page.get_by_role("tab", name="One search").click()
    page.get_by_role("radio", name="S2").click()
    expect(page.get_by_role("heading", name="S2, seed 777")).to_be_visible()
    page.wait_for_timeout(1500)
    screenshot(page, "search-done")
    searches = [run for run in list_runs(data_folder) if run.request().kind == "search"]
    assert [len(run.records()) for run in searches] == [EPOCHS + 1] * 2
    assert any("resuming after epoch" in run.log_tail(10_000) for run in searches)
