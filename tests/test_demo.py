"""The results that come with the project: what the current code reads, and would make again."""

from collections import Counter
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest

from fewshot_core.images import register_source
from fewshot_core.images.sources import load_batch
from fewshot_core.metrics import METRICS, list_metrics, score_operations
from fewshot_core.nets import Supernet
from fewshot_core.runs import RunFolder, SearchRequest, SplitRequest, State, list_runs
from fewshot_core.runs.overview import find_damage
from fewshot_core.search import PRESETS, search
from fewshot_core.space import (
    NAS_BENCH_201,
    Architecture,
    SearchSpace,
    SubSpace,
    check_partition,
    get_space,
)
from fewshot_core.splitting import split
from fewshot_core.store import Store

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "data" / "demo"
CIFAR10 = ROOT.parent / "shared" / "data" / "cifar10"
MACRO = get_space("nas-bench-macro")
RUNS = list_runs(DEMO)


def runs_of(kind: str, space: SearchSpace = NAS_BENCH_201) -> list[RunFolder]:
    """Return the runs of a kind in a space."""
    requests = [(run, run.request()) for run in RUNS]
    return [run for run, one in requests if (one.kind, one.space) == (kind, space.name)]


SPLITS, MACRO_SPLITS = runs_of("split"), runs_of("split", MACRO)
SEARCHES, MACRO_SEARCHES = runs_of("search"), runs_of("search", MACRO)
ONE_SEED = {"epochs": 50, "images": 3200}
SEEDS = {"epochs": 20, "images": 1600}
"""The options of the searches from one seed, and from three."""
SEARCHED = ["params", "gradnorm", "gradientmatching", "jacobcov", "random", "random"]
"""What the splits are by that are searched in from three seeds."""


TRAINED = ("gradientmatching", "gradnorm", "jacobcov", "snip", "grasp", "synflow", "ntk")
WHOLE = tuple(SubSpace.full().rows)
USUAL = (0, 1, 2)
OTHER_TREES = ((0, 1, 2, 3), (5, 4, 3))
"""The decisions of a split, in their order."""


def split_of(metric: str, splits: list[RunFolder] = SPLITS) -> RunFolder:
    """Return the split of the untrained network with seed 0, by the usual batch."""
    requests = [(run, run.split_request()) for run in splits]
    [found] = [
        run
        for run, request in requests
        if (request.metric, request.seed, *batch_of(request)) == (metric, 0, 64, "batch")
        and request.tree.edges == USUAL
        and not request.network.checkpoint
    ]
    return found


def batch_of(request: SplitRequest) -> tuple[int, str]:
    """Return the size of a split's batch and the mode of batch norm."""
    return request.batch_size, request.batch_norm


def test_every_metric_is_there_from_five_seeds_and_batches_and_some_from_trained_weights():
    requests = [run.split_request() for run in SPLITS]
    untrained = [
        (one.metric, one.seed, *batch_of(one), one.tree.edges)
        for one in requests
        if one.network.checkpoint is None
    ]
    images = [name for name in list_metrics() if METRICS.get(name).needs_images]
    expected = {(name, seed, 64, "batch", USUAL) for name in list_metrics() for seed in range(5)}
    for batch in ((64, "running"), (16, "batch"), (16, "running")):
        expected |= {(name, seed, *batch, USUAL) for name in images for seed in range(5)}
    for edges in OTHER_TREES:
        for name, seed in product(list_metrics(), range(3)):
            expected.add((name, seed, 16 if name in images else 64, "batch", edges))
    assert len(untrained) == len(expected) and set(untrained) == expected
    trained = [one.metric for one in requests if one.network.checkpoint is not None]
    assert sorted(trained) == sorted(TRAINED)


@pytest.mark.parametrize("run", SPLITS, ids=lambda run: run.run_id)
def test_a_split_is_of_the_full_size_supernet_on_real_images(run):
    request, tree = run.split_request(), run.tree()
    assert (request.network.channels, request.network.cells_per_stage) == (16, 5)
    assert run.manifest()["synthetic"] is False
    assert run.status().state is State.DONE and run.is_complete()
    assert request.run_id(run.manifest()["fingerprints"]) == run.run_id
    assert len(tree.leaves) == 2 ** len(request.tree.edges)
    check_partition(tree.leaves)


def test_nas_bench_macro_is_split_by_every_metric_from_three_seeds_at_half_width():
    requests = [run.split_request() for run in MACRO_SPLITS]
    assert {(one.metric, one.seed) for one in requests} == {
        (name, seed) for name in list_metrics() for seed in range(3)
    }
    assert len(requests) == 30
    for run, request in zip(MACRO_SPLITS, requests, strict=True):
        assert request.network.channels == 8 and request.evidence.scale == "reduced"
        assert run.manifest()["synthetic"] is False
        assert run.status().state is State.DONE and run.is_complete()
        assert request.run_id(run.manifest()["fingerprints"]) == run.run_id
        assert len(run.tree().leaves) == 8
        check_partition(run.tree().leaves)


def test_two_splits_of_nas_bench_macro_are_searched_in_all_their_parts():
    searched = {run.request().rows for run in MACRO_SEARCHES}
    leaves = [split_of(name, MACRO_SPLITS).tree().leaves for name in ("gradnorm", "params")]
    assert searched == {tuple(leaf.rows) for parts in leaves for leaf in parts}
    assert len(searched) == len(MACRO_SEARCHES)
    for run in MACRO_SEARCHES:
        request, records = run.request(), run.records()
        assert (request.options.channels, request.options.images) == (8, 320)
        assert run.manifest()["synthetic"] is False and run.is_complete()
        assert [record["epoch"] for record in records] == list(range(9))
        found = Architecture.from_index(records[-1]["architecture_index"], MACRO)
        assert found in request.sub_space and found.to_string() == records[-1]["architecture"]


def test_trained_weights_are_marked():
    for run in SPLITS:
        said = "trained for 6 epochs, validation accuracy" in run.tree().details["network"]
        assert said == (run.split_request().network.checkpoint is not None)


@pytest.mark.parametrize(
    ("algorithm", "options", "seeds", "metrics"),
    [
        ("snas", ONE_SEED, [777], ["gradientmatching", "gradnorm", "params", "random"]),
        ("dsnas", SEEDS, [777, 888, 999], SEARCHED),
        ("snas", SEEDS, [777, 888, 999], SEARCHED),
    ],
)
def test_a_split_is_searched_in_all_its_parts_or_in_none_and_the_whole_space(
    algorithm, options, seeds, metrics
):
    requests = [
        request
        for request in (run.request() for run in SEARCHES)
        if request.algorithm == algorithm and request.options.epochs == options["epochs"]
    ]
    searched = {request.rows for request in requests}
    assert len(requests) == len(searched) * len(seeds) and WHOLE in searched
    assert {(one.rows, one.seed) for one in requests} == set(product(searched, seeds))
    leaves = {run.run_id: {tuple(leaf.rows) for leaf in run.tree().leaves} for run in SPLITS}
    whole = [name for name, rows in leaves.items() if rows <= searched]
    assert Counter(name.split("-")[1] for name in whole) >= Counter(metrics)
    assert set().union(*(leaves[name] for name in whole)) == searched - {WHOLE}


@pytest.mark.parametrize("run", SEARCHES, ids=lambda run: run.run_id)
def test_a_search_is_complete_and_on_real_images(run):
    request, records = run.request(), run.records()
    seeds = ONE_SEED if request.options.epochs == ONE_SEED["epochs"] else SEEDS
    options = replace(PRESETS.get("quick").search, **seeds)
    expected = SearchRequest("cifar10", request.algorithm, request.rows, options, request.seed)
    assert request.to_dict() == expected.to_dict()
    assert run.manifest()["synthetic"] is False
    assert run.status().state is State.DONE and run.is_complete()
    assert request.run_id(run.manifest()["fingerprints"]) == run.run_id
    assert [record["epoch"] for record in records] == list(range(options.epochs + 1))
    accuracies = [record["valid_accuracy"] for record in records]
    assert accuracies[0] < 18 < (accuracies[-1] if seeds is ONE_SEED else max(accuracies))
    assert accuracies[-1] > 15  # chance is 10, with a deviation of 1


def test_a_search_on_real_images_begins_the_same_again(tmp_path):
    if not CIFAR10.exists():
        pytest.skip("needs data/cifar10 in the folder `shared` beside the project")
    register_source("cifar10", CIFAR10, data_dir=tmp_path)
    run = min(SEARCHES, key=lambda run: run.request().sub_space.size)
    request = run.request()
    made = search(
        request.algorithm,
        request.sub_space,
        options=request.options,
        seed=request.seed,
        data_dir=tmp_path,
    )
    # Rounding, which depends on the number of threads, changes the loss after an epoch by 2%.
    for found, kept, loss in zip(islice(made, 2), run.records(), (1e-4, 0.06), strict=False):
        assert found.valid_loss == pytest.approx(kept["valid_loss"], rel=loss)
        assert found.entropy == pytest.approx(kept["entropy"], rel=0.01)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.run_id)
def test_a_thorough_look_finds_nothing_missing(run):
    assert find_damage(run) == []


def test_the_store_takes_in_all_of_it(tmp_path):
    store = Store(tmp_path, in_memory=True, demo=DEMO)
    store.sync()
    assert store.problems == {}
    assert len(store.splits()) == len(SPLITS) and store.splits()["demo"].all()
    assert len(store.searches()) == len(SEARCHES)
    assert len(store.splits(space=MACRO.name)) == len(MACRO_SPLITS)
    assert len(store.searches(space=MACRO.name)) == len(MACRO_SEARCHES)


def test_it_is_small_and_says_nothing_of_the_machine_it_was_made_on():
    files = [path for path in DEMO.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 10_000_000
    texts = [path.read_text() for path in files if path.suffix in (".json", ".jsonl")]
    assert len(texts) == 3 * len(RUNS)
    assert not any(word in text for text in texts for word in ("/home", "/root", "/tmp", "/work"))


@pytest.mark.parametrize(
    ("metric", "edges", "splits", "channels"),
    [
        ("params", (0, 1, 2), SPLITS, 16),
        ("synflow", (0,), SPLITS, 16),
        ("params", (0, 1, 2), MACRO_SPLITS, 8),
        ("synflow", (0,), MACRO_SPLITS, 8),
    ],
)
def test_a_metric_without_images_gives_the_same_again(metric, edges, splits, channels):
    tree = split_of(metric, splits).tree()
    made = split(metric, Supernet(SubSpace.full(tree.space), channels=channels), None, edges)
    kept = tree.nodes[: 2 ** len(edges) - 1]
    assert [node.groups for node in made.nodes] == [node.groups for node in kept]
    for one, other in zip(made.nodes, kept, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-6)


def test_the_root_on_real_images_gives_the_same_again(tmp_path):
    if not CIFAR10.exists():
        pytest.skip("needs data/cifar10 in the folder `shared` beside the project")
    register_source("cifar10", CIFAR10, data_dir=tmp_path)
    run = split_of("gradnorm")
    request, root = run.split_request(), run.tree().nodes[0]
    batch = load_batch("cifar10", request.batch_size, request.batch_seed, data_dir=tmp_path)
    pair = Supernet(SubSpace.full()).restrict(SubSpace.full().keep(root.edge, (0, 3)))
    found = score_operations("gradnorm", pair, root.edge, batch)
    kept = [root.values[operation] for operation in (0, 3)]
    np.testing.assert_allclose(found.values, kept, rtol=1e-3)


def test_the_readme_says_how_many_there_are():
    text = (DEMO / "README.md").read_text(encoding="utf-8")
    for several in (SPLITS, MACRO_SPLITS):
        assert f"{len(several)} splits" in text
    for several in (SEARCHES, MACRO_SEARCHES):
        assert f"{len(several)} searches" in text
