"""Splits in files: trees, masks, search configurations, and imports."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from fewshot_core.errors import SplittingError, UnknownNameError
from fewshot_core.space import SubSpace, partition_by_rule, partition_csv
from fewshot_core.splitting import SplitTree
from fewshot_core.splitting.files import (
    imported_names,
    masks_of_splits,
    of_datasets,
    open_imported,
    parse_splits,
    read_splits,
    remove_imported,
    splits_from_masks,
    store_splits,
    survey_splits,
    write_masks,
    zip_archive,
)
from fewshot_core.splitting.search_configs import search_configs
from fewshot_core.splitting.tree import NamedSplit

PUBLISHED = Path(__file__).resolve().parents[2].parent / "shared/data/published_splits.json"

HALVES = tuple(SubSpace.full().keep(0, group) for group in ((0, 1), (2, 3, 4)))

SPLIT = NamedSplit("params", "cifar10", HALVES)


@pytest.fixture
def published():
    if not PUBLISHED.exists():
        pytest.skip(f"needs {PUBLISHED.name} in the folder shared beside the project")
    return read_splits(PUBLISHED)


def test_published_splits_go_through_every_form(published, tmp_path, write_search_configs):
    assert len(published) == 9
    write_masks(tmp_path / "masks.json", published)
    assert read_splits(tmp_path / "masks.json") == published
    for split in published:
        files = write_search_configs(tmp_path / split.title, split)
        assert len(files) == 8 and all(file.parent.name == split.title for file in files)
        assert read_splits(tmp_path / split.title) == [split]


def test_a_tree_is_read_with_its_decisions(random_tree, tmp_path):
    path = tmp_path / "tree.json"
    tree = SplitTree(random_tree.metric, random_tree.nodes, {"dataset": "cifar100"})
    path.write_text(tree.to_json())
    [split] = read_splits(path)
    assert (split.name, split.dataset, split.tree) == ("random", "cifar100", tree)
    assert list(split.leaves) == tree.leaves


def test_the_output_of_the_command_is_a_tree_too(random_tree, tmp_path):
    path = tmp_path / "output.json"
    path.write_text(json.dumps({"run_id": "a", "folder": "b", **random_tree.to_dict()}))
    [split] = read_splits(path)
    assert split.dataset is None and split.tree == random_tree


def test_a_split_of_a_tree_can_be_written_in_every_form(
    random_tree, tmp_path, write_search_configs
):
    split = NamedSplit("random", "cifar10", tuple(random_tree.leaves), random_tree)
    write_masks(tmp_path / "masks.json", [split])
    write_search_configs(tmp_path / "folder", split)
    assert read_splits(tmp_path / "masks.json") == read_splits(tmp_path / "folder") == [split]


def test_a_folder_is_one_split_besides_other_files(tmp_path, write_search_configs):
    write_search_configs(tmp_path / "own", SPLIT)
    (tmp_path / "own" / "README.md").write_text("nothing")
    assert read_splits(tmp_path / "own") == [SPLIT]
    first = next((tmp_path / "own").glob("*.yml"))
    first.rename(first.with_suffix(".YAML"))
    assert read_splits(tmp_path / "own") == [SPLIT]
    next((tmp_path / "own").glob("*.yml")).unlink()
    with pytest.raises(SplittingError, match=r"params on cifar10: .* are missing"):
        read_splits(tmp_path / "own")


def as_published(files, folder, start):
    """Rename files of ``write_search_configs``, without their metric, to what the authors do."""
    folder.mkdir(parents=True)
    for number, path in enumerate(files):
        lines = path.read_text().splitlines()
        text = "\n".join(line for line in lines if not line.startswith("metric:"))
        (folder / f"{start}{number}_snas_x.yml").write_text(text)


def test_a_split_is_called_like_its_folder_where_its_files_do_not_say(
    tmp_path, monkeypatch, write_search_configs
):
    folder = tmp_path / "nb201_gm_darts_cifar10"
    as_published(write_search_configs(tmp_path / "own", SPLIT), folder, "mine")
    [split] = read_splits(folder)
    assert (split.name, split.leaves) == (folder.name, HALVES)
    monkeypatch.chdir(folder)
    assert read_splits(Path()) == [split]


def test_folders_inside_are_read_and_what_is_left_out_is_listed(tmp_path, write_search_configs):
    files = write_search_configs(tmp_path / "own", SPLIT)
    root, outside = tmp_path / "configs", tmp_path / "outside"
    as_published(files, root / "777" / "nb201_gm_snas_x", "nb201_gm")
    as_published(files, root / "888" / "nb201_gm_snas_x", "nb201_gm")  # the same split again
    as_published(files, root / "777" / "nb201_random_snas_x", "nb201_777random")
    as_published(files[:1], root / "777" / "nb201_lr_snas_x", "nb201_lr")
    as_published(files, outside, "nb201_gn")
    (root / "linked").symlink_to(outside, target_is_directory=True)
    (root / "777" / "nb201_gm_snas_x" / "link.yml").symlink_to(outside / "nb201_gn0_snas_x.yml")
    splits, left_out = survey_splits(root)
    assert [(split.name, split.leaves) for split in splits] == [
        ("gradientmatching", HALVES),
        ("random_777", HALVES),
    ]
    [(folder, reason)] = left_out.items()
    assert folder == "777/nb201_lr_snas_x" and "linear_regions on cifar10: " in reason
    (root / "template.yml").write_text("default: none")
    assert list(survey_splits(root)[1]) == [".", folder]


def test_no_more_files_are_looked_at_than_the_limit(tmp_path, monkeypatch, write_search_configs):
    monkeypatch.setattr("fewshot_core.limits.FILES", 3)
    write_search_configs(tmp_path / "a" / "b", SPLIT)
    assert read_splits(tmp_path) == [SPLIT]
    write_search_configs(tmp_path / "c", SPLIT)
    with pytest.raises(SplittingError, match="more than 3 files"):
        read_splits(tmp_path)


def test_a_partition_is_stored_and_read_again(tmp_path):
    groups = partition_by_rule("path-depth")
    splits = of_datasets([NamedSplit("depth", None, groups, source="rule path-depth")])
    assert [split.dataset for split in splits] == ["cifar10", "cifar100", "ImageNet16-120"]
    names = store_splits(splits, "depth.csv", tmp_path)
    assert names[0] == "depth-cifar10-partition"
    assert store_splits(splits, "depth.csv", tmp_path) == names
    found = open_imported(names[1], tmp_path)
    assert found == splits[1] and found.source == "rule path-depth"
    with pytest.raises(SplittingError, match="depth on cifar100: a partition that is no product"):
        _ = found.sub_spaces
    with pytest.raises(SplittingError, match="no product of operation sets"):
        masks_of_splits([found])
    path = tmp_path / "depth.csv"
    path.write_text(partition_csv(groups))
    [read] = read_splits(path)
    assert (read.name, read.dataset, read.leaves) == ("depth", None, groups)
    path.write_text(partition_csv(HALVES))
    assert read_splits(path)[0].leaves == HALVES
    stored = tmp_path / "splits" / f"{names[0]}.json"
    stored.write_text(stored.read_text().replace('"numbers": [', '"numbers": [7, '))
    with pytest.raises(SplittingError, match="the partition is damaged"):
        open_imported(names[0], tmp_path)


def test_a_split_by_a_metric_is_not_imported_for_every_data_set(tmp_path):
    unknown = NamedSplit("snip", None, HALVES)
    assert of_datasets([unknown]) == [unknown]
    with pytest.raises(SplittingError, match="it is not said for which data set"):
        store_splits(of_datasets([unknown]), "x.yml", tmp_path)
    [named] = of_datasets([unknown], "cifar100")
    assert named.dataset == "cifar100"


def test_nothing_is_written_outside_the_folder(tmp_path, write_search_configs):
    split = NamedSplit("../../evil/\0name", "cifar10", HALVES)
    files = write_search_configs(tmp_path / "a" / "b", split)
    assert {path.parent for path in files} == {tmp_path / "a" / "b"}
    assert sorted(tmp_path.rglob("*")) == sorted([tmp_path / "a", tmp_path / "a" / "b", *files])
    assert read_splits(tmp_path / "a" / "b") == [split]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b"{", r"a\.json cannot be read .*folder of search configurations"),
        ("a.json", b"[" * 100_000, r"a\.json cannot be read"),
        ("a.json", b"\xff", r"a\.json cannot be read"),
        ("a.json", b"[]", r'a\.json: expected \{"splits"'),
        ("a.json", b'{"format": "other"}', r"a\.json: expected a tree of format"),
        ("a.yml", b"default: {}", r"a\.yml: expected default\.arch"),
    ],
)
def test_files_that_hold_no_split_are_named(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SplittingError, match=words) as caught:
        read_splits(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_missing_files_are_reported(tmp_path):
    with pytest.raises(SplittingError, match="No such file"):
        read_splits(tmp_path / "nothing.json")
    with pytest.raises(SplittingError, match="has no search configurations"):
        read_splits(tmp_path)


def test_uploaded_files_are_read_like_a_folder():
    files = search_configs(SPLIT)
    assert parse_splits(files, "upload") == [SPLIT]
    with pytest.raises(SplittingError, match=r"upload: expected .* got 3 files"):
        parse_splits(files | {"a.json": "{}"}, "upload")
    with pytest.raises(SplittingError, match="got 0 files"):
        parse_splits({}, "upload")


def test_an_archive_holds_the_files_and_is_always_the_same():
    files = search_configs(SPLIT)
    content = zip_archive(files)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == files
    assert zip_archive(files) == content


FULL_ROWS = ["11111"] * 5

MASKS = [["11000", *FULL_ROWS], ["00111", *FULL_ROWS]]


def leaves(masks):
    return tuple(SubSpace.from_rows(rows) for rows in masks)


def test_splits_are_read_in_the_order_of_the_document():
    document = {"splits": {"b": {"cifar100": MASKS}, "a": {"cifar10": MASKS[::-1]}}}
    first, second = splits_from_masks(document)
    assert (first.name, first.dataset, first.leaves) == ("b", "cifar100", leaves(MASKS))
    assert (second.name, second.dataset, second.leaves) == (
        "a",
        "cifar10",
        leaves(MASKS[::-1]),
    )
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
        ({"splits": {"a": {"cifar10": MASKS[:1]}}}, "a on cifar10: .* 9,375 are missing"),
        (
            {"splits": {"a": {"cifar10": [*MASKS, MASKS[0]]}}},
            "6,250 are in more than one",
        ),
    ],
)
def test_documents_without_splits_are_refused(document, words):
    with pytest.raises(SplittingError, match=words):
        splits_from_masks(document)


def test_masks_are_written_as_they_are_read():
    splits = [
        NamedSplit("a", "cifar10", leaves(MASKS)),
        NamedSplit("b", "cifar10", (SubSpace.full(),)),
        NamedSplit("a", "cifar100", leaves(MASKS)),
    ]
    document = masks_of_splits(splits)
    assert document["splits"]["a"]["cifar10"] == MASKS
    assert document["meta"]["edges"] == ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]
    assert sorted(splits_from_masks(document), key=str) == sorted(splits, key=str)


def test_splits_with_equal_names_in_masks_are_refused():
    split = NamedSplit("a", "cifar10", (SubSpace.full(),))
    with pytest.raises(SplittingError, match="one split a on cifar10, got two"):
        masks_of_splits([split, split])
    with pytest.raises(SplittingError, match="a: expected a data set"):
        masks_of_splits([NamedSplit("a", None, (SubSpace.full(),))])


def test_a_split_covers_the_space():
    with pytest.raises(SplittingError, match=r"mine: expected .* 9,375 are missing"):
        NamedSplit("mine", None, leaves(MASKS[:1]))


FULL = SubSpace.full()


def make_split(name="params", dataset="cifar10", group=(3,)):
    rest = [operation for operation in range(5) if operation not in group]
    return NamedSplit(name, dataset, (FULL.keep(0, group), FULL.keep(0, rest)))


def test_the_stored_split_equals_the_given_one(tmp_path):
    (name,) = store_splits([make_split()], "some/published splits.json", tmp_path)
    assert name == "params-cifar10-published-splits"
    assert imported_names(tmp_path) == [name]
    assert open_imported(name, tmp_path) == make_split()


def test_the_same_split_again_changes_nothing(tmp_path):
    first = store_splits([make_split()], "a.json", tmp_path)
    assert store_splits([make_split()], "a.json", tmp_path) == first
    assert len(imported_names(tmp_path)) == 1


def test_another_split_under_the_same_name_takes_nothing_away(tmp_path):
    first = store_splits([make_split()], "a.json", tmp_path)
    (second,) = store_splits([make_split(group=(2, 3))], "a.json", tmp_path)
    assert second == f"{first[0]}-2"
    assert open_imported(first[0], tmp_path) == make_split()
    assert open_imported(second, tmp_path) == make_split(group=(2, 3))


@pytest.mark.parametrize("dataset", [None, "mnist"])
def test_a_split_of_no_known_data_set_is_refused_and_none_is_stored(tmp_path, dataset):
    with pytest.raises(SplittingError, match=r"cifar10, cifar100.*made: other"):
        store_splits([make_split(), make_split("other", dataset)], "a.json", tmp_path)
    assert imported_names(tmp_path) == []


@pytest.mark.parametrize("name", ["nothing", "../cache", "", ".lock", "a/b"])
def test_a_name_that_is_not_stored_is_refused(tmp_path, name):
    (tmp_path / "cache.json").write_text("{}")
    (kept,) = store_splits([make_split()], "a.json", tmp_path)
    for action in (open_imported, remove_imported):
        with pytest.raises(UnknownNameError, match=kept):
            action(name, tmp_path)
    assert (tmp_path / "cache.json").exists()


def test_a_removed_split_is_gone(tmp_path):
    (name,) = store_splits([make_split()], "a.json", tmp_path)
    remove_imported(name, tmp_path)
    assert imported_names(tmp_path) == []


def test_names_from_files_cannot_leave_the_folder(tmp_path):
    (name,) = store_splits([make_split("../../evil")], "../../x/../y.json", tmp_path)
    assert [path.name for path in (tmp_path / "splits").glob("*.json")] == [f"{name}.json"]
    assert "/" not in name
