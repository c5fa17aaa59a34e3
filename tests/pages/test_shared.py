"""What pages share: cached figures, labels of runs, and the texts of options."""

import json
from dataclasses import fields, replace

import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from fewshot_core.dashboard.shared.controls import plain
from fewshot_core.dashboard.shared.figures import Picture, cached_figure
from fewshot_core.dashboard.shared.requests import OPTION_TEXTS, readers_of
from fewshot_core.dashboard.shared.splits import (
    distinct_labels,
    full_label,
    options_label,
    split_label,
)
from fewshot_core.plots import alternative
from fewshot_core.runs import Network, SplitRequest
from fewshot_core.search import PRESETS, SearchOptions, TrainingOptions
from fewshot_core.splitting import TreeOptions

LARGE, SMALL = "16 channels, 5 cells", "4 channels, 1 cell"


def _failing() -> None:
    import errno

    from fewshot_core.dashboard.shared.page import show_failure

    assert show_failure(OSError(errno.ENOSPC, "no space", "x_y"))
    assert not show_failure(ZeroDivisionError())


def test_a_failure_anywhere_is_shown_in_plain_words(tmp_path, monkeypatch):
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path))
    page = AppTest.from_function(_failing).run()
    assert not page.exception and "the disk is full: free some space" in page.error[0].value
    monkeypatch.setenv("FEWSHOT_DATA_DIR", str(tmp_path / "none"))
    assert "has disappeared: bring it back" in page.run().error[0].value


def _number() -> None:
    import streamlit as st

    from fewshot_core.dashboard.shared.controls import choose_number

    if st.button("Load"):
        st.session_state["count"] = 7
    st.text(choose_number("Count", "count", 3, 0, 9))


def test_a_number_that_the_page_sets_has_no_default_besides():
    page = AppTest.from_function(_number).run()
    assert page.text[0].value == "3" and page.number_input[0].proto.HasField("default")
    page.button[0].click().run()
    assert page.text[0].value == "7" and not page.number_input[0].proto.HasField("default")


def test_nothing_in_a_plain_text_is_markdown():
    assert plain("|none~0|+|*x*| [$a$] <b> a_b &lt;") == (
        r"\|none\~0\|+\|\*x\*\| \[\$a\$\] \<b\> a\_b \&lt;"
    )
    # What Streamlit and Markdown read in spite of a backslash has a word joiner in it.
    for text in (":material/a:", ":a:", ":red", "http://a.b", "a@b.c", "www.a.b", "- a", "12. a"):
        assert plain(text) != text and plain(text).replace("\u2060", "") == text
    assert plain("a: b, -1, 1.5, @, a\n\n\u202eb ") == "a: b, -1, 1.5, @, a b"


def _figure(height: int) -> go.Figure:
    trace = go.Scatter(x=[1.0, 2.0], y=[0.5, None])
    return go.Figure(trace, layout={"meta": {"alt": f"{height} high"}, "height": height})


def test_a_picture_is_sent_as_its_figure_is():
    figure = _figure(300)
    picture = Picture(figure)
    assert picture.to_json() == figure.to_json()
    assert alternative(picture) == "300 high"


def test_a_cached_figure_is_drawn_once_for_each_set_of_arguments():
    drawn: list[int] = []

    @cached_figure
    def draw(height: int) -> go.Figure:
        drawn.append(height)
        return _figure(height)

    first = draw(300)
    assert draw(300) is first
    assert alternative(draw(400)) == "400 high"
    assert drawn == [300, 400]


def _exported() -> None:
    from fewshot_core.dashboard.shared.figures import show_figure
    from fewshot_core.plots import cell_figure
    from fewshot_core.space import Architecture

    show_figure(cell_figure(Architecture((0,) * 6)), "cell", source=["demo"])


def test_a_figure_is_exported_from_a_dialog_that_sends_nothing_before_it_is_opened():
    page = AppTest.from_function(_exported).run()
    assert not page.get("bidi_component") and not page.get("download_button")
    page.button(key="export_cell").click().run()
    assert not page.exception
    downloads = {part.proto.label: part.proto.disabled for part in page.get("download_button")}
    # The first three wait for the browser, which this test has not.
    assert downloads == {"SVG": True, "PDF": True, "PNG": True, "CSV": False, "Python": False}
    load, draw = page.get("bidi_component")
    assert "window.Plotly = Plotly" in load.proto.js_content
    assert len(draw.proto.SerializeToString()) < 50_000
    assert "demo" in json.loads(draw.proto.json)["figure"]


def _table() -> None:
    from fewshot_core.dashboard.shared.controls import numbers, show_columns

    value = [1.5], numbers("%.2f%%", "A help text", label="value, %")
    columns = {"name": ["a_b"], "value": value, "top": [True]}
    show_columns(columns, "one row", export="values", source=["demo", "one seed"])


def test_a_table_shows_columns_with_and_without_a_configuration():
    table = AppTest.from_function(_table).run().dataframe[0]
    assert table.value.to_dict("list") == {"name": ["a_b"], "value": [1.5], "top": [True]}
    configured = json.loads(table.proto.columns)
    assert [name for name, column in configured.items() if column.get("hidden")] == ["_index"]
    assert configured["value"]["help"] == "A help text"


def test_a_table_is_exported_with_the_digits_and_the_source_that_it_shows():
    page = AppTest.from_function(_table).run()
    assert not page.get("download_button")
    page.button(key="export_table_values").click().run()
    assert not page.exception
    files = [part.proto.label for part in page.get("download_button")]
    assert files == ["CSV", "Markdown", "LaTeX"]
    [latex] = [block.value for block in page.code]
    assert r"name & value, \% & top \\" in latex and r"a\_b & 1.50\% & yes \\" in latex
    assert r"\caption{one row}" in latex and "demo; one seed." in latex


def test_one_of_its_kind_is_called_by_its_first_name():
    labels = {"a": f"snip · {LARGE} · d20ce9", "b": f"ntk · {SMALL} · 592c75"}
    assert distinct_labels(labels) == {"a": "snip", "b": "ntk"}


def test_labels_contain_what_differs():
    labels = {
        "a": f"snip · {LARGE} · d20ce9",
        "b": f"snip · {LARGE} · synthetic · 84ab11",
        "c": f"snip · {SMALL} · 99ab11",
    }
    assert distinct_labels(labels) == {
        "a": f"snip · {LARGE}",
        "b": f"snip · {LARGE} · synthetic",
        "c": f"snip · {SMALL}",
    }
    del labels["c"]
    assert distinct_labels(labels) == {"a": "snip", "b": "snip · synthetic"}


def test_only_equal_labels_get_the_end_of_the_run_name():
    labels = {
        "a": f"snip · {LARGE} · d20ce9",
        "b": f"snip · {LARGE} · 84ab11",
        "c": f"snip · {SMALL} · 99ab11",
    }
    assert distinct_labels(labels) == {
        "a": f"snip · {LARGE} · d20ce9",
        "b": f"snip · {LARGE} · 84ab11",
        "c": f"snip · {SMALL}",
    }


def test_splits_of_one_metric_are_distinguished_by_seed_and_weights():
    requests = {
        "a": SplitRequest("cifar10", "snip"),
        "b": SplitRequest("cifar10", "snip").repeated(1),
        "c": SplitRequest("cifar10", "snip", network=Network(checkpoint="supernet.pt")),
        "d": SplitRequest("cifar10", "ntk"),
    }
    labels = {key: full_label(request, f"split-{key}") for key, request in requests.items()}
    assert distinct_labels(labels) == {
        "a": "snip · untrained · seed 0",
        "b": "snip · untrained · seed 1",
        "c": "snip · trained · seed 0",
        "d": "ntk",
    }


SNIP = SplitRequest("cifar10", "snip")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (replace(SNIP, network=Network(seed=3)), ["weight seed 0", "weight seed 3"]),
        (replace(SNIP, batch_seed=3), ["batch seed 0", "batch seed 3"]),
        (replace(SNIP, images="synthetic"), ["real", "synthetic"]),
        (replace(SNIP, images="/data/mine"), ["real", "images mine"]),
        (replace(SNIP, batch_size=16), ["batch of 64", "batch of 16"]),
        (replace(SNIP, batches=3), ["batch of 64", "3 batches of 64"]),
        (replace(SNIP, batch_norm="running"), ["batch of 64", "batch of 64, running statistics"]),
        (replace(SNIP, network=Network(8)), [LARGE, "8 channels, 5 cells"]),
        (replace(SNIP, device="cuda"), ["cpu", "cuda"]),
        (replace(SNIP, tree=TreeOptions.create(balanced=True)), ["", "balanced"]),
        (
            replace(SNIP, tree=TreeOptions.create((0, 2, 1))),
            ["", "edges 1<-0, 2<-1, 2<-0"],
        ),
    ],
)
def test_everything_in_which_two_splits_differ_is_in_their_labels(other, expected):
    labels = {"a": full_label(SNIP, "split-a"), "b": full_label(other, "split-b")}
    found = distinct_labels(labels).values()
    assert list(found) == [f"snip · {part}" if part else "snip" for part in expected]


def test_variants_of_a_metric_differ_in_their_labels():
    paper = SplitRequest("cifar10", "gradientmatching")
    requests = {"a": paper, "b": replace(paper, variant="shared")}
    labels = {key: full_label(request, key) for key, request in requests.items()}
    assert list(distinct_labels(labels).values()) == [
        "gradientmatching · variant paper",
        "gradientmatching · variant shared",
    ]


def test_two_checkpoints_are_named():
    requests = {name: replace(SNIP, network=Network(checkpoint=name)) for name in ("a.pt", "b.pt")}
    labels = {key: full_label(request, f"split-{key}") for key, request in requests.items()}
    assert list(distinct_labels(labels).values()) == ["snip · trained (a)", "snip · trained (b)"]


def test_a_label_in_a_list_of_any_runs_names_what_is_not_as_usual():
    label = split_label(replace(SNIP, seed=2, batch_norm="running"), "split-snip-0123456789")
    parts = f"snip · {LARGE} · untrained · real · weight seed 0 · batch seed 0"
    norm = "batch of 64, running statistics"
    assert set(label.split(" · ")) == {*parts.split(" · "), norm, "seed 2", "012345"}
    assert split_label(SNIP, "split-x") == f"snip · {LARGE} · untrained · real · seed 0 · x"


def test_options_that_no_preset_has_are_all_named():
    quick = PRESETS.get("quick").search
    changed = replace(quick, learning_rate=0.5, augment=not quick.augment)
    size = "8 channels, 1 cell, 20 epochs"
    augment = str(not quick.augment).lower()
    assert options_label(changed) == f"{size}, learning rate 0.5, augment {augment}"


def test_options_are_named_by_their_preset_or_the_main_difference():
    quick = PRESETS.get("quick").search
    assert options_label(quick) == "Quick"
    assert options_label(replace(quick, epochs=50)) == "8 channels, 1 cell, 50 epochs"
    assert options_label(replace(quick, cells_per_stage=2)) == "8 channels, 2 cells, 20 epochs"


def test_nothing_to_name():
    assert distinct_labels({}) == {}


def test_every_option_is_explained_and_nothing_else():
    names = {field.name for kind in (SearchOptions, TrainingOptions) for field in fields(kind)}
    assert set(OPTION_TEXTS) == names


def test_who_reads_an_option_is_known():
    assert readers_of("temperature") == ("SNAS",)
    assert readers_of("stopping_threshold") == ("DSNAS",)
    assert readers_of("epochs") == ()
