"""Keeping splits from elsewhere in the data folder."""

import pytest

from fewshot_core.errors import SplittingError, UnknownNameError
from fewshot_core.space import SubSpace
from fewshot_core.splitting.files import (
    imported_names,
    open_imported,
    remove_imported,
    store_splits,
)
from fewshot_core.splitting.tree import NamedSplit

FULL = SubSpace.full()


def split(name="params", dataset="cifar10", group=(3,)):
    rest = [operation for operation in range(5) if operation not in group]
    return NamedSplit(name, dataset, (FULL.keep(0, group), FULL.keep(0, rest)))


def test_what_is_kept_is_what_was_given(tmp_path):
    (name,) = store_splits([split()], "some/published splits.json", tmp_path)
    assert name == "params-cifar10-published-splits"
    assert imported_names(tmp_path) == [name]
    assert open_imported(name, tmp_path) == split()


def test_the_same_split_again_changes_nothing(tmp_path):
    first = store_splits([split()], "a.json", tmp_path)
    assert store_splits([split()], "a.json", tmp_path) == first
    assert len(imported_names(tmp_path)) == 1


def test_another_split_under_the_same_name_takes_nothing_away(tmp_path):
    first = store_splits([split()], "a.json", tmp_path)
    (second,) = store_splits([split(group=(2, 3))], "a.json", tmp_path)
    assert second == f"{first[0]}-2"
    assert open_imported(first[0], tmp_path) == split()
    assert open_imported(second, tmp_path) == split(group=(2, 3))


@pytest.mark.parametrize("dataset", [None, "mnist"])
def test_a_split_of_no_known_data_set_is_refused_and_none_is_kept(tmp_path, dataset):
    with pytest.raises(SplittingError, match=r"cifar10, cifar100.*made: other"):
        store_splits([split(), split("other", dataset)], "a.json", tmp_path)
    assert imported_names(tmp_path) == []


@pytest.mark.parametrize("name", ["nothing", "../cache", "", ".lock", "a/b"])
def test_a_name_that_is_not_kept_is_refused(tmp_path, name):
    (tmp_path / "cache.json").write_text("{}")
    (kept,) = store_splits([split()], "a.json", tmp_path)
    for action in (open_imported, remove_imported):
        with pytest.raises(UnknownNameError, match=kept):
            action(name, tmp_path)
    assert (tmp_path / "cache.json").exists()


def test_a_removed_split_is_gone(tmp_path):
    (name,) = store_splits([split()], "a.json", tmp_path)
    remove_imported(name, tmp_path)
    assert imported_names(tmp_path) == []


def test_names_from_files_cannot_leave_the_folder(tmp_path):
    (name,) = store_splits([split("../../evil")], "../../x/../y.json", tmp_path)
    assert [path.name for path in (tmp_path / "splits").glob("*.json")] == [f"{name}.json"]
    assert "/" not in name
