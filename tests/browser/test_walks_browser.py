"""Ways through the app: imports, images, links, two tabs, keyboard, phone."""

import io
import json
import random
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_names import hostile, make_hostile_folder
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, ViewportSize, expect

from fewshot_core.dashboard.shared.page import APP_NAME, PAGES
from fewshot_core.runs import Network, RunFolder, SearchRequest, SplitRequest, list_runs, start
from fewshot_core.search import PRESETS
from fewshot_core.space import NAS_BENCH_201, SubSpace
from fewshot_core.splitting import TreeOptions
from fewshot_core.splitting.files import masks_of_splits
from fewshot_core.splitting.tree import NamedSplit

Visit = Callable[..., Page]
Serve = Callable[[Path], AbstractContextManager[str]]
Screenshot = Callable[[Page, str], None]

SECONDS = 120_000
# Every page, with a tab or an option of it that is not the first one.
PLACES: list[tuple[str, Literal["radio", "tab"], str]] = [
    ("/", "radio", "test"),
    ("/Split", "tab", "Sub-spaces"),
    ("/Distributions", "radio", "Violin"),
    ("/Compare", "tab", "Agreement"),
    ("/Search", "tab", "One search"),
    ("/Halving", "tab", "Schedules"),
    ("/Estimates", "radio", "test"),
    ("/Results", "radio", "test"),
    ("/Runs", "radio", "test"),
    ("/Data", "tab", "Images"),
    ("/About", "radio", "Terms"),
]
WINDOW: ViewportSize = {"width": 1500, "height": 1500}
# A window at 200% of 1280x720, and a phone.
SIZES = [("zoomed", 640, 360), ("phone", 390, 844)]
# Whether an element has the focus, or is selected, once the page has drawn itself after a key.
ONCE_DRAWN = """element => new Promise(answer => {
  const ask = () => answer(STATE);
  requestAnimationFrame(() => requestAnimationFrame(ask));
})"""
HAS_FOCUS = ONCE_DRAWN.replace("STATE", "element === document.activeElement")
IS_SELECTED = ONCE_DRAWN.replace("STATE", "element.ariaSelected === 'true'")
# Whether no part of the page is beyond the right edge of its window.
FITS = """() => {
  const main = document.querySelector("[data-testid=stMain]");
  return main && main.scrollWidth <= main.clientWidth;
}"""


@pytest.fixture(scope="package")
def split(data_folder: Path, wait_for: Callable[[RunFolder], RunFolder]) -> str:
    """The name of a split with two sub-spaces that were searched."""
    tree = TreeOptions.create((0,))
    request = SplitRequest("cifar10", "params", network=Network(2, 1), tree=tree)
    made = wait_for(start(request, data_folder))
    options = replace(PRESETS.get("smoke").search, epochs=2)
    grown = made.tree()
    assert grown is not None
    for leaf in grown.leaves:
        rows = tuple(leaf.rows)
        search = SearchRequest("cifar10", "dsnas", rows, options, images="synthetic")
        wait_for(start(search, data_folder))
    return made.run_id


def settle(page: Page) -> None:
    """Wait until the script has run, also once more for what it wrote into the URL."""
    page.wait_for_timeout(700)
    page.locator("[data-test-script-state=notRunning]").wait_for(state="attached")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def seen(page: Page) -> dict[str, list[str]]:
    """Return the texts by which a view is compared: title, split, open tabs, options, finding."""
    places = {
        "title": "h1",
        "split": ".st-key-pick_split",
        "tabs": "[role=tab][aria-selected=true]",
        "options": "[role=radio][aria-checked=true]",
        "finding": "[data-testid=stMain] strong >> nth=0",
    }
    return {name: page.locator(place).all_text_contents() for name, place in places.items()}


def press_until(page: Page, key: str, target: Locator, state: str = HAS_FOCUS) -> None:
    """Press a key until an element has the focus or is selected, as slowly as the page reacts."""
    for _ in range(80):
        page.keyboard.press(key)
        page.wait_for_timeout(100)
        if target.evaluate(state):
            return
    assert target.evaluate(state), f"{key} was pressed 80 times"


def write_images(folder: Path) -> None:
    """Write two images of each class of CIFAR-10."""
    choice = np.random.default_rng(0)
    rows: dict[str, list[object]] = {"img": [], "label": []}
    for label in [*range(10), *range(10)]:
        file = io.BytesIO()
        Image.fromarray(choice.integers(256, size=(32, 32, 3), dtype=np.uint8)).save(file, "PNG")
        rows["img"].append({"bytes": file.getvalue(), "path": None})
        rows["label"].append(label)
    folder.mkdir()
    for part in ("train", "test"):
        pq.write_table(pa.table(rows), folder / f"{part}-00000-of-00001.parquet")


def test_images_are_added_and_the_next_split_uses_them(
    visit: Visit, data_folder: Path, tmp_path: Path
):
    page = visit("/Data?data=Images")
    path = page.locator(".st-key-images_path input")
    add = page.get_by_role("button", name="Add", exact=True)
    panel = page.locator("details").filter(has_text="Add images")
    panel.wait_for()
    if panel.get_attribute("open") is None:  # it is open where there are no real images
        panel.locator("summary").click()
    path.fill(str(tmp_path / "nowhere"))
    add.click()
    expect(page.get_by_role("alert").filter(has_text="nowhere")).to_be_visible()
    write_images(tmp_path / "tiny-cifar")
    path.fill(str(tmp_path / "tiny-cifar"))
    add.click()
    expect(page.get_by_test_id("stToast")).to_contain_text("New splits and searches use them")

    page.get_by_test_id("stSidebar").get_by_role("link", name="Split").click()
    page.get_by_role("button", name="New split").click()
    page.locator(".st-key-metric input").fill("snip")
    page.locator(".st-key-metric input").press("Enter")
    expect(page.locator(".st-key-images_cifar10 input")).to_have_value(re.compile("tiny-cifar"))
    page.locator("summary").filter(has_text="Advanced").click()
    for key, value in (("channels", "2"), ("cells", "1"), ("batch_size", "4")):
        field = page.locator(f".st-key-{key} input")
        field.fill(value)
        field.press("Enter")
    settle(page)
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".st-key-pick_split")).to_contain_text("snip", timeout=SECONDS)
    [run] = [run for run in list_runs(data_folder) if "snip" in run.run_id]
    tree = run.tree()
    assert tree is not None and tree.details["synthetic"] is False


def test_every_import_confirms_what_it_stored_and_refuses_what_is_wrong(
    visit: Visit, tmp_path: Path
):
    toast = "stToast"

    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    def refuse_then_take(page: Page, key: str, wrong: Path, right: Path, said: str) -> None:
        upload = page.locator(f".st-key-{key} input[type=file]")
        importing = page.get_by_role("button", name="Import", exact=True)
        for file in (wrong, right):
            upload.set_input_files(file)
            settle(page)
            if file is wrong and importing.count():
                importing.click()
            if file is wrong:
                problem = page.get_by_role("alert").filter(has_text=re.compile("expected|cannot"))
                expect(problem.first).to_be_visible()
                page.locator(f".st-key-{key}").get_by_role("button", name="Remove").first.click()
                settle(page)
        importing.click()
        expect(page.get_by_test_id(toast).filter(has_text=said)).to_be_visible()
        page.close()

    page = visit("/Data")
    choice = random.Random(0)
    rows = [f"{index},{choice.uniform(80, 95):.2f}" for index in range(NAS_BENCH_201.size)]
    head = "architecture_index,cifar10_test_accuracy\n"
    wrong = write("wrong.csv", head + "\n".join([*rows[1:], "0,nan"]))
    refuse_then_take(page, "table_upload", wrong, write("walk.csv", head + "\n".join(rows)), "walk")

    page = visit("/Data?data=Splits")
    whole = SubSpace.full()
    halves = NamedSplit("by-hand", "cifar10", (whole.keep(0, [0, 1]), whole.keep(0, [2, 3, 4])))
    masks = masks_of_splits([halves])
    right = write("halves.json", json.dumps(masks))
    masks["splits"]["by-hand"]["cifar10"].pop()
    wrong = write("half.json", json.dumps(masks))
    refuse_then_take(page, "split_files", wrong, right, "Imported 1 split")

    page = visit("/Halving?halving_tab=Import+curves")
    head = "sub_space,epoch,valid_accuracy,test_accuracy\n"
    wrong = write("curves-wrong.csv", f"{head}S1,0,many,90\n")
    right = write("curves-right.csv", f"{head}S1,0,10,90\nS2,0,20,80\nS1,1,30,91\nS2,1,20,82\n")
    refuse_then_take(page, "curves_file", wrong, right, "Imported the curves curves-right")


def test_every_page_fits_any_width_and_its_link_shows_the_same_view_in_a_private_window(
    visit: Visit, screenshot: Screenshot, private: BrowserContext, split: str
):
    assert len(PLACES) == len({path for path, _, _ in PLACES}) == len(PAGES)
    other = private.new_page()
    for path, role, name in PLACES:
        page, file = visit(f"{path}?split={split}"), path.strip("/").lower() or "home"
        settle(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        screenshot(page, f"{file}-light")
        for size, width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(1000)
            page.wait_for_function(FITS)
            expect(page.get_by_role("heading", level=1).first).to_be_visible()
            screenshot(page, f"{file}-{size}")
        page.set_viewport_size(WINDOW)
        page.get_by_role(role, name=name, exact=True).first.click()
        settle(page)
        other.goto(page.url)
        other.get_by_role("heading", level=1).first.wait_for()
        settle(other)
        deadline = time.monotonic() + SECONDS / 1000
        while seen(other) != seen(page):  # it is still being drawn
            assert time.monotonic() < deadline, (path, seen(other), seen(page))
            time.sleep(0.2)
        assert other.url == page.url
        expect(other.get_by_test_id("stException")).to_have_count(0)
        page.close()


def test_every_page_is_drawn_in_the_dark(visit: Visit, screenshot: Screenshot, split: str):
    page = visit(f"/?split={split}", "dark")
    for path, _, _ in PLACES:
        file = path.strip("/") or "Home"
        page.get_by_test_id("stSidebar").get_by_role("link", name=file, exact=True).click()
        title = APP_NAME if path == "/" else file
        page.get_by_role("heading", name=title, level=1).wait_for()
        settle(page)
        assert f"split={split}" in page.url
        expect(page.get_by_test_id("stException")).to_have_count(0)
        screenshot(page, f"{file.lower()}-dark")


@pytest.mark.parametrize(
    ("pushed", "entries"),
    [
        (["/About?a=2", "/Data?a=2"], 1),  # Streamlit wrote the parameters before the path
        (["/About?a=2", "click", "/Data?a=2"], 2),
        (["/About?a=2", "/Data?a=3"], 2),
        (["/About?a=1&plan=p"], 0),
        (["/About?a=1&other=o"], 1),
        (["/Data?a=1"], 1),
    ],
)
def test_opening_a_page_is_one_entry_of_the_history(visit: Visit, pushed: list[str], entries: int):
    page = visit("/About")
    settle(page)
    page.evaluate("history.pushState({}, '', '/About?a=1')")
    page.evaluate("dispatchEvent(new Event('click'))")
    before = page.evaluate("history.length")
    for url in pushed:
        script = f"history.pushState({{}}, '', '{url}')"
        page.evaluate("dispatchEvent(new Event('click'))" if url == "click" else script)
    assert page.evaluate("history.length") == before + entries
    assert page.evaluate("location.pathname + location.search") == pushed[-1]


def test_two_tabs_show_two_data_sets(visit: Visit, split: str):
    first, second = visit("/Compare?dataset=cifar10"), visit("/?dataset=cifar100")
    picker = first.locator(".st-key-pick_split button").first
    expect(picker).to_be_visible()
    settle(first)
    assert first.evaluate("history.length") == 2  # an empty page, and this one with all its choices
    before = picker.text_content() or ""
    second.get_by_test_id("stSidebar").get_by_role("link", name="Compare").click()
    expect(second.get_by_text("No split of CIFAR-100 is finished yet")).to_be_visible()
    first.get_by_role("tab", name="Agreement").click()
    settle(first)
    expect(first.locator(".st-key-dataset input")).to_have_value("CIFAR-10")
    assert "dataset=cifar10&" in f"{first.url}&" and "dataset=cifar100" in second.url
    expect(picker).to_have_text(before)
    expect(second.get_by_text("No split of CIFAR-100 is finished yet")).to_be_visible()


def test_the_way_to_the_sub_spaces_of_a_split_needs_only_the_keyboard(visit: Visit, split: str):
    page = visit("/")
    press_until(page, "Tab", page.get_by_test_id("stSidebar").get_by_role("link", name="Split"))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Split", level=1).wait_for()
    settle(page)
    tabs = page.get_by_role("tab")
    press_until(page, "Tab", tabs.first)
    sub_spaces = page.get_by_role("tab", name="Sub-spaces")
    press_until(page, "ArrowRight", sub_spaces, IS_SELECTED)
    # In a busy browser it can lose the focus then; keys go on from it, and back to it.
    page.keyboard.press("Tab")
    press_until(page, "Shift+Tab", sub_spaces)
    page.keyboard.press("Enter")
    page.locator('[class*="st-key-split_sub_spaces"]').wait_for()
    page.wait_for_url("**details=Sub-spaces*")
    press_until(page, "Tab", page.get_by_role("button", name="Export this figure").first)
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="SVG").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


# Elements that only a name can have made: pictures, links, formulas, icons, marked-up letters.
MADE_OF_NAMES = r"""() => {
  const kinds = [
    'img[src*="hostile.invalid"]', 'a[href*="//hostile.invalid"]', 'a[href^="javascript"]',
    'a[href*="x.org"]:not([data-testid=stPageLink-NavLink])', '.katex', 'img[alt="Streamlit logo"]',
    '[data-testid=stMain] [aria-label="home icon"]', '.stMarkdownColoredText:empty'];
  const letters = [...document.querySelectorAll('strong, b, em, code, del, tspan, span')];
  const found = [...document.querySelectorAll(kinds)].concat(
    letters.filter(made => /^[bcdefr]$/.test(made.textContent.trim())));
  return found.map(made => made.outerHTML);
}"""
# All pages, and a name that some show as messages, sentences, labels, figures and their hovers.
NAMED_PAGES: list[tuple[str, str, str | None]] = [
    ("nas-bench-201", "/", "cost"),
    ("nas-bench-201", "/Distributions?show=Cost", "cost"),
    ("nas-bench-201", "/Runs?run=split-failed", "message"),
    ("declared", "/Halving?", "curve"),
    ("declared", "/Split", None),
    *(
        ("nas-bench-201", f"/{name}", None)
        for name in ("Compare", "Search", "Estimates", "Results", "Data", "About")
    ),
]


def test_names_from_files_are_text_and_make_no_page_wider(
    visit: Visit, serve: Serve, tmp_path: Path, screenshot: Screenshot
):
    queries = make_hostile_folder(tmp_path / "data")
    with serve(tmp_path / "data") as address:
        for space, path, name in NAMED_PAGES:
            page = visit(f"{address}{path}{'&' if '?' in path else '?'}{urlencode(queries[space])}")
            settle(page)
            page.wait_for_timeout(500)
            for box in page.locator(".js-plotly-plot .nsewdrag").all()[:2]:
                box.hover()
            assert page.evaluate(MADE_OF_NAMES) == [], path
            shown = page.locator("body").inner_text() + str(
                page.locator("svg text, input").evaluate_all(
                    "all => all.map(one => one.value || one.textContent).join(' ')"
                )
            )
            wanted = "" if name is None else hostile(name)
            wanted = re.sub("[\u202a-\u202e]", "", wanted)[:420]
            assert wanted in re.sub("[\u202a-\u202e\u2060]", "", shown), path
            page.wait_for_function(FITS)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            screenshot(page, f"names-{path.strip('/').partition('?')[0].lower() or 'home'}")
            page.close()
