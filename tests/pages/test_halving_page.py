"""The replay of a selection: what a control changes, and what comes from where."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from recorded_searches import keep_search, keep_searches
from streamlit.testing.v1 import AppTest

from fewshot_core.runs import list_runs
from fewshot_core.selection import (
    Choice,
    HalvingResult,
    imported_curves,
    read_frame,
    result_document,
    store_curves,
    successive_halving,
    verdict,
)

Open = Callable[..., AppTest]
SCRIPT = "pages/5_Halving.py"

# S3 finds the best at the end; it is last at epoch 1 and first from epoch 3 on. S1 and S2 are
# exactly equal at epoch 2.
VALID = {
    "S1": (5, 20, 31, 40, 50, 51),
    "S2": (4, 21, 31, 41, 51, 52),
    "S3": (3, 10, 20, 60, 70, 71),
    "S4": (2, 11, 8, 7, 6, 5),
}
FOUND = {"S1": 93.0, "S2": 92.0, "S3": 94.3, "S4": 91.0}


def synthetic(seed: int = 0, lost: str | None = None) -> pd.DataFrame:
    """Return curves; a sub-space may be without a search."""
    return pd.DataFrame(
        {
            "sub_space": name,
            "epoch": epoch,
            "valid_accuracy": float(value),
            "test_accuracy": FOUND[name],
            "parameters": 2e5 if name == "S2" else 1e5,
            "seed": seed,
        }
        for name, values in VALID.items()
        for epoch, value in enumerate(values)
        if name != lost
    )


@pytest.fixture(scope="module")
def curves_folder(tmp_path_factory: pytest.TempPathFactory, empty_folder: Path) -> Path:
    """A data folder with imported curves of two seeds, for copying."""
    folder = tmp_path_factory.mktemp("curves")
    shutil.copytree(empty_folder, folder / "data")
    path = folder / "mine.csv"
    pd.concat([synthetic(7), synthetic(8)]).to_csv(path, index=False)
    store_curves(path, folder / "data")
    return folder / "data"


@pytest.fixture
def curves_data(curves_folder: Path, use_copy: Callable) -> Path:
    return use_copy(curves_folder)


def sentence(page: AppTest) -> str:
    """Return the verdict, with what it says of ties."""
    texts = [text.value for text in page.markdown if text.value.startswith("**")]
    finding = next(text.strip("*") for text in texts if "ound " in text or "finds" in text)
    ties = [text.value for text in page.warning if "were tied" in text.value]
    return " ".join([finding, *ties])


def expected(choice: Choice) -> HalvingResult:
    return choice.apply(read_frame(synthetic()))


def handles(page: AppTest) -> list[tuple[int, ...]]:
    return [slider.value for slider in page.select_slider]


def test_the_papers_schedule_in_proportion_comes_first(curves_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert not page.error
    assert sentence(page) == verdict(expected(Choice(milestones=(1,))))
    assert "S3) was discarded at epoch 1" in sentence(page)
    said = "\n".join(text.value for text in page.caption)
    assert "in proportion to the paper's 30 and 100 of 600" in said.lower()
    assert handles(page) == [1]


def test_a_milestone_that_is_dragged_or_typed_changes_the_verdict(
    curves_data: Path, open_page: Open
):
    page = open_page(SCRIPT)
    page.select_slider[0].set_value(3).run()
    assert sentence(page) == verdict(expected(Choice(milestones=(3,))))
    assert "the best of all" in sentence(page)
    assert page.text_input(key="milestones").value == "3"
    page.text_input(key="milestones").set_value("2, 3, 4").run()
    assert sentence(page) == verdict(expected(Choice(milestones=(2, 3, 4))))
    assert handles(page) == [(2, 3), 4]
    page.select_slider[0].set_value((1, 3)).run()
    assert page.text_input(key="milestones").value == "1, 3, 4"
    assert sentence(page) == verdict(expected(Choice(milestones=(1, 3, 4))))
    page.text_input(key="milestones").set_value("none").run()
    assert sentence(page) == verdict(expected(Choice()))
    assert handles(page) == []


def test_milestones_that_are_none_are_refused_in_words(curves_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    for text, words in (("1, x", "got 'x'"), ("99", "from epoch 0 to 5, got 99")):
        page.text_input(key="milestones").set_value(text).run()
        assert words in page.error[0].value
        assert not page.exception
        assert page.get("plotly_chart")
    page.text_input(key="milestones").set_value("").run()
    assert not page.error


def test_imported_curves_with_missing_epochs_are_named(curves_data: Path, open_page: Open):
    path = curves_data / "gaps.csv"
    rows = synthetic(7)
    rows[(rows["sub_space"] != "S2") | (rows["epoch"] != 3)].to_csv(path, index=False)
    store_curves(path, curves_data)
    page = open_page(SCRIPT, curves="file-gaps")
    assert [text.value for text in page.warning] == ["Epochs are missing: S2 lacks epoch 3."]


def test_exact_ties_are_reported(curves_data: Path, open_page: Open):
    page = open_page(SCRIPT, milestones="2", keep="0.25")
    assert "At epoch 2 S1 and S2 were tied" in sentence(page)
    assert sentence(page) == verdict(expected(Choice(milestones=(2,), keep=0.25)))


@pytest.mark.parametrize(
    ("query", "choice"),
    [
        ({"milestones": "1, 4", "keep": "0.75"}, Choice(milestones=(1, 4), keep=0.75)),
        (
            {"milestones": "4", "rank_by": "moving average", "window": "4"},
            Choice(milestones=(4,), rank_by="moving_average", window=4),
        ),
        ({"strategy": "Top k", "k": "2", "at": "1"}, Choice("top_k", k=2, epoch=1)),
        ({"strategy": "Most parameters"}, Choice("most_parameters")),
        ({"strategy": "Train all"}, Choice("train_all")),
        ({"strategy": "One at random"}, Choice("one_at_random")),
        ({"strategy": "Oracle"}, Choice("oracle")),
    ],
)
def test_a_link_brings_a_selection_back(
    query: dict[str, str], choice: Choice, curves_data: Path, open_page: Open
):
    page = open_page(SCRIPT, **query)
    assert not page.error
    assert sentence(page) == verdict(expected(choice))


def test_a_shorter_run_is_another_one(curves_data: Path, open_page: Open):
    page = open_page(SCRIPT, milestones="1", end="3")
    assert sentence(page) == verdict(successive_halving(read_frame(synthetic()), (1,), end=3))
    page.number_input(key="end").set_value(None).run()
    assert sentence(page) == verdict(expected(Choice(milestones=(1,))))


def test_choices_for_other_curves_do_not_break_these(
    curves_data: Path, open_page: Open, tmp_path: Path
):
    short = synthetic()
    path = tmp_path / "short.csv"
    short[(short["epoch"] <= 2) & (short["sub_space"] < "S3")].to_csv(path, index=False)
    store_curves(path, curves_data)
    page = open_page(
        SCRIPT, curves="file-mine", end="5", epoch="4", strategy="Top k", k="3", at="3"
    )
    page.selectbox(key="curves").set_value("file-short").run()
    assert not page.exception and not page.error
    assert page.query_params["curves"] == "file-short"


def test_a_ranking_that_other_curves_lack_gives_way(
    curves_data: Path, open_page: Open, tmp_path: Path
):
    path = tmp_path / "lossy.csv"
    frame = synthetic()
    frame.assign(valid_loss=100 - frame["valid_accuracy"]).to_csv(path, index=False)
    store_curves(path, curves_data)
    page = open_page(SCRIPT, curves="file-lossy", rank_by="validation loss", milestones="1")
    assert page.selectbox(key="rank_by").value == "valid_loss"
    page.selectbox(key="curves").set_value("file-mine").run()
    assert not page.exception and not page.error
    assert page.selectbox(key="rank_by").value == "valid_accuracy"


def test_the_command_under_the_figure_gives_the_same_verdict(curves_data: Path, open_page: Open):
    page = open_page(SCRIPT, milestones="1, 4", seed="8")
    commands = "\n".join(code.value for code in page.code)
    assert (
        "fewshot halve --curves mine --seed 8 --strategy halving --milestones 1,4 --keep 0.5 "
        "--rank-by valid_accuracy --end 5"
    ) in commands
    page = open_page(SCRIPT, milestones="1, 4", seed="8", halving_tab="Schedules")
    assert page.code[0].value.startswith("fewshot halve --curves mine --compare --end 5")
    document = result_document(expected(Choice(milestones=(1, 4))))
    assert document["verdict"] == sentence(page)


def test_the_table_shows_every_state_at_an_epoch(curves_data: Path, open_page: Open):
    page = open_page(SCRIPT, milestones="1, 3")
    page.slider(key="epoch").set_value(3).run()
    table = next(frame.value for frame in page.dataframe if "would find" in frame.value)
    assert dict(zip(table["sub-space"], table["state"], strict=True)) == {
        "S1": "discarded here",
        "S2": "continues, leads",
        "S3": "discarded at 1",
        "S4": "discarded at 1",
    }
    assert list(table["validation"]) == [40, 41, 60, 7]


def test_the_replay_is_played_to_its_end(curves_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    page.button(key="play").click().run()
    assert page.button(key="play").label == "Pause"
    for _ in range(10):
        page.run()
    assert page.button(key="play").label == "Play"
    assert page.slider(key="epoch").value == 5
    page.button(key="play").click().run()
    assert page.slider(key="epoch").value < 5


def test_a_missing_test_table_is_named(split_data: Path, open_page: Open):
    page = open_page(SCRIPT, accuracy="test")
    texts = [text.value for text in page.markdown]
    assert any(text.startswith("No table has the test accuracy") for text in texts)
    assert not any("No curves yet" in text for text in texts)


def test_all_schedules_are_listed(curves_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert not any("best discarded" in frame.value for frame in page.dataframe)
    page = open_page(SCRIPT, halving_tab="Schedules")
    table = next(frame.value for frame in page.dataframe if "best discarded" in frame.value)
    assert {"paper", "GM-NAS", "few-shot NAS", "ceiling", "chance", "oracle"} <= set(
        table["known as"]
    )
    ceiling = table[table["known as"] == "ceiling"].iloc[0]
    assert (ceiling["cost"], ceiling["regret"]) == (4.0, 0.0)
    assert table[table["front"]]["regret"].min() == 0.0


def test_how_good_the_proxy_is_comes_first(curves_data: Path, open_page: Open):
    page = open_page(SCRIPT, milestones="1, 3")
    assert page.markdown[0].value == (
        "**Is the proxy any good?** 4 sub-supernets with these curves are too few to tell."
    )
    (strip,) = [each.proto.body for each in page.get("html") if "left" in each.proto.body]
    assert [part[1:].split(":")[0] for part in strip.split("epoch")[1:]] == ["0", "1", "3", "5"]
    third = strip.split("epoch 3: ")[1].split("epoch")[0]
    assert third.startswith("1 left") and third.count("opacity:0.3") == 3
    assert third.count("outline:2px") == 1
    page = open_page(SCRIPT, halving_tab="Proxy quality")
    (chart,) = page.get("plotly_chart")
    assert json.loads(chart.proto.spec)["layout"]["meta"]["alt"].startswith("Kendall's tau")


def test_curves_are_imported_from_the_page(empty_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert any("No curves yet" in text.value for text in page.markdown)
    content = synthetic().to_csv(index=False).encode()
    page.file_uploader(key="curves_file").upload("own.csv", content, "text/csv").run()
    page.button(key="import_curves").click().run()
    assert not page.exception and not page.error
    assert imported_curves(empty_data) == ["own"]
    assert [toast.value for toast in page.toast] == ["Imported the curves own"]
    assert page.selectbox(key="curves").value == "file-own"
    assert "Found" in sentence(page)
    other = synthetic().assign(test_accuracy=90.0).to_csv(index=False).encode()
    page.file_uploader(key="curves_file").upload("other.csv", other, "text/csv").run()
    page.button(key="import_curves").click().run()
    assert page.selectbox(key="curves").value == "file-other"
    page.selectbox(key="curves_to_remove").set_value("other").run()
    page.button(key="remove_curves").click().run()
    assert imported_curves(empty_data) == ["own"]
    assert page.selectbox(key="curves").value == "file-own"


def test_an_invalid_line_is_named(empty_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    content = synthetic().to_csv(index=False).replace("S1,1,20.0", "S1,1,200").encode()
    page.file_uploader(key="curves_file").upload("own.csv", content, "text/csv").run()
    page.button(key="import_curves").click().run()
    assert "Nothing was imported. own.csv, line 3: expected a percentage" in page.error[0].value
    assert imported_curves(empty_data) == []


def test_damaged_curves_are_named_and_can_be_removed(curves_data: Path, open_page: Open):
    (curves_data / "curves" / "mine" / "about.json").write_text("{")
    page = open_page(SCRIPT)
    assert "'mine' are damaged" in page.error[0].value
    page.button(key="remove_curves").click().run()
    assert imported_curves(curves_data) == []
    assert not page.exception and not page.error


def test_recorded_searches_of_the_split_in_view_are_replayed(split_data: Path, open_page: Open):
    folder = next(run for run in list_runs(split_data) if "params" in run.run_id)
    tree = folder.tree()
    assert tree is not None
    keep_searches(split_data, tree.leaves, 777, epochs=6)
    keep_search(split_data, tree.leaves[0], 888, epochs=6)
    page = open_page(SCRIPT, split=folder.run_id)
    assert not page.error
    assert page.selectbox(key="curves").options == [
        option for option in page.selectbox(key="curves").options if "9 of 16 searches" in option
    ]
    first = sentence(page)
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    headings = [note["text"] for note in figure["layout"]["annotations"]]
    assert "validation accuracy of the architecture found, %" in headings
    commands = [code.value for code in page.code]
    evidence = "--evidence 2x1-synthetic-untrained-6-epochs-64-images-batch-size-16 "
    assert any(f"--algorithm snas {evidence}" in command for command in commands)
    page = open_page(SCRIPT, split=folder.run_id, halving_tab="Proxy quality")
    assert any("without seed 888, which lacks sub-spaces" in text.value for text in page.caption)
    page = open_page(SCRIPT, split=folder.run_id, seed="888")
    assert "1 of 8 sub-spaces were searched with seed 888: S2, S3" in page.warning[0].value
    assert sentence(page) != first


def test_curves_are_named_by_their_options(split_data: Path, open_page: Open):
    folder = next(run for run in list_runs(split_data) if "params" in run.run_id)
    tree = folder.tree()
    assert tree is not None
    keep_searches(split_data, tree.leaves, 777, epochs=6)
    keep_searches(split_data, tree.leaves, 777)
    page = open_page(SCRIPT, split=folder.run_id)
    assert sorted(page.selectbox(key="curves").options) == [
        "SNAS · 2 channels, 1 cell · synthetic images · 6 epochs, 64 images, batch size 16",
        "SNAS · 2 channels, 1 cell · synthetic images · Smoke test",
    ]
