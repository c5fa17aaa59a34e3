"""Other search spaces than NAS-Bench-201 on the command line; the example of the documentation."""

import json
import re
import shlex
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from fewshot_core.runs.cluster.config import read_grid
from fewshot_core.space import Architecture, SubSpace, check_partition, get_space, store_space
from fewshot_core.store import Store, known_splits

DOCS = Path(__file__).resolve().parents[2] / "docs" / "search-spaces.md"
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "spaces"
HALVES = {
    "nas-bench-macro": [["100", *["111"] * 7], ["011", *["111"] * 7]],
    "trans-nas-bench-101-micro": [["1000", *["1111"] * 5], ["0111", *["1111"] * 5]],
}


def masks(folder, space, dataset, meta=None):
    path = folder / "masks.json"
    document = {"splits": {"halves": {dataset: HALVES[space]}}}
    path.write_text(json.dumps(document | ({"meta": meta} if meta else {})))
    return path


@pytest.fixture
def macro_csv(tmp_path):
    """Test accuracies of NAS-Bench-Macro that grow with the first digit."""
    space = get_space("nas-bench-macro")
    first = np.arange(space.size) // 3**7
    lines = [f"{space.digits(i)},{50 + 10 * d},{52 + 10 * d}" for i, d in enumerate(first)]
    path = tmp_path / "macro.csv"
    path.write_text("\n".join(["arch,test_acc_0,test_acc_1", *lines]))
    return path


def test_a_split_is_analysed_with_a_table_that_is_not_imported(fewshot, macro_csv, tmp_path):
    path = masks(tmp_path, "nas-bench-macro", "cifar10")
    options = ["--space", "nas-bench-macro", "--masks", path, "--dataset", "cifar10"]
    options += ["--accuracy", "test", "--table", macro_csv, "--json"]
    [split] = fewshot("analyse", *options).document["splits"]
    assert split["space"] == "nas-bench-macro" and split["evidence"].startswith("nas-bench-macro")
    assert [part["rows"] for part in split["sub_spaces"]] == HALVES["nas-bench-macro"]
    assert [part["size"] for part in split["sub_spaces"]] == [2187, 4374]
    assert [part["top_count"] for part in split["sub_spaces"]] == [0, 2187]
    assert [part["best"] for part in split["sub_spaces"]] == [51, 71]
    assert split["information_gain_bits"] == pytest.approx(0.9182958 - 4374 / 6561)
    assert 0 < split["information_gain_bits"] <= split["best_tree_bits"]
    refused = fewshot("analyse", "--masks", path, "--dataset", "cifar10").complaint
    assert "expected 6 rows, one for each edge" in refused  # the default is NAS-Bench-201


def test_the_space_that_a_file_names_counts(fewshot, macro_csv, tmp_path):
    path = masks(tmp_path, "nas-bench-macro", "cifar10", {"space": "nas-bench-macro"})
    [split] = fewshot("analyse", "--masks", path, "--table", macro_csv, "--json").document["splits"]
    assert split["accuracy"] == "test"  # the only kind that the space has
    other = fewshot("analyse", "--masks", path, "--space", "trans-nas-bench-101-micro").complaint
    assert "of trans-nas-bench-101-micro, got some of nas-bench-macro" in other
    unknown = fewshot("analyse", "--masks", path, "--dataset", "jigsaw").complaint
    assert "unknown data set 'jigsaw': expected one of cifar10" in unknown
    assert "unknown search space" in fewshot("analyse", "--masks", path, "--space", "x").complaint


@pytest.mark.parametrize(
    ("space", "dataset", "kind", "file"),
    [
        ("nas-bench-macro", "cifar10", "test", "nas_bench_macro.csv"),
        ("trans-nas-bench-101-micro", "room_layout", "validation", "trans_nas_bench_101_micro.csv"),
    ],
)
def test_the_real_tables_are_analysed(fewshot, tmp_path, space, dataset, kind, file):
    if not (SHARED / file).exists():
        pytest.skip(f"needs {file} in the folder `shared` beside the project")
    path = masks(tmp_path, space, dataset)
    options = ["--masks", path, "--space", space, "--dataset", dataset, "--accuracy", kind]
    [split] = fewshot("analyse", *options, "--table", SHARED / file, "--json").document["splits"]
    best = max(part["best"] for part in split["sub_spaces"])
    assert best == pytest.approx({"cifar10": 93.1267, "room_layout": -0.58}[dataset], abs=0.05)
    shown = fewshot("analyse", *options, "--table", SHARED / file)
    assert shown.code == 0 and "halves on" in shown.out


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


REFUSED = {
    "no supernet": ("split --space small-cnn --metric params", "Small CNN has no supernet, which"),
    "no search": (
        "search --space small-cnn --no-splitting",
        "Small CNN has no supernet, which",
    ),
    "no training": ("train --space small-cnn", "Small CNN has no supernet, which training needs"),
    "no images": (
        "split --space trans-nas-bench-101-micro --metric gradnorm --dataset jigsaw",
        "has no images of jigsaw, which gradnorm needs",
    ),
    "a decision": (
        "split --space nas-bench-macro --edges 8 --metric random",
        "distinct decisions from 0 to 7, got [8]",
    ),
    "cells": (
        "split --space nas-bench-macro --cells 2 --metric params",
        "--cells: NAS-Bench-Macro always has its 8 layers: leave it out",
    ),
    "rows": (
        "search --space nas-bench-macro --sub-space 111",
        "expected 8 rows, one for each decision",
    ),
    "a data set": ("train --space nas-bench-macro --dataset cifar100", "expected one of cifar10"),
    "a space": ("results --space nowhere", "unknown search space 'nowhere'"),
}


@pytest.mark.parametrize(("command", "words"), REFUSED.values(), ids=REFUSED)
def test_what_a_space_cannot_do_is_refused(command, words, fewshot, data_folder, tmp_path):
    (tmp_path / "s.toml").write_text(blocks("toml")[0])
    store_space(tmp_path / "s.toml", data_folder)
    assert words in fewshot(*command.split()).complaint


GRID = """
space = "nas-bench-macro"
[splits]
metrics = ["params", "random"]
network = { channels = 1 }
tree = { edges = [0, 7] }
[searches]
no_splitting = true
preset = "smoke"
[images]
cifar10 = "synthetic"
"""


def test_a_grid_is_in_the_space_of_its_file_or_of_the_option(fewshot, tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    grid = read_grid(tmp_path / "grid.toml")
    [search] = grid.searches
    assert search.sub_space == SubSpace.full("nas-bench-macro")
    assert [split.space for split in grid.splits] == ["nas-bench-macro"] * 2
    leaves = [SubSpace.from_rows(rows, "nas-bench-macro") for rows in HALVES["nas-bench-macro"]]
    assert [one.sub_space for one in grid.searches_of("cifar10", leaves)] == leaves
    other = fewshot("grid", tmp_path / "grid.toml", "--space", "nas-bench-201", "--plan")
    assert "a grid in nas-bench-macro, not in nas-bench-201" in other.complaint
    (tmp_path / "grid.toml").write_text(GRID.replace('space = "nas-bench-macro"', ""))
    assert read_grid(tmp_path / "grid.toml", space="nas-bench-macro").splits == grid.splits
    refused = fewshot("grid", tmp_path / "grid.toml", "--plan").complaint
    assert "edges from 0 to 5, got [0, 7]" in refused


def test_nas_bench_macro_is_split_trained_searched_and_measured(fewshot, macro_csv):
    space, images = ["--space", "nas-bench-macro"], ["--images", "synthetic"]
    small = ["--preset", "smoke", "--set", "channels=1", "--set", "epochs=1", *images]
    network = ["--channels", "1", "--batch-size", "4", "--edges", "0", *images]
    tree = fewshot("split", *space, "--metric", "gradnorm", *network, "--json").document
    assert tree["space"] == "nas-bench-macro"
    assert tree["details"]["network"] == "width 1/16, untrained (seed 0)"
    leaves = [SubSpace.from_rows(rows, "nas-bench-macro") for rows in tree["leaves"]]
    check_partition(leaves)
    assert len(leaves) == 2 and len(tree["nodes"][0]["values"]) == 3
    trained = fewshot("train", *space, *small, "--json").document
    assert fewshot("import-table", macro_csv, *space).code == 0
    checkpoint = ["--checkpoint", trained["checkpoint"]]
    searched = ["search", "--split", tree["run_id"], *checkpoint, *small, "--json"]
    found = fewshot(*searched).document
    assert found["accuracy"] == "test accuracy, table macro"
    for row, leaf in zip(found["runs"], leaves, strict=True):
        architecture = Architecture.from_index(row["architecture_index"], leaf.space)
        assert architecture.to_string() == row["architecture"] and architecture in leaf
        assert row["accuracy"] == 51 + 10 * architecture.operations[0]
    measured = fewshot("proxy", trained["run_id"], "--sample", "3", *space, "--json").document
    from_file = ["--sample", "3", "--table", macro_csv, "--json"]  # of the same measurement
    again = fewshot("proxy", trained["run_id"], *from_file).document
    assert again["architectures"] == measured["architectures"]
    assert measured["accuracy"] == "test" and len(measured["architectures"]) == 3
    other = fewshot("proxy", trained["run_id"], "--space", "nas-bench-201").complaint
    assert "is a run in nas-bench-macro, not in nas-bench-201" in other
    cells = fewshot("results", *space, "--json").document["cells"]
    [cell] = [one for one in cells if one["seeds"]]
    assert (cell["metric"], cell["algorithm"]) == ("gradnorm", "snas")
    assert cell["mean"] == max(row["accuracy"] for row in found["runs"])
    assert all(one["published_mean"] is None for one in cells)


def test_the_documented_space_works(fewshot, data_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    declaration, [computed, from_python, *_] = blocks("toml")[0], blocks("python")
    Path("small-cnn.toml").write_text(declaration)
    exec(compile(computed, str(DOCS), "exec"), {})
    assert capsys.readouterr().out == "240 1274\n"
    for line in blocks("sh")[1].splitlines():
        command, _, target = line.partition(" > ")
        result = fewshot(*shlex.split(command)[1:])
        assert result.code == 0, result.err
        if target:
            Path(target).write_text(result.out)
    [split] = result.document["splits"]
    tree = json.loads(Path("tree.json").read_text())
    space = get_space("small-cnn")
    assert space.shape == (2, 3, 8, 5) and tree["space"] == split["space"] == "small-cnn"
    leaves = [SubSpace.from_rows(rows, space) for rows in tree["leaves"]]
    check_partition(leaves)
    assert tree["run_id"].startswith("split-random-depth-maps-") and len(leaves) == 8
    assert [part["rows"] for part in split["sub_spaces"]] == tree["leaves"]
    errors = [part["best"] for part in split["sub_spaces"]]
    assert min(errors) == pytest.approx(2.5 - 77 / 50)  # metres, the smallest being the best
    assert split["keep_k"]["oracle"][0] == pytest.approx(min(errors))
    with closing(Store(data_folder, in_memory=True)) as store:
        store.sync()
        assert known_splits(store, data_folder, "depth-maps") == []  # none of NAS-Bench-201
        [known] = known_splits(store, data_folder, "depth-maps", space)
        assert known.key == tree["run_id"] and list(known.leaves) == leaves
    exec(compile(from_python, str(DOCS), "exec"), {})
    best, gain = map(float, capsys.readouterr().out.split())
    assert best == pytest.approx(gain) and best > 0


def test_a_refused_table_stores_no_space(fewshot, tmp_path, data_folder):
    (tmp_path / "s.toml").write_text(blocks("toml")[0])
    (tmp_path / "t.csv").write_text("arch,flowers_test\n0000,50\n")
    both = tmp_path / "s.toml", tmp_path / "t.csv"
    assert "each of the 240 architectures" in fewshot("import-space", *both).complaint
    assert not (data_folder / "spaces").exists()
    store_space(tmp_path / "s.toml", data_folder)
    table = tmp_path / "t.csv"
    refused = fewshot("import-table", table, "--space", "small-cnn").complaint
    assert "each of the 240 architectures" in refused
