import pytest

from fewshot_core.errors import SplittingError
from fewshot_core.space import SubSpace
from fewshot_core.splitting.files import masks_of_splits, splits_from_masks
from fewshot_core.splitting.tree import NamedSplit

FULL = ["11111"] * 5
HALVES = [["11000", *FULL], ["00111", *FULL]]


def leaves(masks):
    return tuple(SubSpace.from_rows(rows) for rows in masks)


def test_splits_are_read_in_the_order_of_the_document():
    document = {"splits": {"b": {"cifar100": HALVES}, "a": {"cifar10": HALVES[::-1]}}}
    first, second = splits_from_masks(document)
    assert (first.name, first.dataset, first.leaves) == ("b", "cifar100", leaves(HALVES))
    assert (second.name, second.dataset, second.leaves) == ("a", "cifar10", leaves(HALVES[::-1]))
    assert first.title == "b on cifar100" and first.tree is None
    assert splits_from_masks({"splits": {}}) == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "expected {"),
        ([], "expected {"),
        ({"splits": None}, "expected {"),
        ({"splits": {"a": []}}, "expected {"),
        ({"splits": {"a": {"cifar10": {}}}}, "a on cifar10 has no sub-spaces"),
        ({"splits": {"a": {"cifar10": []}}}, "a on cifar10 has no sub-spaces"),
        ({"splits": {"a": {"cifar10": [["1"]]}}}, "a on cifar10: expected 6 rows"),
        ({"splits": {"a": {"cifar10": [7]}}}, "a on cifar10: expected 6 rows"),
        ({"splits": {"a": {"cifar10": HALVES[:1]}}}, "a on cifar10: .* 9,375 are missing"),
        ({"splits": {"a": {"cifar10": [*HALVES, HALVES[0]]}}}, "6,250 are in more than one"),
    ],
)
def test_documents_without_splits_are_refused(document, words):
    with pytest.raises(SplittingError, match=words):
        splits_from_masks(document)


def test_masks_are_written_as_they_are_read():
    splits = [
        NamedSplit("a", "cifar10", leaves(HALVES)),
        NamedSplit("b", "cifar10", (SubSpace.full(),)),
        NamedSplit("a", "cifar100", leaves(HALVES)),
    ]
    document = masks_of_splits(splits)
    assert document["splits"]["a"]["cifar10"] == HALVES
    assert document["meta"]["edges"] == ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]
    assert sorted(splits_from_masks(document), key=str) == sorted(splits, key=str)


def test_splits_that_masks_cannot_tell_apart_are_refused():
    split = NamedSplit("a", "cifar10", (SubSpace.full(),))
    with pytest.raises(SplittingError, match="one split a on cifar10, got two"):
        masks_of_splits([split, split])
    with pytest.raises(SplittingError, match="a: expected a data set"):
        masks_of_splits([NamedSplit("a", None, (SubSpace.full(),))])


def test_a_split_covers_the_space():
    with pytest.raises(SplittingError, match=r"mine: expected .* 9,375 are missing"):
        NamedSplit("mine", None, leaves(HALVES[:1]))
