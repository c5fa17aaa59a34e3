"""Making splits in a browser, watching and exploring them, and sharing a link."""

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import psutil
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

from fewshot_core.bench import import_table, remove_table
from fewshot_core.images import list_sources
from fewshot_core.runs import RunFolder, SplitRequest, list_runs, start
from fewshot_core.space import SubSpace, get_space
from fewshot_core.splitting.files import remove_imported, store_splits
from fewshot_core.splitting.tree import NamedSplit

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]

SMALL = "channels=4&cells=1&batch_size=16"
SECONDS = 120_000
PROGRESS = re.compile("loading PyTorch|building the supernet|scoring")


def chart(page: Page) -> Locator:
    return page.locator(".js-plotly-plot .main-svg").first


def follow(page: Page, name: str) -> None:
    """Go to another page by the link in the sidebar."""
    page.get_by_test_id("stSidebar").get_by_role("link", name=name).click()


def make_split(page: Page, screenshot: Screenshot, name: str) -> None:
    """Press Start, see the form close and progress, and wait until the split has come into view."""
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Cancel").wait_for()
    expect(page.get_by_role("dialog")).to_have_count(0)
    bar = page.get_by_role("progressbar")
    expect(bar.first).to_be_visible()
    expect(page.get_by_text(PROGRESS).first).to_be_visible(timeout=SECONDS)
    screenshot(page, f"split-{name}-running")
    expect(page.locator(".st-key-pick_split")).to_contain_text(name, timeout=SECONDS)
    page.get_by_role("tab", name="Sub-spaces").wait_for()
    page.wait_for_timeout(1500)
    screenshot(page, f"split-{name}")


def export_figure(page: Page, screenshot: Screenshot, folder: Path) -> None:
    """Export the first figure of the page to files of each format, and read them."""
    page.get_by_role("button", name="Export this figure").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("img").first.wait_for()
    screenshot(page, "export")
    files = {}
    for label in ("SVG", "PDF", "PNG", "CSV", "Python"):
        with page.expect_download() as download:
            dialog.get_by_role("button", name=label).click()
        files[label] = folder / download.value.suggested_filename
        download.value.save_as(files[label])
    drawn = ElementTree.fromstring(files["SVG"].read_text("utf-8"))
    assert drawn.get("width") == "85mm"
    words = " ".join(drawn.itertext())
    assert "validation accuracy on CIFAR-10, %" in words and "S8" in words
    pdf = files["PDF"].read_bytes()
    [(width, height)] = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert float(width) / 72 * 25.4 == pytest.approx(85, abs=0.1)
    assert b"/FontFile" in pdf
    high = float(drawn.get("height", "").removesuffix("mm"))
    assert float(height) / 72 * 25.4 == pytest.approx(high, abs=0.1)
    with Image.open(files["PNG"]) as image:
        assert image.size == pytest.approx([side / 25.4 * 600 for side in (85, high)], abs=2)
        assert {image.getpixel((x, 2)) for x in (2, 900, image.width - 2)} == {(255,) * 4}
    assert files["CSV"].read_text("utf-8").startswith("sub_space,accuracy,density")
    assert "distributions_figure(" in files["Python"].read_text("utf-8")


def open_by_a_dot(page: Page, run: str) -> None:
    """Open a split by a click on its dot on Home, where it is the only one."""
    dot = page.locator(".st-key-home_metrics .points path").last
    dot.wait_for()
    page.wait_for_timeout(1000)
    box = dot.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.get_by_role("heading", name="Split", level=1).wait_for()
    page.wait_for_url(f"**/Split?*split={run}*")


@pytest.fixture
def two_splits(data_folder: Path, wait_for: Callable[[RunFolder], RunFolder]) -> None:
    """Two splits at least, where the tests before have not made them."""
    for seed in range(2 - len(list_runs(data_folder))):
        wait_for(start(SplitRequest("cifar10", "params", seed=seed), data_folder))


TWO_SPLITS = pytest.mark.usefixtures("two_splits")


def test_the_first_visit_says_what_to_do(visit: Visit, screenshot: Screenshot):
    page = visit("/")
    expect(page.get_by_role("button", name="Make a split")).to_be_visible()
    screenshot(page, "home-empty")


@pytest.mark.parametrize(("label", "metric"), [("%23params", "params"), ("gradnorm", "gradnorm")])
def test_a_split_is_made_from_the_page_and_its_distributions_are_drawn_and_exported(
    label: str,
    metric: str,
    visit: Visit,
    screenshot: Screenshot,
    data_folder: Path,
    tmp_path: Path,
):
    page = visit(f"/Split?new=split&metric={label}" + (f"&{SMALL}" if metric == "gradnorm" else ""))
    make_split(page, screenshot, metric)
    folder = next(run for run in list_runs(data_folder) if metric in run.run_id)
    tree = folder.tree()
    assert tree is not None
    assert len(tree.leaves) == 8
    if metric == "gradnorm":
        real = any(not source.synthetic for source in list_sources("cifar10", data_folder))
        assert tree.details["synthetic"] is not real
    follow(page, "Distributions")
    page.get_by_role("heading", name="Distributions", level=1).wait_for()
    page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()
    drawn = page.locator(".js-plotly-plot").first
    for word in [*(f"S{number}" for number in range(1, 9)), "validation accuracy on CIFAR-10, %"]:
        expect(drawn).to_contain_text(word)
    page.wait_for_timeout(1000)
    screenshot(page, f"distributions-{metric}")
    if metric == "params":
        page.get_by_role("button", name="Export this table").first.click()
        with page.expect_download() as download:
            page.get_by_role("dialog").get_by_role("button", name="LaTeX").click()
        assert "S8 & " in download.value.path().read_text("utf-8")
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        export_figure(page, screenshot, tmp_path)
        open_by_a_dot(visit("/"), folder.run_id)


@TWO_SPLITS
def test_a_row_brings_its_sub_space_forward_and_shows_a_cell(visit: Visit, screenshot: Screenshot):
    page = visit("/Distributions")
    table = page.get_by_test_id("stDataFrame").first
    table.wait_for()
    page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()
    page.wait_for_timeout(2000)  # the table is drawn on a canvas, which says nothing of itself
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 200, box["y"] + 38 + 35 + 17)  # anywhere in the row
    page.get_by_role("heading", name="S2:").first.wait_for()
    expect(page.get_by_role("figure", name="Rank ")).to_be_visible()
    page.wait_for_timeout(1000)
    screenshot(page, "distributions-chosen")


@TWO_SPLITS
def test_each_style_is_drawn_and_in_the_link(visit: Visit, screenshot: Screenshot):
    page, again = visit("/Distributions"), visit("/Distributions")
    for style in ("Violin", "Histogram", "Cumulative", "Overlay"):
        page.get_by_role("radio", name=style).click()
        page.wait_for_url(f"**style={style}*")
        chart(page).wait_for()
        page.wait_for_timeout(2000)
        chart(page).wait_for()
        screenshot(page, f"distributions-{style.lower()}")
        again.goto(page.url)
        expect(again.get_by_role("radio", name=style)).to_be_checked()


def test_a_choice_stays_on_the_way_to_another_page(visit: Visit):
    page = visit("/?dataset=cifar100")
    follow(page, "Distributions")
    page.get_by_role("heading", name="Distributions", level=1).wait_for()
    page.wait_for_url("**dataset=cifar100*")
    expect(page.get_by_text("No split of CIFAR-100 is finished yet")).to_be_visible()


def test_back_and_forward_restore_the_data_set(visit: Visit):
    page = visit("/")
    first, other = re.compile(r"/\?dataset=cifar10(&|$)"), re.compile(r"/\?dataset=cifar100(&|$)")
    page.wait_for_url(first)
    data_set = page.get_by_test_id("stSidebar").get_by_label("Data set").first
    data_set.click()
    page.get_by_role("option", name="CIFAR-100").click()
    page.wait_for_url(other)
    follow(page, "Distributions")
    page.wait_for_url("**/Distributions?dataset=cifar100*")
    for move, url, label in (
        (page.go_back, other, "CIFAR-100"),
        (page.go_back, first, "CIFAR-10"),
        (page.go_forward, other, "CIFAR-100"),
    ):
        move()
        page.wait_for_url(url)
        expect(page.locator(".st-key-dataset input")).to_have_value(label)


def test_the_form_is_usable_by_keyboard(visit: Visit):
    page = visit(f"/Split?metric=%23params&{SMALL}&seed=1&new=split")
    start = page.get_by_role("button", name="Start")
    start.wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if start.evaluate("element => element === document.activeElement"):
            break
    expect(start).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-pick_split")).to_contain_text("seed 1", timeout=SECONDS)


@TWO_SPLITS
def test_the_sliders_of_the_sidebar_keep_every_key_press(visit: Visit):
    page = visit("/Distributions?cost=nasbench201-validation:parameters&at_most=500000")
    page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()
    for key, there in (("top", "top=2.0"), ("at_most", "at_most=600000")):
        page.locator(f".st-key-{key}").get_by_role("slider").focus()
        for _ in range(10):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(150)
        page.wait_for_url(f"**{there}*")
    page.get_by_role("link", name="Compare").first.click()
    page.get_by_role("heading", name="Compare", level=1).wait_for()
    page.wait_for_url("**/Compare?*top=2.0*at_most=600000*")
    expect(page.get_by_test_id("stMain")).to_contain_text("with parameters at most 600,000 count")


def test_the_form_of_a_split_stays_open_when_the_metric_changes(visit: Visit):
    page = visit("/Split")
    page.get_by_role("button", name="New split").click()
    panel = page.locator("details").filter(has_text="Channels")
    page.locator("summary").filter(has_text="Advanced").click()
    expect(panel).to_have_attribute("open", "")
    page.locator(".st-key-metric input").fill("params")
    page.locator(".st-key-metric input").press("Enter")
    expect(page.get_by_text("Seed of batch sampling")).to_have_count(0)
    expect(panel).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_url(lambda url: "new=" not in url)


@TWO_SPLITS
def test_a_split_is_chosen_from_the_table_by_a_click_in_its_row(visit: Visit):
    page = visit("/Split")
    picker = page.locator(".st-key-pick_split button").first
    before = picker.text_content() or ""
    picker.click()
    table = page.get_by_role("dialog").get_by_test_id("stDataFrame")
    table.wait_for()
    page.wait_for_timeout(2000)
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 300, box["y"] + 38 + 35 + 17)
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(picker).not_to_have_text(before)
    page.go_back()
    expect(picker).to_have_text(before)


@TWO_SPLITS
def test_nothing_is_cut_at_any_width(visit: Visit, screenshot: Screenshot):
    page = visit("/Split")
    page.set_viewport_size({"width": 1280, "height": 720})
    chart(page).wait_for()
    page.wait_for_timeout(1000)
    block = page.get_by_test_id("stMainBlockContainer").bounding_box()
    assert block is not None and block["height"] <= 1440
    page.get_by_role("tab", name="Sub-spaces").click()
    page.set_viewport_size({"width": 1280, "height": 3000})
    table = page.locator('[class*="st-key-split_sub_spaces"] .dvn-scroller')
    expect(table).to_have_js_property("scrollWidth", table.evaluate("table => table.clientWidth"))
    page.set_viewport_size({"width": 960, "height": 540})  # 200% of 1920
    page.wait_for_timeout(1000)
    screenshot(page, "split-zoomed")
    tree = page.locator(".st-key-tree_chart").bounding_box()
    assert tree is not None and tree["width"] >= 560
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator(".modebar").first.wait_for(state="attached")
    expect(page.locator(".modebar").first).to_be_hidden()


@TWO_SPLITS
def test_every_chart_has_a_text_alternative(visit: Visit):
    page = visit("/Distributions")
    page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()
    described = page.locator('[data-testid="stPlotlyChart"]')
    assert described.count() >= 2
    texts = described.evaluate_all(
        'charts => charts.map(chart => chart.outerHTML.match(/aria-label="([^"]*)"/)?.[1] || \'\')'
    )
    assert all("sub-space" in text for text in texts[:2])


@pytest.fixture
def two_spaces(data_folder: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The keys of a split in each of two spaces, with a table of NAS-Bench-Macro."""
    macro = get_space("nas-bench-macro")
    lines = (f"{macro.digits(index)},{50 + index % 30}" for index in range(macro.size))
    (tmp_path / "scores.csv").write_text("\n".join(["arch,test_acc", *lines]))
    import_table(tmp_path / "scores.csv", "macro", data_dir=data_folder, space=macro)
    names = {}
    for space in (get_space(), macro):
        whole = SubSpace.full(space)
        leaves = tuple(whole.keep(0, part) for part in ((0,), range(1, space.shape[0])))
        split = NamedSplit(f"own {space.shape[0]}", "cifar10", leaves)
        [names[space.name]] = store_splits([split], "walk", data_folder)
    yield {space: f"file-{name}" for space, name in names.items()}
    for name in names.values():
        remove_imported(name, data_folder)
    remove_table("macro", data_folder)


def test_another_space_shows_nothing_of_the_last_one(
    visit: Visit, screenshot: Screenshot, two_spaces: dict[str, str]
):
    ours, macro = two_spaces.values()
    limit = "cost=nasbench201-validation:latency&at_most=1"
    page = visit(f"/Distributions?dataset=cifar10&split={ours}&architecture=000000&{limit}")
    main, known = page.get_by_test_id("stMain"), page.locator(".js-plotly-plot").first
    expect(known).to_contain_text("validation accuracy on CIFAR-10, %")
    expect(main.get_by_text("rank 15,327 of 15,625")).to_be_visible()
    page.get_by_role("combobox", name="Search space").click()
    page.get_by_role("option", name="NAS-Bench-Macro").click()
    page.wait_for_url("**space=nas-bench-macro*")
    expect(known).to_contain_text("test accuracy on CIFAR-10, %")
    expect(main).not_to_contain_text("15,625")
    assert f"split={macro}" in page.url and ours not in page.url and "architecture" not in page.url
    assert "cost" not in page.url and "at_most" not in page.url
    screenshot(page, "distributions-macro")
    follow(page, "Compare")
    page.get_by_role("heading", name="Compare", level=1).wait_for()
    page.wait_for_url("**/Compare?*space=nas-bench-macro*")
    chosen = page.locator(".st-key-splits")
    expect(chosen).to_contain_text("own-3")
    expect(chosen).not_to_contain_text("own-5")
    page.go_back()
    expect(known).to_contain_text("test accuracy on CIFAR-10, %")
    page.go_back()
    page.wait_for_url(lambda url: "space=" not in url)
    expect(known).to_contain_text("validation accuracy on CIFAR-10, %")
    expect(page.locator(".st-key-pick_split")).to_contain_text("own-5")
    page.go_forward()
    page.wait_for_url("**space=nas-bench-macro*")
    expect(known).to_contain_text("test accuracy on CIFAR-10, %")
    expect(page.locator(".st-key-pick_split")).to_contain_text("own-3")


def test_the_page_icon_is_in_the_page(visit: Visit):
    icon = visit("/").locator("link[rel~=icon]")
    expect(icon).to_have_attribute("href", re.compile("^data:image/svg"))


def test_a_page_icon_of_another_host_would_be_noticed(context: BrowserContext):
    foreign = "https://icons.invalid/icon.svg"
    page = context.new_page()
    with context.expect_event("request", lambda request: request.url == foreign):
        page.goto(f"data:text/html,<link rel=icon href={foreign}>")
    page.close()


def test_the_app_listens_on_this_machine_only(address: str):
    port = int(address.rpartition(":")[2])
    listening = [
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    ]
    assert listening == ["127.0.0.1"]


def ask(address: str, **headers: str) -> int:
    """Open a websocket of the app with some headers; return the status of the answer."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    own = {"Host": parts.netloc, "Origin": address, "Connection": "Upgrade", "Upgrade": "websocket"}
    own |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with closing(connection):
        connection.request("GET", "/_stcore/stream", headers=own | headers)
        return connection.getresponse().status


def test_requests_from_other_origins_and_for_other_hosts_are_refused(address: str):
    port = urlsplit(address).port
    assert ask(address) == 101
    assert ask(address, Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 101
    assert ask(address, Origin="http://example.org") == 403
    assert ask(address, Origin="http://127.0.0.1:1") == 403
    assert ask(address, Origin="null") == 403
    rebound = f"example.org:{port}"
    assert ask(address, Host=rebound, Origin=f"http://{rebound}") == 403
    request = urllib.request.Request(address, headers={"Host": rebound})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=20)
    with urllib.request.urlopen(address, timeout=20) as answer:
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
