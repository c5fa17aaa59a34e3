"""Search spaces, tables and images on the Data page."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.bench import list_tables, load_accuracy
from fewshot_core.dashboard.shared.controls import plain
from fewshot_core.images import list_sources, register_source
from fewshot_core.space import Architecture

Open = Callable[..., AppTest]

SCRIPT = "pages/8_Data.py"


@pytest.fixture
def csv_lines() -> list[str]:
    """A table of all architectures under its own header."""
    accuracy = np.random.default_rng(0).uniform(10, 90, 15625).round(3)
    rows = [
        f"{Architecture.from_index(index).to_string()},{value}"
        for index, value in enumerate(accuracy)
    ]
    return ["cell,measured", *rows]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def errors(page: AppTest) -> str:
    return "\n".join(error.value for error in page.error)


def test_a_table_is_imported_after_its_columns_are_confirmed(
    empty_data: Path, tmp_path: Path, csv_lines: list[str], open_page: Open
):
    path = write(tmp_path / "mine.csv", csv_lines)
    page = open_page(SCRIPT)
    page.text_input(key="table_path").set_value(str(path)).run()
    page.selectbox(key="map_column_measured").set_value("cifar100 test").run()
    assert not page.error
    page.button(key="import_table").click().run()
    assert not page.exception
    assert [info.name for info in list_tables(empty_data)][1:] == ["mine"]
    assert [toast.value for toast in page.toast] == ["Imported the table mine"]
    known = load_accuracy("cifar100", "test", "mine", empty_data)
    assert known["accuracy_mean"].iloc[0] == float(csv_lines[1].rpartition(",")[2])


def test_the_column_of_architecture_strings_is_found_where_no_name_says_anything(
    empty_data: Path, tmp_path: Path, csv_lines: list[str], open_page: Open
):
    cells = [line.split(",") for line in csv_lines[1:]]
    lines = ["a,b*,d", *(f"{row},{number},{text}" for row, (text, number) in enumerate(cells))]
    page = open_page(SCRIPT)
    page.text_input(key="table_path").set_value(str(write(tmp_path / "mine.csv", lines))).run()
    assert page.selectbox(key="map_architecture").value == "d"
    assert page.selectbox(key="map_column_b*").label == "b\\*"


def test_a_message_about_a_file_is_plain_text(
    empty_data: Path, tmp_path: Path, csv_lines: list[str], open_page: Open
):
    text = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~9|"
    csv_lines[100] = f"{text},{csv_lines[100].rpartition(',')[2]}"
    page = open_page(SCRIPT)
    page.text_input(key="table_path").set_value(str(write(tmp_path / "a.csv", csv_lines))).run()
    page.selectbox(key="map_column_measured").set_value("cifar10 test").run()
    assert plain(text) in errors(page)


def test_a_broken_table_is_refused_with_the_row_and_nothing_is_lost(
    empty_data: Path, tmp_path: Path, csv_lines: list[str], open_page: Open
):
    csv_lines[100] = csv_lines[99]
    path = write(tmp_path / "mine.csv", csv_lines)
    page = open_page(SCRIPT)
    before = list_tables(empty_data)
    page.text_input(key="table_path").set_value(str(path)).run()
    page.selectbox(key="map_column_measured").set_value("cifar10 test").run()
    assert "101" in errors(page)
    assert list_tables(empty_data) == before


def test_a_path_without_a_table_names_the_expected_formats(empty_data: Path, open_page: Open):
    page = open_page(SCRIPT)
    page.text_input(key="table_path").set_value("/nowhere/at-all.csv").run()
    assert "/nowhere/at-all.csv" in errors(page)


def test_an_imported_table_can_be_removed(
    empty_data: Path, tmp_path: Path, csv_lines: list[str], open_page: Open
):
    test_a_table_is_imported_after_its_columns_are_confirmed(
        empty_data, tmp_path, csv_lines, open_page
    )
    page = open_page(SCRIPT)
    page.button(key="remove_table").click().run()
    assert [info.name for info in list_tables(empty_data)][1:] == []


def test_images_that_are_none_are_refused(empty_data: Path, tmp_path: Path, open_page: Open):
    page = open_page(SCRIPT, data="Images")
    page.text_input(key="images_path").set_value(str(tmp_path)).run()
    page.button(key="add_images").click().run()
    assert "holds no CIFAR-10" in errors(page)
    assert [source.name for source in list_sources("cifar10", empty_data)] == ["synthetic"]


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    """A tiny CIFAR-10 in its official layout."""
    place = tmp_path / "cifar-10-batches-py"
    place.mkdir()
    content = pickle.dumps({"data": np.zeros((10, 3072), np.uint8), "labels": list(range(10))})
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (place / name).write_bytes(content)
    return place


def test_images_are_added_by_their_path_and_removed(
    empty_data: Path, cifar10: Path, open_page: Open
):
    page = open_page(SCRIPT, data="Images")
    page.text_input(key="images_path").set_value(str(cifar10)).run()
    page.button(key="add_images").click().run()
    assert not page.error
    table = next(frame.value for frame in page.dataframe if "where" in frame.value)
    assert str(cifar10) in set(table["where"])
    page.button(key="remove_images").click().run()
    assert [source.name for source in list_sources("cifar10", empty_data)] == ["synthetic"]
    assert (cifar10 / "test_batch").exists()


def test_images_that_are_added_are_chosen(empty_data: Path, cifar10: Path, open_page: Open):
    form = open_page("app.py").switch_page("pages/1_Split.py")
    form.query_params.update({"metric": "gradnorm", "new": "split"})
    form.run()
    assert form.selectbox(key="images_cifar10").value == "synthetic"
    form.switch_page("pages/8_Data.py")
    form.query_params["data"] = "Images"
    form.run()
    form.button(key="add_images").click().run()
    assert "type one" in errors(form)
    form.text_input(key="images_path").set_value(str(cifar10))
    form.button(key="add_images").click().run()
    assert "Added images of CIFAR-10" in form.toast[0].value
    form.switch_page("pages/1_Split.py").query_params["new"] = "split"
    form.run()
    assert form.selectbox(key="images_cifar10").value == cifar10.name
    form.selectbox(key="images_cifar10").set_value("synthetic").run()
    assert form.selectbox(key="images_cifar10").value == "synthetic"


def test_images_that_were_added_elsewhere_are_chosen_in_an_open_form(
    empty_data: Path, cifar10: Path, open_page: Open
):
    form = open_page("pages/1_Split.py", metric="gradnorm", new="split")
    form.selectbox(key="images_cifar10").set_value("synthetic").run()
    register_source("cifar10", cifar10, data_dir=empty_data)
    assert form.run().selectbox(key="images_cifar10").value == cifar10.name


def test_missing_images_are_reported(empty_data: Path, cifar10: Path, open_page: Open):
    register_source("cifar10", cifar10, data_dir=empty_data)
    cifar10.rename(cifar10.with_name("elsewhere"))
    page = open_page(SCRIPT, data="Images")
    table = next(frame.value for frame in page.dataframe if "where" in frame.value)
    assert any("no longer at" in what for what in table["what"])


def test_a_damaged_list_of_images_is_reported_and_the_rest_is_shown(
    empty_data: Path, open_page: Open
):
    (empty_data / "images").mkdir(parents=True)
    (empty_data / "images" / "registered.json").write_text("{")
    page = open_page(SCRIPT, data="Images")
    assert "registered.json cannot be read" in errors(page)
    page = open_page(SCRIPT)
    assert not page.error and any("table" in frame.value for frame in page.dataframe)


def test_an_uploaded_table_is_read(empty_data: Path, csv_lines: list[str], open_page: Open):
    content = "\n".join(csv_lines).encode()
    page = open_page(SCRIPT)
    page.file_uploader(key="table_upload").upload("mine.csv", content, "text/csv").run()
    assert page.selectbox(key="map_column_measured")
    assert not page.error


def test_a_download_without_a_network_names_every_choice(empty_data: Path, open_page: Open):
    page = open_page(SCRIPT, data="Images")
    page.button(key="download").click().run()
    for choice in ("register a folder", "images/cifar10/", "synthetic"):
        assert choice in errors(page)
    assert "fewshot" not in errors(page)


def test_search_spaces_are_listed(empty_data: Path, open_page: Open):
    table = open_page(SCRIPT, data="Search spaces").dataframe[0].value.set_index("search space")
    assert table.loc["NAS-Bench-201", "architectures"] == "15,625"
    assert "CIFAR-100" in table.loc["NAS-Bench-201", "data sets"]
