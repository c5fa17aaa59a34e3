"""Planning searches on the Search page, watching them, and looking into one of them."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.bench import load_accuracy
from fewshot_core.plots import EPOCH_MEASURES
from fewshot_core.runs import (
    ProxyRequest,
    RunFolder,
    SearchRequest,
    State,
    Status,
    TrainingRequest,
    cancel,
    list_runs,
    plan,
    start,
)
from fewshot_core.search import PRESETS, EpochRecord
from fewshot_core.search.records import RECORDS, write_records
from fewshot_core.space import Architecture, SubSpace

Open = Callable[..., AppTest]
Wait = Callable[[RunFolder], RunFolder]

SCRIPT = "pages/4_Search.py"
SMOKE = PRESETS.get("smoke")
FORM = {"preset": "Smoke test", "algorithm": "DSNAS"}
EVEN = ((0.2,) * 5,) * 6


def words(page: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "warning", "error", "subheader")
    return "\n".join(str(element.value) for kind in kinds for element in page.get(kind))


def frame(page: AppTest, column: str):
    return next(each.value for each in page.dataframe if column in each.value)


def search_options(page: AppTest):
    """Return the table of the options of a search, by option; that of a training has others."""
    tables = [each.value for each in page.dataframe if "option" in each.value]
    return next(t for t in tables if "gradient_clip" in set(t["option"])).set_index("option")


def open_form(open_page: Open, **query: str) -> AppTest:
    """Open the page with the dialog *New search*."""
    page = open_page(SCRIPT, **FORM, **query, new="search")
    assert not page.exception
    return page


@pytest.fixture
def only_params(split_data: Path) -> Path:
    """A data folder in which the only split is by ``params``, with eight sub-spaces."""
    for folder in list_runs(split_data):
        if "gradnorm" in folder.run_id:
            shutil.rmtree(folder.path)
    return split_data


@pytest.fixture
def quiet(only_params: Path) -> Iterator[Path]:
    """The same; what was started there is cancelled in the end."""
    yield only_params
    for folder in list_runs(only_params):
        cancel(folder)


def keep(
    folder: Path,
    request: SearchRequest,
    epochs: int,
    state: State,
    message: str = "",
    accuracy: float = 0.0,
):
    """Store a search as if a process had made it; its validation accuracy grows by its seed."""
    run = RunFolder(folder / "runs" / request.run_id(request.fingerprints(folder)))
    run.path.mkdir(parents=True)
    run.write_manifest(
        {
            "kind": "search",
            "request": request.to_dict(),
            "fingerprints": request.fingerprints(folder),
            "synthetic": True,
        }
    )
    index = int(request.sub_space.architecture_indices()[-1])
    text = Architecture.from_index(index).to_string()
    records = [
        EpochRecord(
            epoch,
            2.0,
            20.0,
            1.5,
            request.seed / 100 + epoch + accuracy,
            text,
            index,
            EVEN,
            (2.3,) * 6,
            0.5,
            1.0,
        )
        for epoch in range(epochs + 1)
    ]
    write_records(run.path / RECORDS, [record.to_dict() for record in records])
    run.write_status(Status(state, message))
    return run


@pytest.fixture
def leaves(only_params: Path) -> list[SubSpace]:
    (folder,) = list_runs(only_params)
    tree = folder.tree()
    assert tree is not None
    return tree.leaves


@pytest.fixture
def searched(only_params: Path, leaves: list[SubSpace]) -> Path:
    """Eight searches of two seeds: those of 777 are done, one of 888 is, one has failed."""
    rows = tuple(SubSpace.full().rows)
    base = SearchRequest("cifar10", "dsnas", rows, SMOKE.search, 0, "synthetic")
    first, second = plan(base, leaves[:2], [888])
    for request in [*plan(base, leaves, [777]), first]:
        keep(only_params, request, 2, State.DONE)
    keep(only_params, second, 1, State.FAILED, "out of memory")
    return only_params


def test_without_a_split_the_page_says_where_to_make_one(empty_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    assert "No split of CIFAR-10 is finished yet" in words(page)
    page = open_form(open_page, where="whole")
    assert page.button(key="start").label == "Start 1 search"
    assert "No search in the whole space was started yet" in words(page)


def test_the_plan_is_shown_in_full_before_it_starts(only_params: Path, open_page: Open):
    page = open_form(open_page, seeds="777,888")
    assert page.button(key="start").label == "Start 16 searches"
    options = search_options(page)
    assert options.loc["channels", "value"] == "2" and options.loc["channels", "paper"] == "16"
    assert options.loc["channels", "differs"] and not options.loc["momentum", "differs"]
    assert "stopping_threshold" in options.index and "temperature" not in options.index
    page.selectbox(key="algorithm").set_value("snas").run()
    assert "temperature" in search_options(page).index


def test_values_of_a_preset_can_be_changed(only_params: Path, open_page: Open):
    page = open_form(open_page)
    page.number_input(key="smoke_epochs").set_value(5).run()
    page.text_input(key="set").set_value("momentum=0.5 augment=false").run()
    values = search_options(page)["value"]
    assert (values["epochs"], values["momentum"], values["augment"]) == ("5", "0.5", "false")
    page.text_input(key="set").set_value("speed=1").run()
    assert "expected name=value" in page.error[0].value
    assert page.button(key="start").disabled


def test_seeds_are_whole_numbers(only_params: Path, open_page: Open):
    page = open_form(open_page, seeds="777,5")
    assert page.button(key="start").label == "Start 16 searches"
    page.multiselect(key="seeds").set_value([]).run()
    assert "at least one seed" in page.error[0].value
    assert page.button(key="start").disabled


def test_the_time_comes_from_a_measured_step(only_params: Path, open_page: Open):
    page = open_form(open_page)
    assert "timed on this device yet" in words(page)
    page.button(key="measure_steps").click().run()
    assert not page.exception and not page.error
    assert "in all" in words(page)


def test_a_search_in_the_whole_space_runs_to_its_end(
    empty_data: Path, open_page: Open, wait_for: Wait
):
    page = open_form(open_page, where="whole")
    assert any("Synthetic images" in warning.value for warning in page.warning)
    page.button(key="start").click().run()
    (folder,) = list_runs(empty_data)
    assert folder.request().rows == tuple(SubSpace.full().rows)
    wait_for(folder)
    page.run()
    assert not page.exception
    assert "1 search: 1 done" in words(page)
    table = frame(page, "supernet")
    assert table["state"].tolist() == ["done"] and table["epochs"].tolist() == [2]
    assert 0 < table["found"].iloc[0] <= 100
    assert "Smoke test: these searches only show that everything works" in words(page)
    assert "Replay in Halving" not in words(page)  # without a split there is nothing to select from
    assert any("--no-splitting" in code.value for code in page.code)
    assert [toast.value for toast in page.toast if "done" in toast.value]
    page = open_page(SCRIPT, where="whole", search_tab="One search")
    assert any("--sub-space" in code.value for code in page.code)
    assert not [toast.value for toast in page.toast]


def test_a_plan_is_stopped_and_resumed(quiet: Path, open_page: Open, wait_for: Wait):
    page = open_form(open_page, smoke_epochs="400")
    page.button(key="start").click().run()
    assert not page.get("dialog")
    runs = [folder for folder in list_runs(quiet) if folder.request().kind == "search"]
    assert len(runs) == 8
    states = frame(page, "supernet")["state"]
    assert set(states) <= {"waiting", "running"}
    assert not [button for button in page.button if button.key == "resume"]
    page.button(key="stop").click().run()
    assert {folder.status().state for folder in runs} == {State.CANCELLED}
    page.run()
    assert "8 searches: 8 cancelled" in words(page)
    assert not [button for button in page.button if button.key == "stop"]
    assert page.button(key="resume").label == "Resume 8 missing"
    page.button(key="resume").click().run()
    assert all(folder.status().state.active for folder in runs)


def test_curves_of_finished_searches_are_drawn_and_missing_ones_counted(
    searched: Path, open_page: Open
):
    page = open_page(SCRIPT)
    assert "16 searches: 9 done, 1 failed, 6 not started" in words(page)
    table = frame(page, "supernet").set_index(["sub-space", "seed"])
    assert table.loc[("S3", 777), "supernet"] == pytest.approx(9.77)
    assert table.loc[("S2", 888), "epochs"] == 1
    assert any("S2, seed 888 failed: out of memory" in error.value for error in page.error)
    assert page.button(key="resume").label == "Resume 7 missing"
    notes, names = curves(page)
    assert "mean of 2 seeds, band: lowest to highest" in notes and "smoke test" in notes
    assert names.count("S1") == 1
    page.toggle(key="single").set_value(True).run()
    page.slider(key="smoothing").set_value(0.5).run()
    notes, names = curves(page)
    assert "exponential moving average, weight 0.5" in notes and "mean of" not in notes
    assert names.count("S1") == 2 and names.count("S3") == 1


def curves(page: AppTest) -> tuple[str, list[str]]:
    """Return the title of the figure of all curves with its notes, and the names of its lines."""
    drawn = next(
        json.loads(chart.proto.spec)
        for chart in page.get("plotly_chart")
        if "over epochs" in chart.proto.spec
    )
    names = [trace.get("name") for trace in drawn["data"] if trace.get("hovertemplate")]
    assert drawn["layout"]["hovermode"] == "x unified"
    return drawn["layout"]["title"]["text"], names


def test_every_measure_is_drawn(searched: Path, open_page: Open):
    page = open_page(SCRIPT)
    for measure, info in EPOCH_MEASURES.items():
        page.segmented_control(key="measure").set_value(measure).run()
        assert not page.exception
        alternatives = [
            json.loads(chart.proto.spec)["layout"]["meta"]["alt"]
            for chart in page.get("plotly_chart")
        ]
        assert any(t.startswith(f"{info.label} over epochs, 8 curves.") for t in alternatives)


def test_one_search_is_shown_with_the_architecture_it_found(
    searched: Path, leaves: list[SubSpace], open_page: Open
):
    page = open_page(SCRIPT, search_tab="One search", sub_space="S4")
    architecture = Architecture.from_index(int(leaves[3].architecture_indices()[-1]))
    assert architecture.to_string() in [code.value for code in page.code]
    tiles = {metric.label: metric.value for metric in page.metric}
    assert tiles["Supernet's validation accuracy"] == "9.77%"
    assert tiles["Benchmark validation accuracy"].endswith("%")
    assert "in the table NAS-Bench-201" in words(page)
    page.selectbox(key="seed").set_value("888").run()
    assert page.query_params["seed"] == "888"
    assert "No epoch of this search is done yet." in words(page)


def test_what_was_found_is_said_first(only_params: Path, leaves: list[SubSpace], open_page: Open):
    rows = tuple(SubSpace.full().rows)
    base = SearchRequest("cifar10", "snas", rows, PRESETS.get("quick").search, 0, "synthetic")
    for number, request in enumerate(plan(base, leaves, [777])):
        keep(only_params, request, 20, State.DONE, accuracy=float(number))
    page = open_page(SCRIPT)
    known = load_accuracy("cifar10").set_index("architecture")["accuracy_mean"]
    found = [float(known[int(leaf.architecture_indices()[-1])]) for leaf in leaves]
    best, last = max(found), found[-1]
    rank = 1 + int((known > best).sum())
    (text,) = [each.value for each in page.markdown if "found the best" in each.value]
    assert text.startswith(
        f"**S{found.index(best) + 1} found the best architecture: {best:.2f}% validation accuracy, "
    )
    assert f"{rank:,}" in text and f"of {len(known):,}.**" in text
    assert f"takes S8, which found {last:.2f}%" in text
    assert f"{best - last:.2f} points less" in text
    assert "reduced scale, synthetic, one seed" in words(page)
    assert "Replay in Halving" in words(page)
    for number, request in enumerate(plan(base, leaves, [888])):
        keep(only_params, request, 20, State.DONE, accuracy=-float(number))
    page.run()
    (text,) = [each.value for each in page.markdown if "best architecture found" in each.value]
    assert f"has {best:.2f} ± 0.00% validation accuracy, over 2 seeds" in text
    assert f"takes {(last + found[0]) / 2:.2f} ±" in text


def test_proxy_quality_is_measured_from_the_page(empty_data: Path, open_page: Open, wait_for: Wait):
    rows = tuple(SubSpace.full().rows)
    search = start(
        SearchRequest("cifar10", "dsnas", rows, SMOKE.search, 0, "synthetic"), empty_data
    )
    wait_for(search)
    page = open_page(SCRIPT, where="whole", search_tab="Proxy quality")
    assert "100 random architectures of whole are evaluated" in words(page)
    assert ": about " in words(page)
    page.button(key="measure_proxy").click().run()
    (folder,) = [run for run in list_runs(empty_data) if run.request().kind == "proxy"]
    assert folder.request() == ProxyRequest("cifar10", search.run_id)
    wait_for(folder)
    page.run()
    drawn = [json.loads(chart.proto.spec)["layout"] for chart in page.get("plotly_chart")]
    assert any("100 architectures" in layout["meta"]["alt"] for layout in drawn)
    command = f"fewshot proxy {search.run_id} --sample 100 --seed 0 --accuracy validation"
    assert any(code.value.startswith(command) for code in page.code)
    assert any("Proxy quality of a supernet on CIFAR-10: done" in t.value for t in page.toast)


def test_without_weights_proxy_quality_cannot_be_measured(searched: Path, open_page: Open):
    page = open_page(SCRIPT, search_tab="Proxy quality")
    assert "It cannot be measured: the search came without its weights." in words(page)


def test_without_a_table_searches_are_still_shown(searched: Path, open_page: Open):
    page = open_page(SCRIPT, accuracy="test", measure="Benchmark accuracy found")
    assert not page.exception
    assert "Nothing to compare yet: no table in view has test accuracies" in words(page)
    page = open_page(SCRIPT, accuracy="test", search_tab="One search")
    assert {metric.label: metric.value for metric in page.metric}[
        "Benchmark accuracy"
    ] == "no table"


def test_searches_with_other_evidence_can_be_shown(
    searched: Path, leaves: list[SubSpace], open_page: Open
):
    rows = tuple(SubSpace.full().rows)
    other = SearchRequest("cifar10", "dsnas", rows, SMOKE.search, 777, "synthetic", device="cuda")
    for request in plan(other, leaves, [777]):  # the same searches on other hardware
        keep(searched, request, 1, State.CANCELLED)
    longer = replace(SMOKE.search, epochs=3)
    keep(searched, replace(other, options=longer, rows=tuple(leaves[0].rows)), 3, State.DONE)
    page = open_page(SCRIPT)
    start = "DSNAS · 2 channels, 1 cell · synthetic images"
    assert sorted(page.selectbox(key="plan").options) == [
        f"{start} · 3 epochs, 64 images, batch size 16 · seed 777",
        f"{start} · Smoke test · 2 seeds",
    ]
    page = open_page(SCRIPT, plan="snas-of-somewhere-else")
    assert "not in this data folder" in words(page)


def test_searches_that_come_with_the_project_are_shown(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_page: Open
):
    (tmp_path / "demo").mkdir()
    (searched / "runs").rename(tmp_path / "demo" / "runs")
    monkeypatch.setenv("FEWSHOT_DEMO_DIR", str(tmp_path / "demo"))
    page = open_form(open_page, seeds="777,888")
    assert "16 searches: 9 done, 1 failed, 6 not started" in words(page)
    assert page.button(key="start").label == "Start 7 searches"


def test_a_trained_supernet_can_be_inherited(empty_data: Path, open_page: Open, wait_for: Wait):
    training = start(TrainingRequest("cifar10", SMOKE.training, 0, "synthetic"), empty_data)
    wait_for(training)
    page = open_form(open_page, where="whole")
    assert any(
        "Supernet · Smoke test" in option for option in page.selectbox(key="weights").options
    )
    page.selectbox(key="weights").set_value(training.run_id).run()
    assert not page.error
    page.button(key="start").click().run()
    search = next(folder for folder in list_runs(empty_data) if folder.request().kind == "search")
    assert Path(str(search.request().checkpoint)).parent == training.path
    wait_for(search)
    assert search.status().state is State.DONE
    page.button(key="new_search").click().run()
    page.number_input(key="smoke_channels").set_value(3).run()
    assert "channels x cells 2x1, the search 3x1" in page.error[0].value
    page.number_input(key="smoke_channels").set_value(2).run()
    page.number_input(key="smoke_images").set_value(32).run()
    assert any("holds out" in warning.value for warning in page.warning)


def test_a_checkpoint_that_is_missing_is_refused(empty_data: Path, open_page: Open):
    page = open_form(open_page, where="whole", weights="file")
    assert page.button(key="start").disabled
    page.text_input(key="inherit").set_value("/nowhere/weights.pt").run()
    assert "/nowhere/weights.pt" in page.error[0].value


def test_an_active_training_is_shown_with_its_progress(empty_data: Path, open_page: Open):
    request = TrainingRequest("cifar10", SMOKE.training, 0, "synthetic")
    folder = RunFolder(empty_data / "runs" / request.run_id({}))
    folder.write_manifest({"kind": "train", "request": request.to_dict()})
    own = psutil.Process()
    status = Status(State.RUNNING, "epoch 1", 1, 2, pid=own.pid, process_started=own.create_time())
    folder.write_status(status)
    page = open_form(open_page, where="whole")
    assert "**Supernet** of CIFAR-10" in words(page)
    assert page.button(key=f"cancel_{folder.run_id}")


def test_a_supernet_is_trained_from_the_page(empty_data: Path, open_page: Open, wait_for: Wait):
    page = open_form(open_page, where="whole")
    page.button(key="start_training").click().run()
    (folder,) = list_runs(empty_data)
    assert folder.request() == TrainingRequest("cifar10", SMOKE.training, 0, "synthetic")
    page.button(key="new_search").click().run()
    assert page.button(key="start_training").disabled
    wait_for(folder)
    page.run()
    assert "Trained: choose it under" in words(page)
    assert (
        folder.run_id in str(page.selectbox(key="weights").options)
        or len(page.selectbox(key="weights").options) == 3
    )


def test_runs_and_data_distinguishes_searches(searched: Path, open_page: Open):
    table = frame(open_page("pages/7_Runs.py"), "what")
    labels = [text for text in table["what"] if text.startswith("DSNAS")]
    assert len(labels) == 10 and all("Smoke test" in text for text in labels)
    assert any("seed 888" in text for text in labels)
