"""Selection on the command line, with imported curves."""

import pytest
from recorded_searches import keep_search, keep_searches

from fewshot_core.bench import load_accuracy
from fewshot_core.selection import (
    Choice,
    read_curves,
    read_frame,
    result_document,
    successive_halving,
    verdict,
)
from fewshot_core.space import NAS_BENCH_201, SubSpace
from fewshot_core.splitting.files import store_splits
from fewshot_core.splitting.tree import NamedSplit

HEADER = "sub_space,epoch,valid_accuracy,test_accuracy"
# S3 finds the best at the end, but is behind at epochs 1 and 2.
FOUND = {"S1": 93.0, "S2": 92.0, "S3": 94.3, "S4": 91.0}
VALID = {"S1": (20, 30, 40, 50), "S2": (21, 31, 41, 51), "S3": (10, 20, 60, 70), "S4": (9, 8, 7, 6)}


def lines(seeds=None):
    """Return a file of curves; with seeds each of them has a column and the same values."""
    rows = [HEADER + (",seed" if seeds else "")]
    for seed in seeds or [""]:
        rows += [
            f"{name},{epoch},{value},{FOUND[name]}" + (f",{seed}" if seeds else "")
            for name, values in VALID.items()
            for epoch, value in enumerate(values, start=1)
        ]
    return "\n".join(rows)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(lines())
    return path


def test_the_document_is_that_of_the_library(fewshot, file):
    document = fewshot("halve", "--curves", file, "--milestones", "1,2", "--json").document
    expected = result_document(successive_halving(read_curves(file), (1, 2)))
    assert document == {"curves": str(file), "seed": 0, "missing": []} | expected
    assert document["verdict"] == (
        "Found 92.00% (S2), best 94.30% (S3) was discarded at epoch 1, cost 2 runs."
    )


@pytest.mark.parametrize(
    ("options", "choice"),
    [
        (["--milestones", "none"], Choice()),
        (["--milestones", "3", "--keep", "0.25"], Choice(milestones=(3,), keep=0.25)),
        (["--milestones", "2", "--rank-by", "best_so_far"], Choice("halving", (2,), 0.5, 1, 0,
                                                                   "best_so_far")),
        (["--milestones", "3", "--rank-by", "moving_average", "--window", "3"],
         Choice(milestones=(3,), rank_by="moving_average", window=3)),
        (["--strategy", "top-k", "--k", "2", "--epoch", "1"], Choice("top_k", k=2, epoch=1)),
        (["--strategy", "train_all"], Choice("train_all")),
        (["--strategy", "one-at-random"], Choice("one_at_random")),
        (["--strategy", "oracle"], Choice("oracle")),
    ],
)  # fmt: skip
def test_every_strategy_has_its_options(fewshot, file, options, choice):
    document = fewshot("halve", "--curves", file, *options, "--json").document
    expected = result_document(choice.apply(read_curves(file)))
    assert document == {"curves": str(file), "seed": 0, "missing": []} | expected
    assert expected["verdict"] in fewshot("halve", "--curves", file, *options).out


def test_without_milestones_they_are_the_papers_in_proportion(fewshot, file):
    result = fewshot("halve", "--curves", file)
    assert "in proportion to the paper's 30 and 100 of 600" in result.out
    assert "S2" in result.out and "chosen" in result.out and "cost 2.5 runs" in result.out
    assert fewshot("halve", "--curves", file, "--json").document["milestones"] == [1]


def test_an_end_shortens_the_runs(fewshot, file):
    document = fewshot("halve", "--curves", file, "--milestones", "1", "--end", "2", "--json")
    expected = successive_halving(read_curves(file), (1,), end=2)
    assert document.document["cost"] == expected.cost == 3
    assert document.document["verdict"] == verdict(expected)


def test_imported_curves_are_known_by_their_name(fewshot, file):
    assert "imported mine: nas-bench-201, 4 sub-spaces up to epoch 4, seed 0, 16 rows" in (
        fewshot("curves", "import", file).out
    )
    named = fewshot("curves", "import", file, "--name", "again", "--json").document
    assert (named["name"], named["source"], named["seeds"]) == ("again", "mine.csv", [0])
    listed = fewshot("curves", "list", "--json").document["curves"]
    assert [row["name"] for row in listed] == ["again", "mine"]
    assert "mine.csv" in fewshot("curves", "list").out
    file.unlink()
    assert fewshot("halve", "--curves", "mine", "--json").document["winner"] == "S2"
    assert fewshot("curves", "remove", "mine").out == "removed mine\n"
    assert "nor are there imported curves of that name (there are again)" in (
        fewshot("halve", "--curves", "mine").complaint
    )


def test_damaged_curves_are_listed_with_the_problem(fewshot, file, data_folder):
    fewshot("curves", "import", file)
    (data_folder / "curves" / "mine" / "about.json").write_text("{")
    assert "damaged" in fewshot("curves", "list", "--json").document["curves"][0]["problem"]
    assert "damaged" in fewshot("curves", "list").out


def test_each_seed_has_its_own_result(fewshot, tmp_path):
    path = tmp_path / "seeds.csv"
    path.write_text(lines([777, 888]))
    results = fewshot("halve", "--curves", path, "--json").document["results"]
    assert [one["seed"] for one in results] == [777, 888]
    frame = read_curves(path)
    one = read_frame(frame[frame["seed"] == 888])
    seed_888 = fewshot("halve", "--curves", path, "--seed", 888, "--json").document
    assert seed_888 == results[1]
    assert seed_888["verdict"] == verdict(successive_halving(one, (1,)))
    assert fewshot("halve", "--curves", path).out.count("Found ") == 2
    assert "no curves of seed 5: expected one of 777, 888" in (
        fewshot("halve", "--curves", path, "--seed", 5).complaint
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["halve"], "expected one of --curves FILE, --split RUN and --masks FILE"),
        (["halve", "--curves", "nowhere.csv"], "there is no file nowhere.csv"),
        (["halve", "--curves", "FILE", "--strategy", "luck"], "expected one of halving, top_k"),
        (["halve", "--curves", "FILE", "--rank-by", "luck"], "expected one of valid_accuracy"),
        (["halve", "--curves", "FILE", "--rank-by", "valid_loss"], "a column 'valid_loss'"),
        (["halve", "--curves", "FILE", "--milestones", "x"], "or none, got 'x'"),
        (["halve", "--curves", "FILE", "--milestones", "9"], "from epoch 0 to 4, got 9"),
        (["halve", "--curves", "FILE", "--keep", "0"], "a share to keep above 0"),
        (["halve", "--curves", "FILE", "--end", "9"], "an end from epoch 1 to 4"),
        (["curves", "remove", "mine"], "unknown imported curves 'mine': expected one of none"),
        (["curves", "import", "nowhere.csv"], "nowhere.csv cannot be read"),
    ],
)
def test_errors_are_reported_in_one_line(fewshot, file, arguments, words):
    words_of_command = [file if word == "FILE" else word for word in arguments]
    assert words in fewshot(*words_of_command).complaint


def test_a_line_that_is_not_as_expected_is_named(fewshot, file):
    file.write_text(file.read_text().replace("S1,2,30", "S1,2,3O"))
    for command in (["curves", "import", file], ["halve", "--curves", file]):
        complaint = fewshot(*command).complaint
        assert "mine.csv, line 3: expected a percentage from 0 to 100" in complaint


HALVES = (SubSpace.full().keep(0, [3]), SubSpace.full().keep(0, [0, 1, 2, 4]))


@pytest.fixture
def split(data_folder):
    """An imported split whose two sub-spaces were searched."""
    (name,) = store_splits([NamedSplit("halves", "cifar10", HALVES, None)], "mine", data_folder)
    keep_searches(data_folder, HALVES, epochs=4)
    return name


def test_recorded_searches_of_a_split_are_selected_among(fewshot, split, data_folder):
    document = fewshot("halve", "--split", split, "--milestones", "2", "--json").document
    assert (document["split"], document["algorithm"]) == ("halves on cifar10", "snas")
    assert (document["accuracy"], document["table"]) == ("validation", "nasbench201-validation")
    assert (document["seed"], document["missing"], document["end"]) == (777, [], 4)
    found = load_accuracy("cifar10").set_index("architecture")["accuracy_mean"]
    assert document["test_accuracy"] == found[document["architecture"]]
    assert document["cost"] == 1.5
    assert "halves on cifar10, snas" in fewshot("halve", "--split", split).out
    largest = fewshot("halve", "--split", split, "--strategy", "most-parameters", "--json").document
    assert (largest["winner"], largest["cost"]) == ("S1", 1.0)


def test_architectures_beyond_a_limit_of_the_cost_are_infeasible(fewshot, split, file, tmp_path):
    train_all = ["halve", "--split", split, "--strategy", "train-all", "--json"]
    free = fewshot(*train_all).document
    best = free["architecture"]
    costs = tmp_path / "costs.csv"
    rows = [f"{NAS_BENCH_201.format(index)},{int(index == best)}" for index in range(15_625)]
    costs.write_text("\n".join(["architecture,ms", *rows]))
    limit = ["--at-most", f"{costs}:ms=0"]
    limited = fewshot(*train_all, *limit).document
    assert limited["at_most"] == limit[1] and limited["architecture"] != best
    assert limited["ceiling"] < free["ceiling"]
    assert "infeasible" in fewshot("halve", "--split", split, *limit).out
    assert "--at-most, " in fewshot("halve", "--curves", file, *limit).complaint
    [cell] = [
        cell
        for cell in fewshot("results", *limit, "--json").document["cells"]
        if cell["seeds"] and cell["split"]
    ]
    assert (cell["infeasible"], cell["mean"]) == (1, limited["ceiling"])
    assert "with ms at most 0 count" in fewshot("results", *limit).out


def test_the_same_searches_are_found_by_the_masks_of_a_file(fewshot, split, data_folder):
    masks = data_folder / "splits" / f"{split}.json"
    assert fewshot("halve", "--masks", masks, "--json").document == (
        fewshot("halve", "--split", split, "--json").document
    )


def test_missing_searches_are_counted(fewshot, split, data_folder):
    keep_search(data_folder, HALVES[1], 888, epochs=4)
    result = fewshot("halve", "--split", split, "--seed", 888)
    assert result.code == 0 and result.err == "not searched with seed 888: S1\n"
    document = fewshot("halve", "--split", split, "--seed", 888, "--json").document
    assert (document["missing"], document["winner"]) == (["S1"], "S2")


def test_ambiguous_searches_must_be_selected(fewshot, split, data_folder):
    keep_searches(data_folder, HALVES, algorithm="dsnas")
    complaint = fewshot("halve", "--split", split).complaint
    assert "several kinds of searches match" in complaint and "dsnas smoke (2 of 2" in complaint
    chosen = fewshot("halve", "--split", split, "--algorithm", "dsnas", "--json").document
    assert (chosen["algorithm"], chosen["preset"], chosen["end"]) == ("dsnas", "smoke", 2)
    evidence, wanted = chosen["evidence"], ["--algorithm", "dsnas", "--preset", "smoke"]
    again = fewshot("halve", "--split", split, "--evidence", evidence, *wanted, "--json")
    assert again.document == chosen
    assert "no such finished searches in the sub-spaces of halves on cifar10" in (
        fewshot("halve", "--split", split, "--algorithm", "darts-1st").complaint
    )


def test_schedules_are_compared_over_seeds(fewshot, tmp_path):
    path = tmp_path / "seeds.csv"
    path.write_text(lines([777, 888]))
    document = fewshot("halve", "--curves", path, "--compare", "--json").document
    assert document["seeds"] == [777, 888]
    ceiling = next(row for row in document["schedules"] if row["mark"] == "ceiling")
    assert (ceiling["cost"], ceiling["regret"], ceiling["seeds"]) == (4.0, 0.0, 2)
    assert [row["epoch"] for row in document["proxy"]] == [1, 2, 3, 4]
    assert [row["kendall"] for row in document["proxy"]] == pytest.approx([0, 0, 2 / 3, 2 / 3])
    shown = fewshot("halve", "--curves", path, "--compare", "--seed", 777)
    assert shown.code == 0 and "ceiling" in shown.out and "those with a name" in shown.out
