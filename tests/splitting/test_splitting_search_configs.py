import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_core.datasets import DATASETS
from fewshot_core.errors import SplittingError, UnknownNameError
from fewshot_core.space import SubSpace
from fewshot_core.splitting import set_partitions
from fewshot_core.splitting.search_configs import search_configs, split_from_search_configs
from fewshot_core.splitting.tree import NamedSplit

HALVES = tuple(SubSpace.full().keep(0, group) for group in ((0, 1), (2, 3, 4)))
SPLIT = NamedSplit("params", "cifar10", HALVES)


@st.composite
def splits(draw):
    leaves = [SubSpace.full()]
    for edge in draw(st.permutations(range(6)))[: draw(st.integers(0, 4))]:
        grouping = draw(st.sampled_from(set_partitions(5, 2)))
        leaves = [leaf.keep(edge, group) for leaf in leaves for group in grouping]
    name = draw(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
    return NamedSplit(name, draw(st.sampled_from(DATASETS.names())), tuple(leaves))


@settings(max_examples=25)
@given(splits())
def test_written_files_are_read_back(split):
    files = search_configs(split)
    assert len(files) == len(split.leaves)
    shuffled = dict(sorted(files.items(), key=lambda item: hash(item)))
    assert split_from_search_configs(shuffled, "folder") == split


@given(st.text())
def test_no_name_leads_out_of_a_folder(name):
    safe = set(string.ascii_letters + string.digits + "-_.")
    for file in search_configs(NamedSplit(name, "cifar10", HALVES)):
        assert set(file) <= safe and len(file) < 120
        assert file.startswith("nb201_") and file.endswith("_darts_cifar10.yml")
        assert ".." not in file


def test_a_configuration_has_the_fields_that_a_search_reads():
    [first, _] = search_configs(SPLIT).values()
    document = yaml.safe_load(first)
    needed = {"output", "dataset", "seed", "disable_tdqm", "fast", "test"}
    needed |= {"base_config", "default", "warmup", "splitting", "training"}
    assert needed <= set(document)
    assert document["dataset"] == "cifar10" and document["seed"] == 0
    assert document["training"]["epochs"] == 50
    assert document["default"]["arch"] == [[1, 1, 0, 0, 0], *[[1, 1, 1, 1, 1]] * 5]
    assert {type(cell) for row in document["default"]["arch"] for cell in row} == {float}
    assert document["default"]["dataloader"]["valid_split"] == 0.5
    base = document["base_config"]
    assert set(base) == {"network", "optimizer", "scheduler", "loss", "architecture"}
    assert base["optimizer"]["config"]["weight_decay"] == 0.0003
    assert 50 in base["scheduler"]["config"].values()
    assert not base["architecture"]["config"]["second_order"]
    assert document["output"] == "nb201_params0_darts_cifar10"


def config(rows, **keys):
    arch = [[float(mark) for mark in row] for row in rows]
    return yaml.safe_dump({"dataset": "cifar10", "default": {"arch": arch}, **keys})


def test_files_follow_the_numbers_in_their_names():
    leaves = [SubSpace.full().keep(0, [a]).keep(1, [b]) for a in range(5) for b in range(5)]
    files = {f"nb201_gm{number}_x.yml": config(leaf.rows) for number, leaf in enumerate(leaves)}
    split = split_from_search_configs(dict(sorted(files.items())), "nb201_gm_x")
    assert list(split.leaves) == leaves
    assert (split.name, split.dataset) == ("gradientmatching", "cifar10")


def test_the_data_set_may_be_below_default_or_absent():
    nested = yaml.safe_load(config(SubSpace.full().rows))
    nested["default"]["dataset"] = nested.pop("dataset")
    split = split_from_search_configs({"a.yml": yaml.safe_dump(nested)}, "x")
    assert split.dataset == "cifar10"
    del nested["default"]["dataset"]
    assert split_from_search_configs({"a.yml": yaml.safe_dump(nested)}, "x").dataset is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a.yml: expected keys like default"),
        ("- 1", "a.yml: expected keys like default"),
        ("default: 3", "expected default.arch with 6 rows of 5 .*got None"),
        ("default: {arch: [[1]]}", "expected default.arch"),
        ("default: {arch: [1, 1, 1, 1, 1, 1]}", "expected default.arch"),
        (config([[1] * 5] * 5 + [[1, 1, 1, 1, 0.5]]), "expected default.arch"),
        (config([[1] * 5] * 5 + [[0] * 5]), "a.yml: edge 3<-2: expected at least one"),
        ("default: {arch: [", "a.yml cannot be read .* expected a search configuration in YAML"),
        (
            "a: !!python/object/apply:os.getcwd []",
            "a.yml cannot be read .* expected a search configuration in YAML",
        ),
        ("a: 2024-99-99", "a.yml cannot be read .* expected a search configuration in YAML"),
        ("[" * 5000, "a.yml cannot be read .* expected a search configuration in YAML"),
        (config(HALVES[0].rows), "x on cifar10: .*9,375 are missing"),
    ],
)
def test_an_invalid_configuration_is_refused_in_one_line(text, words):
    with pytest.raises(SplittingError, match=words) as caught:
        split_from_search_configs({"a.yml": text}, "x")
    assert "\n" not in str(caught.value)


def test_references_to_references_are_not_shown_in_full():
    lines = ["a0: &a0 [1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    text = "\n".join([*lines, "default: {arch: *a11}"])
    with pytest.raises(SplittingError, match=r"expected default\.arch") as caught:
        split_from_search_configs({"a.yml": text}, "x")
    assert len(str(caught.value)) < 5000


def test_configurations_of_several_splits_are_not_mixed():
    first, second = (config(half.rows) for half in HALVES)
    other = config(HALVES[1].rows, dataset="cifar100")
    assert split_from_search_configs({"a.yml": first, "b.yml": second}, "x").leaves == HALVES
    with pytest.raises(SplittingError, match="of one data set, got 'cifar10', 'cifar100'"):
        split_from_search_configs({"a.yml": first, "b.yml": other}, "x")
    named = config(HALVES[1].rows, metric="snip")
    with pytest.raises(SplittingError, match="of one metric, got 'snip', None"):
        split_from_search_configs({"a.yml": first, "b.yml": named}, "x")


def test_unsupported_splits_are_not_written():
    with pytest.raises(SplittingError, match="params: expected a data set"):
        search_configs(NamedSplit("params", None, HALVES))
    with pytest.raises(UnknownNameError, match="unknown data set 'mnist'"):
        search_configs(NamedSplit("params", "mnist", HALVES))
