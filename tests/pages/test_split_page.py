"""Requesting a split on the Split page, watching it, and exploring it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core import runs
from fewshot_core.dashboard.shared import page as page_frame
from fewshot_core.dashboard.shared.controls import plain, selected_rows
from fewshot_core.metrics import list_metrics
from fewshot_core.runs import Network, RunFolder, SplitRequest, State, cancel, list_runs
from fewshot_core.runs.worker import turn

Open = Callable[..., AppTest]
Wait = Callable[[RunFolder], RunFolder]

SCRIPT = "pages/1_Split.py"
PARAMS = SplitRequest("cifar10", "params")


def small(open_page: Open, metric: str, **query: str) -> AppTest:
    """Open the page with its form and a request that takes seconds."""
    return open_page(
        SCRIPT, metric=metric, channels="2", cells="1", batch_size="4", new="split", **query
    )


def start(page: AppTest) -> AppTest:
    return page.button(key="start").click().run()


def test_a_split_is_made_and_comes_into_view(empty_data: Path, open_page: Open, wait_for: Wait):
    page = start(small(open_page, "#params"))
    (folder,) = list_runs(empty_data)
    assert page.button(key=f"cancel_{folder.run_id}").label == "Cancel"
    wait_for(folder)
    page.run()
    assert not page.exception
    assert page.session_state["split"] == folder.run_id
    tiles = {metric.label: metric.value for metric in page.metric}
    assert tiles["Tied nodes"] == "0 of 7"
    assert tiles["Information gain"].endswith(" bits")
    assert "new" not in page.query_params
    page.button(key="new_split").click().run()
    assert page.button(key="start").label == "Show"


def toasts(page: AppTest) -> str:
    return "\n".join(toast.value for toast in page.toast)


def links(page: AppTest) -> list[tuple[str, str]]:
    """Return the labels of the links in the sidebar, with their queries."""
    found = page.sidebar.get("page_link")
    return [(link.proto.label, link.proto.query_string) for link in found]


def test_a_run_is_counted_on_every_page_and_its_end_is_said(
    empty_data: Path, open_page: Open, wait_for: Wait
):
    request = replace(PARAMS, network=Network(1, 1))
    queue = empty_data / "runs" / ".queue" / "cpu"
    queue.mkdir(parents=True)
    with turn(queue, print):  # the run waits until the page has shown it
        folder = runs.start(request, empty_data)
        page = open_page("pages/6_Results.py")
        shown = "\n".join(text.value for text in page.sidebar.markdown)
        assert "Running (1)" in shown + str(links(page))
    wait_for(folder)
    page.run()
    assert "#params on CIFAR-10: done in" in toasts(page).replace("\\", "")
    page.run()
    assert not toasts(page)


def test_the_end_of_a_run_that_no_page_saw_running_is_said(
    empty_data: Path, open_page: Open, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(page_frame, "start", lambda *args: wait_for(runs.start(*args)))
    page = start(small(open_page, "#params"))
    assert toasts(page).replace("\\", "").count("#params on CIFAR-10: done in") == 1
    page = start(page.button(key="new_split").click().run())  # it shows what is finished
    assert not toasts(page)


def test_a_cancelled_run_is_said_to_be(empty_data: Path, open_page: Open):
    page = start(small(open_page, "gradnorm", batches="60"))
    (folder,) = list_runs(empty_data)
    page.button(key=f"cancel_{folder.run_id}").click().run()
    assert "gradnorm on CIFAR-10 was cancelled" in toasts(page)


def test_start_closes_the_form_and_shows_the_card_above_the_result(
    split_data: Path, open_page: Open, wait_for: Wait
):
    page = start(small(open_page, "gradnorm", batches="60"))
    (folder,) = [run for run in list_runs(split_data) if run.status().state.active]
    assert "start" not in [button.key for button in page.button]
    keys = [button.key for button in page.main.button]
    assert keys.index(f"cancel_{folder.run_id}") == keys.index("new_split") + 1
    cancel(folder)


def test_a_choice_in_the_form_keeps_it_open(empty_data: Path, open_page: Open):
    page = small(open_page, "#params")
    page.selectbox(key="metric").set_value("gradnorm").run()
    assert page.query_params["new"] == "split"
    assert page.selectbox(key="metric").value == "gradnorm"
    assert not page.button(key="start").disabled


def test_a_split_is_chosen_from_a_table(split_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    before = page.session_state["split"]
    page.sidebar.button(key="pick_split").click().run()
    [table] = [frame.value for frame in page.dataframe if "differs in" in frame.value]
    assert sorted(table["metric"]) == ["#params", "gradnorm"]
    assert (table["gain, bits"] >= 0).all()
    images = dict(zip(table["metric"], table["images"], strict=True))
    assert images == {"#params": "none", "gradnorm": "synthetic"}
    assert all("smoke test" in notes for notes in table["evidence"])
    other = "gradnorm" if "params" in before else "params"
    page.text_input(key="split_filter").set_value(f"2 {other}").run()
    [table] = [frame.value for frame in page.dataframe if "differs in" in frame.value]
    assert len(table) == 1
    page.session_state[f"split_table 2 {other}"] = selected_rows([0])
    page.run()
    page.button(key="show_split").click().run()
    assert other in page.session_state["split"]
    assert page.query_params["split"] == page.session_state["split"]
    assert "show_split" not in [button.key for button in page.button]


def test_a_chosen_sub_space_is_highlighted_in_the_tree(split_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    specs = [chart.proto.spec for chart in page.get("plotly_chart")]
    assert not any('"chosen"' in spec for spec in specs)
    page = open_page(SCRIPT, sub_space="S3")
    specs = [chart.proto.spec for chart in page.get("plotly_chart")]
    assert any('"chosen"' in spec for spec in specs)
    assert any(text.value.startswith("**S3**, highlighted") for text in page.markdown)
    assert page.query_params["sub_space"] == "S3"


def test_a_run_has_one_duration(split_data: Path, open_page: Open):
    [run] = [run for run in list_runs(split_data) if "params" in run.run_id]
    page = open_page(SCRIPT, split=run.run_id)
    tiles = {metric.label: metric.value for metric in page.metric}
    assert run.status().message.startswith(f"done in {tiles['Made in']} with ")
    page = open_page("pages/7_Runs.py")
    table = next(frame.value for frame in page.dataframe if "took" in frame.value)
    took = dict(zip(table["run"], table["took"], strict=True))
    assert took[run.run_id] == tiles["Made in"]


def test_a_cached_split_opens_without_another_run(split_data: Path, open_page: Open):
    before = {folder.run_id: folder.status().updated for folder in list_runs(split_data)}
    page = small(open_page, "#params")
    assert page.button(key="start").label == "Show"
    assert any(caption.value == "Cached result available." for caption in page.caption)
    page = start(page)
    page.run()
    chosen = page.session_state["split"]
    assert chosen.startswith("split-params-")
    assert {f.run_id: f.status().updated for f in list_runs(split_data)} == before


def test_a_running_split_can_be_cancelled_and_started_again(
    empty_data: Path, open_page: Open, wait_for: Wait
):
    page = start(small(open_page, "gradnorm", batches="60"))
    (folder,) = list_runs(empty_data)
    page.button(key=f"cancel_{folder.run_id}").click().run()
    assert folder.status().state is State.CANCELLED
    page.run()
    assert any("cancelled" in info.value for info in page.info)
    page.button(key="start_again").click().run()
    assert folder.status().state.active
    cancel(folder)


def test_a_split_that_fails_says_why_and_shows_its_log(
    empty_data: Path, tmp_path: Path, open_page: Open, wait_for: Wait
):
    weights = tmp_path / "weights.pth"
    weights.write_text("not weights")
    page = start(small(open_page, "gradnorm", checkpoint=str(weights)))
    (folder,) = list_runs(empty_data)
    wait_for(folder)
    page.run()
    assert "failed" in page.error[0].value
    assert plain(str(weights)) in page.error[0].value
    assert "CheckpointError" in "".join(code.value for code in page.code)
    page.button(key="dismiss").click().run()
    assert not page.error


def test_a_missing_checkpoint_is_refused_before_the_start(empty_data: Path, open_page: Open):
    page = small(open_page, "gradnorm", checkpoint="/nowhere/weights.pth")
    assert "/nowhere/weights.pth" in page.error[0].value
    assert page.button(key="start").disabled


def test_an_impossible_tree_is_refused_before_the_start(empty_data: Path, open_page: Open):
    page = small(open_page, "#params")
    page.multiselect(key="edges").set_value([]).run()
    assert "edge" in page.error[0].value
    assert page.button(key="start").disabled


def test_the_estimate_comes_from_the_last_split_of_the_kind(split_data: Path, open_page: Open):
    page = small(open_page, "gradnorm", seed="7")
    assert any(caption.value.startswith("About ") for caption in page.caption)
    page = small(open_page, "gradientmatching")
    assert any("was timed" in caption.value for caption in page.caption)


def test_a_warm_up_is_requested_and_says_that_it_was_not_timed(split_data: Path, open_page: Open):
    page = small(open_page, "gradnorm", seed="7")
    assert page.number_input(key="warm_up_images").disabled
    page.number_input(key="warm_up").set_value(2).run()
    assert not page.number_input(key="warm_up_images").disabled
    texts = [caption.value for caption in page.caption]
    assert any("gradnorm with warm-up was timed" in text for text in texts)
    assert any(text.endswith("scored and 6 sub-supernets trained.") for text in texts)


def test_a_warm_up_needs_images_for_every_metric(empty_data: Path, open_page: Open):
    page = small(open_page, "#params")
    assert not [box for box in page.selectbox if box.label == "Images"]
    page.number_input(key="warm_up").set_value(1).run()
    assert [box for box in page.selectbox if box.label == "Images"]
    assert not page.exception


def test_synthetic_images_are_labelled_everywhere(split_data: Path, open_page: Open):
    gradnorm = next(f.run_id for f in list_runs(split_data) if "gradnorm" in f.run_id)
    page = open_page(SCRIPT, metric="gradnorm", split=gradnorm, new="split")
    assert any("Synthetic images" in warning.value for warning in page.warning)
    assert ":gray-badge[synthetic]" in sentence(page)


def sentence(page: AppTest) -> str:
    return next(text.value for text in page.markdown if text.value.startswith("**On CIFAR-10**"))


def test_the_sentence_names_the_sub_space_with_most_of_the_top(
    split_data: Path, open_page: Open, wait_for: Wait
):
    page = open_page(SCRIPT)
    assert "is a smoke test" in sentence(page) and "no verdict" in sentence(page)
    own = wait_for(runs.start(replace(PARAMS, seed=3), split_data))
    page = open_page(SCRIPT, split=own.run_id, details="Sub-spaces")
    found = sentence(page)
    table = next(frame.value for frame in page.dataframe if "of the top" in frame.value)
    most = table.iloc[table["top"].argmax()]
    assert f"{most['sub-space']}, {most['size'] / 15_625:.1%} of the space" in found
    assert f"has {most['of the top']:.1f}% of the top 1%." in found
    assert "\\#params beats all random splits, with 95.9% of the best tree's gain." in found
    assert ":gray-badge[one seed]" in found


@pytest.mark.parametrize("number", [0, 3, 6])
def test_a_node_shows_its_candidate_cuts_with_the_chosen_one_marked(
    number: int, split_data: Path, open_page: Open
):
    page = open_page(SCRIPT)
    options = page.selectbox(key="node").options
    page.selectbox(key="node").set_value(options[number]).run()
    table = next(frame.value for frame in page.dataframe if "groups" in frame.value)
    assert len(table) == 15
    said = next(text.value for text in page.markdown if " separates " in text.value)
    for group in table["groups"].iloc[list(table[""]).index("chosen")].split(" | "):
        assert f"**{group}**" in said
    assert "the smallest of 15 cuts; the next one is larger by" in said or "a tie" in said
    assert list(table[""]).count("chosen") == 1
    assert table["cut"].is_monotonic_increasing


def test_the_command_under_a_figure_is_shown(split_data: Path, open_page: Open):
    page = open_page(SCRIPT, details="Sub-spaces")
    commands = [code.value for code in page.code]
    assert any(command.startswith("fewshot split --metric") for command in commands)
    assert any(command.startswith("fewshot analyse --run split-") for command in commands)


def test_repeats_show_how_much_a_split_depends_on_the_seed(
    empty_data: Path, open_page: Open, wait_for: Wait
):
    page = start(small(open_page, "random (baseline)", repeats="2", details="Seeds"))
    folders = list_runs(empty_data)
    assert len(folders) == 2
    for folder in folders:
        wait_for(folder)
    page.run()
    said = "\n".join(text.value for text in page.markdown)
    assert "Over 2 seeds" in said
    table = next(frame.value for frame in page.dataframe if "same grouping" in frame.value)
    assert len(table) == 7
    assert table["of"].iloc[0] == 2


def test_repeats_of_a_metric_with_scores_show_their_spread(
    split_data: Path, open_page: Open, wait_for: Wait
):
    page = start(small(open_page, "gradnorm", repeats="2", details="Seeds"))
    for folder in list_runs(split_data):
        wait_for(folder)
    page.run()
    table = next(frame.value for frame in page.dataframe if "std" in frame.value)
    assert list(table["seeds"]) == [2] * 5
    assert (table["min"] <= table["mean"]).all() and (table["mean"] <= table["max"]).all()


def test_all_metrics_at_once_are_runs_that_wait_for_each_other(empty_data: Path, open_page: Open):
    page = small(open_page, "all metrics")
    assert any("operations will be scored" in caption.value for caption in page.caption)
    start(page)
    folders = list_runs(empty_data)
    assert {folder.request().metric for folder in folders} == set(list_metrics())
    for folder in folders:
        cancel(folder)
