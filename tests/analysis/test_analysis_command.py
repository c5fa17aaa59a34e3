"""What ``fewshot analyse`` says of splits in every form of file."""

import json

import pytest
from textbook_trees import convolution_tree

from fewshot_core.cli import app as cli
from fewshot_core.splitting.files import write_masks, write_search_configs
from fewshot_core.splitting.tree import NamedSplit

SPLIT = NamedSplit("params", "cifar10", tuple(convolution_tree()))


@pytest.fixture
def analyse(tmp_path, monkeypatch, capsys):
    def run(*arguments):
        chosen = ["--data-dir", tmp_path / "data", *arguments]
        monkeypatch.setattr("sys.argv", ["fewshot", "analyse", *map(str, chosen)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return (out, err) if not ended.value.code else (None, err)

    return run


@pytest.mark.parametrize("form", ["masks", "folder"])
def test_splits_are_judged_in_every_form(analyse, tmp_path, form):
    path = tmp_path / "split"
    if form == "masks":
        write_masks(path, [SPLIT])
    else:
        write_search_configs(path, SPLIT)
    [report] = json.loads(analyse("--masks", path, "--json")[0])["splits"]
    assert (report["metric"], report["dataset"]) == ("params", "cifar10")
    assert 0.9 < report["information_gain_bits"] / report["best_tree_bits"] < 1
    assert report["random_percentile"] > 99
    assert 0.5 < report["gini"] < 1
    assert report["keep_k"]["oracle"][0] == max(row["best"] for row in report["sub_spaces"])


def test_what_a_split_is_worth_is_said_to_people(analyse, tmp_path):
    write_masks(tmp_path / "masks.json", [SPLIT])
    out, _ = analyse("--masks", tmp_path / "masks.json")
    words = " ".join(out.split())
    assert "information gain 0.0159 bits, 95.9% of the best tree, percentile 100.0 of" in words


def test_a_split_that_does_not_say_its_data_set_needs_one(analyse, tmp_path):
    write_search_configs(tmp_path / "own", SPLIT)
    for path in (tmp_path / "own").iterdir():
        path.write_text(path.read_text().replace("dataset: cifar10\n", ""))
    out, err = analyse("--masks", tmp_path / "own", "--json")
    assert out is None and "own does not say its data set: name it with --dataset" in err
    out, _ = analyse("--masks", tmp_path / "own", "--dataset", "cifar100", "--json")
    assert json.loads(out)["splits"][0]["dataset"] == "cifar100"


def test_an_incomplete_folder_is_refused_with_the_architectures_counted(analyse, tmp_path):
    write_search_configs(tmp_path / "own", SPLIT)[0].unlink()
    out, err = analyse("--masks", tmp_path / "own")
    assert out is None and "params on cifar10" in err and "125 are missing" in err
