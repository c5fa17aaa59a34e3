import json
import shlex

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.bench import FORMS, KINDS, SCALES, ColumnMapping, propose_mapping
from fewshot_core.bench.table import architecture_codes
from fewshot_core.datasets import DATASETS
from fewshot_core.errors import TableError

SETS = [(dataset, kind) for dataset in DATASETS.names() for kind in KINDS]
names = st.text(st.characters(exclude_categories=["C"]), min_size=1).filter(
    lambda name: not name.startswith("-")
)


@st.composite
def mappings(draw):
    targets = draw(st.lists(st.sampled_from(SETS), min_size=1, unique=True))
    columns = tuple((draw(names), *target) for target in targets)
    form, scale = draw(st.sampled_from(list(FORMS))), draw(st.sampled_from(list(SCALES)))
    return ColumnMapping(draw(names), columns, form, scale)


@given(mappings())
def test_it_survives_json(mapping):
    assert ColumnMapping.from_dict(json.loads(json.dumps(mapping.to_dict()))) == mapping


@given(mappings())
def test_the_options_it_shows_ask_for_it(mapping):
    words = shlex.split(mapping.to_options())
    options = list(zip(words[::2], words[1::2], strict=True))
    single = {name.removeprefix("--"): value for name, value in options if name != "--map"}
    maps = [value for name, value in options if name == "--map"]
    assert ColumnMapping.from_options(maps=maps, **single) == mapping


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("column", "expected COLUMN=DATASET:KIND"),
        ("column=cifar10", "expected COLUMN=DATASET:KIND"),
        ("=cifar10:test", "expected COLUMN=DATASET:KIND"),
        ("column=mnist:test", "unknown data set 'mnist': expected one of cifar10"),
        ("column=cifar10:train", "unknown kind of accuracy 'train': expected one of validation"),
    ],
)
def test_wrong_options_are_refused(text, message):
    with pytest.raises(TableError, match=message):
        ColumnMapping.from_options("arch", [text])


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"columns": [["a", "cifar10", "test"], ["b", "cifar10", "test"]]},
        {"columns": [["a", "cifar10"]]},
        {"form": "name"},
        {"scale": "permille"},
        {"other": 1},
    ],
)
def test_a_wrong_dictionary_is_refused(change):
    good = {"architecture": "arch", "columns": [["a", "cifar10", "test"]]}
    assert ColumnMapping.from_dict(good).form == "string"
    with pytest.raises(TableError):
        ColumnMapping.from_dict({**good, **change})


def frame(**columns):
    strings = list(architecture_codes("string"))[:4]
    return pd.DataFrame({"net": strings, **columns}, dtype=object)


def test_a_proposal_reads_names_and_content():
    numbers = ["50", "60.5", "70", "80"]
    rows = frame(
        **{
            "CIFAR-10 valid acc": numbers,
            "cifar100_test": numbers,
            "imagenet16_test_acc": numbers,
            "cifar10_test_loss": numbers,
            "cifar10_0_test_note": ["a", "b", "c", "d"],
        }
    )
    assert propose_mapping(rows) == ColumnMapping(
        "net",
        (
            ("CIFAR-10 valid acc", "cifar10", "validation"),
            ("cifar100_test", "cifar100", "test"),
            ("imagenet16_test_acc", "ImageNet16-120", "test"),
        ),
    )


def test_no_proposal_without_architectures_or_accuracies():
    assert propose_mapping(frame(accuracy=["50", "60", "70", "80"])) is None
    assert propose_mapping(pd.DataFrame({"cifar10_test": ["1.5", "2.5"]}, dtype=object)) is None
