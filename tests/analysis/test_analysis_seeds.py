import numpy as np
import pandas as pd
import pytest
from textbook_trees import CONVOLUTION, convolution_tree, grow, random_table

from fewshot_core.analysis import SplitEvaluator, information_gain, seed_uncertainty
from fewshot_core.analysis.informativeness import resampled_tables, seed_tables, seed_values
from fewshot_core.bench import load_seeds
from fewshot_core.errors import TableError


@pytest.fixture
def seeds():
    """Trainings of all architectures with two seeds, and of some with a third one."""
    frames = [
        random_table(seed, known).rename(columns={"accuracy_mean": "accuracy"}).assign(seed=seed)
        for seed, known in ((777, 15625), (888, 15625), (999, 4000))
    ]
    return pd.concat(frames, ignore_index=True).sample(frac=1, random_state=0)


def test_only_complete_seeds_have_a_table(seeds):
    tables = seed_tables(seeds)
    assert list(tables) == [777, 888]
    for seed, table in tables.items():
        expected = seeds[seeds["seed"] == seed].set_index("architecture")["accuracy"]
        found = table.set_index("architecture")["accuracy_mean"]
        pd.testing.assert_series_equal(found.sort_index(), expected.sort_index(), check_names=False)


def test_an_architecture_without_accuracy_makes_a_seed_incomplete(seeds):
    missing = (seeds["seed"] == 777) & (seeds["architecture"] == 5)
    damaged = seeds.assign(accuracy=seeds["accuracy"].mask(missing))
    assert list(seed_tables(damaged)) == [888]
    assert seed_tables(seeds[:0]) == {}


def test_resampled_tables_have_one_training_of_each_architecture(seeds):
    known = seeds.groupby("architecture")["accuracy"].agg(set)
    first, second = resampled_tables(seeds, 2, seed=4)
    for table in (first, second):
        assert table["architecture"].tolist() == list(range(15625))
        pairs = zip(table["accuracy_mean"], known, strict=True)
        assert all(accuracy in of_architecture for accuracy, of_architecture in pairs)
    assert (first["accuracy_mean"] != second["accuracy_mean"]).any()
    again = next(resampled_tables(seeds, 1, seed=4))
    pd.testing.assert_frame_equal(first, again)


def test_every_training_is_drawn_equally_often():
    seeds = pd.DataFrame(
        {"architecture": [0, 0, 0, 1, 1], "seed": range(5), "accuracy": [1.0, 2, 3, 4, 5]}
    )
    drawn = pd.concat(resampled_tables(seeds, 3000))
    shares = drawn["accuracy_mean"].value_counts(normalize=True)
    assert shares[[1.0, 2.0, 3.0]].tolist() == pytest.approx([1 / 6] * 3, abs=0.02)
    assert shares[[4.0, 5.0]].tolist() == pytest.approx([1 / 4] * 2, abs=0.02)


def test_values_are_those_of_the_tables():
    leaves, table = convolution_tree(), random_table(3)
    [row] = seed_values(leaves, [table], 0.02).to_dict("records")
    report = SplitEvaluator(table, 0.02).report(leaves)
    assert row == {
        "gain_bits": report.gain_bits,
        "best_bits": report.comparison.best_bits,
        "share_of_best": report.comparison.share_of_best,
        "percentile": report.comparison.percentile,
        "gini": report.gini,
        "optimum_in_best_mean": report.optimum_in_best_mean,
    }
    empty = seed_values(leaves, [])
    assert empty.empty and list(empty.columns) == list(row)


def test_uncertainty_is_reported_for_seeds_and_for_resampled_trainings(seeds):
    leaves = convolution_tree()
    frame = seed_uncertainty(leaves, seeds, draws=4).set_index(["source", "quantity"])
    assert frame.loc["seed", "tables"].tolist() == [2] * 6
    assert frame.loc["resampled", "tables"].tolist() == [4] * 6
    gains = [information_gain(leaves, table) for table in seed_tables(seeds).values()]
    row = frame.loc[("seed", "gain_bits")]
    assert row["mean"] == pytest.approx(np.mean(gains))
    assert row["std"] == pytest.approx(np.std(gains, ddof=1))
    assert (row["min"], row["max"]) == (min(gains), max(gains))


def test_seeds_that_are_all_incomplete_leave_resampling(seeds):
    partial = seeds[(seeds["seed"] == 777) ^ (seeds["architecture"] < 100)]
    frame = seed_uncertainty(grow([(0, CONVOLUTION)]), partial, draws=2)
    assert set(frame["source"]) == {"resampled"}


def test_nothing_to_resample_is_refused(seeds):
    with pytest.raises(TableError, match="accuracies by seed, got none"):
        seed_uncertainty(convolution_tree(), seeds.assign(accuracy=np.nan))


def test_the_packaged_seeds_agree_on_our_split(tmp_path):
    frame = seed_uncertainty(
        convolution_tree(), load_seeds("cifar10", data_dir=tmp_path), draws=5
    ).set_index(["source", "quantity"])
    assert frame.loc[("seed", "gain_bits"), "tables"] == 2
    assert (frame.xs("share_of_best", level="quantity")["min"] > 0.9).all()
