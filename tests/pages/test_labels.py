"""Short names of runs on pages."""

from fewshot_core.dashboard.request_labels import distinct_labels


def test_one_of_its_kind_is_called_by_its_first_name():
    labels = {"a": "snip · 16x5 · d20ce9", "b": "ntk · 4x1 · 592c75"}
    assert distinct_labels(labels) == {"a": "snip", "b": "ntk"}


def test_several_of_a_kind_are_told_apart_by_what_differs():
    labels = {
        "a": "snip · 16x5 · d20ce9",
        "b": "snip · 16x5 · synthetic · 84ab11",
        "c": "snip · 4x1 · 99ab11",
    }
    assert distinct_labels(labels) == {
        "a": "snip · 16x5 · d20ce9",
        "b": "snip · 16x5 · synthetic · 84ab11",
        "c": "snip · 4x1 · 99ab11",
    }
    del labels["c"]
    assert distinct_labels(labels) == {"a": "snip · d20ce9", "b": "snip · synthetic · 84ab11"}


def test_nothing_to_name():
    assert distinct_labels({}) == {}
