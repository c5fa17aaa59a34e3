"""What the printed tables say, counted again from the table of cells."""

from fewshot_core.analysis import published_results
from fewshot_core.reproduction import Verdict
from fewshot_core.reproduction.printed import (
    best_metrics,
    printed_deviation,
    random_as_good,
    splitting_better,
    splitting_not_worse,
)


def cells():
    rows = published_results().to_dict("records")
    return {(row["dataset"], row["metric"], row["algorithm"]): row["mean"] for row in rows}


def test_splitting_is_counted_against_the_same_column():
    means = cells()
    better = [
        mean > means[dataset, "no splitting", algorithm]
        for (dataset, metric, algorithm), mean in means.items()
        if metric != "no splitting"
    ]
    assert len(better) == 120
    assert f"{sum(better)} of 120" in splitting_better().measured
    assert splitting_better().verdict is Verdict.HOLDS


def test_snas_is_counted_by_itself():
    means = cells()
    kept = [
        mean >= means[dataset, "no splitting", "snas"]
        for (dataset, metric, algorithm), mean in means.items()
        if metric != "no splitting" and algorithm == "snas"
    ]
    assert len(kept) == 30
    assert f"{sum(kept)} of 30" in splitting_not_worse().measured


def test_random_is_compared_with_the_nine_metrics():
    means = cells()
    distances = [
        (dataset, means[dataset, "random", algorithm] - mean)
        for (dataset, metric, algorithm), mean in means.items()
        if metric not in ("no splitting", "random")
    ]
    similar = sum(distance >= -printed_deviation(dataset) for dataset, distance in distances)
    strict = sum(distance >= 0 for _, distance in distances)
    assert len(distances) == 108
    measured = random_as_good().measured
    assert f"{similar} of 108" in measured and f"{strict} of 108" in measured


def test_deviations_and_the_best_are_those_printed():
    assert [printed_deviation(name) for name in ("cifar10", "cifar100", "ImageNet16-120")] == [
        0.34,
        1.25,
        1.76,
    ]
    best = best_metrics()
    assert len(best) == 12
    of_darts = best[(best["dataset"] == "cifar10") & (best["algorithm"] == "darts-1st")]
    assert of_darts["metrics"].tolist() == [frozenset({"snip", "grasp"})]
