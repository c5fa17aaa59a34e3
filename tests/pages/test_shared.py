"""What pages share: cached figures, labels of runs, and the texts of options."""

import json
from dataclasses import fields, replace

import plotly.graph_objects as go
from streamlit.testing.v1 import AppTest

from fewshot_core.dashboard.shared.controls import plain
from fewshot_core.dashboard.shared.figures import Picture, cached_figure
from fewshot_core.dashboard.shared.requests import OPTION_TEXTS, readers_of
from fewshot_core.dashboard.shared.splits import distinct_labels, options_label, split_label
from fewshot_core.plots import alternative
from fewshot_core.runs import Network, SplitRequest
from fewshot_core.search import PRESETS, SearchOptions, TrainingOptions

LARGE, SMALL = "16 channels, 5 cells", "4 channels, 1 cell"


def test_nothing_in_a_plain_text_is_markdown():
    assert plain("|none~0|+|*x*| :red[$a$] <b> a_b &lt;") == (
        r"\|none\~0\|+\|\*x\*\| :red\[\$a\$\] \<b\> a\_b \&lt;"
    )


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


def _table() -> None:
    from fewshot_core.dashboard.shared.controls import numbers, show_columns

    show_columns({"name": ["a"], "value": ([1.5], numbers("%.2f", "A help text"))}, "one row")


def test_a_table_shows_columns_with_and_without_a_configuration():
    table = AppTest.from_function(_table).run().dataframe[0]
    assert table.value.to_dict("list") == {"name": ["a"], "value": [1.5]}
    configured = json.loads(table.proto.columns)
    assert [name for name, column in configured.items() if column.get("hidden")] == ["_index"]
    assert configured["value"]["help"] == "A help text"


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
    labels = {key: split_label(request, f"split-{key}") for key, request in requests.items()}
    assert distinct_labels(labels) == {
        "a": "snip · seed 0",
        "b": "snip · seed 1",
        "c": "snip · trained · seed 0",
        "d": "ntk",
    }


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
