"""The command ``fewshot estimates``, and ``fewshot analyse`` on partitions that are no trees."""

from pathlib import Path

import numpy as np
import pytest

from fewshot_core.bench import load_accuracy
from fewshot_core.space import NAS_BENCH_201, partition_by_rule

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture
def estimates(tmp_path, data_folder):
    """A file with the accuracies of the packaged table, and with their negatives in a half."""
    means = load_accuracy("cifar10", data_dir=data_folder)["accuracy_mean"].tolist()
    lines = ["arch,true,half,wrong"]
    for index in range(NAS_BENCH_201.size):
        half = f"{means[index]!r}" if index % 2 else ""
        text = NAS_BENCH_201.format(index) if index % 3 else NAS_BENCH_201.digits(index)
        lines.append(f"{text},{means[index]!r},{half},{-means[index]!r}")
    path = tmp_path / "estimates.csv"
    path.write_text("\n".join(lines))
    return path


def test_estimates_are_compared(fewshot, estimates):
    options = [part for name in ("true", "wrong", "half") for part in ("--estimate", name)]
    options = [f"{estimates}:{one}" if "-" not in one else one for one in options]
    document = fewshot("estimates", *options, "--rule", "convolutions", "--json").document
    assert (document["dataset"], document["accuracy"]) == ("cifar10", "validation")
    true, wrong, half = document["estimates"]
    assert true["name"] == "true" and true["regret"] == 0
    assert [true[name] for name in ("tau", "rho", "tau_top")] == pytest.approx([1, 1, 1])
    assert true["tau_interval"] == pytest.approx([1, 1])
    [split] = true["splits"]
    assert split["metric"] == "convolutions" and split["regret"] == 0
    assert [*split["tau_within"], split["tau_between"]] == pytest.approx([1] * 8)
    assert [wrong["tau"], wrong["rho"]] == pytest.approx([-1, -1]) and wrong["regret"] > 80
    assert half["known"] == 7812 and half["tau"] == pytest.approx(1)
    exported = estimates.with_name("exported.csv")
    text = fewshot("estimates", *options, "--rule", "convolutions", "--export", exported).out
    again = fewshot("estimates", "--estimate", f"{exported}:half", "--json").document
    assert again["estimates"][0] | {"splits": half["splits"]} == half
    assert "wrong" in text and "-1.000" in text


def test_a_partition_is_analysed(fewshot, tmp_path):
    by_rule = fewshot("analyse", "--rule", "active-convolutions", "--json").document["splits"]
    assert [split["dataset"] for split in by_rule] == ["cifar10", "cifar100", "ImageNet16-120"]
    assert all(split["information_gain_bits"] < split["top_entropy_bits"] for split in by_rule)
    lines = ["arch,label"]
    for group in partition_by_rule("active-convolutions"):
        lines += [f"{NAS_BENCH_201.digits(i)},{group.label}" for i in group.architecture_indices()]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines))
    options = ("--labels", path, "--dataset", "cifar100")
    [by_labels] = fewshot("analyse", *options, "--json").document["splits"]
    assert by_labels | {"metric": "active-convolutions"} == by_rule[1]
    assert "of the best tree" in fewshot("analyse", *options).out


def test_a_limit_of_the_cost_restricts_what_is_top(fewshot, estimates):
    shared = ("--dataset", "cifar10", "--at-most", "parameters=300000")
    ruled = ("analyse", "--rule", "convolutions", *shared)
    [split] = fewshot(*ruled, "--json").document["splits"]
    assert split["at_most"] == "parameters=300000"
    counts = [part["top_count"] for part in split["sub_spaces"]]
    assert 0 < sum(counts) < 157
    assert "only parameters at most 300000" in fewshot(*ruled).out
    [true] = fewshot("estimates", "--estimate", f"{estimates}:true", *shared, "--json").document[
        "estimates"
    ]
    assert true["known"] < 15_625 and true["regret"] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("estimates", "--estimate", "file.csv"), "expected FILE.csv:COLUMN"),
        (("estimates", "--estimate", "{file}:luck"), "expected a column arch and a column 'luck'"),
        (("estimates", "--estimate", "nowhere.csv:true"), "unknown accuracy table 'nowhere.csv'"),
        (("analyse", "--rule", "luck"), "unknown partition rule 'luck'"),
        (("analyse", "--rule", "convolutions", "--labels", "{file}"), "either --labels"),
        (("analyse", "--rule", "convolutions", "--masks", "{file}"), "without --masks"),
        (("analyse", "--rule", "convolutions", "--at-most", "parameters=1"), "73,306 and 1.53 M"),
        (("analyse", "--labels", "{file}"), "expected the columns arch and label"),
    ],
)
def test_what_is_wrong_is_said(fewshot, estimates, options, words):
    assert words in fewshot(*(text.format(file=estimates) for text in options)).complaint


@pytest.mark.parametrize(
    ("cell", "words"),
    [("nan", "expected a finite number"), ("x", "finite number"), ("1e999", "finite number")],
)
def test_a_wrong_cell_is_named(fewshot, tmp_path, cell, words):
    path = tmp_path / "estimates.csv"
    path.write_text(f"arch,e\n000000,1\n000001,{cell}\n")
    complaint = fewshot("estimates", "--estimate", f"{path}:e").complaint
    assert "estimates.csv, line 3" in complaint and words in complaint


def test_published_estimates_and_the_rule_have_the_known_numbers(fewshot):
    folder = SHARED / "nats_bench"
    if not folder.is_dir():
        pytest.skip("needs nats_bench in the folder `shared` beside the project")
    names = ("one_shot", "few_shot", "balanced_seed0", "decomposed_balanced_seed0")
    options = [part for name in names for part in ("--estimate", f"{folder}/estimates.csv:{name}")]
    table = ("--table", folder / "nats_bench.csv", "--accuracy", "test")
    found = fewshot("estimates", *options, *table, "--json").document["estimates"]
    taus = [one["tau"] for one in found]
    assert np.allclose(taus, [0.4841, 0.5504, 0.7433, 0.7448], atol=2e-4)
    splits = fewshot("analyse", "--rule", "active-convolutions", *table, "--json").document
    gains = [round(split["information_gain_bits"], 4) for split in splits["splits"]]
    assert gains == [0.0149, 0.0222, 0.0298]
    best = [round(split["best_tree_bits"], 4) for split in splits["splits"]]
    assert best == [0.0163, 0.0179, 0.0206]
