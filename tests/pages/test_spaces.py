"""Pages in every search space: words, units and pictures of it, and nothing of another."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from recorded_searches import keep_searches
from streamlit.testing.v1 import AppTest

from fewshot_core.analysis import best_tree, information_gain, random_trees
from fewshot_core.bench import import_space, import_table, list_tables, load_accuracy
from fewshot_core.reproduction import FINDINGS, read_across
from fewshot_core.runs import Network, RunFolder, SplitRequest, list_runs, start
from fewshot_core.selection import store_curves
from fewshot_core.space import SearchSpace, get_space
from fewshot_core.splitting import TreeOptions
from fewshot_core.store import Store

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "search-spaces.md"
Open = Callable[..., AppTest]

MACRO, TRANSNAS, OWN = "nas-bench-macro", "trans-nas-bench-101-micro", "small-cnn"
SCRIPTS = ["app.py", *(f"pages/{n}.py" for n in ("1_Split", "2_Distributions", "3_Compare"))]
OTHERS = [
    f"pages/{n}.py"
    for n in ("4_Search", "5_Halving", "6_Results", "7_Runs", "8_Data", "9_Estimates")
]
PLACES = {
    "nas-bench-201": ("cifar10", "91.61"),
    MACRO: ("cifar10", "77.77"),
    TRANSNAS: ("room_layout", "-0.4321"),
    OWN: ("depth-maps", "-0.96"),
}
"""The data set of each space with a split, and its best score, which no other has."""


def rows(space: SearchSpace, header: list[str], score: Callable[[list[int]], list[object]]):
    """Yield the rows of a table, the last architecture being the best."""
    yield ["arch", *header]
    for index in range(space.size):
        yield [space.digits(index), *score(list(space.decode(index)))]


def write(path: Path, lines: Iterator[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


@pytest.fixture(scope="session")
def spaces_folder(
    split_folder: Path, wait_for: Callable[[RunFolder], RunFolder], tmp_path_factory
) -> Path:
    """A data folder with a table and a split of every space."""
    folder = shutil.copytree(split_folder, tmp_path_factory.mktemp("spaces") / "data")
    files = tmp_path_factory.mktemp("files")
    macro, transnas = get_space(MACRO), get_space(TRANSNAS)
    lines = rows(macro, ["test_acc_0", "test_acc_1"], lambda c: [77.77 - 16 + sum(c)] * 2)
    import_table(write(files / "macro.csv", lines), data_dir=folder, space=macro)
    tasks = [task.name for task in transnas.datasets]

    def scores(choices: list[int]) -> list[object]:
        worse = 18 - sum(choices)
        usual = {"room_layout": -0.4321 - worse / 90, "autoencoder": 0.5, "normal": 0.5}
        return [usual.get(task, 60 - worse) for task in tasks]

    lines = rows(transnas, [f"{task}_val" for task in tasks], scores)
    import_table(write(files / "transnas.csv", lines), data_dir=folder, space=transnas)
    blocks = dict(reversed(re.findall(r"```(\w+)\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)))
    (files / "small-cnn.toml").write_text(blocks["toml"])
    own, _ = import_space(files / "small-cnn.toml", [], folder)
    lines = rows(
        own, ["flowers_test", "depth-maps_val"], lambda c: [60 + c[1], 2.5 - sum(c) * 0.11]
    )
    import_table(write(files / "own.csv", lines), data_dir=folder, space=own)
    for name, (dataset, _) in list(PLACES.items())[1:]:
        tree = TreeOptions.create((1, 0), space=get_space(name, folder))
        request = SplitRequest(dataset, "random", network=Network(), tree=tree, space=name)
        assert wait_for(start(request, folder)).is_complete()
    return folder


@pytest.fixture
def spaces_data(spaces_folder: Path, use_copy: Callable[[Path], Path]) -> Path:
    return use_copy(spaces_folder)


def said(page: AppTest) -> str:
    """Return the words and tables of a page, without its list of runs."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "success", "metric")
    words = [str(element.value) for kind in kinds for element in page.get(kind)]
    tables = [table.value.to_csv() for table in page.dataframe]
    return "\n".join([*words, *tables]).replace("\\", "")


def splits_of(folder: Path, space: str) -> set[str]:
    own = [run for run in list_runs(folder) if isinstance(run.request(), SplitRequest)]
    return {run.run_id for run in own if run.request().space == space}


@pytest.mark.parametrize("script", [*SCRIPTS, *OTHERS])
@pytest.mark.parametrize("name", [MACRO, TRANSNAS, OWN])
def test_a_page_shows_a_space_and_nothing_of_another(
    script: str, name: str, spaces_data: Path, open_page: Open
):
    dataset, _ = PLACES[name]
    page = open_page(script, space=name, dataset=dataset)
    assert not page.error and not page.warning
    assert page.sidebar.selectbox(key="space").value == name
    assert {page.session_state["split"]} == splits_of(spaces_data, name)
    text = said(page)
    for other, (_, best) in PLACES.items():
        assert other == name or best not in text
    if name != MACRO and "Runs" not in script:  # no supernet, or no images for it
        assert not re.search(r"full width|width \d+/16|\d+ channels", text)
    if script in OTHERS[:2]:  # searches
        lacking = {OWN: "no supernet", TRANSNAS: "no images of Room layout", MACRO: "yet"}
        assert lacking[name] in text
    if script == "pages/3_Compare.py":
        assert page.multiselect(key="splits").value == [page.session_state["split"]]


def test_another_space_is_chosen_and_nothing_is_carried_along(spaces_data: Path, open_page: Open):
    page = open_page("pages/2_Distributions.py", architecture="000000", accuracy="test")
    page.sidebar.selectbox(key="dataset").set_value("cifar100").run()
    page.sidebar.selectbox(key="space").set_value(MACRO).run()
    query = {name: "".join(value) for name, value in page.query_params.items()}
    assert (query["space"], query["dataset"]) == (MACRO, "cifar10")
    assert {query["split"]} == splits_of(spaces_data, MACRO)
    assert not {"accuracy", "architecture"} & query.keys()
    page.text_input(key="architecture").set_value("22222222").run()
    assert "rank 1 of 6,561, 77.77%" in said(page)
    page.sidebar.selectbox(key="space").set_value(TRANSNAS).run()
    page.sidebar.selectbox(key="dataset").set_value("room_layout").run()
    assert page.text_input(key="architecture").value == "" and not page.error
    assert "Benchmark score: validation, negative loss" in said(page)
    page.text_input(key="architecture").set_value("333333").run()
    assert "rank 1 of 4,096, -0.4321 negative loss" in said(page)
    page.sidebar.selectbox(key="space").set_value("nas-bench-201").run()
    assert "space" not in page.query_params and not page.error
    assert page.session_state["accuracy"] == "validation"
    assert page.session_state["split"] in splits_of(spaces_data, "nas-bench-201")


def test_imported_curves_are_shown_in_their_space_only(
    spaces_data: Path, open_page: Open, tmp_path: Path
):
    head, line = "sub_space,epoch,valid_accuracy,test_accuracy", "{},{},{},{}"
    for space, (dataset, _) in PLACES.items():
        sign, name = (1, space) if space in ("nas-bench-201", MACRO) else (-1, space)
        lines = [line.format(s, e, sign * (40 + e), sign * s) for s in range(1, 3) for e in (0, 1)]
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *lines]))
        of = get_space(space, spaces_data)
        store_curves(tmp_path / f"{name}.csv", spaces_data, space=of, dataset=dataset)
    page = open_page("pages/5_Halving.py")
    for space, (dataset, _) in PLACES.items():
        page.sidebar.selectbox(key="space").set_value(space).run()
        page.sidebar.selectbox(key="dataset").set_value(dataset).run()
        assert page.selectbox(key="curves").options == [f"{space} · imported"]
        assert page.selectbox(key="curves_to_remove").options == [space] and not page.error
        unit = {TRANSNAS: " negative loss", OWN: " negative metres"}.get(space, "%")
        [selected] = [metric.value for metric in page.metric if metric.label == "Selected"]
        assert selected.endswith(unit) and page.query_params["curves"] == f"file-{space}"
    page = open_page("pages/5_Halving.py", space=MACRO)
    content = f"{head},architecture\nS1,0,10,20,333333\n".encode()
    page.file_uploader(key="curves_file").upload("x.csv", content, "text/csv").run()
    page.button(key="import_curves").click().run()
    assert "Nothing was imported. x.csv: expected architectures of NAS" in page.error[0].value


def test_searches_on_a_task_in_another_unit(
    split_data: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    [folder] = [run for run in list_runs(split_data) if "params" in run.run_id]
    keep_searches(split_data, folder.tree().leaves, 777, preset="quick", epochs=3)
    known = SearchSpace.dataset
    other = {"unit": "SSIM", "larger_is_better": False}
    monkeypatch.setattr(SearchSpace, "dataset", lambda *args: replace(known(*args), **other))
    search = open_page("pages/4_Search.py", split=folder.run_id)
    text = said(search)
    assert "negative SSIM validation score" in text and "negative SSIM less" in text
    curves = open_page("pages/4_Search.py", split=folder.run_id, measure="Benchmark score found")
    figures = [json.loads(chart.proto.spec) for chart in curves.get("plotly_chart")]
    [figure] = [each for each in figures if "Benchmark score found" in json.dumps(each["layout"])]
    assert "negative SSIM" in figure["layout"]["yaxis"]["title"]["text"]
    detail = open_page("pages/4_Search.py", split=folder.run_id, search_tab="One search")
    values = {metric.label: metric.value for metric in detail.metric}
    assert values["Benchmark validation score"].endswith(" negative SSIM")
    halving = open_page("pages/5_Halving.py", split=folder.run_id)
    values = {metric.label: metric.value for metric in halving.metric}
    assert values["Selected"].endswith("SSIM") and values["Regret"].endswith("SSIM")
    assert "SSIM" in said(halving)
    runs = open_page("pages/7_Runs.py", run_group="metric or algorithm")
    [groups] = [table.value for table in runs.dataframe if "found" in table.value]
    assert all("negative SSIM (" in text for text in groups["found"].dropna())
    for page in (search, curves, detail, halving, runs):
        assert not page.error


def test_a_link_to_a_split_opens_its_space(spaces_data: Path, open_page: Open):
    [split] = splits_of(spaces_data, OWN)
    page = open_page("pages/1_Split.py", split=split)
    assert page.sidebar.selectbox(key="space").value == OWN
    assert page.session_state["split"] == split and not page.error
    assert page.selectbox(key="node").value == "depth, the root"
    assert "Depth separates" in said(page)


def test_a_space_that_is_not_here_is_named(split_data: Path, open_page: Open):
    page = open_page("app.py", space="../etc")
    assert "no search space ../etc" in page.warning[0].value
    assert not [box for box in page.sidebar.selectbox if box.key == "space"]


def test_a_space_without_a_table_says_how_to_import_it(split_data: Path, open_page: Open):
    page = open_page("pages/2_Distributions.py", space=MACRO)
    page.query_params["show"] = "Importance"
    text = said(open_page("pages/3_Compare.py", space=MACRO)) + said(page)
    assert "6,561 architectures" in text and not page.error
    home = open_page("pages/8_Data.py", space=MACRO)
    assert "`fewshot import-table nas-bench-macro_cifar10.json`" in said(home)


def test_a_new_split_in_a_space_without_a_supernet(
    spaces_data: Path, open_page: Open, wait_for: Callable[[RunFolder], RunFolder]
):
    page = open_page("pages/1_Split.py", space=OWN, dataset="flowers", new="split")
    [metric] = [box for box in page.selectbox if box.key == "metric"]
    assert metric.options == ["random (baseline)"]
    assert "Small CNN has no supernet" in said(page)
    assert page.multiselect(key="edges").options == ["stem", "depth", "block", "head"]
    assert page.number_input(key="groups").max == 2
    page.multiselect(key="edges").set_value([2, 3]).run()
    assert page.number_input(key="groups").max == 5
    page.button(key="start").click().run()
    [run] = [run for run in list_runs(spaces_data) if run.request().dataset == "flowers"]
    assert run.request().tree.edges == (2, 3) and run.request().space == OWN
    wait_for(run)
    page.run()
    assert page.session_state["split"] == run.run_id
    assert "**On flowers**" in said(page)


def test_findings_are_about_all_spaces(spaces_data: Path, open_page: Open):
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    page.query_params["results"] = "Findings"
    page.switch_page("pages/6_Results.py").run()
    assert not page.exception
    boxes = {box.label.partition(" :")[0]: box for box in page.expander}
    assert list(boxes) == [claim.title for claim in FINDINGS]
    near, informative, *_, better = boxes.values()
    assert near.label.endswith(":red-badge[does not hold (3)]")
    shown = [frame.value for frame in near.dataframe]
    assert any("TransNAS-Bench-101 micro: Room layout" in " ".join(t.iloc[:, 0]) for t in shown)
    assert ":gray-badge[smoke test]" in informative.label
    assert ":gray-badge[not measured]" in better.label
    [figure, *_] = [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]
    assert "TransNAS-Bench-101 micro: Jigsaw puzzle, validation" in figure["data"][0]["y"]
    assert "fewshot findings" in "\n".join(code.value for code in page.code)
    links = [link.proto for link in page.get("page_link") if "finding=" in link.proto.query_string]
    assert links[0].label.startswith("R1: 2 runs behind") and links[0].page == "Runs"
    [key] = parse_qs(links[0].query_string)["finding"]
    runs = open_page("pages/7_Runs.py", finding=key)
    assert runs.info[0].value.startswith(f"Only the 2 runs of R1: {FINDINGS[1].title}")
    assert set(runs.dataframe[0].value["run"]) == splits_of(spaces_data, "nas-bench-201")
    other = open_page("pages/7_Runs.py", finding="0123456789")
    assert "exactly these runs any more" in other.warning[0].value


def test_the_scale_across_spaces_is_from_random_trees_to_the_best(spaces_folder: Path):
    with closing(Store(spaces_folder, in_memory=True)) as store:
        store.sync()
        across = read_across(store, spaces_folder)
        [row] = across[across["space"] == "NAS-Bench-Macro"].to_dict("records")
        leaves = store.split_trees([row["split"]])[0].leaves
    macro = get_space(MACRO)
    accuracy = load_accuracy("cifar10", "test", "macro", spaces_folder, macro)
    best = best_tree(accuracy, (1, 0), space=macro).gain_bits
    chance = random_trees(accuracy, edges=(1, 0), space=macro).mean()
    gain = information_gain(leaves, accuracy)
    assert row["position"] == pytest.approx((gain - chance) / (best - chance))
    assert (row["kind"], row["table"], row["metric"]) == ("test", "macro", "random")
    both = across[across["space"] == "NAS-Bench-201"]
    assert {*both["metric"]} == {"gradnorm", "params"} and both["strongest"].all()
    assert "Small CNN" in set(across["space"]) and {*across["seed"]} == {"(0,)"}


def test_a_space_is_declared_on_the_data_page(split_data: Path, spaces_folder: Path, open_page):
    page = open_page("pages/8_Data.py", data="Search spaces")
    declared = (spaces_folder / "spaces" / f"{OWN}.toml").read_bytes()
    upload = page.file_uploader(key="space_upload")
    page = upload.upload("own.toml", declared.replace(b"stem", b"st em#"), "x/toml").run()
    assert "240 architectures" in said(page)
    lines = rows(get_space(OWN, spaces_folder), ["flowers_test"], lambda c: [10 + c[2]])
    table = "\n".join(",".join(map(str, line)) for line in lines)
    broken = table.replace(",17", ",170").encode()
    page.file_uploader(key="space_tables").upload("own.csv", broken, "text/csv").run()
    assert "expected an accuracy from 0 to 100" in page.error[0].value
    assert not (split_data / "spaces").exists()
    page = open_page("pages/8_Data.py", data="Search spaces")
    page.file_uploader(key="space_upload").upload("own.toml", declared, "x/toml").run()
    page.file_uploader(key="space_tables").upload("own.csv", table.encode(), "text/csv").run()
    page.button(key="import_space").click().run()
    [info] = [info for info in list_tables(split_data, None) if info.space == OWN]
    space = get_space(OWN, split_data)
    assert (
        load_accuracy("flowers", "test", info.name, split_data, space)["accuracy_mean"].max() == 17
    )
    page = open_page("pages/8_Data.py", data="Search spaces")
    other = declared.replace(b'"conv3"', b'"conv1"')
    page.file_uploader(key="space_upload").upload("own.toml", other, "x/toml").run()
    page.button(key="import_space").click().run()
    assert "there is another search space" in page.error[0].value
