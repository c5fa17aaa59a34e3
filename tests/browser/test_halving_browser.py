"""Replaying a selection as a person does: import curves, move a milestone, play, scrub."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]

# Whether the epoch has been the same for three seconds; a replay that is played moves on in 0.4.
SETTLED = """() => {
    const text = document.querySelector(".st-key-epoch").innerText;
    if (text !== window.epochText) [window.epochText, window.epochSince] = [text, Date.now()];
    return Date.now() - window.epochSince > 3000;
}"""
FOUND = {"S1": 93.0, "S2": 92.5, "S3": 94.3, "S4": 91.0}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Curves of 40 epochs: S3 is last until epoch 10, and finds the best."""
    lines = ["sub_space,epoch,valid_accuracy,test_accuracy"]
    for number, (name, found) in enumerate(FOUND.items()):
        for epoch in range(41):
            late = 20 if name == "S3" and epoch > 10 else -20 * (name == "S3")
            lines.append(f"{name},{epoch},{30 + epoch + late - number},{found - 10 / (1 + epoch)}")
    path = tmp_path / "by-hand.csv"
    path.write_text("\n".join(lines))
    return path


def verdict(page: Page) -> Locator:
    return page.locator("strong").filter(has_text="Found").first


def test_a_milestone_is_moved_the_replay_played_and_scrubbed(
    visit: Visit, screenshot: Screenshot, file: Path
):
    page = visit("/Halving")
    page.get_by_text("No curves yet").wait_for()
    screenshot(page, "halving-empty")
    page.locator(".st-key-curves_file input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(verdict(page)).to_contain_text("S3) was discarded at epoch 2")
    expect(page.get_by_text("In proportion to the paper's", exact=False).first).to_be_visible()
    screenshot(page, "halving")

    handle = page.locator("[class*=st-key-milestone_handles]").get_by_role("slider").last
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**milestones=2%2C+8*")
    typed = page.locator(".st-key-milestones input")
    expect(typed).to_have_value("2, 8")
    typed.fill("12, 20")
    typed.press("Enter")
    expect(verdict(page)).to_contain_text("the best of all")
    page.wait_for_url("**milestones=12%2C+20*")

    page.wait_for_timeout(500)  # the script may start once more, for the URL
    page.locator("[data-test-script-state=notRunning]").wait_for()
    epoch = page.locator(".st-key-epoch").get_by_role("slider")
    expect(epoch).to_have_value("0")
    entries = page.evaluate("history.length")
    page.locator(".st-key-play button").click()
    expect(epoch).not_to_have_value("0")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Play").wait_for()
    page.wait_for_function(SETTLED)
    paused = epoch.input_value()
    assert paused != "40"  # it did not play on to its end
    assert page.evaluate("history.length") <= entries + 1  # one for the pause, none for its steps
    epoch.focus()
    page.keyboard.press("ArrowRight")
    expect(epoch).not_to_have_value(paused)

    page.get_by_role("tab", name="Schedules").click()
    points = page.locator(".st-key-schedules_chart path.point")
    points.first.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    place = points.nth(3).bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.locator(".st-key-schedules_chart .hoverlayer .hovertext").wait_for()
    page.mouse.down()
    page.mouse.up()
    expect(page).not_to_have_url(re.compile("milestones=12"))
    page.wait_for_timeout(1500)
    screenshot(page, "halving-chosen")


def test_a_link_shows_the_same_replay_in_the_dark(visit: Visit, screenshot: Screenshot, file: Path):
    page = visit("/Halving?curves=file-by-hand&milestones=12%2C+20&epoch=12", "dark")
    expect(verdict(page)).to_contain_text("the best of all")
    expect(page.locator(".st-key-epoch")).to_contain_text("12")
    page.wait_for_timeout(1500)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    screenshot(page, "halving-dark")

    page.set_viewport_size({"width": 960, "height": 540})  # 200% of 1920
    numbers = page.locator("[data-testid=stMetricValue] > *")
    numbers.first.wait_for()
    cut = "all => all.filter(number => number.scrollWidth > number.clientWidth).length"
    assert numbers.evaluate_all(cut) == 0
